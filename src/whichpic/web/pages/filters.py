"""What can be filtered in this album, as chips with counts, dates, and a field for experts. Called by conversation.

Every choice sends all conditions that hold from then on; what was chosen is lit, and the list says how many pass.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from nicegui import background_tasks, ui

from whichpic.errors import WhichpicError
from whichpic.web.album_filters import checked, chosen, counts, dated, dates, groups, toggled
from whichpic.web.pages.elements import button, el, field, heading, put, said
from whichpic.web.views import Narrow

if TYPE_CHECKING:
    from nicegui.element import Element
    from nicegui.elements.mixins.text_element import TextElement

    from whichpic.search.gallery import Gallery
    from whichpic.web.album_filters import Choice, Group
    from whichpic.web.pages.conversation import Page
    from whichpic.web.views import State

FEW = 12
"""Chips of a group before one asks for more."""
MOST = 60


class Filters:
    """A panel that opens where it is made. It draws itself when it is opened, and then with every State."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._client = ui.context.client
        self._gallery: Gallery | None = None
        self._chips: list[tuple[Choice, TextElement, TextElement]] = []
        self._wide: set[str] = set()
        self._typed = ""
        say = page.say
        with el("details", cls="filters") as self._box:
            self._summary = el("summary", say("filter.title"), data_do="filters")
            self._told = said(cls="soft")
            self._error = said(False, cls="trouble empty")
            self._active = el("div", cls="chips active")
            self._body = el("div", cls="filter-groups", aria_busy="true")
        self._box.on("toggle", self._opened, js_handler="(e) => emit(e.target.open)")
        self._open = False
        page.listen(self.update)

    @property
    def held(self) -> list[str]:
        """The conditions that hold now."""
        return list(self.page.state.filters) if self.page.state else []

    def update(self, state: State) -> None:
        """Draw the conditions of a State, and the counts beside them."""
        n = len(state.filters)
        self._summary.text = self.page.say("filter.title.some", n=n) if n else self.page.say("filter.title")
        if self._open:
            background_tasks.create(self._draw(), name="filters")

    async def _opened(self, event: object) -> None:
        self._open = bool(getattr(event, "args", False))
        if self._open:
            await self._draw()

    async def _draw(self) -> None:
        page = self.page
        try:
            gallery = page.talk.session.gallery if page.talk else page.album.gallery
            found = await asyncio.to_thread(groups, gallery)
        except WhichpicError as error:
            self._error.text = " ".join(str(error).split())
            return
        if self._box.is_deleted:
            return
        with self._client:
            if gallery is not self._gallery:
                self._gallery = gallery
                self._build(gallery, found)
            await self._count(gallery)

    # ---- drawing

    def _build(self, gallery: Gallery, found: tuple[Group, ...]) -> None:
        say = self.page.say
        self._chips.clear()
        self._body.clear()
        self._body.props.pop("aria-busy", None)
        with self._body:
            for group in found:
                self._group(group)
            if (span := dates(gallery)) is not None:
                with el("div", cls="filter-group", role="group", aria_labelledby="filter-date"):
                    heading(3, say("filter.date"), id="filter-date")
                    with el("div", cls="line"):
                        for operator, key in ((">=", "from"), ("<=", "to")):
                            field(say(f"filter.{key}"), name=f"filter-{key}", kind="date", min=span[0], max=span[1],
                                  on_change=partial(self._dated, operator))  # fmt: skip
            with el("div", cls="filter-group", role="group", aria_labelledby="filter-free"):
                heading(3, say("filter.free"), id="filter-free")
                field(say("filter.free.label"), name="filter-condition", on_enter=self._free, autocomplete="off",
                      spellcheck="false", placeholder="has!=person", aria_describedby="filter-free-note")  # fmt: skip
                el("p", say("filter.free.note"), id="filter-free-note", cls="soft small")

    def _group(self, group: Group) -> None:
        say, name = self.page.say, f"filter-{group.name}"
        with el("div", cls="filter-group", role="group", aria_labelledby=name):
            heading(3, say(f"filter.{group.name}"), id=name)
            if len(group.choices) > FEW and group.name == "has":
                field(say("filter.search"), name="filter-search", kind="search", autocomplete="off",
                      on_change=partial(self._search, group))  # fmt: skip
            box = el("div", cls="chips")
            self._fill(box, group)

    def _fill(self, box: Element, group: Group, choices: tuple[Choice, ...] | None = None) -> None:
        shown = group.choices if choices is None else choices
        most = MOST if group.name in self._wide or choices is not None else FEW
        with box:
            for choice in shown[:most]:
                chip = button(cls="chip", aria_pressed="false", on_click=partial(self._toggle, choice))
                with chip:
                    el("span", choice.text(self.page.say.language))
                    count = el("span", cls="count")
                self._chips.append((choice, chip, count))

    async def _count(self, gallery: Gallery) -> None:
        held = self.held
        choices = [choice for choice, _, _ in self._chips]
        found = await asyncio.to_thread(counts, gallery, held, choices)
        state = self.page.state
        with self._client:
            for (choice, chip, count), n in zip(self._chips, found, strict=True):
                on = str(chosen(held, choice)).lower()
                if count.text != f"{n:,}":
                    count.text = f"{n:,}"
                if chip.props.get("aria-pressed") != on:
                    put(chip, aria_pressed=on)
            passing = state.passing if state else gallery.n
            self._told.text = self.page.say("filter.passing", passing=f"{passing:,}", total=f"{gallery.n:,}")
            self._held(held)

    def _held(self, held: list[str]) -> None:
        say = self.page.say
        self._active.clear()
        with self._active:
            for condition in held:
                button(condition, icon="close", cls="chip on removable", label=say("talk.filter.remove", condition=condition),
                       on_click=partial(self._send, [each for each in held if each != condition]))  # fmt: skip
            if len(held) > 1:
                button(say("filter.clear"), cls="quiet", on_click=partial(self._send, []))

    # ---- what the user does

    async def _toggle(self, choice: Choice) -> None:
        await self._send(toggled(self.held, choice))

    async def _dated(self, operator: str, day: str) -> None:
        await self._send(dated(self.held, operator, day))

    async def _free(self, text: str) -> None:
        if not text.strip():
            return
        try:
            condition = checked(text)
        except WhichpicError as error:
            self._error.text = " ".join(str(error).split())
            return
        await self._send([*self.held, condition])

    async def _search(self, group: Group, text: str) -> None:
        wanted = text.strip().casefold()
        self._typed = wanted
        # drawn in the second version

    async def _send(self, conditions: list[str]) -> None:
        self._error.text = ""
        await self.page.do(Narrow(conditions=conditions))
