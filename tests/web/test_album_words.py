"""Chips of an empty screen: what is in the album, said as people say it, and found by what is said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support import gallery
from whichpic.encoders.toy import Toy
from whichpic.search import Exact, Gallery
from whichpic.types import Fact, Picture
from whichpic.web.album_words import CHIPS, beginning, phrase
from whichpic.web.texts import texts
from whichpic.words import vocabulary


def album(held: Sequence[Sequence[tuple[str, str]]], captions: Sequence[str] = ()) -> Gallery:
    """A gallery of pictures of which only facts are known: (attribute, value) of each."""
    pictures = [Picture(id=f"{at:032x}", paths=(f"{at}.jpg",)) for at in range(len(held))]
    facts = {each.id: tuple(Fact(a, v, 0.9, "test") for a, v in of) for each, of in zip(pictures, held, strict=True)}
    told = {each.id: (text,) for each, text in zip(pictures, captions, strict=False)}
    vectors = Exact(np.zeros((len(held), Toy().dim), np.float32), np.full(len(held), -1, np.int64))
    return Gallery(pictures, Toy(), index=vectors, facts=facts, captions=told, version="1")


ZOO = ("dog", "cat", "horse", "sheep", "cow", "elephant", "giraffe", "zebra", "bear", "rabbit")


def test_chips_are_of_this_album_and_say_how_many_pictures_they_are_of() -> None:
    there = gallery(200)
    found = beginning(there, "en")
    said = {chip.text: chip.share for chip in found.chips}
    assert 8 <= len(said) <= CHIPS
    held = {phrase("thing", name, "en"): float((there.facts.thing(name) >= 0.3).mean()) for name in there.facts.things}
    assert "a banana" in held
    assert all(share == pytest.approx(held[text], abs=1e-4) for text, share in said.items() if text in held)
    assert any(text in held for text in said)


def test_each_narrows_the_list() -> None:
    assert all(0.02 <= chip.share <= 0.5 for chip in beginning(gallery(200), "en").chips)


def test_the_same_album_offers_the_same() -> None:
    assert beginning(gallery(200), "en") == beginning(gallery(200), "en")


def test_of_ten_animals_two_are_offered() -> None:
    held = [[("object", ZOO[at % len(ZOO)]), ("object", "car" if at % 7 == 0 else "chair" if at % 5 == 0 else "cup")]
            for at in range(200)]  # fmt: skip
    animals = {phrase("thing", name, "en") for name in ZOO}
    assert sum(chip.text in animals for chip in beginning(album(held), "en").chips) == 2


def test_a_kind_and_one_of_its_kind_are_not_offered_together() -> None:
    held = [[("object", "dog" if at % 6 == 0 else "car" if at % 6 == 1 else "cup")] for at in range(120)]
    said = [chip.text for chip in beginning(album(held), "en").chips]
    assert "a dog" in said
    assert "an animal" not in said


def test_what_every_picture_holds_is_not_offered() -> None:
    held = [[("object", "dog"), ("object", "cup" if at % 4 == 0 else "car")] for at in range(80)]
    assert "a dog" not in [chip.text for chip in beginning(album(held), "en").chips]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_offered_is_understood(language: str) -> None:
    held = [[("object", ZOO[at % 10]), ("scene", ("beach", "kitchen", "street")[at % 3]),
             ("light", "night" if at % 9 == 0 else "day"), ("colour", ("red", "blue", "green")[at % 3])]
            for at in range(180)]  # fmt: skip
    for chip in beginning(album(held), "zh" if language == "zh" else "en").chips:
        assert [m for m in vocabulary().mentions(chip.text) if not m.negated], chip.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_place_is_said_so_that_it_is_found(language: str) -> None:
    known = texts("zh" if language == "zh" else "en")
    for key, text in known.items():
        if key.startswith("begin.scene."):
            named = key.removeprefix("begin.scene.")
            assert named in {mention.concept.name for mention in vocabulary().mentions(text)}, (key, text)


def test_things_are_counted_as_each_language_counts_them() -> None:
    assert [phrase("thing", name, "en") for name in ("dog", "umbrella", "food")] == ["a dog", "an umbrella", "food"]
    assert [phrase("thing", name, "zh") for name in ("dog", "horse", "car")] == ["一只狗", "一匹马", "一辆汽车"]


def test_sentences_are_of_things_that_are_together_in_one_picture() -> None:
    held = [[("object", "dog"), ("scene", "beach")], [("object", "cup"), ("scene", "kitchen")]] * 20
    said = beginning(album(held), "en").examples
    assert set(said) == {"a dog on a beach", "a cup in a kitchen"}


def test_without_facts_captions_say_what_is_there() -> None:
    captions = [
        ("a dog on the beach", "two cats on a couch", "a bus in the street, no dog")[at % 3] for at in range(90)
    ]
    found = beginning(album([[]] * 90, captions), "en")
    assert {"a dog", "a cat", "on a beach"} <= {chip.text for chip in found.chips}
    assert next(chip.share for chip in found.chips if chip.text == "a dog") == pytest.approx(1 / 3, abs=0.01)
    assert "a dog on a beach" in found.examples


def test_a_year_is_a_filter_and_no_words() -> None:
    there = gallery(200)
    years = [chip for chip in beginning(there, "en").chips if chip.condition]
    assert len(years) == 1
    assert int(there.passing((years[0].condition,)).sum()) == round(years[0].share * there.n)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_an_album_of_nearly_nothing_offers_what_there_is(n: int) -> None:
    found = beginning(album([[("object", "dog"), ("object", "cup")]] * n), "en")
    assert len(found.chips) <= 4
