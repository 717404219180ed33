"""Askers: which questions could be asked now. Plain functions (gallery, belief, records, language) -> questions.

`facts` asks about what the pictures hold and needs no model; `pick` shows pictures and asks which is closest. `captions`
and `pictures` let a model propose, after it has read or looked (dialogue/reading.py, dialogue/looking.py). All only
propose; a chooser picks. What was asked, or is known from what was said, is not proposed again. Called by session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.choosing import CANDIDATES
from whichpic.dialogue.events import Question, Record, Said
from whichpic.dialogue.likelihood import COUNTS, NO, OTHER, YES
from whichpic.dialogue.naming import OPEN, can_be_asked, nameable
from whichpic.dialogue.phrases import ask
from whichpic.dialogue.sampling import check, sample
from whichpic.dialogue.sifting import asked as _asked
from whichpic.dialogue.sifting import asked_texts
from whichpic.dialogue.sifting import settled as _known
from whichpic.errors import QueryError
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.chat.base import Chat
    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.judging import OnFault
    from whichpic.dialogue.refining import Opener
    from whichpic.search.gallery import Gallery
    from whichpic.types import Rows

    Weights = NDArray[np.float64]

KINDS = ("person", "animal", "vehicle", "food", "furniture", "building", "plant", "electronics", "art")
_CATEGORICAL = {
    "people": ("none", "one", "two", "several"),
    "place": ("indoors", "outdoors"),
    "light": ("day", "dusk", "night"),
}
_DETAILS = ("colour", "size", "position", "level")
"""What facts may tell of one thing: attributes "colour of dog", "size of dog", ..."""
_WORTH = 0.02
"""A thing is asked about when the candidates are not this sure of it, one way or the other."""
_SURE = 0.6
_THINGS = 24
_PICKED = 5
JUDGED = 12
"""A model answers its own questions on so many candidates: a look each (design, section 2)."""
_CHIPS = 2
"""Few: who can choose says no more, and words find the picture better (docs/asking.md)."""


def facts(gallery: Gallery, belief: Belief, records: Sequence[Record], language: str) -> list[Question]:
    """Questions that the facts can score, most balanced things first.

    Where the belief is so sure that nothing is left to ask, it may be wrong: then the candidates count alike.
    """
    rows = belief.best(CANDIDATES)
    weights = belief.p[rows] / max(float(belief.p[rows].sum()), 1e-300)
    alike = np.full(len(rows), 1 / max(len(rows), 1))
    known = _known(records)
    asked = {question.key for question in _asked(records)}
    about = {(question.attribute, question.about) for question in _asked(records)}
    texts = {text.casefold() for text in asked_texts(records)}
    for each in (weights, alike):
        proposed = [
            *_open(gallery, rows, each, known, records, language),
            *_categories(gallery, rows, each, known, language),
            *_things(gallery, rows, each, known, language),
            *_details(gallery, rows, each, language),
        ]
        left = [q for q in proposed if q.key not in asked and (q.attribute, q.about) not in about]
        left = [q for q in left if q.text.casefold() not in texts]
        if left:
            return left
    return []


def pick(gallery: Gallery, belief: Belief, records: Sequence[Record], language: str) -> list[Question]:
    """Which of these is closest? Members of the clusters of the best candidates, one of each near-duplicate group."""
    rows = belief.best(100)
    rows = rows[gallery.indexed[rows]]
    _, firsts = np.unique(gallery.groups[rows], return_index=True)
    rows = rows[np.sort(firsts)]
    if len(rows) < 3:
        return []
    found = rows[sample("cluster", gallery.vectors(rows), _PICKED)]
    if len(found) < 2:
        return []  # they all look alike to the encoder
    pictures = tuple(gallery.ids[position] for position in found)
    before = {picture for question in _asked(records) if question.source == "pick" for picture in question.pictures}
    if len(before & set(pictures)) > 1:
        return []
    return [ask("pick", (*pictures, OTHER), language=language, source="pick", asker="pick", pictures=pictures)]


Asker = Callable[["Gallery", "Belief", "Sequence[Record]", str], "list[Question]"]


def askers(
    names: str,
    chat: Chat | None = None,
    *,
    pictures: Opener | None = None,
    deadline: float | None = None,
    n: int | None = None,
    seed: int = 0,
    sampler: str = "cluster",
    judged: int = JUDGED,
    on_fault: OnFault | None = None,
) -> tuple[Asker, ...]:
    """The askers of a comma-separated list of names; `captions` and `pictures` ask a chat, the others do without.

    pictures: opens a picture by its id, for askers that look. deadline: seconds that a proposal may take in all, looks at
    the candidates included. n: questions that each model asker proposes (captions 5, pictures 3). sampler: how the pictures
    to look at are chosen (`sampling.sample`). judged: on how many of the best candidates the chat itself answers its
    questions beforehand, 0 for none. on_fault: told of faults that cost no question. Raises QueryError for a name that
    there is not, or an asker without its chat; an asker of a chat raises ChatError when it is called, and ChatPending.
    """
    check(sampler)
    found: list[Asker] = []

    def needed() -> Chat:
        if chat is None:
            raise QueryError(f"the asker '{name}' needs a model: say which one with --chat URL_OR_MODEL")
        return chat

    for name in filter(None, (part.strip() for part in names.split(","))):
        match name:
            case "facts":
                found.append(facts)
            case "pick":
                found.append(pick)
            case "captions":
                from whichpic.dialogue import reading

                found.append(partial(reading.captions, chat=needed(), pictures=pictures, deadline=deadline, n=n or 5,
                                     seed=seed, judged=judged, on_fault=on_fault))  # fmt: skip
            case "pictures":
                from whichpic.dialogue import looking

                found.append(partial(looking.pictures, chat=needed(), pictures=pictures, deadline=deadline, n=n or 3,
                                     seed=seed, sampler=sampler, judged=judged, on_fault=on_fault))  # fmt: skip
            case _:
                raise QueryError(f"no asker is called '{name}'; there are facts, pick, captions and pictures")
    return tuple(found)


def _things(gallery: Gallery, rows: Rows, weights: Weights, known: set[str], language: str) -> list[Question]:
    """Things that about half of the candidates hold come first; then how many of one that nearly all hold."""
    table = gallery.facts
    held = table.held(rows)
    questions: list[tuple[float, Question]] = []
    stated = _stated(gallery)  # what a detector counts is too often wrong (docs/asking.md)
    for name in table.things:
        share = float(weights @ held[name]) if name in held else 0.0
        if share < _WORTH or not can_be_asked(name):
            continue
        if name not in known and share < 1 - _WORTH:
            questions.append((abs(share - 0.5), ask("thing", (YES, NO), about=name, language=language)))
        # How many, only of what is surely there: counting what may not be there at all is an odd question.
        if stated and share > _SURE and float(weights @ (table.count(name)[rows] > 1)) > _WORTH:
            questions.append((0.0, ask("count", COUNTS, about=name, language=language)))
    questions.sort(key=lambda pair: pair[0])
    return [question for _, question in questions[:_THINGS]]


def _categories(gallery: Gallery, rows: Rows, weights: Weights, known: set[str], language: str) -> list[Question]:
    table = gallery.facts
    words = vocabulary()
    place_known = any((concept := words.get(name)) is not None and concept.kind == "scene" for name in known)
    questions: list[Question] = []
    for attribute, values in _CATEGORICAL.items():
        there = tuple(value for value in values if float(weights @ table.p(attribute, value)[rows]) > _WORTH)
        if len(there) > 1:
            questions.append(ask(attribute, values if attribute == "people" else there, language=language))
    for attribute in ("colour", "weather", "text", "main", *(() if place_known else ("scene",))):
        mass = {value: float(weights @ table.p(attribute, value)[rows]) for value in table.values(attribute)}
        common = sorted((value for value in mass if mass[value] > _WORTH), key=lambda value: -mass[value])[:5]
        if len(common) > 1:
            questions.append(ask(attribute, (*common, OTHER), language=language))
    stated = _stated(gallery)
    held = {kind: table.p("kind", kind)[rows] for kind in KINDS} if stated else table.held(rows)
    kinds = {kind: float(weights @ held[kind]) if kind in held else 0.0 for kind in KINDS}
    common = sorted((kind for kind in kinds if kinds[kind] > _WORTH), key=lambda kind: -kinds[kind])[:5]
    if len(common) > 1 and stated:
        questions.append(ask("kind", (*common, OTHER), language=language))
    return questions


def _open(
    gallery: Gallery, rows: Rows, weights: Weights, known: set[str], records: Sequence[Record], language: str
) -> list[Question]:
    """Questions that invite a few words. Where facts state all there is, closed questions say as much and are exact."""
    if _stated(gallery):
        return []
    about = _spoken_of(records)
    chips = nameable(gallery, rows, weights, _CHIPS, frozenset(known))
    if not chips:
        return []
    return [
        ask(name, (*chips, OTHER), about=about if name == "around" else "", language=language, source="names")
        for name in OPEN
        if about or name != "around"
    ]


def _stated(gallery: Gallery) -> bool:
    """Whether the facts are stated with the album, and not seen in it by models."""
    return gallery.n > 0 and gallery.facts.known.get("kind", 0) >= gallery.n


def _spoken_of(records: Sequence[Record]) -> str:
    """The first thing that was said to be in the picture, "" where none was."""
    for record in records:
        if isinstance(record.event, Said):
            for mention in vocabulary().mentions(record.event.text):
                if mention.concept.kind == "thing" and not mention.negated:
                    return mention.concept.name
    return ""


def _details(gallery: Gallery, rows: Rows, weights: Weights, language: str) -> list[Question]:
    """What colour, how big, where: of things that most candidates hold, where facts tell it."""
    table = gallery.facts
    questions: list[Question] = []
    for name, p in table.held(rows).items():
        if float(weights @ p) <= _SURE or f"{_DETAILS[0]} of {name}" not in table.known:
            continue
        for attribute in (f"{detail} of {name}" for detail in _DETAILS):
            mass = {value: float(weights @ table.p(attribute, value)[rows]) for value in table.values(attribute)}
            common = sorted((value for value in mass if mass[value] > _WORTH), key=lambda value: -mass[value])[:5]
            if len(common) > 1:
                questions.append(ask(attribute, (*common, OTHER), about=name, language=language))
    return questions
