"""Ranks of a whole published protocol: by counting against sorting the corpus for every query.

    python benchmarks/ranking.py [--dialogues 2064] [--turns 11] [--rows 50000] [--dim 256] [--sorted 400]

Random unit vectors. Sorting is timed on a sample of the queries, one product and one full argsort each, as the published
evaluation scripts do, and extrapolated to all of them. Prints both times with and without the products.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from whichpic.evaluate.ranks import count_rows, rank_by_counting

if TYPE_CHECKING:
    from whichpic.types import Floats, Rows

_BLOCK = 64


def unit(draw: np.random.Generator, rows: int, dim: int) -> Floats:
    """Random unit vectors, float32 [rows, dim]."""
    vectors = draw.standard_normal((rows, dim), dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def counting(queries: Floats, corpus: Floats, targets: Rows) -> tuple[float, float, Rows]:
    """Seconds of the blocked products, seconds of the counting, and how many score higher, int64 [queries]."""
    product, rank = 0.0, 0.0
    better = np.empty(len(targets), np.int64)
    for start in range(0, len(targets), _BLOCK):
        rows = slice(start, start + _BLOCK)
        began = time.perf_counter()
        scores = queries[rows] @ corpus.T
        multiplied = time.perf_counter()
        better[rows] = count_rows(scores, targets[rows])[0]
        product += multiplied - began
        rank += time.perf_counter() - multiplied
    return product, rank, better


def sorting(queries: Floats, corpus: Floats, targets: Rows) -> tuple[float, float, Rows]:
    """The same by one product and one descending argsort per query: the position of the target, from 0."""
    product, rank = 0.0, 0.0
    position = np.empty(len(targets), np.int64)
    for k, (query, target) in enumerate(zip(queries, targets, strict=True)):
        began = time.perf_counter()
        scores = corpus @ query
        multiplied = time.perf_counter()
        position[k] = np.flatnonzero(np.argsort(-scores) == target)[0]
        product += multiplied - began
        rank += time.perf_counter() - multiplied
    return product, rank, position


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--dialogues", type=int, default=2064)
    options.add_argument("--turns", type=int, default=11)
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--dim", type=int, default=256)
    options.add_argument("--sorted", type=int, default=400, help="queries that are sorted for")
    chosen = options.parse_args()
    draw = np.random.default_rng(0)
    corpus = unit(draw, chosen.rows, chosen.dim)
    n = chosen.dialogues * chosen.turns
    queries = unit(draw, n, chosen.dim)
    targets = np.repeat(draw.permutation(chosen.rows)[: chosen.dialogues], chosen.turns).astype(np.int64)

    began = time.perf_counter()
    better, _ = rank_by_counting(queries, corpus, targets)
    whole = time.perf_counter() - began
    product, rank, _ = counting(queries, corpus, targets)

    sample = np.sort(draw.permutation(n)[: chosen.sorted])
    some, own = queries[sample], targets[sample]
    times = sorting(some, corpus, own)
    scale = n / len(sample)
    same = 0
    for start in range(0, len(sample), _BLOCK):
        rows = slice(start, start + _BLOCK)
        scores = some[rows] @ corpus.T
        places = [np.flatnonzero(np.argsort(-row) == target)[0] for row, target in zip(scores, own[rows], strict=True)]
        same += int((count_rows(scores, own[rows])[0] == places).sum())

    print(f"{chosen.dialogues} dialogues x {chosen.turns} turns over {chosen.rows} x {chosen.dim} float32")
    print(f"sorting: {len(sample)} of {n} queries timed, extrapolated x {scale:.1f}")
    print(f"{'':30s}{'counting':>12s}{'sorting':>12s}{'ratio':>9s}")
    lines = [
        ("ranking alone", rank, times[1] * scale),
        ("products alone", product, times[0] * scale),
        ("products and ranking", product + rank, (times[0] + times[1]) * scale),
    ]
    for name, mine, theirs in lines:
        print(f"{name:30s}{mine:10.2f} s{theirs:10.2f} s{theirs / mine:8.1f}x")
    print(f"rank_by_counting as it is called: {whole:.2f} s")
    print(f"same rank as the sorted position of the same scores: {same} of {len(sample)}")
    apart = int((better[sample] != times[2]).sum())
    print(f"rank moved by the rounding of a product per query: {apart} of {len(sample)}")


if __name__ == "__main__":
    main()
