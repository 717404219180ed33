"""The sessions that are open, by album and id: begun, found again, branched, removed. Called by api, pages and mcp.

A talk that nobody holds any more is read again from its file when asked for.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from whichpic.dialogue import Session
from whichpic.errors import SessionError
from whichpic.web.desk import Desk
from whichpic.web.kept import Kept, kept
from whichpic.web.talk import Talk

if TYPE_CHECKING:
    from pathlib import Path

    from whichpic.web.shelf import Shelf, Shelved

MOST_OPEN = 512
"""Sessions that are held in memory at once."""
MOST_KEPT = 20_000
"""Session files of one album; beyond it none is begun."""
IDLE = 60.0
"""Seconds after which a session that nobody watches is let go of when its album grows."""
_ID = re.compile(r"[\w-]{1,80}")


class NoSession(SessionError):
    """There is no session of that id."""


class TooMany(SessionError):
    """More sessions are open, or kept, than there is room for."""


class Talks:
    """All sessions of a shelf. options are those of `Session`: asker, chat, rewriter, rerank, ..."""

    def __init__(self, shelf: Shelf, desk: Desk, *, most: int = MOST_OPEN, **options: Any) -> None:
        self.shelf = shelf
        self.desk = desk
        self.options = options
        self._most = most
        self._open: OrderedDict[tuple[str, str], Talk] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, album: str, *, language: str = "auto") -> Talk:
        """A new session; its file is written with the first thing that is done. Raises AlbumError, SessionError."""
        shelved = self.shelf[album]
        folder = _roomy(shelved)
        session = Session(shelved.gallery, folder=folder, **self._options(shelved, language))
        return self._hold(Talk(shelved, session, self.desk))

    def get(self, album: str, id: str, *, language: str = "auto") -> Talk:
        """A session by its id: one that is open, else from its file. Raises AlbumError, SessionError."""
        shelved = self.shelf[album]
        with self._lock:
            talk = self._open.get((album, id))
            if talk is not None:
                self._open.move_to_end((album, id))
                talk.used()
                return talk
        path = shelved.album.store.sessions / f"{id}.jsonl"
        if not _ID.fullmatch(id) or not path.is_file():
            raise NoSession(f"{shelved.title} has no session '{id[:80]}'")
        options = self._options(shelved, language)
        session = Session.resume(shelved.gallery, path, folder=path.parent, **options)
        return self._hold(Talk(shelved, session, self.desk))

    def branch(self, talk: Talk, n: int | None = None) -> Talk:
        """A copy of a session that goes on by itself, from record n or from its end. Raises SessionError."""
        _roomy(talk.shelved)
        with talk._lock:
            return self._hold(Talk(talk.shelved, talk.session.branch(n), self.desk))

    def kept(self, album: str, most: int = 50) -> list[Kept]:
        """The sessions that were kept, newest first."""
        return [each for each in kept(self.shelf[album], most=most)[0] if not each.trouble]

    def remove(self, album: str, id: str) -> None:
        """Delete a session for good. Raises AlbumError, SessionError: not there, open somewhere, or not to be deleted."""
        shelved = self.shelf[album]
        path = shelved.album.store.sessions / f"{id}.jsonl"
        with self._lock:
            held = self._open.get((album, id))
            if held is not None and held.watched:
                raise SessionError("this session is open in a page: close it there first")
            if not _ID.fullmatch(id) or not path.is_file():
                raise NoSession(f"{shelved.title} has no session '{id[:80]}'")
            try:
                path.unlink()
            except OSError as error:
                raise SessionError(f"the session cannot be deleted: {error.strerror or error}") from None
            self._open.pop((album, id), None)

    def grown(self, album: str) -> None:
        """The album has: sessions that are watched go on over what it holds now; others when they are asked for."""
        with self._lock:
            talks = [talk for (name, _), talk in self._open.items() if name == album]
            for talk in talks:
                if not talk.watched and talk.idle > IDLE and talk.session.records:
                    del self._open[(album, talk.id)]  # or it would hold the whole album of before; its file is there
        for talk in talks:
            if talk.watched or not talk.session.records:
                self.desk.list_soon(talk.grown)

    def _options(self, shelved: Shelved, language: str) -> dict[str, Any]:
        pictures = None if shelved.captions_only else shelved.album.store.image
        return {"pictures": pictures, **self.options, "language": language}

    def _hold(self, talk: Talk) -> Talk:
        with self._lock:
            # Two who open one session get one talk, or each would write over what the other does not know.
            held = self._open.setdefault((talk.shelved.name, talk.id), talk)
            if len(self._open) > self._most:
                idle = next((key for key, each in self._open.items() if not each.watched and each is not held), None)
                if idle is None:
                    del self._open[(talk.shelved.name, talk.id)]
                    raise TooMany(f"{self._most} sessions are open already; come back a little later")
                del self._open[idle]
            return held


def _roomy(shelved: Shelved) -> Path:
    """The folder of an album's sessions. Raises TooMany where it has room for no more."""
    folder = shelved.album.store.sessions
    if folder.is_dir() and sum(1 for _ in os.scandir(folder)) >= MOST_KEPT:
        raise TooMany(f"{shelved.title} keeps {MOST_KEPT:,} sessions already; remove old ones")
    return folder
