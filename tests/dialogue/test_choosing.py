"""Expected information gain: its bounds, and that it prefers questions that tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import gallery
from whichpic.dialogue import BeliefSettings, Option, Question, Said, believe
from whichpic.dialogue.choosing import chooser, eig, information_gain
from whichpic.dialogue.events import Record
from whichpic.dialogue.likelihood import answer_likelihood
from whichpic.dialogue.phrases import proposed
from whichpic.errors import QueryError

ALBUM = gallery(200)
SETTINGS = BeliefSettings()
YES_NO = (Option("yes", "yes"), Option("no", "no"))


def thing(name: str) -> Question:
    return Question(f"Does it show a {name}?", YES_NO, "thing", name)


def test_a_question_that_halves_is_worth_one_bit() -> None:
    likelihood = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=float)
    assert information_gain(np.full(4, 0.25), likelihood) == pytest.approx(np.log(2))


def test_a_known_answer_is_worth_nothing() -> None:
    assert information_gain(np.full(4, 0.25), np.tile([1.0, 0.0], (4, 1))) == 0
    assert information_gain(np.full(4, 0.25), np.tile([0.3, 0.7], (4, 1))) == pytest.approx(0, abs=1e-12)


@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 2**31))
def test_the_gain_is_never_negative_nor_more_than_the_answers_can_carry(n: int, options: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    likelihood = draw.dirichlet(np.ones(options), n)
    gain = information_gain(draw.dirichlet(np.ones(n)), likelihood)
    assert 0 <= gain <= np.log(options) + 1e-9


def test_a_noise_question_scores_below_a_true_one() -> None:
    belief = believe(ALBUM, [Record(0, Said.of("red"))], SETTINGS)
    true, noise = eig(ALBUM, belief, [thing("dog"), thing("giraffe")], SETTINGS)
    assert true > 10 * noise and noise >= 0


def test_what_every_candidate_answers_alike_is_worth_nothing() -> None:
    belief = believe(ALBUM, [], SETTINGS)
    assert eig(ALBUM, belief, [thing("zebra")], SETTINGS)[0] == pytest.approx(0, abs=1e-9)


def test_a_question_that_the_user_cannot_answer_counts_less() -> None:
    belief = believe(ALBUM, [], SETTINGS)
    shy = BeliefSettings(answerable={**SETTINGS.answerable, "thing": 0.1})
    assert eig(ALBUM, belief, [thing("dog")], shy)[0] < eig(ALBUM, belief, [thing("dog")], SETTINGS)[0]


def test_kl_is_that_of_the_ranking_before_and_after_the_question() -> None:
    album = gallery(3, captions=["a dog", "a cat", "a car"])
    plain = BeliefSettings(weights={"text_words": 1.0}, beta=1.0)
    belief = believe(album, [], plain)
    z = (np.array([1.0, 0.0, 0.0]) - 1 / 3) / np.sqrt(2 / 9)  # one caption of three has the word
    moved = np.exp(z) / np.exp(z).sum()
    expected = float((np.log(1 / 3) - np.log(moved)).mean())
    asked = [Question("dog", YES_NO, "asked"), Question("nothing of it", YES_NO, "asked")]
    assert chooser("kl")(album, belief, asked, plain) == pytest.approx([-expected, 0.0], abs=1e-5)


def test_questions_of_models_are_weighed_like_all_others() -> None:
    belief = believe(ALBUM, [], SETTINGS)
    telling = proposed("What colour is it?", [("red", "red"), ("green", "green"), ("blue", "blue")], asker="captions")
    empty = proposed("What is it?", [("this", "zzz"), ("that", "zzz zzz")], asker="captions")
    gains = eig(ALBUM, belief, [telling, empty], SETTINGS)
    assert gains[0] > 2 * gains[1] >= 0
    likelihood = answer_likelihood(ALBUM, telling, SETTINGS)
    assert gains[0] == pytest.approx(SETTINGS.answerable["asked"] * information_gain(belief.p, likelihood))


@pytest.mark.parametrize("name", ["eig", "kl", "first", "random"])
def test_every_chooser_scores_every_question(name: str) -> None:
    belief = believe(ALBUM, [Record(0, Said.of("red"))], SETTINGS)
    model = proposed("What colour is it?", [("red", "a red wall"), ("green", "a green wall")], asker="pictures")
    questions = [thing("dog"), thing("cat"), model]
    scores = chooser(name)(ALBUM, belief, questions, SETTINGS)
    assert scores.shape == (3,) and np.isfinite(scores).all()
    assert np.array_equal(scores, chooser(name)(ALBUM, belief, questions, SETTINGS))


def test_an_unknown_chooser_names_those_there_are() -> None:
    with pytest.raises(QueryError, match="eig, kl, first and random"):
        chooser("best")
