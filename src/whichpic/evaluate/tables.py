"""A report's tables: from the dict of `summary.summarise` to rows, and rows to HTML, Markdown and LaTeX.

Called by `report`, `pages` and the command line's `score`. Shares are shown in percent, ranks are 1-based.
"""

from __future__ import annotations

import html
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

Language = Literal["en", "zh"]
Summary = Mapping[str, Any]
Numbers = Sequence[float | None]

NOTHING = "–"
_PARTS = ("recall", "hits", "mrr", "ndcg", "mean_rank", "median_rank", "bri", "gain")
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table: a text and, in small type, its interval."""

    text: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, the names of the columns and rows of as many cells, the first of which names the row."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    prose: bool = False  # cells are words, and not numbers


@lru_cache(maxsize=1)
def _said() -> dict[str, list[str]]:
    path = Path(__file__).parents[1] / "data" / "report.json"
    said: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return said


def say(key: str, language: Language = "en", **values: object) -> str:
    """A fixed text of the report; a key that has none (a setting's name) is given back as it is."""
    found = _said().get(key)
    text = found[1 if language == "zh" else 0] if found else key.replace("_", " ")
    return text.format(**values) if values else text


def plain(text: object) -> str:
    """Captions, names and answers are data: without control characters, half surrogates and reversals of direction."""
    spaced = str(text).translate({ord(each): " " for each in "\n\r\t"})
    return _DIRECTIONS.sub("", "".join(each for each in spaced if unicodedata.category(each) not in {"Cc", "Cs"}))


def escape(text: object) -> str:
    """Data as it may stand in HTML, between tags and in quoted attributes."""
    return html.escape(plain(text), quote=True)


def kind_of(metric: str) -> str:
    """ "recall" of "recall@10": what a metric measures, without its depth."""
    return metric.partition("@")[0]


def is_share(metric: str) -> bool:
    """Whether values lie between 0 and 1 and are shown in percent."""
    return kind_of(metric) in {"recall", "hits", "f1", "precision", "coverage", "lost", "chance", "in_set"}


def number(value: float | None, metric: str, *, sign: bool = False) -> str:
    """A value as the report prints it: shares in percent, ranks and costs with as many digits as they carry."""
    if value is None or not math.isfinite(value):
        return NOTHING
    plus = "+" if sign and value else ""
    if is_share(metric):
        digits = 2 if 0 < abs(value) < 0.0005 else 1  # the chance level of a large pool
        return _minus(f"{100 * value:{plus}.{digits}f}")
    kind = kind_of(metric)
    if kind in {"mean_rank", "median_rank", "set_size", "turns", "tokens", "calls", "milliseconds"}:
        digits = 0 if abs(value) >= 1000 or (value == int(value) and kind != "mean_rank") else 1
        return _minus(f"{value:{plus},.{digits}f}")
    return _minus(f"{value:{plus}.3f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def name_of(metric: str, language: Language = "en") -> str:
    """ "Recall@10" of "recall@10": how a metric is called in print."""
    kind, at, depth = metric.partition("@")
    return say(f"metric.{kind}", language) + at + depth if f"metric.{kind}" in _said() else metric


def depth_of(run: Summary) -> int:
    """The K at which a run is read first: 10 where it was measured, else the largest."""
    depths = [int(name.partition("@")[2]) for name in run.get("by_turn", {}) if name.startswith("recall@")]
    return 10 if 10 in depths or not depths else max(depths)


def values_of(run: Summary, metric: str, part: str = "value") -> list[float | None]:
    """A metric's values by turn; [] where the run has none."""
    return list((run.get("by_turn", {}).get(metric) or {}).get(part) or [])


def at(values: Numbers, turn: int) -> float | None:
    """The value of a turn, None where there is none."""
    return values[turn] if -len(values) <= turn < len(values) else None


def _cell(by_turn: Summary, metric: str, turn: int, *, sign: bool = False) -> Cell:
    part = by_turn.get(metric) or {}
    ends = [at(part.get(end) or (), turn) for end in ("low", "high")]
    return Cell(number(at(part.get("value") or (), turn), metric, sign=sign), _between(ends, metric, sign=sign))


def _cells(*texts: object) -> tuple[Cell, ...]:
    return tuple(each if isinstance(each, Cell) else Cell(str(each)) for each in texts)


# -- tables of a summary ------------------------------------------------------------------------------------------


def glance(runs: Sequence[Summary], language: Language = "en") -> Table:
    """One row per run: where it began, where it ended, and what the conversation cost the list."""
    depth = depth_of(runs[0]) if runs else 10
    recall, hits = f"recall@{depth}", f"hits@{depth}"
    head = ("run", "dialogues", "pool", "first", "last", "change", "hits", "bri", "worse", "ece")
    rows = []
    for run in runs:
        by_turn = run.get("by_turn", {})
        values = values_of(run, recall)
        first, last = at(values, 0), at(values, -1)
        change = None if first is None or last is None else last - first
        ece = [value for value in (run.get("calibration") or {}).get("ece") or () if value is not None]
        rows.append(_cells(
            plain(run.get("name", "")), f"{run.get('dialogues', 0):,}", f"{run.get('pool', 0):,}",
            _cell(by_turn, recall, 0), _cell(by_turn, recall, -1), number(change, recall, sign=True),
            number(at(values_of(run, hits), -1), hits), number(at(values_of(run, "bri"), -1), "bri"),
            number((run.get("harm") or {}).get("ended_worse"), "lost"), number(max(ece, default=None), "ece"),
        ))  # fmt: skip
    named = tuple(say(f"glance.{each}", language, recall=name_of(recall), hits=name_of(hits)) for each in head)
    known = [k for k in range(len(named)) if any(row[k].text != NOTHING for row in rows)]
    shown = tuple(tuple(row[k] for k in known) for row in rows)
    return Table(say("glance.caption", language), tuple(named[k] for k in known), shown, say("glance.note", language))


def by_turn(run: Summary, language: Language = "en", *, metrics: Sequence[str] = ()) -> Table:
    """One row per turn: every metric of a run (or those named) with its interval, and the chance level."""
    measured = run.get("by_turn", {})
    metrics = [each for each in metrics if each in measured] or sorted(
        measured, key=lambda name: (_place(name), int(name.partition("@")[2] or 0))
    )
    chance = run.get("chance") or {}
    shown = [name for name in chance if name in metrics]
    head = (say("turn", language), *(name_of(metric, language) for metric in metrics),
            *(say("chance.of", language, metric=name_of(each)) for each in shown))  # fmt: skip
    rows = tuple(
        (Cell(str(turn)), *(_cell(measured, metric, turn, sign=metric == "gain") for metric in metrics),
         *(Cell(number(at(chance[each] or (), turn), "chance")) for each in shown))
        for turn in range(turns_of(run))
    )  # fmt: skip
    return Table(say("by_turn.caption", language, run=plain(run.get("name", ""))), head, rows)


def _place(metric: str) -> int:
    kind = kind_of(metric)
    return _PARTS.index(kind) if kind in _PARTS else len(_PARTS)


def turns_of(run: Summary) -> int:
    """How many turns the longest metric of a run has, the opening (turn 0) among them."""
    return max((len((part or {}).get("value") or ()) for part in run.get("by_turn", {}).values()), default=0)


def harm(runs: Sequence[Summary], language: Language = "en") -> Table:
    """What talking did to the list: one row per run."""
    columns = ("lost_overall", "lost_worst", "ended_worse", "found_then_lost")
    rows = []
    for run in runs:
        found = run.get("harm") or {}
        between = found.get("intervals") or {}
        cells = (Cell(number(found.get(each), "lost"), _between(between.get(each) or (), "lost")) for each in columns)
        rows.append(_cells(plain(run.get("name", "")), *cells))
    depth = depth_of(runs[0]) if runs else 10
    head = (say("glance.run", language), *(say(f"harm.{each}", language, k=depth) for each in columns))
    return Table(say("harm.caption", language), head, tuple(rows), say("harm.note", language, k=depth))


def _between(ends: Numbers, metric: str, *, sign: bool = False) -> str:
    """An interval in print; "" where it is not known."""
    low, high = (number(at(ends, k), metric, sign=sign) for k in (0, 1))
    return "" if NOTHING in (low, high) else f"{low} … {high}"


def drop(run: Summary, language: Language = "en") -> Table:
    """Every turn's recall less that of the best turn before it, with its paired interval."""
    found = run.get("drop") or {}
    metric = f"recall@{depth_of(run)}"
    part = {metric: {"value": found.get("difference"), "low": found.get("low"), "high": found.get("high")}}
    best = found.get("turn") or ()
    rows = tuple(
        _cells(turn, best[turn], _cell(part, metric, turn, sign=True))
        for turn in range(len(best))
        if best[turn] is not None
    )
    head = (say("turn", language), say("drop.best", language), say("drop.difference", language, metric=name_of(metric)))
    return Table(say("drop.caption", language, run=plain(run.get("name", "")), metric=name_of(metric)), head, rows)


def turns_to_hit(runs: Sequence[Summary], language: Language = "en") -> Table:
    """How soon targets enter the top K for the first time: one row per run."""
    columns = {"hit": "lost", "never": "lost", "mean": "turns", "median": "turns"}
    rows = tuple(
        _cells(plain(run.get("name", "")), *(number(run["turns_to_hit"].get(n), m) for n, m in columns.items()))
        for run in runs
        if run.get("turns_to_hit")
    )
    depth = depth_of(runs[0]) if runs else 10
    head = (say("glance.run", language), *(say(f"hit.{each}", language) for each in columns))
    return Table(say("hit.caption", language, k=depth), head, rows, say("hit.note", language))


def _columns(run: Summary, part: Summary, columns: Mapping[str, str], caption: str, language: Language) -> Table:
    """One row per turn of the lists that a part of the summary has; columns: name in the part -> metric."""
    there = [name for name in columns if any(value is not None for value in part.get(name) or ())]
    turns = max((len(part[name]) for name in there), default=0)
    head = (say("turn", language), *(say(f"column.{name}", language) for name in there))
    rows = tuple(
        (Cell(str(turn)), *(Cell(number(at(part[name], turn), columns[name])) for name in there))
        for turn in range(turns)
    )
    return Table(say(caption, language, run=plain(run.get("name", ""))), head, rows)


def calibration(run: Summary, language: Language = "en") -> Table:
    """Expected calibration error, coverage and size of the 90 % set by turn."""
    columns = {"ece": "ece", "ece_floor": "ece", "confidence": "coverage", "right": "coverage",
               "coverage": "coverage", "set_size": "set_size", "set_size_median": "set_size"}  # fmt: skip
    return _columns(run, run.get("calibration") or {}, columns, "calibration.caption", language)


def none_fits(run: Summary, language: Language = "en") -> Table:
    """How well the evidence that something fits tells a target that is there from one taken out, by turn."""
    columns = {"auroc": "auroc", "present": "fits", "absent": "fits"}
    return _columns(run, run.get("none_fits") or {}, columns, "none_fits.caption", language)


def cost(run: Summary, language: Language = "en") -> Table:
    """Milliseconds, tokens and calls by turn."""
    columns = {"ms": "milliseconds", "ms_median": "milliseconds", "ms_p95": "milliseconds", "tokens": "tokens",
               "calls": "calls"}  # fmt: skip
    return _columns(run, run.get("cost") or {}, columns, "cost.caption", language)


def multi(run: Summary, language: Language = "en") -> Table:
    """Recall and F1 over all relevant pictures by turn (query-rewriting's R^T)."""
    return _columns(run, run.get("multi") or {}, {"recall": "recall", "f1": "f1"}, "multi.caption", language)


def ties(run: Summary, language: Language = "en") -> Table:
    """Recall by turn under the three ways to read a tie."""
    columns = {"optimistic": "recall", "mean": "recall", "pessimistic": "recall"}
    return _columns(run, run.get("ties") or {}, columns, "ties.caption", language)


def comparison(compared: Summary, language: Language = "en") -> Table:
    """Paired differences of two runs (the second less the first) by turn, with interval and p."""
    metric = str(compared.get("metric", "recall@10"))
    part = {metric: {"value": compared.get("difference"), "low": compared.get("low"), "high": compared.get("high")}}
    p = compared.get("p") or ()
    rows = tuple(
        _cells(turn, _cell(part, metric, turn, sign=True), _p(at(p, turn)))
        for turn in range(len(compared.get("difference") or ()))
    )
    first, second = plain(compared.get("a", "")), plain(compared.get("b", ""))
    head = (say("turn", language), say("compare.difference", language, metric=name_of(metric, language)), "p")
    caption = say("compare.caption", language, a=first, b=second, metric=name_of(metric, language))
    stated = {"dialogues": f"{compared.get('dialogues') or 0:,}", "test": plain(compared.get("test") or NOTHING)}
    return Table(caption, head, rows, say("compare.note", language, **stated) if compared.get("test") else "")


def _p(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"


_READ_FIRST = (
    "dialogues", "turns", "pool", "protocol", "corpus", "documents", "form", "opening", "opening.kind", "user.kind",
    "user.errors", "user.ignorance", "cap", "query", "searched by", "play.questions", "stop", "play.stop", "not_found",
    "never found", "play.not_found", "encoder",
    "session.asker", "session.chooser", "session.rewriter", "seed", "play.seed",
)  # fmt: skip


def settings(runs: Sequence[Summary], language: Language = "en") -> tuple[Table, Table]:
    """What was measured, one row per setting and one column per run: what a reader asks first, and all the rest."""
    counted = ("dialogues", "turns", "pool")
    stated: list[dict[str, str]] = []
    for run in runs:
        numbers = {key: f"{run.get(key, 0):,}" for key in counted}
        stated.append({**numbers, **{k: v for k, v in _flat(run.get("settings") or {}) if k not in counted}})
    keys = list(dict.fromkeys(key for each in stated for key in each))
    first = [key for key in _READ_FIRST if key in keys]
    head = (say("setting", language), *(plain(run.get("name", "")) for run in runs))

    def table(caption: str, rows: Sequence[str]) -> Table:
        named = {key: f"setting.{key}" if f"setting.{key}" in _said() else key for key in rows}
        cells = (_cells(say(named[key], language), *(each.get(key, NOTHING) for each in stated)) for key in rows)
        return Table(say(caption, language), head, tuple(cells), prose=True)

    return table("settings.caption", first), table("settings.others", [key for key in keys if key not in first])


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        name = f"{prefix}{plain(key)}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(plain(each) for each in value) or NOTHING
        elif value is not None and value != "":
            yield name, str(value).lower() if isinstance(value, bool) else plain(value)


# -- print --------------------------------------------------------------------------------------------------------


def to_html(table: Table) -> str:
    """A table with caption and scopes; it scrolls by itself where the screen is narrow."""
    named = any(len(row[0].text) > 3 for row in table.rows)  # rows called after runs and settings, and not after turns
    kind = ' class="prose"' if table.prose else ' class="named"' if named else ""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in table.head)
    body = "".join(
        f'<tr><th scope="row">{_html(row[0])}</th>' + "".join(f"<td>{_html(cell)}</td>" for cell in row[1:]) + "</tr>\n"
        for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{escape(table.caption)}">'
        f"<table{kind}><caption>{escape(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></div>{note}\n"
    )


def _html(cell: Cell) -> str:
    small = f" <small>{escape(cell.interval)}</small>" if cell.interval else ""
    return f"<bdi>{escape(cell.text)}</bdi>{small}"


def to_markdown(table: Table) -> str:
    """The table in the pipe form that GitHub reads."""
    rows = [table.head, tuple("---" if table.prose or k == 0 else "---:" for k in range(len(table.head)))]
    lines = [" | ".join(_md(each) for each in row) for row in rows]
    for row in table.rows:
        lines.append(" | ".join(_md(f"{c.text} ({c.interval})" if c.interval else c.text) for c in row))
    return f"{_md(table.caption)}\n\n" + "".join(f"| {line} |\n" for line in lines)


def _md(text: str) -> str:
    text = plain(text).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("`", "\\`").replace("[", "\\[")


_TEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "–": "--", "…": r"\ldots{}", "<": "$<$",
        ">": "$>$"}  # fmt: skip


def to_latex(table: Table) -> str:
    """The table for LaTeX; needs the package booktabs."""

    def tex(text: str) -> str:
        return "".join(_TEX.get(each, each) for each in plain(text))

    def cell(each: Cell) -> str:
        return tex(each.text) + (rf" {{\scriptsize [{tex(each.interval)}]}}" if each.interval else "")

    columns = "l" + ("l" if table.prose else "r") * (len(table.head) - 1)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{tex(table.caption)}}}", rf"\begin{{tabular}}{{{columns}}}",
             r"\toprule", " & ".join(tex(each) for each in table.head) + r" \\", r"\midrule"]  # fmt: skip
    lines += [" & ".join(cell(each) for each in row) + r" \\" for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])
