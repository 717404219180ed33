"""The albums that are served, by name, and their indexing in the background. Called by api, pages, talks and mcp.

An album is searched while it is being indexed: what is there already is what is searched, and it grows every few seconds.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whichpic.errors import AlbumError, EncoderError, WhichpicError
from whichpic.web.views import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from whichpic.album.indexing import Progress
    from whichpic.api import Album
    from whichpic.search.gallery import Gallery
    from whichpic.types import Encoder, Skip

log = logging.getLogger(__name__)

OFTEN = 2.0
"""Seconds between looks at what an index has added; more where reading the album takes long."""


@dataclass(frozen=True, slots=True)
class Indexing:
    """How far the index of an album is. `skipped` are its files that cannot be read, as far as this run has met them."""

    state: Literal["idle", "running", "paused", "failed"] = "idle"
    phase: str = ""
    done: int = 0
    total: int = 0
    skipped: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def per_second(self) -> float:
        """Pictures in a second, 0 where it is too early to say."""
        return self.done / self.seconds if self.seconds > 0.5 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At this pace; None where it is too early to say."""
        return (self.total - self.done) / self.per_second if self.per_second and self.total else None


class Shelved:
    """One album that is served: its gallery of now, and the thread that indexes it."""

    def __init__(self, name: str, album: Album) -> None:
        self.name = name
        self.album = album
        self.title = album.store.root.name or str(album.store.root)
        self.revision = 0
        """Counts how often the gallery was read anew."""
        self.indexing = Indexing()
        self._gallery: Gallery | None = None
        self._why_none = ""
        self._lock = threading.Lock()  # of reading the album, which takes a while
        self._starting = threading.Lock()
        self._closed = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._watchers: list[Callable[[], None]] = []
        self.look()

    @property
    def gallery(self) -> Gallery:
        """The album as it can be searched now. Raises AlbumError where nothing of it is indexed yet."""
        if self._gallery is None:
            raise AlbumError(self._why_none or f"{self.title} is being indexed: nothing of it can be searched yet")
        return self._gallery

    @property
    def ready(self) -> bool:
        """Whether there is anything to search."""
        return self._gallery is not None

    @property
    def captions_only(self) -> bool:
        """Whether the album has captions and no picture files."""
        return self.album.store.captions_only

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` (from any thread) when the indexing or the gallery has moved on; gives back what ends it."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed) if changed in self._watchers else None

    def skips(self) -> list[Skip]:
        """The files that are not indexed, with the reasons."""
        return list(self.album.store.skipped())

    def thumbnail(self, picture: str, side: int) -> bytes:
        """A JPEG of a picture, its longer side at most `side` pixels. Raises AlbumError or DecodeError."""
        if picture not in self.gallery.positions:
            raise AlbumError(f"{self.title} has no picture {picture}")
        return self.album.store.thumbnail(picture, side).read_bytes()

    def look(self) -> bool:
        """Read the album again where its store has changed. True where it had."""
        store = self.album.store
        with self._lock:
            if self._closed:
                return False
            try:
                if self._gallery is not None and self._gallery.version == store.version:
                    return False
                store.refresh()
                self.album._gallery = None
                fresh = self.album.gallery
            except EncoderError as error:
                self._why_none = str(error)
                return False
            if not fresh.n:
                return False
            # What the first turn needs is made before, and not while somebody waits; so are the encoder's weights read.
            fresh.facts, fresh.groups  # noqa: B018
            with suppress(WhichpicError):
                fresh.evidence("a picture")
            self._gallery = fresh
            self.revision += 1
        self._tell()
        return True

    def line(self, what: object) -> str:
        """A text or an error on one line, without the paths of this machine: the album goes by its title."""
        store, line = self.album.store, " ".join(str(what).split())
        told = {store.home: f"the index of {self.title}", store.root: self.title, Path.home(): "~"}
        for path, name in told.items():
            line = line.replace(str(path), name) if path != Path(path.anchor) else line
        return clean(line)

    # ---- indexing

    def start(self) -> None:
        """Index what is new in the folder, in the background; goes on where it was paused."""
        with self._starting:
            self._stop.clear()
            if self._thread is not None:  # a pause that is not over yet is taken back
                return
            self.indexing = Indexing("running", "scan")
            self._thread = threading.Thread(target=self._index, name=f"index {self.name}", daemon=True)
            self._thread.start()
        self._tell()

    def pause(self) -> None:
        """Stop after the batch that is under way; nothing that was done is lost."""
        self._stop.set()

    def close(self, seconds: float = 5.0) -> None:
        """Stop indexing, wait for its last batch, and let go of the store."""
        self._closed = True
        self.pause()
        if (thread := self._thread) is not None:
            thread.join(seconds)
        if self._lock.acquire(timeout=seconds):  # it is not closed while it is read
            self.album.close()
            self._lock.release()

    def _index(self) -> None:
        while True:
            ended = self._indexed()
            self._looked()
            with self._starting:
                if ended.state != "paused" or self._stop.is_set():
                    self._thread = None
                    self.indexing = ended  # who reads that it has ended finds its pictures
                    break
        self._tell()

    def _indexed(self) -> Indexing:
        """Index until there is nothing more to do, or `_stop`; how that ended."""
        from whichpic.api import Album

        try:
            # A store of its own: the one that is read from stays open, and as it is, until `look`.
            with Album.open(self.album.store.root, encoder=self.album.encoder, store=self.album.store.home) as writer:
                report = writer.index(on_progress=self._progress, stop=self._stop.is_set)
            state: Literal["paused", "idle"] = "paused" if report.stopped else "idle"
            return replace(self.indexing, state=state, skipped=len(report.skipped), error="")
        except (WhichpicError, OSError) as error:
            return replace(self.indexing, state="failed", error=self.line(error))
        except Exception as error:  # a thread that dies in silence would leave "running" on the screen for good
            log.exception("%s could not be indexed", self.name)
            return replace(self.indexing, state="failed", error=f"indexing failed: {type(error).__name__}")

    _next = 0.0

    def _progress(self, now: Progress) -> None:
        self.indexing = Indexing("running", now.phase, now.done, now.total, now.skipped, now.seconds)
        if time.monotonic() >= self._next:
            began = time.monotonic()
            self._looked()
            self._next = time.monotonic() + max(OFTEN, 5 * (time.monotonic() - began))
        self._tell()

    def _looked(self) -> None:
        try:
            self.look()
        except (WhichpicError, OSError) as error:
            self._why_none = " ".join(str(error).split())

    def _tell(self) -> None:
        for changed in list(self._watchers):
            try:
                changed()
            except Exception:  # a page that has gone must not end the indexing
                log.exception("a watcher of an album failed")


@dataclass
class Shelf:
    """The albums that are served, in their order. Their names are made of those of their folders."""

    albums: dict[str, Shelved] = field(default_factory=dict)

    @classmethod
    def of(cls, albums: Sequence[Album]) -> Shelf:
        """A shelf of opened albums. Raises AlbumError where there is none, or one is there twice."""
        if not albums:
            raise AlbumError("there is no album to serve; name a folder of pictures")
        shelf = cls()
        for album in albums:
            if any(each.album.store.root == album.store.root for each in shelf):
                raise AlbumError(f"{album.store.root} is named twice")
            name = _free(album.store.root, shelf.albums)
            shelf.albums[name] = Shelved(name, album)
        return shelf

    def __getitem__(self, name: str) -> Shelved:
        """The album of a name. Raises AlbumError."""
        try:
            return self.albums[name]
        except KeyError:
            raise AlbumError(f"there is no album '{name[:80]}'; there are: {', '.join(self.albums)}") from None

    def __iter__(self) -> Iterator[Shelved]:
        return iter(self.albums.values())

    def __len__(self) -> int:
        return len(self.albums)

    def line(self, what: object) -> str:
        """A text or an error on one line, without the paths of this machine: albums go by their titles."""
        for each in self:
            what = each.line(what)
        return str(what)

    @property
    def first(self) -> Shelved:
        """The album that a page shows before one is chosen."""
        return next(iter(self))

    def close(self) -> None:
        """Stop every indexing and let go of the stores."""
        for each in self:
            each.close()


def opened(folders: Sequence[Path], *, encoder: str | Encoder = "auto", store: Path | None = None,
           fetch: Callable[[str], object] | None = None) -> Shelf:  # fmt: skip
    """A shelf of folders of pictures, or data sets of captions. Raises what `Album.open` raises."""
    from whichpic.api import Album

    if store is not None and len(folders) > 1:
        raise AlbumError("--store says where one index is kept; serve several albums without it")
    albums: list[Album] = []
    try:
        for folder in folders:
            albums.append(Album.open(folder, encoder=encoder, store=store, fetch=fetch))
        return Shelf.of(albums)
    except BaseException:
        for album in albums:
            album.close()
        raise


def _free(root: Path, taken: dict[str, Shelved]) -> str:
    """A name for addresses: of the folder's own, with a number where there is one of that name already."""
    stem = re.sub(r"[^\w]+", "-", root.stem.casefold()).strip("-")[:60] or "album"
    return next(name for name in (stem, *(f"{stem}-{k}" for k in range(2, 1000))) if name not in taken)
