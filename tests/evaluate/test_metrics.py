"""Metrics by turn: worked out by hand, equal to pytrec_eval where nothing ties, and to the field's figures on real data."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whichpic.errors import QueryError
from whichpic.evaluate import metrics
from whichpic.evaluate.intervals import values_of
from whichpic.evaluate.ranks import Ranks, count_ranks
from whichpic.search.captions import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

CHATIR = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "chatir"
MEASURES = {f"{name}_{k}" for name in ("recall", "ndcg_cut") for k in (1, 5, 10, 100)} | {"recip_rank"}


def trec(scores: dict[str, dict[str, float]], target: dict[str, str], *, k: int) -> dict[str, Doubles]:
    """pytrec_eval's own figures per query, in the order of `scores`; MRR@K is its reciprocal rank of the first K."""
    pytrec_eval: Any = pytest.importorskip("pytrec_eval", reason="pytrec-eval-terrier is not installed")
    judge = pytrec_eval.RelevanceEvaluator({query: {name: 1} for query, name in target.items()}, MEASURES)
    first = {query: dict(sorted(row.items(), key=lambda item: -item[1])[:k]) for query, row in scores.items()}
    whole, cut = judge.evaluate(scores), judge.evaluate(first)
    return {
        "recall": np.array([whole[query][f"recall_{k}"] for query in scores]),
        "ndcg": np.array([whole[query][f"ndcg_cut_{k}"] for query in scores]),
        "mrr": np.array([cut[query]["recip_rank"] for query in scores]),
    }


def assert_equals_trec(scores: NDArray[np.integer], targets: NDArray[np.integer]) -> None:
    """scores [dialogues, turns, pictures] without equals."""
    n, turns, pool = scores.shape
    counts = [[count_ranks(scores[d, t], int(targets[d])) for t in range(turns)] for d in range(n)]
    rank = Ranks.carried(counts, pool=pool, ids=[str(d) for d in range(n)]).rank()
    best = np.minimum.accumulate(rank, axis=1)
    target = {f"d{d}": f"p{targets[d]}" for d in range(n)}
    for t in range(turns):
        now = {f"d{d}": {f"p{i}": float(s) for i, s in enumerate(scores[d, t])} for d in range(n)}
        so_far = {
            f"d{d}": {f"p{i}": float(s) for i, s in enumerate(scores[d, rank[d, : t + 1].argmin()])} for d in range(n)
        }
        for k in (1, 5, 10, 100):
            theirs = trec(now, target, k=k)
            assert metrics.recall_at(rank, k)[t] == pytest.approx(theirs["recall"].mean(), abs=1e-9)
            assert metrics.mrr_at(rank, k)[t] == pytest.approx(theirs["mrr"].mean(), abs=1e-9)
            assert metrics.ndcg_at(rank, k)[t] == pytest.approx(theirs["ndcg"].mean(), abs=1e-9)
            hits = trec(so_far, target, k=k)
            assert metrics.hits_at(rank, k)[t] == pytest.approx(hits["recall"].mean(), abs=1e-9)
            assert metrics.mrr_at(best, k)[t] == pytest.approx(hits["mrr"].mean(), abs=1e-9)


def test_a_thousand_random_rankings_give_pytrec_evals_figures() -> None:
    draw = np.random.default_rng(0)
    scores = draw.permuted(np.tile(np.arange(40), (500, 2, 1)), axis=2)
    assert_equals_trec(scores, draw.integers(0, 40, 500))


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_any_ranking_without_ties_gives_pytrec_evals_figures(data: st.DataObject) -> None:
    pool, turns = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 3))
    rows = [[data.draw(st.permutations(range(pool))) for _ in range(turns)] for _ in range(2)]
    targets = [data.draw(st.integers(0, pool - 1)) for _ in range(2)]
    assert_equals_trec(np.array(rows), np.array(targets))


def test_ties_by_hand() -> None:
    # Eight pictures above the target, three others beside it: places 9 to 12 are as likely.
    ranks = Ranks.carried([[(8, 3)]], pool=50, ids=["one"])
    assert values_of(ranks, "recall@10") == pytest.approx(2 / 4)
    assert values_of(ranks, "recall@10", "optimistic") == 1
    assert values_of(ranks, "recall@10", "pessimistic") == 0
    assert values_of(ranks, "mrr@10") == pytest.approx((1 / 9 + 1 / 10) / 4)
    assert values_of(ranks, "ndcg@10") == pytest.approx((1 / np.log2(10) + 1 / np.log2(11)) / 4)
    assert values_of(ranks, "mean_rank") == pytest.approx((9 + 10 + 11 + 12) / 4)
    assert values_of(ranks, "recall@8") == 0
    assert values_of(ranks, "recall@12") == 1
    assert values_of(ranks, "mrr@1000000000000") == pytest.approx((1 / 9 + 1 / 10 + 1 / 11 + 1 / 12) / 4)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 12), st.integers(0, 4), st.integers(1, 12))
def test_a_tie_counts_as_the_mean_over_every_order_of_those_that_tie(better: int, ties: int, k: int) -> None:
    ranks = Ranks.carried([[(better, ties)]], pool=20, ids=["one"])
    orders = list(itertools.permutations(range(ties + 1)))
    places = np.array([[better + 1.0 + order.index(0)] for order in orders])
    for name in ("recall", "mrr", "ndcg"):
        expected = metrics.values_at(name, places, k).mean()
        assert values_of(ranks, f"{name}@{k}")[0, 0] == pytest.approx(expected, abs=1e-12)
    assert ranks.rank()[0, 0] == pytest.approx(places.mean())


def test_hits_are_the_best_so_far_and_start_at_recall() -> None:
    rank = np.array([[12.0, 3, 40], [2, 11, 11]])
    assert metrics.recall_at(rank, 10).tolist() == [0.5, 0.5, 0]
    assert metrics.hits_at(rank, 10).tolist() == [0.5, 1, 1]
    tied = Ranks.carried([[(8, 3), (20, 0)]], pool=50, ids=["one"])
    assert values_of(tied, "hits@10").tolist() == [[0.5, 0.5]]
    with pytest.raises(QueryError, match="at least 1"):
        metrics.hits_at(rank, 0)


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([100, 100, 100], 4.605),
        ([100, 10, 100], 2.878),
        ([100, 100, 10], 4.030),
        ([100, 10, 10], 2.878),
        ([100, 10], 3.454),
        ([100, 5], 3.107),
        ([1, 1, 1], 0.0),
        ([7], 1.946),
    ],
)
def test_bri_check_vectors_to_the_printed_digit(ranks: list[int], expected: float) -> None:
    assert round(float(metrics.bri(np.array([ranks], float))[-1]), 3) == expected


def test_bri_as_the_paper_writes_it() -> None:
    rank = np.random.default_rng(3).integers(1, 500, (20, 7)).astype(np.float64)
    m = np.minimum.accumulate(rank, axis=1)
    for turns in range(1, 7):
        written = np.log(m[:, 0] * m[:, turns]) / (2 * turns) + np.log(m[:, 1:turns]).sum(axis=1) / turns
        assert metrics.bri(rank)[turns] == pytest.approx(written.mean())


def test_what_a_question_bought_and_when_the_target_came() -> None:
    rank = np.array([[40.0, 20, 20], [10, 40, 5]])
    assert metrics.question_gain(rank) == pytest.approx([np.log(2) / 2 - np.log(4) / 2, np.log(8) / 2])
    assert metrics.turns_to_hit(rank, 10).tolist() == [np.inf, 0]
    assert metrics.mean_rank(rank).tolist() == [25, 30, 12.5]
    assert metrics.median_rank(rank).tolist() == [25, 30, 12.5]


def test_harm_by_hand() -> None:
    rank = np.array([[5.0, 20, 3], [1, 1, 11], [30, 40, 30], [50, 9, 8]])
    harm = metrics.harm(rank, 10)
    # Two targets are in the top 10 at turn 0, of which one is lost; two at turn 1, of which one; four dialogues in all.
    assert harm.lost.tolist() == [0.5, 0.5]
    assert (harm.lost_overall, harm.lost_worst) == (0.5, 0.5)
    assert harm.ended_worse == 0.25
    assert harm.found_then_lost == 0.25
    nobody = metrics.harm(np.array([[50.0, 60]]), 10)
    assert np.isnan([nobody.lost[0], nobody.lost_overall, nobody.lost_worst]).all()
    assert nobody.ended_worse == 1
    assert len(metrics.harm(np.array([[50.0]])).lost) == 0


@pytest.mark.parametrize(
    ("pool", "recall", "hits"),
    [(50_000, 0.02, 0.22), (5_000, 0.2, 2.2), (2_064, 0.48, 5.2), (1_000, 1.0, 10.5)],
)
def test_chance_as_published(pool: int, recall: float, hits: float) -> None:
    by_turn = metrics.chance(pool, 11, 10)
    assert 100 * by_turn[0][10] == pytest.approx(recall, abs=0.005)
    assert 100 * by_turn[1][10] == pytest.approx(hits, abs=0.05)
    assert by_turn[0][0] == pytest.approx(by_turn[1][0])
    assert metrics.chance(5, 2, 10)[1].tolist() == [1, 1]


def test_several_right_pictures() -> None:
    found, relevant, seen = np.array([[1, 2], [0, 1]]), np.array([4, 1]), np.array([[10, 20], [10, 20]])
    assert metrics.multi_recall(found, relevant).tolist() == [0.125, 0.75]
    first = 2 * 0.1 * 0.25 / 0.35
    assert metrics.multi_f1(found, relevant, seen) == pytest.approx(
        [first / 2, (2 * 0.1 * 0.5 / 0.6 + 2 * 0.05 / 1.05) / 2]
    )
    with pytest.raises(QueryError, match="leave it out"):
        metrics.multi_recall(found, np.array([4, 0]))


@pytest.fixture(scope="module")
def proxy() -> tuple[Ranks, NDArray[np.float32], NDArray[np.int64]]:
    """Dialogues of ChatGPT and BLIP-2, joined up to each turn, over the words of people's dialogues on those pictures.

    Ranks of 2,064 x 11, and score and document of the first 20 of each list.
    """
    if not CHATIR.is_dir():
        pytest.skip("needs the dialogues of ChatIR in ../shared/data/chatir")
    said, people = (
        json.loads((CHATIR / name).read_text(encoding="utf-8"))
        for name in ("ChatGPT_BLIP2.json", "VisDial_v1.0_queries_val.json")
    )

    def ascii_words(rounds: list[str]) -> str:
        return re.sub(r"[^\x00-\x7f]", " ", " ".join(rounds))  # as the published baseline cuts words

    n, turns = len(said), len(said[0]["dialog"])
    words = Words([ascii_words(person["dialog"][1:]) for person in people], range(n), n)
    counts = np.empty((n, turns, 2), np.int64)
    best, first = np.empty((n, turns, 20), np.float32), np.empty((n, turns, 20), np.int64)
    for d, dialogue in enumerate(said):
        for t in range(turns):
            scores = words.scores(ascii_words(dialogue["dialog"][: t + 1]))
            counts[d, t] = count_ranks(scores, d)
            first[d, t] = np.argpartition(-scores, 20)[:20]
            best[d, t] = scores[first[d, t]]
    played = np.ones((n, turns), np.bool_)
    return Ranks(counts[:, :, 0], counts[:, :, 1], n, tuple(map(str, range(n))), played), best, first


def test_real_rankings_give_pytrec_evals_figures(
    proxy: tuple[Ranks, NDArray[np.float32], NDArray[np.int64]],
) -> None:
    ranks, scores, first = proxy
    rank = ranks.rank("optimistic")
    for t in (0, 5, 10):
        alone = np.flatnonzero((ranks.ties[:, : t + 1] == 0).all(axis=1))
        assert len(alone) > 1900
        best = rank[alone, : t + 1].argmin(axis=1)
        target = {f"d{d}": f"p{d}" for d in alone}
        now, so_far = (
            {f"d{d}": {f"p{i}": float(s) for i, s in zip(first[d, at], scores[d, at], strict=True)} for d, at in turns}
            for turns in (((d, t) for d in alone), zip(alone, best, strict=True))
        )
        theirs, hits = trec(now, target, k=10), trec(so_far, target, k=10)
        for name in ("recall", "mrr", "ndcg"):
            ours = metrics.values_at(name, rank, 10)[alone, t]
            assert ours == pytest.approx(theirs[name], abs=1e-9)
        assert metrics.values_at("hits", rank, 10)[alone, t] == pytest.approx(hits["recall"], abs=1e-9)


def test_the_published_figures_of_the_text_proxy(
    proxy: tuple[Ranks, NDArray[np.float32], NDArray[np.int64]],
) -> None:
    rank = proxy[0].rank("optimistic")
    percent = np.round(100 * metrics.recall_at(rank, 10), 2).tolist()
    assert percent == [63.71, 64.39, 65.75, 67.39, 67.83, 67.93, 68.02, 67.34, 67.10, 67.78, 66.91]
    percent = np.round(100 * metrics.hits_at(rank, 10), 2).tolist()
    assert percent == [63.71, 70.30, 72.92, 74.81, 76.26, 76.99, 77.81, 78.34, 78.59, 79.07, 79.17]
    by_turn = np.round(metrics.bri(rank)[1:], 4).tolist()
    assert by_turn == [1.7674, 1.6461, 1.5671, 1.5093, 1.4649, 1.4289, 1.3984, 1.3726, 1.3505, 1.3311]
    for turn, expected in ((0, (0.637112, 0.442010, 0.488248)), (10, (0.669089, 0.455202, 0.506284))):
        figures = (metrics.recall_at(rank, 10), metrics.mrr_at(rank, 10), metrics.ndcg_at(rank, 10))
        assert tuple(round(float(figure[turn]), 6) for figure in figures) == expected
    harm = metrics.harm(rank, 10)
    # Of the top-10 targets of turn 0; of all dialogues; of all dialogues.
    assert round(100 * float(harm.lost[0]), 1) == 9.3
    assert round(100 * harm.ended_worse, 1) == 28.6
    assert round(100 * harm.found_then_lost, 1) == 12.3
