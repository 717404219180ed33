"""Which things are asked about, and which askers there are."""

from __future__ import annotations

import pytest

from whichpic.chat.scripted import Scripted
from whichpic.dialogue.asking import askers, facts, pick
from whichpic.dialogue.naming import can_be_asked
from whichpic.errors import QueryError
from whichpic.words import vocabulary


@pytest.mark.parametrize(
    ("name", "asked"),
    [("bird", True), ("penguin", True), ("brambling", False), ("dog", True), ("corgi", True), ("otterhound", False),
     ("umbrella", True), ("wall", False), ("kitchen", True)],
)  # fmt: skip
def test_only_what_most_people_can_tell_is_asked(name: str, asked: bool) -> None:
    assert vocabulary().get(name) is not None
    assert can_be_asked(name) is asked


def test_askers_are_called_by_name() -> None:
    assert askers("facts, pick") == (facts, pick)
    assert len(askers("facts,captions,pictures", Scripted([]))) == 3


@pytest.mark.parametrize("name", ["captions", "pictures", "facts,pictures"])
def test_an_asker_of_a_model_needs_one(name: str) -> None:
    with pytest.raises(QueryError, match="--chat"):
        askers(name)


def test_an_unknown_asker_or_sampler_names_those_there_are() -> None:
    with pytest.raises(QueryError, match="facts, pick, captions and pictures"):
        askers("best")
    with pytest.raises(QueryError, match="cluster, interval, random and top"):
        askers("facts", sampler="best")
