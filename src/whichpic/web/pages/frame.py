"""What all pages share: the head, the bar on top, language and theme. Called by every page.

async def page(request: Request) -> None:
    with frame(request, site, title=..., here="find") as say: ...
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from nicegui import ui

from whichpic.web.pages.elements import el, link
from whichpic.web.texts import HTML_LANGUAGE, language_of
from whichpic.web.texts import say as text_of

if TYPE_CHECKING:
    from fastapi import Request

    from whichpic.web.app import Site
    from whichpic.web.texts import Language

Here = Literal["find", "chat", "reports", ""]


class Say:
    """The texts of a page in its language: say("nav.find"); `language` is "en" or "zh"."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, its places filled."""
        return text_of(key, self.language, **values)


def spoken(request: Request) -> Say:
    """The texts in the language of a request: ?lang=, else the cookie, else what the browser prefers."""
    return Say(language_of(request.query_params.get("lang"), request.cookies.get("lang"),
                           request.headers.get("accept-language", "")))  # fmt: skip


@contextmanager
def frame(request: Request, site: Site, *, title: str, here: Here = "", cls: str = "") -> Iterator[Say]:
    """The page around its content: inside it is <main>. title: of the browser's tab."""
    say = spoken(request)
    client = ui.context.client
    client.page = copy.copy(client.page)
    client.page.language = HTML_LANGUAGE[say.language]
    client.page.title = f"{title} · whichpic" if title else "whichpic"
    ui.add_head_html(f'<link rel="stylesheet" href="/static/whichpic.css?v={site.version}">')
    ui.add_head_html(f'<script defer src="/static/page.js?v={site.version}"></script>')
    client.content.classes(remove="nicegui-content").classes("site")
    el("a", say("skip"), cls="skip", href="#main")
    with el("header", cls="bar"):
        link("whichpic", "/", cls="wordmark")
        with el("nav", aria_label=say("nav.label")):
            for name, to in (("find", "/"), ("chat", "/chat"), ("reports", "/reports")):
                link(say(f"nav.{name}"), to, aria_current="page" if name == here else None)
        other: Language = "en" if say.language == "zh" else "zh"
        link(
            say("language"), f"?lang={other}", cls="quiet", lang=HTML_LANGUAGE[other], aria_label=say("language.label")
        )
    with el("main", id="main", cls=cls, tabindex="-1"):
        yield say
