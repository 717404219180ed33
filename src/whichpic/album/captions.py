"""Reads captions files in the layouts that data sets come in, and finds the pictures they name. Called by indexing.

Nothing here opens a picture: a name reaches only what is in the catalogue already, and a name that points elsewhere is
reported and passed by.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from whichpic.errors import CaptionError
from whichpic.types import Fact

IMAGE_COLUMNS = ("image_name", "image", "file_name", "filename", "image_path", "file", "img", "path", "name")
CAPTION_COLUMNS = ("comment", "caption", "captions", "text", "sentence", "description")
OWN = "pictures.jsonl"
"""Captions and facts in our own layout, lying in an album."""
_LONGEST = 2000  # characters of one caption
_TOLD = 20  # reasons that are told one by one
_KNOWN_TABLES = re.compile(r"(results.*|captions?|images?_captions?|annotations?)\.(csv|txt|tsv)", re.IGNORECASE)
_KNOWN_COCO = re.compile(r"captions_\w+\.json")


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """A captions file and, where its header does not say it in a known word, its columns."""

    path: Path
    image_column: str | None = None
    caption_column: str | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one file says of pictures: (name, caption) pairs in its order, and the facts that it states, by name."""

    captions: list[tuple[str, str]]
    facts: dict[str, tuple[Fact, ...]]


def read_spoken(file: CaptionFile, paths: Iterable[str] | None = None) -> Spoken:
    """Read a captions file, in any of the layouts of `read_captions` and `layouts`, for an album of pictures.

    paths: of the album's files, among which the frames of clips are found by their names.
    Raises CaptionError where the file cannot be read or is in none of the layouts.
    """
    from whichpic.album.datasets import for_album
    from whichpic.album.layouts import load_json

    ending = file.path.suffix.lower()
    content = load_json(file.path) if ending == ".json" else None
    if ending != ".jsonl" and (content is None or (isinstance(content, dict) and "annotations" in content)):
        columns = {"image_column": file.image_column, "caption_column": file.caption_column}
        return Spoken(read_captions(file.path, **columns), {})
    dataset = for_album(file.path, content, paths)
    named = [(dataset.files.get(picture, picture), picture) for picture in dataset.pictures]
    pairs = [(name, text) for name, picture in named for text in dataset.captions.get(picture, ())]
    return Spoken(pairs, {name: dataset.facts[picture] for name, picture in named if picture in dataset.facts})


def read_captions(
    path: Path, *, image_column: str | None = None, caption_column: str | None = None
) -> list[tuple[str, str]]:
    """(name of the picture, caption) of every line, in the order of the file; white space is made single.

    Layouts: a table with a header line, its columns parted by | (Flickr30k, with or without spaces around the bars),
    comma, semicolon or tab; COCO captions JSON (`images` and `annotations`).
    Raises CaptionError where the file cannot be read or has no such columns; the message names those there are.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".json":
                pairs: Iterable[tuple[str, str]] = _read_coco(path, json.load(file))
            else:
                pairs = list(table_rows(path, file, image_column, caption_column))
    except UnicodeDecodeError as error:
        raise CaptionError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except OSError as error:
        raise CaptionError(f"cannot read the captions file {path}: {error.strerror or error}") from error
    except (csv.Error, json.JSONDecodeError, RecursionError) as error:
        raise CaptionError(f"{path} is not a captions file that is understood: {error}") from error
    cleaned = ((name.strip(), " ".join(text.split())[:_LONGEST]) for name, text in pairs)
    return [(name, _storable(text)) for name, text in cleaned if name and text]


def find_caption_files(root: Path) -> list[Path]:
    """Captions files that lie where the known data sets put them, sorted: in the album, in the folders right below it
    (`flickr30k_images/results.csv`, `annotations/`), or beside it.

    In the album folder any table counts whose header names pictures and captions, and `pictures.jsonl`; elsewhere only
    the usual names do.
    """
    found: set[Path] = {path for path in (root / OWN,) if path.is_file()}
    coco = root / "playground" / "data" / "mscoco"
    try:
        below = sorted(
            path for path in root.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "."
        )
    except OSError:
        below = []
    for folder in (root, *below, coco, root.parent, root.parent / "annotations"):
        try:
            files = [path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".txt", ".json")]
        except OSError:
            continue
        jsons = [path for path in files if _KNOWN_COCO.fullmatch(path.name) and path.is_file()]
        own = [path for path in jsons if path.stem == f"captions_{root.name}"]
        found.update(own or jsons)
        for path in files:
            usual = _KNOWN_TABLES.fullmatch(path.name) or (folder == root and path.suffix.lower() in (".csv", ".tsv"))
            if usual and path.is_file() and _has_caption_header(path):
                found.add(path)
    return sorted(found)


def attach(
    named: Sequence[tuple[str, str]], paths: Mapping[str, str], root: Path
) -> tuple[list[tuple[str, str]], list[str]]:
    """(picture id, caption) for every caption whose name is that of a picture, and the reasons for the others.

    paths: the album's files, path -> picture id. A name is a path in the album, the end of one ("a.jpg" for
    "2021/a.jpg"), or a path that begins with the album's own folders ("val2017/1.jpg" in an album called val2017).
    """
    by_end: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_end[path.rsplit("/", 1)[-1]].append(path)
    answers: dict[str, tuple[str | None, str]] = {}
    pairs: list[tuple[str, str]] = []
    for name, text in named:
        if name not in answers:
            answers[name] = _resolve(name, paths, by_end, root)
        if picture_id := answers[name][0]:
            pairs.append((picture_id, text))
    return pairs, _reasons(answers)


def _reasons(answers: Mapping[str, tuple[str | None, str]]) -> list[str]:
    told = [f"{_shown(name)}: {why}" for name, (picture_id, why) in answers.items() if not picture_id and why]
    reasons = told[:_TOLD] + ([f"{len(told) - _TOLD} more names of this kind"] if len(told) > _TOLD else [])
    unknown = sum(1 for picture_id, why in answers.values() if not picture_id and not why)
    if unknown:
        reasons.append(f"{unknown} of {len(answers)} names are not of pictures in this album")
    return reasons


def _resolve(
    name: str, paths: Mapping[str, str], by_end: Mapping[str, list[str]], root: Path
) -> tuple[str | None, str]:
    """The picture's id, or None and why (an empty reason: no such picture)."""
    if any(ord(c) < 32 for c in name):
        return None, "the name holds control characters"
    plain = name.replace("\\", "/")
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        return None, "an absolute path reaches nothing: names are relative to the album"
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        return None, "a path that leaves the album reaches nothing"
    own = list(root.parts)
    for start in range(len(parts)):
        if start and own[-start:] != parts[:start]:
            continue
        tail = "/".join(parts[start:])
        if tail in paths:
            return paths[tail], ""
        ids = {paths[path] for path in by_end.get(parts[-1], ()) if path.endswith("/" + tail)}
        if len(ids) == 1:
            return ids.pop(), ""
        if ids:
            return None, f"{len(ids)} different pictures have this name"
    return None, ""


def table_rows(
    path: Path, file: Iterable[str], image_column: str | None, caption_column: str | None
) -> Iterator[tuple[str, str]]:
    """(name, caption) of every line of an open table, as they stand there. Raises CaptionError, csv.Error."""
    lines = iter(file)
    header = next(lines, "")
    mark = _mark(header)
    columns = _columns(header, mark)
    picture_at = _find(path, columns, image_column, IMAGE_COLUMNS, "pictures", "--image-column")
    caption_at = _find(path, columns, caption_column, CAPTION_COLUMNS, "captions", "--caption-column")
    # Flickr30k's captions hold quotation marks that quote nothing; its last column may hold further bars.
    rows = (
        (line.rstrip("\r\n").split("|", len(columns) - 1) for line in lines)
        if mark == "|"
        else csv.reader(lines, delimiter=mark)
    )
    for row in rows:
        if len(row) > max(picture_at, caption_at):
            yield row[picture_at], row[caption_at]
        elif mark == "|" and len(row) == 2 and (merged := re.match(r"\s*\d+\s+(.*)", row[1])):
            yield row[0], merged[1]  # one line of Flickr30k lacks its second bar


def _read_coco(path: Path, content: object) -> Iterator[tuple[str, str]]:
    if not (isinstance(content, dict) and isinstance(content.get("annotations"), list)):
        raise CaptionError(f"{path} is not COCO captions JSON: it needs the lists 'images' and 'annotations'")
    images = [entry for entry in content.get("images") or [] if isinstance(entry, dict)]
    names = {str(entry.get("id")): str(entry.get("file_name")) for entry in images if entry.get("file_name")}
    captions = [entry for entry in content["annotations"] if isinstance(entry, dict)]
    if captions and not any("caption" in entry for entry in captions):
        keys = ", ".join(sorted(Counter(str(key) for entry in captions[:100] for key in entry)))
        raise CaptionError(
            f"{path} has annotations without 'caption' (their keys: {keys}): take the captions_*.json file"
        )
    return (
        (names[str(entry.get("image_id"))], str(entry["caption"]))
        for entry in captions
        if "caption" in entry and str(entry.get("image_id")) in names
    )


def _mark(header: str) -> str:
    """What parts the columns of a header line."""
    return next((mark for mark in ("|", "\t", ",", ";") if mark in header), ",")


def _columns(header: str, mark: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([header.rstrip("\r\n")], delimiter=mark), [])]


def _find(path: Path, columns: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, option: str) -> int:
    lowered = [name.lower() for name in columns]
    for name in [wanted.strip().lower()] if wanted else usual:
        if name in lowered:
            return lowered.index(name)
    missing = f"no column {wanted!r}" if wanted else f"no column that names its {what}"
    there = ", ".join(_shown(name) for name in columns[:20] if name) or "none"
    raise CaptionError(f"{path} has {missing}; its columns are: {there} (choose with {option})")


def header_of(path: Path) -> list[str]:
    """The columns of a table, by its first line; none where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline(10_000)
        return _columns(header, _mark(header))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _has_caption_header(path: Path) -> bool:
    names = {name.lower() for name in header_of(path)}
    return bool(names & set(IMAGE_COLUMNS)) and bool(names & set(CAPTION_COLUMNS))


def _shown(name: str) -> str:
    """A name from a stranger's file, fit for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)[:120]


def _storable(text: str) -> str:
    """Without the lone surrogates that JSON may hold and SQLite refuses, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
