"""How often answers are wrong, and how often people can answer: from answers whose target is known. Called by fitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.events import Answered
from whichpic.dialogue.likelihood import answer_likelihood

if TYPE_CHECKING:
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.evaluate.replaying import Heard
    from whichpic.search.gallery import Gallery


def fit_answers(gallery: Gallery, dialogues: Sequence[Heard], start: BeliefSettings) -> BeliefSettings:
    """eps of each source, and P(user can answer) of each attribute, from answers whose target is known.

    eps maximises the likelihood of the options that were chosen; both lean on `start` by 20 answers, so that a few do
    not overturn it.
    """
    answered = [
        (event, gallery.positions[dialogue.target])
        for dialogue in dialogues
        for turn in dialogue.turns
        for event in turn
        if isinstance(event, Answered)
    ]
    eps, answerable = dict(start.eps), dict(start.answerable)
    sure = replace(start, eps=dict.fromkeys(start.eps, 0.0))
    for source in {event.question.source for event, _ in answered}:
        chosen = [
            (event, target)
            for event, target in answered
            if event.question.source == source and event.option is not None
        ]
        told = [_told(gallery, event, target, sure) for event, target in chosen]
        if told:
            eps[source] = _error_rate(told, eps.get(source, 0.2))
    for attribute in {_attribute(event) for event, _ in answered}:
        known = [event.option is not None for event, _ in answered if _attribute(event) == attribute]
        answerable[attribute] = round((sum(known) + 20 * answerable.get(attribute, 0.5)) / (len(known) + 20), 3)
    return replace(start, eps=eps, answerable=answerable)


def _attribute(event: Answered) -> str:
    return event.question.attribute.partition(" of ")[0]


def _told(gallery: Gallery, event: Answered, target: int, sure: BeliefSettings) -> tuple[float, int]:
    p = answer_likelihood(gallery, event.question, sure, np.array([target], dtype=np.int64))
    return float(p[0, event.option]), len(event.question.options)


def _error_rate(told: Sequence[tuple[float, int]], before: float) -> float:
    grid = np.linspace(0.005, 0.9, 180)
    p, options = np.array([p for p, _ in told])[:, None], np.array([n for _, n in told])[:, None]
    gained = np.log((1 - grid) * p + grid / options).sum(axis=0)
    gained += 20 * (before * np.log(grid) + (1 - before) * np.log(1 - grid))
    return round(float(grid[gained.argmax()]), 3)
