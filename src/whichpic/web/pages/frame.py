"""What all pages share: the head, the bar on top, language and theme. Called by every page.

async def page(request: Request) -> None:
    with frame(request, site, title=..., here="find") as say: ...
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Literal

from nicegui import ui

from whichpic.web.pages.elements import button, el, link
from whichpic.web.site import STATIC
from whichpic.web.texts import HTML_LANGUAGE, language_of
from whichpic.web.texts import say as text_of

if TYPE_CHECKING:
    from fastapi import Request
    from nicegui.element import Element

    from whichpic.web.site import Site
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
def frame(
    request: Request, site: Site, *, title: str, here: Here = "", cls: str = "", album: str = "", helps: bool = False
) -> Iterator[Say]:
    """The page around its content: inside it is <main>. title: of the browser's tab.

    album: the name of the one that the page is about. helps: whether the page answers the help button.
    """
    say = spoken(request)
    _head(site, say, title)
    el("a", say("skip"), cls="skip", href="#main")
    with el("header", cls="bar"):
        link("whichpic", "/", cls="wordmark")
        _navigation(site, say, here, album)
        _controls(say, helps)
    with el("main", id="main", cls=cls, tabindex="-1"):
        yield say
    with el("footer", cls="foot"):
        if _on_this_machine(request) and not site.models:  # a model may be elsewhere
            el("p", say("foot.local"))
        el("p", f"whichpic {site.version}")


def _head(site: Site, say: Say, title: str) -> None:
    client = ui.context.client
    client.page = copy.copy(client.page)
    client.page.language = HTML_LANGUAGE[say.language]
    client.page.title = f"{title} · whichpic" if title else "whichpic"
    client.page.dark = None
    client.page.favicon = _icon()
    version = f"?v={site.version}"
    ui.add_head_html(f'<script src="/static/theme.js{version}"></script>')
    ui.add_head_html(f'<link rel="stylesheet" href="/static/whichpic.css{version}">')
    ui.add_head_html(f'<script defer src="/static/page.js{version}"></script>')
    # NiceGUI's shell is a layout of Quasar's with a <main> of its own; plain boxes leave the landmarks to us.
    shell: Element | None = client.content
    while shell is not None:
        shell.tag = "div"
        shell.props.clear()
        shell.classes(replace="site" if shell is client.content else "shell")
        shell = shell.parent_slot.parent if shell.parent_slot else None


@cache
def _icon() -> str:
    return (STATIC / "icon.svg").read_text(encoding="utf-8").strip()


def _navigation(site: Site, say: Say, here: Here, album: str) -> None:
    places = [("find", f"/album/{album}" if album else "/"), ("chat", "/chat")]
    if site.reports:
        places.append(("reports", "/reports"))
    with el("nav", aria_label=say("nav.label")):
        for name, to in places:
            link(say(f"nav.{name}"), to, aria_current="page" if name == here else None)
        if album and len(site.shelf) > 1:
            with el("details", cls="menu"):
                el("summary", site.shelf[album].title, aria_label=say("nav.album", name=site.shelf[album].title))
                with el("ul"):
                    for each in site.shelf:
                        with el("li"):
                            link(each.title, f"/album/{each.name}", aria_current="true" if each.name == album else None)


def _controls(say: Say, helps: bool) -> None:
    other: Language = "en" if say.language == "zh" else "zh"
    with el("div", cls="controls"):
        if helps:
            button(icon="help", label=say("nav.help"), cls="quiet", do="help", data_opens="help-sheet")
        with button(cls="quiet theme", do="theme"):
            el("span", say("theme.label"), cls="unseen")
            for name in ("auto", "light", "dark"):
                with el("span", cls=f"when-{name}"):
                    el("span", cls=f"icon icon-{name}", aria_hidden="true")
                    el("span", say(f"theme.{name}"), cls="word")
        link(say("language"), f"?lang={other}", cls="quiet language", lang=HTML_LANGUAGE[other],
             aria_label=say("language.label"))  # fmt: skip


def _on_this_machine(request: Request) -> bool:
    client = request.client
    return client is not None and client.host in ("127.0.0.1", "::1", "localhost")
