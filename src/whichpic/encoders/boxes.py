"""From the detector's raw outputs to objects: anchors, box codes, and the suppression of doubles. Called by seeing.

A picture is looked at as a whole and in tiles; a Glance is one such look. Coordinates are fractions of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from whichpic.types import Box
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Floats, Rows

SIDE = 320  # pixels, of the detector's input
WHOLE = (0.0, 0.0, 1.0, 1.0)
PRESENT = 0.1
"""A score below this is noise for every class of this detector, and is not kept."""
_LEVELS = range(3, 8)
_ANCHOR_SCALE = 3.0  # of the Lite family; the EfficientDet of the paper has 4
_ASPECTS = (1.0, 2.0, 0.5)  # width over height
_SAME = 0.5  # overlap from which two boxes of one class are one object
_COINCIDE = 0.7  # overlap from which boxes of two kindred classes (car and truck) are one object
_INSIDE = 0.7  # share of a box from a tile that lies in a box of its class: then it is a part of that object
_CUT = 0.02  # a box from a tile that ends this close to the tile's edge inside the picture is a thing cut in two
_MOST_SEEN = 500
_MOST_BOXES = 40


@dataclass(frozen=True, slots=True)
class Glance:
    """One look of the detector at a window of the picture.

    window: left, top, right, bottom. trust: what its scores count. scores: float32 [anchors, classes], probabilities.
    codes: float32 [anchors, 4], (ty, tx, th, tw) relative to the anchors.
    """

    window: tuple[float, float, float, float]
    trust: float
    scores: Floats
    codes: Floats


def presence_of(glances: Sequence[Glance], names: Sequence[str | None]) -> tuple[tuple[str, float], ...]:
    """(concept, best score over all anchors and glances) of every class above PRESENT, best first."""
    best = np.max([glance.trust * glance.scores.max(axis=0) for glance in glances], axis=0)
    found = ((name, float(best[k])) for k, name in enumerate(names) if name and best[k] > PRESENT)
    return tuple(sorted(found, key=lambda pair: (-pair[1], pair[0])))


def find_boxes(glances: Sequence[Glance], names: Sequence[str | None]) -> tuple[Box, ...]:
    """The objects, best first, at most 40. `names`: the concept of each class, None for one that does not exist.

    Greedy suppression: a box goes if a better one of its class overlaps it by half, if a better one of a kindred class
    coincides with it, or if it was seen in a tile and lies within a better one of its class.
    """
    seen = [_seen(glance, names) for glance in glances]
    p = np.concatenate([one[0] for one in seen])
    order = np.argsort(-p, kind="stable")[:_MOST_SEEN]
    p = p[order]
    kinds = np.concatenate([one[1] for one in seen])[order]
    boxes = np.concatenate([one[2] for one in seen])[order]
    tiled = np.repeat([glance.window != WHOLE for glance in glances], [len(one[0]) for one in seen])[order]
    akin = _kindred(tuple(names))
    kept: list[int] = []
    for k in range(len(p)):
        if len(kept) == _MOST_BOXES:
            break
        shared, overlap = _overlaps(boxes[k], boxes[kept])
        same = kinds[kept] == kinds[k]
        double = (same & (overlap > _SAME)) | (akin[kinds[k], kinds[kept]] & (overlap > _COINCIDE))
        if tiled[k]:
            double |= same & (shared > _INSIDE)
        if not double.any():
            kept.append(k)
    return tuple(Box(names[kinds[k]] or "", float(p[k]), *(float(edge) for edge in boxes[k])) for k in kept)


@lru_cache(maxsize=1)
def anchors() -> Floats:
    """The detector's 19,206 anchors: float32 [19206, 4], centre y, centre x, height, width, as fractions of the side.

    Level by level, row by row, at each place three scales (thirds of an octave) of three aspect ratios: the order in
    which EfficientDet (Tan et al. 2020) lays out its outputs.
    """
    levels = []
    for level in _LEVELS:
        stride = 2**level
        centres = (np.arange(-(-SIDE // stride)) + 0.5) * stride
        y, x = np.meshgrid(centres, centres, indexing="ij")
        shapes = []
        for octave in range(3):
            base = _ANCHOR_SCALE * stride * 2 ** (octave / 3)
            for aspect in _ASPECTS:
                height, width = base / aspect**0.5, base * aspect**0.5
                shapes.append(np.stack([y, x, np.full_like(y, height), np.full_like(y, width)], -1).reshape(-1, 4))
        levels.append(np.stack(shapes, 1).reshape(-1, 4))
    return (np.concatenate(levels) / SIDE).astype(np.float32)


def _seen(glance: Glance, names: Sequence[str | None]) -> tuple[Floats, Rows, Floats]:
    """Every (anchor, class) above PRESENT: scores [n], classes [n], boxes [n, 4] (left, top, right, bottom)."""
    live = np.array([name is not None for name in names])
    # Of 19,206 anchors a few hundred see anything at all.
    lively = np.flatnonzero(glance.scores.max(axis=1) > PRESENT / glance.trust)
    rows, kinds = np.nonzero((glance.trust * glance.scores[lively] > PRESENT) & live)
    rows = lively[rows]
    places = anchors()[rows]
    centre = glance.codes[rows, :2] * places[:, 2:] + places[:, :2]
    # The exponent is bounded: one absurd code must not become an infinite box.
    half = np.exp(np.minimum(glance.codes[rows, 2:], 4.0)) * places[:, 2:] / 2
    boxes = np.clip(np.concatenate([centre - half, centre + half], axis=1), 0.0, 1.0)[:, [1, 0, 3, 2]]
    left, top, right, bottom = glance.window
    inner = np.array([left > 0, top > 0, right < 1, bottom < 1])
    whole = ~(inner & (np.abs(boxes - [0, 0, 1, 1]) < _CUT)).any(axis=1)
    boxes = boxes * np.tile([right - left, bottom - top], 2) + np.tile([left, top], 2)
    return glance.trust * glance.scores[rows, kinds][whole], kinds[whole], boxes[whole]


def _overlaps(box: Floats, others: Floats) -> tuple[Floats, Floats]:
    """How much of one box [4] lies in each of others [n, 4], as a share of it; and intersection over union."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.prod(np.maximum(sides, 0.0), axis=1)
    own = np.prod(box[2:] - box[:2])
    union = own + np.prod(others[:, 2:] - others[:, :2], axis=1) - common
    return common / max(own, 1e-9), common / np.maximum(union, 1e-9)


@lru_cache(maxsize=4)
def _kindred(names: tuple[str | None, ...]) -> NDArray[np.bool_]:
    """bool [classes, classes]: different classes of one sort (car, truck: vehicle), which a detector may confuse."""
    kinds = [set(vocabulary().ancestors(name)) if name else set() for name in names]
    return np.array([[a != b and bool(kinds[a] & kinds[b]) for b in range(len(names))] for a in range(len(names))])
