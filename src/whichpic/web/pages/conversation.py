"""The conversation page: say, look, answer, look again. Called by web.app.

A Page holds one Talk and draws its States, whoever caused them: this page, another tab, the API, an assistant. Its parts
(query, question, grid, timeline) each draw what they need of a State, and nothing where that has not changed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request
from nicegui import background_tasks, ui

from whichpic.errors import WhichpicError
from whichpic.web import views
from whichpic.web.pages.asking import Asking
from whichpic.web.pages.elements import button, el, heading, link, said
from whichpic.web.pages.frame import frame
from whichpic.web.pages.grid import Grid, seen
from whichpic.web.pages.help import Help
from whichpic.web.pages.panels import Panels
from whichpic.web.pages.query import Box, Query
from whichpic.web.pages.timeline import Found, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from whichpic.web.pages.frame import Say
    from whichpic.web.shelf import Shelved
    from whichpic.web.site import Site
    from whichpic.web.talk import Talk

PATIENCE = 30.0
"""Seconds that reading a session again may take before its page fails."""


def pages(site: Site) -> None:
    """Register the pages with NiceGUI."""

    @ui.page("/album/{album}", response_timeout=PATIENCE)
    async def begin(request: Request, album: str) -> None:
        await _page(request, site, album, "")

    @ui.page("/album/{album}/{session}", response_timeout=PATIENCE)
    async def go_on(request: Request, album: str, session: str) -> None:
        await _page(request, site, album, session)


def address(album: str, session: str = "") -> str:
    """The address of a conversation, or of a new one."""
    return f"/album/{quote(album, safe='')}" + (f"/{quote(session, safe='')}" if session else "")


async def _page(request: Request, site: Site, album: str, session: str) -> None:
    try:
        shelved = site.shelf[album]
    except WhichpicError as error:
        with frame(request, site, title="", here="find") as say:
            _gone(say, str(error), "/")
        return
    with frame(request, site, title=shelved.title, here="find", cls="conversation", helps=True, album=album) as say:
        Help(say)
        page = Page(site, say, shelved)
        try:
            if session and shelved.ready:
                page.talk = await site.desk.list(site.talks.get, album, session, language=page.language)
        except WhichpicError as error:
            _gone(say, site.shelf.line(error), address(album))
            return
        await page.draw()


def _gone(say: Say, why: str, to: str) -> None:
    ui.context.client.status_code = 404
    heading(1, say("talk.gone.title"))
    el("p", say("talk.gone", why=" ".join(why.split())), role="alert")
    with el("p"):
        link(say("talk.gone.new"), to, cls="button", data_do="new")


class Page:
    """One browser's view of one conversation. Its panels get it, too; only its event loop may call it."""

    def __init__(self, site: Site, say: Say, shelved: Shelved) -> None:
        self.site = site
        self.say = say
        self.album = shelved
        self.talk: Talk | None = None
        self.state: views.State | None = None
        self.client = ui.context.client
        self.main = ui.context.slot.parent
        self._drawn = -1
        self._told = ("", "")
        self._listeners: list[Callable[[views.State], None]] = []
        self._loop = asyncio.get_running_loop()
        self._ends: list[Callable[[], object]] = []
        self.client.on_delete(self._close)
        self.client.on_exception(self._fault)

    @property
    def language(self) -> str:
        """The language of a session's questions: that of a Chinese page, else that of what is said."""
        return "zh" if self.say.language == "zh" else "auto"

    def listen(self, changed: Callable[[views.State], None]) -> None:
        """Call `changed`, inside the page, with every State that is drawn."""
        self._listeners.append(changed)

    # ---- what the user does

    async def begun(self) -> Talk:
        """The conversation, begun now where there is none. Raises WhichpicError."""
        if self.talk is None:
            talk = await self.site.desk.list(self.site.talks.begin, self.album.name, language=self.language)
            if self.talk is None:  # else a second event has begun one meanwhile
                self.talk = talk
                self._follow()
        return self.talk

    async def do(self, doing: views.Doing) -> bool:
        """Do it, show the list, then ask. An error is said on the page, and nothing is lost; False then."""
        return await self._doing(lambda talk: talk.do(doing))

    async def tell(self, text: str) -> bool:
        """What the user says: a text that is empty does nothing, one too long is said so."""
        return await self.worded(text, lambda words: views.Say(text=words))

    async def worded(self, text: object, make: Callable[[str], views.Doing]) -> bool:
        """Do what is made of words that came from the browser."""
        words = text.strip() if isinstance(text, str) else ""
        if len(words) > views.LONGEST_TEXT:
            self.trouble(self.say("talk.long", most=f"{views.LONGEST_TEXT:,}"))
            return False
        return bool(words) and await self.do(make(words))

    async def show(self, k: int) -> bool:
        """A longer list."""
        return await self._doing(lambda talk: talk.show(k))

    async def stop(self) -> bool:
        """Wait for no model any more: the question is made without one."""
        return await self._doing(lambda talk: talk.hurry(self.say("talk.stopped")))

    async def branch(self, n: int) -> None:
        """A conversation of its own that goes on from record n, at its own address."""
        if self.talk is None:
            return
        try:
            branched = await self.site.desk.list(self.site.talks.branch, self.talk, n)
        except WhichpicError as error:
            self.trouble(str(error))
            return
        with self.client:
            ui.navigate.to(address(self.album.name, branched.id))

    def trouble(self, text: str = "") -> None:
        """Say what went wrong, in one line; without a text, that nothing does."""
        line = self.site.shelf.line(text)[:400]
        if line != self._trouble.text:
            self._trouble.set_text(line)

    def _fault(self) -> None:
        """A fault of ours: the log has it, and the page says so."""
        self.trouble(self.say("fault.500.text"))

    def announce(self, text: str) -> None:
        """Say something to those who hear the page."""
        self._status.set_text(text)

    def sent(self, box: str) -> None:
        """What was typed into a box has been done: empty it."""
        with self.client:
            ui.run_javascript(f"whichpic.sent({box!r})")

    async def _doing(self, work: Callable[[Talk], views.State]) -> bool:
        try:
            talk = await self.begun()
            state = await self.site.desk.list(work, talk)
        except WhichpicError as error:
            self.trouble(" ".join(str(error).split()))
            return False
        self.trouble("")
        self._draw(state)
        return True

    # ---- drawing

    async def draw(self) -> None:
        """The page, as it is before any State; goes on by itself when the album can be searched."""
        self.main.props["data-album"] = self.album.name
        self.main.props["data-gone"] = self.say("talk.picture.gone")
        if not self.album.ready:
            self._wait()
            return
        say = self.say
        self.main.on("trouble", lambda event: self.trouble(str(event.args)), js_handler="(e) => emit(e.detail)")
        self._status = said(cls="unseen")
        self.panels = Panels(self)
        self.panels.growing()
        with el("div", cls="work"):
            with el("div", cls="stack"):
                with el("div", cls="hero") as self._hero:
                    self._title = heading(1, say("talk.remember"))
                    self.box = Box(self)
                    self._trouble = said(False, cls="trouble")
                    with el("div", cls="begin") as self._begin:
                        if self.talk is None:
                            self.panels.begin()
                self.query = Query(self)
                self.asking = Asking(self)
                self.query.tools()
                self.found = Found(self)
                self.grid = Grid(self)
            self.timeline = Timeline(self)
        self.panels.dialogs()
        button(on_click=self._begin_now, do="begin", hidden=True, aria_hidden="true", tabindex="-1")
        if self.talk is not None:
            self._follow()
            self._draw(self.talk.state)

    def _wait(self) -> None:
        with el("div", cls="stack"):
            heading(1, self.say("talk.finding", title=self.album.title))
            waiting = el("p", self.say("talk.waiting"), role="status")
            self._trouble = said(False, cls="trouble")
            Panels(self).growing()

        def changed() -> None:
            self._loop.call_soon_threadsafe(again if self.album.ready else told)

        def again() -> None:
            self._close()
            with self.client:
                ui.run_javascript("location.reload()")

        def told() -> None:
            seen(waiting, self.album.indexing.state != "failed")  # then the banner says why, and offers to try again

        self._ends.append(self.album.watch(changed))
        changed()

    async def _begin_now(self) -> None:
        """A drop needs the address of a session: page.js clicks this and waits for it."""
        try:
            talk = await self.begun()
        except WhichpicError as error:
            self.trouble(" ".join(str(error).split()))
            return
        self.main.props["data-session"] = talk.id
        self.main.update()

    def _follow(self) -> None:
        assert self.talk is not None
        talk = self.talk
        if self.client.is_deleted:  # closed while the conversation was begun
            return

        def changed(state: views.State) -> None:
            if not self._loop.is_closed():  # the server ends, and a model has answered still
                self._loop.call_soon_threadsafe(self._draw, state)

        self._ends.append(talk.watch(changed))

    def _close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def _draw(self, state: views.State) -> None:
        """Draw a State unless a newer one has been drawn; ask where nobody does."""
        if state.revision <= self._drawn or self.client.is_deleted:
            return
        before, self.state, self._drawn = self.state, state, state.revision
        with self.client:
            self._settle(before, state)
            self._tell(state)
            for part in (self.box, self.query, self.asking, self.grid, self.found, self.timeline):
                part.draw(state)
            for changed in self._listeners:
                changed(state)
        if state.turns and state.chosen is None and not (state.asking or state.questions):
            background_tasks.create(self._ask(), name="ask")

    async def _ask(self) -> None:
        if self.talk is not None:
            await self.site.desk.list(self.talk.ask)

    def _settle(self, before: views.State | None, state: views.State) -> None:
        """What is of the page as a whole: its address, whether it has begun."""
        begun = bool(state.turns)
        if before is None or begun != bool(before.turns):
            self.main.classes(add="begun" if begun else "", remove="" if begun else "begun")
            self._hero.classes(add="asking" if begun else "hero", remove="hero" if begun else "asking")
            self._title.classes(add="unseen" if begun else "", remove="" if begun else "unseen")
            self._title.set_text(self.say("talk.finding" if begun else "talk.remember", title=self.album.title))
            seen(self._begin, not begun)
        if before is None or before.chosen != state.chosen:
            found = state.chosen is not None
            self.main.classes(add="ended" if found else "", remove="" if found else "ended")
        if before is None and begun:
            self.main.props["data-session"] = state.id
            self.main.update()
            # The address carries the session; what went before stays one step back.
            ui.run_javascript(f"whichpic.at({address(self.album.name, state.id)!r})")

    def _tell(self, state: views.State) -> None:
        """One sentence for those who do not see the grid, once per list and once per question."""
        if state.chosen is not None:
            self.announce(f"{self.say('talk.found')}: {state.chosen.alt or state.chosen.name}")
            return
        first = state.pictures[0].picture if state.pictures else None
        n = len(state.pictures)
        lists = self.say("talk.told", n=n, first=first.alt or first.name) if first else self.say("talk.told.none")
        asks = self.say("talk.told.question", question=state.questions[0].text) if state.questions else ""
        if (lists, asks) != self._told and state.turns:
            new_list = lists != self._told[0]
            self.announce(" ".join(part for part in (lists if new_list or not asks else "", asks) if part))
            self._told = (lists, asks)
