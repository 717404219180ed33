"""The four samplers and the clusters, on vectors that can be drawn on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from whichpic.dialogue.sampling import clusters, sample
from whichpic.errors import QueryError

if TYPE_CHECKING:
    from whichpic.types import Floats


def at(*degrees: float) -> Floats:
    """Unit vectors in the plane."""
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_clusters_are_those_that_one_would_draw() -> None:
    members, centres = clusters(at(0, 4, 90, 8, 96), 2)
    assert members.tolist() == [0, 0, 1, 0, 1]
    assert np.degrees(np.arctan2(centres[:, 1], centres[:, 0])) == pytest.approx([4, 93], abs=0.01)


def test_of_the_same_vectors_some_clusters_stay_empty() -> None:
    members, _ = clusters(at(10, 10, 10), 3)
    assert set(members.tolist()) == {0}


def test_the_cluster_sampler_takes_the_middle_of_each_the_largest_first() -> None:
    assert sample("cluster", at(0, 90, 4, 9, 95, 98, 2), 2).tolist() == [2, 4]


def test_clusters_look_at_the_best_hundred_only() -> None:
    assert sample("cluster", at(*[0.0] * 100, 90), 2).tolist() == [0]


def test_top_takes_the_first() -> None:
    assert sample("top", at(*range(50)), 5).tolist() == [0, 1, 2, 3, 4]


def test_interval_takes_one_of_each_ten() -> None:
    found = sample("interval", at(*range(60)), 5, seed=3)
    assert [int(position) // 10 for position in found] == [0, 1, 2, 3, 4]
    assert sample("interval", at(*range(12)), 5).tolist()[-1] in (10, 11)  # two blocks, the second of two


def test_random_takes_different_ones_of_the_best_forty() -> None:
    found = sample("random", at(*range(90)), 5, seed=1).tolist()
    assert len(set(found)) == 5 and max(found) < 40
    assert found != sample("random", at(*range(90)), 5, seed=2).tolist()


@pytest.mark.parametrize("name", ["cluster", "interval", "random", "top"])
def test_the_same_seed_gives_the_same_pictures(name: str) -> None:
    vectors = at(*range(70))
    assert sample(name, vectors, seed=7).tolist() == sample(name, vectors, seed=7).tolist()
    assert sample(name, vectors[:3]).tolist() == sorted(set(sample(name, vectors[:3]).tolist())) or name == "cluster"
    assert sample(name, vectors[:0]).tolist() == []


def test_an_unknown_sampler_names_those_there_are() -> None:
    with pytest.raises(QueryError, match="cluster, interval, random and top"):
        sample("best", at(0, 1))
