"""Everything that a report says about some runs, as one JSON-able dict: figures by turn with their intervals.

Called by the commands `score` and `report`; written as summary.json.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import QueryError
from whichpic.evaluate import calibration, metrics
from whichpic.evaluate.intervals import compare, drops, percentiles, resampled_means, resampled_medians, values_of
from whichpic.evaluate.papers import paper_of
from whichpic.evaluate.ranks import Ties
from whichpic.evaluate.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

_TIES_THAT_MATTER = 0.001  # of Recall: a tenth of a point
_WORST = 20


@dataclass(frozen=True)
class _Asked:
    """What a caller of summarise chose."""

    ks: tuple[int, ...]
    k: int
    ties: Ties
    level: float
    samples: int
    seed: int


def summarise(
    runs: Sequence[Run],
    *,
    ks: Sequence[int] = (1, 5, 10),
    ties: Ties = "mean",
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Figures of some runs, and of each run after the first against the first. JSON-able; null is "not measured".

    K is 10 where `ks` has it, else the largest. Shares are 0 to 1, lists have one entry per turn, from turn 0.

        whichpic_report 1 · k, ks, ties, level, samples, seed: as asked · runs · comparisons · incomparable
        runs[]: name, settings, dialogues, turns, pool, warnings
          played      share of dialogues that still ran at that turn; later figures carry their last rank
          by_turn     {name: {value, low, high}} of recall@k and hits@k for every k, mrr@K, ndcg@K, mean_rank,
                      median_rank, bri (up to that turn; at turn 0 ln of the rank), gain (ln rank before less after;
                      null at turn 0). Intervals: percentile bootstrap over dialogues
          drop        recall@K less its best earlier turn's, paired: {turn, difference, low, high} (turn null at 0)
          chance      {recall@K, hits@K} of a shuffled pool
          ties        recall@K if tied pictures came after the target, before it, or in random order {optimistic,
                      pessimistic, mean}; flagged: the first two differ by more than .001 at some turn
          harm        {lost: by transition, so one entry fewer; lost_overall, lost_worst, ended_worse, found_then_lost;
                      denominators in metrics.Harm; intervals: {name: [low, high]} of all but lost_worst}
          turns_to_hit {k, new: share whose first hit is at that turn; hit, never: shares; mean: of those that hit;
                      median: of all, null where never}
          calibration {ece (bins of equal mass), ece_width, ece_floor (what a perfectly calibrated system would show),
                      confidence, right (means), coverage, coverage_low, coverage_high, set_size (mean),
                      set_size_median, reliability: by turn {confidence, accuracy, count} by bin} | null; only
                      dialogues still running count
          none_fits   {auroc, present, absent (means)} | null: evidence that something fits, with and without the target
          cost        {ms, ms_median, ms_p95, tokens, calls} | null; means over dialogues still running
          multi       {recall, f1, recall_low, recall_high} | null
          paper       {name, about, by_turn: {column: {value, low, high}}} | null: the table of a paper that the run's
                      settings name, see papers
          worse       the dialogues that lost most (ln of last over first rank), at most 20: {id, target, ranks, texts,
                      shown}
        comparisons[]: {a, b, metric, dialogues, test, difference, low, high, p}: b less a, see intervals.compare
        incomparable[]: {a, b, why}

    Raises QueryError for no run, or two of one name.
    """
    if not runs or len({run.name for run in runs}) != len(runs):
        raise QueryError("a summary needs at least one run, and a name of its own for each")
    if not ks or min(ks) < 1:
        raise QueryError(f"K is {list(ks)}; expected numbers from 1 on")
    asked = _Asked(tuple(sorted(set(ks))), 10 if 10 in ks else max(ks), ties, level, samples, seed)
    comparisons, incomparable = [], []
    for other in runs[1:]:
        try:
            comparisons += [_compared(runs[0], other, metric, asked) for metric in _compared_metrics(asked)]
        except QueryError as error:
            incomparable.append({"a": runs[0].name, "b": other.name, "why": str(error)})
    return {
        "whichpic_report": 1,
        "k": asked.k,
        "ks": list(asked.ks),
        "ties": ties,
        "level": level,
        "samples": samples,
        "seed": seed,
        "runs": [_one(run, asked) for run in runs],
        "comparisons": comparisons,
        "incomparable": incomparable,
    }


def _compared_metrics(asked: _Asked) -> tuple[str, ...]:
    return (f"recall@{asked.k}", f"hits@{asked.k}", f"mrr@{asked.k}", "log_rank", "bri")


def _compared(a: Run, b: Run, metric: str, asked: _Asked) -> dict[str, Any]:
    found = compare(a, b, metric=metric, ties=asked.ties, level=asked.level, samples=asked.samples, seed=asked.seed)
    return {
        "a": found.a,
        "b": found.b,
        "metric": metric,
        "dialogues": found.dialogues,
        "test": found.test,
        **{name: _listed(getattr(found, name)) for name in ("difference", "low", "high", "p")},
    }


def _one(run: Run, asked: _Asked) -> dict[str, Any]:
    ranks = run.ranks
    luck = metrics.chance(ranks.pool, ranks.turns, asked.k)
    return {
        "name": run.name,
        "settings": dict(run.settings),
        "dialogues": len(ranks.ids),
        "turns": ranks.turns,
        "pool": ranks.pool,
        "warnings": list(run.warnings),
        "played": _listed(ranks.played.mean(axis=0)),
        "by_turn": _by_turn(run, asked),
        "drop": _drop(run, asked),
        "chance": {f"recall@{asked.k}": _listed(luck[0]), f"hits@{asked.k}": _listed(luck[1])},
        "ties": _ties(run, asked),
        "harm": _harm(run, asked),
        "turns_to_hit": _turns_to_hit(run, asked),
        "calibration": _calibration(run, asked),
        "none_fits": _none_fits(run),
        "cost": _cost(run),
        "multi": _multi(run, asked),
        "paper": paper_of(run, ties=asked.ties, level=asked.level, samples=asked.samples, seed=asked.seed),
        "worse": _worse(run, asked),
    }


def _by_turn(run: Run, asked: _Asked) -> dict[str, Any]:
    """Every figure with its interval; all means come from one set of resamples."""
    names = [f"{name}@{k}" for name in ("recall", "hits") for k in asked.ks]
    names += [f"mrr@{asked.k}", f"ndcg@{asked.k}", "mean_rank", "bri", "gain"]
    log = values_of(run.ranks, "log_rank", asked.ties)
    gain = np.concatenate([np.full((len(log), 1), np.nan), -np.diff(log, axis=1)], axis=1)
    columns = [gain if name == "gain" else values_of(run.ranks, name, asked.ties) for name in names]
    draws = resampled_means(np.concatenate(columns, axis=1), samples=asked.samples, seed=asked.seed)
    low, high = (side.reshape(len(names), -1) for side in percentiles(draws, asked.level))
    figures = {
        name: {"value": _listed(values.mean(axis=0)), "low": _listed(low[k]), "high": _listed(high[k])}
        for k, (name, values) in enumerate(zip(names, columns, strict=True))
    }
    rank = run.ranks.rank(asked.ties)
    middle = percentiles(resampled_medians(rank, samples=asked.samples, seed=asked.seed), asked.level)
    figures["median_rank"] = {
        "value": _listed(metrics.median_rank(rank)), "low": _listed(middle[0]), "high": _listed(middle[1])
    }  # fmt: skip
    return figures


def _drop(run: Run, asked: _Asked) -> dict[str, Any]:
    found = drops(
        values_of(run.ranks, f"recall@{asked.k}", asked.ties),
        level=asked.level, samples=asked.samples, seed=asked.seed,
    )  # fmt: skip
    return {
        "turn": [int(turn) if turn >= 0 else None for turn in found.best],
        **{name: _listed(getattr(found, name)) for name in ("difference", "low", "high")},
    }


def _ties(run: Run, asked: _Asked) -> dict[str, Any]:
    by_rule = {
        rule: values_of(run.ranks, f"recall@{asked.k}", rule).mean(axis=0)
        for rule in ("optimistic", "pessimistic", "mean")
    }
    apart = by_rule["optimistic"] - by_rule["pessimistic"]
    return {
        **{rule: _listed(values) for rule, values in by_rule.items()},
        "flagged": bool((apart > _TIES_THAT_MATTER).any()),
    }


def _harm(run: Run, asked: _Asked) -> dict[str, Any]:
    rank = run.ranks.rank(asked.ties)
    found = metrics.harm(rank, asked.k)
    inside = rank <= asked.k
    columns = np.stack(
        [
            (inside[:, :-1] & ~inside[:, 1:]).sum(axis=1),
            inside[:, :-1].sum(axis=1),
            rank[:, -1] > rank[:, 0],
            inside.any(axis=1) & ~inside[:, -1],
        ],
        axis=1,
    ).astype(np.float64)
    draws = resampled_means(columns, samples=asked.samples, seed=asked.seed)
    had = draws[:, 1] > 0
    lost = draws[had, 0] / draws[had, 1]
    # Samples in which no target was inside say nothing of how many are lost.
    sampled = {"lost_overall": lost, "ended_worse": draws[:, 2], "found_then_lost": draws[:, 3]}
    return {
        "lost": _listed(found.lost),
        **{
            name: _number(getattr(found, name))
            for name in ("lost_overall", "lost_worst", "ended_worse", "found_then_lost")
        },
        "intervals": {
            name: _listed(np.array(percentiles(values, asked.level))) if len(values) else None
            for name, values in sampled.items()
        },
    }


def _turns_to_hit(run: Run, asked: _Asked) -> dict[str, Any]:
    first = metrics.turns_to_hit(run.ranks.rank(asked.ties), asked.k)
    hit = first[np.isfinite(first)]
    return {
        "k": asked.k,
        "new": [float((first == turn).mean()) for turn in range(run.ranks.turns)],
        "hit": len(hit) / len(first),
        "never": 1 - len(hit) / len(first),
        "mean": float(hit.mean()) if len(hit) else None,
        "median": _number(float(np.sort(first)[(len(first) - 1) // 2])),
    }


def _calibration(run: Run, asked: _Asked) -> dict[str, Any] | None:
    if run.confidence is None and run.in_set is None and run.set_size is None:
        return None
    played = run.ranks.played
    out: dict[str, Any] = {
        "coverage": _running(run, run.in_set),
        **_coverage_interval(run, asked),
        "set_size": _running(run, run.set_size),
        "set_size_median": _running(run, run.set_size, quantile=0.5),
        **dict.fromkeys(("ece", "ece_width", "ece_floor", "confidence", "right", "reliability")),
    }
    if run.confidence is None:
        return out
    right = run.right
    turns = [
        (run.confidence[played[:, t], t], right[played[:, t], t]) for t in range(run.ranks.turns) if played[:, t].any()
    ]
    missing = [None] * (run.ranks.turns - len(turns))
    tables = [calibration.reliability(p, came) for p, came in turns]
    out["ece"] = [table.error for table in tables] + missing
    out["ece_width"] = [calibration.ece(p, came, equal="width") for p, came in turns] + missing
    out["ece_floor"] = [calibration.ece_floor(p) for p, _ in turns] + missing
    out["confidence"] = _running(run, run.confidence)
    out["right"] = _running(run, right)
    out["reliability"] = [
        {name: getattr(table, name).tolist() for name in ("confidence", "accuracy", "count")} for table in tables
    ] + missing
    return out


def _coverage_interval(run: Run, asked: _Asked) -> dict[str, Any]:
    if run.in_set is None:
        return {"coverage_low": None, "coverage_high": None}
    played = run.ranks.played
    columns = np.concatenate([run.in_set & played, played], axis=1).astype(np.float64)
    draws = resampled_means(columns, samples=asked.samples, seed=asked.seed)
    held, ran = draws[:, : run.ranks.turns], draws[:, run.ranks.turns :]
    # A sample in which every dialogue had ended counts neither way.
    share = np.divide(held, ran, out=np.full_like(held, np.nan), where=ran > 0)
    usable = [share[np.isfinite(share[:, t]), t] for t in range(run.ranks.turns)]
    ends = [percentiles(each, asked.level) if len(each) else (np.nan, np.nan) for each in usable]
    low, high = (np.array(side, dtype=np.float64) for side in zip(*ends, strict=True))
    return {"coverage_low": _listed(low), "coverage_high": _listed(high)}


def _none_fits(run: Run) -> dict[str, Any] | None:
    if run.fits is None or bool(np.isnan(run.fits[run.ranks.played]).any()):
        return None
    auroc = None
    if run.fits_absent is not None:
        both = [(run.fits[played, t], run.fits_absent[played, t]) for t, played in enumerate(run.ranks.played.T)]
        auroc = [_number(calibration.auroc(present, absent)) for present, absent in both]
    return {"auroc": auroc, "present": _running(run, run.fits), "absent": _running(run, run.fits_absent)}


def _cost(run: Run) -> dict[str, Any] | None:
    if run.milliseconds is None and run.tokens is None and run.calls is None:
        return None
    return {
        "ms": _running(run, run.milliseconds),
        "ms_median": _running(run, run.milliseconds, quantile=0.5),
        "ms_p95": _running(run, run.milliseconds, quantile=0.95),
        "tokens": _running(run, run.tokens),
        "calls": _running(run, run.calls),
    }


def _multi(run: Run, asked: _Asked) -> dict[str, Any] | None:
    if run.relevant is None or run.found is None:
        return None
    values = metrics.multi_recall_values(run.found, run.relevant)
    low, high = percentiles(resampled_means(values, samples=asked.samples, seed=asked.seed), asked.level)
    f1 = None if run.seen is None else _listed(metrics.multi_f1(run.found, run.relevant, run.seen))
    return {"recall": _listed(values.mean(axis=0)), "f1": f1, "recall_low": _listed(low), "recall_high": _listed(high)}


def _worse(run: Run, asked: _Asked) -> list[dict[str, Any]]:
    rank = run.ranks.rank(asked.ties)
    lost = np.log(rank[:, -1] / rank[:, 0])
    worst = [int(k) for k in np.argsort(-lost, kind="stable")[:_WORST] if lost[k] > 0]
    return [
        {
            "id": run.ranks.ids[k],
            "target": run.targets[k] if run.targets else None,
            "ranks": _listed(rank[k]),
            "texts": list(run.texts[k]) if run.texts else [],
            "shown": [list(turn) for turn in run.shown[k]] if run.shown else [],
        }
        for k in worst
    ]


def _running(run: Run, values: NDArray[Any] | None, *, quantile: float | None = None) -> list[float | None] | None:
    """Mean, or a quantile, by turn over the dialogues that still run."""
    if values is None:
        return None
    by_turn = [values[played, t].astype(np.float64) for t, played in enumerate(run.ranks.played.T)]
    return [
        None if not len(v) else _number(float(v.mean() if quantile is None else np.quantile(v, quantile)))
        for v in by_turn
    ]


def _listed(values: NDArray[Any]) -> list[float | None]:
    return [_number(value) for value in np.asarray(values, dtype=np.float64).tolist()]


def _number(value: float) -> float | None:
    """JSON has neither infinity nor "not a number"."""
    return value if math.isfinite(value) else None
