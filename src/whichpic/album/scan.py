"""Finds the picture files of an album at any depth, without following anyone out of it. Called by indexing."""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from whichpic.album.decode import EXTENSIONS
from whichpic.errors import AlbumError
from whichpic.types import Skip


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk found. `files`: path relative to the album with forward slashes -> (size in bytes, mtime_ns).

    `skipped` are the entries that cannot be indexed; `closed` the folders that could not be listed (relative, "" is the
    album itself): of what lies below them nothing is known.
    """

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    skipped: list[Skip] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


def scan(root: Path, *, leave_out: Path | None = None) -> Found:
    """Walk the album; files without a picture extension, hidden entries and `leave_out` are passed by silently.

    A folder is entered once, however many links lead to it; real folders come first, so that paths do not depend on
    the names of links. A link that leaves the album is skipped with a reason. Raises AlbumError where the album itself
    cannot be listed.
    """
    found = Found()
    top = Path(os.path.realpath(root))
    barred = os.path.realpath(leave_out) if leave_out else ""
    seen: set[tuple[int, int]] = set()
    real: deque[str] = deque([""])
    linked: deque[str] = deque()
    while real or linked:
        relative = real.popleft() if real else linked.popleft()
        folder = top / relative if relative else top
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen or os.path.realpath(folder) == barred:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not relative:
                raise AlbumError(f"cannot list {root}: {_words(error)}") from error
            found.closed.append(relative)
            found.skipped.append(Skip(_printable(relative), f"the folder cannot be listed: {_words(error)}"))
            continue
        for entry in entries:
            _visit(entry, f"{relative}/{entry.name}" if relative else entry.name, top, found, real, linked)
    return found


def _visit(entry: os.DirEntry[str], path: str, top: Path, found: Found, real: deque[str], linked: deque[str]) -> None:
    if entry.name.startswith("."):
        return
    is_picture = os.path.splitext(entry.name)[1].lower() in EXTENSIONS  # noqa: PTH122 (a hundred thousand times)
    try:
        if entry.is_dir(follow_symlinks=False):
            real.append(path)
            return
        if not is_picture and not entry.is_symlink():
            return
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path))
            is_folder = entry.is_dir()
            if not is_folder and not is_picture:
                return
            if not target.is_relative_to(top):
                found.skipped.append(Skip(_printable(path), "a link that leaves the album"))
                return
            if is_folder:
                linked.append(path)
                return
        status = entry.stat()
    except OSError as error:
        if is_picture:
            found.skipped.append(Skip(_printable(path), _words(error)))
        return
    if _printable(path) != path:
        found.skipped.append(Skip(_printable(path), "its name is not valid UTF-8: rename it"))
    elif not stat.S_ISREG(status.st_mode):
        found.skipped.append(Skip(path, "not a regular file"))
    else:
        found.files[path] = (status.st_size, status.st_mtime_ns)


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _words(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "a link that leads nowhere, or a file that has just gone"
    return error.strerror or str(error)
