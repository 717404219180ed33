"""What a run of indexing has to do: the folder compared with the catalogue. Called by indexing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from whichpic.album import catalogue
from whichpic.album.reading import Loaded
from whichpic.album.scan import Found

_PUT_FILE = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Plan:
    """The plan of one run and, as the run goes on, the tally of what became of it.

    todo: paths to read, sorted. known: path -> picture id (None: skipped) before the run. vanished: known paths that
    are gone. complete: ids that need no decoding; it grows. has_vector, has_facts: ids as they were before the run.
    maker: the name under which new facts are written. skips: rows for what the scan itself refused.
    """

    todo: list[str]
    known: dict[str, str | None]
    vanished: set[str]
    complete: set[str]
    has_vector: set[str]
    has_facts: set[str]
    maker: str
    skips: list[tuple[str, None, int, int, str]]
    tally: Counter[str]
    failed: int = 0
    finished: bool = False
    lost: Counter[str] = field(default_factory=Counter)
    redone: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def count(self, loaded: Loaded) -> None:
        """Say what became of a file: added, changed, moved, copied, unchanged, or failed."""
        before = self.known.get(loaded.path)
        if loaded.reason:
            self.failed += 1
            if loaded.path in self.redone:
                self.tally["unchanged"] -= 1
            if before:
                self.tally["changed"] += 1
        elif before == loaded.id:
            self.tally["unchanged"] += loaded.path not in self.redone
        elif before:
            self.tally["changed"] += 1
            self.tally["unchanged"] -= loaded.path in self.redone
        elif self.lost[loaded.id] > 0:
            self.lost[loaded.id] -= 1
            self.tally["moved"] += 1
        elif loaded.id in self.seen:
            self.tally["copied"] += 1
        else:
            self.tally["added"] += 1
        self.seen.add(loaded.id)

    def removed(self) -> int:
        """How many files with a picture are gone and have not turned up elsewhere."""
        return sum(1 for path in self.vanished if self.known[path]) - self.tally["moved"]

    def put_files(self, connection: sqlite3.Connection, rows: Sequence[Loaded]) -> None:
        """Write the rows of files that were read. Inside a write transaction."""
        if not rows:
            return
        connection.executemany(
            _PUT_FILE, [(row.path, row.id or None, row.size, row.mtime_ns, row.reason or None) for row in rows]
        )
        if any(self.known.get(row.path) != (row.id or None) for row in rows):
            catalogue.bump(connection, "files")
            catalogue.bump(connection, "content")

    def finish(self, connection: sqlite3.Connection, decoder: str) -> None:
        """Forget what is gone, after all that is new was committed: a picture that moved is never without a file."""
        with catalogue.transaction(connection):
            connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in self.vanished])
            connection.executemany(_PUT_FILE, self.skips)
            orphans = catalogue.drop_orphans(connection)
            refused = [path for path, *_ in self.skips]
            if orphans or any(self.known.get(path) for path in (*self.vanished, *refused)):
                catalogue.bump(connection, "files")
                catalogue.bump(connection, "content")
            catalogue.set_meta(connection, "decoder", decoder)
        self.finished = True


def make_plan(
    connection: sqlite3.Connection, found: Found, encoder_id: str, maker: tuple[str, str], decoder: str
) -> Plan:
    """Compare. maker: the name of who makes facts, and the beginning of the names whose facts are good enough.

    A file is read if it is new, its size or time differs, it was skipped by another decoder, or its picture lacks
    vectors of this encoder or facts.
    """
    retry = catalogue.meta(connection, "decoder") != decoder
    rows = connection.execute("SELECT path, picture_id, size, mtime_ns FROM files").fetchall()
    known: dict[str, str | None] = {path: picture_id for path, picture_id, _, _ in rows}
    stamps = {path: (size, mtime_ns) for path, picture_id, size, mtime_ns in rows if picture_id or not retry}
    refused = {skip.path for skip in found.skipped}
    closed = tuple(f"{folder}/" for folder in found.closed)
    vanished = {
        path
        for path in known
        if path not in found.files and path not in refused and not (closed and path.startswith(closed))
    }
    has_vector = _ids(connection, "SELECT picture_id FROM vectors WHERE encoder = ?", encoder_id)
    has_facts = _ids(
        connection, "SELECT picture_id FROM facts WHERE substr(made_by, 1, ?) = ?", len(maker[1]), maker[1]
    )
    present = _ids(connection, "SELECT id FROM pictures")
    complete = present & has_vector & has_facts
    todo: list[str] = []
    redone: set[str] = set()
    unchanged = 0
    taken: set[str] = set()
    for path, stamp in sorted(found.files.items()):
        if stamps.get(path) != stamp:
            todo.append(path)
        elif picture_id := known[path]:
            unchanged += 1
            if picture_id not in complete and picture_id not in taken:
                taken.add(picture_id)
                redone.add(path)
                todo.append(path)
    return Plan(
        todo=todo,
        known=known,
        vanished=vanished,
        complete=complete,
        has_vector=has_vector & present,
        has_facts=has_facts & present,
        maker=maker[0],
        skips=[(skip.path, None, -1, 0, skip.reason) for skip in found.skipped],
        tally=Counter(unchanged=unchanged),
        lost=Counter(picture_id for path in vanished if (picture_id := known[path])),
        seen=present,
        redone=redone,
    )


def _ids(connection: sqlite3.Connection, query: str, *values: str | int) -> set[str]:
    return {picture_id for (picture_id,) in connection.execute(query, values)}
