"""What a user can do in a session, as values, and their form in a session file. Called by belief, session and simulate.

A session file is JSON lines: the header first, then one record per line. A record is {"n", "at", "shown", "event"} and,
where sentences were joined, the joined one ("rewritten"). What a model said and was used is a record of its own, a Noted,
so that replaying needs no model. An Undo is a record of its own, too: nothing is ever taken out of the file.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import SessionError

if TYPE_CHECKING:
    from whichpic.types import Floats


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query: a text, a picture of the album (by id) or a picture from outside (by its vector).

    A negative weight means "not this". `name` is what a person calls the picture: a path, usually.
    """

    text: str = ""
    picture: str = ""
    vector: str = ""  # base64 of little-endian float32
    name: str = ""
    weight: float = 1.0

    @classmethod
    def of_vector(cls, vector: Floats, name: str, weight: float = 1.0) -> Term:
        """A picture from outside the album; the vector is recorded, so that replay does not need the file."""
        coded = base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()
        return cls(vector=coded, name=name, weight=weight)

    def floats(self) -> Floats:
        """The recorded vector, float32 [dim]."""
        return np.frombuffer(base64.b64decode(self.vector), dtype="<f4").astype(np.float32)

    @property
    def file_name(self) -> str:
        """The last part of `name`: where a picture lay is nobody's business."""
        return self.name.replace("\\", "/").rstrip("/").rpartition("/")[2]

    def __str__(self) -> str:
        what = self.text or self.file_name or self.picture
        return what if self.weight == 1 else f"{self.weight:+g} x {what}"


@dataclass(frozen=True, slots=True)
class Said:
    """The user described the picture, by words, by pictures, or by a weighted mix of both.

    `asked` is the question that the words reply to, where one was put in words and had no options. `instead`: these words
    stand for all that was said in words before, which counts no longer; pictures that were given as a query still do.
    """

    terms: tuple[Term, ...]
    asked: str = ""
    instead: bool = False

    @classmethod
    def of(cls, text: str, *, asked: str = "") -> Said:
        """One sentence, or what was replied to a question."""
        return cls((Term(text=text),), asked)

    @classmethod
    def recorded(cls, turn: str) -> Said:
        """A turn of a recorded dialogue: "question? reply", or a sentence of the user's own."""
        asked, *rest = re.split(r"(?<=[?？])", turn, maxsplit=1)
        words = "".join(rest).strip()
        return cls.of(words, asked=asked.strip()) if words else cls.of(turn.strip())

    @property
    def text(self) -> str:
        """What was said for the picture, joined; negative terms are left out, for a sentence cannot carry them."""
        words = ", ".join(term.text for term in self.terms if term.text and term.weight > 0)
        return f"{self.asked} {words}".strip() if self.asked else words


@dataclass(frozen=True, slots=True)
class Option:
    """One way to answer. `value` is what it means (a concept, a picture id), `text` what is shown."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its options, the attribute and thing it is about, and where it came from.

    `source` says what scores the answers (facts, encoder, pick, chat); `asker` who proposed it. `pictures` are those that
    it shows, for a pick; for the asker `pictures`, those that the model had looked at. told: (picture id, p of
    every option) as a model judged them before it was asked.
    """

    text: str
    options: tuple[Option, ...]
    attribute: str
    about: str = ""
    source: str = "facts"
    asker: str = "facts"
    pictures: tuple[str, ...] = ()
    told: tuple[tuple[str, tuple[float, ...]], ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two questions the same question, whatever their wording or language."""
        pictures = sorted(option.value for option in self.options if self.source == "pick")
        return (self.attribute, self.about, *pictures, *([self.text.casefold()] if self.attribute == "asked" else []))


@dataclass(frozen=True, slots=True)
class Answered:
    """The user answered a question: by an option (its position), or "not sure" (None). `words` are the free words."""

    question: Question
    option: int | None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """The user said "more like this" or "less like this" of pictures among those shown (ids)."""

    shown: tuple[str, ...]
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether it is none of those shown: less like every one of them."""
        return bool(self.shown) and not self.more and set(self.less) >= set(self.shown)


@dataclass(frozen=True, slots=True)
class Chosen:
    """This is it. Ends the session."""

    picture: str


@dataclass(frozen=True, slots=True)
class Filtered:
    """Conditions that must hold from now on, beside those before or instead of them; none at all lifts every filter."""

    conditions: tuple[str, ...] = ()
    instead: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """The last event that still counted no longer does."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What models said after an event, and was used. It comes later than the event, since no list waits for a model.

    of: number of the record it belongs to. rewritten: all that was said so far as one sentence. captions: (picture id,
    caption) of pictures that were liked. reranked: (picture id, probability that it fits) of pictures that were looked at.
    """

    of: int
    rewritten: str = ""
    captions: tuple[tuple[str, str], ...] = ()
    reranked: tuple[tuple[str, float], ...] = ()


Event = Said | Answered | Marked | Chosen | Filtered
_KINDS: dict[str, type[Any]] = {
    "said": Said,
    "answered": Answered,
    "marked": Marked,
    "chosen": Chosen,
    "filtered": Filtered,
    "undo": Undo,
    "noted": Noted,
}


@dataclass(frozen=True, slots=True)
class Record:
    """An event with what belongs beside it: its number, the time (UTC, ISO), what was on the screen, model outputs.

    A record whose event is a Noted is a line of its own in the file; `effective` lays it beside the event it is of.
    """

    n: int
    event: Event | Undo | Noted
    shown: tuple[str, ...] = ()
    at: str = ""
    rewritten: str = ""
    noted: Noted | None = None


def effective(records: Sequence[Record]) -> list[Record]:
    """The records that still count: without what was undone, and without words that later ones stand instead of.

    A Noted is laid beside the record that it is of (`Record.noted`; of several, what each has), and goes with it.
    """
    left = not_undone(records)
    last = max((k for k, each in enumerate(left) if isinstance(each.event, Said) and each.event.instead), default=0)
    return [kept for each in left[:last] if (kept := _wordless(each)) is not None] + left[last:]


def _wordless(record: Record) -> Record | None:
    """A record from before the words were said anew: pictures, answers and marks stay, what a model made of words goes."""
    if record.noted is not None and record.noted.rewritten:
        record = replace(record, noted=replace(record.noted, rewritten=""))
    if not isinstance(record.event, Said):
        return record
    terms = tuple(term for term in record.event.terms if not term.text)
    return replace(record, event=Said(terms), rewritten="") if terms else None


def filters_of(records: list[Record]) -> list[str]:
    """The conditions that hold: they add up, unless they are instead of those before; none lifts them all."""
    found: list[str] = []
    for record in records:
        if isinstance(record.event, Filtered):
            anew = record.event.instead or not record.event.conditions
            found = [*([] if anew else found), *record.event.conditions]
    return found


def not_undone(records: Sequence[Record]) -> list[Record]:
    """The records after every Undo has taken out the one before it, each with its notes beside it."""
    left: list[Record] = []
    for record in records:
        if isinstance(record.event, Noted):
            note = record.event
            at = next((k for k in range(len(left) - 1, -1, -1) if left[k].n == note.of), None)
            if at is not None:
                before = left[at].noted
                left[at] = replace(left[at], noted=note if before is None else _both(before, note))
        elif not isinstance(record.event, Undo):
            left.append(record)
        elif left:
            left.pop()
    return left


def _both(before: Noted, after: Noted) -> Noted:
    """Two notes of one event as one: what the later one has goes before."""
    told = {field.name: getattr(after, field.name) for field in fields(Noted) if getattr(after, field.name)}
    return replace(before, **{**told, "of": after.of})


def to_json(record: Record) -> dict[str, Any]:
    """A record as plain JSON values; fields at their defaults are left out."""
    kind = next(name for name, cls in _KINDS.items() if type(record.event) is cls)
    body = _pruned(asdict(record.event))
    plain = {"n": record.n, "at": record.at, "event": {"kind": kind, **body}}
    if record.shown:
        plain["shown"] = list(record.shown)
    if record.rewritten and not isinstance(record.event, Noted):
        plain["rewritten"] = record.rewritten
    return plain


def from_json(plain: Mapping[str, Any]) -> Record:
    """The record of plain JSON values. Raises SessionError where they are not one."""
    try:
        body = dict(plain["event"])
        kind = body.pop("kind")
        event = _KINDS[kind](**_typed(kind, body))
        return Record(
            n=int(plain["n"]),
            at=str(plain.get("at", "")),
            event=event,
            shown=tuple(plain.get("shown", ())),
            rewritten=str(plain.get("rewritten", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SessionError(f"not a record of a session: {str(plain)[:80]} ({error})") from None


def _typed(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    if kind == "said":
        body["terms"] = tuple(Term(**term) for term in body.get("terms", ()))
        if not all(isinstance(term.weight, int | float) and isinstance(term.text, str) for term in body["terms"]):
            raise ValueError("a term is a text and a number")
        if not isinstance(body.get("asked", ""), str) or not isinstance(body.get("instead", False), bool):
            raise ValueError("what was asked is a text, and instead is true or false")
    elif kind == "answered":
        body["question"] = question_from_json(body["question"])
        body.setdefault("option", None)
        if not isinstance(body["option"], int | None):
            raise ValueError("an option is a position or null")
    elif kind == "noted":
        body = _noted(body)
    else:
        body = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
        if kind == "marked":
            body.setdefault("shown", ())
        if not isinstance(body.get("instead", False), bool):
            raise ValueError("instead is true or false")
    return body


def _noted(body: Mapping[str, Any]) -> dict[str, Any]:
    captions = tuple((str(picture), str(text)) for picture, text in body.get("captions", ()))
    reranked = tuple((str(picture), float(p)) for picture, p in body.get("reranked", ()))
    if not all(0 <= p <= 1 for _, p in reranked):
        raise ValueError("a probability is a number from 0 to 1")
    odd = set(body) - {"of", "rewritten", "captions", "reranked"}
    if odd or not isinstance(body["of"], int) or not isinstance(body.get("rewritten", ""), str):
        raise ValueError("a note has the number of its event, a sentence, captions and probabilities")
    return {**body, "captions": captions, "reranked": reranked}


def question_from_json(plain: Mapping[str, Any]) -> Question:
    """The question of plain JSON values, as in a record."""
    given = dict(plain)
    given["options"] = tuple(Option(**option) for option in given.get("options", ()))
    given["pictures"] = tuple(given.get("pictures", ()))
    given["told"] = tuple((str(picture), tuple(float(each) for each in p)) for picture, p in given.get("told", ()))
    return Question(**given)


def _pruned(value: Any) -> Any:
    """Without empty texts and lists, and without weights of 1, at any depth: a session file is read by people too."""
    if isinstance(value, dict):
        kept = {name: _pruned(item) for name, item in value.items()}
        return {
            name: item
            for name, item in kept.items()
            if item not in ("", [], None) and (name, item) not in (("weight", 1.0), ("instead", False))
        }
    if isinstance(value, list | tuple):
        return [_pruned(item) for item in value]
    return value
