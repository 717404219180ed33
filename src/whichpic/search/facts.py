"""The facts of all pictures as columns, so that a filter or a question reads one array. Called by gallery and dialogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.album.catalogue import StoredFacts
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Fact, Floats, Rows

    Mask = NDArray[np.bool_]

THINGS = ("object", "label", "scene")
"""Attributes whose values are things that can be in a picture."""


class FactTable:
    """Columns of probabilities over n pictures, in the order of `ids`.

    All facts lie in three arrays, once ordered by what they say (for a column) and once by picture (for candidates).
    """

    def __init__(self, ids: Sequence[str], facts: Mapping[str, Sequence[Fact]]) -> None:
        self.n = len(ids)
        codes: dict[tuple[str, str], int] = {}
        code, p, counts, lengths = [], [], [], []
        for rows in _rows(ids, facts):
            lengths.append(len(rows))
            for row in rows:
                code.append(codes.setdefault((row[0], row[1]), len(codes)))
                p.append(row[2])
                counts.append(row[4].get("count", 0) if len(row) > 4 and row[4] else 0)
        self._codes = codes
        self._starts = np.cumsum([0, *lengths], dtype=np.int64)
        self._code = np.array(code, dtype=np.int32)
        self._p = np.clip(np.nan_to_num(np.array(p, dtype=np.float32)), 0, 1)
        order = np.argsort(self._code, kind="stable")
        self._rows = np.repeat(np.arange(self.n, dtype=np.int64), np.diff(self._starts))[order]
        self._p_by_code = self._p[order]
        self._counts = np.array(counts, dtype=np.int64)[order]
        self._ends = np.cumsum(np.bincount(self._code, minlength=len(codes)))
        self.known: dict[str, int] = {}
        for (attribute, _), number in codes.items():
            span = self._span(number)
            self.known[attribute] = self.known.get(attribute, 0) + span.stop - span.start
        self._told: dict[str, Mask] = {}
        self._held: tuple[bytes, dict[str, Floats]] = (b"", {})

    def _span(self, code: int) -> slice:
        return slice(int(self._ends[code - 1]) if code else 0, int(self._ends[code]))

    @cached_property
    def _values(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[tuple[float, str]]] = {}
        for (attribute, value), code in self._codes.items():
            found.setdefault(attribute, []).append((-float(self._p_by_code[self._span(code)].sum()), value))
        return {attribute: tuple(value for _, value in sorted(mass)) for attribute, mass in found.items()}

    def values(self, attribute: str) -> tuple[str, ...]:
        """The values that an attribute takes in this album, most probable mass first, ties by name."""
        return self._values.get(attribute, ())

    def p(self, attribute: str, value: str) -> Floats:
        """Probability of `attribute = value` per picture, float32 [n]; 0 where nothing is known."""
        return self._column(self._codes.get((attribute, value), -1))

    def count(self, value: str) -> Rows:
        """How many of an object the detector counted, int64 [n]; 0 where it saw none."""
        column = np.zeros(self.n, dtype=np.int64)
        code = self._codes.get(("object", value))
        if code is not None:
            span = self._span(code)
            np.maximum.at(column, self._rows[span], self._counts[span])
        return column

    def thing(self, name: str) -> Floats:
        """Probability that a thing, or a kind of it, is in each picture, float32 [n]: the best of all that say so."""
        return self._column(*self._saying.get(name, ()))

    def held(self, rows: Rows) -> dict[str, Floats]:
        """`thing(name)[rows]` of every thing that one of these few pictures holds, without a look at the others.

        Remembered for the candidates of the last call: one turn asks for the same ones several times.
        """
        if not len(rows):
            return {}
        key = rows.tobytes()
        if self._held[0] == key:
            return self._held[1]
        entries = np.concatenate([np.arange(self._starts[row], self._starts[row + 1]) for row in rows.tolist()])
        local = np.repeat(np.arange(len(rows)), self._starts[rows + 1] - self._starts[rows])
        code, p = self._code[entries], self._p[entries]
        order = np.argsort(code, kind="stable")
        local, code, p = local[order], code[order], p[order]
        found: dict[str, Floats] = {}
        distinct, starts = np.unique(code, return_index=True)
        stops = np.append(starts[1:], len(code))[: len(starts)]
        for number, start, stop in zip(distinct.tolist(), starts, stops, strict=True):
            for name in self._meanings.get(number, ()):
                column = found.setdefault(name, np.zeros(len(rows), dtype=np.float32))
                np.maximum.at(column, local[start:stop], p[start:stop])
        self._held = (key, found)
        return found

    def tells(self, attribute: str) -> Mask:
        """Whether anything is known of an attribute, per picture, bool [n], read-only. "kind" is told by any thing."""
        if attribute not in self._told:
            attributes = THINGS if attribute == "kind" else (attribute,)
            told = np.zeros(self.n, dtype=np.bool_)
            for (name, _), code in self._codes.items():
                if name in attributes:
                    told[self._rows[self._span(code)]] = True
            told.flags.writeable = False
            self._told[attribute] = told
        return self._told[attribute]

    @cached_property
    def things(self) -> tuple[str, ...]:
        """Every thing that some picture holds, kinds included, most probable mass first."""
        return tuple(sorted(self._saying, key=lambda name: (-float(self.thing(name).sum()), name)))

    @cached_property
    def _meanings(self) -> dict[int, tuple[str, ...]]:
        """What a fact that names a thing says is there: the thing and every kind that it is of, by code."""
        words = vocabulary()
        return {
            code: tuple(dict.fromkeys((value, *words.ancestors(value))))
            for (attribute, value), code in self._codes.items()
            if attribute in THINGS
        }

    @cached_property
    def _saying(self) -> dict[str, list[int]]:
        """The codes that say that a thing is there, by its name."""
        saying: dict[str, list[int]] = {}
        for code, names in self._meanings.items():
            for name in names:
                saying.setdefault(name, []).append(code)
        return saying

    def _column(self, *codes: int) -> Floats:
        column = np.zeros(self.n, dtype=np.float32)
        for code in codes:
            if code >= 0:
                span = self._span(code)
                np.maximum.at(column, self._rows[span], self._p_by_code[span])
        return column


def _rows(ids: Sequence[str], facts: Mapping[str, Sequence[Fact]]) -> Iterator[Sequence[Sequence[Any]]]:
    """The facts of each picture as (attribute, value, p, source, detail); a Fact is only made where somebody asks."""
    if isinstance(facts, StoredFacts):
        for picture in ids:
            yield facts.rows(picture)
    else:
        for picture in ids:
            yield [(f.attribute, f.value, f.p, f.source, f.detail) for f in facts.get(picture, ())]
