"""Fitting the belief: dialogues as events, slopes that are right, constants that are found again, halves kept apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support import gallery
from whichpic.dialogue import Answered, BeliefSettings, Option, Question, Said, believe
from whichpic.dialogue.constants import read_belief
from whichpic.dialogue.events import Event, Record
from whichpic.dialogue.likelihood import NO, YES
from whichpic.errors import QueryError, SessionError
from whichpic.evaluate import fitting
from whichpic.evaluate.fitting import changed, cross_fitted, fit_texts, fitted, gather, none_fits
from whichpic.evaluate.fitting_answers import fit_answers
from whichpic.evaluate.metrics import recall_at
from whichpic.evaluate.replaying import Heard, halves, read_heard, replay
from whichpic.search.gallery import Gallery
from whichpic.simulate.dialogues import Dialogue, Turn, write_dialogues

pytest.importorskip("scipy", reason="fitting needs the extra lab")

WORDS = (
    "kite",
    "harbour",
    "lemon",
    "bridge",
    "violin",
    "snow",
    "clock",
    "ferry",
    "cactus",
    "lantern",
    "tulip",
    "anchor",
)
DOG = Question("Does it show a dog?", (Option(YES, "yes"), Option(NO, "no")), "thing", "dog")


def spoken(n: int = 60, seed: int = 0) -> tuple[Gallery, list[Heard]]:
    """Pictures with three words each; dialogues say one of them, and reply with another or with one that is wrong."""
    draw = np.random.default_rng(seed)
    told = [draw.choice(WORDS, 3, replace=False).tolist() for _ in range(n)]
    album = gallery(n, captions=[f"a {a} and a {b} by the {c}" for a, b, c in told])
    heard = []
    for picture, (first, second, _) in zip(album.ids, told, strict=True):
        reply = second if draw.random() < 0.6 else str(draw.choice(WORDS))
        turns: list[tuple[Event, ...]] = [(Said.of(f"a {first}"),)]
        turns.append((Said.of(reply, asked="What else is there?"),))
        turns.append((Said.of(str(draw.choice(WORDS)), asked="What is in the corner?"),))
        heard.append(Heard(picture, picture, tuple(turns)))
    return album, heard


def test_the_slope_is_the_slope() -> None:
    album, heard = spoken(40)
    start = replace(BeliefSettings(), weights={"text_words": 0.4, "pictures": 0.1}, reply_weights={"text_words": 0.2})
    objective = fitting._Objective(gather(album, heard, start), start, harm=2.0)
    theta = objective.start + np.random.default_rng(1).normal(0, 0.1, len(objective.start))
    _, slope = objective(theta)
    for at in np.flatnonzero(objective.free):
        step = np.zeros_like(theta)
        step[at] = 1e-4
        by_hand = (objective(theta + step)[0] - objective(theta - step)[0]) / 2e-4
        assert slope[at] == pytest.approx(by_hand, rel=2e-3, abs=2e-4), at


def test_what_tells_gets_weight_and_what_does_not_gets_little() -> None:
    album, heard = spoken(120)
    start = replace(BeliefSettings(), weights={"pictures": 0.5, "text_words": 0.5}, reply_weights={"text_words": 0.5})
    found = fit_texts(album, heard, start)
    assert found.weights["text_words"] > 2 * abs(found.weights["pictures"])
    assert found.weights["text_words"] > found.reply_weights["text_words"]
    assert found.kappa == start.kappa  # nobody said two sentences of their own
    assert found.eps == start.eps


def test_the_90_percent_set_holds_nine_in_ten_of_what_it_was_fitted_on() -> None:
    album, heard = spoken(200)
    found = fit_texts(album, heard, BeliefSettings())
    run = replay(album, heard, found)
    assert run.in_set is not None
    assert run.in_set[:, 0].mean() == pytest.approx(0.9, abs=0.04)
    assert run.in_set[:, 1:].mean() == pytest.approx(0.9, abs=0.04)


def test_the_halves_share_no_picture_and_every_dialogue_is_read_by_constants_that_never_saw_it() -> None:
    album, heard = spoken(60)
    twice = heard + [replace(each, id=f"{each.id}-2") for each in heard]
    first, second = halves(twice)
    assert not {each.target for each in first} & {each.target for each in second}
    assert len(first) + len(second) == len(twice)
    run = cross_fitted(album, heard, BeliefSettings(), what="texts")
    by_hand: dict[str, list[int]] = {}
    for learn, read in (halves(heard), halves(heard)[::-1]):
        settings = fitted(album, learn, BeliefSettings(), what="texts")
        by_hand |= {each.id: replay(album, [each], settings).ranks.better[0].tolist() for each in read}
    assert run.ranks.better.tolist() == [by_hand[each.id] for each in heard]


def test_a_replay_is_what_the_belief_says_turn_by_turn() -> None:
    album, heard = spoken(30)
    run = replay(album, heard[:3], BeliefSettings())
    records = [Record(k, event) for k, turn in enumerate(heard[1].turns[:2]) for event in turn]
    belief = believe(album, records, BeliefSettings())
    target = album.positions[heard[1].target]
    assert run.ranks.better[1, 1] == (belief.log > belief.log[target]).sum()
    assert run.confidence is not None and run.confidence[1, 1] == pytest.approx(float(belief.p.max()))
    assert run.fits is not None and run.fits[1, 1] == pytest.approx(belief.fits)
    assert run.fits_absent is not None and run.fits_absent.mean() < run.fits.mean() + 0.1
    assert recall_at(run.ranks.rank(), 30)[0] == 1.0


def test_how_often_people_err_and_cannot_answer_is_read_off_their_answers() -> None:
    album = gallery(200)
    draw = np.random.default_rng(0)
    heard = []
    for picture in album.ids:
        there = any(fact.value == "dog" for fact in album.facts_of(picture))
        wrong = draw.random() < 0.3
        option = None if draw.random() < 0.4 else int(there == wrong)
        heard.append(Heard(picture, picture, ((Said.of("a picture"),), (Answered(DOG, option),))))
    sure = replace(BeliefSettings(), silent=0.0, certain=1.0)
    found = fit_answers(album, heard, sure)
    assert found.eps["facts"] == pytest.approx(0.5, abs=0.15)  # of two options chance is right half of the time
    assert found.answerable["thing"] == pytest.approx(0.6, abs=0.08)
    assert found.eps["pick"] == sure.eps["pick"]


def test_nothing_fits_is_only_told_where_it_can_be_told() -> None:
    draw = np.random.default_rng(0)
    present, absent = draw.normal(5, 1, (300, 2)), draw.normal(2, 1, (300, 2))
    told = none_fits(present, absent)
    assert min(told["auroc"]) > 0.9
    assert (present < told["threshold"]).mean() == pytest.approx(0.05, abs=0.02)
    assert told["told_when_absent"] > 0.5
    assert none_fits(present, present - 0.1)["threshold"] is None


def test_a_recorded_turn_is_a_question_with_its_reply_or_a_sentence() -> None:
    assert Said.recorded("What colour is it? red") == Said.of("red", asked="What colour is it?")
    assert Said.recorded("公交车是什么颜色？ 红色") == Said.of("红色", asked="公交车是什么颜色？")
    assert Said.recorded("a red bus") == Said.of("a red bus")
    assert Said.recorded("is it red?") == Said.of("is it red?")


def test_our_own_dialogues_are_read_with_their_answers(tmp_path: Path) -> None:
    album = gallery(30)
    question = {"text": DOG.text, "options": [{"value": YES, "text": "yes"}, {"value": NO, "text": "no"}],
                "attribute": "thing", "about": "dog"}  # fmt: skip
    turns = (Turn("said", "a dog"), Turn("answered", "Does it show a dog? yes: brown", question, 0, "brown"))
    path = tmp_path / "dialogues.jsonl"
    write_dialogues(path, {"name": "x", "pictures": 30}, [Dialogue("one", album.ids[4], turns)])
    (heard,) = read_heard(path, album)
    assert heard.turns == ((Said.of("a dog"),), (Answered(DOG, 0, "brown"), Said.of("brown")))
    with pytest.raises(QueryError, match="no dialogue is about a picture"):
        read_heard(path, gallery(3))


def test_too_little_is_said_so() -> None:
    album, heard = spoken(30)
    with pytest.raises(QueryError, match="too few"):
        fit_texts(album, heard[:5], BeliefSettings())
    with pytest.raises(QueryError, match="texts, answers, models and both"):
        fitted(album, heard, BeliefSettings(), what="everything")


def test_a_file_of_constants_is_read_again_and_a_strange_one_refused(tmp_path: Path) -> None:
    found = replace(BeliefSettings(), beta=1.25, eps={**BeliefSettings().eps, "facts": 0.11})
    path = tmp_path / "belief.json"
    path.write_text(json.dumps({"settings": changed(BeliefSettings(), found), "provenance": {"n": 1}}))
    assert read_belief(path) == found
    for text in ("[1]", '{"settings": 3}', "not json", '{"settings": {"betta": 1}}', '{"beta": "x"}', '{"beta": {}}'):
        path.write_text(text)
        with pytest.raises(SessionError):
            read_belief(path)
