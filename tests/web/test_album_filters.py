"""What can be filtered: every choice is a condition that holds for as many pictures as it says."""

from __future__ import annotations

import pytest

from tests.support import gallery
from whichpic.errors import QueryError
from whichpic.search.gallery import Gallery
from whichpic.web.album_filters import (
    Choice,
    checked,
    chosen,
    counts,
    dated,
    dates,
    groups,
    named,
    spoken,
    toggled,
)


@pytest.fixture(scope="module")
def there() -> Gallery:
    return gallery(200)


def choice(there: Gallery, condition: str) -> Choice:
    return next(each for group in groups(there) for each in group.choices if each.condition == condition)


def test_every_sort_that_tells_pictures_apart_is_offered(there: Gallery) -> None:
    names = [group.name for group in groups(there)]
    assert {"has", "people", "place", "colour", "year", "folder", "size"} <= set(names)
    assert "orientation" not in names  # of which nothing is known here


def test_a_choice_holds_for_as_many_pictures_as_it_says(there: Gallery) -> None:
    for group in groups(there):
        for each in group.choices:
            assert 0 < len(each.rows) < there.n
            assert int(there.passing((each.condition,)).sum()) == len(each.rows)


def test_counts_are_those_beside_what_else_holds(there: Gallery) -> None:
    dog, cat = choice(there, "has=dog"), choice(there, "has=cat")
    both = int(there.passing(("has=dog", "has=cat")).sum())
    assert counts(there, ["has=dog"], [cat]) == [both]
    assert counts(there, ["has=dog"], [dog]) == [len(dog.rows)]


def test_of_years_one_of_several_is_meant_and_of_things_all(there: Gallery) -> None:
    held = toggled([], choice(there, "year=2016"))
    held = toggled(held, choice(there, "year=2018"))
    assert held == ["year=2016|2018"]
    held = toggled(toggled(held, choice(there, "has=dog")), choice(there, "has=cat"))
    assert held == ["year=2016|2018", "has=dog", "has=cat"]
    assert counts(there, held[:1], [choice(there, "year=2017")]) == [len(choice(there, "year=2017").rows)]


def test_what_is_chosen_again_is_given_up(there: Gallery) -> None:
    for group in groups(there):
        for each in group.choices[:3]:
            held = toggled([], each)
            assert chosen(held, each)
            assert toggled(held, each) == []
    two = ["year=2016|2018"]
    assert toggled(two, choice(there, "year=2016")) == ["year=2018"]
    assert chosen(two, choice(there, "year=2018"))


def test_one_size_stands_instead_of_another(there: Gallery) -> None:
    sizes = next(group for group in groups(there) if group.name == "size").choices
    held = toggled(toggled(["has=dog"], sizes[0]), sizes[1])
    assert held == ["has=dog", sizes[1].condition]


def test_a_day_stands_instead_of_another(there: Gallery) -> None:
    assert dates(there) == ("2015-05-01", "2024-05-01")
    held = dated(dated([], ">=", "2016-01-01"), "<=", "2018-12-31")
    assert held == ["date>=2016-01-01", "date<=2018-12-31"]
    assert dated(held, ">=", "2017-01-01") == ["date<=2018-12-31", "date>=2017-01-01"]
    assert dated(held, ">=", "") == ["date<=2018-12-31"]


def test_a_thing_is_found_by_its_name_in_either_language(there: Gallery) -> None:
    things = groups(there)[0]
    assert [each.value for each in named(things, "狗")][:1] == ["dog"]
    assert [each.value for each in named(things, "umb")] == ["umbrella"]
    assert [each.value for each in named(things, "puppy")][:1] == ["dog"]
    assert named(things, "zzz") == ()


def test_conditions_are_said_in_words() -> None:
    assert spoken("has=dog", "en") == "Things: dog"
    assert spoken("has=dog", "zh") == "东西：狗"
    assert spoken("year=2016|2018", "en") == "Year: 2016 or 2018"
    assert spoken("has!=person", "en") == "has!=person"
    assert spoken("no condition", "en") == "no condition"


def test_an_odd_condition_is_one_clear_line() -> None:
    assert checked(" has = dog ") == "has=dog"
    with pytest.raises(QueryError, match="is not a filter; write for example"):
        checked("dogs please")
