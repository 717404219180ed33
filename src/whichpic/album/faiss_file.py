"""Flat indexes of FAISS as files, read and written without FAISS. Called by exchange.

The layout is that of faiss/impl/index_write.cpp: four letters, then the header (dimension int32, count int64, two
fillers int64, trained uint8, metric int32, for metrics above 1 an argument float32), then the count of floats and the
floats, all little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whichpic.errors import AlbumError, ExtraMissing

if TYPE_CHECKING:
    from whichpic.types import Floats

_FLAT = {b"IxFI": 0, b"IxF2": 1, b"IxFl": None}
"""Inner product, squared distance, and whichever metric the header says."""
_HEADER = struct.Struct("<iqqqBi")
_FILLER = 1 << 20
_LARGEST_DIM = 65_536


def read_flat(path: Path) -> Floats:
    """The vectors of an index, float32 [count, dim], in the order in which they were added.

    A flat index (IndexFlatIP, IndexFlatL2, IndexFlat) is mapped; any other kind is reconstructed by FAISS, which the
    extra faiss installs. AlbumError in one line: not an index, cut off, sizes that do not fit.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            kind, head = stream.read(4), stream.read(_HEADER.size)
    except OSError as error:
        raise AlbumError(f"{path} cannot be read: {error.strerror or error}") from None
    if kind not in _FLAT:
        return _reconstructed(path, kind)
    if len(head) != _HEADER.size:
        raise AlbumError(f"{path} ends in the middle of its header; it is cut off")
    dim, count, _, _, _, metric = _HEADER.unpack(head)
    start = 4 + _HEADER.size + (4 if metric > 1 else 0)
    if not (0 < dim <= _LARGEST_DIM and count >= 0):
        raise AlbumError(f"{path} says that it holds {count} vectors of {dim} numbers, which cannot be; it is damaged")
    with path.open("rb") as stream:
        stream.seek(start)
        told = stream.read(8)
    if len(told) != 8 or struct.unpack("<Q", told)[0] != count * dim or size != start + 8 + 4 * count * dim:
        raise AlbumError(f"{path} says that it holds {count} vectors of {dim} numbers, but its length is another")
    if count == 0:
        return np.zeros((0, dim), dtype=np.float32)
    return np.memmap(path, dtype="<f4", mode="r", offset=start + 8, shape=(count, dim))


def write_flat(path: Path, vectors: Floats) -> None:
    """Write float32 [count, dim] as an IndexFlatIP, which `faiss.read_index` reads."""
    count, dim = vectors.shape
    with path.open("wb") as out:
        out.write(b"IxFI" + _HEADER.pack(dim, count, _FILLER, _FILLER, 1, 0) + struct.pack("<Q", count * dim))
        for start in range(0, count, 65_536):
            out.write(np.ascontiguousarray(vectors[start : start + 65_536], dtype="<f4").tobytes())


def _reconstructed(path: Path, kind: bytes) -> Floats:
    if len(kind) != 4 or not kind.startswith(b"I"):
        raise AlbumError(f"{path} is no index of FAISS; expected a file written by faiss.write_index")
    try:
        import faiss
    except ImportError:
        shown = ascii(kind.decode("latin-1"))
        raise ExtraMissing(f"an index of FAISS of the kind {shown} (a flat one needs nothing)", "faiss") from None
    try:
        index = faiss.read_index(str(path))
        vectors: Floats = np.asarray(index.reconstruct_n(0, index.ntotal), dtype=np.float32)
    except Exception as error:  # its errors share no public root
        why = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        raise AlbumError(f"FAISS cannot give the vectors of {path} back: {why}") from None
    return vectors
