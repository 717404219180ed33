"""Filters: conditions on what is known of a picture for certain, or nearly. Called by gallery, cli and web.

A condition is `attribute operator value`: `folder=holiday/2024`, `date>=2024-05`, `width>=1000`, `camera~nikon`,
`has=dog`, `has!=person`, `near=48.86,2.35,10` (latitude, longitude, kilometres), or any fact: `colour=red`,
`light=night`. Several values are joined by `|` and mean "one of". Conditions are combined by "and".
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import QueryError
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.search.facts import FactTable
    from whichpic.types import Picture

    Mask = NDArray[np.bool_]

FACT_HOLDS = 0.3
"""A fact counts as true in a filter from this probability on (detectors are shy: their scores are low when right)."""

_NUMBERS = ("width", "height", "megapixels", "year", "month", "hour")
_CONDITION = re.compile(r"^\s*([\w-]+)\s*(>=|<=|!=|=|~|>|<)\s*(.*?)\s*$", re.DOTALL)
_EARTH_KILOMETRES = 6371.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, parsed. `values` are alternatives."""

    attribute: str
    operator: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Condition:
        """`has=dog|cat` and the like. Raises QueryError with the form that is expected."""
        match = _CONDITION.match(text)
        if match is None or not match[3]:
            raise QueryError(f"'{text}' is not a filter; write for example has=dog, date>=2024-05 or camera~nikon")
        attribute = match[1].lower()
        values = tuple(value.strip() for value in match[3].split("|") if value.strip())
        if not values:
            raise QueryError(f"'{text}' names no value; write for example has=dog|cat")
        condition = cls(attribute, match[2], values)
        condition.check()
        return condition

    def check(self) -> None:
        """Raises QueryError where the value does not fit the attribute."""
        if self.attribute in _NUMBERS:
            for value in self.values:
                _number(self.attribute, value)
        elif self.attribute == "date":
            for value in self.values:
                _day(value)
        elif self.attribute in ("folder", "camera"):
            if self.operator not in ("=", "!=", "~"):
                raise QueryError(f"'{self.attribute}' takes =, ~ or !=, not {self.operator}")
        elif self.operator not in ("=", "!="):
            raise QueryError(f"'{self.attribute}' takes = or !=, not {self.operator}")
        elif self.attribute == "near":
            for value in self.values:
                _place(value)

    def __str__(self) -> str:
        return f"{self.attribute}{self.operator}{'|'.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that must all hold."""

    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Filter:
        """A filter from conditions as texts. Raises QueryError."""
        return cls(tuple(Condition.parse(text) for text in texts))

    def mask(self, pictures: Sequence[Picture], facts: FactTable) -> Mask:
        """True for the pictures that pass, bool [n]."""
        passed = np.ones(len(pictures), dtype=np.bool_)
        for condition in self.conditions:
            passed &= _holds(condition, pictures, facts)
        return passed


def _holds(condition: Condition, pictures: Sequence[Picture], facts: FactTable) -> Mask:
    attribute, operator, values = condition.attribute, condition.operator, condition.values
    if attribute == "has":
        things = [_known_thing(value, facts) for value in values]
        return _either([facts.thing(thing) >= FACT_HOLDS for thing in things], operator, len(pictures))
    if attribute == "folder":
        return _either([_in_folder(pictures, value) for value in values], operator, len(pictures))
    if attribute == "camera":
        return _either([_camera(pictures, value) for value in values], operator, len(pictures))
    if attribute == "near":
        return _either([_near(pictures, *_place(value)) for value in values], operator, len(pictures))
    if attribute == "date":
        cut = {len(value): _dates(pictures, len(value)) for value in values}
        dated = np.array([p.taken is not None for p in pictures], dtype=np.bool_)
        return _compared([(cut[len(value)], value) for value in values], operator, dated)
    if attribute in _NUMBERS:
        numbers = _column(attribute, pictures)
        return _compared([(numbers, _number(attribute, value)) for value in values], operator, ~np.isnan(numbers))
    if attribute not in facts.known:
        known = ", ".join(sorted({*facts.known, "has", "folder", "date", "near", *_NUMBERS}))
        raise QueryError(f"no picture of this album has the fact '{attribute}'; there are: {known}")
    wanted = [_known_value(attribute, value, facts) for value in values]
    return _either([facts.p(attribute, value) >= FACT_HOLDS for value in wanted], operator, len(pictures))


def _either(masks: Sequence[Mask], operator: str, n: int) -> Mask:
    any_of = np.zeros(n, dtype=np.bool_)
    for mask in masks:
        any_of |= mask
    return ~any_of if operator == "!=" else any_of


def _canonical(value: str) -> str:
    """The concept that a word of either language names, or the word itself."""
    found = vocabulary().mentions(value)
    return found[0].concept.name if found else value.lower()


def _known_thing(word: str, facts: FactTable) -> str:
    """The thing that a word names. A thing that no picture has is none; a word that names nothing is a slip."""
    name = _canonical(word)
    if vocabulary().get(name) is None and name not in facts.things:
        raise QueryError(f"'{word}' is not a thing that is known by name; search for it in words instead")
    return name


def _known_value(attribute: str, word: str, facts: FactTable) -> str:
    """The value of a fact that a word names. Raises QueryError with those that this album has."""
    name = _canonical(word)
    there = facts.values(attribute)
    if name in there or vocabulary().get(name) is not None:
        return name
    if word in there:
        return word
    shown = ", ".join(there[:12]) + (", ..." if len(there) > 12 else "")
    raise QueryError(f"no picture has {attribute}={word}; there are: {shown}")


def _in_folder(pictures: Sequence[Picture], folder: str) -> Mask:
    prefix = folder.strip("/").lower() + "/"
    return np.array([any(f"{path.lower()}".startswith(prefix) for path in p.paths) for p in pictures], dtype=np.bool_)


def _camera(pictures: Sequence[Picture], part: str) -> Mask:
    return np.array([p.camera is not None and part.lower() in p.camera.lower() for p in pictures], dtype=np.bool_)


def _day(day: str) -> None:
    if not re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", day):
        raise QueryError(f"'{day}' is not a date; write 2024, 2024-05 or 2024-05-31")


def _dates(pictures: Sequence[Picture], length: int) -> NDArray[np.str_]:
    # Comparing as many characters as were given makes "2024-05" mean the whole month.
    return np.array([(p.taken or "")[:length] for p in pictures], dtype=np.str_)


def _column(attribute: str, pictures: Sequence[Picture]) -> NDArray[np.float64]:
    def number(picture: Picture) -> float:
        if attribute == "width":
            return picture.width or math.nan
        if attribute == "height":
            return picture.height or math.nan
        if attribute == "megapixels":
            return picture.width * picture.height / 1e6 or math.nan
        part = {"year": (0, 4), "month": (5, 7), "hour": (11, 13)}[attribute]
        digits = (picture.taken or "")[part[0] : part[1]]
        return float(digits) if digits.isdigit() else math.nan

    return np.array([number(picture) for picture in pictures], dtype=np.float64)


def _compared(alternatives: Sequence[tuple[NDArray[Any], Any]], operator: str, known: Mask) -> Mask:
    """Whether a column stands to one of the values as the operator says; "!=" means none of them."""
    compare = {">=": ge, "<=": le, ">": gt, "<": lt}.get(operator, eq)
    return _either([compare(column, value) for column, value in alternatives], operator, len(known)) & known


def _number(attribute: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise QueryError(f"{attribute} wants a number, not '{value}'")
    return number


def _place(value: str) -> tuple[float, float, float]:
    try:
        parts = [float(part) for part in value.split(",")]
    except ValueError:
        parts = []
    if len(parts) not in (2, 3) or not (-90 <= parts[0] <= 90 and -180 <= parts[1] <= 180 and parts[-1] == parts[-1]):
        raise QueryError(f"near wants latitude,longitude[,kilometres], for example near=48.86,2.35,10, not '{value}'")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else 10.0


def _near(pictures: Sequence[Picture], latitude: float, longitude: float, kilometres: float) -> Mask:
    there = np.array([[p.latitude or 0.0, p.longitude or 0.0] for p in pictures], dtype=np.float64).reshape(-1, 2)
    placed = np.array([p.latitude is not None and p.longitude is not None for p in pictures], dtype=np.bool_)
    lat, lon = np.radians(there[:, 0]), np.radians(there[:, 1])
    lat0, lon0 = math.radians(latitude), math.radians(longitude)
    # Haversine distance on a sphere.
    half = np.sin((lat - lat0) / 2) ** 2 + np.cos(lat) * math.cos(lat0) * np.sin((lon - lon0) / 2) ** 2
    distance = 2 * _EARTH_KILOMETRES * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    near: Mask = (distance <= kilometres) & placed
    return near
