"""The pages /reports and /replay: what was measured, listed and opened, and the dialogues behind it. Called by web.app.

A report's own page is served as the file it is, under a policy that lets it do nothing; dialogues are listed and replayed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from nicegui import app, ui

from whichpic.errors import SessionError, WhichpicError
from whichpic.evaluate.tables import escape, plain
from whichpic.web.exporting import rank_said
from whichpic.web.pages.elements import el, heading, link
from whichpic.web.pages.frame import frame, spoken
from whichpic.web.pages.replay import Replay
from whichpic.web.reports import Reports
from whichpic.web.seen import SMALL, drawn, seen_of
from whichpic.web.steps import of_dialogue, rank_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whichpic.simulate.dialogues import Dialogue, Header
    from whichpic.web.pages.frame import Say
    from whichpic.web.reports import Found, Run
    from whichpic.web.seen import Seen
    from whichpic.web.site import Site

LISTED = 50
"""Dialogues of one page of a list."""
PATIENCE = 60.0
"""Seconds that reading a large file of dialogues may take before its page fails."""
_KEPT = {"Cache-Control": "private, max-age=86400"}
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox allow-same-origin allow-downloads"
)
"""Of a report: no scripts, nothing fetched. It stays of this origin, so that a link back finds whoever has the token."""


def pages(site: Site) -> None:
    """Register the pages and files with NiceGUI."""
    reports = Reports(site.reports)

    @ui.page("/reports", response_timeout=PATIENCE)
    async def every(request: Request) -> None:
        found = await asyncio.to_thread(reports.found)
        with frame(request, site, title=spoken(request)("reports.title"), here="reports") as say:
            _all(say, found, by_name=request.query_params.get("sort") == "name")

    @app.get("/reports/{slug}", include_in_schema=False)
    async def one(slug: str) -> Response:
        return RedirectResponse(f"/reports/{quote(slug, safe='')}/page")

    @app.get("/reports/{slug}/page", include_in_schema=False)
    async def report(request: Request, slug: str) -> Response:
        try:
            html = await asyncio.to_thread(reports.page, slug)
        except (WhichpicError, OSError) as error:
            return _missing(spoken(request), error)
        return HTMLResponse(_with_bar(html, spoken(request)), headers={"Content-Security-Policy": POLICY})

    @app.get("/reports/{slug}/{name}", include_in_schema=False)
    async def file(request: Request, slug: str, name: str) -> Response:
        try:
            path = await asyncio.to_thread(reports.download, slug, name)
        except (WhichpicError, OSError) as error:
            return _missing(spoken(request), error)
        return FileResponse(path, filename=f"{slug}-{name}", media_type="application/octet-stream")

    @app.get("/replay/drawn/{picture}.jpg", include_in_schema=False)
    def picture(picture: str, side: int = SMALL) -> Response:
        jpeg = drawn(picture, side)
        return Response(status_code=404) if jpeg is None else Response(jpeg, media_type="image/jpeg", headers=_KEPT)

    @ui.page("/replay/{slug}", response_timeout=PATIENCE)
    async def dialogues(request: Request, slug: str) -> None:
        with frame(request, site, title=spoken(request)("replay.title"), here="reports") as say:
            try:
                header, read = await asyncio.to_thread(reports.dialogues, slug)
            except (WhichpicError, OSError) as error:
                _gone(say, error)
                return
            seen = seen_of(site.shelf, header, [each.target for each in read[:LISTED]])
            _list(say, slug, header, read, seen, show=request.query_params.get("show", "all"),
                  page=_number(request.query_params.get("page")))  # fmt: skip

    @ui.page("/replay/{slug}/{number}", response_timeout=PATIENCE)
    async def dialogue(request: Request, slug: str, number: str) -> None:
        with frame(request, site, title=spoken(request)("replay.title"), here="reports") as say:
            try:
                header, read = await asyncio.to_thread(reports.dialogues, slug)
                at = _number(number)
                if not 1 <= at <= len(read):
                    raise SessionError(f"there are dialogues 1 to {len(read)} here, not {number[:20]}")
            except (WhichpicError, OSError) as error:
                _gone(say, error)
                return
            await _one(site, say, slug, header, read, at, turn=_number(request.query_params.get("turn")))


# ---- /reports


def _all(say: Say, found: Sequence[Found], *, by_name: bool) -> None:
    heading(1, say("reports.title"))
    el("p", say("reports.lead"), cls="lead")
    if not found:
        el("p", say("reports.none"), cls="empty")
        return
    if by_name:
        found = sorted(found, key=lambda each: (each.name.casefold(), each.place))
    with el("nav", cls="line sorts", aria_label=say("reports.sort")):
        for name, chosen in (("date", not by_name), ("name", by_name)):
            link(say(f"reports.sort.{name}"), f"/reports?sort={name}", aria_current="true" if chosen else None)
    for kind in ("report", "dialogues"):
        some = [each for each in found if each.kind == kind]
        if some:
            with el("section", cls="reports", aria_labelledby=f"h-{kind}"):
                heading(2, say(f"reports.heading.{kind}"), id=f"h-{kind}")
                with el("ul", cls="list"):
                    for each in some:
                        with el("li"):
                            _row(say, each)


def _row(say: Say, found: Found) -> None:
    to = f"/reports/{found.slug}/page" if found.kind == "report" else f"/replay/{found.slug}"
    if found.trouble:
        el("span", found.place, cls="report-name")
        el("span", say("reports.damaged", why=found.trouble), cls="trouble")
        return
    link(found.name, to, cls="report-name")
    if found.place != found.name:
        el("span", found.place, cls="soft")
    el("time", f"{found.at[:16].replace('T', ' ')} UTC", cls="soft", datetime=found.at)
    with el("span", cls="downloads"):
        names = ("dialogues.jsonl",) if found.kind == "dialogues" else ("summary.json", *filter(None, (found.rows,)))
        for name in names:
            label = f"{say('reports.download')}: {name}, {found.name}"
            link(name, f"/reports/{found.slug}/{name}", cls="soft", download=True, aria_label=label)
    for run in found.runs[:4]:
        told = _figures(say, run)
        el("p", f"{run.name}: {told}" if len(found.runs) > 1 else told, cls="figures number")
    if len(found.runs) > 4:
        el("p", say("reports.more.runs", n=len(found.runs) - 4), cls="figures soft")


def _figures(say: Say, run: Run) -> str:
    parts = [say("reports.size", dialogues=f"{run.dialogues:,}", turns=run.turns)]
    if run.first is not None and run.last is not None:
        parts.append(say("reports.recall", k=run.k, first=_percent(run.first), last=_percent(run.last)))
    if run.bri is not None:
        parts.append(say("reports.bri", bri=f"{run.bri:.3f}"))
    if run.worse is not None:
        parts.append(say("reports.worse", share=_percent(run.worse)))
    return " · ".join(parts)


def _with_bar(html: str, say: Say) -> str:
    """A report's page with a way back: its own file knows of no site."""
    bar = (
        f'<nav aria-label="{escape(say("nav.label"))}" style="padding:.6rem 1.25rem;font-size:.9rem">'
        f'<a href="/reports" style="display:inline-block;padding:.2rem 0">← {escape(say("reports.back"))}</a></nav>'
    )
    head, body, rest = html.partition("<body>")
    return f"{head}{body}\n{bar}{rest}" if body else html


def _missing(say: Say, error: Exception) -> Response:
    title, why = escape(say("reports.gone")), escape(str(error))
    back = f'<p><a href="/reports">{escape(say("reports.back"))}</a></p>'
    page = (
        f'<!doctype html><html lang="{say.language}"><meta charset="utf-8"><title>{title}</title>'
        f"<main><h1>{title}</h1><p>{why}</p>{back}</main>"
    )
    return HTMLResponse(page, status_code=404, headers={"Content-Security-Policy": POLICY})


# ---- /replay


def _list(say: Say, slug: str, header: Header, read: Sequence[Dialogue], seen: Seen, *, show: str, page: int) -> None:
    chosen: dict[str, Callable[[Dialogue], bool]] = {
        "all": lambda each: True,
        "found": _is_found,
        "missed": lambda each: not _is_found(each),
        "worse": lambda each: rank_of(each.turns[-1]) > rank_of(each.turns[0]),
    }
    show = show if show in chosen else "all"
    some = {name: [k for k, each in enumerate(read) if like(each)] for name, like in chosen.items()}
    rows = some[show]
    page = min(page, max(len(rows) - 1, 0) // LISTED)
    _trail(say)
    heading(1, plain(header.get("name") or say("replay.title"))[:120])
    pictures = header.get("pictures")
    if isinstance(pictures, int):
        el("p", say("replay.list.lead", n=f"{len(read):,}", pictures=f"{pictures:,}"), cls="lead")
    else:
        el("p", say("replay.list.lead.unknown", n=f"{len(read):,}"), cls="lead")
    with el("nav", cls="chips sorts", aria_label=say("replay.filter")):
        for name in chosen:
            with link("", f"/replay/{slug}?show={name}", cls="chip on" if name == show else "chip",
                      aria_current="true" if name == show else None):  # fmt: skip
                el("span", say(f"replay.filter.{name}"))
                el("span", f"{len(some[name]):,}", cls="count")
    el("p", say("replay.filter.note"), cls="soft small")
    if not rows:
        el("p", say("replay.list.none"), cls="empty")
    with el("ol", cls="list replay-list"):
        for k in rows[page * LISTED : (page + 1) * LISTED]:
            each = read[k]
            with el("li"):
                el("span", f"{k + 1}", cls="soft number")
                if address := seen.address(each.target):
                    el("img", src=address, alt="", cls="thumb", loading="lazy")
                link(_opening(each), f"/replay/{slug}/{k + 1}")
                first, last = rank_said(rank_of(each.turns[0])), rank_said(rank_of(each.turns[-1]))
                el("span", say("replay.list.row", turns=len(each.turns) - 1, first=first, last=last), cls="soft")
    if len(rows) > LISTED:
        _leaf(say, f"/replay/{slug}?show={show}", page, len(rows))


def _leaf(say: Say, to: str, page: int, n: int) -> None:
    """Links to the other pages of a long list."""
    with el("nav", cls="line", aria_label=say("replay.pages")):
        if page:
            link(say("replay.page.back"), f"{to}&page={page - 1}", cls="button")
        first, last = page * LISTED + 1, min((page + 1) * LISTED, n)
        el("span", say("replay.page.now", first=f"{first:,}", last=f"{last:,}", n=f"{n:,}"), cls="soft number")
        if last < n:
            link(say("replay.page.on"), f"{to}&page={page + 1}", cls="button")


async def _one(
    site: Site, say: Say, slug: str, header: Header, read: Sequence[Dialogue], number: int, *, turn: int
) -> None:
    dialogue = read[number - 1]
    steps = of_dialogue(dialogue)
    seen = await asyncio.to_thread(seen_of, site.shelf, header, steps.pictures)
    _trail(say, (plain(header.get("name") or say("replay.all"))[:60], f"/replay/{slug}"))
    heading(1, _opening(dialogue))
    with el("nav", cls="line", aria_label=say("replay.all")):
        el("span", say("replay.number", n=number, all=len(read)), cls="soft number")
        if number > 1:
            link(say("replay.dialogue.back"), f"/replay/{slug}/{number - 1}")
        if number < len(read):
            link(say("replay.dialogue.on"), f"/replay/{slug}/{number + 1}")
    if not seen.address(steps.target) and (seen.shelved is None or not seen.shelved.captions_only):
        el("p", say("replay.unseen"), cls="banner")
    Replay(site, say, steps, seen, at=turn)


def _trail(say: Say, *further: tuple[str, str]) -> None:
    with el("p", cls="eyebrow trail"):
        for k, (name, to) in enumerate([(say("reports.title"), "/reports"), *further]):
            if k:
                el("span", " › ", aria_hidden="true")
            link(name, to)


def _gone(say: Say, error: Exception) -> None:
    ui.context.client.status_code = 404
    heading(1, say("reports.gone"))
    el("p", " ".join(str(error).split()), role="alert")
    with el("p"):
        link(say("reports.back"), "/reports", cls="button")


def _opening(dialogue: Dialogue) -> str:
    said = plain(dialogue.turns[0].text).strip() or plain(dialogue.id)
    return said if len(said) <= 140 else said[:139].rstrip() + "…"


def _is_found(dialogue: Dialogue) -> bool:
    return rank_of(dialogue.turns[-1]) <= 10


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _number(text: str | None) -> int:
    """A whole number of an address; 0 where it is none."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 10 else 0
