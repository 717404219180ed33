"""The charts of a report's sections: by turn, harm, calibration, cost, several targets, comparisons. Called by `pages`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from whichpic.evaluate import plots, tables
from whichpic.evaluate.plots import Axes, Series
from whichpic.evaluate.published import Published
from whichpic.evaluate.tables import Language, Numbers, Summary, escape, name_of, number, plain, say, values_of


def details(name: str, content: str) -> str:
    return f'<details><summary>{escape(name)}</summary><div class="tables">{content}</div></details>\n'


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


def _parts(part: Summary, values: str) -> tuple[Numbers, Numbers, Numbers]:
    """What a part of a summary holds by turn, and its interval."""
    return list(part.get(values) or ()), list(part.get("low") or ()), list(part.get("high") or ())


def _teller(metric: str) -> Callable[[float], str]:
    return lambda value: number(value, metric)


def _signed(metric: str) -> Callable[[float], str]:
    return lambda value: number(value, metric, sign=True)


def curves(summary: Summary, runs: Sequence[Summary], published: Sequence[Published], language: Language) -> str:
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
    tied = "".join(tables.to_html(tables.ties(run, language)) for run in runs if _differ(run.get("ties") or {}))
    level = f"{100 * float(summary.get('level') or 0.95):g}"
    note = f'<p class="note">{escape(say("legend.interval", language, level=level))}</p>\n'
    return (
        _legend(runs, published, language)
        + note
        + _ended(runs, language)
        + _plots(figures)
        + details(say("figures", language), listed + tied)
    )


def _differ(ties: Summary) -> bool:
    return ties.get("optimistic") != ties.get("pessimistic")


def _ended(runs: Sequence[Summary], language: Language) -> str:
    """How many dialogues still ran at the last turn, where some had ended before: their last rank is carried on."""
    running = [(run.get("played") or [None])[-1] for run in runs]
    if all(share is None or share >= 1 for share in running):
        return ""
    shares = ", ".join(number(share, "chance") for share in running)
    return f'<p class="note">{escape(say("curves.ended", language, shares=shares))}</p>\n'


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


def harm(runs: Sequence[Summary], language: Language) -> str:
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
    return tables.to_html(tables.harm(there, language)) + _plots(figures) + details(say("figures", language), more)


def _drops(runs: Sequence[Summary], language: Language) -> list[str]:
    metric = f"recall@{tables.depth_of(runs[0])}"
    found = []
    for place, run in enumerate(runs):
        values, low, high = _parts(run.get("drop") or {}, "difference")
        if len(values) > 1:
            found.append(Series(plain(run.get("name", "")), values[1:], low[1:], high[1:], place))
    if not found:
        return []
    axes = Axes(_signed(metric), first=1, across=say("turns.axis", language), level=0.0)
    name = name_of(metric, language)
    return [_chart(say("plot.drop", language, metric=name), say("about.drop", language), found, axes, language)]


def calibration(runs: Sequence[Summary], language: Language) -> str:
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
    return _plots(figures) + details(say("figures", language), listed)


def _coverage_limits(runs: Sequence[Summary]) -> tuple[float, float]:
    """A domain that holds the band whatever was measured."""
    known = [v for run in runs for v in (run.get("calibration") or {}).get("coverage") or () if v is not None]
    return plots.limits([Series("", [*known, 0.85, 0.95])])


def _reliability(runs: Sequence[Summary], language: Language) -> list[str]:
    """One diagram per run: a curve for the first, the middle and the last turn."""
    figures = []
    for place, run in enumerate(runs):
        turns = (run.get("calibration") or {}).get("reliability") or ()
        there = [turn for turn, bins in enumerate(turns) if bins]
        read = sorted({there[0], there[len(there) // 2], there[-1]} if there else ())
        curves = [(f"{say('turn', language)} {turn}", _points(turns[turn])) for turn in read]
        if curves:
            about = say("about.reliability", language, turns=", ".join(map(str, read)))
            name = say("plot.reliability", language) + (f": {plain(run.get('name', ''))}" if len(runs) > 1 else "")
            axes = Axes(lambda value: f"{100 * value:.0f}", across=say("plot.confidence", language))
            figures.append(_figure(name, about, plots.reliability(name, about, curves, axes, place)))
    return figures


def _points(bins: Mapping[str, Numbers]) -> list[tuple[float, float]]:
    pairs = zip(bins.get("confidence") or (), bins.get("accuracy") or (), strict=False)
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def cost(runs: Sequence[Summary], language: Language) -> str:
    across = say("turns.axis", language)
    metrics = {"ms": "milliseconds", "tokens": "tokens", "calls": "calls"}
    names = {name: (name, Axes(_teller(metric), from_zero=True, across=across)) for name, metric in metrics.items()}
    there = [run for run in runs if run.get("cost")]
    listed = "".join(tables.to_html(tables.cost(run, language)) for run in there)
    return _plots(_by_run(runs, "cost", names, language)) + details(say("figures", language), listed) if there else ""


def multi(runs: Sequence[Summary], language: Language) -> str:
    across = say("turns.axis", language)
    names = {name: (f"multi_{name}", Axes(_teller(name), across=across)) for name in ("recall", "f1")}
    there = [run for run in runs if run.get("multi")]
    listed = "".join(tables.to_html(tables.multi(run, language)) for run in there)
    return _plots(_by_run(runs, "multi", names, language)) + details(say("figures", language), listed) if there else ""


def comparisons(summary: Summary, language: Language) -> str:
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
            series = Series(f"{second} − {first}", *_parts(each, "difference"))
            axes = Axes(_signed(metric), across=say("turns.axis", language))
            about = say(f"about.difference.{tables.kind_of(metric)}", language)
            title = name_of(metric, language)
            chart = plots.differences(title, _reading([series], axes, about, language), series, axes)
            figures.append(_figure(title, about, chart))
        listed = "".join(f"<div>{tables.to_html(tables.comparison(each, language))}</div>" for each in compared)
        heading = escape(say("compare.pair", language, a=first, b=second))
        parts.append(f"<h3><bdi>{heading}</bdi></h3>" + _plots(figures) + details(say("figures", language), listed))
    return "\n".join(parts)
