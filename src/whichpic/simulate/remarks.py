"""What a caption user says in a few words when a question invites them: one noun phrase. Called by users.

A remark is cut out of one caption, has at most four words, and is about something that the user has not said yet: nobody
hands over a whole sentence when asked what else there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from whichpic.simulate.entailment import Captions
from whichpic.words import Mention, vocabulary

LONGEST = 4
"""Words of a remark, at most."""
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*|\d+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHERE = _words(
    "in on at near next behind under over above below beside besides between among by around across along against"
    " inside outside through into onto"
)
_NOT_OF_IT = _WHERE | _words(
    "a an the this that these those some any no of with and or but is are was were be been being to for from off out up"
    " down while as which who it its his her their there has have having very each other another together both"
    " front top side middle stands sits lies holds looks shows shown seen surrounded filled covered parked"
)
"""Words that end a noun phrase on either side."""
_BEFORE_A_NOUN = _words("a an the some of with in on at by his her its their two three four several many and")
_SAYS_NOTHING = _words(
    "back center edge close view picture photo photograph image shot scene lot lots number group couple bunch piece pieces"
    " pair row flock anything day area one ones people person"
)
_NO_DOING = _words("being during something nothing anything everything morning evening building ceiling wedding wing")


@dataclass(frozen=True)
class Remark:
    """Some words, and the thing that they name last ("" where the vocabulary does not know it).

    placed: they follow a word of place ("on the sand") or name a place, so that they are around something.
    """

    words: str
    name: str = ""
    placed: bool = False


def remarks(captions: Captions) -> tuple[Remark, ...]:
    """All that a user of these captions could remark: what most captions name first, then in their order."""
    found: dict[str, Remark] = {}
    for text, mentions in zip(captions.texts, captions.mentions, strict=True):
        for each in _phrases(text, mentions):
            found.setdefault(each.words, each)
    return tuple(sorted(found.values(), key=lambda each: -captions.said[each.name]))


def remark(found: Sequence[Remark], attribute: str, told: AbstractSet[str]) -> Remark | None:
    """The first remark that answers an open question and was not said yet; None where nothing is left to say.

    told: the names of things, and the words, that were said. A kind of what was told is not something else, nor is what
    it is a kind of.
    """
    told = told | {ancestor for name in told for ancestor in vocabulary().ancestors(name)}
    left = [each for each in found if each.words not in told]
    new = [each for each in left if told.isdisjoint((each.name, *vocabulary().ancestors(each.name)))]
    named = [each for each in new if each.name]
    if attribute in ("around", "background"):
        return next((each for each in named if each.placed), None)
    return next(iter((*named, *(each for each in new if not each.name))), None)


def _phrases(text: str, mentions: Sequence[Mention]) -> list[Remark]:
    """The noun phrases of a caption, as far as one can tell them without a grammar."""
    found: list[Remark] = []
    for run, before in _runs(text):
        start, end = run[0].start(), run[-1].end()
        inside = [m for m in mentions if start <= m.start < end and m.concept.kind in ("thing", "scene")]
        if any(mention.negated for mention in inside):
            continue
        if inside:
            last = inside[-1]
            kept = [word for k, word in enumerate(run) if word.start() < last.end or not _verb(run, k)]
            name, scene = last.concept.name, last.concept.kind == "scene"
        elif before and before[-1] in _BEFORE_A_NOUN:
            kept, name, scene = run, "", False
        else:
            continue
        words = [word.group().lower() for word in kept][-LONGEST:]
        if set(words) <= _SAYS_NOTHING:
            continue
        found.append(Remark(" ".join(words), name, placed=scene or not _WHERE.isdisjoint(before)))
    return found


def _runs(text: str) -> list[tuple[list[re.Match[str]], list[str]]]:
    """Stretches of words that may be one noun phrase, with the small words that stand right before each."""
    runs: list[tuple[list[re.Match[str]], list[str]]] = []
    run: list[re.Match[str]] = []
    before: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group().lower()
        if run and text[run[-1].end() : match.start()].strip():
            runs.append((run, before))
            run, before = [], []
        if word in _NOT_OF_IT or (word.endswith("ing") and len(word) > 4 and word not in _NO_DOING):
            if run:
                runs.append((run, before))
                run, before = [], []
            before = [*before[-3:], word]
        else:
            run.append(match)
    return [*runs, (run, before)] if run else runs


def _verb(run: Sequence[re.Match[str]], k: int) -> bool:
    """Whether a word behind the thing of a phrase is likelier a verb than part of its name: "man stands", "dog jumped"."""
    return run[k].group().lower().endswith(("s", "ed", "ly"))
