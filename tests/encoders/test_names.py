"""The bundled encoder: texts and Sights in one space. Needs `whichpic models get bundled`; skipped without."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from whichpic.encoders.names import Names, Recipe
from whichpic.encoders.seeing import EfficientSeer
from whichpic.errors import ExtraMissing, ModelError
from whichpic.models import locate
from whichpic.types import Box, Sight
from whichpic.words import vocabulary

pytestmark = pytest.mark.bundled


@pytest.fixture(scope="module")
def names() -> Names:
    try:
        return Names.load()
    except (ModelError, ExtraMissing) as error:
        pytest.skip(f"no bundled weights here: {error}")


def sight(*objects: str, labels: Sequence[tuple[str, float]] = (), p: float = 0.8) -> Sight:
    """A Sight with these objects side by side; an object that is named twice is there twice."""
    boxes = tuple(Box(name, p, k / 9, 0.1, (k + 1) / 9, 0.9) for k, name in enumerate(objects))
    return Sight(labels=tuple(labels), boxes=boxes, presence=tuple((name, p) for name in dict.fromkeys(objects)))


def best(names: Names, text: str, sights: Sequence[Sight]) -> int:
    return int(np.argmax(names.encode_pictures([], sights) @ names.encode_texts([text])[0]))


def test_a_sentence_finds_the_picture_that_shows_what_it_names(names: Names) -> None:
    gallery = [
        sight("dog", "frisbee", labels=[("golden retriever", 0.6)]),
        sight("cat", "couch", labels=[("tabby cat", 0.5)]),
        sight("bus", "car", "person", labels=[("traffic light", 0.2)]),
        sight("pizza", "dining table", "cup"),
        sight(labels=[("seashore", 0.4), ("sandbar", 0.3)]),
    ]
    said = [
        "a dog leaps to catch a disc in the park",
        "a kitten asleep on the sofa",
        "heavy traffic on a city street",
        "lunch is served: pizza and something to drink",
        "an empty beach by the sea",
    ]
    assert [best(names, text, gallery) for text in said] == [0, 1, 2, 3, 4]


def test_chinese_finds_what_english_finds(names: Names) -> None:
    """Every object of the detector, by its name, in 400 drawn scenes of one to four objects."""
    words = vocabulary()
    kinds = [name for name in words.coco if name]
    draw = np.random.default_rng(0)
    scenes = [list(draw.choice(kinds, size=draw.integers(1, 5), replace=False)) for _ in range(400)]
    pictures = names.encode_pictures([], [sight(*scene) for scene in scenes])
    precision = {}
    for language, pattern in (("en", "a photo of a {}"), ("zh", "{}的照片")):
        found = []
        for kind in kinds:
            top = np.argsort(-(pictures @ names.encode_texts([pattern.format(words.say(kind, language))])[0]))[:10]
            holds = [kind in scenes[k] for k in top]
            found.append(sum(holds) / min(10, sum(kind in scene for scene in scenes)))
        precision[language] = float(np.mean(found))
    assert precision["en"] > 0.85
    assert abs(precision["zh"] - precision["en"]) < 0.05


def test_a_text_has_one_vector_whatever_stands_beside_it(names: Names) -> None:
    texts = ["a dog", "two children play in the snow near a red house", "一只狗在草地上", "x " * 400]
    together = names.encode_texts(texts)
    assert together.shape == (4, names.dim)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    fresh = Names.load()
    for text, vector in zip(reversed(texts), reversed(together), strict=True):
        assert np.abs(fresh.encode_texts([text])[0] - vector).max() < 1e-5


def test_nothing_said_and_nothing_seen_are_zero(names: Names) -> None:
    assert not names.encode_texts(["", "  "]).any()
    assert not names.encode_pictures([], [Sight()]).any()
    assert names.encode_texts([]).shape == (0, names.dim)
    assert names.encode_pictures([]).shape == (0, names.dim)


def test_a_picture_without_a_sight_is_looked_at(names: Names) -> None:
    pictures = [Image.new("RGB", (80, 60), colour) for colour in ("red", "navy")]
    sights = EfficientSeer.load().look(pictures)
    assert np.array_equal(names.encode_pictures(pictures), names.encode_pictures(pictures, sights))
    assert np.array_equal(names.encode_pictures(pictures, [None, sights[1]]), names.encode_pictures(pictures, sights))


def test_several_of_a_kind_are_told_from_one(names: Names) -> None:
    gallery = [sight("dog"), sight("dog", "dog", "dog", "dog")]
    assert best(names, "a group of dogs", gallery) == 1
    assert best(names, "a dog", gallery) == 0


def test_the_id_names_a_file_and_changes_with_the_recipe(names: Names) -> None:
    assert re.fullmatch(r"names-[a-z0-9-]+", names.id)
    assert Names.load().id == names.id
    assert Names(locate("minilm"), EfficientSeer.load(), recipe=Recipe(present=0.4)).id != names.id
    assert "\n" not in names.describe
