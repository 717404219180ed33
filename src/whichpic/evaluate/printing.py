"""A summary as tables for a terminal, for Markdown and for LaTeX, figures to the digits that papers print. Called by cli.

The page of `whichpic report` rounds for the eye; here a figure can be compared with another's to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from whichpic.evaluate.published import Published
from whichpic.evaluate.tables import NOTHING, Cell, Table, plain

Summary = Mapping[str, Any]
_NOT_SHARES = {"mean_rank": 2, "median_rank": 1, "bri": 4, "mrr": 4, "ndcg": 4, "log_rank": 4, "gain": 4}
_NAMES = {"recall": "Recall", "hits": "Hits", "mrr": "MRR", "ndcg": "NDCG", "mean_rank": "mean rank",
          "median_rank": "median", "bri": "BRI", "log_rank": "ln rank"}  # fmt: skip


def figure(value: float | None, metric: str) -> str:
    """A value with the digits of its kind: shares in percent with two, MRR, NDCG and BRI with four."""
    if value is None or not math.isfinite(value):
        return NOTHING
    kind = metric.partition("@")[0]
    return f"{value:.{_NOT_SHARES[kind]}f}" if kind in _NOT_SHARES else f"{100 * value:.2f}"


def called(metric: str) -> str:
    """ "Recall@10" of "recall@10"."""
    kind, at, k = metric.partition("@")
    return f"{_NAMES.get(kind, kind)}{at}{k}"


def by_turn_table(run: Summary, k: int, beside: Sequence[Published] = ()) -> Table:
    """A run by turn: Recall@K with its interval, Hits, MRR, NDCG, ranks, BRI and chance; published systems beside it."""
    recall, hits = f"recall@{k}", f"hits@{k}"
    measured, chance = run["by_turn"], run["chance"]
    others = [name for name in measured if name.startswith("recall@") and name != recall]
    metrics = (*others, recall, hits, f"mrr@{k}", f"ndcg@{k}", "mean_rank", "median_rank", "bri")
    theirs = [(system, metric) for system in beside for metric in (recall, hits) if metric in system.by_turn]
    rows = []
    for turn in range(run["turns"]):
        cells = [Cell(str(turn))]
        for metric in metrics:
            part = measured[metric]
            low, high = (figure(part[end][turn], metric) for end in ("low", "high"))
            cells.append(Cell(figure(part["value"][turn], metric), f"{low}–{high}" if metric == recall else ""))
        cells += [Cell(figure(chance[metric][turn], metric)) for metric in (recall, hits)]
        for system, metric in theirs:
            values = system.by_turn[metric]
            cells.append(Cell(figure(values[turn] if turn < len(values) else None, metric)))
        rows.append(tuple(cells))
    head = ("turn", *(called(metric) for metric in metrics), "chance R", "chance H",
            *(f"{system.id} {called(metric)}" for system, metric in theirs))  # fmt: skip
    caption = f"{plain(run['name'])}: {run['dialogues']:,} dialogues, {run['pool']:,} pictures"
    return Table(caption, head, tuple(rows))


def paper_table(paper: Summary) -> Table:
    """The table of a paper (`papers.paper_of`), one row per turn; a column's interval stands behind its figure."""
    columns: Mapping[str, Mapping[str, Sequence[float]]] = paper["by_turn"]
    turns = len(next(iter(columns.values()))["value"])
    rows = []
    for turn in range(turns):
        cells = [Cell(str(turn))]
        for part in columns.values():
            value, low, high = (figure(part[name][turn], "hits") for name in ("value", "low", "high"))
            cells.append(Cell(value, f"{low}–{high}"))
        rows.append(tuple(cells))
    return Table(f"{paper['name']}'s table: {paper['about']}", ("turn", *columns), tuple(rows))


def comparison_table(compared: Summary) -> Table:
    """b less a by turn, with its paired interval and p."""
    metric = compared["metric"]
    rows = tuple(
        (Cell(str(turn)), Cell(_signed(value, metric), f"{_signed(low, metric)} to {_signed(high, metric)}"),
         Cell(NOTHING if p is None else f"{p:.4f}"))
        for turn, (value, low, high, p) in enumerate(
            zip(compared["difference"], compared["low"], compared["high"], compared["p"], strict=True)
        )
    )  # fmt: skip
    caption = f"{called(metric)}: {plain(compared['b'])} less {plain(compared['a'])}, the same dialogues"
    return Table(caption, ("turn", "difference", f"p ({compared['test']})"), rows)


def _signed(value: float | None, metric: str) -> str:
    text = figure(value, metric)
    return text if text == NOTHING or text.startswith("-") else f"+{text}"


def to_text(table: Table) -> str:
    """A table in columns, right-aligned, an interval in brackets behind its figure."""
    grid = [list(table.head)] + [[_cell(cell) for cell in row] for row in table.rows]
    widths = [max(len(row[column]) for row in grid) for column in range(len(table.head))]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in grid]
    return "\n".join([table.caption, *lines])


def _cell(cell: Cell) -> str:
    return f"{cell.text} [{cell.interval}]" if cell.interval else cell.text


def remarks(run: Summary, k: int) -> list[str]:
    """What stands below the table: harm, change of ranks, hits, ties, calibration, several targets and cost."""
    ties = run["ties"]
    lines = _over_turns(run, k) if run["turns"] > 1 else []
    if ties["flagged"]:
        apart = [high - low for high, low in zip(ties["optimistic"], ties["pessimistic"], strict=True)]
        turn = apart.index(max(apart))
        best, mean, worst = (figure(ties[rule][turn], f"recall@{k}") for rule in ("optimistic", "mean", "pessimistic"))
        lines.append(
            f"ties matter: Recall@{k} at turn {turn} is {best} if tied pictures come after the target, {worst} if before, "
            f"{mean} in random order"
        )
    if found := run.get("multi"):
        values = [f"{_p(recall)} / {_p(f1)}" for recall, f1 in zip(found["recall"], found["f1"], strict=True)]
        lines.append(f"several right pictures, recall R^T / F1 by turn: {', '.join(values)}")
    if found := run.get("calibration"):
        lines.append(
            f"calibration by turn: ECE {_list(found['ece'], '.3f')}; the 90 % set held the target in "
            f"{', '.join(_p(each) for each in found['coverage'])} and had {_list(found['set_size'], '.0f')} pictures"
        )
    if found := run.get("cost"):
        parts = [("ms", "milliseconds"), ("tokens", "tokens"), ("calls", "calls")]
        told = [f"{_list(found[key], '.1f')} {name}" for key, name in parts if any(found.get(key) or ())]
        if told:
            lines.append(f"cost by turn: {'; '.join(told)}")
    return lines


def _over_turns(run: Summary, k: int) -> list[str]:
    harm, hit, changes = run["harm"], run["turns_to_hit"], run.get("changes")
    lines = [
        f"harm: {_p(harm['lost_overall'])} of the targets in the top {k} were lost from a turn to the next (at worst "
        f"{_p(harm['lost_worst'])}), {_p(harm['ended_worse'])} of the dialogues ended worse than they began, "
        f"{_p(harm['found_then_lost'])} had the target in the top {k} and lost it"
    ]
    if changes:
        lines.append(
            f"first to last turn: median rank {changes['median_before']:g} to {changes['median_after']:g}; better "
            f"{_p(changes['better'])}, same {_p(changes['same'])}, worse {_p(changes['worse'])}; of the targets outside "
            f"the top {k} {_p(changes['entered'])} entered it, of those inside {_p(changes['left'])} left it"
        )
    reached = "" if hit["mean"] is None else f", after {hit['mean']:.2f} turns on average"
    return [*lines, f"turns to the top {k}: {_p(hit['hit'])} got there{reached}; {_p(hit['never'])} never"]


def _p(value: float | None) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{100 * value:.2f} %"


def _list(values: Sequence[float | None] | None, how: str) -> str:
    return ", ".join(NOTHING if value is None else format(value, how) for value in values or ())


def stated(run: Summary) -> list[str]:
    """The settings as "name: value", one line each; a table in them is one line too."""

    def told(value: Any) -> str:
        if isinstance(value, Mapping):
            inner = {key: told(each) for key, each in value.items() if each not in (None, "", [], ())}
            nested = {key for key in inner if isinstance(value[key], Mapping)}
            return ", ".join(f"{key} ({each})" if key in nested else f"{key} {each}" for key, each in inner.items())
        return ", ".join(map(told, value)) if isinstance(value, list | tuple) else plain(value)

    return [f"{key}: {told(value)}" for key, value in run["settings"].items() if value not in (None, "", [], (), {})]
