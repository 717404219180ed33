"""A report's charts as SVG of our own: no script, no font, no fixed colour (the page's style sheet gives light and dark).

Called by `pages`. Drawn for a width of 360 units, so that letters stay readable on a telephone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from whichpic.evaluate.tables import Numbers, escape

WIDTH, HEIGHT = 360, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 46, 10, 34
_LINE = 12  # units between two labels
Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class Series:
    """One line: values by turn (None: not known), its interval, and its colour (`place` of the run; published: dashed)."""

    name: str
    values: Numbers
    low: Numbers = ()
    high: Numbers = ()
    place: int = 0
    published: bool = False


@dataclass(frozen=True, slots=True)
class Axes:
    """How the values of a chart are read: `say` prints one, `limits` are a domain given from outside."""

    say: Callable[[float], str]
    scale: Scale = "linear"
    limits: tuple[float, float] | None = None
    from_zero: bool = False
    band: tuple[float, float] | None = None
    chance: Numbers = ()
    chance_name: str = "chance"
    across: str = "turn"
    first: int = 0  # the turn of the first value
    level: float | None = None  # a value that others are held against: a thin line, inside the domain


@dataclass(frozen=True, slots=True)
class _Frame:
    """From values to units of the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]
    scale: Scale = "linear"
    right: float = field(default=_RIGHT)

    def across(self, value: float) -> float:
        low, high = self.x
        return _LEFT + (WIDTH - _LEFT - self.right) * ((value - low) / (high - low) if high > low else 0.5)

    def up(self, value: float) -> float:
        low, high, value = (math.log(max(v, 1e-9)) if self.scale == "log" else v for v in (*self.y, value))
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (min(max(value, low), high) - low) / (high - low)


def limits(series: Sequence[Series], *, scale: Scale = "linear", from_zero: bool = False) -> tuple[float, float]:
    """A domain with round ends that holds all values and intervals."""
    known = [v for each in series for v in (*each.values, *each.low, *each.high) if v is not None and math.isfinite(v)]
    if not known:
        return (1.0, 10.0) if scale == "log" else (0.0, 1.0)
    low, high = min(known), max(known)
    if scale == "log":
        low = max(low, 1.0)
        steps = [a * 10**k for k in range(9) for a in (1, 2, 5)]
        below, above = [s for s in steps if s <= low], [s for s in steps if s >= high and s > low]
        return float(below[-1] if below else 1), float(above[0] if above else high * 2)
    low = min(low, 0.0) if from_zero or 0 < low < 0.25 * high else low
    high = max(high, low + 0.02 * max(abs(high), 1.0))  # all the same: a line in an honest, small domain
    for _ in range(2):  # round ends make the domain longer, which may ask for a coarser step
        step = _step(high - low)
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return low, high


def _step(span: float) -> float:
    rough = span / 4.5
    ten: float = 10 ** math.floor(math.log10(rough))
    return next(ten * each for each in (1, 2, 2.5, 5, 10) if ten * each >= rough - 1e-12)


def _ticks(low: float, high: float, scale: Scale) -> list[float]:
    if scale == "log":
        steps = [float(a * 10**k) for k in range(9) for a in (1, 2, 5) if low <= a * 10**k <= high]
        return steps if len(steps) <= 7 else [each for each in steps if math.log10(each) % 1 < 1e-9]
    step = _step(high - low)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def lines(title: str, about: str, series: Sequence[Series], axes: Axes) -> str:
    """Values by turn as lines, with intervals shaded and the last value of every run beside its end."""
    turns = max((len(each.values) for each in series), default=1)
    held = [] if axes.level is None else [Series("", [axes.level])]
    domain = axes.limits or limits([*series, *held], scale=axes.scale, from_zero=axes.from_zero)
    frame = _Frame((axes.first, max(axes.first + turns - 1, axes.first + 1)), domain, axes.scale)
    parts = [_grid(frame, axes, turns)]
    if axes.band:
        top, bottom = frame.up(axes.band[1]), frame.up(axes.band[0])
        parts.append(
            f'<rect class="band" x="{_LEFT}" y="{top:.1f}" width="{WIDTH - _LEFT - _RIGHT}" '
            f'height="{bottom - top:.1f}"/>'
        )
    if axes.level is not None:
        parts.append(_level(frame, axes.level))
    parts.append(_chance(frame, axes))
    for each in sorted(series, key=lambda line: not line.published):
        parts.append(_line(each, frame, axes))
    parts.append(_ends([each for each in series if not each.published], frame, axes))
    return _svg(title, about, "".join(parts))


def differences(title: str, about: str, series: Series, axes: Axes) -> str:
    """A difference by turn: points with interval bars around a line at zero."""
    low, high = limits([series], from_zero=True)
    frame = _Frame((-0.5, len(series.values) - 0.5), (min(low, 0.0), max(high, 0.0)))
    parts = [_grid(frame, axes, len(series.values)), _level(frame, 0.0)]
    for turn, value in enumerate(series.values):
        if value is None or not math.isfinite(value):
            continue
        x = frame.across(turn)
        ends = [_at(series.low, turn), _at(series.high, turn)]
        if None not in ends:
            bottom, top = (frame.up(end) for end in ends if end is not None)
            parts.append(f'<line class="bar c0" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{top:.1f}"/>')
        parts.append(_dot(x, frame.up(value), 0, f"{turn}: {axes.say(value)}", radius=3.2))
    return _svg(title, about, "".join(parts))


def reliability(
    title: str, about: str, curves: Sequence[tuple[str, Sequence[tuple[float, float]]]], axes: Axes, place: int = 0
) -> str:
    """Accuracy against confidence, both from 0 to 1, one curve per turn (earlier ones fainter), and the diagonal."""
    frame = _Frame((0.0, 1.0), (0.0, 1.0), right=14)
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = frame.across(tick), frame.up(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - 14}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{axes.say(tick)}</text>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 14}" text-anchor="middle">'
                     f"{axes.say(tick)}</text>")  # fmt: skip
    parts.append(_name_across(axes.across, right=14))
    parts.append(
        f'<line class="zero" x1="{frame.across(0):.1f}" y1="{frame.up(0):.1f}" x2="{frame.across(1):.1f}" '
        f'y2="{frame.up(1):.1f}"/>'
    )
    for k, (name, points) in enumerate(curves):
        strength = 0.25 + 0.75 * (k + 1) / len(curves)
        path = " ".join(f"{frame.across(x):.1f},{frame.up(y):.1f}" for x, y in points)
        dots = "".join(_dot(frame.across(x), frame.up(y), place, f"{name}: {axes.say(x)} → {axes.say(y)}", radius=2)
                       for x, y in points)  # fmt: skip
        parts.append(f'<g opacity="{strength:.2f}"><polyline class="line c{place % 6}" points="{path}"/>{dots}</g>')
    return _svg(title, about, "".join(parts))


def key(place: int, *, published: bool = False) -> str:
    """The sign of a line, for a legend: its colour with its dot, or its dashes."""
    kind = f"line p{place % 6} published" if published else f"line c{place % 6}"
    dot = "" if published else _dot(14, 6, place, "")
    return f'<svg class="key" viewBox="0 0 28 12" aria-hidden="true"><path class="{kind}" d="M1 6H27"/>{dot}</svg>'


def _grid(frame: _Frame, axes: Axes, turns: int) -> str:
    parts = []
    for tick in _ticks(*frame.y, axes.scale):
        y = frame.up(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{_short(tick, axes)}</text>'
        )
    every = max(1, math.ceil(turns / 12))
    for turn in range(axes.first, axes.first + turns, every):
        parts.append(f'<text class="tick" x="{frame.across(turn):.1f}" y="{HEIGHT - _BOTTOM + 14}" '
                     f'text-anchor="middle">{turn}</text>')  # fmt: skip
    return "".join(parts) + _name_across(axes.across)


def _level(frame: _Frame, value: float) -> str:
    y = frame.up(value)
    return f'<line class="zero" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _name_across(name: str, right: float = _RIGHT) -> str:
    x = (_LEFT + WIDTH - right) / 2
    return f'<text class="axis" x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{escape(name)}</text>'


def _short(value: float, axes: Axes) -> str:
    """A tick without the zeros that carry nothing."""
    text = axes.say(value)
    return escape(text.rstrip("0").rstrip(".") if "." in text else text)


def _chance(frame: _Frame, axes: Axes) -> str:
    known = [(axes.first + k, v) for k, v in enumerate(axes.chance) if v is not None and math.isfinite(v)]
    if not known:
        return ""
    last = known[-1][1]
    low, high = frame.y
    ends = dict.fromkeys(axes.say(value) for value in (known[0][1], last))
    name = f"{axes.chance_name} {' … '.join(ends)}"
    if not all(low <= value <= high for _, value in known):
        # A line that lies far off is named rather than drawn: a domain that held it would flatten all others.
        arrow, place = ("↓", HEIGHT - _BOTTOM - 5) if last < low else ("↑", _TOP + 10)
        return f'<text class="chance" x="{_LEFT + 4}" y="{place}">{escape(name)} {arrow}</text>'
    points = " ".join(f"{frame.across(turn):.1f},{frame.up(value):.1f}" for turn, value in known)
    y = frame.up(known[0][1])
    y = y - 5 if y > _TOP + 14 else y + 12
    text = f'<text class="chance" x="{_LEFT + 4}" y="{y:.1f}">{escape(name)}</text>'
    return f'<polyline class="line chance" points="{points}"/>{text}'


def _line(series: Series, frame: _Frame, axes: Axes) -> str:
    colour = f"p{series.place % 6} published" if series.published else f"c{series.place % 6}"
    parts = []
    for run in _stretches(series.values):
        turns = [turn + axes.first for turn in run]
        known = all(_at(series.low, turn) is not None and _at(series.high, turn) is not None for turn in run)
        if known and len(run) > 1:
            up = [
                f"{frame.across(x):.1f},{frame.up(_at(series.high, k) or 0):.1f}"
                for k, x in zip(run, turns, strict=True)
            ]
            down = [
                f"{frame.across(x):.1f},{frame.up(_at(series.low, k) or 0):.1f}"
                for k, x in zip(run, turns, strict=True)
            ]
            parts.append(f'<polygon class="spread {colour}" points="{" ".join([*up, *reversed(down)])}"/>')
        path = " ".join(
            f"{frame.across(x):.1f},{frame.up(series.values[k] or 0):.1f}" for k, x in zip(run, turns, strict=True)
        )
        parts.append(f'<polyline class="line {colour}" points="{path}"/>')
        for k, x in zip(run, turns, strict=True):
            value = series.values[k] or 0.0
            label = f"{series.name}, {x}: {axes.say(value)}"
            if series.published:
                parts.append(_mark(frame.across(x), frame.up(value), label, seen=len(run) < 5))
            else:
                parts.append(_dot(frame.across(x), frame.up(value), series.place, label))
    return "".join(parts)


def _stretches(values: Numbers) -> list[list[int]]:
    """Turns whose values are known, in unbroken stretches; a published system gives some turns only, and is joined."""
    known = [k for k, value in enumerate(values) if value is not None and math.isfinite(value)]
    return [known] if known else []


def _dot(x: float, y: float, place: int, label: str, radius: float = 2.4) -> str:
    """The sign of a run, told apart by shape as well as by colour."""
    said = f"<title>{escape(label)}</title>" if label else ""
    colour, r = f"dot c{place % 6}", radius
    shape = place % 4
    if shape == 0:
        return f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{r}">{said}</circle>'
    if shape == 1:
        return f'<rect class="{colour}" x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}">{said}</rect>'
    tips = {2: [(0, -1.3), (1.2, 0.9), (-1.2, 0.9)], 3: [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)]}[shape]
    points = " ".join(f"{x + r * dx:.1f},{y + r * dy:.1f}" for dx, dy in tips)
    return f'<polygon class="{colour}" points="{points}">{said}</polygon>'


def _mark(x: float, y: float, label: str, *, seen: bool) -> str:
    """Where a published figure stands: seen where there are few, since a line between two of them is a guess."""
    kind, r = ("hollow", 2.6) if seen else ("unseen", 5)
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"><title>{escape(label)}</title></circle>'


def _ends(series: Sequence[Series], frame: _Frame, axes: Axes) -> str:
    """The last value of every line beside its end, moved apart where they would lie on each other."""
    ends: list[tuple[float, float, Series, str]] = []
    for each in series:
        known = [(k, value) for k, value in enumerate(each.values) if value is not None and math.isfinite(value)]
        if known:
            turn, value = known[-1]
            ends.append((frame.up(value), frame.across(axes.first + turn), each, axes.say(value)))
    ends.sort(key=lambda end: end[0])
    heights: list[float] = []
    for y, *_ in ends:
        heights.append(max(y, heights[-1] + _LINE) if heights else y)
    over = max(0.0, heights[-1] - (HEIGHT - _BOTTOM)) if heights else 0.0
    return "".join(
        f'<text class="end c{each.place % 6}" x="{x + 7:.1f}" y="{y - over + 3.5:.1f}">{escape(text)}</text>'
        for y, (_, x, each, text) in zip(heights, ends, strict=True)
    )


def _at(values: Numbers, k: int) -> float | None:
    value = values[k] if k < len(values) else None
    return value if value is not None and math.isfinite(value) else None


def _svg(title: str, about: str, inside: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}. {about}")}">'
        f"{inside}</svg>"
    )
