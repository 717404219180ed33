"""The facts of all pictures as columns, so that a filter or a question reads one array. Called by gallery and dialogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Fact, Floats, Rows

    Mask = NDArray[np.bool_]

THINGS = ("object", "label", "scene")
"""Attributes whose values are things that can be in a picture."""


class FactTable:
    """Columns of probabilities over n pictures, in the order of `ids`."""

    def __init__(self, ids: Sequence[str], facts: Mapping[str, Sequence[Fact]]) -> None:
        self.n = len(ids)
        gathered: dict[tuple[str, str], tuple[list[int], list[float], list[int]]] = {}
        self.known: dict[str, int] = {}
        for position, picture in enumerate(ids):
            for fact in facts.get(picture, ()):
                rows, probabilities, counts = gathered.setdefault((fact.attribute, fact.value), ([], [], []))
                rows.append(position)
                probabilities.append(fact.p)
                counts.append(int(fact.detail.get("count", 0)) if fact.detail else 0)
                self.known[fact.attribute] = self.known.get(fact.attribute, 0) + 1
        self._columns: dict[tuple[str, str], tuple[Rows, Floats, Rows]] = {
            key: (np.array(rows, np.int64), np.array(p, np.float32), np.array(counts, np.int64))
            for key, (rows, p, counts) in gathered.items()
        }
        self._things: dict[str, Floats] = {}

    def values(self, attribute: str) -> tuple[str, ...]:
        """The values that an attribute takes in this album, most probable mass first, ties by name."""
        mass = [(-float(p.sum()), value) for (name, value), (_, p, _) in self._columns.items() if name == attribute]
        return tuple(value for _, value in sorted(mass))

    def p(self, attribute: str, value: str) -> Floats:
        """Probability of `attribute = value` per picture, float32 [n]; 0 where nothing is known."""
        column = np.zeros(self.n, dtype=np.float32)
        found = self._columns.get((attribute, value))
        if found is not None:
            np.maximum.at(column, found[0], found[1])
        return column

    def count(self, value: str) -> Rows:
        """How many of an object the detector counted, int64 [n]; 0 where it saw none."""
        column = np.zeros(self.n, dtype=np.int64)
        found = self._columns.get(("object", value))
        if found is not None:
            np.maximum.at(column, found[0], found[2])
        return column

    def thing(self, name: str) -> Floats:
        """Probability that a thing, or a kind of it, is in each picture, float32 [n]: the best of all that say so."""
        if name not in self._things:
            column = np.zeros(self.n, dtype=np.float32)
            for kind in (name, *vocabulary().descendants(name)):
                for attribute in THINGS:
                    found = self._columns.get((attribute, kind))
                    if found is not None:
                        np.maximum.at(column, found[0], found[1])
            self._things[name] = column
        return self._things[name]

    def tells(self, attribute: str) -> Mask:
        """Whether anything is known of an attribute, per picture, bool [n]. "kind" is told by any thing."""
        attributes = THINGS if attribute == "kind" else (attribute,)
        told = np.zeros(self.n, dtype=np.bool_)
        for (name, _), (rows, _, _) in self._columns.items():
            if name in attributes:
                told[rows] = True
        return told

    @cached_property
    def things(self) -> tuple[str, ...]:
        """Every thing that some picture holds, kinds included, most probable mass first."""
        seen = {value for (attribute, value) in self._columns if attribute in THINGS}
        kinds = {kind for value in seen for kind in vocabulary().ancestors(value)}
        return tuple(sorted(seen | kinds, key=lambda name: (-float(self.thing(name).sum()), name)))
