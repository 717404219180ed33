"""Which pictures are looked for, and what their users know of them. Called by cli and by who plays dialogues from Python."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whichpic.errors import QueryError, SessionError
from whichpic.simulate.users import Target, dialogue_seed

if TYPE_CHECKING:
    from whichpic.album.datasets import DataSet
    from whichpic.search.gallery import Gallery

Texts = Mapping[str, Sequence[str]]
LEAK = "leak: the album holds captions that the users know, so that what they say is found word for word"


def read_texts(
    path: str | Path, space: str | Path | None = None, *, gallery: Gallery | None = None
) -> dict[str, tuple[str, ...]]:
    """Captions by picture from a data set's file, in any layout of `read_dataset`; PlugIR's pair with `space`.

    Published dialogues (ChatIR) are read likewise, as the rounds of each picture. gallery: captions of a clip are those of
    its frames in there. Raises CaptionError.
    """
    return {name: tuple(texts) for name, texts in _read(path, space, gallery).captions.items()}


def read_groups(path: str | Path, gallery: Gallery) -> dict[str, tuple[str, ...]]:
    """The pictures that are meant together (the frames of a clip), for each that is not alone, by id, in the album's order.

    Raises CaptionError.
    """
    together = by_picture(gallery, {name: (group,) for name, group in _read(path, None, gallery).groups.items()})
    members: dict[str, list[str]] = defaultdict(list)
    for picture in gallery.ids:
        for group in together.get(picture, ()):
            members[group].append(picture)
    return {picture: tuple(alike) for alike in members.values() if len(alike) > 1 for picture in alike}


def _read(path: str | Path, space: str | Path | None, gallery: Gallery | None) -> DataSet:
    from whichpic.album.datasets import frames_by_clip, read_dataset

    found = read_dataset(path, captions=space) if space else read_dataset(path)
    if gallery is not None and found.groups and all(name == group for name, group in found.groups.items()):
        paths = [each for picture in gallery.pictures for each in picture.paths]
        if frames_by_clip(paths, found.groups.values()):
            return read_dataset(path, frames=paths)
    return found


def read_recorded(path: str | Path) -> dict[str, tuple[str, ...]]:
    """The turns of recorded dialogues by target: those of whichpic (dialogues.jsonl), or published ones."""
    from whichpic.simulate.dialogues import read_dialogues

    try:
        _, dialogues = read_dialogues(path)
    except SessionError:
        return read_texts(path)
    return {dialogue.target: tuple(turn.text for turn in dialogue.turns) for dialogue in dialogues}


def by_picture(gallery: Gallery, texts: Texts) -> dict[str, tuple[str, ...]]:
    """The texts under the ids of this album's pictures: a name is an id, a path, or a file name that no other one has."""
    by_path = {path: picture.id for picture in gallery.pictures for path in picture.paths}
    by_name: dict[str, set[str]] = defaultdict(set)
    for path, picture in by_path.items():
        by_name[_last(path)].add(picture)
    names: dict[str, int] = defaultdict(int)
    for name in texts:
        names[_last(name)] += 1
    found: dict[str, tuple[str, ...]] = {}
    for name, said in texts.items():
        alike = by_name.get(_last(name), set()) if names[_last(name)] == 1 else set()
        only = next(iter(alike)) if len(alike) == 1 else None
        known = name if name in gallery.positions else by_path.get(name, only)
        if known is not None and said:
            found[known] = (*found.get(known, ()), *said)
    return found


def choose(
    gallery: Gallery,
    *,
    ids: Sequence[str] = (),
    folder: str = "",
    n: int = 0,
    seed: int = 0,
    among: Texts | None = None,
    groups: Texts | None = None,
) -> list[str]:
    """The targets' ids, in the album's order.

    ids: pictures by id, path or file name; else all. folder: only those below it. among: only pictures that are keys of
    it. groups: of pictures that are meant together only the first is looked for, unless `ids` names others. n: so many of
    them, drawn by the seed (by a hash of each id, so that a larger n holds the smaller one's targets).
    Raises QueryError where there are none, or where a name is not of a picture.
    """
    chosen = list(gallery.ids)
    if ids:
        known = by_picture(gallery, {name: (name,) for name in ids})
        found = {name for names in known.values() for name in names}
        missing = [name for name in ids if name not in found]
        if missing:
            raise QueryError(f"{len(missing)} targets are not in the album, the first of them {missing[0]}")
        chosen = [picture for picture in chosen if picture in known]
    if folder:
        below = f"{folder.strip('/')}/"
        chosen = [
            p for p in chosen if any(path.startswith(below) for path in gallery.pictures[gallery.positions[p]].paths)
        ]
    if among is not None:
        chosen = [picture for picture in chosen if picture in among]
    if groups and not ids:
        chosen = [picture for picture in chosen if groups.get(picture, (picture,))[0] == picture]
    if 0 < n < len(chosen):
        kept = set(sorted(chosen, key=lambda picture: (dialogue_seed(seed, f"target {picture}"), picture))[:n])
        chosen = [picture for picture in chosen if picture in kept]
    if not chosen:
        where = f" below {folder}/" if folder else ""
        what = " that users know anything of (--captions FILE)" if among is not None else ""
        raise QueryError(f"no picture{where} of the album can be a target: none is there{what}")
    return chosen


def targets(
    gallery: Gallery,
    chosen: Sequence[str],
    *,
    captions: Texts | None = None,
    recorded: Texts | None = None,
    groups: Texts | None = None,
) -> list[Target]:
    """What the users of these pictures know: their facts, captions (the album's own, unless others are given), dialogue.

    groups: every right picture, where there is more than the target.
    """
    own = gallery.captions if captions is None else captions
    return [
        Target(
            picture,
            gallery.facts_of(picture),
            tuple(own.get(picture, ())),
            tuple((recorded or {}).get(picture, ())),
            tuple((groups or {}).get(picture, ())),
        )
        for picture in chosen
    ]


def leaks(gallery: Gallery, known: Sequence[Target]) -> tuple[str, ...]:
    """A warning where the album holds what its users say of their targets; () where it does not."""
    told = [each.id for each in known if set(each.captions) & set(gallery.captions.get(each.id, ()))]
    return (f"{LEAK} ({len(told)} of {len(known)} targets)",) if told else ()


def fingerprint(known: Sequence[Target]) -> str:
    """12 hex digits that change with the targets or with what is known of them, for the header of a file of dialogues."""
    return hashlib.sha256(repr(list(known)).encode("utf-8", "replace")).hexdigest()[:12]


def _last(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]
