"""Reads, hashes and decodes files in threads, a bounded number ahead of the encoder. Called by indexing."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Container, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from whichpic.errors import DecodeError
from whichpic.types import Picture

if TYPE_CHECKING:
    from PIL.Image import Image


_LARGE_BYTES = 64 << 20
_large = threading.Lock()  # eight threads with a file of 512 MB each would fill the memory of most machines


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file: what it holds, or the reason why it cannot be indexed.

    `size` is -1 where the file could not even be read: it is then tried again at every run, since a change of
    permissions shows in nothing that a run looks at. `picture` and `image` are None for ids that need no decoding.
    """

    path: str
    size: int
    mtime_ns: int
    id: str = ""
    reason: str = ""
    picture: Picture | None = None
    image: Image | None = None


def load(root: Path, path: str, complete: Container[str]) -> Loaded:
    """Read one file of the album. The id is the first 32 hex digits of the SHA-256 of its content."""
    try:
        large = (root / path).stat().st_size > _LARGE_BYTES
    except OSError:
        large = False  # it is about to be told why it cannot be read
    with _large if large else nullcontext():
        return _load(root, path, complete)


def _load(root: Path, path: str, complete: Container[str]) -> Loaded:
    from whichpic.album.decode import decode, read_bytes
    from whichpic.album.duplicates import perceptual_hash

    try:
        data, status = read_bytes(root / path)
    except DecodeError as error:
        return Loaded(path, -1, 0, reason=str(error))
    except OSError as error:
        return Loaded(path, -1, 0, reason=f"cannot be read: {error.strerror or error}")
    except MemoryError:
        return Loaded(path, -1, 0, reason="there is not enough memory to read it")
    size, mtime_ns = status.st_size, status.st_mtime_ns
    picture_id = hashlib.sha256(data).hexdigest()[:32]
    if picture_id in complete:
        return Loaded(path, size, mtime_ns, picture_id)
    try:
        decoded = decode(data)
    except DecodeError as error:
        return Loaded(path, size, mtime_ns, reason=str(error))
    picture = Picture(
        id=picture_id,
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        taken=decoded.taken,
        camera=decoded.camera,
        latitude=decoded.latitude,
        longitude=decoded.longitude,
        phash=perceptual_hash(decoded.image),
    )
    return Loaded(path, size, mtime_ns, picture_id, picture=picture, image=decoded.image)


def load_ahead(
    root: Path, paths: Sequence[str], complete: Container[str], *, threads: int
) -> Generator[Loaded, None, None]:
    """Load files in order. At most 2 * threads + 8 are in work or waiting, whatever their number.

    complete: ids that need no decoding; it may grow meanwhile. threads: 0 means as many as settings say, at most 8.
    """
    if not threads:
        from whichpic.settings import settings

        threads = settings().threads or min(8, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        waiting: deque[Future[Loaded]] = deque()
        rest = iter(paths)
        while True:
            for path in islice(rest, 2 * threads + 8 - len(waiting)):
                waiting.append(pool.submit(load, root, path, complete))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
