"""Which things are asked about."""

from __future__ import annotations

import pytest

from whichpic.dialogue.naming import can_be_asked
from whichpic.words import vocabulary


@pytest.mark.parametrize(
    ("name", "asked"),
    [("bird", True), ("penguin", True), ("brambling", False), ("dog", True), ("corgi", True), ("otterhound", False),
     ("umbrella", True), ("wall", False), ("kitchen", True)],
)  # fmt: skip
def test_only_what_most_people_can_tell_is_asked(name: str, asked: bool) -> None:
    assert vocabulary().get(name) is not None
    assert can_be_asked(name) is asked
