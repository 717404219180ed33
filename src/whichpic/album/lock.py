"""One writer at a time: a lock file in the store, which the system frees when its holder dies.

Called by indexing, places, and the writer of dialogues.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from whichpic.errors import AlbumError

NAME = "lock"


@contextmanager
def writer_lock(home: Path) -> Iterator[None]:
    """Hold the writer's lock of a store. Raises AlbumError at once if somebody else holds it."""
    try:
        descriptor = os.open(home / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise AlbumError(f"cannot write to the store {home}: {error.strerror or error}") from error
    try:
        if not take(descriptor):
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            who = f" (process {holder})" if holder.isdigit() else ""
            raise AlbumError(f"another whichpic is indexing this album{who}: wait until it is done (store: {home})")
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % os.getpid())
        except OSError:
            pass  # a full disk: the lock holds all the same
        yield
    finally:
        os.close(descriptor)


def take(descriptor: int) -> bool:
    """Lock an open file for this process, without waiting; False where another one holds it. Closing it frees it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
