"""Exact search over a memory-mapped vector file: one pass at memory bandwidth. Called by gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whichpic.search.base import top

if TYPE_CHECKING:
    from whichpic.types import Floats, Rows


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
        if rows is not None and 4 * len(wanted) < len(self.matrix):
            found = _product(self.matrix[np.maximum(wanted, 0)], vectors)
        else:
            # Reading the file straight through beats gathering most of it row by row.
            found = _product(self.matrix, vectors)[..., np.maximum(wanted, 0)]
        found[..., wanted < 0] = 0
        return found

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
