"""The first page: the albums that are served, each with its last sessions. Called by web.app.

Where there is one album only, the page is that album's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui import ui

from whichpic.errors import WhichpicError
from whichpic.web.pages.elements import el, heading, link
from whichpic.web.pages.frame import frame
from whichpic.web.pages.grid import thumbnail

if TYPE_CHECKING:
    from fastapi import Response

    from whichpic.web.kept import Kept
    from whichpic.web.pages.frame import Say
    from whichpic.web.shelf import Shelved
    from whichpic.web.site import Site

PICTURES, SESSIONS, CAPTIONS = 3, 3, 2


def pages(site: Site) -> None:
    """Register the page with NiceGUI."""

    @ui.page("/")
    async def home(request: Request) -> Response | None:
        if len(site.shelf) == 1:
            asked = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(_address(site.shelf.first) + asked)
        kept = await asyncio.gather(*(_kept(site, each) for each in site.shelf))
        with frame(request, site, title="", here="find") as say:
            heading(1, say("home.lead"))
            with el("ul", cls="covers"):
                for shelved, sessions in zip(site.shelf, kept, strict=True):
                    with el("li", cls="cover"):
                        _cover(say, shelved)
                        _sessions(say, shelved, sessions)
        return None


def _address(shelved: Shelved, *rest: str) -> str:
    return "/".join(("/album", *(quote(part, safe="") for part in (shelved.name, *rest))))


async def _kept(site: Site, shelved: Shelved) -> list[Kept]:
    with suppress(WhichpicError, OSError):
        return await site.desk.list(site.talks.kept, shelved.name, SESSIONS)
    return []


def _cover(say: Say, shelved: Shelved) -> None:
    with el("div", cls="cover-pictures"):
        if shelved.ready and shelved.captions_only:
            _captions(shelved)
        elif shelved.ready:
            for picture in _some(shelved):
                el("img", src=thumbnail(shelved.name, picture, 640), alt="", loading="lazy", decoding="async")
    with heading(2, ""):
        link(shelved.title, _address(shelved))
    _count(say, shelved)


def _captions(shelved: Shelved) -> None:
    with el("div", cls="cover-captions"):
        for told in list(shelved.gallery.captions.values())[:CAPTIONS]:
            el("p", told[0][:120] if told else "")


def _some(shelved: Shelved) -> list[str]:
    """A few pictures, spread over the album: neighbours in a folder often look alike."""
    pictures = shelved.gallery.pictures
    few = min(PICTURES, len(pictures))
    return [pictures[k * len(pictures) // few].id for k in range(few)]


def _count(say: Say, shelved: Shelved) -> None:
    line = el("p", cls="soft small")
    loop, client = asyncio.get_running_loop(), ui.context.client

    def draw() -> None:
        now = shelved.indexing
        n = f"{shelved.gallery.n:,}" if shelved.ready else ""
        text = say("home.captions" if shelved.captions_only else "home.pictures", n=n) if n else say("home.empty")
        if now.state == "running" and now.total:
            text = f"{text} · {say('home.indexing', done=f'{now.done:,}', total=f'{now.total:,}')}"
        if text != line.text:
            line.text = text

    def moved() -> None:
        loop.call_soon_threadsafe(draw)

    draw()
    client.on_delete(shelved.watch(moved))


def _sessions(say: Say, shelved: Shelved, sessions: list[Kept]) -> None:
    if not sessions:
        return
    heading(3, say("home.last"))
    with el("ul", cls="list"):
        for each in sessions:
            with el("li"):
                link(each.said or say("home.untold"), _address(shelved, each.id))
                if each.found:
                    el("span", say("home.found"), cls="soft")
        with el("li"):
            link(say("home.all"), _address(shelved, "sessions"), cls="small")
