"""Exact search, and how the best are picked."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from whichpic.search import Exact, top


def test_scores_are_inner_products_in_the_order_of_the_pictures() -> None:
    matrix = np.eye(4, dtype=np.float32)
    rows = np.array([2, 0, -1, 3])
    index = Exact(matrix, rows)
    query = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32)
    assert np.allclose(index.scores(query), [0.3, 0.1, 0.0, 0.4])
    assert np.allclose(index.scores(np.stack([query, 2 * query])), [[0.3, 0.1, 0.0, 0.4], [0.6, 0.2, 0.0, 0.8]])
    assert np.allclose(index.scores(query, np.array([3, 2])), [0.4, 0.0])


def test_restricting_the_rows_of_a_large_file_gathers_them() -> None:
    draw = np.random.default_rng(0)
    matrix = draw.standard_normal((100, 8)).astype(np.float32)
    rows = draw.permutation(100)
    index = Exact(matrix, rows)
    query = matrix[5]
    some = np.array([1, 50, 99])
    assert np.allclose(index.scores(query, some), index.scores(query)[some], atol=1e-6)


def test_search_gives_the_best_first() -> None:
    matrix = np.diag(np.arange(1, 6)).astype(np.float32)
    best, scores = Exact(matrix).search(np.ones(5, dtype=np.float32), 3)
    assert best.tolist() == [4, 3, 2]
    assert scores.tolist() == [5, 4, 3]


@given(st.lists(st.integers(-3, 3), max_size=40), st.integers(0, 45))
def test_top_equals_a_stable_sort(values: list[int], k: int) -> None:
    scores = np.array(values, dtype=np.float64)
    assert top(scores, k).tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


def test_top_leaves_out_what_is_excluded() -> None:
    assert top(np.array([-np.inf, 1.0, -np.inf]), 3).tolist() == [1]
