"""Facts as columns: the same whether they come as values or as they were stored."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support import gallery
from whichpic.album.catalogue import StoredFacts
from whichpic.search.facts import FactTable
from whichpic.types import Fact

ALBUM = gallery(60)


def stored(facts: dict[str, tuple[Fact, ...]]) -> StoredFacts:
    rows = {
        picture: [[f.attribute, f.value, f.p, f.source, *([dict(f.detail)] if f.detail else [])] for f in known]
        for picture, known in facts.items()
    }
    return StoredFacts({picture: json.dumps(each) for picture, each in rows.items()})


def test_stored_facts_are_the_facts() -> None:
    facts = {picture: ALBUM.facts_of(picture) for picture in ALBUM.ids}
    kept = stored(facts)
    assert kept == facts and len(kept) == 60 and "nobody" not in kept
    table = FactTable(ALBUM.ids, kept)
    assert table.things == ALBUM.facts.things and table.known == ALBUM.facts.known
    for name in table.things:
        assert np.array_equal(table.thing(name), ALBUM.facts.thing(name))
        assert np.array_equal(table.count(name), ALBUM.facts.count(name))
    for attribute in table.known:
        assert table.values(attribute) == ALBUM.facts.values(attribute)
        assert np.array_equal(table.tells(attribute), ALBUM.facts.tells(attribute))


def test_a_kind_is_there_where_one_of_its_kind_is() -> None:
    facts = {"a": (Fact("label", "beagle", 0.4, "test"), Fact("object", "dog", 0.7, "test")), "b": ()}
    table = FactTable(("a", "b"), facts)
    assert table.thing("animal").tolist() == [np.float32(0.7), 0]
    assert table.thing("beagle").tolist() == [np.float32(0.4), 0]
    assert {"beagle", "dog", "animal"} <= set(table.things) and table.thing("cat").tolist() == [0, 0]
    assert table.tells("kind").tolist() == [True, False]


@given(st.lists(st.integers(0, 59), unique=True, max_size=20))
def test_candidates_hold_what_the_columns_say(rows: list[int]) -> None:
    positions = np.array(rows, dtype=np.int64)
    held = ALBUM.facts.held(positions)
    for name in ALBUM.facts.things:
        expected = ALBUM.facts.thing(name)[positions]
        assert np.array_equal(held[name], expected) if name in held else not expected.any()


def test_numbers_that_are_none_count_as_nothing_known() -> None:
    table = FactTable(("a",), {"a": (Fact("object", "dog", float("nan"), "test"), Fact("object", "cat", 7.0, "test"))})
    assert table.thing("dog").tolist() == [0] and table.thing("cat").tolist() == [1]


def test_no_pictures_and_no_facts() -> None:
    for table in (FactTable((), {}), FactTable(("a", "b"), {})):
        assert table.things == () and table.values("colour") == () and table.held(np.arange(table.n)) == {}
        assert len(table.thing("dog")) == table.n and not table.tells("kind").any()
