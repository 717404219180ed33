"""What a user says first. Called by users; the kind of the opening stands in the header of every file of dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from whichpic.dialogue.phrases import article, plural
from whichpic.errors import QueryError
from whichpic.simulate.entailment import Captions
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from whichpic.types import Fact

Opening = Literal["caption", "object", "dialogue", "described"]


def opening(
    kind: Opening, facts: Sequence[Fact], captions: Sequence[str], dialogue: Sequence[str] = (), language: str = "en"
) -> str:
    """The first words about a picture.

    caption: its first caption. object: its main object only, short and vague ("a dog", "dogs"): the thing that most captions
    name, ties by how early; without captions the first object of its facts; where no thing is named, its scene, and else
    the first caption. dialogue: the first turn that was recorded. described: a model's own words, which are not made here.
    Raises QueryError where there is nothing to say.
    """
    if kind == "described":
        raise QueryError('the opening "described" is in a model\'s own words: it is for --user chat')
    if kind not in get_args(Opening):
        raise QueryError(f"no opening is called '{kind}'; there are {', '.join(get_args(Opening))}")
    if kind == "dialogue" or (kind == "caption" and not captions):
        if dialogue:
            return dialogue[0]
        if kind == "dialogue":
            raise QueryError("no dialogue was recorded for this target; use --opening caption or object")
    if kind == "object" or not captions:
        name, several = _main(facts, captions)
        if name and language == "zh":
            return vocabulary().say(name, "zh")
        if name:
            return plural(name) if several else article(name)
    if not captions:
        raise QueryError("nothing is known of this target that a user could say; give --captions")
    return captions[0]


def _main(facts: Sequence[Fact], captions: Sequence[str]) -> tuple[str, bool]:
    """The main object, and whether there are several of it: nobody who thinks of three men says "a man"."""
    if captions:
        told = Captions(tuple(captions))
        return (
            (told.main, (told.count(told.main) or 1) > 1) if told.main else (next(iter(told.named("scene")), ""), False)
        )
    name = main_of(facts)
    counts = [int(f.detail.get("count", 1)) for f in facts if f.attribute == "object" and f.value == name]
    return name, max(counts, default=1) > 1


def main_of(facts: Sequence[Fact]) -> str:
    """The main object by the facts: what they say it is (attribute "main"), else the most probable object, else the scene."""
    for attribute in ("main", "object", "scene"):
        told = [fact for fact in facts if fact.attribute == attribute]
        if told:
            # max keeps the first of equals, and facts are ordered.
            return max(told, key=lambda fact: fact.p).value
    return ""
