"""What can be filtered in this album, with how many pictures pass. Called by pages.filters.

Pure functions over a Gallery; every choice is a condition of search.filters, counted by that very condition.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from whichpic.dialogue.naming import can_be_asked
from whichpic.dialogue.phrases import option_text
from whichpic.errors import QueryError
from whichpic.search.filters import Condition, Filter
from whichpic.web.texts import say, texts
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from whichpic.search.gallery import Gallery
    from whichpic.types import Rows
    from whichpic.web.texts import Language

    Mask = NDArray[np.bool_]

FACTS = ("people", "place", "light", "weather", "colour", "kind", "orientation")
"""Facts with few values that people know of; scenes are among the things."""
LANGUAGES: tuple[Language, ...] = ("en", "zh")
SIZES = ("megapixels>=12", "megapixels>=3", "megapixels<1")
_TOGETHER = ("has", "colour")
"""Several of these hold together (a dog and a cat); of the others several mean "one of" (2019 or 2020)."""
_MOST_THINGS = 400
_MOST_VALUES = 24
_KILOMETRES = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """One condition that can be chosen, and the pictures for which it holds (positions)."""

    attribute: str
    value: str
    condition: str
    rows: Rows = field(repr=False, compare=False)

    def text(self, language: Language) -> str:
        """What it is called on a button."""
        key = f"filter.{self.condition}"
        if key in texts(language):
            return say(key, language)
        if self.attribute == "near":
            return _coordinates(self.value)
        if self.attribute == "has":
            return vocabulary().say(self.value, language) if language == "zh" else _bare(self.value)
        return option_text(self.value, self.attribute, language) if self.attribute in FACTS else self.value


@dataclass(frozen=True, slots=True)
class Group:
    """The choices of one sort, most pictures first (years: newest first)."""

    name: str
    choices: tuple[Choice, ...]


_found: WeakKeyDictionary[Gallery, tuple[Group, ...]] = WeakKeyDictionary()


def groups(gallery: Gallery) -> tuple[Group, ...]:
    """What can be filtered in this album; groups that tell no pictures apart are left out. Any thread may call it."""
    if gallery not in _found:
        _found[gallery] = tuple(group for group in _groups(gallery) if group.choices)
    return _found[gallery]


def dates(gallery: Gallery) -> tuple[str, str] | None:
    """The first and the last day on which a picture was taken, "2019-05-01"; None where no date is known."""
    days = sorted(p.taken[:10] for p in gallery.pictures if p.taken)
    return (days[0], days[-1]) if days else None


def chosen(held: Sequence[str], choice: Choice) -> bool:
    """Whether a choice is among the conditions that hold."""
    if choice.condition in held:
        return True
    return any(choice.value in _alternatives(each) for each in _of(held, choice.attribute))


def toggled(held: Sequence[str], choice: Choice) -> list[str]:
    """The conditions after a choice is chosen, or given up where it was."""
    if choice.condition in held:
        return [each for each in held if each != choice.condition]
    if choice.attribute in ("megapixels", "near"):
        return [*(each for each in held if each not in _of(held, choice.attribute)), choice.condition]
    merged = None if choice.attribute in _TOGETHER else next(
        (each for each in held if each in _of(held, choice.attribute) and _alternatives(each)), None
    )  # fmt: skip
    if merged is None:
        return [*held, choice.condition]
    values = _alternatives(merged)
    left = tuple(value for value in values if value != choice.value)
    left = left if choice.value in values else (*values, choice.value)
    new = f"{choice.attribute}={'|'.join(left)}"
    return [new if each == merged else each for each in held if each != merged or left]


def dated(held: Sequence[str], operator: str, day: str) -> list[str]:
    """The conditions with another day to begin (">=") or to end ("<=") with; "" takes it away."""
    kept = [each for each in held if not each.replace(" ", "").startswith(f"date{operator}")]
    return [*kept, f"date{operator}{day}"] if day else kept


def counts(gallery: Gallery, held: Sequence[str], choices: Sequence[Choice]) -> list[int]:
    """How many pictures pass when each of these is (or stays) chosen, beside what else holds."""
    conditions = list(held)
    found = []
    masks: dict[tuple[str, ...], Mask] = {}
    for choice in choices:
        others = conditions
        if choice.attribute not in _TOGETHER:
            others = [each for each in conditions if each not in _of(conditions, choice.attribute)]
        key = tuple(others)
        if key not in masks:
            masks[key] = gallery.passing(key)
        found.append(int(masks[key][choice.rows].sum()))
    return found


def spoken(condition: str, language: Language) -> str:
    """A condition for people, where it is one that a button has: "Things: dog", "Year: 2019 or 2020"; else as it is."""
    key = f"filter.{condition}"
    if key in texts(language):
        return say(key, language)
    try:
        parsed = Condition.parse(condition)
    except QueryError:
        return condition
    label = f"filter.{parsed.attribute}"
    if parsed.operator != "=" or label not in texts(language):
        return condition
    nothing = np.zeros(0, dtype=np.int64)
    values = [
        Choice(parsed.attribute, each, f"{parsed.attribute}={each}", nothing).text(language) for each in parsed.values
    ]
    return say("filter.spoken", language, name=say(label, language), values=say("filter.or", language).join(values))


def named(group: Group, text: str) -> tuple[Choice, ...]:
    """The choices of a group that are called so, in either language: by a part of their name, or by another word for it."""
    wanted = text.strip().casefold()
    meant = {mention.concept.name for mention in vocabulary().mentions(text)}
    called = [each for each in group.choices if each.value in meant]
    called += [each for each in group.choices
               if each not in called and any(wanted in each.text(language).casefold() for language in LANGUAGES)]  # fmt: skip
    return tuple(called)


def checked(text: str) -> str:
    """A condition as an expert writes it, in its plain form. Raises QueryError."""
    return str(Condition.parse(text))


def _of(held: Sequence[str], attribute: str) -> list[str]:
    return [each for each in held if each.split("=")[0].rstrip("<>!~ ").strip() == attribute]


def _alternatives(condition: str) -> tuple[str, ...]:
    """The values of an "=" condition; none of any other."""
    parsed = Condition.parse(condition)
    return parsed.values if parsed.operator == "=" else ()


def _groups(gallery: Gallery) -> Iterator[Group]:
    table = gallery.facts
    things = [name for name in table.things[: 2 * _MOST_THINGS] if _known(name)]
    yield Group("has", _counted(gallery, "has", things)[:_MOST_THINGS])
    for attribute in FACTS:
        yield Group(attribute, _counted(gallery, attribute, table.values(attribute)[:_MOST_VALUES]))
    years = sorted({p.taken[:4] for p in gallery.pictures if p.taken}, reverse=True)
    yield Group("year", tuple(sorted(_counted(gallery, "year", years), key=lambda each: each.value, reverse=True)))
    yield Group("folder", _counted(gallery, "folder", _folders(gallery))[:_MOST_VALUES])
    cameras = Counter(p.camera for p in gallery.pictures if p.camera)
    yield Group("camera", _counted(gallery, "camera", [name for name, _ in cameras.most_common(_MOST_VALUES)]))
    yield Group("size", tuple(each for condition in SIZES if (each := _choice(gallery, condition)) is not None))
    yield Group("near", _counted(gallery, "near", _places(gallery)))


def _counted(gallery: Gallery, attribute: str, values: Sequence[str]) -> tuple[Choice, ...]:
    """The values of which some pictures are, and not all; most pictures first."""
    found = [each for value in values if "|" not in value and (each := _choice(gallery, f"{attribute}={value}"))]
    return tuple(sorted(found, key=lambda each: (-len(each.rows), each.value)))


def _choice(gallery: Gallery, condition: str) -> Choice | None:
    try:
        parsed = Filter.parse((condition,))
        rows = np.flatnonzero(parsed.mask(gallery.pictures, gallery.facts))
    except QueryError:
        return None  # a value that reads as something else
    one = parsed.conditions[0]
    return Choice(one.attribute, one.values[0], str(one), rows) if 0 < len(rows) < gallery.n else None


def _known(name: str) -> bool:
    """Whether the name, read as a condition is, means this thing, and people know what it is."""
    mentioned = vocabulary().mentions(name)
    return bool(mentioned) and mentioned[0].concept.name == name and (can_be_asked(name) or name in ("person", "pet"))


def _folders(gallery: Gallery) -> list[str]:
    found: Counter[str] = Counter()
    for picture in gallery.pictures:
        for path in picture.paths:
            parts = path.split("/")[:-1]
            found.update("/".join(parts[:depth]) for depth in range(1, min(len(parts), 3) + 1))
    return [name for name, _ in found.most_common(2 * _MOST_VALUES)]


def _places(gallery: Gallery) -> list[str]:
    """Where most pictures were taken, to a tenth of a degree, each with the kilometres around it."""
    placed = [(p.latitude, p.longitude) for p in gallery.pictures if p.latitude is not None and p.longitude is not None]
    found = Counter((round(lat, 1), round(lon, 1)) for lat, lon in placed)
    return [f"{lat:.1f},{lon:.1f},{_KILOMETRES}" for (lat, lon), _ in found.most_common(12)]


def _coordinates(place: str) -> str:
    lat, lon, kilometres = (float(part) for part in place.split(","))
    return f"{abs(lat):.1f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.1f}° {'E' if lon >= 0 else 'W'} (± {kilometres:.0f} km)"


def _bare(name: str) -> str:
    """An English name without its article, as people call the thing."""
    text = option_text(name, "kind", "en")
    return next((text[len(word) :] for word in ("a ", "an ", "the ") if text.startswith(word)), text)
