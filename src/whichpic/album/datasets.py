"""Data sets of captions: pictures that are known by a name and by what is said of them, wherever the pictures are.

`read_dataset` reads a file in any layout that is known. Called by indexing (an album of captions alone), simulate and
evaluate; `relevant` and `held_out` turn one into queries with the pictures that are meant.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from whichpic.album.captions import header_of
from whichpic.album.layouts import Content, Entry, load_json, read_json, read_jsonl, read_table
from whichpic.errors import CaptionError
from whichpic.types import Fact

ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".txt")
"""What the name of a data set ends with; a folder is an album of pictures."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the file of an album of captions is to be read; what is None is as it was the last time."""

    split: str | None = None
    opening: bool | None = None
    captions: str | None = None  # the other half of a pair of files, absolute
    image_column: str | None = None
    caption_column: str | None = None

    def after(self, before: Reading) -> Reading:
        """This reading, with what it leaves open taken from the one before."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(before, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class DataSet:
    """Pictures of a data set, in its order, with what it says of them. Pictures without a caption have no key there.

    pictures: their ids, which are the data set's own names. captions, facts: by id, as the data set has them (a caption
    may come twice). groups: the clip or scene that a picture belongs to; its pictures share their captions. splits:
    "train", "val", "test", ... files: where the picture is, relative to the data set, if the data set says so.
    """

    name: str
    pictures: tuple[str, ...]
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facts: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Changes whenever a picture, a caption or a fact does; 12 hex digits."""
        plain = [
            [name, list(self.captions.get(name, ())), [repr(fact) for fact in self.facts.get(name, ())]]
            for name in self.pictures
        ]
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:12]


def read_dataset(
    path: str | Path,
    *,
    split: str | None = None,
    opening: bool = True,
    captions: str | Path | None = None,
    frames: str | Path | Iterable[str] | None = None,
    image_column: str | None = None,
    caption_column: str | None = None,
) -> DataSet:
    """Read a data set of captions, its layout told by its ending and its keys; see `layouts` for those there are.

    split: only its pictures ("test"; several: "train,restval"; "all"). opening: ChatIR dialogues with the caption that
    each begins with, or only what follows. captions: the list of captions that belongs to a list of names in the same
    order (PlugIR's Search_Space_coco.json and coco_captions.json; the other of the two is found where it lies beside,
    and either may be named). frames: of MSR-VTT, a folder with the clips' frames, or their paths (`<video_id>_<frame>.jpg`
    or `<video_id>/<frame>.jpg`); without them a clip counts as one picture. image_column, caption_column: of a table.
    Raises CaptionError with one line: not the layout, a name twice, no picture, no caption at all, ...
    """
    path = Path(path)
    content = _content(path, opening, image_column, caption_column)
    if frames is not None and content.kind != "msrvtt":
        raise CaptionError(f"{path} is not of clips: only MSR-VTT JSON has frames")
    return _made(path, content, split, None if captions is None else Path(captions), frames)


def _made(
    path: Path, content: Content, split: str | None, captions: Path | None, frames: str | Path | Iterable[str] | None
) -> DataSet:
    if content.kind in ("names", "texts"):
        content = _paired(path, content, captions)
    elif captions is not None:
        raise CaptionError(f"{path} holds its captions itself: leave {captions} away")
    entries = content.entries
    if split and split != "all":
        entries = _of_split(path, entries, split)
    if frames is not None:
        entries = _of_frames(path, entries, frames)
    return _dataset(path, entries)


def for_album(path: Path, content: Any, paths: Iterable[str] | None) -> DataSet:
    """A data set as the captions file of an album of pictures: `content` is its JSON, if it is JSON and was read.

    paths: of the album's files; a clip's captions are then those of each of its frames. Raises CaptionError.
    """
    read = _content(path, True, None, None) if content is None else read_json(path, content)
    return _made(path, read, None, None, paths if read.kind == "msrvtt" else None)


def check(path: Path) -> None:
    """Raise CaptionError where no options could make a data set of this file.

    A table passes if it has columns: which they are can be said, and so can the other half of a pair.
    """
    if path.suffix.lower() in (".json", ".jsonl"):
        content = _content(path, True, None, None)
        if content.kind not in ("names", "texts"):
            _dataset(path, content.entries)
    elif len(header_of(path)) < 2:
        raise CaptionError(f"{path} is no table of captions: its first line has no columns for pictures and captions")


def relevant(dataset: DataSet) -> dict[str, tuple[str, ...]]:
    """For each caption, taken as a query, the ids of the pictures it is said of, in the data set's order.

    A picture of its own is the only one that is meant; of a clip, all of its frames are (several targets for one query).
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name in dataset.pictures:
        for text in dataset.captions.get(name, ()):
            found[text][name] = None
    return {text: tuple(names) for text, names in found.items()}


def held_out(dataset: DataSet, caption: int = 0) -> tuple[DataSet, dict[str, str]]:
    """The data set without the caption at one position of each picture, and those captions as queries, by picture.

    A query must not be among the documents. A picture with no other caption stays, without captions and without a
    query; every place where the same text stands in a picture is left out.
    """
    documents: dict[str, tuple[str, ...]] = {}
    queries: dict[str, str] = {}
    for name, texts in dataset.captions.items():
        if len(texts) > caption:
            rest = tuple(text for text in texts if text != texts[caption])
            if rest:
                queries[name] = texts[caption]
        else:
            rest = texts
        if rest:
            documents[name] = rest
    return replace(dataset, name=f"{dataset.name} without caption {caption + 1}", captions=documents), queries


def frames_by_clip(paths: Iterable[str], clips: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The frames of each clip that has any, sorted: `<clip>_<frame>.jpg` or `<clip>/<frame>.jpg`, below any folder."""
    wanted = set(clips)
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        parts = path.split("/")
        stem = parts[-1].rpartition(".")[0] or parts[-1]
        before = stem.rpartition("_")[0]
        if len(parts) > 1 and parts[-2] in wanted:
            found[parts[-2]].append(path)
        elif before in wanted or stem in wanted:
            found[before if before in wanted else stem].append(path)
    return {clip: tuple(sorted(each)) for clip, each in found.items()}


def companion_of(path: Path) -> Path | None:
    """The other half of PlugIR's pair, `Search_Space_X.json` and `X_captions.json`, where it lies beside; or None."""
    if match := re.fullmatch(r"Search_Space_(.+)\.json", path.name):
        other = path.with_name(f"{match[1]}_captions.json")
    elif match := re.fullmatch(r"(.+)_captions\.json", path.name):
        other = path.with_name(f"Search_Space_{match[1]}.json")
    else:
        return None
    return other if other.is_file() else None


def _content(path: Path, opening: bool, image_column: str | None, caption_column: str | None) -> Content:
    match path.suffix.lower():
        case ".json":
            return read_json(path, load_json(path), opening=opening)
        case ".jsonl":
            return Content("jsonl", tuple(read_jsonl(path)))
        case ".csv" | ".tsv" | ".txt":
            return Content("table", tuple(read_table(path, image_column=image_column, caption_column=caption_column)))
    raise CaptionError(f"{path} is not a data set of captions: those end in {', '.join(ENDINGS)}")


def _paired(path: Path, content: Content, other: Path | None) -> Content:
    """A list of names and a list of captions, brought together in their order."""
    other = other or companion_of(path)
    if other is None:
        has, lacks = ("names", "captions") if content.kind == "names" else ("captions", "names")
        raise CaptionError(
            f"{path} holds {has} only: give the file with the {lacks} too: whichpic index {path} --captions FILE"
        )
    second = read_json(other, load_json(other))
    if {content.kind, second.kind} != {"names", "texts"}:
        raise CaptionError(f"{path} and {other}: expected a list of names and a list of captions in the same order")
    names, texts = (content, second) if content.kind == "names" else (second, content)
    if len(names.entries) != len(texts.entries):
        counts = f"{len(names.entries)} names and {len(texts.entries)} entries with captions"
        raise CaptionError(f"{path} and {other} do not belong together: {counts}")
    both = zip(names.entries, texts.entries, strict=True)
    return Content("pair", tuple(Entry(name.id, text.captions) for name, text in both))


def _of_split(path: Path, entries: Sequence[Entry], split: str) -> tuple[Entry, ...]:
    wanted = {part.strip() for part in split.split(",")} - {""}
    there = {entry.split for entry in entries} - {""}
    if missing := sorted(wanted - there):
        raise CaptionError(f"{path} has no split '{missing[0]}'; there are: {', '.join(sorted(there)) or 'none'}")
    return tuple(entry for entry in entries if entry.split in wanted)


def _of_frames(path: Path, entries: Sequence[Entry], frames: str | Path | Iterable[str]) -> tuple[Entry, ...]:
    from whichpic.album.scan import scan

    paths = scan(Path(frames)).files if isinstance(frames, str | Path) else frames
    by_clip = frames_by_clip(paths, [entry.id for entry in entries])
    if not by_clip:
        raise CaptionError(f"{path}: no frame of its clips is there; they are named CLIP_FRAME.jpg or CLIP/FRAME.jpg")
    return tuple(
        Entry(frame, entry.captions, entry.facts, frame, entry.split, entry.id)
        for entry in entries
        for frame in by_clip.get(entry.id, ())
    )


def _dataset(path: Path, entries: Sequence[Entry]) -> DataSet:
    if not entries:
        raise CaptionError(f"{path} names no picture at all")
    captions: dict[str, tuple[str, ...]] = {}
    told: dict[str, dict[str, None]] = defaultdict(dict)  # of each group, what is said of any of its pictures
    files: dict[str, str] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise CaptionError(f"{path}: the picture {entry.id} is there twice")
        seen.add(entry.id)
        if entry.file:
            files[entry.id] = entry.file
    places = Counter(files.get(entry.id, entry.id) for entry in entries)
    if len(places) < len(entries):
        raise CaptionError(f"{path}: two pictures have the file {places.most_common(1)[0][0]}")
    for entry in entries:
        if entry.group:
            told[entry.group].update(dict.fromkeys(entry.captions))
    for entry in entries:
        texts = tuple(told[entry.group]) if entry.group else entry.captions
        if texts:
            captions[entry.id] = texts
    facts = {entry.id: entry.facts for entry in entries if entry.facts is not None}
    if not (captions or facts):
        raise CaptionError(f"{path} has no caption at all: nothing is said of its {len(entries)} pictures")
    return DataSet(
        name=path.stem,
        pictures=tuple(entry.id for entry in entries),
        captions=captions,
        facts=facts,
        groups={entry.id: entry.group for entry in entries if entry.group},
        splits={entry.id: entry.split for entry in entries if entry.split},
        files=files,
    )
