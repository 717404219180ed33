"""Small tools for weight files: hashing, copying within a limit, one lock, progress. Used by the rest of models.

Knows nothing of models or networks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from whichpic.errors import ModelError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something is. `what` is one line for a person; `done` and `total` are bytes, total 0 where unknown."""

    what: str
    done: int = 0
    total: int = 0


OnProgress = Callable[[Progress], None]
"""Called from a helper thread while bytes arrive, so it must not assume the caller's thread."""


def megabytes(count: int) -> str:
    """A number of bytes for a person: 0.5 MB, 75 MB, 1.5 GB."""
    if count >= 1_000_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 10_000_000 else f"{max(count / 1e6, 0.1):.1f} MB"


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def remembered_sha256(path: Path, memory: Path) -> str:
    """The sha256 of a file, taken from the JSON file `memory` while size and time of change are the same.

    A folder of the user's own has no record beside it, and hashing a gigabyte at every command would be felt.
    """
    stat = path.stat()
    key, stamp = str(path.resolve()), [stat.st_size, stat.st_mtime_ns]
    known = read_json(memory)
    entry = known.get(key)
    if isinstance(entry, list) and entry[:2] == stamp and len(entry) == 3:
        return str(entry[2])
    known[key] = [*stamp, sha256_of(path)]
    with contextlib.suppress(OSError, ValueError):  # ValueError: a name that is not UTF-8
        write_json(memory, known)
    return str(known[key][2])


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is none or it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(path)


def copy_within(source: IO[bytes], target: Path, *, limit: int, what: str) -> None:
    """Copy a stream into a new file, and refuse as soon as it is longer than `limit` bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = limit
    with target.open("wb") as sink:
        while block := source.read(_CHUNK):
            left -= len(block)
            if left < 0:
                raise ModelError(f"{what} is longer than the {limit:,} bytes it should have; nothing was kept")
            sink.write(block)


def append(piece: Path, target: Path) -> None:
    """Move the content of a file to the end of another."""
    with piece.open("rb") as source, target.open("ab") as sink:
        shutil.copyfileobj(source, sink, _CHUNK)
    piece.unlink()


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in the place of another. A kill in between leaves no folder there, never half of one."""
    old = target.with_name(f".old-{target.name}")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.replace(old)
    new.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _size_below(folder: Path) -> int:
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(base, name), follow_symlinks=False).st_size  # noqa: PTH116, PTH118
    return total


@contextlib.contextmanager
def watching(folder: Path, what: str, total: int, on_progress: OnProgress | None) -> Iterator[None]:
    """Report how a folder grows while the body downloads into it by means that report nothing themselves."""
    if on_progress is None:
        yield
        return
    stop, before = threading.Event(), _size_below(folder)

    def look() -> None:
        while not stop.wait(0.2):
            grown = _size_below(folder) - before
            on_progress(Progress(what, min(max(grown, 0), total) if total else max(grown, 0), total))

    on_progress(Progress(what, 0, total))
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    on_progress(Progress(what, total, total))


@contextlib.contextmanager
def locked(path: Path, on_progress: OnProgress | None = None) -> Iterator[None]:
    """Hold a lock file against other processes and threads; waits, and says so. A killed holder frees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        said = False
        while not _try_lock(handle):
            if not said and on_progress is not None:
                on_progress(Progress("waiting for another whichpic that is fetching weights"))
            said = True
            time.sleep(0.1)
        try:
            yield
        finally:
            _unlock(handle)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[bytes]) -> bool:
        handle.seek(0)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: IO[bytes]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: IO[bytes]) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
