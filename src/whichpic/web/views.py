"""What albums, pictures and sessions look like as plain data: one form for the HTTP API, the pages and the assistants.

Nothing here has a path of this machine: pictures are known by their ids, and named by their path inside the album.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Annotated, Literal
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field

from whichpic.dialogue.events import Answered, Chosen, Filtered, Marked, Noted, Said, Undo, effective, filters_of

if TYPE_CHECKING:
    from whichpic.dialogue import Question, Session, Shown
    from whichpic.dialogue.events import Record
    from whichpic.dialogue.showing import Reason
    from whichpic.search.gallery import Gallery
    from whichpic.types import Picture

LONGEST_TEXT = 2_000
"""Characters of one thing that a user says."""
MOST_SHOWN = 200
"""Pictures in one list."""

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
PictureId = Annotated[str, Field(min_length=1, max_length=200, description="Id of a picture of this album.")]
Weight = Annotated[float, Field(ge=-4, le=4, allow_inf_nan=False)]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# ---- what the user does


class _Doing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)  # false is no number, and 1 no text


class Say(_Doing):
    """Describe the picture, or say more of it."""

    kind: Literal["said"] = "said"
    text: Text


class Restate(_Doing):
    """The query as a whole, in other words: it stands instead of all that was said in words before."""

    kind: Literal["restated"] = "restated"
    text: Text


class Answer(_Doing):
    """Answer a question by an option (its position from 0), in words, or (neither) with "not sure"."""

    kind: Literal["answered"] = "answered"
    question: Annotated[str, Field(max_length=64, description="Id of a question of this turn.")]
    option: Annotated[int, Field(ge=0, le=1000)] | None = None
    words: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None


class Mark(_Doing):
    """More, or less, like these pictures."""

    kind: Literal["marked"] = "marked"
    more: Annotated[list[PictureId], Field(max_length=MOST_SHOWN)] = []
    less: Annotated[list[PictureId], Field(max_length=MOST_SHOWN)] = []


class Like(_Doing):
    """A picture of the album as (a part of) the query; a negative weight means "not this"."""

    kind: Literal["like"] = "like"
    picture: PictureId
    weight: Weight = 1.0


class NothingFits(_Doing):
    """It is none of the pictures that are shown."""

    kind: Literal["nothing"] = "nothing"


class Choose(_Doing):
    """This is it. The session ends; undo opens it again."""

    kind: Literal["chosen"] = "chosen"
    picture: PictureId


class Narrow(_Doing):
    """Conditions that must hold, all there are from now on; none lifts the filters. For example has=dog, date>=2024-05."""

    kind: Literal["filtered"] = "filtered"
    conditions: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=20)] = []


class Back(_Doing):
    """Go back to an event, by its number `n`: everything after it no longer counts. -1 is the beginning."""

    kind: Literal["back"] = "back"
    n: Annotated[int, Field(ge=-1, le=1_000_000)]


class TakeBack(_Doing):
    """The last thing that was done no longer counts."""

    kind: Literal["undo"] = "undo"


Doing = Annotated[
    Say | Restate | Answer | Mark | Like | NothingFits | Choose | Narrow | Back | TakeBack, Field(discriminator="kind")
]


# ---- what is shown


class PictureView(_View):
    """A picture. `alt` says what is in it, for people who do not see it; width and height are pixels, 0 if not known."""

    id: str
    name: str
    alt: str
    width: int = 0
    height: int = 0
    taken: str | None = None


class Listed(_View):
    """A picture of the list: its rank from 1, its probability, and how many near-duplicates it stands for."""

    rank: int
    p: float
    picture: PictureView
    alike: int = 0


class OptionView(_View):
    """One way to answer; `picture` where the option is one."""

    text: str
    picture: PictureView | None = None


class QuestionView(_View):
    """A question. `open` ones are answered in words: they may have no options."""

    id: str
    text: str
    options: list[OptionView]
    source: str
    asker: str
    attribute: str
    about: str = ""


class TurnView(_View):
    """One thing that the user did: turn 0 is the first. `n` is the number of its record, for going back and branching.

    what: its words; conditions: those of a filter; more, less: the pictures that it names, for and against.
    """

    n: int
    turn: int
    kind: Literal["said", "answered", "marked", "chosen", "filtered"]
    asked: str = ""
    what: str = ""
    conditions: list[str] = []
    more: list[PictureView] = []
    less: list[PictureView] = []
    at: str = ""


class State(_View):
    """A session as it stands. `p` and `fitting` are of the belief; `asking` while questions are still thought of.

    revision counts every change, questions included; turn is that of the last event, -1 before the first. query is what
    is looked for as one sentence, rewritten where a model wrote it. fitting: so many pictures hold the one that is looked
    for with a probability of 90 %. passing: pictures that the filters leave.
    """

    id: str
    album: str
    revision: int
    turn: int
    query: str
    rewritten: bool = False
    turns: list[TurnView]
    filters: list[str]
    pictures: list[Listed]
    k: int
    fitting: int
    passing: int
    total: int
    nothing_fits: bool = False
    chosen: PictureView | None = None
    questions: list[QuestionView] = []
    asking: bool = False
    trouble: str = ""
    note: str = ""


class ReasonView(_View):
    """What one event does for a picture, in nats above the average picture; null where a filter leaves it out.

    what: the event in English. kind: said, answered, denied, marked, ruled out, together, hinted, looked at, filtered out;
    text: what was said; more, less: how many pictures were marked, or ruled out, or looked at by a model.
    """

    what: str
    kind: str
    text: str = ""
    more: int = 0
    less: int = 0
    value: float | None
    sign: str


class FactView(_View):
    """One thing known of a picture, with its probability and its source."""

    attribute: str
    value: str
    p: float
    source: str


class PictureDetail(_View):
    """All that is known of one picture; `names` are the paths of its files inside the album."""

    picture: PictureView
    names: list[str]
    captions: list[str]
    facts: list[FactView]
    format: str = ""
    camera: str | None = None


# ---- from what there is


def question_id(question: Question) -> str:
    """What a client says to answer this question."""
    return hashlib.sha256(repr(question.key).encode()).hexdigest()[:16]


def alt_of(gallery: Gallery, picture: str) -> str:
    """What is in a picture, in a few words: its first caption, else the things that were seen in it, best first."""
    if told := gallery.captions.get(picture):
        return told[0][:200]
    seen: dict[str, float] = {}
    for fact in gallery.facts_of(picture):
        if fact.attribute in ("object", "label", "scene"):
            seen[fact.value] = max(seen.get(fact.value, 0.0), fact.p)
    best = sorted(seen, key=lambda name: -seen[name])
    return ", ".join(name for name in best[:4] if seen[name] >= 0.3) or ", ".join(best[:1])


_SEEN: WeakKeyDictionary[Gallery, dict[str, PictureView]] = WeakKeyDictionary()
"""Pictures as plain data: making one takes longer than all else of its place in a list."""


def picture_view(gallery: Gallery, picture: Picture) -> PictureView:
    """A picture as plain data."""
    seen = _SEEN.setdefault(gallery, {})
    if (known := seen.get(picture.id)) is not None:
        return known
    name = picture.paths[0] if picture.paths else picture.id
    view = seen[picture.id] = PictureView(
        id=picture.id, name=clean(name), alt=clean(alt_of(gallery, picture.id)), width=picture.width,
        height=picture.height, taken=picture.taken,
    )  # fmt: skip
    return view


def listed(gallery: Gallery, shown: Shown) -> Listed:
    """A picture of a list as plain data."""
    p = round(float(shown.p), 6)
    return Listed(rank=shown.rank, p=p, picture=picture_view(gallery, shown.picture), alike=len(shown.alike))


def question_view(gallery: Gallery, question: Question) -> QuestionView:
    """A question as plain data."""
    picks = question.source == "pick"
    options = [
        OptionView(text=clean(each.text), picture=_picture(gallery, each.value) if picks else None)
        for each in question.options
    ]
    return QuestionView(
        id=question_id(question), text=clean(question.text), options=options, source=question.source,
        asker=question.asker, attribute=question.attribute, about=question.about,
    )  # fmt: skip


def turn_views(gallery: Gallery, records: list[Record]) -> list[TurnView]:
    """What the user did and still counts, as plain data."""
    return [_turn(gallery, number, record) for number, record in enumerate(records)]


def state_of(
    session: Session, *, album: str, revision: int, k: int, questions: list[Question], asking: bool,
    trouble: str = "", note: str = "",
) -> State:  # fmt: skip
    """A session as it stands. The list is computed here; nothing of it waits for a model."""
    gallery, counted = session.gallery, effective(session.records)
    chosen = session.chosen
    return State(
        id=session.id,
        album=album,
        revision=revision,
        turn=len(counted) - 1,
        query=clean(session.query),
        rewritten=any(record.noted is not None and bool(record.noted.rewritten) for record in counted),
        turns=turn_views(gallery, counted),
        filters=filters_of(counted),
        pictures=[listed(gallery, each) for each in session.results(k)],
        k=k,
        fitting=session.fitting,
        passing=int(session.belief.mask.sum()),
        total=gallery.n,
        nothing_fits=session.nothing_fits,
        chosen=None if chosen is None else _picture(gallery, chosen),
        questions=[question_view(gallery, each) for each in questions],
        asking=asking,
        trouble=clean(trouble),
        note=clean(note),
    )


def reason_views(session: Session, picture: str) -> list[ReasonView]:
    """Why a picture is where it is, event by event. Raises SessionError for a picture that is not of the album."""
    return [_reason(each) for each in session.why(picture)]


def detail_of(gallery: Gallery, picture: Picture) -> PictureDetail:
    """All that is known of one picture."""
    facts = sorted(gallery.facts_of(picture.id), key=lambda fact: -fact.p)
    return PictureDetail(
        picture=picture_view(gallery, picture), names=[clean(path) for path in picture.paths],
        captions=[clean(each) for each in gallery.captions.get(picture.id, ())],
        facts=[FactView(attribute=f.attribute, value=clean(f.value), p=round(f.p, 3), source=f.source) for f in facts],
        format=picture.format, camera=None if picture.camera is None else clean(picture.camera),
    )  # fmt: skip


def clean(text: str) -> str:
    """Without what is no text (halves of surrogates, NUL): a file name may hold anything, JSON may not."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _reason(reason: Reason) -> ReasonView:
    value = reason.value if math.isfinite(reason.value) else None
    return ReasonView(what=clean(reason.what), kind=reason.kind, text=clean(reason.text), more=reason.more,
                      less=reason.less, value=value, sign=reason.sign)  # fmt: skip


def _turn(gallery: Gallery, number: int, record: Record) -> TurnView:
    event = record.event
    match event:
        case Said():
            terms = [str(term) for term in event.terms if not term.picture]
            liked = [_picture(gallery, term.picture) for term in event.terms if term.picture and term.weight > 0]
            not_liked = [_picture(gallery, term.picture) for term in event.terms if term.picture and term.weight < 0]
            return TurnView(n=record.n, turn=number, kind="said", asked=clean(event.asked), what=clean(", ".join(terms)),
                            more=[each for each in liked if each], less=[each for each in not_liked if each],
                            at=record.at)  # fmt: skip
        case Answered():
            option = event.question.options[event.option] if event.option is not None else None
            seen = None if option is None or event.question.source != "pick" else _picture(gallery, option.value)
            what = "" if option is None or seen else option.text
            return TurnView(n=record.n, turn=number, kind="answered", asked=clean(event.question.text), what=clean(what),
                            more=[seen] if seen else [], at=record.at)  # fmt: skip
        case Marked():
            return TurnView(
                n=record.n, turn=number, kind="marked", at=record.at,
                more=[seen for each in event.more if (seen := _picture(gallery, each))],
                less=[seen for each in event.less if (seen := _picture(gallery, each))],
            )  # fmt: skip
        case Chosen():
            seen = _picture(gallery, event.picture)
            return TurnView(n=record.n, turn=number, kind="chosen", more=[seen] if seen else [], at=record.at)
        case Filtered():
            held = [clean(each) for each in event.conditions]
            return TurnView(
                n=record.n, turn=number, kind="filtered", what=" ".join(held), conditions=held, at=record.at
            )
        case Undo() | Noted():
            raise TypeError("an undo and a note are no turns")


def _picture(gallery: Gallery, picture: str) -> PictureView | None:
    at = gallery.positions.get(picture)
    return None if at is None else picture_view(gallery, gallery.pictures[at])
