"""What the bundled models see: boxes from raw detector outputs; Sights of drawn pictures, where the weights are here."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from whichpic.encoders.boxes import WHOLE, Glance, anchors, find_boxes, presence_of
from whichpic.encoders.seeing import EfficientSeer
from whichpic.errors import ExtraMissing, ModelError
from whichpic.types import Sight
from whichpic.words import vocabulary

NAMES = ("person", "car", "truck", "dog", None)
Seen = tuple[str, float, tuple[float, float, float, float]]  # name, score, (left, top, right, bottom)


def glance(
    *seen: Seen, window: tuple[float, float, float, float] = WHOLE, trust: float = 1.0, shift: int = 0
) -> Glance:
    """What a detector would put out that saw these, each at the anchor whose centre is nearest."""
    places = anchors()
    scores = np.zeros((len(places), len(NAMES)), np.float32)
    codes = np.zeros((len(places), 4), np.float32)
    for name, score, (left, top, right, bottom) in seen:
        centre = np.array([(top + bottom) / 2, (left + right) / 2])
        free = np.where(scores.max(axis=1) > 0, 9.0, 0.0)
        at = np.argmin(np.abs(places[:, :2] - centre).sum(axis=1) + free)
        codes[at, :2] = (centre - places[at, :2]) / places[at, 2:]
        codes[at, 2:] = np.log(np.array([bottom - top, right - left]) / places[at, 2:])
        scores[at, NAMES.index(name)] = score
    return Glance(window, trust, scores, codes)


def named(glances: Sequence[Glance]) -> list[tuple[str, float]]:
    return [(box.name, round(box.p, 2)) for box in find_boxes(glances, NAMES)]


def test_the_anchors_are_those_of_the_detector() -> None:
    places = anchors()
    assert places.shape == (19206, 4)
    assert places[0] == pytest.approx([4 / 320, 4 / 320, 24 / 320, 24 / 320])  # level 3: stride 8, three times as large
    assert places[-1, :2] == pytest.approx([2.5 * 128 / 320, 2.5 * 128 / 320])  # level 7 reaches beyond the picture
    assert np.all(places[1, 3] > places[1, 2])  # the second aspect ratio is the wide one


def test_a_box_is_where_the_object_is() -> None:
    (box,) = find_boxes([glance(("dog", 0.9, (0.1, 0.2, 0.5, 0.8)))], NAMES)
    assert box.name == "dog"
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((0.1, 0.2, 0.5, 0.8), abs=1e-4)


def test_doubles_are_one_object_and_neighbours_are_two() -> None:
    dog, same_dog, next_dog = (0.1, 0.1, 0.5, 0.5), (0.12, 0.1, 0.52, 0.5), (0.55, 0.1, 0.95, 0.5)
    assert named([glance(("dog", 0.9, dog), ("dog", 0.8, same_dog), ("dog", 0.7, next_dog))]) == [
        ("dog", 0.9),
        ("dog", 0.7),
    ]


def test_a_truck_is_not_a_car_as_well_but_somebody_may_sit_in_it() -> None:
    place = (0.2, 0.2, 0.8, 0.8)
    assert named([glance(("truck", 0.6, place), ("car", 0.5, place), ("person", 0.4, place))]) == [
        ("truck", 0.6),
        ("person", 0.4),
    ]


def test_a_tile_adds_what_is_small_and_no_part_of_what_is_large() -> None:
    whole = glance(("dog", 0.9, (0.0, 0.0, 0.6, 0.6)))
    tile = glance(
        ("dog", 0.9, (0.3, 0.3, 0.6, 0.6)),  # the dog's head
        ("car", 0.5, (0.7, 0.1, 0.9, 0.2)),
        ("person", 0.8, (0.9, 0.5, 1.0, 0.9)),  # cut by the tile's edge: another tile has it whole
        window=(0.0, 0.0, 0.6, 0.6),
        trust=0.8,
    )
    assert named([whole, tile]) == [("dog", 0.9), ("car", 0.4)]
    car = find_boxes([whole, tile], NAMES)[1]
    assert (car.left, car.top, car.right, car.bottom) == pytest.approx((0.42, 0.06, 0.54, 0.12), abs=1e-4)


def test_presence_is_the_best_score_of_a_class_that_exists() -> None:
    one = glance(("dog", 0.5, (0.1, 0.1, 0.5, 0.5)), ("car", 0.08, (0.5, 0.5, 0.9, 0.9)))
    other = glance(("dog", 0.9, (0.1, 0.1, 0.5, 0.5)), window=(0.4, 0.4, 1.0, 1.0), trust=0.8)
    one.scores[7, 4] = 0.99  # a class without a name
    ((name, p),) = presence_of([one, other], NAMES)
    assert name == "dog"
    assert p == pytest.approx(0.72)


def test_absurd_outputs_make_no_absurd_boxes() -> None:
    wild = glance(("dog", 0.9, (0.1, 0.1, 0.5, 0.5)))
    codes = wild.codes.copy()
    codes[:, 2:] = 1e30
    for box in find_boxes([Glance(WHOLE, 1.0, wild.scores, codes)], NAMES):
        assert 0 <= box.left <= box.right <= 1
        assert 0 <= box.top <= box.bottom <= 1
    assert find_boxes([glance()], NAMES) == ()


def test_weights_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra 'bundled' is not installed")
    with pytest.raises(ModelError, match="whichpic models get bundled"):
        EfficientSeer(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    other = tmp_path / "object_detector.tflite"
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("labels.txt", "cat\ndog\n")
    with pytest.raises(ModelError, match="not the COCO detector"):
        EfficientSeer(other, other, other)


@pytest.fixture(scope="module")
def seer() -> EfficientSeer:
    try:
        return EfficientSeer.load()
    except (ModelError, ExtraMissing) as error:
        pytest.skip(f"no bundled weights here: {error}")


def drawn(seed: int, size: tuple[int, int]) -> Image.Image:
    """A picture of coloured shapes: nothing in particular, and always the same."""
    draw_numbers = np.random.default_rng(seed)
    picture = Image.new("RGB", size, tuple(int(c) for c in draw_numbers.integers(0, 255, 3)))
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        (x, y), radius = draw_numbers.integers(0, size), int(draw_numbers.integers(10, 120))
        colour = tuple(int(c) for c in draw_numbers.integers(0, 255, 3))
        pen.ellipse((int(x) - radius, int(y) - radius, int(x) + radius, int(y) + radius), fill=colour)
    return picture


@pytest.mark.bundled
def test_a_sight_is_in_order_and_in_bounds(seer: EfficientSeer) -> None:
    (sight,) = seer.look([drawn(1, (640, 400))])
    words = vocabulary()
    labels = [p for _, p in sight.labels]
    assert 0 < len(labels) <= 20
    assert labels == sorted(labels, reverse=True)
    assert sum(labels) <= 1.001
    assert all(name in words.imagenet for name, _ in sight.labels)
    assert all(name in words.coco and p > 0.1 for name, p in sight.presence)
    assert [box.p for box in sight.boxes] == sorted((box.p for box in sight.boxes), reverse=True)


@pytest.mark.bundled
def test_a_sight_does_not_depend_on_neighbours_or_on_the_call(seer: EfficientSeer) -> None:
    pictures = [drawn(seed, size) for seed, size in enumerate([(320, 240), (200, 500), (64, 64), (1, 300)])]
    together: list[Sight] = seer.look(pictures)
    assert together == [seer.look([picture])[0] for picture in pictures]
    assert seer.look([]) == []


@pytest.mark.bundled
def test_the_seer_says_by_its_id_what_it_is(seer: EfficientSeer) -> None:
    assert seer.id.startswith("efficient-")
    assert seer.id == EfficientSeer.load().id
