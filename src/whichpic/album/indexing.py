"""Makes an album searchable, and keeps it so: `index` brings a store up to date with its folder, or with its data set of
captions. Called by cli and web.

Killed at any moment, what was committed is there and the next run goes on: vectors are on the disk before the catalogue
names them, and a batch is one transaction.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from whichpic.album import catalogue, vectors
from whichpic.album.captioning import encode_captions, update_captions, update_dataset
from whichpic.album.captions import CaptionFile, read_spoken
from whichpic.album.datasets import Reading
from whichpic.album.decode import decoder_id, quiet
from whichpic.album.lock import writer_lock
from whichpic.album.planning import Plan, make_plan
from whichpic.album.reading import Loaded, load_ahead
from whichpic.album.scan import scan
from whichpic.album.store import Store
from whichpic.errors import AlbumError, StoreFull
from whichpic.types import Encoder, Fact, Picture, Seer, Sight, Skip

if TYPE_CHECKING:
    from PIL.Image import Image

_ROWS_PER_COMMIT = 1000  # files that need no encoding are committed together
_SECONDS_BETWEEN_PROGRESS = 0.05


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is. phase: "scan", "pictures" or "captions"; done of total; files skipped; seconds so far."""

    phase: str
    done: int
    total: int
    skipped: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `added` to `unchanged` count files, `encoded` pictures, `captions` all captions there are now.

    skipped: every file that is not indexed now, with its reason. stopped: `stop` ended the run early.
    """

    added: int = 0
    changed: int = 0
    moved: int = 0
    copied: int = 0
    removed: int = 0
    unchanged: int = 0
    encoded: int = 0
    skipped: tuple[Skip, ...] = ()
    captions: int = 0
    seconds: float = 0.0
    stopped: bool = False


def index(
    store: Store,
    encoder: Encoder,
    *,
    seer: Seer | None = None,
    captions: Sequence[CaptionFile] = (),
    reading: Reading | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    batch: int = 32,
    threads: int = 0,
    stop: Callable[[], bool] | None = None,
) -> Report:
    """Bring the store up to date with the album's folder; only what changed is read, only what is new is encoded.

    A file counts as unchanged while its size and modification time are. A picture's id is the first 32 hex digits of
    the SHA-256 of the file, so a renamed or copied file is not encoded again.
    captions: captions files besides those that are found by themselves; they are remembered. reading: how the file of
    an album of captions is read; it is remembered. threads: for decoding, 0 for those of settings. stop: asked after
    every file and batch.
    Raises AlbumError (no pictures at all, another writer), StoreFull, EncoderError (vectors of a wrong shape or not
    finite), CaptionError. After any error, KeyboardInterrupt included, every batch that was committed is kept.
    """
    for file in captions:  # a wrong column is better told now than after an hour
        read_spoken(file)
    with writer_lock(store.home):
        connection = catalogue.connect(store.home, write=True)
        try:
            run = _Run(store, connection, encoder, seer, on_progress, stop, max(1, batch))
            if store.captions_only:
                return run.spoken(reading or Reading())
            with quiet():
                return run.all(threads, captions)
        finally:
            connection.close()
            store.refresh()


@dataclass(slots=True)
class _Waiting:
    """A picture that waits for the encoder, and the files that were found to hold it."""

    picture: Picture
    image: Image
    files: list[Loaded]


@dataclass(slots=True)
class _Run:
    store: Store
    connection: sqlite3.Connection
    encoder: Encoder
    seer: Seer | None
    on_progress: Callable[[Progress], None] | None
    stop: Callable[[], bool] | None
    batch: int
    began: float = field(default_factory=time.perf_counter)
    told: float = 0.0
    encoded: int = 0
    waiting: dict[str, _Waiting] = field(default_factory=dict)
    rows: list[Loaded] = field(default_factory=list)

    def all(self, threads: int, captions: Sequence[CaptionFile]) -> Report:
        home, connection = self.store.home, self.connection
        self._tell("scan", 0, 0, 0)
        with catalogue.clear_errors(home):
            with catalogue.transaction(connection):
                file = vectors.open_for(connection, home, "picture", self.encoder.id, self.encoder.dim)
                vectors.forget_damaged(connection, file)
                self._forget_damaged_texts()
            vectors.sweep(connection, home)
            found = scan(self.store.root, leave_out=home)
            plan = make_plan(connection, found, self.encoder.id, facts_maker(self.seer), decoder_id())
        if not (found.files or found.skipped or plan.known):
            raise AlbumError(f"no pictures in {self.store.root}: an album is a folder with JPEG, PNG, ... files")
        stopped = not self._read(plan, file, threads)
        if not stopped:
            with catalogue.clear_errors(home):
                plan.finish(connection, decoder_id())
                update_captions(connection, self.store.root, captions, home=home)
            encode_captions(connection, home, self.encoder, self._told_captions)
            stopped = self._stops()
            self._compact()
        with catalogue.clear_errors(home):
            return self._report(plan, stopped)

    def spoken(self, reading: Reading) -> Report:
        """An album of captions alone: nothing but its file is looked at, and nothing but captions encoded."""
        home, connection = self.store.home, self.connection
        self._tell("scan", 0, 0, 0)
        with catalogue.clear_errors(home):
            with catalogue.transaction(connection):
                vectors.open_for(connection, home, "caption", self.encoder.id, self.encoder.dim)
                self._forget_damaged_texts()
            vectors.sweep(connection, home)
            tally = update_dataset(connection, self.store.root, reading)
        encode_captions(connection, home, self.encoder, self._told_captions)
        stopped = self._stops()
        self._compact()
        with catalogue.clear_errors(home):
            (captions,) = connection.execute("SELECT COUNT(*) FROM captions").fetchone()
        seconds = time.perf_counter() - self.began
        added, removed, unchanged = (tally[each] for each in ("added", "removed", "unchanged"))
        return Report(
            added=added, removed=removed, unchanged=unchanged, captions=captions, seconds=seconds, stopped=stopped
        )

    def _read(self, plan: Plan, file: vectors.VectorFile, threads: int) -> bool:
        """Read what the plan names, encode what is new; False if stopped."""
        loads = load_ahead(self.store.root, plan.todo, plan.complete, threads=threads)
        try:
            for done, loaded in enumerate(loads, 1):
                self._sort(plan, loaded)
                if len(self.waiting) >= self.batch:
                    file = self._encode(plan, file)
                elif len(self.rows) >= _ROWS_PER_COMMIT:
                    self._commit_rows(plan)
                self._tell("pictures", done, len(plan.todo), plan.failed)
                if self._stops():
                    self._commit_rows(plan)
                    return False
            self._encode(plan, file)
        except KeyboardInterrupt:
            self._commit_rows(plan)
            raise
        finally:
            loads.close()
        self._tell("pictures", len(plan.todo), len(plan.todo), plan.failed, always=True)
        return True

    def _sort(self, plan: Plan, loaded: Loaded) -> None:
        """Keep a file for the next commit: by itself, or with the picture that it holds and that is to be encoded."""
        plan.count(loaded)
        if loaded.id in self.waiting:
            self.waiting[loaded.id].files.append(loaded)
        elif loaded.reason or loaded.id in plan.complete or loaded.picture is None or loaded.image is None:
            self.rows.append(loaded)
        else:
            self.waiting[loaded.id] = _Waiting(loaded.picture, loaded.image, [loaded])

    def _encode(self, plan: Plan, file: vectors.VectorFile) -> vectors.VectorFile:
        """Look at and encode what waits, and commit it with its files; the vector file as it then is."""
        items = list(self.waiting.values())
        facts, sights = self._facts(plan, items)
        new = [item for item in items if item.picture.id not in plan.has_vector]
        data = None
        if new:
            seen = [sights.get(item.picture.id) for item in new]
            found = self.encoder.encode_pictures([item.image for item in new], seen if any(seen) else None)
            data = vectors.checked(found, len(new), self.encoder.id, self.encoder.dim)
        following = file
        with catalogue.clear_errors(self.store.home):
            crc = vectors.append(file, data) if data is not None else 0
            with catalogue.transaction(self.connection):
                for item in items:
                    catalogue.put_picture(self.connection, item.picture)
                for picture_id, known in facts.items():
                    catalogue.put_facts(self.connection, picture_id, plan.maker, known)
                if new:
                    following = vectors.commit(self.connection, file, [item.picture.id for item in new], crc)
                rows = [*self.rows, *(loaded for item in items for loaded in item.files)]
                plan.put_files(self.connection, rows)
                if items:
                    catalogue.bump(self.connection, "content")
        plan.complete.update(item.picture.id for item in items)
        self.encoded += len(new)
        self.waiting.clear()
        self.rows.clear()
        return following

    def _facts(self, plan: Plan, items: Sequence[_Waiting]) -> tuple[dict[str, tuple[Fact, ...]], dict[str, Sight]]:
        """Facts of the pictures that have none yet, and what the seer saw in those, by picture id."""
        from whichpic.album.facts import facts_of

        items = [item for item in items if item.picture.id not in plan.has_facts]
        sights: dict[str, Sight] = {}
        if self.seer is not None and items:
            looks = self.seer.look([item.image for item in items])
            sights = {item.picture.id: sight for item, sight in zip(items, looks, strict=True)}
        facts = {
            item.picture.id: facts_of(item.image, sights.get(item.picture.id), picture=item.picture) for item in items
        }
        return facts, sights

    def _commit_rows(self, plan: Plan) -> None:
        with catalogue.clear_errors(self.store.home), catalogue.transaction(self.connection):
            plan.put_files(self.connection, self.rows)
        self.rows.clear()

    def _forget_damaged_texts(self) -> None:
        kinds: tuple[vectors.Kind, ...] = ("caption", "text")
        for kind in kinds:
            if file := vectors.get(self.connection, self.store.home, kind, self.encoder.id):
                vectors.forget_damaged(self.connection, file)

    def _compact(self) -> None:
        home, connection = self.store.home, self.connection
        try:
            with catalogue.clear_errors(home):
                for file in vectors.all_files(connection, home):
                    with catalogue.transaction(connection):
                        vectors.compact(connection, file)
        except StoreFull:
            pass  # there is no room for a copy: the file with its dead rows does as well
        with catalogue.clear_errors(home):
            vectors.sweep(connection, home)

    def _report(self, plan: Plan, stopped: bool) -> Report:
        tally: Counter[str] = plan.tally
        (captions,) = self.connection.execute("SELECT COUNT(*) FROM captions").fetchone()
        return Report(
            added=tally["added"],
            changed=tally["changed"],
            moved=tally["moved"],
            copied=tally["copied"],
            removed=0 if stopped and not plan.finished else plan.removed(),
            unchanged=tally["unchanged"],
            encoded=self.encoded,
            skipped=tuple(catalogue.get_skips(self.connection)),
            captions=captions,
            seconds=time.perf_counter() - self.began,
            stopped=stopped,
        )

    def _stops(self) -> bool:
        return self.stop is not None and self.stop()

    def _told_captions(self, done: int, total: int) -> bool:
        self._tell("captions", done, total, 0, always=done == total)
        return not self._stops()

    def _tell(self, phase: str, done: int, total: int, skipped: int, *, always: bool = False) -> None:
        now = time.perf_counter()
        if self.on_progress and (always or now - self.told >= _SECONDS_BETWEEN_PROGRESS):
            self.told = now
            self.on_progress(Progress(phase, done, total, skipped, now - self.began))


def facts_maker(seer: Seer | None) -> tuple[str, str]:
    """Who would make facts now, and the beginning that a maker's name must have for its facts to be good enough.

    Without a seer, facts that one has made earlier are kept.
    """
    from whichpic.album.facts import FACTS_VERSION

    prefix = f"{FACTS_VERSION}/"
    return (prefix + seer.id, prefix + seer.id) if seer else (prefix, prefix)
