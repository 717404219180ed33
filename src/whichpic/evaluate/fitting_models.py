"""What a model's part in the belief should weigh: its looks at pictures, and its rewritten sentence. Called by fitting.

Both enter the log belief linearly, so the likelihood of the targets is computed exactly along a grid of weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.belief import believe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.dialogue.events import Record
    from whichpic.evaluate.replaying import Heard
    from whichpic.search.gallery import Gallery

    Doubles = NDArray[np.float64]

LOOKS = np.round(np.linspace(0, 3, 61), 3)
"""Weights of looks that are tried."""
SHARES = np.round(np.linspace(0, 1, 21), 3)
"""Shares of the rewritten sentence that are tried."""
_LEAN = 2.0
"""Nats that a step of one away from the value of before costs: a few dialogues do not overturn it."""


def fit_models(gallery: Gallery, dialogues: Sequence[Heard], start: BeliefSettings) -> BeliefSettings:
    """`rerank` and the rewriter's share of `alphas` that make the targets most probable, where dialogues have notes.

    What is maximised is the mean over a dialogue's turns of log p(target), summed over dialogues. Without notes of a kind
    its weight stays as it was.
    """
    looked, rewritten = (np.zeros(len(grid)) for grid in (LOOKS, SHARES))
    looks = sentences = 0
    for dialogue in dialogues:
        target = gallery.positions[dialogue.target]
        seen: list[Doubles] = []
        heard: list[Doubles] = []
        for records in _states(dialogue):
            now, kinds = _likelihoods(gallery, records, start, target)
            seen += [now[0]] if kinds[0] else []
            heard += [now[1]] if kinds[1] else []
        if seen:
            looks, looked = looks + 1, looked + np.mean(seen, axis=0)
        if heard:
            sentences, rewritten = sentences + 1, rewritten + np.mean(heard, axis=0)
    settings = start
    if looks:
        lean = _LEAN * (LOOKS - start.rerank) ** 2
        settings = replace(settings, rerank=float(LOOKS[int((looked - lean).argmax())]))
    if sentences and start.rewriter in start.alphas:
        lean = _LEAN * (SHARES - start.alphas[start.rewriter]) ** 2
        share = float(SHARES[int((rewritten - lean).argmax())])
        settings = replace(settings, alphas={**settings.alphas, start.rewriter: share})
    return settings


def _states(dialogue: Heard) -> Iterator[list[Record]]:
    """The records after each turn that has a note of a model, or comes after one."""
    records: list[Record] = []
    noted = False
    for turn in range(len(dialogue.turns)):
        records += dialogue.records(turn, start=len(records))
        noted = noted or (bool(records) and records[-1].noted is not None)
        if noted:
            yield list(records)


def _likelihoods(
    gallery: Gallery, records: Sequence[Record], start: BeliefSettings, target: int
) -> tuple[tuple[Doubles, Doubles], tuple[bool, bool]]:
    """log p(target) along both grids, and whether there is anything that each of them weighs."""
    at_one = replace(start, rerank=1.0)
    belief = believe(gallery, records, at_one)
    look = sum((part.values for part in belief.parts if part.kind == "looked at"), np.zeros(gallery.n))
    rest = belief.log - look
    along = np.array([_log_p(rest + weight * look, target) for weight in LOOKS]) if look.any() else np.zeros(len(LOOKS))
    if start.rewriter not in start.alphas or not any(part.kind == "together" for part in belief.parts):
        return (along, np.zeros(len(SHARES))), (bool(look.any()), False)
    with_none, with_all = (
        believe(gallery, records, replace(start, alphas={**start.alphas, start.rewriter: share})).log
        for share in (1e-9, 1.0)
    )
    shares = np.array([_log_p((1 - share) * with_none + share * with_all, target) for share in SHARES])
    return (along, shares), (bool(look.any()), True)


def _log_p(log: Doubles, target: int) -> float:
    most = float(log.max())
    return float(log[target] - most - np.log(np.exp(log - most).sum()))
