"""The rank of a picture by turn, as a small drawing: the first place is on top. Called by replay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from whichpic.web.exporting import rank_said
from whichpic.web.pages.elements import el

if TYPE_CHECKING:
    from whichpic.web.pages.frame import Say

WIDTH, HEIGHT = 300, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 12, 24


def chart(say: Say, ranks: Sequence[float | None], now: int) -> None:
    """Draw it where the page is being drawn. now: the turn that is shown; a rank that is not known leaves a gap."""
    known = [rank for rank in ranks if rank is not None]
    worst = max(known, default=1.0)
    ticks = [tick for tick in (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000) if tick == 1 or tick < 1.5 * worst]
    if len(ticks) == 1 and worst > 1:
        ticks.append(math.ceil(worst))
    low = math.log10(max(worst, ticks[-1], 2))

    def across(turn: int) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (turn / (len(ranks) - 1) if len(ranks) > 1 else 0.5), 1)

    def down(rank: float) -> float:
        return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * math.log10(max(rank, 1)) / low, 1)

    told = ", ".join("–" if rank is None else rank_said(rank) for rank in ranks)
    with el("svg", cls="rank-chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
            aria_label=say("replay.chart.label", ranks=told)):  # fmt: skip
        for tick in ticks:
            el("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=down(tick), y2=down(tick), cls="rule")
            el("text", f"{tick:,}", x=_LEFT - 8, y=down(tick) + 4, text_anchor="end")
        el("line", x1=across(now), x2=across(now), y1=_TOP, y2=HEIGHT - _BOTTOM, cls="now")
        for points in _joined(ranks):
            path = " ".join(f"{across(turn)},{down(rank)}" for turn, rank in points)
            el("polyline", points=path, cls="line")
        for turn, rank in enumerate(ranks):
            if rank is not None:
                el("circle", cx=across(turn), cy=down(rank), r=6 if turn == now else 3.5,
                   cls="dot here" if turn == now else "dot")  # fmt: skip
        every = max(1, len(ranks) // 10)
        for turn in range(0, len(ranks), every):
            el("text", str(turn), x=across(turn), y=HEIGHT - 6, text_anchor="middle")


def _joined(ranks: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The runs of turns whose rank is known."""
    runs: list[list[tuple[int, float]]] = [[]]
    for turn, rank in enumerate(ranks):
        if rank is not None:
            runs[-1].append((turn, rank))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]
