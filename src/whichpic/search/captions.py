"""Captions as two fields: their words (BM25) and their vectors. Several captions of a picture count by their best.

Called by gallery. Reference for BM25: Robertson and Zaragoza 2009, with the never-negative idf of Lucene.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from whichpic.words import tokens

if TYPE_CHECKING:
    from whichpic.types import Floats, Rows


class Words:
    """BM25 over documents, k1 1.2, b 0.75, idf = ln(1 + (N - df + .5) / (df + .5)); query words count with repetition.

    `owners` int64 [documents] says which picture a document belongs to, of `n` pictures in all.
    """

    def __init__(
        self, documents: Sequence[str], owners: Sequence[int], n: int, *, k1: float = 1.2, b: float = 0.75
    ) -> None:
        self.n = n
        self.owners = np.asarray(owners, dtype=np.int64)
        counts = [Counter(tokens(document)) for document in documents]
        lengths = np.array([count.total() for count in counts], dtype=np.float64)
        mean = float(lengths.mean()) if len(lengths) else 1.0
        norms = k1 * (1 - b + b * lengths / max(mean, 1e-9))
        where: dict[str, list[int]] = {}
        often: dict[str, list[int]] = {}
        for document, count in enumerate(counts):
            for word, times in count.items():
                where.setdefault(word, []).append(document)
                often.setdefault(word, []).append(times)
        total = len(documents)
        self._postings: dict[str, tuple[Rows, Floats]] = {}
        for word, positions in where.items():
            rows = np.array(positions, dtype=np.int64)
            times_ = np.array(often[word], dtype=np.float64)
            idf = np.log(1 + (total - len(rows) + 0.5) / (len(rows) + 0.5))
            self._postings[word] = (rows, (idf * times_ * (k1 + 1) / (times_ + norms[rows])).astype(np.float32))

    def scores(self, text: str) -> Floats:
        """BM25 of each picture's best document, float32 [n]; 0 where no word is shared."""
        each = np.zeros(len(self.owners), dtype=np.float32)
        for word, times in Counter(tokens(text)).items():
            posting = self._postings.get(word)
            if posting is not None:
                each[posting[0]] += times * posting[1]
        return best_per_owner(each, self.owners, self.n, empty=0.0)


def best_per_owner(scores: Floats, owners: Rows, n: int, *, empty: float) -> Floats:
    """The maximum of `scores` [documents] for each of n owners, float32 [n]; `empty` for an owner without documents."""
    best = np.full(n, -np.inf, dtype=np.float32)
    np.maximum.at(best, owners, scores)
    best[np.isneginf(best)] = empty
    return best
