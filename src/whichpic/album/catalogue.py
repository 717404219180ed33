"""The catalogue: one SQLite file that knows the pictures, their files, facts, captions and vector rows.

Called by store (reading) and indexing (writing). It is in WAL mode: readers work while one writer writes.
"""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from whichpic.errors import AlbumError, StoreFull
from whichpic.types import Fact, Picture, Skip

NAME = "catalogue.sqlite"

# Entry n brings a catalogue from schema version n to n + 1. Never edit an entry that was released.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE pictures (
        id TEXT PRIMARY KEY, width INTEGER, height INTEGER, format TEXT, taken TEXT, camera TEXT,
        latitude REAL, longitude REAL, phash INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE files (
        path TEXT PRIMARY KEY, picture_id TEXT, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, reason TEXT
    ) WITHOUT ROWID;
    CREATE INDEX files_by_picture ON files (picture_id);
    CREATE TABLE facts (picture_id TEXT PRIMARY KEY, made_by TEXT NOT NULL, facts TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE captions (
        id INTEGER PRIMARY KEY, picture_id TEXT NOT NULL, text TEXT NOT NULL, position INTEGER NOT NULL,
        UNIQUE (picture_id, text)
    );
    CREATE TABLE caption_files (
        path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, image_column TEXT, caption_column TEXT,
        named INTEGER NOT NULL, files_version INTEGER, reasons TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE vector_files (
        kind TEXT, encoder TEXT, dim INTEGER NOT NULL, generation INTEGER NOT NULL, rows INTEGER NOT NULL,
        PRIMARY KEY (kind, encoder)
    ) WITHOUT ROWID;
    CREATE TABLE batches (
        kind TEXT, encoder TEXT, start INTEGER, count INTEGER NOT NULL, crc INTEGER NOT NULL,
        PRIMARY KEY (kind, encoder, start)
    ) WITHOUT ROWID;
    CREATE TABLE vectors (
        encoder TEXT, picture_id TEXT, row INTEGER NOT NULL, PRIMARY KEY (encoder, picture_id)
    ) WITHOUT ROWID;
    CREATE TABLE caption_vectors (
        encoder TEXT, caption_id INTEGER, row INTEGER NOT NULL, PRIMARY KEY (encoder, caption_id)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE stated (picture_id TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID
    """,
    """
    CREATE TABLE texts (picture_id TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX texts_by_digest ON texts (digest);
    CREATE TABLE text_vectors (
        encoder TEXT, digest TEXT, row INTEGER NOT NULL, PRIMARY KEY (encoder, digest)
    ) WITHOUT ROWID
    """,
)
_READABLE = 2  # an older catalogue lacks a table that every reader needs; a newer one only what readers can do without

# What SQLite says when a file cannot grow: the catalogue, its WAL, or the memory that readers share.
_DISK_FULL = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
}


@contextmanager
def clear_errors(home: Path) -> Iterator[None]:
    """What SQLite and the disk say about the store at `home`, as an AlbumError or StoreFull of one line."""
    import errno

    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) in _DISK_FULL:
            raise full(home) from error
        raise _unusable(home, error) from error
    except UnicodeDecodeError as error:  # sqlite3 cannot say what it is that SQLite finds wrong with a damaged file
        raise _damaged(home, error) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise full(home) from error
        raise AlbumError(f"cannot use the store {home}: {error.strerror or error}") from error


def full(home: Path) -> StoreFull:
    """The error for a disk without room."""
    return StoreFull(
        f"no room left for the store {home}: what was indexed is kept; free some space (or move the store with"
        " --store) and index again"
    )


def _unusable(home: Path, error: sqlite3.Error) -> AlbumError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(home, error)
    if code == sqlite3.SQLITE_BUSY:
        return AlbumError(f"the store {home} is busy: another program is writing to it; try again in a moment")
    if str(error).startswith(("no such table", "no such column", "Could not decode to UTF-8")):
        return _damaged(home, error)
    return AlbumError(f"cannot use the catalogue in {home}: {error}")


def _damaged(home: Path, error: Exception) -> AlbumError:
    # Only this file: the folder also holds the user's sessions, and may hold things of the user's own.
    why = "".join(c if c.isprintable() else "?" for c in str(error).splitlines()[0][:80])
    return AlbumError(f"the catalogue in {home} is damaged ({why}): delete {home / NAME} and index again")


def connect(home: Path, *, write: bool) -> sqlite3.Connection:
    """Open the catalogue in `home`. `write` creates it, or brings it to the present schema.

    Raises AlbumError where it is damaged, was made by a newer whichpic, or cannot be opened.
    """
    path = home / NAME
    with clear_errors(home):
        if write:
            connection = _connection(path, "rwc")
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                _migrate(connection, home)
            except BaseException:
                connection.close()
                raise
            return connection
        connection, version = _open_to_read(path)
        connection.execute("PRAGMA query_only = 1")
    if not _READABLE <= version <= len(MIGRATIONS):
        connection.close()
        _refuse_newer(version, home)
        raise AlbumError(f"the store {home} was made by an older whichpic: index the album once more")
    return connection


def _open_to_read(path: Path) -> tuple[sqlite3.Connection, int]:
    """A connection and the schema version it found; also where nothing can be written, a read-only disk for example."""
    ways = [("rw", "")]
    if not os.access(path.parent, os.W_OK):
        wal = path.with_name(f"{path.name}-wal")
        # "immutable" looks past the WAL: right only where there is none, and nobody can be writing one.
        ways += [("ro", "")] if wal.exists() and wal.stat().st_size else [("ro", ""), ("ro", "&immutable=1")]
    for last, (mode, more) in enumerate(ways, 1):
        connection = _connection(path, mode, more)
        try:
            return connection, _schema(connection)
        except sqlite3.OperationalError:
            connection.close()
            if last == len(ways):
                raise
    raise AssertionError("there is always one way")


def copy(home: Path, target: Path) -> None:
    """Write all that the catalogue in `home` holds, its WAL included, to the new file `target`."""
    source, _ = _open_to_read(home / NAME)
    try:
        destination = sqlite3.connect(target)
        try:
            source.backup(destination)
            # One file, ready to be renamed: what lies in a WAL would stay behind.
            destination.execute("PRAGMA journal_mode = DELETE")
        finally:
            destination.close()
    finally:
        source.close()


def _connection(path: Path, mode: str, more: str = "") -> sqlite3.Connection:
    # Autocommit: transactions are opened by `transaction` alone. The store guards its connection with a lock.
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}{more}",
        uri=True,
        timeout=15,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA trusted_schema = 0")
    return connection


def _schema(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _refuse_newer(version: int, home: Path) -> None:
    if version > len(MIGRATIONS):
        raise AlbumError(f"the store {home} was made by a newer whichpic (schema {version}): update whichpic")


def _migrate(connection: sqlite3.Connection, home: Path) -> None:
    if _schema(connection) == len(MIGRATIONS):
        return
    with transaction(connection):
        version = _schema(connection)  # again, inside: another process may have been first
        _refuse_newer(version, home)
        if version == 0:
            connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
            set_meta(connection, "album", uuid.uuid4().hex[:12])
        for step in MIGRATIONS[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        set_meta(connection, "schema", len(MIGRATIONS))
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = True) -> Iterator[None]:
    """All or nothing; with write=False, one consistent view for several reads."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def meta(connection: sqlite3.Connection, key: str, default: str = "") -> str:
    """A value of the table meta, as text."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return default if row is None else str(row[0])


def set_meta(connection: sqlite3.Connection, key: str, value: str | int) -> None:
    """Set a value of the table meta."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def bump(connection: sqlite3.Connection, counter: str) -> None:
    """Count one change: "content" is what ranking depends on, "files" which file holds which picture."""
    set_meta(connection, counter, int(meta(connection, counter, "0")) + 1)


def put_picture(connection: sqlite3.Connection, picture: Picture) -> None:
    """Write the row of a picture (its paths are rows of the table files)."""
    signed = None if picture.phash is None else picture.phash - (1 << 64 if picture.phash >> 63 else 0)
    connection.execute(
        "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(picture.id, picture.width, picture.height, picture.format, picture.taken, picture.camera),
            *(picture.latitude, picture.longitude, signed),
        ),
    )


def get_pictures(connection: sqlite3.Connection) -> list[Picture]:
    """All pictures that a file holds, ordered by id, each with its paths sorted."""
    paths: dict[str, list[str]] = {}
    for picture_id, path in connection.execute("SELECT picture_id, path FROM files WHERE picture_id IS NOT NULL"):
        paths.setdefault(picture_id, []).append(path)
    found = []
    for row in connection.execute("SELECT * FROM pictures ORDER BY id"):
        if held := paths.get(row[0]):
            phash = None if row[8] is None else row[8] & (1 << 64) - 1
            found.append(Picture(*row[:8], phash=phash, paths=tuple(sorted(held))))  # type: ignore[misc]
    return found


def put_facts(connection: sqlite3.Connection, picture_id: str, made_by: str, facts: Iterable[Fact]) -> None:
    """Write the facts of one picture and who made them."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (picture_id, made_by, facts_text(facts)))


def facts_text(facts: Iterable[Fact]) -> str:
    """Facts as they are stored."""
    rows = [[f.attribute, f.value, f.p, f.source, *([dict(f.detail)] if f.detail else [])] for f in facts]
    # Detail of a stranger's file may hold what UTF-8 cannot: it is kept as an escape.
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() or _is_utf8(text) else json.dumps(rows, separators=(",", ":"))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class StoredFacts(Mapping[str, tuple[Fact, ...]]):
    """Facts by picture id, kept as they were stored: a large album has millions, and most are never looked at."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, picture_id: str) -> tuple[Fact, ...]:
        return tuple(Fact(*row) for row in json.loads(self._texts[picture_id]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def rows(self, picture_id: str) -> list[list[Any]]:
        """The facts of a picture as [attribute, value, p, source] or [..., detail]; none for an unknown id."""
        text = self._texts.get(picture_id)
        rows: list[list[Any]] = json.loads(text) if text else []
        return rows


def get_facts(connection: sqlite3.Connection) -> StoredFacts:
    """Facts by picture id: what a data set states of a picture stands in place of what was inferred of it.

    What EXIF says, and which way up a picture is, nobody inferred: it stays where nothing else is stated of it.
    """
    texts = dict(connection.execute("SELECT picture_id, facts FROM facts"))
    for picture_id, stated in connection.execute("SELECT picture_id, facts FROM stated"):
        rows = json.loads(stated)
        attributes = {row[0] for row in rows}
        known = json.loads(texts.get(picture_id, "[]"))
        measured = [row for row in known if row[0] not in attributes and (row[3] == "exif" or row[0] == "orientation")]
        texts[picture_id] = json.dumps(rows + measured, separators=(",", ":")) if measured else stated
    return StoredFacts(texts)


def put_stated(connection: sqlite3.Connection, stated: Mapping[str, str]) -> None:
    """Make the table of what data sets state equal to `stated`: picture id -> facts. Inside a write transaction."""
    if dict(connection.execute("SELECT picture_id, facts FROM stated")) == stated:
        return
    connection.execute("DELETE FROM stated")
    connection.executemany("INSERT INTO stated VALUES (?, ?)", stated.items())
    bump(connection, "content")


def get_captions(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Captions by picture id, in the order of their source."""
    found: dict[str, list[str]] = {}
    for picture_id, text in connection.execute("SELECT picture_id, text FROM captions ORDER BY picture_id, position"):
        found.setdefault(picture_id, []).append(text)
    return {picture_id: tuple(texts) for picture_id, texts in found.items()}


def get_skips(connection: sqlite3.Connection) -> list[Skip]:
    """Files that were not indexed, ordered by path, then what captions files named in vain."""
    rows = connection.execute("SELECT path, reason FROM files WHERE picture_id IS NULL ORDER BY path")
    skips = [Skip(path, reason) for path, reason in rows]
    for path, reasons in connection.execute("SELECT path, reasons FROM caption_files ORDER BY path"):
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")  # bytes where the name is not UTF-8
        skips.extend(Skip(shown, reason) for reason in json.loads(reasons))
    return skips


def drop_orphans(connection: sqlite3.Connection) -> int:
    """Forget pictures that no file holds any more, with all that is known of them; how many there were."""
    held = "(SELECT picture_id FROM files WHERE picture_id IS NOT NULL)"
    count = connection.execute(f"DELETE FROM pictures WHERE id NOT IN {held}").rowcount
    if count:
        drop_dependents(connection)
    return count


def drop_dependents(connection: sqlite3.Connection) -> None:
    """Forget facts, captions and vector rows whose picture or caption is gone."""
    for table in ("facts", "stated", "captions", "texts", "vectors"):
        connection.execute(f"DELETE FROM {table} WHERE picture_id NOT IN (SELECT id FROM pictures)")
    connection.execute("DELETE FROM caption_vectors WHERE caption_id NOT IN (SELECT id FROM captions)")
