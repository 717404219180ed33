"""Which of the best candidates to look at: the four samplers of navigationir, and clusters. Called by asking and reading.

Each takes the candidates best first and gives positions among them; all are deterministic for a given seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whichpic.errors import QueryError

if TYPE_CHECKING:
    from whichpic.types import Floats, Rows


SAMPLERS = ("cluster", "interval", "random", "top")


def check(name: str) -> None:
    """Raises QueryError where there is no sampler of this name."""
    if name not in SAMPLERS:
        raise QueryError(f"no sampler is called '{name}'; there are cluster, interval, random and top")


def sample(name: str, vectors: Floats, k: int = 5, *, seed: int = 0) -> Rows:
    """Positions of at most k of the candidates whose unit vectors, best first, are `vectors` [candidates, dim].

    cluster: the member nearest the centre of each of k clusters of the top 100, largest cluster first;
    interval: one at random out of each block of 10; random: k of the top 40; top: the first k.
    Raises QueryError for another name.
    """
    check(name)
    n = len(vectors)
    k = min(k, n)
    if k <= 0:
        return np.empty(0, dtype=np.int64)
    draw = np.random.default_rng(seed)
    match name:
        case "top":
            return np.arange(k, dtype=np.int64)
        case "random":
            return np.sort(draw.permutation(min(n, 40))[:k]).astype(np.int64)
        case "interval":
            blocks = [np.arange(start, min(start + 10, n)) for start in range(0, min(n, 10 * k), 10)]
            return np.array([draw.choice(block) for block in blocks], dtype=np.int64)
    return _nearest_to_centres(vectors[:100], k)


def clusters(vectors: Floats, k: int, *, steps: int = 10) -> tuple[Rows, Floats]:
    """Spherical k-means: the cluster of every unit vector, int64 [n], and the centres, float32 [k, dim].

    Nothing is drawn: the first centre is the first vector, and each next one the vector farthest from those taken. Of
    fewer than k different vectors, some clusters stay empty.
    """
    k = min(k, len(vectors))
    chosen = [0]
    nearest = vectors @ vectors[0]
    while len(chosen) < k:
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    centres = vectors[chosen].copy()
    members = np.zeros(len(vectors), dtype=np.int64)
    for _ in range(steps):
        members = np.argmax(vectors @ centres.T, axis=1).astype(np.int64)
        for cluster in range(k):
            inside = vectors[members == cluster]
            if len(inside):
                mean = inside.mean(axis=0)
                centres[cluster] = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return members, centres


def _nearest_to_centres(vectors: Floats, k: int) -> Rows:
    """The member nearest the centre of each cluster, largest cluster first."""
    members, centres = clusters(vectors, k)
    found: list[tuple[int, int]] = []
    for cluster in range(len(centres)):
        rows = np.flatnonzero(members == cluster)
        if len(rows):
            found.append((-len(rows), int(rows[np.argmax(vectors[rows] @ centres[cluster])])))
    return np.array([position for _, position in sorted(found)], dtype=np.int64)
