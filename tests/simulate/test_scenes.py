"""The drawn world: its facts are exact, its captions true, and its pictures show both."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from whichpic.album.pixels import COLOURS, name_pixels, to_lab
from whichpic.dialogue import Session
from whichpic.errors import AlbumError, QueryError
from whichpic.simulate.drawing import draw
from whichpic.simulate.props import COLUMNS, FURNISHED, THINGS, overlap
from whichpic.simulate.scenes import (
    Scene,
    capacity,
    captions_of,
    facts_of,
    main_object,
    scene,
    scenes,
    world,
    write_album,
)
from whichpic.words import vocabulary

LEVELS = ("top", "middle", "bottom")
WORLD = scenes(seed=3, n=400)


def known(each: Scene) -> frozenset[tuple[str, str, int]]:
    return frozenset((fact.attribute, fact.value, int(fact.detail.get("count", 0))) for fact in facts_of(each))


def test_picture_k_of_a_seed_is_always_the_same() -> None:
    assert scene(3, 17) == WORLD[17] == scenes(3, 18)[17]
    assert scene(4, 17) != scene(3, 17)
    assert np.array_equal(np.asarray(draw(scene(3, 17), 64)), np.asarray(draw(scene(3, 17), 64)))


def test_no_two_pictures_have_the_same_facts() -> None:
    seen = {frozenset(known(scene(0, k))) for k in [*range(3000), *range(capacity() - 1000, capacity())]}
    assert len(seen) == 4000
    with pytest.raises(QueryError, match="take another seed"):
        scene(0, capacity())


def test_the_main_object_is_larger_than_all_others() -> None:
    order = ("small", "middle", "large")
    for each in WORLD:
        main = main_object(each)
        assert all(order.index(item.size) < order.index(main.size) for item in each.items[1:])
        assert len({item.thing for item in each.items}) == len(each.items)


def test_things_lie_where_the_facts_say_and_do_not_hide_each_other() -> None:
    for each in WORLD:
        for item in each.items:
            left, top, right, bottom = np.array(item.boxes).T
            across, down = (left.min() + right.max()) / 2, (top.min() + bottom.max()) / 2
            assert COLUMNS[int(across * 3)] == item.position and LEVELS[int(down * 3)] == item.level
            assert left.min() > 0 and top.min() > -0.01 and right.max() < 1 and bottom.max() < 1
            assert len(item.boxes) == item.count
        boxes = [(n, box) for n, item in enumerate(each.items) for box in item.boxes]
        assert all(overlap(a, b) < 0.1 for m, a in boxes for n, b in boxes if m < n)


@pytest.mark.parametrize("start", range(0, 120, 40))
def test_the_colour_that_is_said_is_seen(start: int) -> None:
    for each in WORLD[start : start + 40]:
        names = name_pixels(to_lab(np.asarray(draw(each, 320))))
        for item in each.items:
            # The nearest piece is the one that nothing of its group covers.
            left, top, right, bottom = (round(320 * side) for side in item.boxes[-1])
            seen = names[top:bottom, left:right] == COLOURS.index(item.colour)
            assert seen.mean() > 0.08, (each.id, item.thing, item.colour, seen.mean())


def test_facts_are_exact_and_each_attribute_has_one_value() -> None:
    single = ("scene", "place", "light", "weather", "text", "main", "kind", "colour", "people")
    for each in WORLD:
        facts = facts_of(each)
        assert {(fact.p, fact.source) for fact in facts} == {(1.0, "drawn")}
        for attribute in single:
            assert sum(fact.attribute == attribute for fact in facts) == 1
        for item in each.items:
            for attribute in ("colour", "size", "position", "level"):
                assert [f.value for f in facts if f.attribute == f"{attribute} of {item.thing}"] == [
                    getattr(item, attribute)
                ]


def test_every_thing_is_of_the_vocabulary_and_no_kind_of_another() -> None:
    words = vocabulary()
    names = {
        *THINGS,
        *(name for place in FURNISHED.values() for name in (*place.things, *place.fixed, *place.features)),
    }
    for name in (*names, *FURNISHED):
        assert words.get(name) is not None, name
    for name, thing in THINGS.items():
        assert not set(words.ancestors(name)) & set(THINGS), name
        for colour in thing.colours:
            named = [mention.concept.name for mention in words.mentions(f"two {colour} {name} there")]
            assert named in ([colour, name], [name, colour])


def test_captions_mention_only_what_is_true() -> None:
    words = vocabulary()
    for each in WORLD:
        true = {value for attribute, value, _ in known(each) if not attribute.startswith(("size", "position", "level"))}
        true |= {kind for value in true for kind in words.ancestors(value)}
        true |= {"sky"}  # even in a room there is one, behind the window
        for caption in captions_of(each, 9):
            said = {mention.concept.name for mention in words.mentions(caption)}
            assert said <= true, (caption, said - true)
        assert main_object(each).thing in {m.concept.name for m in words.mentions(captions_of(each, 1)[0])}


def test_two_thousand_scenes_become_an_album_in_a_moment() -> None:
    start = time.perf_counter()
    gallery = world(2000, seed=1)
    facts = gallery.facts
    assert time.perf_counter() - start < 10  # about half a second; a busy machine is no failure
    assert gallery.n == 2000 and gallery.ids[7] == scene(1, 7).id and list(gallery.ids) == sorted(gallery.ids)
    assert set(facts.values("light")) == {"day", "dusk", "night"}
    people = np.sum([facts.p("people", value) for value in ("none", "one", "two", "several")], axis=0)
    assert (people == 1).all()
    at = next(k for k in range(2000) if main_object(scene(1, k)).count == 3)
    main = main_object(scene(1, at))
    assert facts.count(main.thing)[at] == 3 and facts.p(f"colour of {main.thing}", main.colour)[at] == 1
    assert not gallery.indexed.any() and len(gallery.captions[gallery.ids[0]]) == 3


def test_without_captions_only_answers_tell_pictures_apart() -> None:
    gallery = world(60, captions=0)
    session = Session(gallery, asker="facts")
    session.say("a dog")
    assert np.ptp(session.belief.p) == 0
    while (question := session.question) is not None:
        values = [option.value for option in question.options]
        told = {fact.value for fact in facts_of(scene(0, 11)) if fact.attribute == question.attribute}
        if question.attribute in ("thing", "count"):
            yes = gallery.facts.thing(question.about)[11] == 1
            count = min(3, int(gallery.facts.count(question.about)[11]))
            told = {"yes" if yes else "no"} if question.attribute == "thing" else {("0", "1", "2", "3+")[count]}
        session.answer(next((k for k, value in enumerate(values) if value in told), len(values) - 1))
    assert session.results(1)[0].picture.id == gallery.ids[11]


def test_captions_can_have_vectors() -> None:
    gallery = world(20, captions=2, caption_vectors=True)
    main = main_object(scene(0, 5))
    assert set(gallery.evidence(f"a {main.colour} {main.thing}")) >= {"caption_words", "caption_vectors"}
    with pytest.raises(QueryError, match="at least one"):
        world(0)


def test_an_album_is_drawn_once_and_grows(tmp_path: Path) -> None:
    assert write_album(tmp_path / "drawn", 3, seed=5, side=64) == 3
    assert write_album(tmp_path / "drawn", 5, seed=5, side=64) == 2
    assert write_album(tmp_path / "drawn", 1, seed=5, side=64) == 0  # nothing is taken away
    lines = [json.loads(line) for line in (tmp_path / "drawn" / "pictures.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [scene(5, k).id for k in range(5)]
    assert all((tmp_path / "drawn" / line["file"]).exists() for line in lines)
    assert lines[2]["captions"] == list(captions_of(scene(5, 2)))
    assert lines[2]["facts"][0] == {"attribute": "scene", "value": scene(5, 2).place, "p": 1.0, "source": "drawn",
                                    "detail": {}}  # fmt: skip
    with pytest.raises(AlbumError, match="give an empty folder"):
        write_album(tmp_path / "drawn", 3, seed=6, side=64)
