"""The report's page: one HTML file without scripts and without a network, from the dict of `summary.summarise`.

Called by `report`. Warnings come first, then what was measured, then what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from whichpic.evaluate import plots, tables
from whichpic.evaluate.plots import Axes, Series
from whichpic.evaluate.published import Published, not_comparable
from whichpic.evaluate.tables import Language, Summary, escape, name_of, number, plain, say, values_of
from whichpic.evaluate.worse import Looks, Pictures, worse

_FIRST_SETTINGS = 12
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(
    summary: Summary,
    *,
    published: Sequence[Published] = (),
    pictures: Looks | None = None,
    language: Language = "en",
    rows: str = "",
) -> str:
    """The whole page. `published` are drawn where their pool and corpus are those of a run; `rows` names the rows' file."""
    runs = list(summary.get("runs") or ())
    drawn = [system for system in published if _beside(system, runs)]
    shown = Pictures(pictures)
    sections = {
        "glance": tables.to_html(tables.glance(runs, language)),
        "settings": _settings(runs, language),
        "curves": _curves(summary, runs, drawn, language),
        "harm": _harm(runs, language),
        "calibration": _calibration(runs, language),
        "cost": _cost(runs, language),
        "multi": _multi(runs, language),
        "compare": _comparisons(summary, language),
        "worse": worse(runs, shown, language),
        "sources": _sources(published, runs, language),
        "paste": _paste(summary, runs, language),
    }
    there = [name for name, content in sections.items() if content]
    title = plain(" · ".join(str(run.get("name", "")) for run in runs[:4])) + (" …" if len(runs) > 4 else "")
    body = "\n".join(
        f'<section id="{name}" aria-labelledby="h-{name}">\n<h2 id="h-{name}">{escape(say(f"heading.{name}", language))}</h2>\n'
        f"{sections[name]}\n</section>"
        for name in there
    )
    links = "".join(f'<li><a href="#{name}">{escape(say(f"heading.{name}", language))}</a></li>' for name in there)
    lead = _lead(runs[0], language) if len(runs) == 1 else say("lead.several", language, n=len(runs))
    foot = say("rows.note", language, rows=rows) if rows else say("rows.only", language)
    style = (Path(__file__).parents[1] / "data" / "report.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="{"zh-Hans" if language == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · {escape(say('title', language))}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#content">{escape(say("skip", language))}</a>\n{shown.sprite()}\n'
        f'<header class="top">\n<p class="eyebrow">{escape(say("title", language))}</p>\n<h1><bdi>{escape(title)}</bdi></h1>\n'
        f'<p class="lead">{escape(lead)}</p>\n'
        f"{_warnings(summary, language)}\n"
        f'<nav aria-label="{escape(say("contents", language))}"><ul>{links}</ul></nav>\n</header>\n'
        f'<main id="content">\n{body}\n</main>\n<footer><p>{escape(foot)}</p></footer>\n</body>\n</html>\n'
    )


def warnings_of(summary: Summary, language: Language = "en") -> list[str]:
    """What a reader has to know before any figure: the runs' own warnings, ties that matter, pools that differ."""
    runs, incomparable = summary.get("runs") or (), summary.get("incomparable") or ()
    found = []
    for run in runs:
        name = plain(run.get("name", ""))
        found += [plain(each) if len(runs) == 1 else f"{name}: {plain(each)}" for each in run.get("warnings") or ()]
        ties = run.get("ties") or {}
        if ties.get("flagged"):
            both = zip(ties.get("optimistic") or (), ties.get("pessimistic") or (), strict=False)
            points = max((100 * (a - b) for a, b in both if a is not None and b is not None), default=0.0)
            found.append(say("warn.ties", language, run=name, points=f"{points:.1f}"))
    for key in ("pool", "dialogues"):
        values = list(dict.fromkeys(run.get(key, 0) for run in runs))
        if len(values) > 1:
            listed = ", ".join(f"{value:,}" for value in values)
            found.append(
                say("warn.pools" if key == "pool" else "warn.dialogues", language, pools=listed, counts=listed)
            )
    found += [plain(f"{each.get('a')} / {each.get('b')}: {each.get('why')}") for each in incomparable]
    return list(dict.fromkeys(found))


def _warnings(summary: Summary, language: Language) -> str:
    found = warnings_of(summary, language)
    if not found:
        return f'<p class="fine">{escape(say("warnings.none", language))}</p>'
    listed = "".join(f"<li><bdi>{escape(each)}</bdi></li>" for each in found)
    heading = escape(say("heading.warnings", language))
    return (
        f'<section class="warnings" aria-labelledby="h-warnings"><h2 id="h-warnings">{heading}</h2>'
        f"<ul>{listed}</ul></section>"
    )


def _lead(run: Summary, language: Language) -> str:
    metric = f"recall@{tables.depth_of(run)}"
    values = values_of(run, metric)
    first, last = tables.at(values, 0), tables.at(values, -1)
    if first is None or last is None:
        return ""
    values_said = {"first": number(first, metric), "last": number(last, metric), "recall": name_of(metric, language)}
    return say("lead.one", language, turns=len(values) - 1, dialogues=f"{run.get('dialogues', 0):,}",
               pool=f"{run.get('pool', 0):,}", **values_said)  # fmt: skip


def _settings(runs: Sequence[Summary], language: Language) -> str:
    table = tables.settings(runs, language)
    first = [k for k, row in enumerate(table.rows) if row[0].text in _known_settings(language)]
    head = tables.Table(table.caption, table.head, tuple(table.rows[k] for k in first), prose=True)
    rest = tuple(row for k, row in enumerate(table.rows) if k not in first)
    if len(table.rows) <= _FIRST_SETTINGS or not rest:
        return tables.to_html(table)
    others = tables.Table(say("settings.others", language), table.head, rest, prose=True)
    return tables.to_html(head) + _details(others.caption, tables.to_html(others))


def _known_settings(language: Language) -> set[str]:
    keys = (
        "dialogues",
        "turns",
        "pool",
        "opening",
        "cap",
        "not_found",
        "corpus",
        "documents",
        "encoder",
        "seed",
        "ties",
    )
    return {say(f"setting.{key}", language) for key in keys}


def _details(name: str, content: str) -> str:
    return f"<details><summary>{escape(name)}</summary>{content}</details>\n"


# -- charts -------------------------------------------------------------------------------------------------------


def _figure(name: str, about: str, chart: str) -> str:
    return f"<figure><h3>{escape(name)}</h3><figcaption>{escape(about)}</figcaption>{chart}</figure>\n"


def _plots(figures: Sequence[str]) -> str:
    return f'<div class="plots">\n{"".join(figures)}</div>\n' if figures else ""


def _reading(series: Sequence[Series], axes: Axes, about: str, language: Language) -> str:
    """What a chart shows, in words, for those who do not see it."""
    said = [about]
    for each in series:
        known = [(k + axes.first, value) for k, value in enumerate(each.values) if value is not None]
        if known:
            (begin, first), (end, last) = known[0], known[-1]
            said.append(say("svg.from_to", language, name=each.name, first=axes.say(first), begin=begin,
                            last=axes.say(last), end=end))  # fmt: skip
    return " ".join(said)


def _chart(title: str, about: str, series: Sequence[Series], axes: Axes, language: Language) -> str:
    return _figure(title, about, plots.lines(title, _reading(series, axes, about, language), series, axes))


def _teller(metric: str) -> Callable[[float], str]:
    return lambda value: number(value, metric)


def _signed(metric: str) -> Callable[[float], str]:
    return lambda value: number(value, metric, sign=True)


def _curves(summary: Summary, runs: Sequence[Summary], published: Sequence[Published], language: Language) -> str:
    depth = tables.depth_of(runs[0]) if runs else 10
    pair = (f"recall@{depth}", f"hits@{depth}")
    series = {metric: _series(runs, published, metric)
              for metric in (*pair, f"mrr@{depth}", f"ndcg@{depth}", "bri", "median_rank")}  # fmt: skip
    both = plots.limits([each for metric in pair for each in series[metric]])
    figures = []
    for metric, found in series.items():
        if not found:
            continue
        chance: Sequence[float | None] = (runs[0].get("chance") or {}).get(metric) or () if _one_pool(runs) else ()
        axes = Axes(
            _teller(metric), "log" if metric.endswith("_rank") else "linear", limits=both if metric in pair else None,
            chance=chance, chance_name=say("chance", language), across=say("turns.axis", language),
        )  # fmt: skip
        about = say(f"about.{tables.kind_of(metric)}", language, k=depth)
        figures.append(_chart(name_of(metric, language), about, found, axes, language))
    listed = "".join(tables.to_html(tables.by_turn(run, language)) for run in runs)
    tied = "".join(tables.to_html(tables.ties(run, language)) for run in runs if run.get("ties"))
    level = f"{100 * float(summary.get('level') or 0.95):g}"
    note = f'<p class="note">{escape(say("legend.interval", language, level=level))}</p>\n'
    return (
        _legend(runs, published, language) + note + _plots(figures) + _details(say("figures", language), listed + tied)
    )


def _one_pool(runs: Sequence[Summary]) -> bool:
    return len({run.get("pool") for run in runs}) == 1


def _series(runs: Sequence[Summary], published: Sequence[Published], metric: str) -> list[Series]:
    own = [
        Series(plain(run.get("name", "")), values_of(run, metric), values_of(run, metric, "low"),
               values_of(run, metric, "high"), place)
        for place, run in enumerate(runs) if values_of(run, metric)
    ]  # fmt: skip
    turns = max((len(each.values) for each in own), default=0)
    others = [
        Series(system.name, system.by_turn[metric][:turns], place=place, published=True)
        for place, system in enumerate(published) if own and metric in system.by_turn
    ]  # fmt: skip
    return own + others


def _legend(runs: Sequence[Summary], published: Sequence[Published], language: Language) -> str:
    items = [f"<li>{plots.key(k)}<bdi>{escape(run.get('name', ''))}</bdi></li>" for k, run in enumerate(runs)]
    html = f'<ul class="legend">{"".join(items)}</ul>\n'
    if published:
        others = [
            f"<li>{plots.key(k, published=True)}<span>{escape(system.name)} <small>{escape(system.source)}</small></span></li>"
            for k, system in enumerate(published)
        ]
        html += f'<p class="note">{escape(say("legend.published", language))}</p>\n<ul class="legend">{"".join(others)}</ul>\n'
    return html


def _by_run(
    runs: Sequence[Summary], part: str, names: Mapping[str, tuple[str, Axes]], language: Language, **values: object
) -> list[str]:
    """One chart for every list by turn in a part of the summary; names: list -> (words, axes)."""
    figures = []
    for name, (key, axes) in names.items():
        found = [
            Series(plain(run.get("name", "")), list((run.get(part) or {}).get(name) or ()), place=place)
            for place, run in enumerate(runs) if any(v is not None for v in (run.get(part) or {}).get(name) or ())
        ]  # fmt: skip
        if found:
            about = say(f"about.{key}", language, **values)
            figures.append(_chart(say(f"plot.{key}", language), about, found, axes, language))
    return figures


def _harm(runs: Sequence[Summary], language: Language) -> str:
    there = [run for run in runs if run.get("harm")]
    if not there:
        return ""
    depth = tables.depth_of(runs[0])
    lost = Axes(_teller("lost"), from_zero=True, first=1, across=say("plot.into", language))
    across = say("turns.axis", language)
    figures = [*_drops(runs, language), *_by_run(runs, "harm", {"lost": ("lost", lost)}, language, k=depth),
               *_by_run(runs, "turns_to_hit", {"new": ("new", Axes(_teller("lost"), from_zero=True, across=across))},
                        language, k=depth)]  # fmt: skip
    listed = [tables.turns_to_hit(runs, language), *(tables.drop(run, language) for run in runs if run.get("drop"))]
    more = "".join(tables.to_html(table) for table in listed if table.rows)
    return tables.to_html(tables.harm(there, language)) + _plots(figures) + _details(say("figures", language), more)


def _drops(runs: Sequence[Summary], language: Language) -> list[str]:
    metric = f"recall@{tables.depth_of(runs[0])}"
    found = []
    for place, run in enumerate(runs):
        part = run.get("drop") or {}
        if len(part.get("difference") or ()) > 1:
            parts = (list(part.get(name) or ())[1:] for name in ("difference", "low", "high"))
            found.append(Series(plain(run.get("name", "")), *parts, place=place))
    if not found:
        return []
    axes = Axes(_signed(metric), first=1, across=say("turns.axis", language), level=0.0)
    name = name_of(metric, language)
    return [_chart(say("plot.drop", language, metric=name), say("about.drop", language), found, axes, language)]


def _calibration(runs: Sequence[Summary], language: Language) -> str:
    across = say("turns.axis", language)
    most = max(map(tables.turns_of, runs), default=0)
    # With one run, what chance alone would give a system that is calibrated: few dialogues look worse than they are.
    floor = ((runs[0].get("calibration") or {}).get("ece_floor") or ()) if len(runs) == 1 else ()
    names = {
        "ece": ("ece_floor" if floor else "ece", Axes(_teller("ece"), from_zero=True, across=across, chance=floor,
                            chance_name=say("plot.floor", language))),
        "coverage": ("coverage", Axes(_teller("coverage"), limits=_coverage_limits(runs), band=(0.88, 0.92),
                                      across=across)),
        "set_size_median": ("set_size", Axes(_teller("set_size"), "log", across=across)),
    }  # fmt: skip
    figures = _reliability(runs, language) + _by_run(runs, "calibration", names, language)
    auroc = Axes(
        _teller("auroc"), limits=(0.4, 1.0), chance=[0.5] * most, chance_name=say("chance", language), across=across
    )
    figures += _by_run(runs, "none_fits", {"auroc": ("auroc", auroc)}, language)
    there = [run for run in runs if run.get("calibration")]
    if not there:
        return ""
    listed = "".join(tables.to_html(tables.calibration(run, language)) for run in there)
    told = [tables.none_fits(run, language) for run in runs if run.get("none_fits")]
    listed += "".join(map(tables.to_html, told))
    return _plots(figures) + _details(say("figures", language), listed)


def _coverage_limits(runs: Sequence[Summary]) -> tuple[float, float]:
    """A domain that holds the band whatever was measured."""
    known = [v for run in runs for v in (run.get("calibration") or {}).get("coverage") or () if v is not None]
    return plots.limits([Series("", [*known, 0.85, 0.95])])


def _reliability(runs: Sequence[Summary], language: Language) -> list[str]:
    """One diagram per run: a curve for the first, the middle and the last turn."""
    figures = []
    for run in runs:
        turns = (run.get("calibration") or {}).get("reliability") or ()
        there = [turn for turn, bins in enumerate(turns) if bins]
        read = sorted({there[0], there[len(there) // 2], there[-1]} if there else ())
        curves = [(f"{say('turn', language)} {turn}", _points(turns[turn])) for turn in read]
        if curves:
            about = say("about.reliability", language, turns=", ".join(map(str, read)))
            name = say("plot.reliability", language) + (f": {plain(run.get('name', ''))}" if len(runs) > 1 else "")
            axes = Axes(lambda value: f"{100 * value:.0f}", across=say("plot.confidence", language))
            figures.append(_figure(name, about, plots.reliability(name, about, curves, axes)))
    return figures


def _points(bins: Mapping[str, Sequence[float]]) -> list[tuple[float, float]]:
    return list(zip(bins["confidence"], bins["accuracy"], strict=True))


def _cost(runs: Sequence[Summary], language: Language) -> str:
    across = say("turns.axis", language)
    metrics = {"ms": "milliseconds", "tokens": "tokens", "calls": "calls"}
    names = {name: (name, Axes(_teller(metric), from_zero=True, across=across)) for name, metric in metrics.items()}
    there = [run for run in runs if run.get("cost")]
    listed = "".join(tables.to_html(tables.cost(run, language)) for run in there)
    return _plots(_by_run(runs, "cost", names, language)) + _details(say("figures", language), listed) if there else ""


def _multi(runs: Sequence[Summary], language: Language) -> str:
    across = say("turns.axis", language)
    names = {name: (f"multi_{name}", Axes(_teller(name), across=across)) for name in ("recall", "f1")}
    there = [run for run in runs if run.get("multi")]
    listed = "".join(tables.to_html(tables.multi(run, language)) for run in there)
    return _plots(_by_run(runs, "multi", names, language)) + _details(say("figures", language), listed) if there else ""


def _comparisons(summary: Summary, language: Language) -> str:
    """Per pair of runs: the differences in what a reader looks at first, and all others as tables."""
    pairs: dict[tuple[str, str], list[Summary]] = {}
    for each in summary.get("comparisons") or ():
        pairs.setdefault((plain(each.get("a", "")), plain(each.get("b", ""))), []).append(each)
    parts = []
    for (first, second), compared in pairs.items():
        figures = []
        for each in compared:
            metric = str(each.get("metric", ""))
            if tables.kind_of(metric) not in ("recall", "mrr", "bri"):
                continue
            series = Series(f"{second} − {first}", *(list(each.get(n) or ()) for n in ("difference", "low", "high")))
            axes = Axes(_signed(metric), across=say("turns.axis", language))
            about = say(f"about.difference.{tables.kind_of(metric)}", language)
            title = name_of(metric, language)
            chart = plots.differences(title, _reading([series], axes, about, language), series, axes)
            figures.append(_figure(title, about, chart))
        listed = "".join(tables.to_html(tables.comparison(each, language)) for each in compared)
        heading = escape(say("compare.pair", language, a=first, b=second))
        parts.append(f"<h3><bdi>{heading}</bdi></h3>" + _plots(figures) + _details(say("figures", language), listed))
    return "\n".join(parts)


# -- sources and text to paste ------------------------------------------------------------------------------------


def _beside(system: Published, runs: Sequence[Summary]) -> bool:
    """Whether a published system may be drawn: the same pictures were searched in every run of the page."""
    return bool(runs) and not any(_unlike(system, run) for run in runs)


def _unlike(system: Published, run: Summary) -> str:
    return not_comparable(system, run.get("settings") or {}, int(run.get("pool") or 0))


def _sources(published: Sequence[Published], runs: Sequence[Summary], language: Language) -> str:
    rows = []
    for system in published:
        reasons = list(dict.fromkeys(filter(None, (_unlike(system, run) for run in runs))))
        cells = (system.name, system.source, f"{system.corpus}, {system.pool:,}", system.asked, system.note,
                 "; ".join(reasons) or say("sources.drawn", language))  # fmt: skip
        rows.append(tuple(tables.Cell(each) for each in cells))
    head = ("sources.system", "sources.source", "setting.corpus", "sources.asked", "sources.about", "sources.beside")
    named = tuple(say(each, language) for each in head)
    table = tables.Table(
        say("sources.caption", language), named, tuple(rows), say("sources.note", language), prose=True
    )
    return tables.to_html(table) if rows else ""


def _paste(summary: Summary, runs: Sequence[Summary], language: Language) -> str:
    depth = tables.depth_of(runs[0]) if runs else 10
    read = (f"recall@{depth}", f"hits@{depth}", f"mrr@{depth}", f"ndcg@{depth}", "mean_rank", "median_rank", "bri")
    found = [tables.glance(runs, language), *(tables.by_turn(run, language, metrics=read) for run in runs)]
    found += [tables.harm([run for run in runs if run.get("harm")], language)]
    found += [tables.calibration(run, language) for run in runs if run.get("calibration")]
    found += [tables.comparison(each, language) for each in summary.get("comparisons") or ()]
    found = [table for table in found if table.rows]
    return "".join(
        _details(say(key, language), f"<pre>{escape_lines(chr(10).join(map(write, found)))}</pre>")
        for key, write in (("paste.markdown", tables.to_markdown), ("paste.latex", tables.to_latex))
    )


def escape_lines(text: str) -> str:
    """Escaped, with the line breaks kept."""
    return "\n".join(escape(line) for line in text.split("\n"))
