"""Intervals and comparisons: seeded, paired, exact where they can be, and refused where they would mislead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from whichpic.errors import QueryError
from whichpic.evaluate import intervals
from whichpic.evaluate.intervals import compare, drops, mcnemar, percentiles, resampled_means, resampled_medians
from whichpic.evaluate.ranks import Ranks
from whichpic.evaluate.run import Run


def run(name: str, rows: list[list[tuple[int, int]]], *, pool: int = 100, **more: Any) -> Run:
    ids = more.pop("ids", [f"d{k}" for k in range(len(rows))])
    return Run(name=name, ranks=Ranks.carried(rows, pool=pool, ids=ids), **more)


def test_the_interval_of_a_share_is_the_published_one() -> None:
    # 2,064 dialogues at .8: plus or minus 1.7 points.
    hits = (np.arange(2064) < 0.8 * 2064).astype(float)[:, None]
    low, high = percentiles(resampled_means(hits))
    assert (high - low)[0] / 2 == pytest.approx(0.017, abs=0.001)
    assert (low + high)[0] / 2 == pytest.approx(0.8, abs=0.002)


def test_the_same_seed_draws_the_same_dialogues_however_many_columns() -> None:
    values = np.random.default_rng(0).random((50, 3))
    draws = resampled_means(values, samples=300, seed=4)
    assert draws.shape == (300, 3)
    # One column takes another way through the machine's arithmetic: equal but for the last bit.
    assert draws[:, 1] == pytest.approx(resampled_means(values[:, [1]], samples=300, seed=4)[:, 0], abs=1e-12)
    assert not np.array_equal(draws, resampled_means(values, samples=300, seed=5))


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_medians_are_those_of_the_dialogues_drawn(n: int) -> None:
    values = np.random.default_rng(n).integers(1, 5, (n, 2)).astype(float)
    medians = resampled_medians(values, samples=40, seed=1)
    drawn = np.random.default_rng(1).integers(0, n, (40, n))
    assert medians == pytest.approx(np.median(values[drawn], axis=1))


def test_memory_is_bounded_and_the_draws_do_not_depend_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((30, 2))
    whole = resampled_means(values, samples=100)
    monkeypatch.setattr(intervals, "_BLOCK", 70)  # two samples at a time
    assert resampled_means(values, samples=100) == pytest.approx(whole)


def test_mcnemar_by_hand() -> None:
    # Of ten dialogues in which two runs differ, one favours the first: 2 * (1 + 10) / 2 ** 10.
    first = np.array([True] * 1 + [False] * 9 + [True] * 50)
    second = np.array([False] * 1 + [True] * 9 + [True] * 50)
    assert mcnemar(first, second) == mcnemar(second, first) == pytest.approx(22 / 1024)
    assert mcnemar(first, first) == 1
    assert mcnemar(np.repeat([True, False], 2000), np.repeat([False, True], 2000)) == 1
    assert mcnemar(np.full(3000, True), np.full(3000, False)) == 0  # 2 ** -2999


def test_b_less_a_by_turn_over_the_dialogues_of_both() -> None:
    a = run("a", [[(20, 0), (20, 0)], [(3, 0), (3, 0)], [(50, 0), (50, 0)]], ids=["x", "y", "only a"])
    b = run("b", [[(3, 0), (3, 0), (0, 0)], [(20, 0), (3, 0), (0, 0)]], ids=["y", "x"])
    found = compare(a, b)
    assert (found.a, found.b, found.dialogues, found.test) == ("a", "b", 2, "mcnemar")
    assert found.difference.tolist() == [0, 0.5]
    assert found.low[0] == found.high[0] == 0
    assert compare(b, a).difference.tolist() == [0, -0.5]
    assert compare(a, b, metric="mean_rank").difference.tolist() == [0, -8.5]


def test_pairing_sees_what_two_separate_intervals_would_not() -> None:
    draw = np.random.default_rng(2)
    ranks = draw.integers(0, 900, 300)
    a = run("a", [[(int(r), 0)] for r in ranks], pool=1000)
    b = run("b", [[(int(r * 0.95), 0)] for r in ranks], pool=1000)
    found = compare(a, b, metric="mean_rank")
    assert found.high[0] < 0 and found.p[0] < 0.01 and found.test == "bootstrap"
    alone = percentiles(resampled_means(a.ranks.rank()))
    assert alone[0][0] < b.ranks.rank().mean() < alone[1][0]


def test_two_runs_that_do_not_differ_are_not_found_to() -> None:
    draw = np.random.default_rng(7)
    ps = []
    for seed in range(60):
        rows = [run(name, [[(int(r), 0)] for r in draw.integers(0, 99, 80)]) for name in "ab"]
        ps.append(compare(rows[0], rows[1], metric="log_rank", samples=400, seed=seed).p[0])
    assert np.mean(np.array(ps) < 0.05) < 0.15 and 0.35 < np.mean(ps) < 0.65


def test_ties_are_compared_by_the_bootstrap() -> None:
    a, b = run("a", [[(8, 3)], [(0, 0)]]), run("b", [[(8, 0)], [(0, 0)]])
    found = compare(a, b)
    assert found.test == "bootstrap" and found.difference.tolist() == [0.25]
    assert compare(a, b, ties="optimistic").test == "mcnemar"


def test_what_would_mislead_is_refused() -> None:
    a = run("a", [[(1, 0)]], targets=("p1",))
    for b, about in [
        (run("b", [[(1, 0)]], pool=5000), "one pool"),
        (run("b", [[(1, 0)]], ids=["other"]), "no dialogue in common"),
        (run("b", [[(1, 0)]], targets=("p2",)), "another target"),
    ]:
        with pytest.raises(QueryError, match=about):
            compare(a, b)
    with pytest.raises(QueryError, match="precision@10"):
        compare(a, a, metric="precision@10")
    with pytest.raises(QueryError, match=r"such as \.95"):
        compare(a, a, level=95)


def test_a_drop_is_measured_from_the_best_turn_before() -> None:
    values = np.tile([0.5, 0.9, 0.7, 0.95], (200, 1)) + np.random.default_rng(0).normal(0, 0.1, (200, 1))
    found = drops(values)
    assert found.best.tolist() == [-1, 0, 1, 1]
    assert found.difference == pytest.approx([0, 0.4, -0.2, 0.05])
    assert found.high[2] < 0 < found.low[3]
