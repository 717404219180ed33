"""How sure a figure is: bootstrap over dialogues, paired comparison of two runs or of two turns, McNemar's test.

Called by summary. A dialogue is drawn with all its turns and all its figures, so every difference is paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from whichpic.errors import QueryError
from whichpic.evaluate.metrics import AtK, bri_values, values_at
from whichpic.evaluate.ranks import Ranks, Ties
from whichpic.evaluate.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

_BLOCK = 1 << 21  # counts in memory at a time (16 MB)


def _resamples(dialogues: int, samples: int, seed: int) -> Iterator[Doubles]:
    """How often each dialogue was drawn, float64 [some samples, dialogues] at a time; the same for the same seed."""
    draw = np.random.default_rng(seed)
    size = max(1, _BLOCK // dialogues)
    for start in range(0, samples, size):
        rows = min(size, samples - start)
        drawn = draw.integers(0, dialogues, (rows, dialogues)) + dialogues * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * dialogues)
        yield counts.reshape(rows, dialogues).astype(np.float64)


def resampled_means(values: Doubles, *, samples: int = 2000, seed: int = 0) -> Doubles:
    """Means over the dialogues of bootstrap samples, float64 [samples, columns], of values [dialogues, columns].

    Called again with the same number of dialogues, samples and seed it draws the same dialogues, so that differences
    and ratios of its results are paired. (Efron and Tibshirani 1993.)
    """
    n = len(values)
    return np.concatenate([counts @ values for counts in _resamples(n, samples, seed)]) / n


def resampled_medians(values: Doubles, *, samples: int = 2000, seed: int = 0) -> Doubles:
    """Medians instead of means, float64 [samples, columns]; the same draws as resampled_means."""
    n = len(values)
    order = np.argsort(values, axis=0, kind="stable")
    middle = []
    for counts in _resamples(n, samples, seed):
        columns = []
        for column in range(values.shape[1]):
            rows = order[:, column]
            upto = np.cumsum(counts[:, rows], axis=1)
            low, high = ((upto > place).argmax(axis=1) for place in ((n - 1) // 2, n // 2))
            columns.append((values[rows[low], column] + values[rows[high], column]) / 2)
        middle.append(np.stack(columns, axis=1))
    return np.concatenate(middle)


def percentiles(draws: Doubles, level: float = 0.95) -> tuple[Doubles, Doubles]:
    """The interval that holds `level` of the draws [samples, ...], as (low, high) [...]; the percentile method."""
    if not 0 < level < 1:
        raise QueryError(f"a level of {level}: expected a share between 0 and 1, such as .95")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Two-sided exact p of McNemar's test that two yes/no outcomes of the same dialogues [n] are as often yes.

    Twice the smaller tail of a fair binomial over the dialogues in which they differ, at most 1. (McNemar 1947.)
    """
    more, less = int((first & ~second).sum()), int((second & ~first).sum())
    n = more + less
    term = tail = 1
    for k in range(min(more, less)):
        term = term * (n - k) // (k + 1)
        tail += term
    # Whole numbers: of some thousand dialogues 2 ** n is beyond any float.
    p: float = 2 * tail / 2**n
    return min(1.0, p)


def values_of(ranks: Ranks, metric: str, ties: Ties = "mean") -> Doubles:
    """Each dialogue's contribution to a metric that is a mean over dialogues, float64 [dialogues, turns].

    metric: "recall@10", "hits@10", "mrr@10", "ndcg@10" (any K), "bri", "log_rank" or "mean_rank". Raises QueryError
    for another name.
    """
    rank = ranks.rank(ties)
    if metric in ("bri", "log_rank", "mean_rank"):
        return bri_values(rank) if metric == "bri" else np.log(rank) if metric == "log_rank" else rank
    name, _, k = metric.partition("@")
    for known in get_args(AtK):
        if name == known and k.isdecimal():
            tied = ranks.ties if ties == "mean" else None
            return values_at(known, rank, int(k), tied=tied)
    raise QueryError(f"no metric is called {metric!r}: recall@K, hits@K, mrr@K, ndcg@K, bri, log_rank or mean_rank")


@dataclass(frozen=True)
class Difference:
    """By turn, what a metric is in b less what it is in a; low, high: its paired interval; p two-sided; [turns] each.

    test: "mcnemar" (exact) for recall and hits without ties, else "bootstrap": twice the smaller share of samples on
    one side of zero. dialogues: how many both runs have.
    """

    a: str
    b: str
    metric: str
    dialogues: int
    difference: Doubles
    low: Doubles
    high: Doubles
    p: Doubles
    test: Literal["mcnemar", "bootstrap"]


def compare(
    a: Run,
    b: Run,
    *,
    metric: str = "recall@10",
    ties: Ties = "mean",
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Difference:
    """b less a, by turn, over the dialogues that both have (by id), up to the shorter run's last turn.

    Raises QueryError where the pools differ, since a rank among 1,000 is not a rank among 50,000, where no dialogue is
    in both, or where the same dialogue has another target.
    """
    if a.ranks.pool != b.ranks.pool:
        raise QueryError(
            f"{a.name!r} searched {a.ranks.pool} pictures, {b.name!r} {b.ranks.pool}: compare runs over one pool only"
        )
    places = {name: k for k, name in enumerate(b.ranks.ids)}
    mine = [k for k, name in enumerate(a.ranks.ids) if name in places]
    if not mine:
        raise QueryError(f"{a.name!r} and {b.name!r} have no dialogue in common; they are joined by their ids")
    yours = [places[a.ranks.ids[k]] for k in mine]
    if a.targets and b.targets:
        for k, other in zip(mine, yours, strict=True):
            if a.targets[k] != b.targets[other]:
                raise QueryError(f"dialogue {a.ranks.ids[k]!r} has another target in {a.name!r} than in {b.name!r}")
    turns = min(a.ranks.turns, b.ranks.turns)
    first = values_of(a.ranks.take(mine), metric, ties)[:, :turns]
    second = values_of(b.ranks.take(yours), metric, ties)[:, :turns]
    draws = resampled_means(second - first, samples=samples, seed=seed)
    low, high = percentiles(draws, level)
    whole = metric.startswith(("recall@", "hits@")) and all(bool(np.isin(v, (0, 1)).all()) for v in (first, second))
    if whole:
        p = np.array([mcnemar(first[:, t] == 1, second[:, t] == 1) for t in range(turns)])
    else:
        sides = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0))
        p = np.minimum(1.0, 2 * (sides + 1) / (samples + 1))
    difference = (second - first).mean(axis=0)
    return Difference(a.name, b.name, metric, len(mine), difference, low, high, p, "mcnemar" if whole else "bootstrap")


@dataclass(frozen=True)
class Drops:
    """By turn, float64 or int64 [turns]: a metric less its best earlier turn's, with a paired interval.

    best: which turn that is (the first of equals; -1 at turn 0, where difference, low and high are 0). The best of
    several turns is chosen after the fact, so the interval errs on the side of seeing a drop.
    """

    best: NDArray[np.int64]
    difference: Doubles
    low: Doubles
    high: Doubles


def drops(values: Doubles, *, level: float = 0.95, samples: int = 2000, seed: int = 0) -> Drops:
    """Whether more talk makes the list worse: values [dialogues, turns] of a metric of which more is better."""
    means = values.mean(axis=0)
    best = np.array([-1] + [int(means[:t].argmax()) for t in range(1, values.shape[1])], dtype=np.int64)
    against = values - np.where(best[None, :] < 0, values, values[:, np.maximum(best, 0)])
    low, high = percentiles(resampled_means(against, samples=samples, seed=seed), level)
    return Drops(best, against.mean(axis=0), low, high)
