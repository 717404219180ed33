"""What a picture's captions tell of it: lexically, by the names of things, and densely, by a text encoder. Called by users.

Every verdict is three-valued: captions tell what is there far better than what is not, and a user who knows no more than
they say has to be able to answer "not sure". How often each verdict is right: docs/simulated-users.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from whichpic.dialogue.phrases import article
from whichpic.dialogue.wording import wording
from whichpic.words import Mention, vocabulary

if TYPE_CHECKING:
    from whichpic.types import Encoder, Floats

Evidence = Literal["lexical", "dense", "both"]
SURE_YES, SURE_NO = 0.45, 0.07
"""Cosines of the `names` encoder; benchmarks/caption_user.py prints what they are worth."""

_WITNESSES = 3
"""So many captions have to be silent about people before their silence says anything."""
_NUMBERS = {"one": 1, "single": 1, "lone": 1, "two": 2, "couple": 2, "pair": 2, "both": 2, "another": 1,
            "three": 3, "four": 3, "five": 3, "six": 3, "seven": 3, "eight": 3, "nine": 3, "ten": 3, "dozen": 3,
            "several": 3, "many": 3, "group": 3, "groups": 3, "bunch": 3, "crowd": 3, "few": 3, "multiple": 3,
            "various": 3, "numerous": 3, "herd": 3, "flock": 3, "team": 3, "row": 3, "lots": 3}  # fmt: skip
"""Words that count; from three on it is "three or more"."""
_AGAIN = {"the", "his", "her", "their", "its", "other"}
"""Before a noun that was named already: it is the same one."""
_PLURALS = {"people", "men", "women", "children", "mice", "geese", "oxen", "wolves", "leaves", "loaves", "knives"}
_WORD = re.compile(r"[a-z]+|\d+")


@dataclass(frozen=True)
class Captions:
    """The captions of one picture, read once."""

    texts: tuple[str, ...]

    @cached_property
    def mentions(self) -> tuple[tuple[Mention, ...], ...]:
        """The concepts that each caption names, without the couple of "a couple of cats": that one only counts."""
        return tuple(tuple(m for m in vocabulary().mentions(text) if not _counts_only(text, m)) for text in self.texts)

    @cached_property
    def said(self) -> Counter[str]:
        """How many captions name a thing, or a kind of it, by name."""
        return Counter(
            name for found in self.mentions for name in {n for m in found if not m.negated for n in _with_kinds(m)}
        )

    @cached_property
    def denied(self) -> frozenset[str]:
        """What some caption says is not there, and no other that it is."""
        denied = {m.concept.name for found in self.mentions for m in found if m.negated}
        return frozenset(name for name in denied if name not in self.said)

    @cached_property
    def main(self) -> str:
        """The thing that most captions name, ties by how early; "" where none names a thing that one would speak of."""
        votes: Counter[str] = Counter()
        earliest: Counter[str] = Counter()
        for found in self.mentions:
            things = list(dict.fromkeys(m.concept.name for m in found if _is_main(m)))
            votes.update(things)
            earliest.update({name: place for place, name in enumerate(things)})
        return min(votes, key=lambda name: (-votes[name], earliest[name], name), default="")

    def named(self, kind: str, thing: str = "") -> list[str]:
        """Concepts of a kind ("colour", "scene", "light") that the captions name, those of most captions first.

        thing: only where the next thing that is named is one ("a brown dog"; of "a black and white cat" both).
        """
        votes: Counter[str] = Counter()
        for found in self.mentions:
            named = set()
            for place, mention in enumerate(found):
                if mention.concept.kind == kind and not mention.negated:
                    after = next((m for m in found[place + 1 :] if m.concept.kind == "thing"), None)
                    if not thing or (after is not None and thing in _with_kinds(after)):
                        named.add(mention.concept.name)
            votes.update(named)
        return sorted(votes, key=lambda name: (-votes[name], name))

    @cached_property
    def place(self) -> str | None:
        """indoors or outdoors: by the places that are named, else by where the things that are named are usually found.

        None where nothing tells, or as much for the one as for the other.
        """
        named = [m.concept for found in self.mentions for m in found if not m.negated]
        for kinds in (("place", "scene"), ("thing",)):
            votes = Counter(c.name if c.kind == "place" else c.place for c in named if c.kind in kinds)
            inside, outside = votes["indoors"], votes["outdoors"]
            if inside != outside:
                return "indoors" if inside > outside else "outdoors"
        return None

    def count(self, name: str) -> int | None:
        """How many of a thing there are, 3 for three or more; None where no caption names it.

        A number that is said outweighs a plural; of several numbers that of most captions, then the larger one, since
        people leave out more than they invent.
        """
        exact: Counter[int] = Counter()
        vague: Counter[int] = Counter()
        for text, found in zip(self.texts, self.mentions, strict=True):
            total, sure = _counted(text, found, name)
            if total:
                (exact if sure else vague)[min(total, 3)] += 1
        votes = exact or vague
        return max(votes, key=lambda number: (votes[number], number), default=None)


def holds(captions: Captions, name: str) -> bool | None:
    """Whether the picture shows a thing, by the names of things alone; None where the captions do not tell.

    A thing is denied where a caption denies it, or where it is found in places of one kind only (a toilet: indoors) and
    the captions name the other kind.
    """
    if captions.said[name]:
        return True
    if name in captions.denied or any(kind in captions.denied for kind in vocabulary().ancestors(name)):
        return False
    concept = vocabulary().get(name)
    if concept is not None and concept.place and captions.place and concept.place != captions.place:
        return False
    return None


class Dense:
    """Whether captions entail that a thing is there, by the cosine of "a dog" with the nearest of them."""

    def __init__(self, encoder: Encoder, *, sure_yes: float = SURE_YES, sure_no: float = SURE_NO) -> None:
        self._encoder = encoder
        self.sure_yes, self.sure_no = sure_yes, sure_no
        self._vectors: dict[str, Floats] = {}

    def nearest(self, text: str, captions: Sequence[str]) -> float:
        """The best cosine of a text with a caption; 0 without captions."""
        if not captions:
            return 0.0
        return float(max(self._vector(caption) @ self._vector(text) for caption in captions))

    def holds(self, captions: Captions, name: str) -> bool | None:
        """Whether the picture shows a thing; None between the two thresholds."""
        cosine = self.nearest(article(name), captions.texts)
        return True if cosine >= self.sure_yes else False if cosine < self.sure_no else None

    def _vector(self, text: str) -> Floats:
        # Bounded: a user asks for its own few captions again and again, and for each shown picture once.
        if text not in self._vectors:
            if len(self._vectors) > 4096:
                self._vectors.clear()
            self._vectors[text] = np.asarray(self._encoder.encode_texts([text])[0])
        return self._vectors[text]


def shows(captions: Captions, name: str, dense: Dense | None, evidence: Evidence) -> bool | None:
    """Whether the picture shows a thing, by the evidence asked for; what is said by name comes before the dense verdict.

    People are an exception: in the street they stand about unmentioned, whatever the sentence is about, and no cosine
    tells. Several captions of a room that are silent about people are taken to deny them; elsewhere silence says nothing.
    """
    told = holds(captions, name) if evidence != "dense" else None
    if told is None and (name == "person" or "person" in vocabulary().ancestors(name)):
        silent = not captions.said["person"] and len(captions.texts) >= _WITNESSES
        return False if silent and captions.place == "indoors" else None
    if told is None and dense is not None and evidence != "lexical":
        return dense.holds(captions, name)
    return told


def _counts_only(text: str, mention: Mention) -> bool:
    return mention.concept.name in _NUMBERS and text[mention.end :].startswith(" of ")


def _is_main(mention: Mention) -> bool:
    """Whether a picture could be said to be of this: a thing that one speaks of."""
    name = mention.concept.name
    return mention.concept.kind == "thing" and not mention.negated and (name not in wording().vague or name == "person")


def _with_kinds(mention: Mention) -> tuple[str, ...]:
    return (mention.concept.name, *mention.concept.isa)


def _counted(text: str, found: Sequence[Mention], name: str) -> tuple[int, bool]:
    """How many of a thing one caption speaks of, and whether it says a number or names each one."""
    total, sure, end = 0, True, 0
    for mention in found:
        before = _WORD.findall(text[end : mention.start].lower())[-4:]
        end = mention.end
        if mention.negated or name not in _with_kinds(mention):
            continue
        if total and before[-1:] and before[-1] in _AGAIN:
            continue
        said = next((_number(word) for word in reversed(before) if _number(word)), 0)
        if not said and _plural(text[mention.start : mention.end], mention):
            said, sure = 3, False
        total += said or _NUMBERS.get(mention.concept.name, 1)
    return total, sure


def _number(word: str) -> int:
    return min(int(word[:3]), 3) if word.isdigit() else _NUMBERS.get(word, 0)


def _plural(surface: str, mention: Mention) -> bool:
    last = surface.lower().split()[-1]
    singular = mention.concept.name.split()[-1]
    return last in _PLURALS or (last.endswith("s") and not last.endswith("ss") and not singular.endswith("s"))
