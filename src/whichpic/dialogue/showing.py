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
    """What one event does for a picture, in nats above (or below) the average picture.

    kind: that of its part of the belief, or "filtered out". text: what was said or answered, in its own language. more,
    less: how many pictures were marked or ruled out; of a model's looks, how many it saw.
    """

    n: int
    kind: str
    text: str
    value: float
    more: int = 0
    less: int = 0

    @property
    def what(self) -> str:
        """The event in plain English."""
        match self.kind:
            case "filtered out":
                return "the filters leave it out"
            case "denied":
                return f"no {self.text}"
            case "together":
                return f"all together: {self.text}"
            case "hinted":
                return f"like what was liked: {self.text}"
            case "looked at":
                return f"a model looked at {_pictures(self.more)}"
            case "ruled out":
                return f"none of the {self.less} shown"
            case "marked":
                marks = (("more like", self.more), ("less like", self.less))
                return ", ".join(f"{how} {_pictures(n)}" for how, n in marks if n) + " of those shown"
            case _:
                return self.text

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
    found = [] if belief.mask[position] else [Reason(-1, "filtered out", "", -math.inf)]
    for part in belief.parts:
        value = float(part.values[position] - part.values[mask].mean())
        found.append(Reason(part.n, part.kind, part.what, value, part.more, part.less))
    return found


def _pictures(n: int) -> str:
    return f"{n} picture{'' if n == 1 else 's'}"
