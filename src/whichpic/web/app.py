"""The server, put together: API, pages and static files behind the guard. Called by `whichpic serve` and tests.

site = Site(shelf, talks, desk, ...); uvicorn serves build(site).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from whichpic import __version__
from whichpic.web.site import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from fastapi import FastAPI

    from whichpic.web.guard import Guard, Rules
    from whichpic.web.shelf import Shelved
    from whichpic.web.site import Site

RECONNECT = 30.0
"""Seconds that a page which lost its connection is waited for."""


def build(site: Site, *, rules: Rules | None = None) -> Guard:
    """The application behind its guard. NiceGUI keeps one set of pages per process: so does this."""
    # NiceGUI keeps what it stores in the current folder, and looks there when it is imported; we store nothing with it.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", os.devnull)
    from fastapi import FastAPI
    from fastapi.staticfiles import StaticFiles
    from nicegui import ui

    from whichpic.web import api, api_ask, faults
    from whichpic.web.guard import Guard
    from whichpic.web.headers import bless_template
    from whichpic.web.pages import chat, conversation, history, home, reports

    app = FastAPI(title="whichpic", version=__version__, docs_url=None, redoc_url=None, lifespan=_life(site))
    app.state.site = site
    for part in (api, api_ask):
        app.include_router(part.router(site))
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    for page in (home, history, conversation, chat, reports):
        page.pages(site)
    faults.handlers(app, site)
    icon = STATIC / "icon.svg"
    ui.run_with(app, title="whichpic", tailwind=False, show_welcome_message=False, reconnect_timeout=RECONNECT,
                binding_refresh_interval=None, favicon=icon if icon.is_file() else None)  # fmt: skip
    bless_template()
    return Guard(app, rules)


def _life(site: Site) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """While the server runs, sessions that somebody looks at go on over what their album holds now."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def life(app: FastAPI) -> Any:
        ends = [shelved.watch(_growing(site, shelved)) for shelved in site.shelf]
        yield
        for end in ends:
            end()

    return life


def _growing(site: Site, shelved: Shelved) -> Callable[[], None]:
    seen = shelved.revision

    def changed() -> None:
        nonlocal seen
        if shelved.revision != seen:
            seen = shelved.revision
            site.talks.grown(shelved.name)

    return changed
