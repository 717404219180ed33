"""An encoder without weights: colours, light and texture on the one side, colour words on the other.

For tests and demonstrations. It is a real two-tower encoder, only a silly one: "a red car" finds red pictures.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from whichpic.encoders.base import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from whichpic.types import Floats, Sight

# The eleven basic colour terms (Berlin and Kay 1969) with sRGB points that people would call so, and their words.
_COLOURS: dict[str, tuple[tuple[tuple[int, int, int], ...], str]] = {
    "black": (((10, 10, 10), (35, 35, 40)), "黑"),
    "white": (((255, 255, 255), (230, 230, 230)), "白"),
    "grey": (((128, 128, 128), (90, 90, 90), (180, 180, 180)), "灰"),
    "red": (((220, 20, 20), (150, 15, 25)), "红紅"),
    "orange": (((250, 140, 20), (230, 110, 20)), "橙橘"),
    "yellow": (((250, 230, 40), (220, 200, 70)), "黄黃"),
    "green": (((40, 160, 50), (60, 100, 40), (120, 200, 90)), "绿綠"),
    "blue": (((30, 70, 210), (110, 170, 230), (25, 45, 110)), "蓝藍"),
    "purple": (((120, 40, 160), (90, 50, 120)), "紫"),
    "pink": (((250, 150, 190), (240, 90, 150)), "粉"),
    "brown": (((120, 70, 30), (80, 50, 30), (170, 120, 80), (160, 60, 45)), "棕褐"),
}
_SPELLINGS = {"gray": "grey", "violet": "purple", "golden": "yellow", "reddish": "red", "bluish": "blue"}
_NAMES = tuple(_COLOURS)
_POINTS = np.array([point for points, _ in _COLOURS.values() for point in points], dtype=np.int64)
_OWNERS = np.array([i for i, (points, _) in enumerate(_COLOURS.values()) for _ in points], dtype=np.int64)
_HASHED = 48
_SIDE = 32  # pixels
_WORD = re.compile(r"[a-z0-9]+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_FAINT = 0.2  # weight of what only tells texts or pictures apart


class Toy:
    """Deterministic and weight-free, the same on every machine; 64 numbers."""

    id = "toy-1"
    dim = len(_NAMES) + 5 + _HASHED
    describe = "toy: colours only (red, 红, ...), for tests and demonstrations; it understands nothing else"

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of the texts, float32 [len(texts), 64]; colour words count most, other words a little."""
        rows = np.zeros((len(texts), self.dim))
        for row, text in zip(rows, texts, strict=True):
            words = [_SPELLINGS.get(word, word) for word in _WORD.findall(text.lower())]
            for i, name in enumerate(_NAMES):
                row[i] = words.count(name) + sum(text.count(sign) for sign in _COLOURS[name][1])
            row[len(_NAMES)] = bool(re.search(r"\b(bright|day|sunny)\b|白天|明亮", text.lower()))
            row[len(_NAMES) + 1] = bool(re.search(r"\b(dark|night)\b|夜|黑暗", text.lower()))
            for word in words:
                row[self.dim - _HASHED :] += _FAINT * _direction(word)
        return unit(rows)

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """Unit vectors of RGB pictures, float32 [len(pictures), 64]: how much of each colour, light, texture."""
        return unit(np.array([_picture(picture) for picture in pictures]).reshape(len(pictures), self.dim))


def _direction(word: str) -> NDArray[np.float64]:
    """A word's own direction in the hashed part, of length 1; no `hash()`, which differs from run to run."""
    digest = hashlib.blake2b(word.encode(), digest_size=_HASHED).digest()
    signs = np.frombuffer(digest, dtype=np.uint8).astype(np.float64) - 127.5
    length: float = np.sqrt(np.sum(signs * signs))
    return signs / length


def _picture(picture: Image) -> NDArray[np.float64]:
    from PIL import Image as Images

    small = picture.convert("RGB").resize((_SIDE, _SIDE), Images.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.int64)
    distance = np.sum((pixels.reshape(-1, 1, 3) - _POINTS) ** 2, axis=2)
    shares = np.bincount(_OWNERS[np.argmin(distance, axis=1)], minlength=len(_NAMES)) / (_SIDE * _SIDE)
    grey = pixels @ np.array([299, 587, 114]) / 255_000
    light = [0.3 * grey.mean() ** 2, 0.3 * (1 - grey.mean()) ** 2]
    edges = [np.abs(np.diff(grey, axis=0)).mean(), np.abs(np.diff(grey, axis=1)).mean(), grey.std()]
    # A coarse layout of light, so that two pictures of the same colours are still two vectors.
    layout = grey.reshape(8, 4, 8, 4).mean(axis=(1, 3)).reshape(-1)[:_HASHED] - grey.mean()
    return np.concatenate([np.sqrt(shares), light, _FAINT * np.array(edges), _FAINT * layout])
