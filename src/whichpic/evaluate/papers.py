"""The tables that navigationir and query-rewriting print, of our own dialogues. Called by summary and `whichpic simulate`.

Both count cumulatively: a target that was once among the first K stays found. That can only rise, whatever the later
turns do to the list; the current list's Recall stands beside it in every report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.evaluate.intervals import percentiles, resampled_means, values_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.evaluate.ranks import Ties
    from whichpic.evaluate.run import Run

PAPERS: dict[str, tuple[str, tuple[int, ...]]] = {
    "navigationir": ("Hits@{k}, the target so far among the first {k}", (10,)),
    "query-rewriting": ("R@{k}, the share of right pictures so far among the first {k} (its R^T)", (5, 10, 15, 20)),
}
"""What a paper's table is called and at which depths it is measured."""


def paper_of(
    run: Run, *, ties: Ties = "mean", level: float = 0.95, samples: int = 2000, seed: int = 0
) -> dict[str, Any] | None:
    """The table of the paper that the run's settings name ([score] paper), None where they name none.

    {name, about, by_turn: {column: {value, low, high}}}, shares by turn from turn 0, with percentile bootstrap intervals
    over dialogues. Columns are called "hits@10", or "R@5" and so on.
    """
    score = run.settings.get("score")
    name = score.get("paper") if isinstance(score, Mapping) else None
    if name not in PAPERS:
        return None
    about, depths = PAPERS[name]
    columns: dict[str, Any] = {}
    for k in depths:
        values = found_so_far(run, k, ties=ties)
        low, high = percentiles(resampled_means(values, samples=samples, seed=seed), level)
        columns[about.partition(",")[0].format(k=k)] = {
            "value": values.mean(axis=0).tolist(), "low": low.tolist(), "high": high.tolist()
        }  # fmt: skip
    return {"name": name, "about": about.partition(", ")[2].format(k="K"), "by_turn": columns}


def found_so_far(run: Run, k: int, *, ties: Ties = "mean") -> NDArray[np.float64]:
    """Share of each dialogue's right pictures that were among the first k at some turn so far, float64 [dialogues, turns].

    query-rewriting's R^T = (1/N) sum_i (sum_{t <= T} |newly found of i at t|) / n_i is its mean over dialogues. For one
    right picture it is the cumulative Hits@k of the ranks; for several it is read from the lists that were shown.
    """
    if not run.wanted:
        return values_of(run.ranks, f"hits@{k}", ties)
    found = np.zeros((len(run.wanted), run.ranks.turns))
    for row, (wanted, shown) in enumerate(zip(run.wanted, run.shown, strict=True)):
        so_far: set[str] = set()
        for turn in range(run.ranks.turns):
            so_far |= wanted.intersection(shown[turn][:k] if turn < len(shown) else ())
            found[row, turn] = len(so_far) / len(wanted)
    return found
