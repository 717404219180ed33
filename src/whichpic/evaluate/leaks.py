"""Finds dialogues that share text with the documents they search: such a run measures the copy, and not the search.

Called by whoever ranks dialogues over texts (`proxy`), and by cli; what it says goes to the head of every report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from whichpic.words import tokens

Part = Literal["openings", "questions", "answers"]
_SHORTEST = 4  # tokens; "is it sunny?" is asked of many pictures
_OTHERS = 20  # documents of other pictures that a sentence is looked for in
_MANY = 0.2  # of a run's sentences
_TIMES = 5.0
_FEWEST = 3  # sentences: one that two people say may be chance
_SENTENCES = re.compile(r"[.!?;\n。！？；]+")


@dataclass(frozen=True, slots=True)
class Shared:
    """How much of one part of the dialogues stands literally in the documents.

    own: share of the sentences (4 tokens and more) that stand in the documents of the dialogue's own target. others:
    the same in other pictures' documents, drawn at random. sentences: how many were looked for.
    """

    part: Part
    own: float
    others: float
    sentences: int

    @property
    def leaks(self) -> bool:
        """Whether so much cannot be chance: a fifth of the sentences, and five times what other pictures share."""
        enough = self.own * self.sentences >= _FEWEST - 0.5
        return enough and self.own >= _MANY and self.own >= _TIMES * self.others


def shared_text(
    dialogues: Sequence[Sequence[str]],
    targets: Sequence[str],
    documents: Mapping[str, Sequence[str]],
    *,
    seed: int = 0,
) -> tuple[Shared, ...]:
    """What openings, questions and answers share with the documents.

    dialogues: the texts of each, the opening first, then rounds ("question? answer"). targets: each one's picture.
    documents: the texts of every picture that is searched. A sentence is compared by its tokens, in order.
    """
    joined = {name: _joined(" / ".join(texts)) for name, texts in documents.items()}
    names = list(joined)
    draw = np.random.default_rng(seed)
    counts: dict[Part, list[float]] = {"openings": [0, 0, 0], "questions": [0, 0, 0], "answers": [0, 0, 0]}
    for texts, target in zip(dialogues, targets, strict=True):
        mine = joined.get(target)
        if mine is None:
            continue
        picked = [names[k] for k in draw.integers(len(names), size=_OTHERS)]
        others = [joined[name] for name in picked if name != target]
        for part, sentence in _sentences(texts):
            own, elsewhere, total = counts[part]
            among = sum(sentence in other for other in others) / max(len(others), 1)
            counts[part] = [own + (sentence in mine), elsewhere + among, total + 1]
    return tuple(
        Shared(part, own / total, elsewhere / total, int(total))
        for part, (own, elsewhere, total) in counts.items()
        if total
    )


def leak_warnings(
    dialogues: Sequence[Sequence[str]], targets: Sequence[str], documents: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """One line for each part of the dialogues that was taken from the documents searched; () where none was."""
    return tuple(
        f"leak: {shared.own:.0%} of the {shared.part} stand word for word in the documents of their own target "
        f"(in other pictures' documents {shared.others:.1%}); what is measured is the copy, and not the search"
        for shared in shared_text(dialogues, targets, documents)
        if shared.leaks
    )


def _sentences(texts: Sequence[str]) -> list[tuple[Part, str]]:
    found: list[tuple[Part, str]] = []
    for turn, text in enumerate(texts):
        if turn == 0:
            found += [("openings", sentence) for sentence in _long(text)]
            continue
        question, mark, answer = text.partition("?")
        found += [("questions" if mark else "answers", sentence) for sentence in _long(question)]
        found += [("answers", sentence) for sentence in _long(answer)]
    return found


def _long(text: str) -> list[str]:
    """The sentences of a text that are long enough to tell something, as they may stand in `_joined` documents."""
    return [joined for sentence in _SENTENCES.split(text) if (joined := _joined(sentence)).count(" ") > _SHORTEST]


def _joined(text: str) -> str:
    return f" {' '.join(tokens(text))} "
