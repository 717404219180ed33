"""What every encoder is, and the two things that they share: opening an ONNX model, and vectors of length 1."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.types import Encoder, Seer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from whichpic.types import Floats

__all__ = ["Encoder", "Seer", "onnx_session", "unit"]


def onnx_session(path: Path, *, threads: int) -> Any:
    """An onnxruntime.InferenceSession on the CPU; threads 0 is all cores. Raises what the runtime raises.

    From 1.29 on the runtime reports its use to Microsoft unless it is told not to before it is first imported.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def unit(x: ArrayLike) -> Floats:
    """Rows scaled to length 1, float32, same shape as `x`; a row of zeros stays zeros."""
    rows = np.asarray(x, dtype=np.float64)
    length = np.sqrt(np.sum(rows * rows, axis=-1, keepdims=True))
    scaled: Floats = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype(np.float32)
    return scaled
