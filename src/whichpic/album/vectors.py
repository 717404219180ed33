"""Vector files: float32 rows that are only ever appended, one file per encoder and kind. Called by store and indexing.

The catalogue says how many rows a file has (its high-water mark), whose they are and what their checksums were. What
lies beyond the mark was written by someone who was interrupted, and is written over.
"""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from whichpic.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.types import Floats

Kind = Literal["picture", "caption", "text"]
"""Of a picture itself, of one caption, and of all captions of a picture as one text."""
FOLDER = "vectors"
DEAD_SHARE = 0.25  # past this share of dead rows, a file is worth copying
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@,-]{0,119}")
_FILE = re.compile(r".+\.\d+\.f32")
_ROWS = {
    "picture": ("vectors", "picture_id"),
    "caption": ("caption_vectors", "caption_id"),
    "text": ("text_vectors", "digest"),
}
_FOLDERS = {"picture": "", "caption": "captions", "text": "texts"}


@dataclass(frozen=True, slots=True)
class VectorFile:
    """One vector file as the catalogue knows it. `rows` is the high-water mark."""

    home: Path
    kind: Kind
    encoder: str
    dim: int
    generation: int = 0
    rows: int = 0

    @property
    def path(self) -> Path:
        """Vectors of what is said have folders of their own, so that no encoder's name can be mistaken for them."""
        return self.home / FOLDER / _FOLDERS[self.kind] / f"{self.encoder}.{self.generation}.f32"

    @property
    def table(self) -> tuple[str, str]:
        """The table that says whose a row is, and its key column."""
        return _ROWS[self.kind]

    def whole_rows(self) -> int:
        """How many of the rows that the catalogue knows are in the file."""
        try:
            return min(self.rows, self.path.stat().st_size // (4 * self.dim))
        except FileNotFoundError:
            return 0

    def matrix(self) -> Floats:
        """The rows that are there, float32 [rows, dim], read-only, mapped. FileNotFoundError once compacted away."""
        count = self.rows if self.rows == 0 else min(self.rows, self.path.stat().st_size // (4 * self.dim))
        if count == 0:
            empty = np.empty((0, self.dim), dtype=np.float32)
            empty.flags.writeable = False
            return empty
        return np.memmap(self.path, dtype=np.float32, mode="r", shape=(count, self.dim))


def get(connection: sqlite3.Connection, home: Path, kind: Kind, encoder: str) -> VectorFile | None:
    """The vector file of an encoder, or None if there is none yet."""
    row = connection.execute(
        "SELECT dim, generation, rows FROM vector_files WHERE kind = ? AND encoder = ?", (kind, encoder)
    ).fetchone()
    return row and VectorFile(home, kind, encoder, *row)


def all_files(connection: sqlite3.Connection, home: Path) -> list[VectorFile]:
    """Every vector file that the catalogue names."""
    rows = connection.execute("SELECT kind, encoder, dim, generation, rows FROM vector_files").fetchall()
    return [VectorFile(home, *row) for row in rows]


def owners(connection: sqlite3.Connection, file: VectorFile) -> list[tuple[str, int]]:
    """(picture id, row) of every live row; of captions ordered by picture and position."""
    if file.kind == "picture":
        query = "SELECT picture_id, row FROM vectors WHERE encoder = ?"
    elif file.kind == "text":
        query = "SELECT t.picture_id, v.row FROM texts t JOIN text_vectors v ON v.digest = t.digest AND v.encoder = ?"
    else:
        query = (
            "SELECT c.picture_id, v.row FROM caption_vectors v JOIN captions c ON c.id = v.caption_id"
            " WHERE v.encoder = ? ORDER BY c.picture_id, c.position"
        )
    return connection.execute(query, (file.encoder,)).fetchall()


def open_for(connection: sqlite3.Connection, home: Path, kind: Kind, encoder: str, dim: int) -> VectorFile:
    """The vector file to append to, registered if new. Inside a write transaction.

    Raises EncoderError for an id that is not safe as a file name or a dim that is not the recorded one.
    """
    if not _SAFE_ID.fullmatch(encoder):
        raise EncoderError(
            f"encoder id {encoder[:130]!r} cannot be a file name: up to 120 letters, digits and ._+=@,- are allowed"
        )
    if not isinstance(dim, int) or dim < 1:
        raise EncoderError(f"encoder {encoder} says that its vectors have {dim!r} numbers; expected an int above 0")
    known = get(connection, home, kind, encoder)
    if known is None:
        known = VectorFile(home, kind, encoder, dim)
        _record(connection, known)
    if known.dim != dim:
        raise EncoderError(
            f"encoder {encoder} makes vectors of {dim} numbers, but this album's have {known.dim}: an encoder whose"
            " vectors change must change its id"
        )
    return known


def checked(vectors: object, count: int, encoder: str, dim: int) -> Floats:
    """The vectors as float32 [count, dim]. Raises EncoderError for another shape or numbers that are not finite."""
    try:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is told below
            array = np.ascontiguousarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EncoderError(f"encoder {encoder} returned what is no array of numbers ({error})") from None
    if array.shape != (count, dim):
        raise EncoderError(f"encoder {encoder} returned vectors of shape {list(array.shape)}, expected {[count, dim]}")
    if not np.isfinite(array).all():
        raise EncoderError(f"encoder {encoder} returned numbers that are not finite: nothing of this batch was kept")
    return array


def append(file: VectorFile, vectors: Floats) -> int:
    """Write rows at the high-water mark and see them onto the disk; their checksum. The catalogue comes afterwards."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.path.exists()
    data = np.ascontiguousarray(vectors, dtype="<f4").tobytes()
    with file.path.open("wb" if is_new else "r+b") as out:
        out.seek(file.rows * file.dim * 4)
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    if is_new:
        _sync_folder(file.path.parent)
    return zlib.crc32(data)


def commit(
    connection: sqlite3.Connection, file: VectorFile, keys: Sequence[str] | Sequence[int], crc: int
) -> VectorFile:
    """Tell the catalogue whose the appended rows are. Inside a write transaction, after `append`."""
    table, _ = file.table
    connection.execute(
        "INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?)", (file.kind, file.encoder, file.rows, len(keys), crc)
    )
    connection.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)",
        [(file.encoder, key, file.rows + i) for i, key in enumerate(keys)],
    )
    return _moved_on(connection, file, file.generation, file.rows + len(keys))


def forget_damaged(connection: sqlite3.Connection, file: VectorFile) -> int:
    """Compare the file with its checksums and clear the rows that are lost; how many owners must be encoded again.

    Inside a write transaction. Reads the whole file once (about 1 GB/s).
    """
    table, _ = file.table
    lost = 0
    whole = file.whole_rows()
    matrix = VectorFile(file.home, file.kind, file.encoder, file.dim, file.generation, whole).matrix()
    spans = connection.execute(
        "SELECT start, count, crc FROM batches WHERE kind = ? AND encoder = ?", (file.kind, file.encoder)
    ).fetchall()
    for start, count, crc in spans:
        if start + count <= whole and zlib.crc32(matrix[start : start + count].data) == crc:
            continue
        lost += connection.execute(
            f"DELETE FROM {table} WHERE encoder = ? AND row >= ? AND row < ?", (file.encoder, start, start + count)
        ).rowcount
        connection.execute(
            "DELETE FROM batches WHERE kind = ? AND encoder = ? AND start = ?", (file.kind, file.encoder, start)
        )
    return lost


def compact(connection: sqlite3.Connection, file: VectorFile) -> VectorFile:
    """Copy the live rows into the next generation if more than a quarter are dead. Inside a write transaction.

    The old file stays until `sweep`: until the transaction is committed it is the one that counts.
    """
    table, key = file.table
    query = f"SELECT {key}, row FROM {table} WHERE encoder = ? ORDER BY row"
    live = connection.execute(query, (file.encoder,)).fetchall()
    if file.rows - len(live) <= DEAD_SHARE * file.rows:
        return file
    # The file may be of an encoder that this run does not use: nobody has looked whether it is still whole.
    if forget_damaged(connection, file):
        live = connection.execute(query, (file.encoder,)).fetchall()
    if not live:
        return _emptied(connection, file)
    matrix = file.matrix()
    target = VectorFile(file.home, file.kind, file.encoder, file.dim, file.generation + 1, 0)
    target.path.unlink(missing_ok=True)
    connection.execute("DELETE FROM batches WHERE kind = ? AND encoder = ?", (file.kind, file.encoder))
    connection.execute(f"DELETE FROM {table} WHERE encoder = ?", (file.encoder,))
    target = _moved_on(connection, target, target.generation, 0)
    for start in range(0, len(live), 4096):
        part = live[start : start + 4096]
        crc = append(target, matrix[[row for _, row in part]])
        target = commit(connection, target, [key for key, _ in part], crc)
    return target


def _emptied(connection: sqlite3.Connection, file: VectorFile) -> VectorFile:
    connection.execute("DELETE FROM batches WHERE kind = ? AND encoder = ?", (file.kind, file.encoder))
    return _moved_on(connection, file, file.generation + 1, 0)


def files_in(home: Path) -> list[Path]:
    """The vector files in a store, sorted; whatever else a user keeps in a folder of that name is not ours."""
    return sorted(path for folder in folders(home) for path in folder.glob("*.f32") if _FILE.fullmatch(path.name))


def folders(home: Path) -> list[Path]:
    """The folders where a store may have vector files, the outer one first."""
    return [home / FOLDER / folder for folder in _FOLDERS.values()]


def sweep(connection: sqlite3.Connection, home: Path) -> None:
    """Delete vector files that the catalogue does not name: old generations, and ones that were never finished."""
    named = {file.path for file in all_files(connection, home)}
    for path in files_in(home):
        if path not in named:
            path.unlink(missing_ok=True)


def _moved_on(connection: sqlite3.Connection, file: VectorFile, generation: int, rows: int) -> VectorFile:
    moved = VectorFile(file.home, file.kind, file.encoder, file.dim, generation, rows)
    _record(connection, moved)
    return moved


def _record(connection: sqlite3.Connection, file: VectorFile) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO vector_files VALUES (?, ?, ?, ?, ?)",
        (file.kind, file.encoder, file.dim, file.generation, file.rows),
    )


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
