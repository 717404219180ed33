"""Rewriters: fold what was said into one sentence. Called by session; plain functions (sentences) -> sentence.

`join` needs no model and is the fallback of every rewriter that does. A rewritten sentence is recorded beside the event.
"""

from __future__ import annotations

from collections.abc import Sequence


def join(sentences: Sequence[str]) -> str:
    """The sentences one after the other, each once; a sentence that a later one repeats whole is left out."""
    kept: list[str] = []
    for sentence in (text.strip(" ,;.，。；") for text in sentences):
        if not sentence or any(sentence.lower() in other.lower() for other in kept):
            continue
        kept = [other for other in kept if other.lower() not in sentence.lower()]
        kept.append(sentence)
    return ", ".join(kept)
