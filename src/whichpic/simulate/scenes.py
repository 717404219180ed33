"""A drawn world: scenes whose every fact is known, so that an answer is exactly right or wrong. Called by play and the cli.

`scene(seed, k)` is picture k of a world, the same whatever the world's size; `world` is an album of them that was never
drawn. What can be there is in `props`, what people would say of it in `telling`, how it looks in `drawing`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeVar

from whichpic.errors import AlbumError, QueryError
from whichpic.simulate.props import (
    COLUMNS,
    FURNISHED,
    LIGHTS,
    OPEN,
    PLACES,
    SCENES,
    SHOWN,
    THINGS,
    WORDS,
    Box,
    Thing,
    arranged,
    overlap,
    things_in,
    weathers_in,
)
from whichpic.types import Fact, Picture
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from whichpic.search.gallery import Gallery
    from whichpic.types import Encoder

_T = TypeVar("_T")

WORLD_VERSION = 1
"""Raised whenever the same seed could give another scene."""
SOURCE = "drawn"
KINDS = ("person", "animal", "vehicle", "food", "furniture", "building", "plant")
"""What a main object can be of; any other is an "object"."""
_OTHERS = 3
_POSTER = 0.45
_PERSON = 0.4
_CROWDED = 0.06
"""Two things may cover each other by this share of the smaller one."""
_GROUPS = (("large", 1), ("middle", 1), ("middle", 2), ("middle", 3))
"""Sizes and counts of the main object; the others are smaller than it, so that everybody would agree which one is main."""


@dataclass(frozen=True, slots=True)
class Item:
    """One kind of thing in a scene: so many of it, of one colour and one size, side by side in one cell.

    position: left, middle or right third; level: top, middle or bottom third, by the centre of the group. boxes: one
    per piece, (left, top, right, bottom) as fractions of the picture, the farthest first.
    """

    thing: str
    colour: str
    count: int
    size: str  # "small", "middle" or "large"
    position: str
    level: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is true of one picture of a drawn world; what is not said here is not in it.

    furniture: what belongs to the background and can be counted (a sun, three clouds, six trees of a forest), with
    its boxes. features: what belongs to it and cannot be counted (the sea behind a beach, rain).
    """

    seed: int
    k: int
    place: str  # one of SCENES: "beach", "kitchen", ...
    light: str  # "day", "dusk" or "night"
    weather: str  # "clear", "cloudy", "rainy" or "snowy"; indoors it is seen through the window
    items: tuple[Item, ...]  # the main object first
    furniture: tuple[tuple[str, tuple[Box, ...]], ...]
    features: tuple[str, ...]
    text: str = ""  # the word on the poster, "" without one

    @property
    def id(self) -> str:
        """The picture's id in an album, which sorts as k does."""
        return f"drawn-{self.seed}-{self.k:06d}"

    @property
    def indoors(self) -> bool:
        """Whether it is a room."""
        return PLACES[self.place] == "indoors"


def scene(seed: int, k: int) -> Scene:
    """Picture k of the world of a seed. No two pictures of a world have the same facts.

    k numbers the cores of scenes (place, main object, its colour, size, count and cell, light, weather) in an order
    that the seed shuffles, so that they never repeat; all else is drawn at random. Raises QueryError for a k that is
    negative or past the last core (`capacity()`).
    """
    mains, groups, cells = _mains(), _GROUPS, tuple(product(COLUMNS, (0, 1)))
    if not 0 <= k < capacity():
        raise QueryError(f"a drawn world has the pictures 0 to {capacity() - 1}, not {k}; take another seed for more")
    code, (place, thing, colour) = _digit(_shuffled(seed, k, capacity()), mains)
    code, light = _digit(code, LIGHTS)
    code, weather = _digit(code, weathers_in(place))
    code, (size, count) = _digit(code, groups)
    code, (position, row) = _digit(code, cells)
    random = Random(f"whichpic drawn world {WORLD_VERSION}/{seed}/{k}")
    main = _placed(thing, colour, count, size, position, thing.levels[row], random)
    taken = list(main.boxes)
    furniture, features = _background(place, light, weather, position, taken, random)
    taken += [box for name, boxes in furniture if name in SHOWN for box in boxes]
    text = WORDS[int(random.random() * len(WORDS))] if random.random() < _POSTER else ""
    if text:
        poster = _poster(place, taken, random)
        furniture = (*furniture, ("poster", (poster,))) if poster else furniture
        text, taken = (text, [*taken, poster]) if poster else ("", taken)
    others = _others(place, main, taken, random)
    return Scene(seed, k, place, light, weather, (main, *others), furniture, features, text)


def scenes(seed: int, n: int) -> list[Scene]:
    """The first n pictures of a world."""
    return [scene(seed, k) for k in range(n)]


@lru_cache(maxsize=1)
def capacity() -> int:
    """How many pictures the world of one seed has."""
    return len(_mains()) * len(LIGHTS) * 3 * len(_GROUPS) * 2 * len(COLUMNS)


def main_object(scene: Scene) -> Item:
    """The largest thing in a scene, of which the others are all smaller: what it is mainly a picture of."""
    return scene.items[0]


def facts_of(scene: Scene) -> tuple[Fact, ...]:
    """All that is known of a scene, exactly: p is 1 and the source "drawn"; what is not here is not in the picture.

    As for photographs: object (count and boxes in detail), people, scene, place, light, colour (of the main object),
    label (what belongs to the background). Of this world alone: weather, text ("none" without a poster), main (the main
    object) and kind (what it is of, or "object"), each with one value in every picture; and for each thing X but the
    background's: "colour of X", "size of X", "position of X" (left, middle, right), "level of X" (top, middle, bottom).
    """
    facts: list[Fact] = []

    def add(attribute: str, value: str, detail: dict[str, object] | None = None) -> None:
        facts.append(Fact(attribute, value, 1.0, SOURCE, detail or {}))

    def add_object(name: str, boxes: Sequence[Box]) -> None:
        add("object", name, {"count": len(boxes), "boxes": [[round(side, 3) for side in box] for box in boxes]})

    main = main_object(scene)
    add("scene", scene.place)
    add("place", PLACES[scene.place])
    add("light", scene.light)
    add("weather", scene.weather)
    add("text", scene.text or "none")
    add("main", main.thing)
    add("kind", kind_of(main.thing))
    add("colour", main.colour)
    for item in scene.items:
        add_object(item.thing, item.boxes)
        for attribute in ("colour", "size", "position", "level"):
            add(f"{attribute} of {item.thing}", getattr(item, attribute))
    people = [box for item in scene.items if kind_of(item.thing) == "person" for box in item.boxes]
    if people:
        add_object("person", people)
    add("people", ("none", "one", "two", "several")[min(3, len(people))])
    for name, boxes in scene.furniture:
        add_object(name, boxes)
    for name in scene.features:
        add("label", name)
    return tuple(facts)


def kind_of(thing: str) -> str:
    """The one of KINDS that a thing is of, or "object"."""
    return next((kind for kind in KINDS if kind in vocabulary().ancestors(thing)), "object")


def captions_of(scene: Scene, n: int = 3) -> tuple[str, ...]:
    """n sentences that people might say of a scene, all of them true; see `telling.captions`."""
    from whichpic.simulate.telling import captions

    return captions(scene, n)


def world(
    n: int, seed: int = 0, encoder: Encoder | None = None, *, captions: int = 3, caption_vectors: bool = False
) -> Gallery:
    """An album of the first n scenes of a seed, in memory, with facts and captions and without a pixel.

    encoder: the toy encoder unless another is given; pictures have no vectors, and captions have them where
    `caption_vectors` says so. captions: how many of each picture; with 0 nothing that is said finds anything, and all
    has to come from answers. Picture k lies at position k. Raises QueryError for an n that is not positive.
    """
    import numpy as np

    from whichpic.encoders.toy import Toy
    from whichpic.search.exact import Exact
    from whichpic.search.gallery import Gallery

    if n < 1:
        raise QueryError(f"a drawn world has at least one picture, not {n}")
    encoder = encoder or Toy()
    drawn = scenes(seed, n)
    said = {each.id: captions_of(each, captions) for each in drawn} if captions else {}
    vectors = None
    if caption_vectors:
        owners = np.repeat(np.arange(n, dtype=np.int64), [len(texts) for texts in said.values()])
        texts = [text for each in said.values() for text in each]
        vectors = (Exact(np.asarray(encoder.encode_texts(texts), dtype=np.float32)), owners)
    return Gallery(
        [Picture(each.id) for each in drawn],
        encoder,
        index=Exact(np.zeros((0, encoder.dim), np.float32), np.full(n, -1, dtype=np.int64)),
        indexed=np.zeros(n, dtype=np.bool_),
        facts={each.id: facts_of(each) for each in drawn},
        captions=said,
        caption_vectors=vectors,
        version=f"drawn-{WORLD_VERSION}-{seed}-{n}-{captions}",
    )


def write_album(
    folder: Path, n: int, seed: int = 0, *, side: int = 320, on_picture: Callable[[int], None] | None = None
) -> int:
    """Draw the first n scenes into a folder, as PNG files and a `pictures.jsonl`; returns how many were drawn now.

    A line of `pictures.jsonl` is {"id", "file", "captions", "facts"}. Files that are there are kept and listed, so that a
    run that was stopped goes on; `on_picture` hears how many are done. Raises AlbumError where the folder holds another world.
    """
    from whichpic.simulate.drawing import draw

    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "drawn-world.json"
    this = json.dumps({"world": WORLD_VERSION, "seed": seed, "side": side})
    there = mark.read_text(encoding="utf-8").strip() if mark.exists() else ""
    if there not in ("", this) or (not there and any(folder.iterdir())):
        raise AlbumError(f"{folder} holds {there or 'files of another kind'}, not {this}; give an empty folder")
    mark.write_text(f"{this}\n", encoding="utf-8")
    made = k = 0
    lines = []
    while k < n or (folder / f"{scene(seed, k).id}.png").exists():
        each = scene(seed, k)
        file = folder / f"{each.id}.png"
        if not file.exists():
            # Under its own name only when it is whole: a run may be stopped at any moment.
            part = file.with_suffix(".part")
            draw(each, side).save(part, format="PNG")
            part.replace(file)
            made += 1
        lines.append(json.dumps(_line(each, file.name), ensure_ascii=False))
        k += 1
        if on_picture is not None and k <= n:
            on_picture(k)
    listed = folder / "pictures.jsonl"
    part = listed.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    part.replace(listed)
    return made


def _line(each: Scene, file: str) -> dict[str, object]:
    facts = [
        {"attribute": fact.attribute, "value": fact.value, "p": fact.p, "source": fact.source, "detail": fact.detail}
        for fact in facts_of(each)
    ]
    return {"id": each.id, "file": file, "captions": captions_of(each), "facts": facts}


@lru_cache(maxsize=1)
def _mains() -> tuple[tuple[str, Thing, str], ...]:
    return tuple((place, thing, colour) for place in SCENES for thing in things_in(place) for colour in thing.colours)


def _digit(code: int, digits: Sequence[_T]) -> tuple[int, _T]:
    code, digit = divmod(code, len(digits))
    return code, digits[digit]


def _shuffled(seed: int, k: int, n: int) -> int:
    """Where k goes in a permutation of range(n): a Feistel network, walked until it falls inside (Black, Rogaway 2002)."""
    half = (max(2, (n - 1).bit_length()) + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = k >> half, k & mask
        for turn in range(4):
            digest = hashlib.blake2b(f"{seed}/{turn}/{right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(digest, "little") & mask)
        k = left << half | right
        if k < n:
            return k


def _placed(thing: Thing, colour: str, count: int, size: str, position: str, level: str, random: Random) -> Item:
    boxes = arranged(thing, count, size, position, level, (random.random() - 0.5, random.random() - 0.5))
    return Item(thing.name, colour, count, size, position, level, boxes)


def _background(
    place: str, light: str, weather: str, main: str, taken: Sequence[Box], random: Random
) -> tuple[tuple[tuple[str, tuple[Box, ...]], ...], tuple[str, ...]]:
    """What belongs to the place and to the sky, away from the main object: countable things, and features."""
    free = [column for column in COLUMNS if column != main]
    column = free[int(random.random() * len(free))]
    middle = (COLUMNS.index(column) * 2 + 1) / 6
    furniture: list[tuple[str, tuple[Box, ...]]] = []
    features = list(FURNISHED[place].features)
    for name, boxes in FURNISHED[place].things.items():
        furniture.append((name, tuple((box[0] + middle, box[1], box[2] + middle, box[3]) for box in boxes)))
    furniture += [(name, boxes) for name, boxes in FURNISHED[place].fixed.items()]
    inside = PLACES[place] == "indoors"
    if weather == "rainy":
        features.append("rain")
    elif weather == "cloudy":
        furniture.append(("cloud", _clouds(middle, inside, random)))
    elif weather == "clear":
        low = light == "dusk" and place in OPEN
        y, r = (0.20, 0.035) if inside else (0.27 if low else 0.095, 0.055)
        x = middle + 0.06 if inside else middle + 0.08 * (random.random() - 0.5)
        spot = (x - r, y - r, x + r, y + r)
        if not any(overlap(spot, box) > _CROWDED for box in taken):
            furniture.append(("moon" if light == "night" else "sun", (spot,)))
    return tuple(furniture), tuple(features)


def _clouds(middle: float, inside: bool, random: Random) -> tuple[Box, ...]:
    if inside:
        return ((middle - 0.09, 0.13, middle + 0.03, 0.19),)
    count = 2 + int(random.random() * 3)
    clouds = []
    for k in range(count):
        x = (k + 0.5) / count + 0.08 * (random.random() - 0.5)
        y = 0.075 + 0.09 * random.random()
        half = 0.09 + 0.03 * random.random()
        clouds.append((max(0.01, x - half), y - 0.05, min(0.99, x + half), y + 0.05))
    return tuple(clouds)


def _poster(place: str, taken: Sequence[Box], random: Random) -> Box | None:
    """On the wall of a room, on a post elsewhere, in a third that has room for it."""
    top, bottom = (0.07, 0.29) if PLACES[place] == "indoors" else (0.36, 0.70)
    for position in sorted(COLUMNS, key=lambda _: random.random()):
        middle = (COLUMNS.index(position) * 2 + 1) / 6
        box = (middle - 0.14, top, middle + 0.14, bottom)
        if not any(overlap(box, other) > _CROWDED for other in taken):
            return box
    return None


def _others(place: str, main: Item, taken: list[Box], random: Random) -> list[Item]:
    """Up to three smaller things, each where it covers none of those before it."""
    there = [THINGS[main.thing]]
    items: list[Item] = []
    wanted = 1 + int(random.random() * _OTHERS)
    for number in range(wanted):
        choices = [thing for thing in things_in(place) if not any(_clash(thing.name, other.name) for other in there)]
        if number == 0 and random.random() < _PERSON:
            choices = [thing for thing in choices if thing.name in ("man", "woman")] or choices
        thing = choices[int(random.random() * len(choices))]
        there.append(thing)
        colour = thing.colours[int(random.random() * len(thing.colours))]
        middling = main.size == "large" and random.random() < 0.5
        size, count = ("middle", 1) if middling else ("small", 1 + int(4 * random.random() ** 2))
        cells = sorted(product(COLUMNS, thing.levels), key=lambda _: random.random())
        for position, level in cells:
            item = _placed(thing, colour, count, size, position, level, random)
            if not any(overlap(box, other) > _CROWDED for box in item.boxes for other in taken):
                items.append(item)
                taken += item.boxes
                break
    return items


def _clash(a: str, b: str) -> bool:
    """Whether two things cannot be in one scene: beside an animal, "a kite" would be read as the bird of that name."""
    return a == b or ("kite" in (a, b) and "animal" in (kind_of(a), kind_of(b)))
