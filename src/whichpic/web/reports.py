"""The reports and dialogues below the folders that were named for it. Called by pages.

Reports(folders).found() lists them; a page asks for one by its slug, which is made here: no address is ever a path.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whichpic.errors import SessionError, WhichpicError
from whichpic.web.steps import rank_of

if TYPE_CHECKING:
    from whichpic.simulate.dialogues import Dialogue, Header, Turn

DEEPEST = 4
"""Folders below a named one that are looked into."""
MOST_FOLDERS = 4_000
MOST_FOUND = 500
LARGEST = 96 << 20
"""Bytes of a file that is read; a larger one is named only."""
AT_ONCE = 16 << 20
"""Bytes of dialogues that one look at the list reads for their figures; those of the others follow at the next."""
_HELD = 2 * LARGEST  # bytes of files of dialogues that are kept in memory
ROWS = ("rows.parquet", "rows.csv")

Kind = Literal["report", "dialogues"]


@dataclass(frozen=True, slots=True)
class Run:
    """The headline figures of a run: Recall at K of the first and the last turn, BRI, dialogues that ended worse (share)."""

    name: str
    dialogues: int
    turns: int
    k: int = 10
    first: float | None = None
    last: float | None = None
    bri: float | None = None
    worse: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One report (a folder) or one file of dialogues. `place` is its path below the named folder; at: UTC, ISO.

    trouble: why it cannot be opened, in one line; "" where it can.
    """

    slug: str
    kind: Kind
    place: str
    at: str
    runs: tuple[Run, ...] = ()
    trouble: str = ""
    rows: str = ""

    @property
    def name(self) -> str:
        """What a list calls it: its runs, else where it is."""
        names = [run.name for run in self.runs if run.name]
        return " · ".join(names[:3]) + (" …" if len(names) > 3 else "") if names else self.place


@dataclass(frozen=True, slots=True)
class _Place:
    root: Path
    path: Path
    kind: Kind

    @property
    def below(self) -> str:
        below = self.path.relative_to(self.root).as_posix()
        return f"{self.root.name}/{below}" if below != "." else self.root.name or "reports"

    @property
    def file(self) -> Path:
        """The file that says what it is."""
        return self.path / "summary.json" if self.kind == "report" else self.path

    @property
    def slug(self) -> str:
        stem = re.sub(r"[^a-z0-9]+", "-", self.path.stem.casefold()).strip("-")[:40] or self.kind
        return f"{stem}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:8]}"


class Reports:
    """What is below some folders. May be used by several threads; what was read is read again where it has changed."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._roots = [Path(os.path.realpath(folder)) for folder in folders]
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, int, int], Found] = {}
        self._held: OrderedDict[tuple[Path, int, int], tuple[Header, list[Dialogue]]] = OrderedDict()
        self._places: dict[str, _Place] = {}

    def found(self) -> list[Found]:
        """All of them, newest first. A file that is damaged is there too, with the reason."""
        places = {place.slug: place for place in self._look()}
        with self._lock:
            self._places = places
        left = AT_ONCE
        found = []
        for place in sorted(places.values(), key=lambda place: _stat(place)[0], reverse=True):
            spent = 0 if place.kind == "report" or self._key(place) in self._known else _stat(place)[1]
            left -= spent
            found.append(self._described(place, figures=left >= 0 or not spent))
        return sorted(found, key=lambda each: (each.at, each.place), reverse=True)

    def get(self, slug: str) -> Found:
        """One by its slug. Raises SessionError."""
        return self._described(self._place(slug))

    def page(self, slug: str) -> str:
        """The report's own page, as its file has it. Raises SessionError."""
        return self._file(slug, "index.html").read_text(encoding="utf-8", errors="replace")

    def download(self, slug: str, name: str) -> Path:
        """A file of a report: summary.json or its rows; of dialogues, the file itself. Raises SessionError."""
        place = self._place(slug)
        if place.kind == "dialogues" and name == "dialogues.jsonl":
            return place.path
        if name not in ("summary.json", *ROWS):
            raise SessionError(f"a report has summary.json and its rows, not '{name[:40]}'")
        return self._file(slug, name)

    def dialogues(self, slug: str) -> tuple[Header, list[Dialogue]]:
        """The header and the dialogues of a file. Raises SessionError."""
        place = self._place(slug)
        if place.kind != "dialogues":
            raise SessionError("a report has no dialogues to replay; open the file it was made of")
        return self._read(place.path)

    # ---- inside

    def _place(self, slug: str) -> _Place:
        with self._lock:
            place = self._places.get(slug)
        if place is None:  # a link that was kept, and the list not looked at since the start
            self.found()
            with self._lock:
                place = self._places.get(slug)
        if place is None or not place.file.is_file():
            raise SessionError(f"there is no report '{slug[:60]}' here any more; look at the list")
        return place

    def _file(self, slug: str, name: str) -> Path:
        place = self._place(slug)
        path = place.path / name
        if place.kind != "report" or not _inside(path, place.root) or not path.is_file():
            raise SessionError(f"this report has no {name}")
        if path.stat().st_size > LARGEST:
            raise SessionError(f"{name} of this report is too large to be shown")
        return path

    def _look(self) -> Iterator[_Place]:
        left = MOST_FOUND
        for root in self._roots:
            for place in _below(root):
                yield place
                left -= 1
                if not left:
                    return

    def _key(self, place: _Place) -> tuple[Path, int, int]:
        return (place.path, *_stat(place))

    def _described(self, place: _Place, *, figures: bool = True) -> Found:
        key = self._key(place)
        with self._lock:
            if (known := self._known.get(key)) is not None:
                return known
        _, changed, size = key
        at = f"{datetime.fromtimestamp(changed / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}"
        if not figures and size <= LARGEST:
            return Found(place.slug, place.kind, place.below, at)
        runs: tuple[Run, ...] = ()
        trouble = ""
        try:
            if size > LARGEST:
                raise SessionError(f"it has {size >> 20:,} MB: too large to be shown here")
            runs = _runs_of_report(place.file) if place.kind == "report" else self._runs_of_dialogues(place.path)
        except (WhichpicError, OSError, ValueError) as error:
            # The messages of readers name the file with its whole path, which is nobody's business here.
            trouble = " ".join(str(error).replace(str(place.file), place.file.name).split())[:300]
        rows = next((name for name in ROWS if place.kind == "report" and (place.path / name).is_file()), "")
        described = Found(place.slug, place.kind, place.below, at, runs, trouble, rows)
        with self._lock:
            if len(self._known) > 4 * MOST_FOUND:
                self._known.clear()
            self._known[key] = described
        return described

    def _runs_of_dialogues(self, path: Path) -> tuple[Run, ...]:
        header, dialogues = self._read(path)
        name = header.get("name")
        turns = max((len(each.turns) - 1 for each in dialogues), default=0)
        ends = [(each.turns[0], each.turns[-1]) for each in dialogues]
        n = len(ends) or 1
        return (
            Run(
                name=f"{name or path.stem}"[:200],
                dialogues=len(dialogues),
                turns=turns,
                k=10,
                first=sum(_within(10, first) for first, _ in ends) / n if ends else None,
                last=sum(_within(10, last) for _, last in ends) / n if ends else None,
                worse=sum(rank_of(last) > rank_of(first) for first, last in ends) / n if ends else None,
            ),
        )

    def _read(self, path: Path) -> tuple[Header, list[Dialogue]]:
        from whichpic.simulate.dialogues import read_dialogues

        try:
            stat = path.stat()
        except OSError as error:
            raise SessionError(f"{path.name} cannot be read: {error.strerror or error}") from None
        key = (path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        if stat.st_size > LARGEST:
            raise SessionError(f"{path.name} has {stat.st_size >> 20:,} MB: too large to be shown here")
        try:
            read = read_dialogues(path)
        except SessionError as error:
            raise SessionError(str(error).replace(str(path), path.name)) from None
        with self._lock:
            self._held[key] = read
            while len(self._held) > 1 and sum(size for _, _, size in self._held) > _HELD:
                self._held.popitem(last=False)
        return read


def _below(root: Path) -> Iterator[_Place]:
    """Reports and files of dialogues in a folder and up to four below it; links out of it are not followed."""
    for visited, (folder, names, files) in enumerate(os.walk(root, followlinks=False)):
        here = Path(folder)
        depth = len(here.relative_to(root).parts)
        names[:] = sorted(name for name in names if not name.startswith(".")) if depth < DEEPEST else []
        if visited >= MOST_FOLDERS:
            return
        if {"index.html", "summary.json"} <= set(files) and _inside(here / "summary.json", root):
            yield _Place(root, here, "report")
        for name in sorted(files):
            path = here / name
            if name.endswith(".jsonl") and _inside(path, root) and _has_dialogues(path):
                yield _Place(root, path, "dialogues")


def _stat(place: _Place) -> tuple[int, int]:
    """When the file was written (ns), and its size; zeros where it has gone."""
    try:
        stat = place.file.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)


def _has_dialogues(path: Path) -> bool:
    """Whether a file begins as one of dialogues does: sessions, pairs and replies are JSON lines, too."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return b'"whichpic_dialogues"' in file.read(200)
    except OSError:
        return False


def _runs_of_report(file: Path) -> tuple[Run, ...]:
    from whichpic.evaluate import tables
    from whichpic.evaluate.report import read_summary

    runs = []
    for run in read_summary(file)["runs"]:
        depth = tables.depth_of(run)
        recall = tables.values_of(run, f"recall@{depth}")
        runs.append(Run(
            name=tables.plain(run["name"])[:200], dialogues=run["dialogues"], turns=max(tables.turns_of(run) - 1, 0),
            k=depth, first=tables.at(recall, 0), last=tables.at(recall, -1),
            bri=tables.at(tables.values_of(run, "bri"), -1), worse=(run.get("harm") or {}).get("ended_worse"),
        ))  # fmt: skip
    return tuple(runs)


def _within(k: int, turn: Turn) -> float:
    """The share of the orders of tied pictures that have the target among the first k."""
    return min(max((k - turn.better) / (turn.ties + 1), 0.0), 1.0)
