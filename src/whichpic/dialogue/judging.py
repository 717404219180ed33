"""What a model makes of single pictures: whether they fit, and what each would answer. Called by session, looking, reading.

One picture is one prefix of `Chat.choose`, so that it is encoded once, whatever is asked about it. A chat that cannot see,
or an album without pictures, is judged by captions or facts. What the deadline leaves out is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from whichpic.chat.base import Message
from whichpic.dialogue.phrases import article, option_text, plural
from whichpic.dialogue.sifting import told
from whichpic.errors import ChatError, ChatPending, WhichpicError
from whichpic.prompts import listed, prompt, quoted
from whichpic.search.facts import THINGS
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from whichpic.chat.base import Chat, Choices
    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.events import Question, Record
    from whichpic.dialogue.refining import Opener
    from whichpic.search.gallery import Gallery

T = TypeVar("T")
OnFault = Callable[[ChatError], None]
"""Told of a fault of a model that costs a step and not the questions."""

MOST_QUESTIONS = 3
"""So many questions are judged at a time (design, section 2)."""
_LETTERS = ("A", "B", "C", "D", "E", "F", "G", "H")
_SEEN = 0.02
"""A model is never surer than this leaves to the contrary; a word without its probability counts less."""
_SAID = 0.1
_NOTHING = 1e-6
_FACTS = ("place", "light", "weather", "colour")
_MOST_THINGS = 10
_SURE = 0.5


def rerank(
    gallery: Gallery,
    chat: Chat,
    query: str,
    positions: Sequence[int],
    *,
    pictures: Opener | None = None,
    language: str = "en",
    deadline: float | None = None,
) -> list[tuple[str, float]]:
    """(picture id, p that it fits what was said) of the pictures at these positions, in their order.

    p is the share of "yes" in the mass of yes and no, kept off 0 and 1 (from .02 to .98; from .1 to .9 where the server
    gives a word without its probability). Left out: pictures that cannot be opened, of which nothing is known, of which the
    model says neither, and those that the deadline (seconds, for all of them) leaves no time for. Raises ChatError where
    nothing was judged in time or the model failed, and ChatPending once all requests are written.
    """
    ask = prompt("judge-fits", language, query=quoted(query)).user

    def fits(shown: Sequence[Message], left: float | None) -> float | None:
        choices = chat.choose(shown, [ask], ["yes", "no"], deadline=left)
        if float(choices.mass[0].sum()) < _NOTHING:
            return None
        edge = _SEEN if choices.exact else _SAID
        return float(np.clip(choices.shares[0, 0], edge, 1 - edge))

    judged = _each(gallery, chat, positions, fits, pictures=pictures, language=language, deadline=deadline)
    return [(gallery.ids[position], p) for position, p in judged if p is not None]


def answer_tables(
    gallery: Gallery,
    belief: Belief,
    questions: Sequence[Question],
    chat: Chat,
    *,
    pictures: Opener | None = None,
    language: str = "en",
    candidates: int = 12,
    deadline: float | None = None,
    on_fault: OnFault | None = None,
) -> list[Question]:
    """The questions, the first three with p(option | picture) as the model itself answers them on the best candidates.

    Such a question has the source "chat" and its answers in `told`; the other candidates are scored by the encoder. The
    options are lettered, and p is the share of each letter. A model that fails here costs nothing but that: the questions
    come back as they were, and on_fault is told. Raises ChatPending once all requests are written.
    """
    chosen = list(questions[:MOST_QUESTIONS])
    asks = [_lettered(question, language) for question in chosen]
    widest = max((len(question.options) for question in chosen), default=0)

    def looks(shown: Sequence[Message], left: float | None) -> Choices:
        return chat.choose(shown, asks, list(_LETTERS[:widest]), deadline=left)

    rows = belief.best(candidates).tolist()
    try:
        judged = (
            _each(gallery, chat, rows, looks, pictures=pictures, language=language, deadline=deadline) if widest else []
        )
    except ChatError as error:
        if on_fault is not None:
            on_fault(error)
        return list(questions)
    for number, question in enumerate(chosen):
        told_of = []
        for position, choices in judged:
            mass = choices.mass[number, : len(question.options)]
            if float(mass.sum()) >= _NOTHING:
                told_of.append((gallery.ids[position], tuple(round(float(p), 4) for p in mass / mass.sum())))
        if told_of:
            chosen[number] = replace(question, source="chat", told=tuple(told_of))
    return [*chosen, *questions[MOST_QUESTIONS:]]


def unsettled(
    questions: Sequence[Question],
    records: Sequence[Record],
    chat: Chat,
    *,
    language: str,
    deadline: float | None = None,
    on_fault: OnFault | None = None,
) -> list[Question]:
    """The questions that what was said does not answer, as the model reads it (PlugIR's filter: only "uncertain" is kept).

    All of them where the model fails: they were worth asking before, and on_fault is told. Raises ChatPending.
    """
    said = told(records)
    if not said or not questions:
        return list(questions)
    filled = prompt("can-answer", language, said=listed(said))
    prefix = [Message("system", filled.system), Message("user", filled.user)]
    choices: list[str | tuple[str, ...]] = ["yes", "no", ("uncertain", "unknown")]
    try:
        found = chat.choose(prefix, [quoted(question.text) for question in questions], choices, deadline=deadline)
    except ChatError as error:
        if on_fault is not None:
            on_fault(error)
        return list(questions)
    kept = [
        best == 2 or float(mass.sum()) < _NOTHING for best, mass in zip(found.mass.argmax(1), found.mass, strict=True)
    ]
    return [question for question, keep in zip(questions, kept, strict=True) if keep]


def in_words(gallery: Gallery, picture: str, language: str = "en") -> str:
    """A picture by its captions, at most two, or by what facts tell of it; "" where nothing is known."""
    captions = list(gallery.captions.get(picture, ()))[:2]
    if captions:
        return "; ".join(captions)
    facts = [fact for fact in sorted(gallery.facts_of(picture), key=lambda fact: -fact.p) if fact.p >= _SURE]
    things: dict[str, int] = {}
    for fact in facts:
        if fact.attribute in THINGS:
            things[fact.value] = max(things.get(fact.value, 1), int(fact.detail.get("count", 1)))
    words = vocabulary()
    # Who reads of a terrier need not read of a dog, a pet and an animal.
    kinds = {kind for name in things for kind in words.ancestors(name)}
    found = [_said_of(name, many, language) for name, many in things.items() if name not in kinds][:_MOST_THINGS]
    for fact in facts:
        if fact.attribute == "people" and not kinds & {"person"} and "person" not in things:
            found.append(option_text(fact.value, "people", language) + ("" if language == "zh" else " in it"))
        elif fact.attribute in _FACTS:
            found.append(option_text(fact.value, fact.attribute, language))
    return ", ".join(dict.fromkeys(found))


def _said_of(name: str, many: int, language: str) -> str:
    if language == "zh":
        return f"{vocabulary().say(name, 'zh')}{f'×{many}' if many > 1 else ''}"
    return f"{many} {plural(name)}" if many > 1 else article(name)


def remaining(ends: float | None) -> float | None:
    """Seconds until a moment of `monotonic`, below zero once it has passed; None for none."""
    return None if ends is None else ends - monotonic()


def time_left(ends: float | None) -> float | None:
    """`remaining`, as a deadline for the next call. Raises ChatError("timeout") once there is none."""
    left = remaining(ends)
    if left is not None and left <= 0:
        raise ChatError("timeout", "the model took longer than this turn waits for it; --deadline gives it more time")
    return left


def ending(deadline: float | None) -> float | None:
    """The moment of `monotonic` that so many seconds from now are."""
    return None if deadline is None else monotonic() + deadline


def shown(gallery: Gallery, picture: str, chat: Chat, pictures: Opener | None, language: str) -> list[Message] | None:
    """The messages that put one picture before a model, by sight or in words; None where neither can be had."""
    if pictures is not None and chat.can_see:
        filled = prompt("judge-picture", language)
        try:
            return [Message("system", filled.system), Message("user", filled.user, (pictures(picture),))]
        except ChatError:
            raise
        except (WhichpicError, OSError):
            return None  # a file that has gone since the album was indexed
    words = in_words(gallery, picture, language)
    if not words:
        return None
    filled = prompt("judge-words", language, words=quoted(words))
    return [Message("system", filled.system), Message("user", filled.user)]


def _lettered(question: Question, language: str) -> str:
    options = "\n".join(f"{_LETTERS[k]}. {quoted(option.text)}" for k, option in enumerate(question.options))
    return prompt("judge-option", language, question=quoted(question.text), options=options).user


def _each(
    gallery: Gallery,
    chat: Chat,
    positions: Sequence[int],
    look: Callable[[Sequence[Message], float | None], T],
    *,
    pictures: Opener | None,
    language: str,
    deadline: float | None,
) -> list[tuple[int, T]]:
    """What `look` says of each picture that can be shown, as far as the deadline goes, in the order of the positions.

    A batch chat gets all its requests before ChatPending goes up; any other fault than the end of time goes up at once.
    """
    ends = ending(deadline)

    def one(position: int) -> T | WhichpicError | None:
        try:
            if any(isinstance(fault, ChatError) for fault in faults):
                return None  # one fault is enough: a server that is down is not asked twelve times
            left = time_left(ends)
            messages = shown(gallery, gallery.ids[position], chat, pictures, language)
            return None if messages is None else look(messages, left)
        except (ChatError, ChatPending) as fault:
            faults.append(fault)
            return fault

    faults: list[WhichpicError] = []
    pool = ThreadPoolExecutor(max_workers=max(1, min(int(getattr(chat, "concurrency", 1)), len(positions) or 1)))
    try:
        found = list(zip(positions, pool.map(one, positions), strict=True))
    finally:
        # Who stops waiting does not wait for what is under way, which ends at its own deadline.
        pool.shutdown(wait=False, cancel_futures=True)
    judged = [
        (position, result) for position, result in found if result is not None and not isinstance(result, WhichpicError)
    ]
    pending = [fault for fault in faults if isinstance(fault, ChatPending)]
    late = all(isinstance(fault, ChatError) and fault.reason == "timeout" for fault in faults)
    if pending or (faults and not (late and judged)):
        raise (pending or faults)[0]
    return judged
