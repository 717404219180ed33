"""Choosers: which of the proposed questions to ask. Plain functions (gallery, belief, questions, settings) -> scores.

`eig` is the default: expected information gain in nats, discounted by whether the user can answer. `kl`, `random` and
`first` are there to be compared with. Called by session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.belief import said_evidence
from whichpic.dialogue.events import Said
from whichpic.dialogue.likelihood import answer_likelihood
from whichpic.dialogue.naming import NAMES, nameable, naming_likelihood
from whichpic.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.dialogue.events import Question
    from whichpic.search.gallery import Gallery

    Scores = NDArray[np.float64]

CANDIDATES = 500
"""The gain is computed over so many of the most probable pictures."""


def information_gain(weights: Scores, likelihood: NDArray[np.floating]) -> float:
    """Mutual information of answer and picture, in nats: H(sum_i b_i p_i) - sum_i b_i H(p_i), never negative.

    weights: b_i, float [candidates], summing to 1. likelihood: p(answer | i), float [candidates, answers].
    """
    p = likelihood.astype(np.float64)
    gain = _entropy(weights @ p) - float(weights @ _entropy(p))
    return max(0.0, float(gain))


def eig(gallery: Gallery, belief: Belief, questions: Sequence[Question], settings: BeliefSettings) -> Scores:
    """P(user can answer) x information gain over the top candidates, float64 [questions]."""
    rows = belief.best(CANDIDATES)
    weights = belief.p[rows]
    weights = weights / max(weights.sum(), 1e-300)
    # One figure for all open questions: a person answers in words, whatever the options are.
    names = nameable(gallery, rows, weights, NAMES) if any(q.source == "names" for q in questions) else []
    named = information_gain(weights, naming_likelihood(gallery, names, settings, rows)) if names else 0.0
    scores = []
    for question in questions:
        is_open = question.source == "names"
        gain = named if is_open else information_gain(weights, answer_likelihood(gallery, question, settings, rows))
        scores.append(settings.answerable.get(question.attribute.partition(" of ")[0], 0.5) * gain)
    return np.array(scores)


def kl(gallery: Gallery, belief: Belief, questions: Sequence[Question], settings: BeliefSettings) -> Scores:
    """PlugIR's rule: the question that by itself moves the ranking least, as minus KL(p_c || p_{c+q}), [questions].

    p_c is the belief over the candidates, p_{c+q} the belief after the question's own text, as if it were said. Where the
    album has nothing that scores texts, no question moves anything, and the first is asked.
    """
    rows = belief.best(CANDIDATES)
    if not len(rows):
        return np.zeros(len(questions))
    before = belief.log[rows]
    scores = []
    for question in questions:
        evidence, _ = said_evidence(gallery, Said.of(question.text), settings)
        added = 0.0 if evidence is None else settings.beta * evidence[rows].astype(np.float64)
        moved = before + added
        p, q = _normal(before), _normal(moved)
        scores.append(-float((p * (np.log(p + 1e-300) - np.log(q + 1e-300))).sum()))
    return np.array(scores)


def first(gallery: Gallery, belief: Belief, questions: Sequence[Question], settings: BeliefSettings) -> Scores:
    """In the order in which they were proposed."""
    return -np.arange(len(questions), dtype=np.float64)


def random(
    gallery: Gallery, belief: Belief, questions: Sequence[Question], settings: BeliefSettings, *, seed: int = 0
) -> Scores:
    """Uniformly at random, but the same for the same seed and belief."""
    state = int(np.abs(belief.log[belief.best(8)]).sum() * 1e6) % 2**32
    return np.random.default_rng([seed, state]).random(len(questions))


Chooser = Callable[["Gallery", "Belief", "Sequence[Question]", "BeliefSettings"], "Scores"]


def chooser(name: str, *, seed: int = 0) -> Chooser:
    """The chooser of a name; `seed` is for `random` alone. Raises QueryError with the names there are."""
    match name:
        case "eig":
            return eig
        case "kl":
            return kl
        case "first":
            return first
        case "random":
            return partial(random, seed=seed)
    raise QueryError(f"no chooser is called '{name}'; there are eig, kl, first and random")


def _entropy(p: Scores) -> Scores:
    entropy: Scores = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)
    return entropy


def _normal(logs: Scores) -> Scores:
    raised = np.exp(logs - logs.max())
    share: Scores = raised / raised.sum()
    return share


def worth_asking(
    gallery: Gallery, belief: Belief, settings: BeliefSettings, questions: Sequence[Question], *,
    choose_by: str, seed: int, least_gain: float,
) -> list[Question]:  # fmt: skip
    """The questions that are worth asking, best first. least_gain: in nats, for the chooser `eig` alone."""
    if not questions or belief.mask.sum() < 2:
        return []
    scores = chooser(choose_by, seed=seed)(gallery, belief, questions, settings)
    least = least_gain if choose_by == "eig" else -np.inf
    return [questions[i] for i in np.argsort(-scores, kind="stable").tolist() if scores[i] > least]
