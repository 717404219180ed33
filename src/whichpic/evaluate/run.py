"""A Run: what is known of many dialogues after every turn, whoever played them, ready to be scored.

Made from our dialogues or from published files; read by summary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import QueryError
from whichpic.evaluate.ranks import Ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Rows

    Doubles = NDArray[np.float64]

_BY_TURN = (
    "confidence", "entropy", "set_size", "in_set", "fits", "fits_absent", "milliseconds", "tokens", "calls",
    "found", "seen",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """Many dialogues with their ranks and whatever else was recorded; what was not is None, or () for texts.

    name: short, for legends. ranks: the target's places. settings: everything that a reader must know to compare
    (opening, cap on turns, treatment of targets never found, corpus, encoder, ...), JSON-able.
    texts: per dialogue, what was said, asked or answered at each turn. targets: id of each dialogue's target.
    shown: per dialogue and turn, ids of the pictures shown. Arrays are [dialogues, turns] unless said otherwise:

    confidence: probability of the first picture. entropy: of the belief, nats. set_size: pictures in the 90 % set.
    in_set: whether it held the target. fits: evidence that something here fits; fits_absent: the same after the same
    events, with the target taken out of the album. milliseconds, tokens, calls: what the turn cost.
    relevant: int64 [dialogues], how many pictures are right (several targets); found, seen: distinct right ones, and
    distinct pictures, shown up to and including that turn. warnings: what a reader must see first. wanted: the right pictures
    of every dialogue, where some have several.
    """

    name: str
    ranks: Ranks
    settings: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[tuple[str, ...], ...] = ()
    targets: tuple[str, ...] = ()
    shown: tuple[tuple[tuple[str, ...], ...], ...] = ()
    confidence: Doubles | None = None
    entropy: Doubles | None = None
    set_size: Rows | None = None
    in_set: NDArray[np.bool_] | None = None
    fits: Doubles | None = None
    fits_absent: Doubles | None = None
    milliseconds: Doubles | None = None
    tokens: Doubles | None = None
    calls: Doubles | None = None
    relevant: Rows | None = None
    found: Rows | None = None
    seen: Rows | None = None
    warnings: tuple[str, ...] = ()
    wanted: tuple[frozenset[str], ...] = ()

    def __post_init__(self) -> None:
        shape = self.ranks.better.shape
        for name in _BY_TURN:
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise QueryError(f"run {self.name!r}: {name} has shape {array.shape}, expected {shape} like the ranks")
        for name in ("texts", "targets", "shown", "relevant"):
            value = getattr(self, name)
            if value is not None and len(value) not in ({shape[0]} if name == "relevant" else {0, shape[0]}):
                raise QueryError(f"run {self.name!r}: {name} of {len(value)} dialogues, expected {shape[0]}")

    @property
    def right(self) -> Doubles:
        """Whether the first picture is the target, float64 [dialogues, turns].

        1 where it is alone at the top, 1 / (ties + 1) where it shares the top with others, 0 elsewhere.
        """
        ranks = self.ranks
        return np.where(ranks.better == 0, 1.0 / (ranks.ties + 1.0), 0.0)
