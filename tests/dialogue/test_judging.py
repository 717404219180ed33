"""What a model makes of single pictures: whether they fit, and what each would answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

from tests.support import drawn, gallery
from whichpic.chat.base import Message
from whichpic.chat.scripted import Scripted
from whichpic.dialogue import Answered, BeliefSettings, Question, Said, believe
from whichpic.dialogue.choosing import eig
from whichpic.dialogue.events import Record, from_json, to_json
from whichpic.dialogue.judging import answer_tables, in_words, rerank, shown, unsettled
from whichpic.dialogue.likelihood import OTHER, answer_likelihood
from whichpic.dialogue.phrases import proposed
from whichpic.errors import AlbumError, ChatError, ChatPending

ALBUM = gallery(200)
SETTINGS = BeliefSettings()
BELIEF = believe(ALBUM, [Record(0, Said.of("red"))], SETTINGS)
RED, GREEN, BLUE = 0, 1, 2  # positions of pictures of these colours

COLOUR = proposed(
    "What colour is the wall?",
    [("red", "a red wall"), ("green", "a green wall"), ("blue", "a blue wall")],
    asker="pictures",
)


def opened(picture: str) -> Image.Image:
    colours = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "brown", "black", "white")
    return drawn(colours[ALBUM.positions[picture] % 10])


def colour_of(messages: Sequence[Message]) -> str:
    """What a model that sees would see: the colour of the one picture in the conversation."""
    (picture,) = [picture for message in messages for picture in message.pictures]
    assert isinstance(picture, Image.Image)
    r, g, b = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    return "red" if r > 1.5 * max(g, b) else "green" if g > max(r, b) else "blue"


def sees(answers: Callable[[str], str]) -> Scripted:
    return Scripted(lambda messages: answers(colour_of(messages)))


def test_each_picture_is_asked_about_by_itself() -> None:
    chat = sees(lambda colour: "Yes." if colour == "red" else "no")
    found = rerank(ALBUM, chat, "a red wall", [RED, GREEN, RED + 10], pictures=opened)
    assert found == [(ALBUM.ids[RED], 0.9), (ALBUM.ids[GREEN], pytest.approx(0.1)), (ALBUM.ids[RED + 10], 0.9)]
    assert len(chat.asked) == 3 and '"a red wall"' in chat.asked[0][-1].text


def test_what_says_neither_and_what_cannot_be_opened_is_left_out() -> None:
    def some(picture: str) -> Image.Image:
        if picture == ALBUM.ids[BLUE]:
            raise AlbumError("it is no longer there")
        return opened(picture)

    chat = sees(lambda colour: {"red": "yes", "green": "I am not able to say"}[colour])
    assert rerank(ALBUM, chat, "a wall", [RED, GREEN, BLUE], pictures=some) == [(ALBUM.ids[RED], 0.9)]


def test_what_the_deadline_leaves_no_time_for_is_left_out() -> None:
    def slow(messages: Sequence[Message]) -> str:
        time.sleep(0.1)
        return "yes"

    found = rerank(ALBUM, Scripted(slow), "a wall", range(50), pictures=opened, deadline=0.35)
    assert 1 <= len(found) < 10
    with pytest.raises(ChatError, match="longer than this turn waits"):
        rerank(ALBUM, Scripted(slow), "a wall", range(3), pictures=opened, deadline=0.0)


def test_a_fault_goes_up_and_the_others_are_not_asked() -> None:
    chat = Scripted([ChatError("server", "the server failed"), "yes", "yes"])
    with pytest.raises(ChatError, match="the server failed"):
        rerank(ALBUM, chat, "a wall", [RED, GREEN, BLUE], pictures=opened)
    assert len(chat.asked) == 1


def test_a_batch_gets_all_requests_before_the_work_stops() -> None:
    chat = Scripted([ChatPending("in a file"), ChatPending("in a file"), "yes"])
    with pytest.raises(ChatPending):
        rerank(ALBUM, chat, "a wall", [RED, GREEN, BLUE], pictures=opened)
    assert len(chat.asked) == 3


def test_who_cannot_see_reads_captions_or_facts() -> None:
    told = gallery(30, captions=["a dog on a red sofa"])
    chat = Scripted(["yes"])
    chat.can_see = False
    assert rerank(told, chat, "a sofa", [0], pictures=opened) == [(told.ids[0], 0.9)]
    assert '"a dog on a red sofa"' in chat.asked[0][1].text
    assert not any(message.pictures for message in chat.asked[0])
    assert shown(ALBUM, "unknown", chat, None, "en") is None


def test_facts_are_told_as_people_say_them() -> None:
    from whichpic.encoders.toy import Toy
    from whichpic.search import Exact, Gallery
    from whichpic.types import Fact, Picture

    facts = {
        "a": (
            Fact("object", "dog", 0.9, "test", {"count": 2}),
            Fact("label", "corgi", 0.8, "test"),
            Fact("object", "umbrella", 0.7, "test"),
            Fact("object", "cat", 0.2, "test"),
            Fact("people", "none", 0.9, "test"),
            Fact("place", "outdoors", 0.9, "test"),
        )
    }
    album = Gallery([Picture("a")], Toy(), index=Exact(np.eye(1, 64, dtype=np.float32)), facts=facts)
    assert in_words(album, "a") == "a corgi, an umbrella, nobody in it, outdoors"
    assert in_words(album, "a", "zh") == "柯基, 雨伞, 没有人, 室外"
    assert in_words(album, "b") == ""


def test_the_model_answers_its_own_questions_on_the_best_candidates() -> None:
    chat = sees(lambda colour: {"red": "A", "green": "B", "blue": "C"}[colour])
    others = [proposed(f"How many {name} are there?", [("one", f"one {name}"), ("two", f"two {name}s")], asker="pictures")
              for name in ("dog", "cat", "car")]  # fmt: skip
    judged = answer_tables(ALBUM, BELIEF, [COLOUR, *others], chat, pictures=opened, candidates=12)
    assert [question.source for question in judged] == ["chat", "chat", "chat", "encoder"]
    assert [picture for picture, _ in judged[0].told] == [ALBUM.ids[row] for row in BELIEF.best(12)]
    assert judged[0].told[0] == (ALBUM.ids[BELIEF.best(1)[0]], (1.0, 0.0, 0.0, 0.0))
    assert len(chat.asked) == 36 and 'A. "red"\nB. "green"' in chat.asked[0][-1].text


def test_a_model_that_fails_to_answer_costs_only_that() -> None:
    chat = Scripted([ChatError("timeout", "too slow")])
    assert answer_tables(ALBUM, BELIEF, [COLOUR], chat, pictures=opened) == [COLOUR]
    assert answer_tables(ALBUM, BELIEF, [COLOUR], chat, pictures=opened, deadline=-1.0) == [COLOUR]
    assert answer_tables(ALBUM, BELIEF, [], chat, pictures=opened) == []


def told_of(*rows: tuple[int, tuple[float, ...]]) -> Question:
    from dataclasses import replace

    return replace(COLOUR, source="chat", told=tuple((ALBUM.ids[row], p) for row, p in rows))


def test_what_the_model_judged_counts_and_the_rest_is_the_encoders() -> None:
    question = told_of((RED, (0.0, 1.0, 0.0, 0.0)), (GREEN, (1.0, 0.0)))
    p = answer_likelihood(ALBUM, question, SETTINGS)
    eps = SETTINGS.eps["chat"]
    assert p[RED] == pytest.approx([eps / 4, 1 - eps + eps / 4, eps / 4, eps / 4])
    by_encoder = answer_likelihood(ALBUM, COLOUR, SETTINGS)
    # A table that was made for other options counts for nothing.
    assert np.allclose(np.delete(p, RED, axis=0), np.delete(by_encoder, RED, axis=0), atol=1e-6)
    some = np.array([GREEN, RED, 7], dtype=np.int64)
    assert np.array_equal(answer_likelihood(ALBUM, question, SETTINGS, some), p[some])


def test_the_encoder_tells_options_apart_by_what_they_say() -> None:
    p = answer_likelihood(ALBUM, COLOUR, SETTINGS)
    assert [int(p[row].argmax()) for row in (RED, GREEN, BLUE)] == [0, 1, 2]
    assert COLOUR.options[int(p[3].argmax())].value == OTHER  # a yellow one
    assert p.sum(axis=1) == pytest.approx(1)


def test_a_no_is_the_opposite_of_its_yes() -> None:
    asked = proposed("Is there a red wall?", [("yes", "a red wall"), ("no", "no")], asker="captions")
    p = answer_likelihood(ALBUM, asked, SETTINGS)
    others = np.delete(p[:, 0], np.s_[::10])
    assert p[::10, 0].mean() > 0.6 > 0.2 > others.mean()
    denied = proposed("Who is there?", [("a dog", "a dog"), ("nobody", "no dog, nobody")], asker="captions")
    captions = ["a dog"] * 20 + ["a car"] * 20
    told = answer_likelihood(gallery(40, captions=captions), denied, SETTINGS)
    assert told[0, 0] > told[0, 1] and told[30, 1] > told[30, 0]


def test_captions_count_where_no_picture_vector_tells() -> None:
    asked = proposed(
        "What is it doing?", [("sleeping", "a dog sleeping"), ("running", "a dog running")], asker="captions"
    )
    album = gallery(40, captions=["a dog sleeping", "a dog running"] * 20)
    p = answer_likelihood(album, asked, SETTINGS)
    assert p[::2, 0].mean() > p[::2, 1].mean() and p[1::2, 1].mean() > p[1::2, 0].mean()


def test_the_gain_of_a_judged_question_is_the_usual_one() -> None:
    rows = BELIEF.best(12).tolist()
    halves = told_of(
        *((row, (0.97, 0.01, 0.01, 0.01) if k % 2 else (0.01, 0.97, 0.01, 0.01)) for k, row in enumerate(rows))
    )
    alike = told_of(*((row, (0.97, 0.01, 0.01, 0.01)) for row in rows))
    better, worse = eig(ALBUM, BELIEF, [halves, alike], SETTINGS)
    assert better > worse


def test_what_was_judged_is_recorded_with_the_answer() -> None:
    record = Record(1, Answered(told_of((RED, (0.9, 0.1, 0.0, 0.0))), 0), ("a",), "now")
    assert from_json(to_json(record)) == record


def test_questions_that_what_was_said_answers_are_dropped() -> None:
    chat = Scripted(["yes", "uncertain", "no", "well"])
    asked = [COLOUR, *(proposed(f"What is the {name}?", [("old", "old"), ("new", "new")], asker="captions")
                       for name in ("dog", "cat", "car"))]  # fmt: skip
    records = [Record(0, Said.of("a wall that is red"))]
    assert unsettled(asked, records, chat, language="en") == [asked[1], asked[3]]
    assert '"a wall that is red"' in chat.asked[0][1].text
    assert unsettled(asked, records, chat, language="en") == asked  # it has nothing more to say
    assert unsettled(asked, [], chat, language="en") == asked
