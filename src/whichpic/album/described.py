"""Captions that a model wrote: the file they are kept in, and what of them becomes captions of the album.

Written by describe, one line per caption, each on the disk before the next; read by captioning. They lie beside the
catalogue, never in a captions file of the user's, and every line names the model that wrote it.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from whichpic.album.lock import take
from whichpic.errors import AlbumError, CaptionError, StoreFull

NAME = "described.jsonl"
DIMENSIONS = ("scene", "objects", "attributes", "relations", "text", "mood", "all")
"""What a picture is described by, in the order in which captions stand."""
_LONGEST = 2000  # characters of one caption


@dataclass(frozen=True, slots=True)
class Described:
    """One caption. picture: its id. caption: "" where there was nothing to say (no text in the picture).

    model: the id of the Chat that wrote it, its source. prompt: a digest of what was asked. path: of the picture, for
    people who read the file; nothing is found by it.
    """

    picture: str
    dimension: str
    language: str
    caption: str
    model: str
    prompt: str = ""
    path: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """A later line of the same key stands in place of an earlier one."""
        return self.picture, self.dimension, self.language


def read_described(path: Path) -> list[Described]:
    """The captions of a file, the last of each key, by picture and in the order of dimensions; none where it is absent.

    A last line that was not written to its end is left out. Raises CaptionError where a line is not one of this file.
    """
    held, _, _ = _read(path)
    order = {name: number for number, name in enumerate(DIMENSIONS)}
    return sorted(held.values(), key=lambda each: (each.picture, order.get(each.dimension, 99), each.dimension,
                                                   each.language))  # fmt: skip


def ever_written(path: Path) -> dict[str, list[str]]:
    """Every caption that a file has ever held, by picture: also those that have a successor."""
    written: dict[str, list[str]] = {}
    _read(path, lambda each: written.setdefault(each.picture, []).append(each.caption))
    return written


def spoken(described: Iterable[Described]) -> list[tuple[str, str]]:
    """(picture id, caption) of all that was described: what a dimension repeats of an earlier one is left out."""
    pairs: list[tuple[str, str]] = []
    said: dict[str, set[str]] = {}
    for each in described:
        known = said.setdefault(each.picture, set())
        fresh = []
        for sentence in sentences(each.caption):
            plain = _plain(sentence)
            if plain and plain not in known:
                known.add(plain)
                fresh.append(sentence)
        if fresh:
            pairs.append((each.picture, together(fresh)))
    return pairs


def sentences(text: str) -> list[str]:
    """The sentences of a text; a full stop between quotation marks ends none."""
    found, start, within = [], 0, False
    for at, character in enumerate(text):
        if character in '"“”「」':
            within = character in "“「" or (character == '"' and not within)
        wide = character in "。！？"
        ends = wide or (character in ".!?" and text[at + 1 : at + 2] in ("", " ", '"'))
        if ends and not within:
            found.append(text[start : at + 1].strip())
            start = at + 1
    return [each for each in [*found, text[start:].strip()] if each]


def together(parts: Iterable[str]) -> str:
    """Sentences as one text: parted by a space, except after a Chinese full stop."""
    text = ""
    for part in parts:
        text += part if not text or text[-1] in "。！？" else f" {part}"
    return text


class Journal:
    """Appends captions to a file; what was there is in `held`. Any thread may write, one process at a time.

    Raises AlbumError or StoreFull where the file cannot be written, CaptionError where it is another kind of file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            raise _unwritable(path, error) from None
        try:
            if not take(self._file.fileno()):
                raise AlbumError(f"another whichpic is describing pictures into {path}: wait until it is done")
            self.held, self._redone, whole = _read(path)
            self._file.truncate(whole)
        except BaseException:
            self._file.close()
            raise

    def done(self, dimension: str, language: str) -> set[str]:
        """Ids of the pictures whose caption need not be written again."""
        redone = self._redone.get((dimension, language))
        return {
            each.picture
            for each in self.held.values()
            if (each.dimension, each.language) == (dimension, language)
            and (redone is None or each.picture in redone[1])
        }

    def redo(self, dimension: str, language: str, model: str) -> None:
        """From here on all captions of a dimension are written again; each stands until its successor is there."""
        self._line({"again": dimension, "language": language, "model": model})
        self._redone[(dimension, language)] = (model, set())

    def redoing(self, dimension: str, language: str) -> str:
        """The model that the captions of a dimension were last to be written again with; "" for none."""
        return self._redone.get((dimension, language), ("", set()))[0]

    def write(self, described: Described) -> None:
        """Append one caption and wait until it is on the disk."""
        self._line(asdict(described))
        with self._lock:
            _keep(described, self.held, self._redone)

    def _line(self, plain: Mapping[str, Any]) -> None:
        text = json.dumps(plain, ensure_ascii=False) + "\n"
        with self._lock:
            try:
                self._file.write(text.encode("utf-8", "replace"))
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise _unwritable(self.path, error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_Held = dict[tuple[str, str, str], Described]
_Redone = dict[tuple[str, str], tuple[str, set[str]]]


def _read(path: Path, on_each: Callable[[Described], None] = lambda _: None) -> tuple[_Held, _Redone, int]:
    """The captions by key; since when which were written again; the bytes up to the end of the last whole line."""
    held: _Held = {}
    redone: _Redone = {}
    whole = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                if line.strip():
                    _take(path, number, line, held, redone, on_each)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise CaptionError(f"cannot read the captions in {path}: {error.strerror or error}") from None
    return held, redone, whole


def _take(
    path: Path, number: int, line: bytes, held: _Held, redone: _Redone, on_each: Callable[[Described], None]
) -> None:
    try:
        plain = json.loads(line.decode("utf-8"))
        if "again" in plain:
            redone[(str(plain["again"]), str(plain["language"]))] = (str(plain["model"]), set())
            return
        texts = {name: str(plain.get(name, "")) for name in Described.__slots__}
        if not (texts["picture"] and texts["dimension"] and texts["language"] and "caption" in plain):
            raise ValueError("it names no picture, dimension, language or caption")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CaptionError(f"{path}, line {number}, is not a described caption ({error}); take the line out") from None
    texts["caption"] = " ".join(texts["caption"].split())[:_LONGEST]
    described = Described(**texts)
    on_each(described)
    _keep(described, held, redone)


def _keep(described: Described, held: _Held, redone: _Redone) -> None:
    held[described.key] = described
    if again := redone.get((described.dimension, described.language)):
        again[1].add(described.picture)


def _plain(sentence: str) -> str:
    return "".join(character for character in sentence.casefold() if character.isalnum())


def _unwritable(path: Path, error: OSError) -> AlbumError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return StoreFull(f"no room left for {path}: what was described is kept; free some space and run it again")
    return AlbumError(f"cannot write the captions to {path}: {error.strerror or error}")
