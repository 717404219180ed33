"""What an empty screen offers beside the box: chips of what is in this album, and whole sentences. Called by conversation."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from nicegui import background_tasks, ui

from whichpic.errors import WhichpicError
from whichpic.web.album_words import beginning
from whichpic.web.pages.elements import button, el, heading
from whichpic.web.views import Narrow, Say

if TYPE_CHECKING:
    from nicegui.element import Element

    from whichpic.web.album_words import Beginning, Chip
    from whichpic.web.pages.conversation import Page


def draw(page: Page) -> None:
    """The chips, where the page is drawn now; they come when the album has been looked through, and the page does not wait."""
    place = el("div", cls="album-words stack", aria_busy="true")
    client = ui.context.client

    async def fill() -> None:
        try:
            found = await asyncio.to_thread(beginning, page.album.gallery, page.say.language)
        except WhichpicError:
            found = None  # nothing can be searched yet: the page says so
        if not place.is_deleted and not client.is_deleted:
            place.props.pop("aria-busy", None)
            place.update()
            if found is not None:
                _fill(page, place, found)

    background_tasks.create(fill(), name="chips")


def _fill(page: Page, place: Element, found: Beginning) -> None:
    with place:
        if found.chips:
            heading(2, page.say("begin.title"), id="begin-title")
            with el("ul", cls="chips", aria_labelledby="begin-title"):
                for chip in found.chips:
                    with el("li"):
                        button(chip.text, cls="chip", on_click=partial(_chosen, page, chip))
        if found.examples:
            heading(2, page.say("begin.examples"), id="begin-examples")
            with el("ul", cls="examples", aria_labelledby="begin-examples"):
                for text in found.examples:
                    with el("li"):
                        button(text, cls="example", on_click=partial(page.do, Say(text=text)))


async def _chosen(page: Page, chip: Chip) -> None:
    await page.do(Narrow(conditions=[chip.condition]) if chip.condition else Say(text=chip.text))
