"""The report's page: one HTML file without scripts and without a network, from the dict of `summary.summarise`.

Called by `report`. Warnings come first, then what was measured, then what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from whichpic.evaluate import sections, tables
from whichpic.evaluate.published import Published, not_comparable
from whichpic.evaluate.tables import NOTHING, Language, Summary, escape, name_of, number, plain, say, values_of
from whichpic.evaluate.worse import Looks, Pictures, worse

_LONGEST_NAME = 80  # characters, in the heading
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


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
    content = {
        "glance": tables.to_html(tables.glance(runs, language)),
        "settings": _settings(summary, runs, language),
        "curves": sections.curves(summary, runs, drawn, language),
        "harm": sections.harm(runs, language),
        "calibration": sections.calibration(runs, language),
        "cost": sections.cost(runs, language),
        "multi": sections.multi(runs, language),
        "compare": sections.comparisons(summary, language),
        "worse": worse(runs, shown, language),
        "sources": _sources(published, runs, language),
        "paste": _paste(summary, runs, language),
    }
    there = [name for name, found in content.items() if found]
    names = [plain(run.get("name", "")) for run in runs[:4]]
    title = " · ".join(name[:_LONGEST_NAME] for name in names) + (" …" if len(runs) > 4 else "")
    body = "\n".join(
        f'<section id="{name}" aria-labelledby="h-{name}">\n<h2 id="h-{name}">{escape(say(f"heading.{name}", language))}</h2>\n'
        f"{content[name]}\n</section>"
        for name in there
    )
    links = "".join(f'<li><a href="#{name}">{escape(say(f"heading.{name}", language))}</a></li>' for name in there)
    lead = _lead(runs[0], language) if len(runs) == 1 else say("lead.several", language, n=len(runs))
    foot = say("rows.note", language, rows=rows) if rows else say("rows.only", language)
    style = (Path(__file__).parents[1] / "data" / "report.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="{"zh-Hans" if language == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
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


def _settings(summary: Summary, runs: Sequence[Summary], language: Language) -> str:
    first, others = tables.settings(runs, language)
    level = f"{100 * float(summary.get('level') or 0.95):g}"
    note = say("settings.note", language, ties=say(f"ties.{summary.get('ties', 'mean')}", language), level=level,
               samples=summary.get("samples", NOTHING), seed=summary.get("seed", NOTHING))  # fmt: skip
    more = sections.details(others.caption, tables.to_html(others)) if others.rows else ""
    return f'{tables.to_html(first)}<p class="note">{escape(note)}</p>\n{more}'


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
        sections.details(say(key, language), f"<pre>{escape_lines(chr(10).join(map(write, found)))}</pre>")
        for key, write in (("paste.markdown", tables.to_markdown), ("paste.latex", tables.to_latex))
    )


def escape_lines(text: str) -> str:
    """Escaped, with the line breaks kept."""
    return "\n".join(escape(line) for line in text.split("\n"))
