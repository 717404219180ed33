"""Two models as one: pictures decide who hears a conversation."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.chat.faulty import faulty
from whichpic.chat import Message, open_chat, runs_elsewhere
from whichpic.chat.paired import Paired
from whichpic.chat.scripted import Scripted
from whichpic.errors import ChatError

GREY = Image.new("RGB", (8, 8), "grey")


def test_pictures_go_to_the_one_that_looks_and_text_to_the_one_that_writes() -> None:
    looks, writes = (
        Scripted(["a grey square", "yes"], name="eyes"),
        Scripted(["a grey square on a wall", "no"], name="pen"),
    )
    both = Paired(looks, writes)
    assert both({"image": GREY, "question": "what is it?"}) == "a grey square"
    assert "".join(both.stream([Message("user", "fold it in")])) == "a grey square on a wall"
    assert both.choose([Message("user", "look", (GREY,))], ["is it grey?"], ["yes", "no"]).mass[0, 0] == 1
    assert both.choose([Message("user", "read")], ["is it red?"], ["yes", "no"]).mass[0, 1] == 1
    assert both.usage.calls == 4
    assert both.id == "eyes + pen"
    assert not both.can_score


def test_a_pair_is_opened_by_two_names(tmp_path: Path) -> None:
    with faulty([], reply="seen") as first, faulty([], reply="written") as second:
        both = open_chat(f"{first.url}#a", llm=f"{second.url}#b", cache=tmp_path)
        assert both({"image": GREY, "question": "what is it?"}) == "seen"
        assert both({"question": "fold it in"}) == "written"


def test_a_key_is_given_to_the_first_of_two_alone() -> None:
    with faulty([], reply="seen") as first, faulty([], reply="written") as second:
        both = open_chat(f"{first.url}#a", llm=f"{second.url}#b", key="sk-canary-4")
        both({"image": GREY, "question": "what is it?"})
        both({"question": "fold it in"})
        assert "authorization" in first.headers_seen[0] and "authorization" not in second.headers_seen[0]


def test_one_name_is_one_model() -> None:
    assert not isinstance(open_chat("ollama:qwen", llm="ollama:qwen"), Paired)


@pytest.mark.parametrize(
    ("name", "elsewhere"),
    [("ollama:x", True), ("http://h/v1", True), ("batch:d", True), ("org/model", False), ("/weights", False)],
)
def test_what_runs_elsewhere(name: str, elsewhere: bool) -> None:
    assert runs_elsewhere(name) is elsewhere


def test_an_llm_alone_is_told() -> None:
    from whichpic.cli.chat import opened_chat

    with pytest.raises(ChatError, match="--llm is a second model"):
        opened_chat("none", llm="ollama:x")
