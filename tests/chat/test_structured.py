"""Objects out of what models write, and choices out of what they say."""

from __future__ import annotations

import math

import pytest
from pydantic import BaseModel, Field

from whichpic.chat import Message
from whichpic.chat.scripted import Scripted
from whichpic.chat.structured import chosen, cleaned, distinct, mass_of, parse, spellings, with_schema
from whichpic.errors import ChatError


class Asked(BaseModel):
    """What an asker wants."""

    question: str = Field(max_length=40)
    options: list[str] = []


@pytest.mark.parametrize(
    "text",
    [
        '{"question": "Is it red?"}',
        'Sure!\n```json\n{"question": "Is it red?"}\n```\nAnything else?',
        'I think {this} is it: {"a": 1} or {"question": "Is it red?"}',
        '{"question": "Is it red?"} {"question": "no"}',
    ],
)
def test_the_object_is_found_among_words(text: str) -> None:
    assert parse(text, Asked).question == "Is it red?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no", "not json"),
        ("{" * 50_000, "not json"),
        ('{"question": "' + "x" * 41 + '"}', "schema"),
        ('{"question": 3}', "schema"),
        ("[1]", "not json"),
        ("", "not json"),
    ],
)
def test_what_is_none_is_told_in_a_line(text: str, reason: str) -> None:
    with pytest.raises(ChatError) as error:
        parse(text, Asked)
    assert error.value.reason == reason and len(str(error.value)) < 200


def test_one_repair_that_says_what_is_wrong_in_the_language_of_the_question() -> None:
    chat = Scripted(["no", '{"question": "红的吗？"}'])
    (reply,) = chat.complete([Message("user", "问一个问题")], schema=Asked)
    assert reply.repaired and reply.value.question == "红的吗？"
    assert chat.asked[1][-1].text.startswith("这不符合要求") and '"question"' in chat.asked[1][-1].text
    with pytest.raises(ChatError):
        Scripted(["no", "never"]).complete([Message("user", "ask")], schema=Asked)


def test_the_schema_in_words_stands_after_the_question() -> None:
    told = with_schema([Message("system", "s"), Message("user", "Ask $5 for it", (b"x",))], Asked)
    assert told[0].text == "s" and told[1].pictures == (b"x",)
    assert told[1].text.startswith("Ask $5 for it\n") and '"options"' in told[1].text


def test_control_signs_that_json_spells_out_are_taken_out() -> None:
    """A terminal would obey them, and half a character (a lone surrogate) cannot be written to a file."""
    found = parse(r'{"question": "a\u001b[31m \u202eb\ud800\tc", "options": ["\u0000d"]}', Asked)
    assert found == Asked(question="a[31m b\tc", options=["d"])


def test_control_signs_and_thoughts_are_taken_out() -> None:
    assert cleaned("<think>a\nb</think>\n\n  yes\x07\u202e\n") == "yes"
    assert len(cleaned("x" * 10**6)) == 200_000


@pytest.mark.parametrize(
    ("said", "column"),
    [("Yes.", 0), ("no, it is not", 1), ("Not sure", 2), ('"yes"', 0), ("**No**", 1), ("nothing", None), ("", None)],
)
def test_a_choice_is_the_word_that_a_reply_begins_with(said: str, column: int | None) -> None:
    found = chosen([said], ["yes", "no", "not sure"])
    assert not found.exact and found.mass[0].tolist() == [float(k == column) for k in range(3)]


def test_chinese_choices_need_no_blank_behind_them() -> None:
    assert chosen(["是的，红色", "不是"], ["是", ("不是", "不")]).mass.tolist() == [[1, 0], [0, 1]]


def test_the_mass_of_a_choice_is_that_of_its_spellings() -> None:
    top = [
        ("Yes", math.log(0.4)),
        (" yes", math.log(0.2)),
        ("▁YES", math.log(0.1)),
        ("no", math.log(0.2)),
        ("The", -3.0),
    ]
    mass, unclear = mass_of(top, ["yes", "no"])
    assert mass == pytest.approx([0.7, 0.2]) and unclear == 0
    # A token may be the beginning of a choice; one that begins two of them tells nothing.
    mass, unclear = mass_of([("um", -0.1), ("b", -3.0), ("N", -2.0)], ["umbrella", "boat", "bird"])
    assert mass == pytest.approx([math.exp(-0.1), 0, 0]) and unclear == pytest.approx(math.exp(-3))
    assert mass_of([("yes", math.nan), ("no", 5.0)], ["yes", "no"]) == ([0, 0], 0)


def test_words_that_begin_alike_are_not_distinct() -> None:
    assert distinct(["yes", "no", "not sure"]) and not distinct(["red car", "red bus"])
    assert "Yes" in spellings("yes") and "Y" in spellings(("yes", "y"))
