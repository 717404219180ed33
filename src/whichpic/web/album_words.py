"""What is in this album, in words: chips to begin with, and what can be filtered. Called by pages.begin and pages.filters.

Pure functions over a Gallery; what they find is remembered as long as the gallery is held.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from whichpic.dialogue.naming import can_be_asked
from whichpic.dialogue.phrases import option_text
from whichpic.dialogue.wording import wording
from whichpic.search.filters import FACT_HOLDS
from whichpic.web.texts import say, texts
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from whichpic.search.gallery import Gallery
    from whichpic.types import Rows
    from whichpic.web.texts import Language

    Named = tuple[str, str]

SHARE = (0.02, 0.4)
"""A chip narrows well that holds for this share of the pictures."""
CHIPS = 12
_ROOM = {"thing": 5, "scene": 2, "people": 1, "colour": 2, "light": 1, "place": 1, "year": 1}
"""So many chips of a sort, so that they are varied; where a sort has fewer, things fill the room."""
_OF_A_KIND = 2
"""Of ten animals two are enough."""
_NEARLY = 0.8
_EXAMPLES = 3
_OFTEN = 0.004
"""Examples are of things that this share of the pictures hold: what is seen once was often seen wrongly."""
_SURE = 0.6
"""From this probability on a thing is said to be in a picture without a doubt."""
_READ = 2_000
"""Pictures whose captions are read for what an album without facts holds."""
_TRIED = 400


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that can be said of pictures of this album. share: of its pictures; condition: a filter instead of words."""

    text: str
    share: float
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an empty screen offers: chips, and sentences about pictures that there are."""

    chips: tuple[Chip, ...] = ()
    examples: tuple[str, ...] = ()


_begun: WeakKeyDictionary[Gallery, dict[Language, Beginning]] = WeakKeyDictionary()


def beginning(gallery: Gallery, language: Language) -> Beginning:
    """What to say first in this album. The same for the same version of an album. Any thread may call it."""
    held = _begun.setdefault(gallery, {})
    if language not in held:
        there = _there(gallery)
        held[language] = Beginning(_chips(gallery, there, language), _examples(gallery, there, language))
    return held[language]


def phrase(attribute: str, name: str, language: Language) -> str:
    """How one says it of a picture: "a dog", "at night", "on a beach", "mostly blue"; 一只狗, 夜里; "" where one cannot."""
    key = f"begin.{attribute}.{name}"
    if key in texts(language):
        return say(key, language)
    if attribute == "thing":
        return _a(name, language)
    if attribute == "colour":
        return say("begin.colour", language, colour=vocabulary().say(name, language))
    if attribute == "year":
        return say("begin.year", language, year=name)
    return ""


def _a(name: str, language: Language) -> str:
    """A thing, with what one counts it by where it is counted."""
    called = option_text(name, "kind", language)
    lists = wording()
    if language == "en" or name in lists.without_article or name.split()[-1] in lists.without_article:
        return called
    kinds = (name, *vocabulary().ancestors(name))
    return f"一{next((lists.measures[kind] for kind in kinds if kind in lists.measures), '个')}{called}"


# ---- what there is


def _there(gallery: Gallery) -> dict[Named, Rows]:
    """The pictures that hold what can be said, by (attribute, name)."""
    found = dict(_of_facts(gallery))
    if gallery.captions and not any(attribute in ("thing", "scene") for attribute, _ in found):
        found |= _of_captions(gallery)
    for year, rows in _grouped((p.taken or "")[:4] for p in gallery.pictures).items():
        if year.isdigit():
            found["year", year] = rows
    return found


def _of_facts(gallery: Gallery) -> Iterator[tuple[Named, Rows]]:
    table = gallery.facts
    for name in table.things[:_TRIED]:
        concept = vocabulary().get(name)
        if concept is not None:
            kind = "scene" if concept.kind == "scene" else "thing"
            yield (kind, name), np.flatnonzero(table.thing(name) >= FACT_HOLDS)
    for attribute in ("people", "colour", "light", "place"):
        for value in table.values(attribute):
            yield (attribute, value), np.flatnonzero(table.p(attribute, value) >= FACT_HOLDS)


def _of_captions(gallery: Gallery) -> dict[Named, Rows]:
    """What captions mention; of a large album those of some of its pictures, told as if they were all."""
    found: dict[Named, set[int]] = {}
    step = max(1, gallery.n // _READ)
    for row in range(0, gallery.n, step):
        for text in gallery.captions.get(gallery.ids[row], ())[:5]:
            for mention in vocabulary().mentions(text[:500]):
                concept = mention.concept
                if mention.negated or concept.kind == "orientation":
                    continue
                for name in (concept.name, *(concept.isa if concept.kind == "thing" else ())):
                    found.setdefault((concept.kind, name), set()).update(range(row, min(row + step, gallery.n)))
    return {named: np.array(sorted(rows), dtype=np.int64) for named, rows in found.items()}


def _grouped(names: Iterable[str]) -> dict[str, Rows]:
    """The positions of each name, most frequent first, ties by name."""
    found: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        if name:
            found.setdefault(name, []).append(position)
    ordered = sorted(found, key=lambda name: (-len(found[name]), name))
    return {name: np.array(found[name], dtype=np.int64) for name in ordered}


# ---- chips


def _chips(gallery: Gallery, there: Mapping[Named, Rows], language: Language) -> tuple[Chip, ...]:
    n = max(gallery.n, 1)
    worth = {named: -len(rows) / n * math.log(len(rows) / n) for named, rows in there.items() if len(rows)}
    good = [named for named in worth if SHARE[0] <= len(there[named]) / n <= SHARE[1] and _sayable(*named, language)]
    if n < 60 or len(good) < 6:  # in a small album what is in one picture narrows well, too
        good = [named for named in worth if len(there[named]) < n and _sayable(*named, language)]
    good = [named for named in good if not _is_nearly_one_kind(named, there)]
    good.sort(key=lambda named: (-worth[named], named))
    taken: list[Named] = []
    for room in (_ROOM, {"thing": CHIPS, "scene": 4, "colour": 4}):
        for named in good:
            of_its_sort = sum(attribute == named[0] for attribute, _ in taken)
            if len(taken) < CHIPS and named not in taken and of_its_sort < room.get(named[0], 0) and _new(named, taken):
                taken.append(named)
    sorts = list(_ROOM)
    taken.sort(key=lambda named: (sorts.index(named[0]), -worth[named], named))
    return tuple(
        Chip(
            phrase(*named, language), round(len(there[named]) / n, 4), f"year={named[1]}" if named[0] == "year" else ""
        )
        for named in taken
    )


def _sayable(attribute: str, name: str, language: Language) -> bool:
    """Whether people say it, and are understood: what is said must name the very thing."""
    if attribute == "thing" and not can_be_asked(name):
        return False
    text = phrase(attribute, name, language)
    if attribute in ("year", "people"):
        return bool(text)
    return any(mention.concept.name == name and not mention.negated for mention in vocabulary().mentions(text))


def _is_nearly_one_kind(named: Named, there: Mapping[Named, Rows]) -> bool:
    """Whether nearly all of a kind are of one of its kinds: "a dog" says more than "an animal"."""
    kinds = vocabulary().descendants(named[1]) if named[0] == "thing" else ()
    return any(len(there.get(("thing", kind), ())) >= _NEARLY * len(there[named]) for kind in kinds)


def _new(named: Named, taken: list[Named]) -> bool:
    """Whether it says something that those before it do not: no kind of them, nor the third of one kind."""
    words = vocabulary()
    if named[0] != "thing":
        return True
    own = set(words.ancestors(named[1]))
    things = [name for attribute, name in taken if attribute == "thing"]
    if any(name in own or named[1] in words.ancestors(name) for name in things):
        return False
    alike = Counter(kind for name in things for kind in words.ancestors(name))
    return all(alike[kind] < _OF_A_KIND for kind in own)


# ---- whole sentences


def _examples(gallery: Gallery, there: Mapping[Named, Rows], language: Language) -> tuple[str, ...]:
    """Sentences of what is together in one picture; nothing twice, those that say most first."""
    held = _by_picture(gallery, there, language)
    told = sorted(held, key=lambda row: (-_told(held[row]), hashlib.sha256(gallery.ids[row].encode()).digest()))
    used: set[str] = set()
    found: list[str] = []
    for row in told:
        names = [name for attribute, name in held[row] if attribute in ("thing", "scene")]
        if len(found) < _EXAMPLES and not used.intersection(names):
            found.append(_sentence(held[row], language))
            used.update(names)
    return tuple(found)


def _by_picture(gallery: Gallery, there: Mapping[Named, Rows], language: Language) -> dict[int, list[Named]]:
    """At most two things and a place of each picture of which that many are known, by its position."""
    words = vocabulary()
    found: dict[int, list[Named]] = {}
    sorts = {"thing": 2, "scene": 1, "light": 0, "place": 0}
    least = max(1, _OFTEN * gallery.n)
    names = [named for named in there if named[0] in sorts and len(there[named]) >= least and named[1] != "day"]
    names = [named for named in names if _sayable(*named, language)]
    for named in sorted(names, key=lambda named: (named[0] != "thing", -len(there[named]), named)):
        attribute, name = named
        p = gallery.facts.thing(name) if attribute in ("thing", "scene") else gallery.facts.p(attribute, name)
        for row in there[named].tolist():
            of = found.setdefault(row, [])
            kin = any(name in words.ancestors(other) for _, other in of)
            if (p[row] >= _SURE or not p.any()) and not kin:
                of[:] = [each for each in of if each[1] not in words.ancestors(name)]
                of.append(named)
    whole: dict[int, list[Named]] = {}
    for row, of in found.items():
        things = [each for each in of if each[0] == "thing"]
        where = [each for each in of if each[0] == "scene"] or [each for each in of if each[0] in ("light", "place")]
        if things and len(things[:2]) + len(where[:1]) >= 2:
            whole[row] = [*things[:2], *where[:1]]
    return whole


def _told(of: list[Named]) -> int:
    return len(of) + any(attribute == "scene" for attribute, _ in of)


def _sentence(of: list[Named], language: Language) -> str:
    things = [phrase(*each, language) for each in of if each[0] == "thing"]
    where = [phrase(*each, language) for each in of if each[0] != "thing"]
    what = say("begin.both", language, one=things[0], other=things[1]) if len(things) > 1 else things[0]
    return say("begin.where", language, what=what, where=where[0]) if where else what
