"""Exact search over a memory-mapped vector file: one pass at memory bandwidth. Called by gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whichpic.search.base import top

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Floats, Rows

    Mask = NDArray[np.bool_]


class Exact:
    """Scores of all pictures against query vectors, by one matrix product.

    `matrix` is float32 [stored rows, dim], usually a memory map; `rows` int64 [n] says which stored row belongs to
    which picture, -1 where a picture has no vector (its score is 0). None: row i belongs to picture i.
    """

    def __init__(self, matrix: Floats, rows: Rows | None = None) -> None:
        self.matrix = matrix
        straight = rows is None or (len(rows) == len(matrix) and bool((rows == np.arange(len(rows))).all()))
        self._rows: Rows | None = None if straight else rows

    def scores(self, vectors: Floats, rows: Rows | None = None) -> Floats:
        """Inner products float32 [n] or [queries, n]; see `Index.scores`."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        wanted = self._rows if rows is None else (rows if self._rows is None else self._rows[rows])
        if wanted is None:
            return _product(self.matrix, vectors)
        if not len(self.matrix):
            return np.zeros((*vectors.shape[:-1], len(wanted)), dtype=np.float32)
        if rows is not None and 4 * len(wanted) < len(self.matrix):
            found = _product(self.matrix[np.maximum(wanted, 0)], vectors)
        else:
            # Reading the file straight through beats gathering most of it row by row.
            found = _product(self.matrix, vectors)[..., np.maximum(wanted, 0)]
        found[..., wanted < 0] = 0
        return found

    def vectors(self, positions: Rows) -> Floats:
        """The vectors of some pictures, float32 [k, dim], a copy; zero where a picture has none."""
        rows = positions if self._rows is None else self._rows[positions]
        found = np.zeros((len(rows), self.matrix.shape[1]), dtype=np.float32)
        found[rows >= 0] = self.matrix[rows[rows >= 0]]
        return found

    def told(self) -> Mask:
        """Whether a picture has a vector that is not zero: an encoder that recognised nothing gives a zero, bool [n]."""
        rows = np.arange(len(self.matrix), dtype=np.int64) if self._rows is None else self._rows
        told: Mask = rows >= 0
        if len(self.matrix):
            # The first number is looked at before the whole row: nearly every row is done with after that.
            doubtful = np.flatnonzero(told & (self.matrix[:, 0] == 0)[np.maximum(rows, 0)])
            for start in range(0, len(doubtful), 4096):
                some = doubtful[start : start + 4096]
                told[some] = self.matrix[rows[some]].any(axis=1)
        return told

    def search(self, vector: Floats, k: int) -> tuple[Rows, Floats]:
        """Positions int64 [k] and scores float32 [k] of the k best pictures, best first."""
        scores = self.scores(vector)
        best = top(scores, k)
        return best, scores[best]


def _product(matrix: Floats, vectors: Floats) -> Floats:
    if vectors.ndim == 1:
        single: Floats = matrix @ vectors
        return single
    several: Floats = vectors @ matrix.T
    return several
