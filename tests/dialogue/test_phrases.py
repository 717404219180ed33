"""The wording of questions and options, in English and Chinese."""

from __future__ import annotations

import pytest

from whichpic.dialogue.events import Question
from whichpic.dialogue.phrases import article, ask, plural


def zh(attribute: str, *values: str, about: str = "") -> Question:
    return ask(attribute, values, about=about, language="zh")


def texts(question: Question) -> list[str]:
    return [option.text for option in question.options]


@pytest.mark.parametrize(
    ("name", "with_article"),
    [("dog", "a dog"), ("umbrella", "an umbrella"), ("unicycle", "a unicycle"), ("scissors", "scissors"),
     ("food", "food"), ("bus", "a bus"), ("glass", "a glass"), ("sports equipment", "sports equipment"), ("skis", "skis"),
     ("sea", "the sea"), ("ear of corn", "an ear of corn"), ("hourglass", "an hourglass"), ("coffee pot", "a coffee pot"),
     ("one-piece swimsuit", "a one-piece swimsuit"), ("gas mask", "a gas mask"), ("crane (the bird)", "a crane (the bird)")],
)  # fmt: skip
def test_articles(name: str, with_article: str) -> None:
    assert article(name) == with_article


@pytest.mark.parametrize(
    ("name", "counted"),
    [("dog", "dogs"), ("bench", "benches"), ("knife", "knives"), ("computer mouse", "computer mice"), ("sheep", "sheep"),
     ("skis", "pairs of skis"), ("broccoli", "pieces of broccoli"), ("toy", "toys"), ("strawberry", "strawberries")],
)  # fmt: skip
def test_plurals(name: str, counted: str) -> None:
    assert plural(name) == counted


def test_questions_in_english() -> None:
    def asked(attribute: str, about: str) -> str:
        return ask(attribute, ("yes", "no"), about=about, language="en").text

    assert asked("thing", "dog") == "Does it show a dog?"
    assert asked("thing", "orange fruit") == "Does it show an orange?"
    assert asked("thing", "fire screen") == "Does it show a fireplace?"
    assert asked("count", "person") == "How many people can you see?"
    assert texts(ask("kind", ("person", "food", "other"), language="en")) == ["a person", "food", "something else"]


def test_questions_in_chinese() -> None:
    thing = zh("thing", "yes", "no", about="dog")
    assert thing.text == "图里有狗吗？" and texts(thing) == ["有", "没有"]
    room = zh("thing", "yes", "no", about="kitchen")
    assert room.text == "是在厨房里吗？" and texts(room) == ["是", "不是"]
    assert texts(zh("people", "none", "one", "two", "several")) == ["没有人", "一个", "两个", "三个或更多"]
    assert texts(zh("pick", "id-1", "id-2", "other")) == ["1", "2", "都不像"]


@pytest.mark.parametrize(
    ("about", "text", "first"),
    [("eagle", "图里有几只鹰？", "一只"), ("horse", "图里有几匹马？", "一匹"), ("sports car", "图里有几辆跑车？", "一辆"),
     ("umbrella", "图里有几把雨伞？", "一把"), ("vase", "图里有几个花瓶？", "一个"),
     ("computer mouse", "图里有几个鼠标？", "一个")],
)  # fmt: skip
def test_chinese_counts_with_measure_words(about: str, text: str, first: str) -> None:
    question = zh("count", "1", "2", "3+", about=about)
    assert question.text == text and texts(question)[0] == first
