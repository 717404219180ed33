"""The server, put together: API, pages and static files behind the guard. Called by `whichpic serve` and tests.

site = Site(shelf, talks, desk, ...); uvicorn serves build(site).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from whichpic import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from whichpic.web.chats import Chats
    from whichpic.web.desk import Desk
    from whichpic.web.shelf import Shelf
    from whichpic.web.talks import Talks

STATIC = Path(__file__).parent / "static"


@dataclass
class Site:
    """What the pages and the API work on."""

    shelf: Shelf
    talks: Talks
    desk: Desk
    models: Sequence[str] = ()
    """Names of chat models (`chat.open_chat`) that may be talked to about pictures; the first one also asks."""
    reports: Sequence[Path] = ()
    """Folders with reports and dialogues."""
    version: str = field(default=__version__)

    @cached_property
    def chats(self) -> Chats:
        """The models of the site, shared by the page that talks about pictures and the API."""
        from whichpic.web.chats import Chats

        return Chats(self.models, self.desk)


def build(site: Site) -> FastAPI:
    """The application. NiceGUI keeps one set of pages per process: so does this."""
    from fastapi import FastAPI
    from fastapi.staticfiles import StaticFiles
    from nicegui import ui

    from whichpic.web.pages import conversation

    app = FastAPI(title="whichpic", version=__version__)
    app.state.site = site
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    conversation.pages(site)
    ui.run_with(app, title="whichpic", tailwind=False, show_welcome_message=False, reconnect_timeout=30.0)
    return app
