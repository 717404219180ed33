"""Facts: what pixels, a Sight and EXIF tell of a picture. The pictures are drawn here, so the answers are known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from whichpic.album.facts import FACTS_VERSION, facts_of
from whichpic.album.pixels import COLOURS, name_pixels, to_lab
from whichpic.types import Box, Fact, Picture, Sight
from whichpic.words import vocabulary

PICTURE = Picture("a", width=640, height=480)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, colour)


def table(facts: tuple[Fact, ...], attribute: str) -> dict[str, float]:
    return {fact.value: fact.p for fact in facts if fact.attribute == attribute}


def box(name: str, p: float, left: float = 0.1) -> Box:
    return Box(name, p, left, 0.2, left + 0.2, 0.9)


def seen(*boxes: Box, labels: tuple[tuple[str, float], ...] = ()) -> Sight:
    best: dict[str, float] = {}
    for one in boxes:
        best[one.name] = max(best.get(one.name, 0.0), one.p)
    return Sight(labels, boxes, tuple(sorted(best.items(), key=lambda pair: -pair[1])))


GREY = plain((128, 128, 128))


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"), ((255, 255, 255), "white"), ((245, 245, 220), "white"), ((128, 128, 128), "grey"),
        ((255, 0, 0), "red"), ((139, 0, 0), "red"), ((255, 165, 0), "orange"), ((237, 120, 40), "orange"),
        ((255, 255, 0), "yellow"), ((230, 200, 70), "yellow"), ((0, 128, 0), "green"), ((90, 120, 50), "green"),
        ((0, 0, 255), "blue"), ((0, 0, 128), "blue"), ((135, 206, 235), "blue"), ((128, 0, 128), "purple"),
        ((255, 192, 203), "pink"), ((255, 105, 180), "pink"), ((139, 69, 19), "brown"), ((210, 180, 140), "brown"),
    ],
)  # fmt: skip
def test_colours_are_named_as_people_name_them(rgb: tuple[int, int, int], name: str) -> None:
    pixel = to_lab(np.array([[rgb]], dtype=np.uint8))
    assert COLOURS[int(name_pixels(pixel)[0, 0])] == name
    assert next(iter(table(facts_of(plain(rgb), None, picture=PICTURE), "colour"))) == name


def test_lab_agrees_with_published_values() -> None:
    lab = to_lab(np.array([[[255, 0, 0], [255, 255, 255], [0, 0, 0]]], dtype=np.uint8))
    expected = [[53.24, 80.09, 67.20], [100.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert np.allclose(lab[0], expected, atol=0.05)


def test_the_main_colours_are_those_that_fill_the_picture() -> None:
    image = plain((40, 90, 200), (80, 80))
    image.paste((230, 30, 30), (0, 0, 40, 80))
    colours = table(facts_of(image, None, picture=PICTURE), "colour")
    assert set(colours) == {"red", "blue"}


def test_a_photograph_without_colour_is_black_and_white() -> None:
    ramp = np.tile(np.linspace(20, 240, 96, dtype=np.uint8)[None, :, None], (64, 1, 3))
    colours = table(facts_of(Image.fromarray(ramp), None, picture=PICTURE), "colour")
    assert colours["black"] >= 0.8 and colours["white"] >= 0.8


def test_bright_and_dark() -> None:
    assert table(facts_of(plain((245, 245, 245)), None, picture=PICTURE), "light")["bright"] > 0.9
    assert table(facts_of(plain((15, 15, 20)), None, picture=PICTURE), "light")["dark"] > 0.9
    assert table(facts_of(GREY, None, picture=PICTURE), "light") == {}


def test_day_and_night_are_said_of_the_outside_only() -> None:
    bus, couch = seen(box("bus", 0.9)), seen(box("couch", 0.9))
    assert "day" in table(facts_of(GREY, bus, picture=PICTURE), "light")
    assert "day" not in table(facts_of(GREY, couch, picture=PICTURE), "light")
    assert "night" in table(facts_of(plain((8, 8, 12)), bus, picture=PICTURE), "light")


def test_labels_bring_their_kinds_with_summed_probability() -> None:
    sight = Sight(labels=(("beagle", 0.5), ("poodle", 0.3), ("tabby cat", 0.04)))
    labels = table(facts_of(GREY, sight, picture=PICTURE), "label")
    assert labels["beagle"] == 0.5
    assert labels["dog"] == pytest.approx(0.8)
    assert labels["animal"] == pytest.approx(0.84)
    assert "tabby cat" not in labels and "cat" not in labels
    capped = Sight(labels=(("beagle", 0.7), ("poodle", 0.6)))
    assert table(facts_of(GREY, capped, picture=PICTURE), "label")["dog"] == 1.0


def test_objects_are_counted_and_placed() -> None:
    sight = seen(box("dog", 0.9), box("dog", 0.6, 0.5), box("dog", 0.12, 0.7), box("cat", 0.11))
    (dog,) = (fact for fact in facts_of(GREY, sight, picture=PICTURE) if fact.attribute == "object")
    assert (dog.value, dog.source, dog.detail["count"]) == ("dog", "efficientdet", 2)
    assert dog.detail["boxes"] == [[0.1, 0.2, 0.3, 0.9], [0.5, 0.2, 0.7, 0.9]]
    assert dog.p > 0.9


@pytest.mark.parametrize(("persons", "most"), [(0, "none"), (1, "one"), (2, "two"), (3, "several"), (7, "several")])
def test_people(persons: int, most: str) -> None:
    sight = seen(*(box("person", 0.8, 0.1 * k) for k in range(persons)))
    people = table(facts_of(GREY, sight, picture=PICTURE), "people")
    assert max(people, key=lambda value: people[value]) == most
    assert sum(people.values()) == pytest.approx(1.0, abs=0.03)
    # A detector overlooks some, so that nobody seen is not nobody there.
    assert all(p < 0.99 for p in people.values()) or most == "several"


def test_place_is_told_by_things_and_left_out_otherwise() -> None:
    assert table(facts_of(GREY, seen(box("giraffe", 0.8)), picture=PICTURE), "place")["outdoors"] > 0.65
    assert table(facts_of(GREY, seen(box("toilet", 0.8)), picture=PICTURE), "place")["indoors"] > 0.65
    assert table(facts_of(GREY, seen(box("cat", 0.8)), picture=PICTURE), "place") == {}
    assert table(facts_of(GREY, None, picture=PICTURE), "place") == {}


def test_scenes() -> None:
    kitchen = seen(box("refrigerator", 0.8), box("oven", 0.8))
    street = seen(box("traffic light", 0.8), box("bus", 0.7))
    shore = Sight(labels=(("seashore", 0.7),))
    assert table(facts_of(GREY, kitchen, picture=PICTURE), "scene")["kitchen"] > 0.6
    assert table(facts_of(GREY, street, picture=PICTURE), "scene")["street"] > 0.6
    assert {"beach", "sea"} <= set(table(facts_of(GREY, shore, picture=PICTURE), "scene"))


def test_size_and_exif() -> None:
    picture = Picture("a", width=300, height=400, taken="2024-05-01T08:30:00", camera="Canon EOS R6", latitude=48.8584,
                      longitude=2.2945)  # fmt: skip
    facts = facts_of(GREY, None, picture=picture)
    told = {fact.attribute: fact.value for fact in facts if fact.attribute != "colour"}
    assert told == {"orientation": "portrait", "year": "2024", "month": "5", "hour": "8", "camera": "Canon EOS R6",
                    "near": "48.86,2.29"}  # fmt: skip
    assert {fact.source for fact in facts if fact.attribute in ("year", "camera", "near")} == {"exif"}
    square = facts_of(plain((9, 9, 9), (100, 98)), None, picture=Picture("b"))
    assert table(square, "orientation") == {"square": 1.0}


def test_facts_speak_the_vocabulary() -> None:
    sight = seen(box("laptop", 0.7), box("person", 0.8), labels=(("desk", 0.4), ("keyboard", 0.3)))
    for fact in facts_of(plain((200, 180, 40)), sight, picture=PICTURE):
        assert 0 < fact.p <= 1
        assert fact.attribute == "people" or vocabulary().get(fact.value) is not None, fact


def test_the_same_picture_gives_the_same_facts_whatever_its_size() -> None:
    draw = np.random.default_rng(5)
    coarse = Image.fromarray(draw.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    image = coarse.resize((640, 480), Image.Resampling.BICUBIC)
    sight = seen(box("dog", 0.7), labels=(("beagle", 0.4),))
    assert facts_of(image, sight, picture=PICTURE) == facts_of(image.copy(), sight, picture=PICTURE)
    large = table(facts_of(image, sight, picture=PICTURE), "colour")
    small = table(facts_of(image.resize((320, 240)), sight, picture=PICTURE), "colour")
    assert all(abs(large[name] - small.get(name, 0)) < 0.1 for name in large if large[name] > 0.4)
    assert FACTS_VERSION >= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3), (3000, 4)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    assert facts_of(plain((250, 10, 10), size), seen(box("cup", 0.5)), picture=Picture("x"))


def test_facts_take_little_time() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8))
    labels = tuple((name, 0.05) for name in vocabulary().imagenet[:20])
    sight = seen(*(box("person", 0.5, 0.01 * k) for k in range(20)), labels=labels)
    facts_of(image, sight, picture=PICTURE)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        facts_of(image, sight, picture=PICTURE)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.015
