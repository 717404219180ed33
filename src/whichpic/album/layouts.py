"""The layouts that data sets of captions come in, each read into entries: one picture (or clip) with what is said of it.

Called by datasets and captions. Everything here is strict: a data set that is half understood gives half-true figures,
so that the first thing that is odd ends the reading with one line that names it.
"""

from __future__ import annotations

import csv
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whichpic.errors import CaptionError
from whichpic.types import Fact

LONGEST = 10_000
"""Characters of one caption; a longer one is a file that was put together wrongly, and is refused."""
_LONGEST_ID = 500
_DRIVE = re.compile(r"[A-Za-z]:")
_BIDI = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a data set; of a clip whose frames are not named, the clip."""

    id: str
    captions: tuple[str, ...] = ()
    facts: tuple[Fact, ...] | None = None  # None: the data set says nothing; (): it says that there are none
    file: str = ""
    split: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What one file held. `kind` is a layout; "names" and "texts" are the two halves of a pair of files."""

    kind: str
    entries: tuple[Entry, ...]


def load_json(path: Path) -> Any:
    """A JSON document. Raises CaptionError in one line, whatever is wrong with the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CaptionError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except OSError as error:
        raise CaptionError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not JSON, numbers of 5,000 digits, lists in lists in lists
        raise CaptionError(f"{path} is not JSON that is understood: {error}") from error


def read_json(path: Path, content: Any, *, opening: bool = True) -> Content:
    """The entries of a JSON document, its layout told by its keys. Raises CaptionError for any other.

    Layouts: Karpathy, COCO captions, MSR-VTT, ChatIR dialogues (`opening`: with the caption that each begins with), and
    the halves of PlugIR's pair: a list of names ("names"), a list of captions ("texts").
    """
    if isinstance(content, dict):
        if _lists(content, "videos", "sentences"):
            return Content("msrvtt", tuple(_msrvtt(path, content)))
        if _lists(content, "images", "annotations"):
            return Content("coco", tuple(_coco(path, content)))
        if _lists(content, "images"):
            return Content("karpathy", tuple(_karpathy(path, content["images"])))
    if isinstance(content, list) and content:
        if isinstance(content[0], dict) and "dialog" in content[0]:
            return Content("chatir", tuple(_chatir(path, content, opening)))
        if isinstance(content[0], str):
            return Content("names", tuple(Entry(_id(path, name, n)) for n, name in enumerate(content, 1)))
        if isinstance(content[0], list) or (isinstance(content[0], dict) and "caption" in content[0]):
            return Content("texts", tuple(_texts(path, content)))
    raise CaptionError(
        f"{path} is not a data set that is understood; there are Karpathy JSON, COCO captions JSON, MSR-VTT JSON,"
        " ChatIR dialogues, a search space with its captions, CSV, and JSONL with id and captions"
    )


def read_jsonl(path: Path) -> Iterator[Entry]:
    """Our own layout, one picture per line: {"id", "captions", "facts"?, "file"?, "split"?, "group"?}; more is let be.

    Each fact is {"attribute", "value", "p"?, "source"?, "detail"?}. Raises CaptionError with the number of the line.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _own(path, number, json.loads(line))
    except UnicodeDecodeError as error:
        raise CaptionError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except OSError as error:
        raise CaptionError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CaptionError(f"{path}, line {number}: not JSON ({error})") from error


def read_table(path: Path, *, image_column: str | None = None, caption_column: str | None = None) -> Iterator[Entry]:
    """A table with a header line (Flickr30k's bars, CSV, TSV), the captions of one picture brought together."""
    from whichpic.album.captions import table_rows

    held: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for name, text in table_rows(path, file, image_column, caption_column):
                if name.strip():
                    held.setdefault(name.strip(), []).append(text)
    except UnicodeDecodeError as error:
        raise CaptionError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except OSError as error:
        raise CaptionError(f"cannot read {path}: {error.strerror or error}") from error
    except csv.Error as error:
        raise CaptionError(f"{path} is not a table that is understood: {error}") from error
    for name, texts in held.items():
        picture = _id(path, name, None)
        yield Entry(picture, _captions(path, texts, picture))


def _own(path: Path, number: int, line: Any) -> Entry:
    where = f"line {number}"
    entry = _dict(path, line, where)
    picture = _id(path, entry.get("id"), number)
    if "captions" not in entry and "facts" not in entry:
        raise CaptionError(f"{path}, {where}: needs 'captions' (a list of texts) or 'facts' beside 'id'")
    stated = entry.get("facts")
    if not isinstance(stated, list | None):
        raise CaptionError(f"{path}, {where}: 'facts' is a list")
    return Entry(
        picture,
        _captions(path, entry.get("captions") or [], where),
        None if stated is None else tuple(_fact(path, each, where) for each in stated),
        file=_id(path, entry["file"], number) if entry.get("file") else "",
        split=_word(path, entry.get("split"), where),
        group=_word(path, entry.get("group"), where),
    )


def _fact(path: Path, given: Any, where: str) -> Fact:
    fact = _dict(path, given, f"{where}, a fact")
    attribute, value = (_word(path, fact.get(key), f"{where}, '{key}' of a fact") for key in ("attribute", "value"))
    if not (attribute and value):
        raise CaptionError(f"{path}, {where}: a fact needs 'attribute' and 'value'")
    p, detail = fact.get("p", 1.0), fact.get("detail")
    if isinstance(p, bool) or not isinstance(p, int | float) or not (math.isfinite(p) and 0 <= p <= 1):
        raise CaptionError(f"{path}, {where}: the p of {attribute}={value} is a number from 0 to 1")
    if not isinstance(detail, dict | None):
        raise CaptionError(f"{path}, {where}: the detail of {attribute}={value} is an object")
    if len(json.dumps(detail)) > LONGEST:
        raise CaptionError(f"{path}, {where}: the detail of {attribute}={value} is longer than {LONGEST} characters")
    count = (detail or {}).get("count", 0)
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 1_000_000:
        raise CaptionError(f"{path}, {where}: the count of {attribute}={value} is a whole number")
    return Fact(attribute, value, float(p), _word(path, fact.get("source"), where) or "stated", detail or {})


def _karpathy(path: Path, images: list[Any]) -> Iterator[Entry]:
    for number, each in enumerate(images, 1):
        where = f"image {number}"
        image = _dict(path, each, where)
        sentences = image.get("sentences")
        if not isinstance(sentences, list):
            raise CaptionError(
                f"{path}, {where}: needs 'sentences' (Karpathy JSON), or 'annotations' beside 'images' (COCO)"
            )
        name = image.get("filename")
        folder = image.get("filepath")
        if folder is not None and not isinstance(folder, str):
            raise CaptionError(f"{path}, {where}: 'filepath' is a text")
        texts = [_dict(path, sentence, f"{where}, a sentence").get("raw") for sentence in sentences]
        whole = f"{folder}/{name}" if folder and isinstance(name, str) else name
        yield Entry(
            _id(path, whole, number), _captions(path, texts, where), split=_word(path, image.get("split"), where)
        )


def _coco(path: Path, content: Mapping[str, Any]) -> Iterator[Entry]:
    names: dict[str, str] = {}
    for number, each in enumerate(content["images"], 1):
        image = _dict(path, each, f"image {number}")
        key = _key(path, image.get("id"), f"the id of image {number}")
        if key in names:
            raise CaptionError(f"{path}: two images have the id {key}")
        names[key] = _id(path, image.get("file_name"), number)
    texts: dict[str, list[Any]] = {key: [] for key in names}
    for number, each in enumerate(content["annotations"], 1):
        note = _dict(path, each, f"annotation {number}")
        if "caption" not in note:
            keys = ", ".join(sorted(_told(str(key)) for key in note))[:100]
            raise CaptionError(f"{path} has annotations without 'caption' (their keys: {keys}): take captions_*.json")
        key = _key(path, note.get("image_id"), f"the image_id of annotation {number}")
        if key not in names:
            raise CaptionError(f"{path}: annotation {number} is of an image {key} that is not in 'images'")
        texts[key].append(note["caption"])
    for key, name in names.items():
        yield Entry(name, _captions(path, texts[key], f"image {key}"))


def _msrvtt(path: Path, content: Mapping[str, Any]) -> Iterator[Entry]:
    splits: dict[str, str] = {}
    for number, each in enumerate(content["videos"], 1):
        video = _dict(path, each, f"video {number}")
        name = _id(path, video.get("video_id"), number)
        if name in splits:
            raise CaptionError(f"{path}: the video {name} is there twice")
        splits[name] = _word(path, video.get("split"), f"video {number}")
    texts: dict[str, list[Any]] = {name: [] for name in splits}
    for number, each in enumerate(content["sentences"], 1):
        sentence = _dict(path, each, f"sentence {number}")
        name = _id(path, sentence.get("video_id"), number)
        if name not in splits:
            raise CaptionError(f"{path}: sentence {number} is of a video {name} that is not in 'videos'")
        texts[name].append(sentence.get("caption"))
    for name, split in splits.items():
        yield Entry(name, _captions(path, texts[name], f"video {name}"), split=split, group=name)


def _chatir(path: Path, dialogues: list[Any], opening: bool) -> Iterator[Entry]:
    for number, each in enumerate(dialogues, 1):
        dialogue = _dict(path, each, f"dialogue {number}")
        rounds = dialogue.get("dialog")
        if not isinstance(rounds, list):
            raise CaptionError(f"{path}, dialogue {number}: needs 'img' and the list 'dialog'")
        captions = _captions(path, rounds[0 if opening else 1 :], f"dialogue {number}")
        yield Entry(_id(path, dialogue.get("img"), number), captions)


def _texts(path: Path, content: list[Any]) -> Iterator[Entry]:
    for number, each in enumerate(content, 1):
        texts = each.get("caption") if isinstance(each, dict) else each
        if not isinstance(texts, list):
            raise CaptionError(f"{path}, entry {number}: expected a list of captions, as in the first entry")
        yield Entry(str(number), _captions(path, texts, f"entry {number}"))


def _lists(content: Mapping[str, Any], *keys: str) -> bool:
    return all(isinstance(content.get(key), list) for key in keys)


def _dict(path: Path, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CaptionError(f"{path}, {where}: expected an object with keys, not {_told(json.dumps(value))}")
    return value


def _key(path: Path, value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > _LONGEST_ID:
        raise CaptionError(f"{path}: {where} is a number or a text")
    return _told(str(value))


def _word(path: Path, value: Any, where: str) -> str:
    """A short text of the data set: a split, a group, a fact. "" where there is none."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_ID or not _printable(value):
        raise CaptionError(f"{path}, {where}: expected a short text of one line, not {_told(json.dumps(value))}")
    return value


def _id(path: Path, value: Any, number: int | None) -> str:
    """The name of a picture, fit to be a row's key and a path below some folder."""
    where = "" if number is None else f", entry {number}"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63:
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise CaptionError(f"{path}{where}: a picture needs a name (its id or file name), a text")
    shown = _told(value)
    if len(value) > _LONGEST_ID:
        raise CaptionError(f"{path}{where}: the name {shown}... has {len(value)} characters; at most {_LONGEST_ID}")
    if not _printable(value):
        raise CaptionError(f"{path}{where}: the name {shown} holds characters that cannot be printed")
    plain = value.replace("\\", "/")
    if ".." in plain.split("/") or plain.startswith("/") or _DRIVE.match(plain):
        raise CaptionError(f"{path}{where}: the name {shown} leads out of the data set: names are relative, without ..")
    return value


def _captions(path: Path, texts: Any, where: str) -> tuple[str, ...]:
    """Captions with their white space made single, in their order; empty ones are left out."""
    if not isinstance(texts, Iterable) or isinstance(texts, str | dict):
        raise CaptionError(f"{path}, {where}: expected a list of captions")
    found = []
    for text in texts:
        if not isinstance(text, str):
            raise CaptionError(f"{path}, {where}: a caption is a text, not {_told(json.dumps(text))}")
        if len(text) > LONGEST:
            raise CaptionError(f"{path}, {where}: a caption of {len(text)} characters; at most {LONGEST}")
        plain = " ".join(text.replace("\0", " ").split())
        if any("\ud800" <= character <= "\udfff" for character in plain):
            raise CaptionError(f"{path}, {where}: a caption holds half a character (a lone surrogate): {_told(plain)}")
        if plain:
            found.append(plain)
    return tuple(found)


def _printable(text: str) -> bool:
    # Names of other scripts hold spaces and joiners that str.isprintable refuses; what moves a terminal's cursor, or is
    # half a character, is what must not pass.
    return not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _BIDI for c in text)


def _told(text: str) -> str:
    """Something from a stranger's file, fit for one line on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:80])
