"""Rewriters: fold what was said into one sentence. Called by session; plain functions (sentences) -> sentence.

`join` needs no model and is the fallback of every rewriter that does. A rewritten sentence is recorded beside the event.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from whichpic.words import vocabulary


def join(sentences: Sequence[str]) -> str:
    """The sentences one after the other, each once; a sentence that a later one repeats whole is left out."""
    kept: list[str] = []
    for sentence in (text.strip(" ,;.，。；") for text in sentences):
        if not sentence or any(sentence.lower() in other.lower() for other in kept):
            continue
        kept = [other for other in kept if other.lower() not in sentence.lower()]
        kept.append(sentence)
    return ", ".join(kept)


_ASKS_FOR = re.compile(
    r"\s*(is|are|was|were) there\b|\s*(can|do|does|did|could) (you|it|the \w+) (see|show|have)\b|.*有", re.IGNORECASE
)
_NO = re.compile(r"\s*(no|nope|none|nothing|not any|没有|没|无|沒有)\W*", re.IGNORECASE)


def denied_thing(asked: str, reply: str) -> str | None:
    """What a bare "no" denies, where the question asked for a thing ("Is there a dog on the sand?" "no": dog)."""
    if not (_NO.fullmatch(reply) and _ASKS_FOR.match(asked)):
        return None
    return next((mention.concept.name for mention in vocabulary().mentions(asked)), None)
