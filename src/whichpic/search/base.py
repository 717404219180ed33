"""The Index swap point, and how the best k are picked from scores. Called by gallery and the sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Floats, Rows


class Index(Protocol):
    """Inner products of query vectors with the vectors of pictures."""

    def scores(self, vectors: Floats, rows: Rows | None = None) -> Floats:
        """Scores float32 [n] for one vector [dim], or [queries, n] for [queries, dim].

        n counts all pictures, or `rows` where given. An exact index returns a score for every picture; an
        approximate one fills everything outside its pool with the pool's minimum.
        """
        ...


def top(scores: NDArray[Any], k: int) -> Rows:
    """Positions of the k largest scores, best first, int64 [<= k]. Equal scores keep their order; -inf never appears."""
    n = scores.shape[0]
    k = min(k, n)
    if k <= 0:
        return np.empty(0, dtype=np.int64)
    if k < n:
        # Everything tied with the k-th best is taken along, so that ties are broken by position and not by chance.
        threshold = np.partition(scores, n - k)[n - k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(n)
    candidates = candidates[scores[candidates] > -np.inf]
    order = np.argsort(-scores[candidates], kind="stable")[:k]
    return candidates[order].astype(np.int64)
