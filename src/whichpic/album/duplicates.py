"""Pictures that look the same: a 64-bit perceptual hash, groups of near-duplicates. Called by indexing and search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from whichpic.types import Picture

_SIDE, _KEPT = 32, 8
_FLAT = 2.0  # grey levels; below this spread a picture has no structure, and its hash would be noise


@lru_cache(maxsize=1)
def _basis() -> NDArray[np.float64]:
    """The first rows of the orthonormal DCT-II, float64 [9, 32]; row 0, the mean, is dropped by the caller."""
    k, n = np.arange(_KEPT + 1)[:, None], np.arange(_SIDE)[None, :]
    return np.asarray(np.cos(np.pi * (2 * n + 1) * k / (2 * _SIDE)) * np.sqrt(2 / _SIDE), dtype=np.float64)


def perceptual_hash(image: Image) -> int | None:
    """64 bits of an RGB picture: which low DCT frequencies (1 to 8, both ways) lie above their median, row by row.

    Two copies of one picture that were scaled or compressed anew differ in a few bits. None for a picture without
    structure (one colour, or nearly), since all of those would otherwise be "the same".
    Source: the DCT hash of Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, ch. 3.2.
    """
    from PIL.Image import Resampling

    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Resampling.BOX), dtype=np.float64)
    if float(grey.std()) < _FLAT:
        return None
    rows = _basis()[1:]
    frequencies = rows @ grey @ rows.T
    if float(np.abs(frequencies).max()) < _FLAT:
        return None  # structure in one direction only (a gradient, stripes): every other frequency is rounding noise
    bits = (frequencies > np.median(frequencies)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def groups(pictures: Sequence[Picture], *, distance: int = 4) -> list[tuple[str, ...]]:
    """Groups of two or more pictures whose hashes are linked by steps of at most `distance` bits.

    Ids within a group and groups within the list are sorted. Pictures without a hash are in no group. Two hashes that
    differ in at most d bits agree in at least one of d + 1 bands, so only pictures that share a band are compared.
    """
    hashed = [(picture.phash, picture.id) for picture in pictures if picture.phash is not None]
    hashes, which = np.unique(np.array([phash for phash, _ in hashed], dtype=np.uint64), return_inverse=True)
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while (up := parent.get(i, i)) != i:
            parent[i] = parent.get(up, up)
            i = up
        return i

    for left, right in _close_pairs(hashes, distance):
        a, b = root(left), root(right)
        parent[max(a, b)] = min(a, b)
    # Most pictures are like no other: only those that are get a list.
    several = np.bincount(which, minlength=len(hashes)) > 1
    several[np.array([*parent, *parent.values()], dtype=np.int64)] = True
    found: dict[int, list[str]] = defaultdict(list)
    for position in np.flatnonzero(several[which]).tolist():
        found[root(int(which[position]))].append(hashed[position][1])
    return sorted(tuple(sorted(ids)) for ids in found.values() if len(ids) > 1)


def _close_pairs(hashes: NDArray[np.uint64], distance: int) -> list[tuple[int, int]]:
    """Positions of all pairs within `distance` bits (a pair may come more than once)."""
    pairs: list[tuple[int, int]] = []
    edges = np.linspace(0, 64, distance + 2).astype(int)
    for low, high in pairwise(edges.tolist()):
        bands = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(bands, kind="stable")
        ordered, codes = hashes[order], bands[order]
        size = len(codes)
        # In band order, the members of a bucket are neighbours: compare each with the one `step` places on.
        alive = np.arange(size - 1) if size > 1 else np.empty(0, dtype=np.int64)
        step = 1
        while alive.size:
            alive = alive[alive + step < size]
            alive = alive[codes[alive] == codes[alive + step]]
            close = _bits(ordered[alive] ^ ordered[alive + step]) <= distance
            hits = alive[close]
            pairs.extend(zip(order[hits].tolist(), order[hits + step].tolist(), strict=True))
            step += 1
    return pairs


@lru_cache(maxsize=1)
def _bit_table() -> NDArray[np.uint8]:
    return np.array([i.bit_count() for i in range(1 << 16)], dtype=np.uint8)


def _bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bits are set in each value."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.bitwise_count(values).astype(np.int64)
    halves = np.ascontiguousarray(values).view(np.uint16).reshape(-1, 4)
    return np.asarray(_bit_table()[halves].sum(axis=1, dtype=np.int64))
