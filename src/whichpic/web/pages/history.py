"""Earlier sessions of an album: listed, searched, gone on with, replayed, exported, deleted. Called by web.app.

Registered before the conversation page, whose address takes anything for the name of a session.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from fastapi import Request
from nicegui import ui

from whichpic.errors import SessionError, WhichpicError
from whichpic.web.kept import kept
from whichpic.web.pages.elements import button, el, field, heading, link, said
from whichpic.web.pages.frame import frame, spoken
from whichpic.web.pages.replay import Replay
from whichpic.web.seen import Seen
from whichpic.web.steps import of_session

if TYPE_CHECKING:
    from nicegui.elements.mixins.text_element import TextElement

    from whichpic.web.kept import Kept
    from whichpic.web.pages.frame import Say
    from whichpic.web.shelf import Shelved
    from whichpic.web.site import Site

LISTED = 30
_LONGEST = 200  # characters of a search


def pages(site: Site) -> None:
    """Register the pages with NiceGUI."""

    @ui.page("/album/{album}/sessions", response_timeout=30)
    async def sessions(request: Request, album: str) -> None:
        with frame(
            request, site, title=spoken(request)("history.title"), here="find", album=_known(site, album)
        ) as say:
            try:
                shelved = site.shelf[album]
                query = request.query_params.get("q", "").strip()[:_LONGEST]
                skip = request.query_params.get("skip", "")
                past = int(skip) if skip.isascii() and skip.isdecimal() and len(skip) < 8 else 0
                found, more = await asyncio.to_thread(kept, shelved, query=query, skip=past, most=LISTED)
            except (WhichpicError, OSError) as error:
                _gone(say, error, "/")
                return
            _History(site, say, shelved).draw(found, query=query, skip=past, more=more)

    @ui.page("/album/{album}/sessions/{session}/replay", response_timeout=30)
    async def replay(request: Request, album: str, session: str) -> None:
        with frame(request, site, title=spoken(request)("replay.title"), here="find", album=_known(site, album)) as say:
            try:
                talk = await site.desk.list(site.talks.get, album, session)
                steps = await asyncio.to_thread(lambda: of_session(talk.session.twin()))
                if not steps.steps:
                    raise SessionError("nothing was done in this session yet")
            except (WhichpicError, OSError) as error:
                _gone(say, error, f"/album/{quote(album, safe='')}")
                return
            root = f"/album/{quote(album, safe='')}"
            with el("p", cls="eyebrow trail"):
                link(say("history.title"), f"{root}/sessions")
            heading(1, next((step.said for step in steps.steps if step.said), say("history.wordless"))[:140])
            with el("nav", cls="line", aria_label=say("history.title")):
                el("time", say("replay.session", at=_when(steps.steps[0].at)), cls="soft", datetime=steps.steps[0].at)
                link(say("history.on"), f"{root}/{quote(session, safe='')}")
            turn = request.query_params.get("turn", "")
            at = int(turn) if turn.isascii() and turn.isdecimal() and len(turn) < 6 else 0
            Replay(site, say, steps, Seen(talk.shelved), at=at, found=True)


class _History:
    """The list of one album's sessions."""

    def __init__(self, site: Site, say: Say, shelved: Shelved) -> None:
        self.site, self.say, self.shelved = site, say, shelved
        self.root = f"/album/{quote(shelved.name, safe='')}"
        self.seen = Seen(shelved)

    def draw(self, found: list[Kept], *, query: str, skip: int, more: bool) -> None:
        """The page inside its frame."""
        say = self.say
        heading(1, say("history.title"))
        el("p", say("history.lead", album=self.shelved.title), cls="lead")
        with el("form", cls="line history-search", method="get", action=f"{self.root}/sessions", role="search"):
            field(say("history.search"), name="q", value=query, kind="search", maxlength=_LONGEST, autocomplete="off")
            button(say("history.search.go"), type="submit")
            if query:
                link(say("history.search.all"), f"{self.root}/sessions")
            link(say("history.back"), self.root, cls="push")
        self._status = said()
        if not found:
            el("p", say("history.none.like" if query else "history.none"), cls="empty")
        with el("ul", cls="list history"):
            for each in found:
                with el("li") as line:
                    self._row(each, line)
        if skip or more:
            self._leaf(query, skip, more=more)

    def _leaf(self, query: str, skip: int, *, more: bool) -> None:
        with el("nav", cls="line", aria_label=self.say("replay.pages")):
            for key, to, there in (("newer", max(skip - LISTED, 0), skip > 0), ("more", skip + LISTED, more)):
                if there:
                    asked = urlencode({"q": query, "skip": to} if query else {"skip": to})
                    link(self.say(f"history.{key}"), f"{self.root}/sessions?{asked}", cls="button")

    def _row(self, each: Kept, line: TextElement) -> None:
        say = self.say
        if each.trouble:
            el("span", each.id, cls="report-name")
            el("span", say("history.damaged", why=each.trouble), cls="trouble")
            return
        address = self.seen.address(each.found) if each.found else ""
        if address:
            el("img", src=address, alt=self.seen.words(each.found)[:200], cls="thumb", loading="lazy")
        elif not self.shelved.captions_only:
            el("span", cls="thumb", aria_hidden="true")
        with el("div", cls="history-what"):
            link(each.said or say("history.wordless"), f"{self.root}/{quote(each.id, safe='')}", cls="report-name")
            turns = say("history.turns.one") if each.turns == 1 else say("history.turns", turns=each.turns)
            state = say("history.found" if each.found else "history.open")
            with el("p", cls="soft small number"):
                el("time", _when(each.at), datetime=each.at)
                el("span", f" · {turns} · {state}")
            if each.found and not address:
                el("p", self.seen.words(each.found)[:200], cls="small")
            self._actions(each, line)

    def _actions(self, each: Kept, line: TextElement) -> None:
        say = self.say
        api = f"/api/v1/albums/{quote(self.shelved.name, safe='')}/sessions/{quote(each.id, safe='')}"
        with el("div", cls="line small history-actions"):
            link(say("history.replay"), f"{self.root}/sessions/{quote(each.id, safe='')}/replay")
            link(say("history.export"), f"{api}/export.html?language={say.language}", download=f"{each.id}.html")
            link(say("history.export.json"), f"{api}/export.json", download=f"{each.id}.json")

            async def remove() -> None:
                try:
                    await self.site.desk.list(self.site.talks.remove, self.shelved.name, each.id)
                except WhichpicError as error:
                    self._status.set_text(str(error))
                    return
                line.delete()
                self._status.set_text(say("history.deleted"))

            with el("details", cls="inline"):
                el("summary", say("history.delete"))
                el("span", say("history.delete.sure") + " ", cls="soft")
                button(say("history.delete.yes"), on_click=remove, cls="danger", do="delete", data_key=each.id)


def _known(site: Site, album: str) -> str:
    return album if album in site.shelf.albums else ""


def _gone(say: Say, error: Exception, to: str) -> None:
    ui.context.client.status_code = 404
    heading(1, say("reports.gone"))
    el("p", " ".join(str(error).split()), role="alert")
    with el("p"):
        link(say("history.back"), to, cls="button")


def _when(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC" if at else ""
