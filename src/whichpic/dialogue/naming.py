"""Open questions ("What else is in it?"): which things a person may name, and what a name would tell. Called by asking,
choosing and likelihood.

A person who looks at picture i names one of the things in it. Thing k is named with probability

    p(k | i) = pi_k r_k(i) / (sum over the things m that are asked about of pi_m r_m(i)  +  1 - sum of pi_m)

pi_k: how often k is named at all, by how much of it there is in the album. r_k(i): how much better than an average
picture the picture i fits the name, by the text evidence that the name would bring if it were said, and by the facts.
docs/asking.md says why, and what the constants were read off.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.wording import wording
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.search.gallery import Gallery
    from whichpic.types import Floats, Rows

    Weights = NDArray[np.float64]

OPEN = ("else", "around", "background", "detail")
"""Attributes whose questions invite a name, in the order in which they are proposed."""
NAMES = 16
"""The gain of an open question is that of naming one of so many things, whether or not they are among its options."""
_NAMED = 0.7
"""Share of the replies that name a thing of which the album's facts know; the rest name something else."""
_SHARP = 1.0
"""Nats per standard deviation of the evidence for a name: a bare name tells less than a sentence."""
_SURE = 0.8
"""What nearly all candidates hold tells them apart no more."""
_CLIP = (-2.5, 6.0)
_TINY = 1e-6


def can_be_asked(name: str) -> bool:
    """Whether most people could say of a picture if this thing is in it."""
    lists = wording()
    for_experts = any(kind in lists.for_experts for kind in vocabulary().ancestors(name))
    return name not in lists.vague and (name in lists.well_known or not for_experts)


def nameable(gallery: Gallery, rows: Rows, weights: Weights, n: int, known: frozenset[str] = frozenset()) -> list[str]:
    """The n things whose naming would tell the candidates apart best, ties by name.

    A thing that the share s of the candidates holds brings -s ln s nats when it is named: most at about a third.
    rows, weights: the candidates and their probabilities, [k]. known: what was said already, kinds included. Of a kind
    and its kinds only one is named.
    """
    share = {name: float(weights @ p) for name, p in gallery.facts.held(rows).items()}
    found: list[str] = []
    for name in sorted(share, key=lambda name: (share[name] * math.log(max(share[name], _TINY)), name)):
        if len(found) == n:
            break
        kin = {name, *vocabulary().ancestors(name), *vocabulary().descendants(name)}
        if share[name] < _SURE and can_be_asked(name) and name not in known and not kin.intersection(found):
            found.append(name)
    return found


def naming_likelihood(gallery: Gallery, names: Sequence[str], settings: BeliefSettings, rows: Rows) -> Floats:
    """p(a person names it | picture), float64 [len(rows), names + 1]; the last column is "something else"."""
    facts = gallery.facts
    held = np.stack([facts.thing(name) for name in names]) if names else np.zeros((0, gallery.n), np.float32)
    mass = float(gallery.kept(("nameable",), partial(_mass, gallery))[0])
    prior = _NAMED * held.mean(axis=1, dtype=np.float64) / max(mass, _TINY)
    ratio = [prior[k] * gallery.kept(("named", name, repr(settings)), partial(_ratio, gallery, name, settings))[rows]
             for k, name in enumerate(names)]  # fmt: skip
    stacked = np.stack([*ratio, np.full(len(rows), 1 - prior.sum())])
    p: Floats = (stacked / stacked.sum(axis=0)).T
    return p


def _ratio(gallery: Gallery, name: str, settings: BeliefSettings) -> Weights:
    """How much better than an average picture each one fits a name, float64 [n], 1 on average."""
    evidence = np.zeros(gallery.n, dtype=np.float64)
    for field, z in gallery.evidence(name).items():
        evidence += settings.weights.get(field, 0.0) * z
    there = settings.silent + (settings.certain - settings.silent) * gallery.facts.thing(name)
    log = _SHARP * np.clip(evidence, *_CLIP) + 0.5 * np.log(np.clip(there, 0.02, 1))
    raised = np.exp(log)
    ratio: Weights = raised / raised.mean()
    return ratio


def _mass(gallery: Gallery) -> Weights:
    """How many things a person could name in an average picture, float64 [1]; a kind and its kinds count as one."""
    facts, words = gallery.facts, vocabulary()
    there = set(facts.things)
    own = [name for name in facts.things if can_be_asked(name) and there.isdisjoint(words.descendants(name))]
    return np.array([sum(float(facts.thing(name).mean()) for name in own)])
