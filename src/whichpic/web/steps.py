"""A conversation as it was, step by step: what was shown, asked and said, and where the target stood.

Called by pages and exporting. A dialogue of a file and a session that was kept look the same here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whichpic.dialogue.belief import believe
from whichpic.dialogue.events import Answered, Chosen, Filtered, Marked, Record, Said, effective, not_undone
from whichpic.dialogue.showing import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whichpic.dialogue import Question, Session
    from whichpic.search.gallery import Gallery
    from whichpic.simulate.dialogues import Dialogue, Turn

SHOWN = 12
"""Pictures of a list that a step keeps."""
_NEGATIVE = "− "


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a question: its text, or the id of the picture that it shows."""

    text: str
    picture: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the user did, and what followed.

    kind: said, answered, marked, chosen or filtered. asked, choices: the question and its options; choice: the position
    of the answer; unsure: "not sure". said: the user's own words. more, less: ids that were marked (of a query: pictures
    that are part of it; chosen: the one that was found). shown: ids of the list, best first. rank: of the target among all
    pictures, 1-based, ties by half; None where it is not known. p: probability of the target, with its near-duplicates.
    fitting: how many pictures hold the target with a probability of 90 %. rewritten, captions, trouble: of models.
    """

    kind: str
    asked: str = ""
    choices: tuple[Choice, ...] = ()
    choice: int | None = None
    unsure: bool = False
    said: str = ""
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    rank: float | None = None
    p: float | None = None
    fitting: int | None = None
    rewritten: str = ""
    captions: tuple[tuple[str, str], ...] = ()
    looked: tuple[tuple[str, float], ...] = ()
    trouble: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """A whole conversation; `target` is the picture that was looked for, or in the end found; "" where none is known."""

    id: str
    target: str
    steps: tuple[Step, ...]

    @property
    def ranks(self) -> list[float | None]:
        """The target's rank after every step."""
        return [step.rank for step in self.steps]

    @property
    def pictures(self) -> list[str]:
        """Ids of all pictures that are shown somewhere in it, each once."""
        named = [self.target] if self.target else []
        for step in self.steps:
            named += [*step.more, *step.less, *step.shown, *(each.picture for each in step.choices if each.picture)]
        return list(dict.fromkeys(named))


def rank_of(turn: Turn) -> float:
    """Where the target stood after a turn: 1-based, ties by half."""
    return 1 + turn.better + turn.ties / 2


def of_dialogue(dialogue: Dialogue) -> Steps:
    """The steps of a dialogue that was simulated or published."""
    return Steps(dialogue.id, dialogue.target, tuple(_of_turn(turn) for turn in dialogue.turns))


def of_session(session: Session, *, shown: int = SHOWN) -> Steps:
    """The steps of a session, each list as the album gives it now. What was undone is left out."""
    kept = not_undone(session.records)
    target = session.chosen or ""
    steps = tuple(_of_record(session, kept[: k + 1], target, shown) for k in range(len(kept)))
    return Steps(session.id, target, steps)


def _of_turn(turn: Turn) -> Step:
    asked, said, unsure = "", turn.text, False
    choices: tuple[Choice, ...] = ()
    choice: int | None = None
    if turn.question is not None:
        asked = _text(turn.question.get("text"))
        choices = _choices(turn.question)
        choice = turn.option if turn.option is not None and 0 <= turn.option < len(choices) else None
        said = turn.words if turn.kind == "answered" else turn.words or turn.text
        unsure = choice is None and not said
    elif turn.kind == "marked":
        said = ""
    return Step(
        kind=turn.kind, asked=asked, choices=choices, choice=choice, unsure=unsure, said=said,
        more=(turn.marked,) if turn.marked else (), shown=turn.shown[:SHOWN], rank=rank_of(turn), p=turn.p_target,
        fitting=turn.set_size or None, rewritten=turn.rewritten, captions=turn.captions, looked=turn.looked,
        trouble=turn.trouble,
    )  # fmt: skip


def _of_record(session: Session, records: list[Record], target: str, most: int) -> Step:
    gallery, record = session.gallery, records[-1]
    belief = believe(gallery, effective(records), session.settings)
    rank = p = None
    if target:
        log = belief.log
        own = log[gallery.positions[target]]
        if math.isfinite(own):
            ties = int((log == own).sum()) - 1
            rank = 1 + int((log > own).sum()) + ties / 2
            p = float(belief.p[gallery.groups == gallery.groups[gallery.positions[target]]].sum())
    note = record.noted
    return Step(
        **_event(record, gallery),
        shown=tuple(each.picture.id for each in listed(gallery, belief, most)),
        rank=rank,
        p=p,
        fitting=len(belief.credible(0.9)),
        rewritten=note.rewritten if note is not None else "",
        captions=note.captions if note is not None else (),
        looked=note.reranked if note is not None else (),
        at=record.at,
    )


def _event(record: Record, gallery: Gallery) -> dict[str, Any]:
    event = record.event
    match event:
        case Said():
            liked = tuple(term.picture for term in event.terms if term.picture and term.weight > 0)
            not_liked = tuple(term.picture for term in event.terms if term.picture and term.weight < 0)
            words = ", ".join(
                (_NEGATIVE if term.weight < 0 else "") + (term.text or base_name(term.name))
                for term in event.terms
                if term.text or (term.vector and not term.picture)
            )
            return {"kind": "said", "asked": event.asked, "said": words, "more": liked, "less": not_liked}
        case Answered():
            choices = choices_of(event.question)
            return {
                "kind": "answered", "asked": event.question.text, "choices": choices, "choice": event.option,
                "said": event.words, "unsure": event.option is None,
            }  # fmt: skip
        case Marked():
            return {"kind": "marked", "more": event.more, "less": event.less}
        case Chosen():
            return {"kind": "chosen", "more": (event.picture,)}
        case Filtered():
            return {"kind": "filtered", "said": " ".join(event.conditions)}
        case _:
            raise TypeError("an undo and a note are no steps")


def choices_of(question: Question) -> tuple[Choice, ...]:
    """The options of a question; those of a pick are pictures."""
    pick = question.source == "pick"
    return tuple(Choice(each.text, each.value if pick else "") for each in question.options)


def _choices(question: Mapping[str, Any]) -> tuple[Choice, ...]:
    """The same of a question in a file, which somebody may have edited."""
    options = question.get("options")
    pick = question.get("source") == "pick"
    return tuple(
        Choice(_text(each.get("text")), _text(each.get("value")) if pick else "")
        for each in (options if isinstance(options, list | tuple) else ())
        if isinstance(each, dict)
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def base_name(path: str) -> str:
    """The last part of a path of any system: where a picture lay is nobody's business."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
