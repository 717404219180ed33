"""Whether a probability means what it says: calibration error, coverage of a set, separation of two cases.

Called by summary, and by fitting. Arrays are of one turn, [dialogues].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from whichpic.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

Bins = Literal["mass", "width"]
_ROUNDING = 1e-5  # a sum of float32 probabilities may pass 1 by this much


@dataclass(frozen=True)
class Reliability:
    """Confidence against what came true, per bin that is not empty, lowest first; float64 and int64 [bins].

    confidence, accuracy: means within the bin. count: how many.
    """

    confidence: Doubles
    accuracy: Doubles
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence|, each bin by how many it holds."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.count))


def reliability(
    confidence: NDArray[np.floating], right: NDArray[np.generic], *, bins: int = 10, equal: Bins = "mass"
) -> Reliability:
    """The table of a reliability diagram, from probabilities [n] and what came true [n] (bool, or a share 0 to 1).

    equal "mass": bins of as nearly as many each; equal confidences are never parted, so the order of the data does not
    matter. "width": (0, .1], (.1, .2], ...; 0 counts to the first (Guo et al. 2017). Raises QueryError for nothing to
    count, and for confidences outside 0 to 1.
    """
    p, came = np.asarray(confidence, dtype=np.float64).ravel(), np.asarray(right, dtype=np.float64).ravel()
    if not len(p) or len(p) != len(came):
        raise QueryError(f"{len(p)} confidences and {len(came)} outcomes: expected as many of both, at least one")
    if not bool(((p >= 0) & (p <= 1 + _ROUNDING)).all()):
        raise QueryError("a confidence lies outside 0 to 1, or is not a number")
    p = np.minimum(p, 1.0)
    if equal == "width":
        which = np.searchsorted(np.arange(1, bins) / bins, p, side="left")
    else:
        cuts = np.sort(p)[[len(p) * k // bins for k in range(1, bins)]]
        which = np.searchsorted(cuts, p, side="right")
    count = np.bincount(which, minlength=bins)
    full = count > 0
    sums = [np.bincount(which, weights=weights, minlength=bins)[full] for weights in (p, came)]
    return Reliability(sums[0] / count[full], sums[1] / count[full], count[full].astype(np.int64))


def ece(confidence: NDArray[np.floating], right: NDArray[np.generic], *, bins: int = 10, equal: Bins = "mass") -> float:
    """Expected calibration error, 0 best; see reliability. Few dialogues make it large by themselves: see ece_floor."""
    return reliability(confidence, right, bins=bins, equal=equal).error


def ece_floor(
    confidence: NDArray[np.floating], *, bins: int = 10, equal: Bins = "mass", samples: int = 200, seed: int = 0
) -> float:
    """The expected calibration error that chance alone gives a perfectly calibrated system with these confidences.

    Mean over `samples` draws of outcomes that are right with exactly the probability claimed.
    """
    p = np.asarray(confidence, dtype=np.float64).ravel()
    draw = np.random.default_rng(seed)
    return float(np.mean([ece(p, draw.random(len(p)) < p, bins=bins, equal=equal) for _ in range(samples)]))


def coverage(in_set: NDArray[np.bool_]) -> Doubles:
    """Share of dialogues whose set held the target, float64 [turns], from bool [dialogues, turns]."""
    return np.asarray(in_set.mean(axis=0), dtype=np.float64)


def auroc(present: NDArray[np.floating], absent: NDArray[np.floating]) -> float:
    """Probability that a value of `present` is above one of `absent`, equal ones counting half: .5 tells nothing.

    (Mann and Whitney 1947.) Not a number where either is empty. Raises QueryError for values that are not numbers.
    """
    if bool(np.isnan(present).any() or np.isnan(absent).any()):
        raise QueryError("a value is not a number; AUROC needs numbers")
    if not len(present) or not len(absent):
        return float("nan")
    order = np.sort(absent)
    below = np.searchsorted(order, present, side="left") + np.searchsorted(order, present, side="right")
    return float(below.mean() / (2 * len(absent)))
