"""Rewriters: fold what was said into one sentence. Called by session, belief, refining and benchmarks.

`join` needs no model and is the fallback of every rewriter that does. `reconstruct` and `expand` ask a chat, and what it
says is checked against the events (denoise). `slerp` is a rewriter of vectors, computed from the events alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from whichpic.cleaning import clean, unwrapped
from whichpic.dialogue.denoise import ASKS_FOR, Checked, agreeing, check
from whichpic.dialogue.events import Answered, Event, Noted, Record, Said, Undo
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from whichpic.chat.base import Chat, PictureLike
    from whichpic.types import Floats

SLERP = 0.8
"""How far a sentence turns the query vector towards itself (MERLIN, EMNLP 2024: alpha)."""
EXPANDED = 60
"""Words of an expanded query, at most (query-rewriting, ICMR 2024)."""
_LONGEST_LINE = 1000
_LONGEST_CAPTION = 240
_LONGEST_REPLY = 8000
"""Characters of a reply that are looked at: a model may say megabytes."""
_CAPTIONS = 3


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a rewriter made of the events. checked: what the check found; None where no model was asked. fell_back: the
    model's sentence was not true to what was said, and this is the one that is made without a model."""

    text: str
    checked: Checked | None = None
    fell_back: bool = False

    @property
    def repaired(self) -> bool:
        """Whether the model's sentence was changed by the check, and then used."""
        return self.checked is not None and self.checked.repaired and not self.fell_back


def join(sentences: Sequence[str]) -> str:
    """The sentences one after the other, each once; a sentence that a later one repeats whole is left out."""
    kept: list[str] = []
    for sentence in (text.strip(" ,;.，。；") for text in sentences):
        if not sentence or any(sentence.lower() in other.lower() for other in kept):
            continue
        kept = [other for other in kept if other.lower() not in sentence.lower()]
        kept.append(sentence)
    return ", ".join(kept)


def joined(events: Sequence[Event], event: Event | Undo | Noted) -> str:
    """All that was said before, and in this event, as one; "" where nothing was before, or it stands instead of that."""
    if not isinstance(event, Said) or event.instead:
        return ""
    before = [each.text for each in events if isinstance(each, Said) and each.text]
    return join([*before, event.text]) if before else ""


def reconstruct(
    events: Iterable[Event], chat: Chat, *, language: str = "en", deadline: float | None = None
) -> Rewritten:
    """All that was said as one caption (PlugIR, ACL 2024: context-aware reformulation), by a chat and checked.

    What answers by option say is not in it: their source has scored them. A single sentence is given back as it is, and
    `join` of all where the check fails. deadline in seconds. Raises ChatError and ChatPending.
    """
    said, settled = heard_and_settled(events)
    texts = [event.text for event in said]
    if len(texts) < 2:
        return Rewritten(join(texts))
    from whichpic.prompts import listed

    sentence = _asked(chat, "reconstruct", language, deadline, said=listed(texts))
    return _checked(sentence, join(texts), said, settled)


def expand(
    events: Iterable[Event], chat: Chat, captions: Sequence[str], *, language: str = "en", deadline: float | None = None
) -> Rewritten:
    """What was said with the captions of liked pictures merged in as adjectives, relative clauses or "with ..." phrases.

    The query rewriting of ICMR 2024, at most 60 words, but only with what the captions do not contradict. Without such a
    caption it is `join`; where the check fails, `join` with the caption after it. Raises ChatError and ChatPending.
    """
    said, settled = heard_and_settled(events)
    query = join([event.text for event in said])
    hints = [hint for caption in captions[-_CAPTIONS:] if (hint := agreeing(caption, said, settled=settled))]
    if not hints:
        return Rewritten(query)
    from whichpic.prompts import listed, quoted

    sentence = _asked(chat, "expand", language, deadline, query=quoted(query), captions=listed(hints))
    plain = join([query, *hints]).split(" ")
    return _checked(sentence, " ".join(plain[: max(EXPANDED, len(query.split(" ")))]), said, settled, hints, EXPANDED)


def caption_liked(chat: Chat, picture: PictureLike, *, language: str = "en", deadline: float | None = None) -> str:
    """One sentence about a picture that the user liked. Raises ChatError and ChatPending."""

    def caption(text: str) -> str:
        plain = clean(text, language=language, longest=_LONGEST_CAPTION).rstrip(".。!！ ")
        return plain if plain[1:2].isupper() else plain[:1].lower() + plain[1:]

    return _asked(chat, "caption-liked", language, deadline, pictures=(picture,), read=caption)


def slerp(start: Floats, end: Floats, share: float) -> Floats:
    """The unit vector `share` of the way from one unit vector to another, along the great circle; float32 [dim].

    sin((1 - share) theta) / sin(theta) * start + sin(share theta) / sin(theta) * end. Opposite vectors have no shortest way
    between them: then it is the end.
    """
    a, b = start.astype(np.float64), end.astype(np.float64)
    theta = float(np.arccos(np.clip(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12), -1, 1)))
    if theta < 1e-6 or np.pi - theta < 1e-6:
        return end
    turned = (np.sin((1 - share) * theta) * a + np.sin(share * theta) * b) / np.sin(theta)
    unit: Floats = (turned / np.linalg.norm(turned)).astype(np.float32)
    return unit


def rewritten(records: Sequence[Record]) -> str:
    """The sentence that a model made of all that was said, or "" where it has not heard all, or an answer has denied it.

    records: those that still count, with their notes beside them (`events.effective`).
    """
    for at in range(len(records) - 1, -1, -1):
        record = records[at]
        if record.noted is not None and record.noted.rewritten:
            later = [each.event for each in records[at + 1 :] if isinstance(each.event, Answered)]
            sentence = record.noted.rewritten
            true = not later or agreeing(sentence, (), settled=later) == sentence.strip(" ,;.，。；、")
            return sentence if true else ""
        if isinstance(record.event, Said) and record.event.text:
            return ""
    return ""


def heard_and_settled(events: Iterable[Event | Undo | Noted]) -> tuple[list[Said], list[Answered]]:
    """What was said in words, and the answers by option."""
    said: list[Said] = []
    settled: list[Answered] = []
    for event in events:
        if isinstance(event, Said) and event.text:
            said.append(event)
        elif isinstance(event, Answered) and event.option is not None:
            settled.append(event)
    return said, settled


_NO = re.compile(r"\s*(no|nope|none|nothing|not any|没有|没|无|沒有)\W*", re.IGNORECASE)


def denied_thing(asked: str, reply: str) -> str | None:
    """What a bare "no" denies, where the question asked for a thing ("Is there a dog on the sand?" "no": dog)."""
    if not (_NO.fullmatch(reply) and ASKS_FOR.match(asked)):
        return None
    return next((mention.concept.name for mention in vocabulary().mentions(asked)), None)


_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.DOTALL | re.IGNORECASE)
_JSON = re.compile(r"\s*(```(json)?\s*)?[\[{]")
_LABEL = re.compile(
    r"^\W*(here is|here's|sure|the )?[^:：]{0,40}?"
    r"(caption|query|sentence|description|rewritten|描述|句子|查询)[^:：]{0,20}[:：]\s*",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


def cleaned(reply: str) -> str:
    """The one line that a model was asked for, without what models put around it: thoughts, labels, quotes, addresses."""
    reply = reply[:_LONGEST_REPLY]
    reply = unwrapped(reply) if _JSON.match(reply) else reply
    for line in _THOUGHT.sub("", reply).replace("```", "").splitlines():
        text = " ".join(word for word in _CONTROL.sub(" ", line).split() if "://" not in word and "www." not in word)
        text = _LABEL.sub("", text).strip().strip("\"'“”「」*`").strip()
        if text and not (text.endswith((":", "：")) and len(text) < 80):
            return text[:_LONGEST_LINE]
    return ""


def _asked(chat: Chat, name: str, language: str, deadline: float | None, *, pictures: tuple[PictureLike, ...] = (),
           read: Callable[[str], str] = cleaned, **values: str) -> str:  # fmt: skip
    from whichpic.chat.base import Decoding, Message
    from whichpic.errors import ChatError
    from whichpic.prompts import prompt

    filled = prompt(name, language, **values)
    messages = [Message("system", filled.system)] if filled.system else []
    messages.append(Message("user", filled.user, pictures))
    reply = chat.complete(messages, decoding=Decoding(max_tokens=200), deadline=deadline)[0]
    sentence = read(reply.text)
    if not sentence:
        raise ChatError("empty", f"{chat.describe} said nothing that is a sentence")
    return sentence


def _checked(
    sentence: str,
    plain: str,
    said: Sequence[Said],
    settled: Sequence[Answered],
    hints: Sequence[str] = (),
    longest: int = 0,
) -> Rewritten:
    """The sentence as the check left it, or the one made without a model. What was said may be longer than `longest`."""
    room = max(longest or 120, *(len(plain.split()) + 20,))
    checked = check(sentence, said, hints=hints, settled=settled, longest=room)
    return Rewritten(checked.sentence, checked) if checked.ok else Rewritten(plain, checked, fell_back=True)
