"""Brings the catalogue up to date with captions files and data sets of captions, and encodes the captions.

Called by indexing and gallery.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from whichpic.album import catalogue, vectors
from whichpic.album.captions import CaptionFile, attach, find_caption_files, read_spoken
from whichpic.album.datasets import Reading, companion_of, read_dataset
from whichpic.album.described import NAME as DESCRIBED
from whichpic.album.described import read_described, spoken
from whichpic.errors import CaptionError, EncoderError
from whichpic.types import Encoder, Picture

if TYPE_CHECKING:
    from whichpic.types import Floats, Rows

_BATCH = 256
_COPIED_BATCH = 8192  # rows that need no encoding
_CALLS = 2
"""Batches that are encoded at the same time: an encoder that takes its texts one by one leaves cores idle."""

K = TypeVar("K", str, int)
T = TypeVar("T")

# size, mtime_ns, image column, caption column, named by the user, number of the album's files state
_Source = tuple[int, int, str | None, str | None, int, int]


def update_captions(
    connection: sqlite3.Connection, root: Path, named: Sequence[CaptionFile], *, home: Path | None = None
) -> None:
    """Attach what the captions files say now. Nothing is read if neither they nor the album's files have changed.

    named: files that the user names in this run; they are remembered. Raises CaptionError only for those: a file that
    was found, or was named in an earlier run, is reported with a reason instead.
    home: the store, where captions that a model described lie; they stand after those of all files.
    """
    files_version = int(catalogue.meta(connection, "files", "0"))
    known: dict[Path, _Source] = {
        Path(os.fsdecode(path)): tuple(rest)
        for path, *rest in connection.execute(
            "SELECT path, size, mtime_ns, image_column, caption_column, named, files_version FROM caption_files"
        )
    }
    wanted = {path: CaptionFile(path) for path in find_caption_files(root)}
    wanted |= {path: CaptionFile(path, *source[2:4]) for path, source in known.items() if source[4]}
    strict = {Path(os.path.realpath(file.path)): file for file in named}
    wanted |= {path: CaptionFile(path, file.image_column, file.caption_column) for path, file in strict.items()}
    remembered = {path for path, source in known.items() if source[4]} | set(strict)
    described = Path() if home is None else home / DESCRIBED
    if described.is_file():
        wanted[described] = CaptionFile(described)
    now = {path: _source(file, path in remembered, files_version) for path, file in wanted.items()}
    if now == known:
        return
    ids = dict(connection.execute("SELECT path, picture_id FROM files WHERE picture_id IS NOT NULL"))
    texts: dict[tuple[str, str], int] = {}
    stated: dict[str, str] = {}
    reasons: dict[Path, list[str]] = {}
    for path, file in sorted(item for item in wanted.items() if item[0] != described):
        try:
            read = read_spoken(file, ids)
        except CaptionError as error:
            if path in strict:
                raise
            reasons[path] = [str(error)]
            continue
        attached, reasons[path] = attach(read.captions, ids, root)
        named_facts = [(name, catalogue.facts_text(facts)) for name, facts in read.facts.items()]
        known_facts, unknown = attach(named_facts, ids, root)
        stated |= dict(known_facts)
        reasons[path] = list(dict.fromkeys([*reasons[path], *unknown]))
        if not (attached or known_facts) and path not in remembered and not path.is_relative_to(root):
            reasons[path] = []  # a neighbour's captions, which nobody meant for this album
        for pair in attached:
            texts.setdefault(pair, len(texts))
    if described in wanted:
        pairs, reasons[described] = _described(described, set(ids.values()))
        for pair in pairs:
            texts.setdefault(pair, len(texts))
    with catalogue.transaction(connection):
        _write(connection, texts)
        catalogue.put_stated(connection, stated)
        connection.execute("DELETE FROM caption_files")
        connection.executemany(
            "INSERT INTO caption_files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(_key(path), *source, _stored(reasons[path])) for path, source in now.items()],
        )


def _described(path: Path, pictures: set[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """What a model described of the album's pictures, or why that cannot be read."""
    try:
        return [pair for pair in spoken(read_described(path)) if pair[0] in pictures], []
    except CaptionError as error:
        return [], [str(error)]


def update_dataset(connection: sqlite3.Connection, path: Path, given: Reading) -> Counter[str]:
    """Bring the catalogue of an album of captions up to date with its file; how many pictures were added, removed, ...

    What the file is read by is remembered. Nothing is read if neither that nor the file has changed. Raises
    CaptionError, and leaves all as it was.
    """
    before = json.loads(catalogue.meta(connection, "dataset", "{}"))
    reading = given.after(Reading(**before.get("reading", {})))
    other = Path(reading.captions) if reading.captions else companion_of(path)
    now = {"reading": asdict(reading), "files": [_stamp(each) for each in (path, other) if each is not None]}
    if now == before:
        return Counter(unchanged=connection.execute("SELECT COUNT(*) FROM pictures").fetchone()[0])
    dataset = read_dataset(
        path,
        split=reading.split,
        opening=reading.opening is not False,
        captions=reading.captions,
        image_column=reading.image_column,
        caption_column=reading.caption_column,
    )
    if not dataset.captions:
        raise CaptionError(f"{path} has no caption at all: nothing could be found in it by words")
    texts: dict[tuple[str, str], int] = {}
    for name in dataset.pictures:
        for text in dataset.captions.get(name, ()):
            texts.setdefault((name, text), len(texts))
    with catalogue.transaction(connection):
        old = dict(connection.execute("SELECT path, picture_id FROM files"))
        new = {dataset.files.get(name, name): name for name in dataset.pictures}
        had, has = set(old.values()), set(dataset.pictures)
        if old != new:
            connection.execute("DELETE FROM files")
            connection.executemany("INSERT INTO files VALUES (?, ?, 0, 0, NULL)", new.items())
            for name in has - had:
                catalogue.put_picture(connection, Picture(id=name))
            catalogue.drop_orphans(connection)
            catalogue.bump(connection, "content")
        _write(connection, texts)
        catalogue.put_stated(connection, {name: catalogue.facts_text(each) for name, each in dataset.facts.items()})
        catalogue.set_meta(connection, "dataset", json.dumps(now))
    return Counter(added=len(has - had), removed=len(had - has), unchanged=len(had & has))


def encode_captions(
    connection: sqlite3.Connection, home: Path, encoder: Encoder, on_batch: Callable[[int, int], bool]
) -> None:
    """Encode the captions that have no vector yet, and the captions of each picture as one text.

    on_batch(done, total) is told after each batch, of both together; False stops. Two threads may call the encoder at
    a time (one where settings allow one thread only).
    """
    with catalogue.clear_errors(home):
        with catalogue.transaction(connection):
            _update_texts(connection)
        missing: list[tuple[int, str]] = connection.execute(
            "SELECT id, text FROM captions WHERE id NOT IN (SELECT caption_id FROM caption_vectors WHERE encoder = ?)"
            " ORDER BY picture_id, position",
            (encoder.id,),
        ).fetchall()
        texts, single = _missing_texts(connection, encoder.id)
    total = len(missing) + len(texts)

    def encode(part: Sequence[tuple[object, str]]) -> Floats:
        return vectors.checked(encoder.encode_texts([text for _, text in part]), len(part), encoder.id, encoder.dim)

    for done in _keep(connection, home, "caption", encoder, missing, _BATCH, encode):
        if not on_batch(done, total):
            return
    copy = _copier(connection, home, encoder.id)
    for _ in _keep(connection, home, "text", encoder, single, _COPIED_BATCH, copy, calls=1):
        if not on_batch(len(missing), total):
            return
    for done in _keep(connection, home, "text", encoder, texts, _BATCH, encode):
        if not on_batch(len(missing) + done, total):
            return


def _keep(
    connection: sqlite3.Connection,
    home: Path,
    kind: vectors.Kind,
    encoder: Encoder,
    items: Sequence[tuple[K, T]],
    size: int,
    make: Callable[[Sequence[tuple[K, T]]], Floats],
    *,
    calls: int = _CALLS,
) -> Iterator[int]:
    """Make the vectors of (key, what it is made of) and commit them, batch by batch; how many are done after each."""
    if not items:
        return
    with catalogue.clear_errors(home), catalogue.transaction(connection):
        file = vectors.open_for(connection, home, kind, encoder.id, encoder.dim)
    done = 0
    for part, rows in _made_ahead(items, size, make, calls):
        with catalogue.clear_errors(home):
            crc = vectors.append(file, rows)
            with catalogue.transaction(connection):
                following = vectors.commit(connection, file, [key for key, _ in part], crc)
                catalogue.bump(connection, "content")
            file = following
        done += len(part)
        yield done


def _made_ahead(
    items: Sequence[T], size: int, make: Callable[[Sequence[T]], Floats], calls: int
) -> Iterator[tuple[Sequence[T], Floats]]:
    """Batches of the items, in order, each with what is made of it; up to `calls` are made at the same time."""
    from whichpic.settings import settings

    parts = [items[start : start + size] for start in range(0, len(items), size)]
    calls = min(calls, settings().threads or os.cpu_count() or 1, len(parts))
    if calls < 2:
        yield from ((part, make(part)) for part in parts)
        return
    pool = ThreadPoolExecutor(calls, thread_name_prefix="texts")
    try:
        waiting: deque[Future[Floats]] = deque()
        for at, part in enumerate(parts):
            waiting.extend(pool.submit(make, each) for each in parts[at + len(waiting) : at + calls])
            yield part, waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def joined(captions: Iterable[str]) -> str:
    """All captions of a picture as one text, whose vector finds the picture far better than its best caption does."""
    return ", ".join(captions)


def _update_texts(connection: sqlite3.Connection) -> None:
    """Say by its digest which text stands for each picture; forget vectors of texts that stand for none any more."""
    rows = connection.execute(
        "SELECT picture_id, text FROM captions WHERE picture_id NOT IN (SELECT picture_id FROM texts)"
        " ORDER BY picture_id, position"
    )
    connection.executemany(
        "INSERT INTO texts VALUES (?, ?)",
        [
            (picture_id, hashlib.sha256(joined(text for _, text in each).encode()).hexdigest()[:32])
            for picture_id, each in groupby(rows, key=itemgetter(0))
        ],
    )
    connection.execute("DELETE FROM text_vectors WHERE digest NOT IN (SELECT digest FROM texts)")


def _missing_texts(connection: sqlite3.Connection, encoder: str) -> tuple[list[tuple[str, str]], list[tuple[str, int]]]:
    """What has no vector yet: (digest, text) of several captions; (digest, caption id) where there is but one."""
    missing = dict(
        connection.execute(
            "SELECT MIN(picture_id), digest FROM texts"
            " WHERE digest NOT IN (SELECT digest FROM text_vectors WHERE encoder = ?) GROUP BY digest",
            (encoder,),
        )
    )
    texts, single = [], []
    if missing:
        rows = connection.execute("SELECT picture_id, id, text FROM captions ORDER BY picture_id, position")
        for picture_id, each in groupby((row for row in rows if row[0] in missing), key=itemgetter(0)):
            (_, caption_id, text), *more = each
            if more:
                texts.append((missing[picture_id], joined([text, *(row[2] for row in more)])))
            else:
                single.append((missing[picture_id], caption_id))
    return texts, single


def _copier(connection: sqlite3.Connection, home: Path, encoder: str) -> Callable[[Sequence[tuple[str, int]]], Floats]:
    """Gives the vectors that captions have already, by caption id."""

    def copy(part: Sequence[tuple[str, int]]) -> Floats:
        with catalogue.clear_errors(home):
            file = vectors.get(connection, home, "caption", encoder)
            assert file is not None, "captions are encoded first"
            query = "SELECT row FROM caption_vectors WHERE encoder = ? AND caption_id = ?"
            found = [connection.execute(query, (encoder, caption_id)).fetchone()[0] for _, caption_id in part]
            rows: Floats = file.matrix()[found]
            return rows

    return copy


def _stamp(path: Path) -> list[str | int]:
    try:
        status = path.stat()
        return [os.fsencode(path).decode("utf-8", "backslashreplace"), status.st_size, status.st_mtime_ns]
    except OSError:
        return [str(path), -1, 0]


def _key(path: Path) -> str | bytes:
    """How the catalogue names a captions file: as text, or as bytes where the name is not UTF-8, which SQLite refuses."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _stored(reasons: Sequence[str]) -> str:
    return json.dumps(reasons, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _source(file: CaptionFile, named: bool, files_version: int) -> _Source:
    try:
        status = file.path.stat()
        size, mtime_ns = status.st_size, status.st_mtime_ns
    except OSError:
        size, mtime_ns = -1, 0
    return size, mtime_ns, file.image_column, file.caption_column, int(named), files_version


def _write(connection: sqlite3.Connection, texts: dict[tuple[str, str], int]) -> None:
    """Make the table of captions equal to `texts`: (picture id, text) -> position."""
    present = {
        (picture_id, text): (caption_id, position)
        for caption_id, picture_id, text, position in connection.execute("SELECT * FROM captions")
    }
    gone = [(caption_id,) for pair, (caption_id, _) in present.items() if pair not in texts]
    fresh = [(*pair, position) for pair, position in texts.items() if pair not in present]
    shifted = [
        (position, present[pair][0])
        for pair, position in texts.items()
        if pair in present and present[pair][1] != position
    ]
    connection.executemany("DELETE FROM captions WHERE id = ?", gone)
    connection.executemany("DELETE FROM caption_vectors WHERE caption_id = ?", gone)
    connection.executemany("INSERT INTO captions (picture_id, text, position) VALUES (?, ?, ?)", fresh)
    connection.executemany("UPDATE captions SET position = ? WHERE id = ?", shifted)
    before = {pair: position for pair, (_, position) in present.items()}
    touched = {picture_id for (picture_id, _), _ in before.items() ^ texts.items()}
    connection.executemany("DELETE FROM texts WHERE picture_id = ?", [(picture_id,) for picture_id in touched])
    if gone or fresh or shifted:
        catalogue.bump(connection, "content")


def caption_matrix(texts: Sequence[str], encoder: Encoder, cache: Path | None) -> Floats:
    """Vectors of texts, float32 [len(texts), dim], in their order; with `cache`, read from that folder or kept there."""
    import numpy as np

    key = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    path = None if cache is None else cache / f"captions-{encoder.id}-{key}.npy"
    if path is not None:
        with suppress(OSError, ValueError, EOFError, EncoderError):
            kept: Floats = np.load(path, allow_pickle=False)
            return vectors.checked(kept, len(texts), encoder.id, encoder.dim)

    def encode(part: Sequence[str]) -> Floats:
        return vectors.checked(encoder.encode_texts(part), len(part), encoder.id, encoder.dim)

    parts = [rows for _, rows in _made_ahead(texts, _BATCH, encode, _CALLS)]
    matrix = np.concatenate(parts) if parts else np.empty((0, encoder.dim), np.float32)
    if path is not None:
        fresh = path.with_name(f".{path.name}.{os.getpid()}.npy")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(fresh, matrix, allow_pickle=False)
            fresh.replace(path)
        except OSError:  # a cache that cannot be written only costs the time again
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
    return matrix


def joined_matrix(
    captions: Sequence[Sequence[str]], matrix: Floats, encoder: Encoder, cache: Path | None
) -> tuple[Floats, Rows]:
    """Vectors of each picture's captions as one text: float32 [texts, dim]; int64 [pictures], its row, -1 for none.

    matrix: the vectors of all captions, one after the other; a picture's only caption has its vector from there.
    """
    import numpy as np

    counts = np.array([len(each) for each in captions], dtype=np.int64)
    first, spoken, several = np.cumsum(counts) - counts, counts > 0, counts > 1
    rows = np.where(spoken, np.cumsum(spoken) - 1, -1)
    texts = caption_matrix([joined(each) for each in captions if len(each) > 1], encoder, cache)
    if several.sum() == spoken.sum():
        return texts, rows
    whole = np.empty((int(spoken.sum()), encoder.dim), np.float32)
    whole[rows[several]] = texts
    whole[rows[counts == 1]] = matrix[first[counts == 1]]
    return whole, rows
