"""The store of an album: what is known of its pictures, ready to be read. Called by search, dialogue, web and cli.

A Store may be read while another process indexes. What was loaded stays as it was until `refresh()`, so that pictures,
facts and vector rows of one Store fit each other; `version` is always that of the disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from whichpic.album import catalogue, places, vectors
from whichpic.album.vectors import Kind
from whichpic.errors import AlbumError
from whichpic.types import Fact, Picture, Skip

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.types import Floats, Rows

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of one encoder, one for each picture: of the picture, or of all its captions as one text.

    matrix: float32 [rows, dim], read-only, memory-mapped. rows: int64 [len(store.pictures())], the row of each picture
    in the order of `pictures()`, -1 where it has none.
    """

    matrix: Floats
    rows: Rows


@dataclass(frozen=True, slots=True)
class CaptionVectors:
    """Caption vectors of one encoder.

    matrix: float32 [rows, dim], read-only, memory-mapped. pictures, rows: int64 [live captions], the position in
    `store.pictures()` and the row in `matrix` of each caption, ordered by picture and then as in `captions()`.
    """

    matrix: Floats
    pictures: Rows
    rows: Rows


class Store:
    """An opened store. Made by `Store.open`; a context manager; may be shared by threads."""

    def __init__(self, root: Path, home: Path, *, write: bool) -> None:
        self.root = root
        self.home = home
        self.captions_only = not root.is_dir()
        """True for a data set of captions: nothing here knows of picture files."""
        self._connection = catalogue.connect(home, write=write)
        self._lock = threading.RLock()
        self._loaded: dict[str, object] = {}

    @classmethod
    def open(cls, root: str | os.PathLike[str], *, store: Path | None = None, create: bool = False) -> Self:
        """Open the store of the album in the folder `root`, or of the data set of captions in the file `root`.

        create: make it if there is none, as `index` does. store: keep it in that folder; with `create` it is moved
        there, and found there from then on.
        Raises AlbumError: no such folder, not a folder, no permission, never indexed, damaged.
        """
        folder = places.album_root(root)
        if create:
            return cls(folder, places.choose(folder, store), write=True)
        home = store if store is None or (store / catalogue.NAME).is_file() else None
        home = home or (places.find(folder) if store is None else None)
        if home is None:
            raise AlbumError(f"{root} has not been indexed: index it first: whichpic index {root}")
        return cls(folder, Path(os.path.realpath(home)), write=False)

    def close(self) -> None:
        """Close the catalogue. Vectors that were handed out stay valid."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def refresh(self) -> None:
        """Forget what was loaded; the next call reads the present state of the disk."""
        with self._lock:
            self._loaded.clear()

    @property
    def version(self) -> str:
        """Changes whenever something that ranking depends on changes: pictures, paths, facts, captions, vectors."""
        with self._reading() as connection:
            return f"{catalogue.meta(connection, 'album')}-{catalogue.meta(connection, 'content', '0')}"

    @property
    def sessions(self) -> Path:
        """The folder for saved sessions (`<id>.jsonl`); made when the first one is kept."""
        return self.home / "sessions"

    def pictures(self) -> list[Picture]:
        """All pictures, ordered by id."""
        return self._load("pictures", catalogue.get_pictures)

    def facts(self) -> Mapping[str, tuple[Fact, ...]]:
        """The facts of each picture that has any, by picture id."""
        return self._load("facts", catalogue.get_facts)

    def captions(self) -> dict[str, tuple[str, ...]]:
        """The captions of each picture that has any, by picture id."""
        return self._load("captions", catalogue.get_captions)

    def skipped(self) -> list[Skip]:
        """The files that were not indexed and why, and the same for lines of captions files."""
        return self._load("skipped", catalogue.get_skips)

    def encoders(self) -> list[str]:
        """Ids of the encoders that have vectors here."""
        with self._reading() as connection:
            query = "SELECT encoder FROM vector_files WHERE kind = ? AND rows > 0 ORDER BY encoder"
            kind = "caption" if self.captions_only else "picture"
            return [encoder for (encoder,) in connection.execute(query, (kind,))]

    def vectors(self, encoder_id: str) -> Vectors | None:
        """Picture vectors of an encoder, or None if it has encoded nothing here."""
        return self._per_picture("picture", encoder_id)

    def text_vectors(self, encoder_id: str) -> Vectors | None:
        """Vectors of each picture's captions, joined into one text: a single caption has its own vector here too.

        None if the encoder has encoded no such text, as in an album that an earlier whichpic indexed.
        """
        return self._per_picture("text", encoder_id)

    def caption_vectors(self, encoder_id: str) -> CaptionVectors | None:
        """Caption vectors of an encoder, or None if it has encoded no captions here."""
        positions = self._positions()
        found = self._rows("caption", encoder_id)
        if found is None:
            return None
        matrix, owners = found
        live = [(positions[owner], row) for owner, row in owners if owner in positions and row < len(matrix)]
        pairs = np.array(live, dtype=np.int64).reshape(-1, 2)
        return CaptionVectors(matrix, np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]))

    def absolute(self, picture: Picture) -> Path:
        """The first of the picture's files that exists. Raises AlbumError if none does, or the album has captions only."""
        self._need_pictures()
        for path in picture.paths:
            parts = PurePosixPath(path).parts
            if parts[:1] != ("/",) and ".." not in parts and (whole := self.root / path).is_file():
                return whole
        name = picture.paths[0] if picture.paths else picture.id
        raise AlbumError(f"{name} is no longer in {self.root}: index the album again: whichpic index {self.root}")

    def image(self, picture_id: str, *, side: int = 1600) -> Image:
        """The picture as an RGB image whose longer side is at most `side` pixels.

        Raises AlbumError for an unknown id or a file that has gone, DecodeError for one that can no longer be read.
        """
        from whichpic.album.decode import decode

        position = self._positions().get(picture_id)
        if position is None:
            raise AlbumError(f"no picture {picture_id} in {self.root}")
        return decode(self.absolute(self.pictures()[position]), side=side).image

    def thumbnail(self, picture_id: str, side: int = 320) -> Path:
        """A JPEG of the picture, at most `side` pixels, made at the first call. The folder thumbs/ may be deleted."""
        self._need_pictures()
        if not picture_id.isalnum():
            raise AlbumError(f"no picture {picture_id!r} in {self.root}")
        path = self.home / "thumbs" / picture_id[:2] / f"{picture_id}-{int(side)}.jpg"
        if not path.is_file():
            image = self.image(picture_id, side=side)
            with catalogue.clear_errors(self.home):
                path.parent.mkdir(parents=True, exist_ok=True)
                fresh = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
                try:
                    # Pillow copies a comment of the original unless it is given another.
                    image.save(fresh, "JPEG", quality=85, comment=b"")
                    fresh.replace(path)
                finally:
                    fresh.unlink(missing_ok=True)
        return path

    def _need_pictures(self) -> None:
        if self.captions_only:
            raise AlbumError(f"{self.root} has captions only: there is no picture to show")

    def _positions(self) -> dict[str, int]:
        with self._lock:
            known = self._loaded.get("positions")
            if not isinstance(known, dict):
                known = {picture.id: position for position, picture in enumerate(self.pictures())}
                self._loaded["positions"] = known
            return known

    def _load(self, what: str, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._reading() as connection:
            if what not in self._loaded:
                with catalogue.transaction(connection, write=False):
                    self._loaded[what] = read(connection)
            return self._loaded[what]  # type: ignore[return-value]

    def _per_picture(self, kind: Kind, encoder_id: str) -> Vectors | None:
        positions = self._positions()  # before their rows: while another process indexes, no picture is without its row
        found = self._rows(kind, encoder_id)
        if found is None:
            return None
        matrix, owners = found
        rows = np.full(len(positions), -1, dtype=np.int64)
        for picture_id, row in owners:
            if (position := positions.get(picture_id)) is not None and row < len(matrix):
                rows[position] = row
        return Vectors(matrix, rows)

    def _rows(self, kind: Kind, encoder_id: str) -> tuple[Floats, list[tuple[str, int]]] | None:
        """The matrix and (picture id, row) of each live row, of one moment."""
        for _ in range(5):  # a file that was compacted away between the two reads is found in its next generation
            with self._reading() as connection, catalogue.transaction(connection, write=False):
                file = vectors.get(connection, self.home, kind, encoder_id)
                if file is None or file.rows == 0:
                    return None
                owners = vectors.owners(connection, file)
            with catalogue.clear_errors(self.home), suppress(FileNotFoundError):
                return file.matrix(), owners
        return None  # somebody deleted it: the next index encodes again

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, catalogue.clear_errors(self.home):
            yield self._connection
