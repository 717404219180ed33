"""What can be filtered in this album, as chips with counts, dates, and a field for experts. Called by conversation.

Every choice sends all conditions that hold from then on; what was chosen is lit, and the list says how many pass.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from nicegui import background_tasks, ui

from whichpic.errors import WhichpicError
from whichpic.web.album_filters import checked, chosen, counts, dated, dates, groups, named, toggled
from whichpic.web.pages.elements import button, el, field, heading, put, said
from whichpic.web.views import Narrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nicegui.element import Element
    from nicegui.elements.mixins.text_element import TextElement
    from nicegui.events import GenericEventArguments

    from whichpic.search.gallery import Gallery
    from whichpic.web.album_filters import Choice, Group
    from whichpic.web.pages.conversation import Page
    from whichpic.web.views import State

FEW = 12
"""Chips of a group before one asks for all."""


class Filters:
    """A panel that opens where it is made. It is drawn when it is opened, and then with every State."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._client = ui.context.client
        self._gallery: Gallery | None = None
        self._open = False
        self._chips: dict[str, list[tuple[Choice, TextElement, TextElement]]] = {}
        with el("details", cls="filters") as self._box:
            with el("summary", data_do="filters"):
                self._title = el("span", page.say("filter.title"))
            with el("div", cls="line"):
                self._told = said(cls="soft")
                self._clear = button(page.say("filter.clear"), cls="quiet", do="unfilter-all", hidden=True,
                                     on_click=partial(self._send, []))  # fmt: skip
            self._error = el("p", cls="trouble", role="alert", hidden=True)
            self._body = el("div", cls="filter-groups", aria_busy="true")
        self._box.on("toggle", self._opened, js_handler="(e) => emit(e.target.open)")
        page.listen(self.update)

    @property
    def held(self) -> list[str]:
        """The conditions that hold now."""
        return list(self.page.state.filters) if self.page.state else []

    def update(self, state: State) -> None:
        """Draw the conditions of a State, and the counts beside them."""
        n = len(state.filters)
        self._title.text = self.page.say("filter.title.some", n=n) if n else self.page.say("filter.title")
        if self._open:
            background_tasks.create(self._draw(), name="filters")

    async def _opened(self, event: GenericEventArguments) -> None:
        self._open = bool(event.args)
        if self._open:
            await self._draw()

    async def _draw(self) -> None:
        page = self.page
        try:
            gallery = page.talk.session.gallery if page.talk else page.album.gallery
            found = await asyncio.to_thread(groups, gallery)
        except WhichpicError as error:
            self._wrong(error)
            return
        if self._box.is_deleted:
            return
        if gallery is not self._gallery:
            self._gallery = gallery
            with self._client:
                self._build(gallery, found)
        await self._count()

    # ---- drawing

    def _build(self, gallery: Gallery, found: tuple[Group, ...]) -> None:
        self._chips.clear()
        self._body.clear()
        put(self._body, aria_busy=None)
        with self._body:
            for group in found:
                self._group(group)
                if group.name == "has" and (span := dates(gallery)) is not None:
                    self._dates(span)
            with self._part("free"):
                field(self.page.say("filter.free.label"), name="filter-condition", on_enter=self._free, autocomplete="off",
                      spellcheck="false", placeholder="has!=person", aria_describedby="filter-free-note")  # fmt: skip
                el("p", self.page.say("filter.free.note"), id="filter-free-note", cls="soft small")

    def _part(self, name: str) -> TextElement:
        """A group with its heading."""
        part = el("div", cls="filter-group", role="group", aria_labelledby=f"filter-{name}")
        with part:
            heading(3, self.page.say(f"filter.{name}"), id=f"filter-{name}")
        return part

    def _group(self, group: Group) -> None:
        say = self.page.say
        with self._part(group.name):
            if len(group.choices) > FEW:
                hint = say("filter.search.hint", n=len(group.choices))
                box = field(say("filter.search"), name=f"filter-search-{group.name}", kind="search", seen=False,
                            autocomplete="off", placeholder=hint)  # fmt: skip
            chips = el("div", cls="chips")
            if len(group.choices) > FEW:
                box.on("input", lambda event: self._search(group, chips, str(event.args or "")), throttle=0.2,
                       js_handler="(e) => emit(e.target.value)")  # fmt: skip
            self._fill(chips, group, group.choices[:FEW])
            if FEW < len(group.choices) <= 4 * FEW:
                every = button(say("filter.all", n=len(group.choices)), cls="quiet")

                async def all_of_them() -> None:
                    every.delete()
                    await self._again(chips, group, group.choices)

                every.on("click", all_of_them, args=[])

    def _dates(self, span: tuple[str, str]) -> None:
        say = self.page.say
        with self._part("date"), el("div", cls="line"):
            for operator, key in ((">=", "from"), ("<=", "to")):
                held = next((each for each in self.held if each.startswith(f"date{operator}")), "")
                with el("div"):
                    field(say(f"filter.{key}"), name=f"filter-{key}", kind="date", min=span[0], max=span[1],
                          value=held.removeprefix(f"date{operator}"), on_change=partial(self._dated, operator))  # fmt: skip

    def _fill(self, box: Element, group: Group, choices: Sequence[Choice]) -> None:
        """The chips of a group; those that are chosen stay whatever is searched for."""
        held = self.held
        shown = [*choices, *(each for each in group.choices if each not in choices and chosen(held, each))]
        self._chips[group.name] = []
        with box:
            for choice in shown:
                chip = button(cls="chip", aria_pressed=str(chosen(held, choice)).lower(), data_key=choice.condition,
                              on_click=partial(self._toggle, choice))  # fmt: skip
                with chip:
                    el("span", choice.text(self.page.say.language))
                    count = el("span", cls="count")
                self._chips[group.name].append((choice, chip, count))

    async def _again(self, box: Element, group: Group, choices: Sequence[Choice]) -> None:
        box.clear()
        self._fill(box, group, choices)
        if not self._chips[group.name]:
            with box:
                el("p", self.page.say("filter.none"), cls="soft")
        await self._count()

    async def _search(self, group: Group, box: Element, text: str) -> None:
        await self._again(box, group, named(group, text)[: 2 * FEW] if text.strip() else group.choices[:FEW])

    async def _count(self) -> None:
        """How many pass with each; and what is chosen."""
        gallery, held = self._gallery, self.held
        if gallery is None:
            return
        chips = [each for of in self._chips.values() for each in of]
        try:
            found = await asyncio.to_thread(counts, gallery, held, [choice for choice, _, _ in chips])
            passing = int(gallery.passing(tuple(held)).sum())
        except WhichpicError as error:
            self._wrong(error)
            return
        for (choice, chip, count), n in zip(chips, found, strict=True):
            if count.text != f"{n:,}":
                count.text = f"{n:,}"
            on = str(chosen(held, choice)).lower()
            if chip.props.get("aria-pressed") != on:
                put(chip, aria_pressed=on)
        self._told.text = self.page.say("filter.passing", passing=f"{passing:,}", total=f"{gallery.n:,}")
        put(self._clear, hidden=not held)

    # ---- what the user does

    async def _toggle(self, choice: Choice) -> None:
        await self._send(toggled(self.held, choice))

    async def _dated(self, operator: str, day: str) -> None:
        await self._send(dated(self.held, operator, day))

    async def _free(self, text: str) -> None:
        if text.strip():
            try:
                await self._send([*self.held, checked(text)])
            except WhichpicError as error:
                self._wrong(error)

    async def _send(self, conditions: list[str]) -> None:
        gallery = self._gallery
        if gallery is not None:
            try:
                await asyncio.to_thread(gallery.passing, tuple(conditions))
            except WhichpicError as error:
                self._wrong(error)
                return
        self._wrong()
        await self.page.do(Narrow(conditions=conditions))

    def _wrong(self, error: WhichpicError | None = None) -> None:
        """Say beside the field what was wrong, in one line; without an error, that nothing is."""
        self._error.text = "" if error is None else " ".join(str(error).split())[:400]
        put(self._error, hidden=error is None)
