"""The wording of questions, and how free-word answers are read."""

from __future__ import annotations

import pytest

from whichpic.dialogue.phrases import Reading, article, ask, read


@pytest.mark.parametrize(
    ("name", "with_article"),
    [("dog", "a dog"), ("umbrella", "an umbrella"), ("unicycle", "a unicycle"), ("scissors", "scissors"),
     ("food", "food"), ("bus", "a bus"), ("glass", "a glass"), ("sports equipment", "sports equipment")],
)  # fmt: skip
def test_articles(name: str, with_article: str) -> None:
    assert article(name) == with_article


def test_questions_in_both_languages() -> None:
    assert ask("thing", ("yes", "no"), about="dog", language="en").text == "Does it show a dog?"
    chinese = ask("thing", ("yes", "no"), about="dog", language="zh")
    assert chinese.text == "图里有狗吗？" and [option.text for option in chinese.options] == ["有", "没有"]


PEOPLE = ask("people", ("none", "one", "two", "several"), language="en")
COUNT = ask("count", ("1", "2", "3+"), about="dog", language="en")
COLOUR = ask("colour", ("red", "blue", "other"), language="en")
THING = ask("thing", ("yes", "no"), about="dog", language="en")


@pytest.mark.parametrize(
    ("question", "words", "reading"),
    [
        (PEOPLE, "two", Reading(option=2)),
        (PEOPLE, "there was nobody", Reading(option=0)),
        (PEOPLE, "5", Reading(option=3)),
        (PEOPLE, "很多", Reading(option=3)),
        (COUNT, "one", Reading(option=0)),
        (COUNT, "4", Reading(option=2)),
        (COLOUR, "it is blue", Reading(option=1)),
        (COLOUR, "蓝色", Reading(option=1)),
        (COLOUR, "something else", Reading(option=2)),
        (COLOUR, "hard to say, it glitters", Reading(rest="hard to say, it glitters")),
        (THING, "yes", Reading(option=0)),
        (THING, "yes there is", Reading(option=0)),
        (THING, "no, a cat", Reading(option=1, rest="a cat")),
        (THING, "没有", Reading(option=1)),
        (THING, "a dog", Reading(option=0)),
        (THING, "no dog", Reading(option=1)),
        (THING, "it is a brown house by the sea", Reading(rest="it is a brown house by the sea")),
        (THING, "not sure", Reading(unsure=True)),
        (THING, "", Reading(unsure=True)),
    ],
)
def test_free_words_are_read(question, words: str, reading: Reading) -> None:  # type: ignore[no-untyped-def]
    assert read(question, words) == reading
