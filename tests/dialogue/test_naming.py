"""Questions that invite a few words: what is proposed, what a name would tell, and what replies mean."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import gallery
from whichpic.dialogue import BeliefSettings, Question, Said, Session, believe
from whichpic.dialogue.asking import facts
from whichpic.dialogue.choosing import eig, information_gain
from whichpic.dialogue.events import Answered, Record
from whichpic.dialogue.likelihood import OTHER, answer_likelihood
from whichpic.dialogue.naming import OPEN, nameable, naming_likelihood
from whichpic.dialogue.phrases import ask, read

ALBUM = gallery(200)
SETTINGS = BeliefSettings()
ALL = np.arange(200)
ALIKE = np.full(200, 1 / 200)


def opened(attribute: str = "else", *names: str, language: str = "en") -> Question:
    return ask(attribute, (*names, OTHER), language=language, source="names")


def test_a_name_is_likelier_of_a_picture_that_holds_the_thing() -> None:
    p = naming_likelihood(ALBUM, ["dog", "cat"], SETTINGS, ALL)
    there = ALBUM.facts.thing("dog") > 0.5
    assert p.shape == (200, 3) and p.sum(axis=1) == pytest.approx(1)
    assert p[there, 0].mean() > 2 * p[~there, 0].mean()


def test_things_whose_naming_tells_most_come_first_and_none_that_was_said() -> None:
    names = nameable(ALBUM, ALL, ALIKE, 3)
    shares = [float(ALBUM.facts.thing(name).mean()) for name in names]
    gains = [-share * np.log(share) for share in shares]
    assert len(names) == 3 and gains == sorted(gains, reverse=True)
    assert names[0] not in nameable(ALBUM, ALL, ALIKE, 3, frozenset(names[:1]))


def test_the_gain_of_an_open_question_is_that_of_many_names_discounted() -> None:
    belief = believe(ALBUM, [], SETTINGS)
    names = nameable(ALBUM, ALL, ALIKE, 16)
    gain = information_gain(ALIKE, naming_likelihood(ALBUM, names, SETTINGS, ALL))
    asked = [opened("else", "dog"), opened("detail", "dog")]
    expected = [SETTINGS.answerable["else"] * gain, SETTINGS.answerable["detail"] * gain]
    assert eig(ALBUM, belief, asked, SETTINGS) == pytest.approx(expected)
    fewer = information_gain(ALIKE, answer_likelihood(ALBUM, asked[0], SETTINGS))
    assert gain > fewer > 0  # its one option is worth less than all that could be said


def test_each_open_question_is_asked_once_and_its_replies_are_heard() -> None:
    session = Session(ALBUM, asker="facts", choose_by="first")
    session.say("red")
    first = session.question
    assert first is not None and first.attribute == "else" and first.source == "names"
    session.answer("a boat on the grass")
    answered = [event for event in session.events if isinstance(event, Answered)]
    assert [event.words for event in answered] == ["a boat on the grass"]
    assert session.events[-1] == Said.of("a boat on the grass")
    assert session.question is not None and session.question.attribute != "else"


def test_where_something_was_spoken_of_it_is_asked_what_is_around_it() -> None:
    def texts(said: str, language: str = "en") -> list[str]:
        records = [Record(0, Said.of(said))]
        return [
            q.text for q in facts(ALBUM, believe(ALBUM, records, SETTINGS), records, language) if q.source == "names"
        ]

    assert texts("a dog") == [
        "What else is in it? A few words will do.",
        "What is around the dog?",
        "What can be seen in the background?",
        "What other detail do you remember?",
    ]
    assert len(texts("something red")) == len(OPEN) - 1
    assert texts("一只狗", "zh")[:2] == ["图里还有什么？说几个词就行。", "狗的周围有什么？"]


@pytest.mark.parametrize(
    ("words", "option", "rest"),
    [
        ("a dog", 0, ""),
        ("一只狗", 0, ""),
        ("a brown dog on a chair", None, "a brown dog on a chair"),
        ("a blue door", 2, "a blue door"),
        ("nothing else", 2, ""),
        ("没有", 2, ""),
        ("没别的了", 2, ""),
    ],
)
def test_a_bare_name_is_an_option_and_all_else_is_heard_as_words(words: str, option: int | None, rest: str) -> None:
    reading = read(opened("else", "dog", "cat"), words)
    assert (reading.option, reading.rest) == (option, rest)


def test_who_said_a_phone_is_not_asked_for_a_mobile_phone() -> None:
    from whichpic.dialogue.sifting import settled
    from whichpic.words import vocabulary

    narrower = vocabulary().descendants("phone")
    assert narrower and set(narrower) <= settled([Record(0, Said.of("a phone"))])
    assert "dog" not in settled([Record(0, Said.of("an animal"))])
