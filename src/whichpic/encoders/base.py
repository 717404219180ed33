"""What every encoder is, and the one thing they all do at the end. Used by all encoders and by search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whichpic.types import Encoder, Seer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from whichpic.types import Floats

__all__ = ["Encoder", "Seer", "unit"]


def unit(x: ArrayLike) -> Floats:
    """Rows scaled to length 1, float32, same shape as `x`; a row of zeros stays zeros."""
    rows = np.asarray(x, dtype=np.float64)
    length = np.sqrt(np.sum(rows * rows, axis=-1, keepdims=True))
    scaled: Floats = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype(np.float32)
    return scaled
