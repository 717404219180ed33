"""Filters on dates, sizes, folders, cameras, places and facts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import gallery
from whichpic.errors import QueryError
from whichpic.search import Filter

ALBUM = gallery(60)


def passing(*conditions: str) -> list[int]:
    return np.flatnonzero(Filter.parse(conditions).mask(ALBUM.pictures, ALBUM.facts)).tolist()


def test_every_condition_must_hold() -> None:
    both = passing("has=dog", "folder=holiday")
    assert both == sorted(set(passing("has=dog")) & set(passing("folder=holiday")))
    assert both


def test_alternatives_and_not() -> None:
    either = set(passing("has=dog|cat"))
    assert either == set(passing("has=dog")) | set(passing("has=cat"))
    assert set(passing("has!=dog|cat")) == set(range(60)) - either


def test_kinds_and_chinese_names_are_understood() -> None:
    assert passing("has=狗") == passing("has=dog") == passing("has=dogs")
    assert set(passing("has=dog")) | set(passing("has=cat")) <= set(passing("has=animal"))


def test_dates_compare_as_far_as_they_are_given() -> None:
    dated = [i for i in range(60) if i % 3]
    assert passing("date>=2020") == [i for i in dated if 2015 + i % 10 >= 2020]
    assert passing("date=2015-05") == [i for i in dated if i % 10 == 0]
    assert passing("year=2016") == [i for i in dated if i % 10 == 1]
    assert passing("date<=2015-05-01") == passing("date=2015")


def test_not_one_of_several_means_none_of_them() -> None:
    dated = [i for i in range(60) if i % 3]
    assert passing("year!=2016|2017") == [i for i in dated if i % 10 not in (1, 2)]
    assert passing("date!=2016-05|2017") == passing("year!=2016|2017")
    assert passing("width!=800|4000") == []


def test_sizes_cameras_and_places() -> None:
    assert passing("width>=1000") == passing("camera~nikon") == [i for i in range(60) if i % 2]
    assert passing("near=48.85,2.35,5") == [i for i in range(60) if i % 5 == 0]
    assert passing("near=40.7,-74,50") == []
    assert passing("megapixels>=10") == [i for i in range(60) if i % 2 and i % 4]


def test_any_fact() -> None:
    assert passing("colour=red") == [i for i in range(60) if i % 10 == 0]
    assert passing("colour=红色") == passing("colour=red")


@pytest.mark.parametrize(
    "bad",
    ["dog", "has=", "has=|", "width>=big", "width=nan", "near=paris", "near=95,0", "near=40,50,nan", "near>40,50",
     "date>=yesterday", "colour>=red", "folder>home", "camera<nikon", "flavour=sweet"],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_says_what_is_expected(bad: str) -> None:
    with pytest.raises(QueryError):
        passing(bad)
