"""What models add to a session after an event: a rewritten sentence, captions of liked pictures, looks. Called by session.

All of it shares one deadline. What a model fails to do is left out, and said in one line; what it did is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from whichpic.dialogue.belief import believe
from whichpic.dialogue.events import Marked, Noted, Record, Said, Undo
from whichpic.dialogue.rewriting import caption_liked, expand, heard_and_settled, join, reconstruct, rewritten
from whichpic.dialogue.showing import listed
from whichpic.errors import AlbumError, ChatError, DecodeError

T = TypeVar("T")

if TYPE_CHECKING:
    from whichpic.chat.base import Chat, PictureLike
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.search.gallery import Gallery

Opener = Callable[[str], "PictureLike"]
"""Opens a picture by its id: `Store.image`, for example. It may raise AlbumError and DecodeError."""

_LIKED = 2
"""Pictures that are captioned after one event: the last that were liked."""
_LEAST = 0.01
"""Seconds; with less left no model is asked."""
_GIVEN_UP = ("timeout", "unreachable", "refused", "rate limit", "server", "cancelled", "unsupported")
"""Reasons for which nothing more is asked in this turn: the next call would fail, too."""


@dataclass(frozen=True, slots=True)
class Models:
    """The chat of a session, and what it is asked for. `seconds`: how long a turn waits for it in all."""

    chat: Chat | None = None
    rerank: int = 0
    feedback: bool = True
    sampler: str = "cluster"
    seconds: float = 30.0
    pictures: Opener | None = None


def refined(
    gallery: Gallery,
    records: Sequence[Record],
    settings: BeliefSettings,
    models: Models,
    *,
    language: str,
    seconds: float,
) -> tuple[Noted | None, str]:
    """What the chat adds to the last of the records that count, None for nothing; and one line where it failed.

    Captions of pictures that were liked, then the sentence, then looks at the best pictures of the list that follows from
    both. Of the time that is left every call gets an equal share. Raises ChatPending.
    """
    chat = models.chat
    if chat is None or not records:
        return None, ""
    calls = _Calls(seconds)
    note = Noted(of=records[-1].n)
    uncaptioned = _uncaptioned(records) if models.feedback else []
    rewrites = _can_rewrite(records, settings, bool(uncaptioned))
    looks = min(models.rerank, gallery.n) if _anything_said(records) and not _looked(records) else 0
    calls.ahead = len(uncaptioned) + rewrites + bool(looks)
    captions = []
    for picture in uncaptioned:
        text = calls.ask(partial(_caption, gallery, models, chat, picture, language))
        captions += [(picture, text)] if text else []
    note = replace(note, captions=tuple(captions))
    if rewrites:
        known = _with(records, note)
        sentence = calls.ask(lambda left: _sentence(known, settings, chat, language, left))
        note = replace(note, rewritten=sentence or "")
    if looks:
        known = _with(records, note)
        looked = calls.ask(lambda left: _looks(gallery, known, settings, models, chat, looks, language, left))
        note = replace(note, reranked=looked or ())
    return (note if note.captions or note.rewritten or note.reranked else None), calls.trouble


class _Calls:
    """The calls of one turn: each gets its share of the time that is left, and a fault is a line, not an error."""

    def __init__(self, seconds: float) -> None:
        self._ends = perf_counter() + seconds
        self._over = False
        self.ahead = 0
        self.trouble = ""

    def ask(self, call: Callable[[float], T]) -> T | None:
        """What a call gives, or None where it fails, or where an earlier one showed that it would."""
        left = self._ends - perf_counter()
        share = left / max(self.ahead, 1)
        self.ahead -= 1
        if self._over:
            return None
        try:
            if left < _LEAST:
                raise ChatError("timeout", "no time is left")
            return call(share)
        except ChatError as error:
            self.trouble = self.trouble or trouble(error)
            self._over = error.reason in _GIVEN_UP
            return None


def trouble(error: ChatError, then: str = "asked from facts") -> str:
    """A fault of a model as one line for people, and what was done instead."""
    if error.reason == "timeout":
        what = "the model did not answer in time"
    else:
        line = " ".join(str(error).split())
        what = f"the model did not help ({error.reason}): {line[:160]}{'…' if len(line) > 160 else ''}"
    return f"{what}; {then}"


def query_of(records: Sequence[Record]) -> str:
    """What is looked for, as one sentence: the rewriter's where there is one, else all that was said, joined."""
    return rewritten(records) or join([event.text for event in heard_and_settled(each.event for each in records)[0]])


def _with(records: Sequence[Record], note: Noted) -> list[Record]:
    """The records as they will be with the note beside the last one."""
    last = records[-1]
    before = last.noted or Noted(of=last.n)
    told = Noted(
        last.n,
        note.rewritten or before.rewritten,
        note.captions or before.captions,
        note.reranked or before.reranked,
    )
    return [*records[:-1], replace(last, noted=told)]


def _anything_said(records: Sequence[Record]) -> bool:
    return any(isinstance(record.event, Said) and record.event.text for record in records)


def _looked(records: Sequence[Record]) -> bool:
    return records[-1].noted is not None and bool(records[-1].noted.reranked)


def _uncaptioned(records: Sequence[Record]) -> list[str]:
    """The pictures that the last event liked and that have no caption from a model yet."""
    event = records[-1].event
    if not isinstance(event, Marked):
        return []
    told = {picture for record in records if record.noted is not None for picture, _ in record.noted.captions}
    return [picture for picture in event.more if picture not in told][-_LIKED:]


def _captions(records: Sequence[Record]) -> list[str]:
    return [text for record in records if record.noted is not None for _, text in record.noted.captions]


def _can_rewrite(records: Sequence[Record], settings: BeliefSettings, more_captions: bool) -> bool:
    """Whether there is something to fold that the sentence of before has not heard."""
    said = [record for record in records if isinstance(record.event, Said) and record.event.text]
    match settings.rewriter:
        case "reconstruct":
            return len(said) > 1 and not rewritten(records)
        case "expand":
            return bool(said) and (more_captions or (bool(_captions(records)) and not rewritten(records)))
        case _:
            return False


def _caption(gallery: Gallery, models: Models, chat: Chat, picture: str, language: str, seconds: float) -> str:
    """The chat's caption of a picture, or where it cannot see it, the first that the album has."""
    own = next(iter(gallery.captions.get(picture, ())), "")
    if models.pictures is None or not chat.can_see:
        return own
    try:
        opened = models.pictures(picture)
    except (AlbumError, DecodeError):
        return own
    return caption_liked(chat, opened, language=language, deadline=seconds)


def _sentence(records: Sequence[Record], settings: BeliefSettings, chat: Chat, language: str, seconds: float) -> str:
    """The rewritten sentence, "" where the one that the model made was not true to what was said and could not be mended."""
    events = [record.event for record in records if not isinstance(record.event, Undo | Noted)]
    if settings.rewriter == "reconstruct":
        made = reconstruct(events, chat, language=language, deadline=seconds)
        return "" if made.fell_back else made.text
    captions = _captions(records)
    if not captions:
        return ""
    made = expand(events, chat, captions, language=language, deadline=seconds)
    return made.text if made.checked is not None else ""


def _looks(
    gallery: Gallery,
    records: Sequence[Record],
    settings: BeliefSettings,
    models: Models,
    chat: Chat,
    k: int,
    language: str,
    seconds: float,
) -> tuple[tuple[str, float], ...]:
    """The pictures of the list that was to be shown, with p(fits); a near-duplicate has that of the one it stands behind."""
    from whichpic.dialogue.judging import rerank

    shown = listed(gallery, believe(gallery, records, settings), k)
    positions = [gallery.positions[each.picture.id] for each in shown]
    query = query_of(records)
    pictures = models.pictures if chat.can_see else None
    judged = dict(rerank(gallery, chat, query, positions, pictures=pictures, language=language, deadline=seconds))
    found = [(each, judged[each.picture.id]) for each in shown if each.picture.id in judged]
    return tuple((picture.id, p) for each, p in found for picture in (each.picture, *each.alike))
