"""Metrics by turn from the target's rank: pure functions over float64 [dialogues, turns], 1-based.

Called by summary and by whoever wants one figure; definitions as published (ChatIR, PlugIR, query rewriting).
Pictures that score the same as the target: pass the mean rank and `tied` (Ranks.rank("mean"), Ranks.ties), and a
figure is its exact expectation over a random order of them; pass a rank alone, and it is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from whichpic.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Rows

    Doubles = NDArray[np.float64]

AtK = Literal["recall", "hits", "mrr", "ndcg"]


def values_at(metric: AtK, rank: Doubles, k: int, *, tied: Rows | None = None) -> Doubles:
    """What each dialogue contributes to a metric at K, float64 [dialogues, turns]; the metric is its mean.

    recall: [rank <= K]. hits: the best recall up to that turn. mrr: 1 / rank, ndcg: 1 / log2(1 + rank), both 0 beyond
    K (one relevant picture, so the ideal gain is 1). With `tied` the expectation over a random order: of b pictures
    above and t that tie, recall is (K - b) / (t + 1) between 0 and 1; hits are the best of these up to the turn, that
    is, one random order for the whole dialogue and not a new draw at every turn. Raises QueryError for K below 1.
    """
    if k < 1:
        raise QueryError(f"K is {k}; it has to be at least 1")
    if metric == "hits":
        return np.maximum.accumulate(values_at("recall", rank, k, tied=tied), axis=1)
    if tied is None:
        gain = {"recall": np.ones_like(rank), "mrr": 1 / rank}.get(metric)
        return np.where(rank <= k, 1 / np.log2(1 + rank) if gain is None else gain, 0.0)
    better = np.rint(rank - 1 - tied / 2).astype(np.int64)
    depth = min(k, int((better + tied).max()) + 1)  # no place beyond the last target's is ever read
    places = np.arange(1, depth + 1, dtype=np.float64)
    gains = {"recall": np.ones(depth), "mrr": 1 / places, "ndcg": 1 / np.log2(1 + places)}[metric]
    total = np.concatenate([[0.0], np.cumsum(gains)])
    inside = total[np.minimum(better + tied + 1, depth)] - total[np.minimum(better, depth)]
    return np.asarray(inside / (tied + 1), dtype=np.float64)


def recall_at(rank: Doubles, k: int, *, tied: Rows | None = None) -> Doubles:
    """Recall@K of the current list, float64 [turns]: share of dialogues whose target is among the first K."""
    return np.asarray(values_at("recall", rank, k, tied=tied).mean(axis=0))


def hits_at(rank: Doubles, k: int, *, tied: Rows | None = None) -> Doubles:
    """Hits@K (ChatIR), float64 [turns]: share whose target was among the first K at this turn or any before it.

    It can only rise, so noise is rewarded; read it beside recall_at and chance.
    """
    return np.asarray(values_at("hits", rank, k, tied=tied).mean(axis=0))


def mrr_at(rank: Doubles, k: int, *, tied: Rows | None = None) -> Doubles:
    """Mean reciprocal rank, 0 beyond K, float64 [turns]."""
    return np.asarray(values_at("mrr", rank, k, tied=tied).mean(axis=0))


def ndcg_at(rank: Doubles, k: int, *, tied: Rows | None = None) -> Doubles:
    """NDCG@K with one relevant picture, float64 [turns]: mean of 1 / log2(1 + rank), 0 beyond K."""
    return np.asarray(values_at("ndcg", rank, k, tied=tied).mean(axis=0))


def mean_rank(rank: Doubles) -> Doubles:
    """Average target rank (ATR of ChatIR), float64 [turns]. The tail dominates it: give the median too."""
    return np.asarray(rank.mean(axis=0))


def median_rank(rank: Doubles) -> Doubles:
    """Median of the targets' ranks, float64 [turns]; of an even number the middle between two."""
    return np.asarray(np.median(rank, axis=0))


def bri_values(rank: Doubles) -> Doubles:
    """Best log Rank Integral of each dialogue up to each turn T, float64 [dialogues, turns].

    With m the best rank so far: the mean over t < T of (ln m_t + ln m_t+1) / 2 (PlugIR, Lee et al. 2024; natural
    logarithm). At turn 0, where it is undefined, ln m_0. Lower is better; a perfect searcher has 0.
    """
    log = np.log(np.minimum.accumulate(rank, axis=1))
    area = np.cumsum((log[:, :-1] + log[:, 1:]) / 2, axis=1) / np.arange(1, rank.shape[1])
    return np.concatenate([log[:, :1], area], axis=1)


def bri(rank: Doubles) -> Doubles:
    """Best log Rank Integral up to each turn, float64 [turns]; see bri_values."""
    return np.asarray(bri_values(rank).mean(axis=0))


def question_gain(rank: Doubles) -> Doubles:
    """What each turn after the first bought: mean of ln rank before it minus ln rank after it, float64 [turns - 1].

    ln 2 = .69 is a rank halved. Ranks' logarithms, because 40 -> 30 and 5000 -> 4990 are not the same news.
    """
    return np.asarray(-np.diff(np.log(rank), axis=1).mean(axis=0))


def turns_to_hit(rank: Doubles, k: int) -> Doubles:
    """The first turn at which the target was among the first K, float64 [dialogues]; inf where it never was."""
    inside = rank <= k
    return np.where(inside.any(axis=1), inside.argmax(axis=1).astype(np.float64), np.inf)


@dataclass(frozen=True)
class Harm:
    """What more talk destroyed.

    lost: float64 [turns - 1], of the targets among the first K at turn t, the share that is outside at t + 1; not a
    number where no target was. lost_overall: the same, all transitions pooled (every target inside at some t counts
    once for each such t). lost_worst: the largest of `lost`. ended_worse: share of ALL dialogues whose last rank is
    worse than their first. found_then_lost: share of ALL dialogues whose target was among the first K at some turn and
    is outside at the last.
    """

    lost: Doubles
    lost_overall: float
    lost_worst: float
    ended_worse: float
    found_then_lost: float


def harm(rank: Doubles, k: int = 10) -> Harm:
    """How often the list gets worse. `rank`, under one rule for ties, is compared as it is. See Harm."""
    inside = rank <= k
    had = inside[:, :-1].sum(axis=0).astype(np.float64)
    gone = (inside[:, :-1] & ~inside[:, 1:]).sum(axis=0).astype(np.float64)
    lost = np.divide(gone, had, out=np.full_like(had, np.nan), where=had > 0)
    return Harm(
        lost,
        float(gone.sum() / had.sum()) if had.sum() else float("nan"),
        float(np.nanmax(lost)) if had.any() else float("nan"),
        float((rank[:, -1] > rank[:, 0]).mean()),
        float((inside.any(axis=1) & ~inside[:, -1]).mean()),
    )


def chance(pool: int, turns: int, k: int) -> tuple[Doubles, Doubles]:
    """Recall@K and Hits@K by turn of a searcher that shuffles the pool anew at every turn, float64 [turns] each.

    Recall is K / pool; Hits is 1 - (1 - K / pool) ** (turn + 1), as if a turn's luck did not depend on the last one's.
    """
    share = min(1.0, k / pool)
    hits: Doubles = 1 - (1 - share) ** np.arange(1, turns + 1, dtype=np.float64)
    return np.full(turns, share), hits


def multi_recall_values(found: Rows, relevant: Rows) -> Doubles:
    """Cumulative recall of several targets, float64 [dialogues, turns]; see multi_recall."""
    if int(relevant.min()) < 1:
        raise QueryError("a query without any relevant picture has no recall; leave it out")
    return np.asarray(found / relevant[:, None], dtype=np.float64)


def multi_recall(found: Rows, relevant: Rows) -> Doubles:
    """R^T, float64 [turns]: mean share of a query's relevant pictures that were shown up to turn T.

    found: int64 [dialogues, turns], distinct relevant pictures shown so far. relevant: int64 [dialogues], how many
    there are. (Zhu et al. 2024, arXiv 2404.18746.) Raises QueryError where there are none.
    """
    return np.asarray(multi_recall_values(found, relevant).mean(axis=0))


def multi_f1_values(found: Rows, relevant: Rows, seen: Rows) -> Doubles:
    """F1 of recall and precision of each dialogue, float64 [dialogues, turns]; see multi_f1."""
    recall = multi_recall_values(found, relevant)
    precision = found / np.maximum(seen, 1)
    both = precision + recall
    return np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)


def multi_f1(found: Rows, relevant: Rows, seen: Rows) -> Doubles:
    """Mean over the queries of F1 by turn, float64 [turns]; precision is found over distinct pictures seen so far."""
    return np.asarray(multi_f1_values(found, relevant, seen).mean(axis=0))
