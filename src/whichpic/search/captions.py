"""Captions as fields: their words (BM25) and what their vectors' scores come to, by the best one or by the mean.

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
        self._codes: dict[str, int] = {}
        code: list[int] = []
        lengths = []
        for document in documents:
            words = tokens(document)
            lengths.append(len(words))
            code += [self._codes.setdefault(word, len(self._codes)) for word in words]
        total = len(lengths)
        length = np.array(lengths, dtype=np.int64)
        # Word by word, the documents that have it and how often: one sort instead of a list per word.
        pairs = np.array(code, dtype=np.int64) * max(total, 1) + np.repeat(np.arange(total), length)
        distinct, times = np.unique(pairs, return_counts=True)
        word, self._documents = np.divmod(distinct, max(total, 1))
        having = np.bincount(word, minlength=len(self._codes))
        self._ends = np.cumsum(having)
        idf = np.log(1 + (total - having + 0.5) / (having + 0.5))
        norms = k1 * (1 - b + b * length / max(float(length.mean()) if total else 1.0, 1e-9))
        weighed = idf[word] * times * (k1 + 1) / (times + norms[self._documents])
        self._weights: Floats = weighed.astype(np.float32)

    def scores(self, text: str) -> Floats:
        """BM25 of each picture's best document, float32 [n]; 0 where no word is shared."""
        each = np.zeros(len(self.owners), dtype=np.float32)
        for word, times in Counter(tokens(text)).items():
            code = self._codes.get(word)
            if code is not None:
                span = slice(self._ends[code - 1] if code else 0, self._ends[code])
                each[self._documents[span]] += times * self._weights[span]
        return best_per_owner(each, self.owners, self.n, empty=0.0)


def best_per_owner(scores: Floats, owners: Rows, n: int, *, empty: float) -> Floats:
    """The maximum of `scores` [documents] for each of n owners, float32 [n]; `empty` for an owner without documents."""
    best = np.full(n, -np.inf, dtype=np.float32)
    np.maximum.at(best, owners, scores)
    best[np.isneginf(best)] = empty
    return best


def mean_per_owner(scores: Floats, owners: Rows, n: int) -> Floats:
    """The mean of `scores` [documents] for each of n owners, float32 [n]; 0 for an owner without documents."""
    total = np.bincount(owners, weights=scores, minlength=n)
    mean: Floats = (total / np.maximum(np.bincount(owners, minlength=n), 1)).astype(np.float32)
    return mean
