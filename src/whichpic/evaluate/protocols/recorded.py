"""Dialogues that somebody else recorded, and the pictures that they search: ChatIR and PlugIR files.

Called by the protocols' front door and by cli. A recorded dialogue is texts only; who ranks the pictures is said
elsewhere (`ranking`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from whichpic.errors import SessionError
from whichpic.evaluate.protocols.files import field, load, named, need, records

Form = Literal["joined", "replaced"]
IMAGE = ("img", "image", "target", "target_path", "target_image", "image_path", "file_name", "filename", "image_id")
DIALOG = ("dialog", "dialogue", "dialogs", "rounds", "texts", "captions_by_round")
_QUESTION, _ANSWER = ("question", "q"), ("answer", "a")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One dialogue: what was said at each turn, turn 0 the opening, and the picture that was meant.

    `relevant`: every right picture where there is more than the target. `rows`: positions in the search space that
    are searched (a fold of a larger one); None: all.
    """

    id: str
    target: str
    rounds: tuple[str, ...]
    relevant: tuple[str, ...] = ()
    rows: tuple[int, int] | None = None

    def queries(self, form: Form) -> tuple[str, ...]:
        """The text that is searched with at each turn. joined: all that was said so far, parted by ", " (ChatIR);
        replaced: the round's text alone, which stands for the whole dialogue (PlugIR)."""
        if form == "replaced":
            return self.rounds
        return tuple(", ".join(self.rounds[: turn + 1]) for turn in range(len(self.rounds)))


def read_recorded(path: Path, *, turns: int | None = None, content: Any = None) -> tuple[Recorded, ...]:
    """The dialogues of a ChatIR or PlugIR file.

    Layout (ChatIR's released files, seen): a list of {"img": path, "dialog": [opening, "question? answer", ...]}. A
    round may also be {"question", "answer"}, or {"caption"} for an opening apart, and there may be one object a line.
    PlugIR's files have the same layout with rewritten texts for rounds (its dialogues were not at hand: the layout is
    the one that its search script shares with ChatIR's). turns: leave out what comes after as many.
    Raises SessionError.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    for number, record in enumerate(records(path, content)):
        target = str(need(record, IMAGE, path, number))
        rounds = need(record, DIALOG, path, number)
        if not isinstance(rounds, list) or not rounds:
            raise SessionError(f"{path}: record {number + 1} has no rounds; expected a list with the opening first")
        texts = tuple(_text(each, path, number) for each in rounds)
        opening = field(record, ("caption", "opening"))
        if isinstance(opening, str) and isinstance(rounds[0], dict):
            texts = (opening, *texts)
        found.append((target, texts[:turns]))
    ids = named([target for target, _ in found])
    return tuple(Recorded(name, target, rounds) for name, (target, rounds) in zip(ids, found, strict=True))


def _text(item: Any, path: Path, number: int) -> str:
    if isinstance(item, dict):
        question, answer = field(item, _QUESTION), field(item, _ANSWER)
        if isinstance(question, str):
            mark = "" if question.rstrip().endswith("?") else "?"
            return f"{question.rstrip()}{mark} {answer or ''}".strip()
        item = field(item, ("text", "caption", "value"))
    if not isinstance(item, str):
        raise SessionError(f"{path}: record {number + 1} has a round that is not text: {str(item)[:40]!r}")
    return item


def looks_rewritten(dialogues: Sequence[Recorded]) -> bool:
    """Whether later rounds are statements (PlugIR: each replaces the former) and not questions with answers."""
    later = [text for dialogue in dialogues[:200] for text in dialogue.rounds[1:]]
    return bool(later) and sum("?" in text for text in later) < 0.2 * len(later)


def read_space(path: Path) -> tuple[str, ...]:
    """A search space: a JSON list of paths (ChatIR, PlugIR), in its order. Raises SessionError."""
    content = load(path)
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if len(lists) == 1 else content
    if not isinstance(content, list) or not content or not all(isinstance(each, str) for each in content):
        raise SessionError(f'{path} is not a search space: expected a JSON list of paths, ["folder/1.jpg", ...]')
    if len(set(content)) != len(content):
        twice = next(name for k, name in enumerate(content) if name in content[:k])
        raise SessionError(f"{path} lists {twice} twice; a picture is searched once")
    return tuple(content)


def within(dialogues: Sequence[Recorded], space: Mapping[str, int], what: str) -> list[int]:
    """The position of every target. Raises SessionError where one is not among the pictures searched.

    `what` names the search space. A name is looked up as it is, and then by its last part where that is one picture's.
    """
    found = looked_up([dialogue.target for dialogue in dialogues], space)
    missing = [dialogue.target for dialogue, position in zip(dialogues, found, strict=True) if position is None]
    if missing:
        raise SessionError(
            f"{len(missing)} of {len(dialogues)} targets are not among the pictures of {what} "
            f"(first: {missing[0]}); every target must be inside its search space"
        )
    return [position for position in found if position is not None]


def looked_up(names: Sequence[str], space: Mapping[str, int]) -> list[int | None]:
    """The position of every name, None where there is none; see `within`."""
    by_end: dict[str, int | None] = {}
    for name, position in space.items():
        end = name.rsplit("/", 1)[-1]
        by_end[end] = position if by_end.get(end, position) == position else None
    ends = [name.replace("\\", "/").rsplit("/", 1)[-1] for name in names]
    return [space.get(name, by_end.get(end)) for name, end in zip(names, ends, strict=True)]


_CORPORA = {
    "unlabeled2017": "VisDial v1.0 val, COCO unlabeled2017",
    "val2017": "COCO val2017",
    "flickr30k-images": "Flickr30k",
    "flickr30k_images": "Flickr30k",
}


def corpus_of(ids: Sequence[str]) -> str:
    """The corpus that the pictures' folder names; their common folder where it is none that is known."""
    folders = {name.rsplit("/", 1)[0].rsplit("/", 1)[-1] if "/" in name else "" for name in ids}
    folder = folders.pop() if len(folders) == 1 else ""
    return _CORPORA.get(folder, folder or "not stated")
