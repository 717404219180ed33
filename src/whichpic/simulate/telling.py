"""What people would say of a drawn scene: one names the main thing, one the place, one the details. Called by scenes.

Every sentence is true, and is made from the scene alone, so that the same scene is always told in the same words.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from whichpic.dialogue.phrases import article, plural

if TYPE_CHECKING:
    from whichpic.simulate.scenes import Item, Scene

_WHERE = {
    "beach": "on a beach", "harbor": "at a harbor", "field": "in a field", "park": "in a park",
    "forest": "in a forest", "mountain": "in the mountains", "desert": "in a desert", "snow": "in the snow",
    "street": "on a street", "kitchen": "in a kitchen", "living room": "in a living room", "bedroom": "in a bedroom",
}  # fmt: skip
_PLACE = {
    "beach": "a beach by the sea", "harbor": "a harbor by the sea", "field": "a wide field", "park": "a park with trees",
    "forest": "a forest", "mountain": "a wide view of mountains", "desert": "a desert", "snow": "a place covered in snow",
    "street": "a street with buildings", "kitchen": "a kitchen with an oven", "living room": "a living room with a couch",
    "bedroom": "a bedroom with a bed",
}  # fmt: skip
_WHEN = {"day": "during the day", "dusk": "in the evening", "night": "at night"}
_SKY = {"clear": "under a clear sky", "cloudy": "with clouds", "rainy": "in the rain", "snowy": "while it is snowing"}
_NUMBERS = ("", "one", "two", "three", "four")
_POSITIONS = {"left": "on the left", "middle": "in the middle", "right": "on the right"}
_SIZES = {"small": "small", "middle": "", "large": "big"}


def captions(scene: Scene, n: int = 3) -> tuple[str, ...]:
    """n true sentences of a scene, in turn of its main thing, of the place, of the details; then of its other things."""
    random = Random(f"whichpic captions/{scene.seed}/{scene.k}")
    told = [_of_main(scene, random), _of_place(scene, random), _of_details(scene, random)]
    for item in scene.items:
        told.append(_sentence(f"there {_is(item)} {_named(item, size=True)} {_POSITIONS[item.position]}"))
        told.append(_sentence(f"{_named(item)} {_WHERE[scene.place]} {_WHEN[scene.light]}"))
    while len(told) < n:
        told.append(told[len(told) % 3])
    return tuple(told[:n])


def _of_main(scene: Scene, random: Random) -> str:
    main = scene.items[0]
    return _sentence(f"{_named(main, size=random.random() < 0.5)} {_WHERE[scene.place]}")


def _of_place(scene: Scene, random: Random) -> str:
    inside = scene.place in ("kitchen", "living room", "bedroom")
    sky = "" if inside or random.random() < 0.3 else f", {_SKY[scene.weather]}"
    thing = _named(scene.items[0], colour=False)
    return _sentence(f"{_PLACE[scene.place]} {_WHEN[scene.light]}{sky}, and {thing}")


def _of_details(scene: Scene, random: Random) -> str:
    parts = [f"{_named(item, size=True)} {_POSITIONS[item.position]}" for item in scene.items]
    if len(parts) > 1 and random.random() < 0.5:
        parts = [*parts[1:], parts[0]]
    if scene.text:
        parts.append(f'a poster that says "{scene.text}"')
    return _sentence(" and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts))


def _named(item: Item, *, colour: bool = True, size: bool = False) -> str:
    """A red dog, three small white birds, a man in blue."""
    person = item.thing in ("man", "woman")
    before = " ".join(filter(None, (_SIZES[item.size] if size and not person else "",
                                    item.colour if colour and not person else "")))  # fmt: skip
    if item.count == 1:
        phrase = article(f"{before} {item.thing}".strip())
    else:
        phrase = f"{_NUMBERS[item.count]} {before} {plural(item.thing)}".replace("  ", " ")
    return f"{phrase} in {item.colour}" if person and colour else phrase


def _is(item: Item) -> str:
    return "is" if item.count == 1 else "are"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
