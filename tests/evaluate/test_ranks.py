"""Ranks by counting: the same as sorting where nothing ties, and exact where something does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whichpic.errors import QueryError
from whichpic.evaluate.ranks import Ranks, count_ranks, rank_by_counting

if TYPE_CHECKING:
    from whichpic.types import Floats


def unit(draw: np.random.Generator, rows: int, dim: int) -> Floats:
    vectors = draw.standard_normal((rows, dim))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def test_the_three_ways_to_place_a_target_among_equals() -> None:
    # Two pictures are better, three others score the same as the target.
    better, ties = count_ranks(np.array([9.0, 5, 5, 8, 5, 5, 1]), 2)
    assert (better, ties) == (2, 3)
    ranks = Ranks(np.array([[better]]), np.array([[ties]]), 7, ("only",), np.array([[True]]))
    assert ranks.rank("optimistic") == 3
    assert ranks.rank("pessimistic") == 6
    assert ranks.rank() == ranks.rank("mean") == 4.5


def test_what_was_filtered_out_ties_with_all_that_was() -> None:
    scores = np.array([0.2, -np.inf, 0.1, -np.inf])
    assert count_ranks(scores, 1) == (2, 1)
    assert count_ranks(scores, 2) == (1, 0)


@pytest.mark.parametrize("target", [0, 1])
def test_a_score_that_is_not_a_number_is_refused(target: int) -> None:
    with pytest.raises(QueryError, match="not a number"):
        count_ranks(np.array([np.nan, 0.1]), target)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 40), st.sampled_from([None, 1, 3, 64]))
def test_counting_gives_the_place_in_the_sorted_list(seed: int, n: int, dim: int, block: int | None) -> None:
    draw = np.random.default_rng(seed)
    # Small whole numbers: products are exact, so there is no rounding to hide behind, and there are many ties.
    corpus = draw.integers(-3, 4, (n, dim)).astype(np.float32)
    queries = draw.integers(-3, 4, (7, dim)).astype(np.float32)
    targets = draw.integers(0, n, 7)
    better, ties = rank_by_counting(queries, corpus, targets, block=block)
    for k, target in enumerate(targets):
        scores = corpus @ queries[k]
        order = np.sort(scores)[::-1].tolist()
        assert better[k] == order.index(scores[target])
        assert ties[k] == order.count(scores[target]) - 1


@pytest.mark.parametrize("n", [4, 63, 1000, 4097])
def test_copies_of_a_picture_tie_wherever_they_stand(n: int) -> None:
    draw = np.random.default_rng(n)
    corpus = unit(draw, n, 256)
    copies = [0, n // 3, n // 2, n - 1]
    corpus[copies] = corpus[0]
    better, ties = rank_by_counting(unit(draw, 70, 256), corpus, np.repeat(copies, 18)[:70])
    assert (ties == len(set(copies)) - 1).all()
    assert (better < n - 3).all()


def test_queries_that_do_not_fit_are_refused_in_one_line() -> None:
    corpus = unit(np.random.default_rng(0), 10, 4)
    for queries, targets, about in [
        (corpus[:2, :3], [0, 1], "expected"),
        (corpus[:2], [0], "expected"),
        (corpus[:2], [0, 10], "outside"),
        (corpus[:2] * np.float32(np.nan), [0, 1], "not finite"),
    ]:
        with pytest.raises(QueryError, match=about):
            rank_by_counting(queries, corpus, targets)


def test_a_dialogue_that_ended_early_keeps_its_last_rank_and_says_so() -> None:
    ranks = Ranks.carried([[(9, 0), (3, 0), (0, 0)], [(4, 1)]], pool=20, ids=["long", "short"])
    assert ranks.rank("optimistic").tolist() == [[10, 4, 1], [5, 5, 5]]
    assert ranks.played.tolist() == [[True, True, True], [True, False, False]]
    assert ranks.turns == 3
    assert Ranks.carried([[(9, 0), (3, 0)]], pool=20, ids=["cut"], turns=1).better.tolist() == [[9]]
    assert ranks.take([1]).ids == ("short",)


def test_a_target_beyond_the_depth_that_was_retrieved_is_anywhere_in_the_rest() -> None:
    pool, depth = 50_000, 10_000
    ranks = Ranks.carried([[(depth, pool - depth - 1)]], pool=pool, ids=["lost"])
    assert [ranks.rank(rule).item() for rule in ("optimistic", "pessimistic", "mean")] == [10_001, 50_000, 30_000.5]


@pytest.mark.parametrize(
    ("better", "ties", "played", "ids", "about"),
    [
        ([[5]], [[0]], [[True]], ("a",), "pool of 5"),
        ([[3]], [[2]], [[True]], ("a",), "pool of 5"),
        ([[-1]], [[0]], [[True]], ("a",), "pool of 5"),
        ([[1]], [[0]], [[False]], ("a",), "turn 0"),
        ([[1, 1, 1]], [[0, 0, 0]], [[True, False, True]], ("a",), "stays ended"),
        ([[1], [1]], [[0], [0]], [[True], [True]], ("a", "a"), "'a'"),
        ([[1], [1]], [[0], [0]], [[True], [True]], ("a",), "as many"),
    ],
)
def test_counts_that_contradict_each_other_are_refused(
    better: list[list[int]], ties: list[list[int]], played: list[list[bool]], ids: tuple[str, ...], about: str
) -> None:
    with pytest.raises(QueryError, match=about):
        Ranks(np.array(better), np.array(ties), 5, ids, np.array(played))


def test_no_dialogues_and_no_rule_are_refused() -> None:
    with pytest.raises(QueryError, match="leave it out"):
        Ranks.carried([[]], pool=5, ids=["a"])
    with pytest.raises(QueryError, match="pessimistic or mean"):
        Ranks.carried([[(0, 0)]], pool=5, ids=["a"]).rank("lucky")  # type: ignore[arg-type]
