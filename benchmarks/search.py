"""Search over 123,000 x 512 float32 vectors against what numpy alone takes, as a ratio in one run.

    python benchmarks/search.py [--rows 123000] [--dim 512] [--rounds 30]

Prints the median milliseconds of `Exact.search` over a memory-mapped file, and of a bare matrix-vector product with
argpartition over the same file, taken in turns so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from whichpic.search.exact import Exact


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=123_000)
    options.add_argument("--dim", type=int, default=512)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("-k", type=int, default=100)
    chosen = options.parse_args()
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.f32"
        written = np.memmap(file, dtype=np.float32, mode="w+", shape=(chosen.rows, chosen.dim))
        for start in range(0, chosen.rows, 10_000):
            block = draw.standard_normal((min(10_000, chosen.rows - start), chosen.dim), dtype=np.float32)
            written[start : start + 10_000] = block / np.linalg.norm(block, axis=1, keepdims=True)
        written.flush()
        matrix = np.memmap(file, dtype=np.float32, mode="r", shape=(chosen.rows, chosen.dim))
        query = np.array(matrix[7])
        shuffled = draw.permutation(chosen.rows).astype(np.int64)
        runs: dict[str, Callable[[], object]] = {
            "numpy": lambda: np.argpartition(matrix @ query, -chosen.k)[-chosen.k :],
            "whichpic": lambda: Exact(matrix).search(query, chosen.k),
            "whichpic, rows in another order": lambda: Exact(matrix, shuffled).search(query, chosen.k),
        }
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(chosen.rounds):
            for name, run in runs.items():
                began = time.perf_counter()
                run()
                taken[name].append(1000 * (time.perf_counter() - began))
        base = statistics.median(taken["numpy"])
        print(f"{chosen.rows} x {chosen.dim} float32, best {chosen.k}, median of {chosen.rounds}")
        for name, times in taken.items():
            median = statistics.median(times)
            print(f"{name:34s} {median:7.2f} ms  {median / base:5.2f} x numpy")


if __name__ == "__main__":
    main()
