"""What a drawn world is made of: places, things with their colours, and where things stand. Called by scenes and drawing.

No thing here is a kind of another (a penguin would be a bird), so that "how many birds?" has one answer; and no colour
makes another thing of it (a yellow butterfly is a species). Boxes are (left, top, right, bottom) as fractions of the
picture, 0 at the top left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Box = tuple[float, float, float, float]

COLUMNS = ("left", "middle", "right")
LIGHTS = ("day", "dusk", "night")
GROUND, AIR = ("middle", "bottom"), ("top", "middle")
"""The levels (thirds of the height) of what stands and of what hangs or flies."""
WORDS = ("HELLO", "OPEN", "SALE", "EXIT", "NORTH", "LUNA")
"""What posters say: no word that names a thing of the vocabulary."""
HORIZON, FLOOR = 0.46, 0.54
_SIDES = {"small": 0.115, "middle": 0.185, "large": 0.34}
_WIDEST = 0.40
_COLUMN = 0.36
_DEEPEST = 0.06  # half of how far behind each other the members of a group stand

PLACES = {
    "beach": "outdoors", "harbor": "outdoors", "field": "outdoors", "park": "outdoors", "forest": "outdoors",
    "mountain": "outdoors", "desert": "outdoors", "snow": "outdoors", "street": "outdoors", "kitchen": "indoors",
    "living room": "indoors", "bedroom": "indoors",
}  # fmt: skip
SCENES = tuple(PLACES)
_OUT = tuple(place for place in SCENES if PLACES[place] == "outdoors")
_IN = tuple(place for place in SCENES if PLACES[place] == "indoors")
OPEN = ("beach", "harbor", "field", "desert", "snow")
"""Places where a low sun can be seen."""
_LAWN = ("field", "park", "forest", "mountain")
_WATER = ("beach", "harbor")
_DRY = tuple(place for place in _OUT if place != "harbor")


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that can be in a scene: its width over its height, its colours, where it can be."""

    name: str
    aspect: float
    colours: tuple[str, ...]
    places: tuple[str, ...] = SCENES
    levels: tuple[str, str] = GROUND


@dataclass(frozen=True, slots=True)
class Furnishing:
    """What belongs to a place: things beside the main object (boxes from a column's middle), others fixed, features."""

    things: dict[str, tuple[Box, ...]] = field(default_factory=dict)
    fixed: dict[str, tuple[Box, ...]] = field(default_factory=dict)
    features: tuple[str, ...] = ()


_FUR = ("brown", "black", "white", "grey", "orange")
_PAINT = ("red", "blue", "yellow", "green", "white")
_CLOTHES = ("red", "blue", "green", "yellow", "purple", "pink")
_GAY = ("red", "yellow", "blue", "green", "purple", "pink", "orange")
_PETALS = ("red", "yellow", "purple", "pink", "white", "blue")

_ALL = (
    Thing("man", 0.46, _CLOTHES),
    Thing("woman", 0.50, _CLOTHES),
    Thing("dog", 1.25, _FUR),
    Thing("cat", 0.95, _FUR),
    Thing("rabbit", 0.80, ("brown", "white", "grey", "black"), _OUT),
    Thing("horse", 1.15, ("black", "white", "grey", "orange"), _DRY),
    Thing("sheep", 1.25, ("white", "black", "brown"), _LAWN),
    Thing("elephant", 1.30, ("grey", "pink", "blue"), _DRY),
    Thing("turtle", 1.70, ("green", "brown", "yellow"), ("beach", "harbor", "park", "desert")),
    Thing("fish", 1.80, ("red", "blue", "orange", "yellow", "grey"), (*_WATER, "kitchen")),
    Thing("bird", 1.40, ("blue", "red", "yellow", "black", "white"), _OUT, AIR),
    Thing("butterfly", 1.15, ("red", "green", "purple", "pink", "orange"), (*_LAWN, *_IN), AIR),
    Thing("car", 2.00, _PAINT, _OUT),
    Thing("bus", 2.05, _PAINT, ("street", "harbor", "desert", "park")),
    Thing("truck", 1.90, _PAINT, ("street", "harbor", "desert", "field")),
    Thing("bicycle", 1.55, ("red", "blue", "green", "black", "orange"), _OUT),
    Thing("boat", 1.10, _PAINT, _WATER),
    Thing("airplane", 2.00, ("white", "red", "blue", "yellow"), _OUT, AIR),
    Thing("balloon", 0.55, _GAY, SCENES, AIR),
    Thing("kite", 0.75, _GAY, _OUT, AIR),
    Thing("house", 1.05, ("white", "yellow", "red", "blue", "pink"), _DRY),
    Thing("lighthouse", 0.48, ("red", "blue", "black"), (*_WATER, "snow")),
    Thing("tent", 1.35, ("red", "blue", "green", "orange", "yellow"), _DRY),
    Thing("tree", 0.80, ("green", "orange", "yellow"), ("field", "mountain", "street", "snow", "harbor")),
    Thing("flower", 0.55, _PETALS),
    Thing("mushroom", 0.90, ("red", "brown", "orange", "purple"), _LAWN),
    Thing("snowman", 0.62, ("white",), ("snow",)),
    Thing("umbrella", 1.00, _GAY),
    Thing("ball", 1.00, _GAY),
    Thing("bench", 1.60, ("brown", "green", "red", "white"), ("beach", "harbor", "park", "mountain", "street")),
    Thing("chair", 0.70, ("brown", "red", "blue", "white", "green"), (*_IN, "beach", "park")),
    Thing("lamp", 0.60, ("yellow", "red", "green", "pink", "blue"), _IN),
    Thing("clock", 1.00, ("red", "blue", "green", "black", "orange"), _IN, AIR),
    Thing("vase", 0.62, ("blue", "red", "green", "purple", "white"), _IN),
    Thing("book", 1.15, ("red", "blue", "green", "brown", "purple")),
    Thing("cup", 1.15, ("red", "blue", "green", "white", "yellow"), (*_IN, "park", "beach")),
    Thing("cake", 1.20, ("pink", "brown", "yellow", "white"), (*_IN, "park")),
    Thing("apple", 0.95, ("red", "yellow"), (*_IN, *_LAWN)),
    Thing("guitar", 0.48, ("brown", "red", "black", "blue"), (*_IN, "beach", "park", "street")),
    Thing("suitcase", 1.10, ("brown", "red", "blue", "black", "green"), (*_IN, "street", "harbor", "desert")),
    Thing("hat", 1.45, ("black", "red", "brown", "blue", "yellow"), (*_IN, "beach", "street")),
    Thing("teddy bear", 0.85, ("brown", "white", "pink", "grey"), (*_IN, "park")),
)
THINGS = {thing.name: thing for thing in _ALL}

SHOWN = frozenset({"window", "oven", "couch", "bed", "sun", "moon"})
"""Of the background, what nothing may cover."""
_WINDOW: Box = (-0.13, 0.06, 0.13, 0.31)
_TREES = tuple((x - 0.10, top, x + 0.10, 0.50) for x, top in
               ((0.05, 0.17), (0.24, 0.23), (0.42, 0.18), (0.60, 0.24), (0.78, 0.17), (0.95, 0.22)))  # fmt: skip
_BUILDINGS = ((0.00, 0.20, 0.20, HORIZON), (0.20, 0.28, 0.42, HORIZON), (0.42, 0.19, 0.58, HORIZON),
              (0.58, 0.30, 0.80, HORIZON), (0.80, 0.22, 1.00, HORIZON))  # fmt: skip
FURNISHED = {
    "beach": Furnishing(features=("sea",)),
    "harbor": Furnishing(features=("sea",)),
    "field": Furnishing(),
    "park": Furnishing(fixed={"tree": ((0.00, 0.20, 0.20, 0.50), (0.80, 0.19, 1.00, 0.50))}),
    "forest": Furnishing(fixed={"tree": _TREES}),
    "mountain": Furnishing(),
    "desert": Furnishing(),
    "snow": Furnishing(),
    "street": Furnishing(fixed={"building": _BUILDINGS}, features=("road",)),
    "kitchen": Furnishing({"window": (_WINDOW,), "oven": ((-0.10, 0.345, 0.10, 0.55),)}, features=("cabinet",)),
    "living room": Furnishing({"window": (_WINDOW,), "couch": ((-0.17, 0.40, 0.17, 0.60),)}),
    "bedroom": Furnishing({"window": (_WINDOW,), "bed": ((-0.165, 0.37, 0.165, 0.62),)}),
}


def things_in(place: str) -> tuple[Thing, ...]:
    """What can be in a place."""
    return _THERE[place]


_THERE = {place: tuple(thing for thing in _ALL if place in thing.places) for place in SCENES}


def weathers_in(place: str) -> tuple[str, str, str]:
    """The kinds of weather of a place."""
    return ("clear", "cloudy", "snowy" if place == "snow" else "rainy")


def arranged(
    thing: Thing, count: int, size: str, position: str, level: str, jitter: tuple[float, float] = (0.0, 0.0)
) -> tuple[Box, ...]:
    """Boxes of `count` pieces in one cell, the farthest first; the centre of them all lies in the cell.

    jitter: from -0.5 to 0.5 across and down, how far off the usual spot they stand.
    """
    width = _SIDES[size] * thing.aspect**0.5
    height = _SIDES[size] / thing.aspect**0.5
    shrink = min(1.0, _WIDEST / width)
    width, height = width * shrink, height * shrink
    spots = _spots(count, width, height, thing.levels == GROUND)
    across = max(x for x, _ in spots) - min(x for x, _ in spots) + width
    down = max(y for _, y in spots) - min(y for _, y in spots) + height
    middle = (COLUMNS.index(position) * 2 + 1) / 6 + 0.06 * jitter[0]
    middle = min(max(middle, across / 2 + 0.015), 1 - across / 2 - 0.015)
    if thing.levels == AIR:
        centre = 0.44 if level == "middle" else max(0.18, down / 2 + 0.015)
        centre += 0.04 * jitter[1] if level == "middle" else 0.0
    else:
        foot = (0.665 if level == "middle" else 0.935) + 0.03 * jitter[1]
        centre = max(0.36, foot - down / 2) if level == "middle" else max(foot - down / 2, 0.70)
    boxes = []
    for x, y in sorted(spots, key=lambda spot: spot[1]):
        left, top = middle + x - width / 2, centre + y - height / 2
        boxes.append((left, top, left + width, top + height))
    return tuple(boxes)


def _spots(count: int, width: float, height: float, standing: bool) -> list[tuple[float, float]]:
    """Centres of the pieces of a group around its own: side by side where a third of the picture has room, else in rows.

    What stands may not be raised far, or the farthest would float above the ground.
    """
    if count == 1:
        return [(0.0, 0.0)]
    abreast = 2 * width <= _COLUMN
    dx = min(1.04 * width, _COLUMN - width) / 2
    deep = _DEEPEST if standing else 1.0
    if count == 2:
        dy = min(0.10 * height if abreast else 0.42 * height, deep)
        return [(-dx, -dy), (dx, dy)]
    row = min(0.52 * height if abreast or count == 4 else 0.80 * height, deep)
    if count == 3 and abreast:
        dx = min(0.9 * width, (_COLUMN - width) / 2) if standing else dx
        return [(0.0, -row), (-dx, row), (dx, row)]
    if count == 3:
        return [(-dx, -row), (dx, 0.0), (-dx, row)]
    if abreast:
        return [(-dx, -row), (dx, -row), (-dx, row), (dx, row)]
    return [(-dx, -row), (dx, -row / 3), (-dx, row / 3), (dx, row)]


def overlap(a: Box, b: Box) -> float:
    """What two boxes share, as a part of the smaller one's area."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return across * down / smaller
