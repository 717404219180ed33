"""What a session shows of its belief: the list without near-duplicates, and why a picture is where it is. Called by session."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from whichpic.dialogue.belief import Belief
    from whichpic.search.gallery import Gallery
    from whichpic.types import Picture


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of the current list. `p` is its probability, `alike` the near-duplicates that it stands for."""

    rank: int
    picture: Picture
    p: float
    alike: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """What one event does for a picture, in nats above (or below) the average picture."""

    n: int
    what: str
    value: float

    @property
    def sign(self) -> str:
        """`+ strong`, `+ weak`, `- against`, or `. neutral`."""
        if self.value > 1.0:
            return "+ strong"
        if self.value > 0.1:
            return "+ weak"
        return "- against" if self.value < -0.1 else ". neutral"


def listed(gallery: Gallery, belief: Belief, k: int) -> list[Shown]:
    """The k most probable pictures, near-duplicates collapsed into the best of them."""
    groups = gallery.groups
    taken: dict[int, list[int]] = {}
    depth = 4 * k
    while True:
        best = belief.best(depth)
        taken.clear()
        for position in best.tolist():
            taken.setdefault(int(groups[position]), []).append(position)
        if len(taken) >= k + 1 or len(best) < depth:
            break
        depth *= 4
    shown = []
    for rank, members in enumerate(list(taken.values())[:k], start=1):
        pictures = [gallery.pictures[position] for position in members]
        shown.append(Shown(rank, pictures[0], float(belief.p[members].sum()), tuple(pictures[1:])))
    return shown


def reasons(belief: Belief, position: int) -> list[Reason]:
    """What each part of the belief does for a picture, above the average of those that pass the filters."""
    mask = belief.mask if belief.mask.any() else np.ones_like(belief.mask)
    found = [] if belief.mask[position] else [Reason(-1, "the filters leave it out", -math.inf)]
    for part in belief.parts:
        match part.kind:
            case "denied":
                what = f"no {part.what}"
            case "together":
                what = f"all together: {part.what}"
            case "hinted":
                what = f"like what was liked: {part.what}"
            case "looked at":
                what = f"a model looked at {part.what}"
            case _:
                what = part.what
        found.append(Reason(part.n, what, float(part.values[position] - part.values[mask].mean())))
    return found
