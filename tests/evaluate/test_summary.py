"""The summary of a few small runs: figures worked out by hand, JSON that any reader takes, nothing invented."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whichpic.errors import QueryError
from whichpic.evaluate.ranks import Ranks
from whichpic.evaluate.run import Run
from whichpic.evaluate.summary import summarise

# Three dialogues over 100 pictures: found and lost; never found and worse; found, and ended at turn 1.
ROWS = [[(4, 0), (0, 0), (30, 0)], [(40, 0), (60, 0), (90, 0)], [(20, 0), (2, 0)]]
RANKS = Ranks.carried(ROWS, pool=100, ids=["lost", "never", "ended"])


def run(name: str = "one", ranks: Ranks = RANKS, **more: Any) -> Run:
    return Run(name=name, ranks=ranks, **more)


def test_figures_by_turn() -> None:
    summary = summarise([run(settings={"opening": "caption", "cap": 2}, warnings=("look at this",))], samples=200)
    assert (summary["whichpic_report"], summary["k"], summary["ks"]) == (1, 10, [1, 5, 10])
    one = summary["runs"][0]
    assert (one["name"], one["dialogues"], one["turns"], one["pool"]) == ("one", 3, 3, 100)
    assert (one["settings"], one["warnings"]) == ({"opening": "caption", "cap": 2}, ["look at this"])
    assert one["played"] == [1, 1, pytest.approx(2 / 3)]
    figures = one["by_turn"]
    assert set(figures) == {
        *(f"{name}@{k}" for name in ("recall", "hits") for k in (1, 5, 10)),
        *("mrr@10", "ndcg@10", "mean_rank", "median_rank", "bri", "gain"),
    }
    assert figures["recall@10"]["value"] == pytest.approx([1 / 3, 2 / 3, 1 / 3])
    assert figures["hits@10"]["value"] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert figures["mrr@10"]["value"] == pytest.approx([1 / 15, (1 + 1 / 3) / 3, 1 / 9])
    assert figures["median_rank"]["value"] == [21, 3, 31]
    assert figures["bri"]["value"][0] == pytest.approx(np.log([5, 41, 21]).mean())
    assert figures["gain"]["value"] == [None, pytest.approx(np.log([5, 41 / 61, 7]).mean()), pytest.approx(
        (np.log(1 / 31) + np.log(61 / 91)) / 3
    )]  # fmt: skip
    for figure in figures.values():
        for low, value, high in zip(figure["low"], figure["value"], figure["high"], strict=True):
            assert value is None or low <= value <= high
    assert one["chance"]["recall@10"] == pytest.approx([0.1] * 3)
    assert one["drop"]["turn"] == [None, 0, 1]
    assert one["drop"]["difference"] == pytest.approx([0, 1 / 3, -1 / 3])


def test_harm_turns_to_a_hit_and_the_dialogues_that_got_worse() -> None:
    more: dict[str, Any] = {
        "targets": ("p1", "p2", "p3"),
        "texts": (("a dog", "red?", "blue?"),) * 3,
        "shown": (((), ("p9",), ("p8", "p7")),) * 3,
    }
    one = summarise([run(**more)], samples=200)["runs"][0]
    assert one["harm"]["lost"] == [0, 0.5]
    assert one["harm"]["lost_overall"] == pytest.approx(1 / 3)
    assert (one["harm"]["ended_worse"], one["harm"]["found_then_lost"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    low, high = one["harm"]["intervals"]["ended_worse"]
    assert 0 <= low < 2 / 3 < high <= 1
    assert one["turns_to_hit"]["new"] == pytest.approx([1 / 3, 1 / 3, 0])
    assert (one["turns_to_hit"]["mean"], one["turns_to_hit"]["median"]) == (0.5, 1)
    assert one["turns_to_hit"]["never"] == pytest.approx(1 / 3)
    assert [worse["id"] for worse in one["worse"]] == ["lost", "never"]
    assert one["worse"][0] == {
        "id": "lost",
        "target": "p1",
        "ranks": [5, 1, 31],
        "texts": ["a dog", "red?", "blue?"],
        "shown": [[], ["p9"], ["p8", "p7"]],
    }


def test_what_was_not_measured_is_null_and_not_zero() -> None:
    one = summarise([run()], samples=50)["runs"][0]
    assert [one[name] for name in ("calibration", "none_fits", "cost", "multi")] == [None] * 4
    missing = np.full((3, 3), np.nan)
    assert summarise([run(fits=missing)], samples=50)["runs"][0]["none_fits"] is None
    # Nobody is ever among the first ten: no share of nobody is lost.
    far = Ranks.carried([[(50, 0), (60, 0)]], pool=100, ids=["far"])
    one = summarise([run(ranks=far)], samples=50)["runs"][0]
    assert (one["harm"]["lost"], one["harm"]["lost_overall"], one["harm"]["intervals"]["lost_overall"]) == (
        [None],
        None,
        None,
    )
    assert (one["turns_to_hit"]["mean"], one["turns_to_hit"]["median"]) == (None, None)


def test_calibration_and_cost_are_of_the_dialogues_that_still_run() -> None:
    ones = np.ones((3, 3))
    more: dict[str, Any] = {
        "confidence": np.array([[0.5, 1, 0.5], [0.5, 0, 0.5], [0.5, 0, 0.9]]),
        "in_set": np.array([[True, True, False], [True, False, False], [True, True, True]]),
        "set_size": np.array([[9, 2, 4], [9, 2, 6], [9, 2, 100]]),
        "fits": 2 * ones,
        "fits_absent": np.array([[1.0, 2, 3], [1, 2, 3], [1, 2, 3]]),
        "milliseconds": np.array([[1.0, 1, 1], [2, 2, 2], [6, 6, 600]]),
        "tokens": 10 * ones,
    }
    one = summarise([run(**more)], samples=50)["runs"][0]
    calibration = one["calibration"]
    assert calibration["ece"] == pytest.approx([0.5, 0, 0.5])
    assert calibration["right"] == pytest.approx([0, 1 / 3, 0])
    assert calibration["coverage"] == pytest.approx([1, 2 / 3, 0])
    assert (calibration["coverage_low"][0], calibration["coverage_high"][0]) == (1, 1)
    assert 0 <= calibration["coverage_low"][1] < 2 / 3 < calibration["coverage_high"][1] <= 1
    assert calibration["set_size"] == [9, 2, 5]
    assert calibration["reliability"][1] == {"confidence": [0, 1], "accuracy": [0, 1], "count": [2, 1]}
    assert one["none_fits"]["auroc"] == [1, 0.5, 0]
    assert one["cost"]["ms"] == [3, 3, 1.5]
    assert one["cost"]["calls"] is None


def test_several_right_pictures() -> None:
    more: dict[str, Any] = {"relevant": np.array([2, 1, 4]), "found": np.array([[1, 2, 2], [0, 0, 0], [1, 1, 1]])}
    one = summarise([run(**more)], samples=50)["runs"][0]
    assert one["multi"]["recall"] == pytest.approx([0.25, 1.25 / 3, 1.25 / 3])
    assert one["multi"]["f1"] is None
    one = summarise([run(**more, seen=np.full((3, 3), 10))], samples=50)["runs"][0]
    assert len(one["multi"]["f1"]) == 3


def test_ties_that_change_the_figure_are_flagged() -> None:
    tied = Ranks.carried([[(8, 3)], [(0, 0)]], pool=100, ids=["a", "b"])
    ties = summarise([run(ranks=tied)], samples=50)["runs"][0]["ties"]
    assert ties == {"optimistic": [1], "pessimistic": [0.5], "mean": [0.75], "flagged": True}
    assert not summarise([run()], samples=50)["runs"][0]["ties"]["flagged"]


def test_runs_are_compared_with_the_first_where_that_makes_sense() -> None:
    better = Ranks.carried([[(0, 0)], [(0, 0)], [(0, 0)]], pool=100, ids=RANKS.ids)
    elsewhere = Ranks.carried([[(0, 0)]], pool=9, ids=["lost"])
    summary = summarise([run(), run("two", better), run("three", elsewhere)], samples=200)
    assert {(row["a"], row["b"]) for row in summary["comparisons"]} == {("one", "two")}
    recall = next(row for row in summary["comparisons"] if row["metric"] == "recall@10")
    assert recall["difference"] == pytest.approx([2 / 3])
    assert len(recall["p"]) == len(recall["low"]) == 1
    assert [(row["b"], "pool" in row["why"]) for row in summary["incomparable"]] == [("three", True)]


def test_the_same_runs_give_the_same_json() -> None:
    first, second = (json.dumps(summarise([run()], samples=100, seed=3), allow_nan=False) for _ in range(2))
    assert first == second


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_any_dialogues_give_json_that_any_reader_takes(data: st.DataObject) -> None:
    pool = data.draw(st.integers(1, 30))
    place = st.integers(0, pool - 1).flatmap(lambda b: st.tuples(st.just(b), st.integers(0, pool - 1 - b)))
    rows = data.draw(st.lists(st.lists(place, min_size=1, max_size=4), min_size=1, max_size=6))
    ranks = Ranks.carried(rows, pool=pool, ids=[str(k) for k in range(len(rows))])
    shape = ranks.better.shape
    draw = np.random.default_rng(0)
    whole = run(
        ranks=ranks, confidence=draw.random(shape), in_set=draw.random(shape) < 0.9, set_size=np.ones(shape, int),
        fits=draw.random(shape), fits_absent=draw.random(shape), milliseconds=draw.random(shape),
        relevant=np.ones(len(rows), int), found=np.zeros(shape, int), seen=np.zeros(shape, int),
    )  # fmt: skip
    for rule in ("optimistic", "pessimistic", "mean"):
        summary = summarise([whole], ties=rule, samples=20)
        assert json.loads(json.dumps(summary, allow_nan=False)) == summary
        for name, figure in summary["runs"][0]["by_turn"].items():
            assert len(figure["value"]) == ranks.turns
            if "@" in name:
                assert all(0 <= value <= 1 for value in figure["value"])
        by_turn = summary["runs"][0]["by_turn"]
        assert by_turn["hits@10"]["value"][0] == by_turn["recall@10"]["value"][0]
        assert by_turn["hits@10"]["value"] == sorted(by_turn["hits@10"]["value"])


def test_one_turn_is_a_summary_too() -> None:
    single = Ranks.carried([[(0, 0)], [(30, 0)]], pool=100, ids=["a", "b"])
    one = summarise([run(ranks=single)], ks=(1, 3), samples=50)["runs"][0]
    assert one["by_turn"]["recall@3"]["value"] == [0.5]
    assert "mrr@3" in one["by_turn"]
    assert (one["harm"]["lost"], one["harm"]["ended_worse"]) == ([], 0)


def test_what_cannot_be_summarised_is_refused() -> None:
    for runs, ks in [([], (10,)), ([run(), run()], (10,)), ([run()], ()), ([run()], (0,))]:
        with pytest.raises(QueryError):
            summarise(runs, ks=ks)
    with pytest.raises(QueryError, match=r"confidence has shape \(2, 2\)"):
        run(confidence=np.zeros((2, 2)))
    with pytest.raises(QueryError, match="texts of 1 dialogues"):
        run(texts=(("a",),))
