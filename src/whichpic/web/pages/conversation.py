"""The conversation page: say, look, answer, look again. Called by web.app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from nicegui import ui

from whichpic.web.pages.elements import heading
from whichpic.web.pages.frame import frame

if TYPE_CHECKING:
    from whichpic.web.app import Site


def pages(site: Site) -> None:
    """Register the page with NiceGUI."""

    @ui.page("/")
    async def first(request: Request) -> None:
        with frame(request, site, title=site.shelf.first.title, here="find"):
            heading(1, "<b>x</b>")
