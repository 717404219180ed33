"""Vectors from elsewhere into an album, and an album's vectors out: FAISS index, id list, array. Called by cli.

navigationir keeps its index in three files: a flat FAISS index, a pickle with the name of each row, and a pickle with
the vectors. Pickles are read without being run (models.pickles), and never written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.album import catalogue, vectors
from whichpic.album.faiss_file import read_flat, write_flat
from whichpic.album.lock import writer_lock
from whichpic.album.scan import scan
from whichpic.errors import AlbumError, EncoderError
from whichpic.types import Encoder, Picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.album.store import Store
    from whichpic.types import Floats, Sight

INDEX, NAMES, ARRAY, ABOUT = "faiss.index", "id2image.json", "embeddings.npy", "export.json"
_SAME = 1e-3  # two copies of the same vectors, one of them perhaps in half precision
_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    rows: given, of dim numbers each. pictures: that got their vector. absent: names that no file of the album has, and
    a few examples of them. without: files of the album that have no row. scaled: rows that were not of length 1.
    """

    rows: int
    dim: int
    pictures: int
    absent: int
    examples: tuple[str, ...]
    without: int
    scaled: int


def import_vectors(
    store: Store,
    *,
    encoder: Encoder | str,
    index: Path | None = None,
    names: Path | None = None,
    embeddings: Path | None = None,
    images: Path | None = None,
) -> Imported:
    """Put vectors that were made elsewhere into a store that was opened to write, under the id of `encoder`.

    encoder: the one that made them, or its id where it is not here. index: a FAISS index; embeddings: a .npy or pickle
    with an array [rows, dim], a list of rows, or {name: row}; at least one of the two, and where both are given they
    must agree. names: the name of each row, a .json or pickle: a list, or {row: name}, or {name: row}. images: the
    folder that relative names begin from; a name also fits by its last parts, where only one file has them.
    Files get their facts and everything else from `indexing.index`, which does not encode them again.
    Raises AlbumError or ModelError in one line, before anything is written: sizes that do not fit, numbers that are
    not finite, names that fit two files, no name that fits any.
    """
    rows, labels = _given(index, embeddings, names)
    dim = rows.shape[1]
    encoder_id = encoder if isinstance(encoder, str) else encoder.id
    if not isinstance(encoder, str) and encoder.dim != dim:
        raise AlbumError(f"the vectors have {dim} numbers, but those of {encoder_id} have {encoder.dim}")
    if store.captions_only:
        raise AlbumError(f"{store.root} has captions only: vectors of pictures need a folder of pictures")
    files = list(scan(store.root, leave_out=store.home).files)
    found, absent = _matched(labels, files, store.root, images)
    if not found:
        shown = ascii(labels[0])[:80]
        raise AlbumError(f"none of the {len(labels)} names fits a file of {store.root}; the first is {shown}")
    without = sorted(set(files) - set(found))
    if without and isinstance(encoder, str):
        raise AlbumError(
            f"{len(without)} files of {store.root} have no vector (the first is {without[0]}), and {encoder_id} is not"
            " here to make them: give --encoder, or take them out of the folder"
        )
    by_picture = {_picture_id(store.root / path): row for path, row in found.items()}
    scaled = _write(store, encoder_id, rows, by_picture)
    return Imported(len(rows), dim, len(by_picture), len(absent), tuple(absent[:3]), len(without), scaled)


class Elsewhere:
    """Stands for an encoder that is not on this machine, while an album gets its vectors."""

    def __init__(self, encoder_id: str, dim: int) -> None:
        self.id, self.dim = encoder_id, dim
        self.describe = f"{encoder_id}: an encoder that is not here"

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Raises EncoderError."""
        raise EncoderError(f"{self.id} is not on this machine: nothing can be encoded")

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """Raises EncoderError."""
        raise EncoderError(f"{self.id} is not on this machine: nothing can be encoded")


def export_index(store: Store, out: Path, *, encoder: str | None = None) -> tuple[str, int]:
    """Write an encoder's vectors into the folder `out`; the encoder's id and how many there are.

    faiss.index (IndexFlatIP), id2image.json (the path of each row, in the album), embeddings.npy (float32), and
    export.json (the encoder's id, sizes, the picture's id of each row). encoder: an id or the beginning of one, where
    the album has vectors of several. AlbumError where there are none.
    """
    name = _encoder_of(store, encoder)
    held = store.vectors(name)
    if held is None:
        raise AlbumError(f"{store.root} has no vectors of pictures; index it first: whichpic index {store.root}")
    pictures = store.pictures()
    live = np.flatnonzero(held.rows >= 0)
    matrix = np.ascontiguousarray(held.matrix[held.rows[live]], dtype=np.float32)
    about = {"encoder": name, "dim": int(matrix.shape[1]), "rows": len(live), "album": store.version,
             "pictures": [pictures[i].id for i in live]}  # fmt: skip
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_flat(out / INDEX, matrix)
        np.save(out / ARRAY, matrix)
        _write_json(out / NAMES, [pictures[i].paths[0] for i in live])
        _write_json(out / ABOUT, about)
    except OSError as error:
        raise AlbumError(f"cannot write to {out}: {error.strerror or error}") from None
    return name, len(live)


def _given(index: Path | None, embeddings: Path | None, names: Path | None) -> tuple[Floats, list[str]]:
    """The vectors [rows, dim] and the name of each row, all files compared with each other."""
    rows: Floats | None = None
    labels = _labels(_read(names)) if names is not None else None
    if embeddings is not None:
        rows, own = _array(_read(embeddings), embeddings)
        _finite(rows, embeddings)
        if own is not None and labels is not None and set(own) == set(labels):
            at = {name: i for i, name in enumerate(own)}  # the index has the order of the id list
            rows, own = rows[[at[name] for name in labels]], labels
        labels = own if labels is None else labels
    if index is not None:
        flat = read_flat(index)
        _finite(flat, index)
        if rows is not None and flat.shape != rows.shape:
            sizes = f"{list(flat.shape)} and {list(rows.shape)}"
            raise AlbumError(
                f"the index and the embeddings are not of one size ({sizes}); they are of different albums"
            )
        if rows is not None and not _alike(flat, rows):
            raise AlbumError(f"{index} and {embeddings} hold different vectors; give only the one that is right")
        rows = flat
    if rows is None:
        raise AlbumError("no vectors given: give a FAISS index, or embeddings, or both")
    if labels is None:
        raise AlbumError("no names given: vectors need the name of each row (a list of file names)")
    if len(labels) != len(rows):
        raise AlbumError(f"there are {len(rows)} vectors but {len(labels)} names; they are of different albums")
    if not len(rows):
        raise AlbumError("there are no vectors in the files given")
    return rows, labels


def _finite(rows: Floats, path: Path) -> None:
    for start in range(0, len(rows), _ROWS):
        wrong = np.flatnonzero(~np.isfinite(rows[start : start + _ROWS]).all(axis=1))
        if len(wrong):
            raise AlbumError(f"{path} holds numbers that are not finite, first in row {start + int(wrong[0])}")


def _alike(a: Floats, b: Floats) -> bool:
    parts = range(0, len(a), _ROWS)
    return all(np.allclose(a[i : i + _ROWS], b[i : i + _ROWS], atol=_SAME, equal_nan=True) for i in parts)


def _read(path: Path) -> Any:
    """JSON, .npy, or else a pickle of plain data."""
    from whichpic.models.pickles import load_plain

    try:
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise AlbumError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError, EOFError):
        raise AlbumError(f"{path} is no {path.suffix[1:]} file that can be read") from None
    return load_plain(path)


def _labels(value: Any) -> list[str]:
    """The name of each row from a list, {row: name} or {name: row}."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping) and value:
        if all(isinstance(name, str) and not name.isdecimal() for name in value) and not _are_names(value.values()):
            value = {row: name for name, row in value.items()}
        try:
            value = [value[row] for row in sorted(value, key=int)] if _counts(value) else None
        except (TypeError, ValueError):
            value = None
    if not isinstance(value, list | tuple) or not _are_names(value):
        raise AlbumError("the id list is no list of file names, {row: file name} or {file name: row}")
    return [str(name) for name in value]


def _are_names(values: Iterable[Any]) -> bool:
    return all(isinstance(name, str) for name in values)


def _counts(value: Mapping[Any, Any]) -> bool:
    """Whether the keys are 0, 1, 2, ... (as numbers, or as JSON has them)."""
    return sorted(int(row) for row in value) == list(range(len(value)))


def _array(value: Any, path: Path) -> tuple[Floats, list[str] | None]:
    """[rows, dim] and, where the file says them, the names of the rows."""
    names = None
    if isinstance(value, Mapping) and value and _are_names(value):
        names, value = list(value), list(value.values())
    elif isinstance(value, Mapping) and value:
        try:
            value = [value[row] for row in sorted(value)] if _counts(value) else None
        except (TypeError, ValueError):
            value = None
    try:
        if isinstance(value, list | tuple):
            value = np.stack([np.asarray(row, dtype=np.float32).reshape(-1) for row in value])
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise AlbumError(f"{path} holds no array of numbers with one row for each picture") from None
    if array.ndim == 3 and 1 in array.shape[1:]:  # vectors that were kept as batches of one
        array = array.reshape(len(array), -1)
    if array.ndim != 2:
        raise AlbumError(f"{path} holds an array of shape {list(array.shape)}; expected [rows, numbers]")
    return array, names


def _matched(
    labels: Sequence[str], files: Sequence[str], root: Path, images: Path | None
) -> tuple[dict[str, int], list[str]]:
    """Path in the album -> row, and the names that no file has. A name fits by as many of its last parts as it can."""
    known = set(files)
    by_name: dict[str, list[str]] = {}
    for path in files:
        by_name.setdefault(path.rsplit("/", 1)[-1], []).append(path)
    start = "" if images is None else os.path.relpath(os.path.realpath(images), os.path.realpath(root))
    found: dict[str, int] = {}
    absent = []
    for row, name in enumerate(labels):
        clean = name.replace("\\", "/")
        parts = [part for part in clean.split("/") if part not in ("", ".", "..")]
        within = os.path.normpath(f"{start}/{clean}").replace("\\", "/") if start else ""
        whole = [within] if within in known else []
        whole += ["/".join(parts[i:]) for i in range(len(parts)) if "/".join(parts[i:]) in known]
        same = by_name.get(parts[-1], []) if parts else []
        if not whole and len(same) > 1:
            raise AlbumError(f"{ascii(name)[:80]} may be {same[0]} or {same[1]}: name its folder with --images")
        fits = whole or same
        if not fits:
            absent.append(name)
            continue
        path = fits[0]
        if found.setdefault(path, row) != row:
            raise AlbumError(f"{ascii(name)[:80]} and {ascii(labels[found[path]])[:80]} are both the file {path}")
    return found, absent


def _write(store: Store, encoder_id: str, rows: Floats, by_picture: Mapping[str, int]) -> int:
    """Append, fsync, then commit: as indexing does, batch by batch. Returns how many rows were not of length 1."""
    scaled = 0
    dim = rows.shape[1]
    with writer_lock(store.home):
        connection = catalogue.connect(store.home, write=True)
        try:
            order = sorted(by_picture, key=lambda each: by_picture[each])
            for start in range(0, len(rows), _ROWS):  # all are looked at before one is written
                vectors.checked(rows[start : start + _ROWS], len(rows[start : start + _ROWS]), encoder_id, dim)
            with catalogue.clear_errors(store.home), catalogue.transaction(connection):
                file = vectors.open_for(connection, store.home, "picture", encoder_id, dim)
            for start in range(0, len(order), _ROWS):
                keys = order[start : start + _ROWS]
                part = np.asarray(rows[[by_picture[key] for key in keys]], dtype=np.float32)
                length = np.linalg.norm(part, axis=1, keepdims=True)
                scaled += int(np.count_nonzero(np.abs(length - 1) > _SAME))
                part = np.divide(part, length, out=np.zeros_like(part), where=length > 0)
                with catalogue.clear_errors(store.home):
                    crc = vectors.append(file, part)
                    with catalogue.transaction(connection):
                        _known(connection, keys)
                        file = vectors.commit(connection, file, keys, crc)
                        catalogue.bump(connection, "content")
        finally:
            connection.close()
            store.refresh()
    return scaled


def _picture_id(path: Path) -> str:
    """As indexing names a picture: by its content."""
    from whichpic.models.files import sha256_of

    try:
        return sha256_of(path)[:32]
    except OSError as error:
        raise AlbumError(f"{path} cannot be read: {error.strerror or error}") from None


def _known(connection: Any, ids: Sequence[str]) -> None:
    """A row for each picture, so that the next index sees that it has its vector; the rest of it comes then."""
    present = {each for (each,) in connection.execute("SELECT id FROM pictures")}
    for each in ids:
        if each not in present:
            catalogue.put_picture(connection, Picture(each))


def _encoder_of(store: Store, wanted: str | None) -> str:
    names = store.encoders()
    fits = [name for name in names if wanted is None or name == wanted or name.startswith(f"{wanted}-")]
    if wanted in fits:
        return str(wanted)
    if len(fits) == 1:
        return fits[0]
    if not names:
        raise AlbumError(f"{store.root} has no vectors; index it first: whichpic index {store.root}")
    raise AlbumError(f"say whose vectors with --encoder: {', '.join(names)}")


def _write_json(path: Path, value: Any) -> None:
    fresh = path.with_name(f"{path.name}.part")
    fresh.write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n", encoding="utf-8", errors="surrogateescape")
    fresh.replace(path)
