"""Calibration by hand, on systems that are calibrated, and on those that are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whichpic.errors import QueryError
from whichpic.evaluate.calibration import auroc, coverage, ece, ece_floor, reliability


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.2, 0.3, 0.9, 1.0])
    right = np.array([False, True, True, True])
    # Two bins of two: .25 claimed and .5 true, .95 claimed and 1 true.
    table = reliability(confidence, right, bins=2)
    assert table.confidence == pytest.approx([0.25, 0.95])
    assert table.accuracy == pytest.approx([0.5, 1.0])
    assert table.count.tolist() == [2, 2]
    assert ece(confidence, right, bins=2) == pytest.approx((0.25 + 0.05) / 2)


def test_bins_of_equal_width_leave_out_the_empty_and_know_their_edges() -> None:
    table = reliability(np.array([0.0, 0.1, 0.3, 0.7]), np.array([0, 0, 1, 1]), equal="width")
    # (0, .1], (.2, .3], (.6, .7]: .3 and .7 belong below their edges, whatever 10 * .7 is in binary.
    assert table.count.tolist() == [2, 1, 1]
    assert table.error == pytest.approx((2 * 0.05 + 0.7 + 0.3) / 4)


def test_the_order_of_the_data_does_not_matter_where_confidences_are_equal() -> None:
    draw = np.random.default_rng(0)
    confidence = draw.choice([0.2, 0.5, 0.8], 300)
    right = draw.random(300) < 0.5
    shuffled = draw.permutation(300)
    assert ece(confidence, right) == pytest.approx(ece(confidence[shuffled], right[shuffled]))
    assert len(reliability(confidence, right).count) == 3


@pytest.mark.parametrize("equal", ["mass", "width"])
def test_a_calibrated_system_shows_the_floor_and_a_boastful_one_much_more(equal: str) -> None:
    draw = np.random.default_rng(1)
    confidence = draw.random(2000)
    honest = ece(confidence, draw.random(2000) < confidence, equal=equal)  # type: ignore[arg-type]
    floor = ece_floor(confidence, equal=equal)  # type: ignore[arg-type]
    assert honest == pytest.approx(floor, abs=0.015) and floor < 0.03
    assert ece(np.full(100, 0.73), np.arange(100) < 48) == pytest.approx(0.25)
    assert ece_floor(confidence[:45]) > 2 * floor


def test_coverage_is_by_turn() -> None:
    assert coverage(np.array([[True, True], [False, True]])).tolist() == [0.5, 1.0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.lists(st.integers(0, 6), min_size=1, max_size=20))
def test_auroc_is_the_share_of_pairs_that_are_in_order(present: list[int], absent: list[int]) -> None:
    pairs = [(p > a) + 0.5 * (p == a) for p in present for a in absent]
    assert auroc(np.array(present, float), np.array(absent, float)) == pytest.approx(sum(pairs) / len(pairs))


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(QueryError, match="at least one"):
        ece(np.array([]), np.array([]))
    with pytest.raises(QueryError, match="outside 0 to 1"):
        ece(np.array([1.2]), np.array([1]))
    with pytest.raises(QueryError, match="not a number"):
        auroc(np.array([np.nan]), np.array([0.0]))
    assert np.isnan(auroc(np.array([]), np.array([1.0])))
