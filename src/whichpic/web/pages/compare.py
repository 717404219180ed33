"""Two to four pictures side by side, with what differs between them. Called by conversation and grid."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from whichpic.errors import WhichpicError
from whichpic.web import views
from whichpic.web.pages.elements import button, dialog, el, heading, hide, show
from whichpic.web.pages.grid import image
from whichpic.web.pages.knowledge import LIKELY, fact_name, fact_value, known, reason_text, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.web.pages.conversation import Page

NAME = "compare"
MOST = 4
_SIDE = 960
_MOST_FACTS = 12
_LOUD = 0.3
"""Nats by which one event must tell two pictures apart to be named."""


class Compare:
    """The dialog. `open` shows two to four pictures of the album."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._pictures: list[str] = []
        self._client = ui.context.client
        with dialog(NAME, page.say("compare.title"), close=page.say("viewer.close"), cls="compare"):
            self._box = el("div", cls="stack")

    async def open(self, pictures: Sequence[str]) -> None:
        """Show these pictures, four at most; fewer than two are not compared."""
        await self._draw(list(dict.fromkeys(pictures))[:MOST])
        if len(self._pictures) > 1:
            with self._client:
                show(NAME)

    async def _draw(self, pictures: list[str]) -> None:
        page = self.page
        try:
            found = [await known(page, each) for each in pictures]
        except WhichpicError as error:
            page.trouble(" ".join(str(error).split()))
            self._close()
            return
        details, why = [each for each, _, _ in found], [each for _, each, _ in found]
        if self._box.is_deleted:
            return
        self._pictures = pictures
        if len(pictures) < 2:
            self._close()
            return
        differing = differences(details)
        with self._client:
            self._box.clear()
            with self._box:
                el("p", page.say("compare.lead"), cls="soft")
                with el("ul", cls="compare-pictures"):
                    for at, detail in enumerate(details):
                        with el("li", cls="stack"):
                            self._one(at, detail, differing[at], told_apart(why, at))

    def _one(self, at: int, detail: views.PictureDetail, differing: list[views.FactView],
             loud: list[tuple[views.ReasonView, float]]) -> None:  # fmt: skip
        say, picture = self.page.say, detail.picture
        name = picture.name.rpartition("/")[2]
        if self.page.album.captions_only:
            el("p", picture.alt or picture.name, cls="caption query-text")
        else:
            el("img", src=image(self.page.album.name, picture.id, _SIDE), alt=picture.alt or picture.name,
               width=picture.width or None, height=picture.height or None)  # fmt: skip
        heading(3, say("compare.one", n=at + 1, name=name))
        with el("div", cls="line", role="group", aria_label=say("compare.one", n=at + 1, name=name)):
            button(say("compare.closest"), cls="primary", do="closest", on_click=partial(self._closest, picture.id))
            button(say("talk.this"), icon="check", do="this", on_click=partial(self._choose, picture.id))
            button(
                say("compare.remove"),
                icon="close",
                cls="quiet",
                do="remove",
                on_click=partial(self._remove, picture.id),
            )
        with el("dl", cls="facts"):
            rows: dict[str, list[str]] = {}
            for fact in differing[:_MOST_FACTS]:
                rows.setdefault(fact_name(fact.attribute, say), []).append(fact_value(fact.attribute, fact.value, say))
            for label, values in rows.items():
                el("dt", label)
                el("dd", "、".join(values) if say.language == "zh" else ", ".join(values), cls="different")
            if taken := when(picture.taken):
                el("dt", say("viewer.taken"))
                el("dd", taken)
        if loud:
            el("p", say("compare.why"), cls="soft small")
            with el("ul", cls="why"):
                for reason, more in loud:
                    with el("li", cls="minus" if more < 0 else "", style=f"--part:{min(1.0, abs(more) / 4):.3f}"):
                        el("span", reason_text(reason, say))
                        el("span", say("compare.better" if more > 0 else "compare.worse"), cls="number small")

    async def _closest(self, picture: str) -> None:
        others = [each for each in self._pictures if each != picture]
        if await self.page.do(views.Mark(more=[picture], less=others)):
            self._close()

    async def _choose(self, picture: str) -> None:
        if await self.page.do(views.Choose(picture=picture)):
            self._close()

    async def _remove(self, picture: str) -> None:
        if picture in self.page.grid.compared:
            self.page.grid.toggle(picture)
        await self._draw([each for each in self._pictures if each != picture])

    def _close(self) -> None:
        with self._client:
            hide(NAME)


def differences(details: Sequence[views.PictureDetail]) -> list[list[views.FactView]]:
    """The likely facts of each picture that not all of them share, surest first; orientation and sizes are left to the eye."""
    held = [
        {
            (fact.attribute, fact.value): fact
            for fact in detail.facts
            if fact.p >= LIKELY and fact.attribute != "orientation"
        }
        for detail in details
    ]
    return [[fact for key, fact in each.items() if not all(key in other for other in held)] for each in held]


def told_apart(why: Sequence[Sequence[views.ReasonView]], at: int) -> list[tuple[views.ReasonView, float]]:
    """The events that speak for, or against, one picture more than for the mean of the others, with by how many nats."""
    if len(why) < 2 or len({len(each) for each in why}) != 1:
        return []
    found = []
    for k, reason in enumerate(why[at]):
        others = [each[k].value for number, each in enumerate(why) if number != at]
        if reason.value is None or None in others:
            continue
        more = reason.value - sum(value for value in others if value is not None) / len(others)
        if abs(more) >= _LOUD:
            found.append((reason, more))
    return sorted(found, key=lambda pair: -abs(pair[1]))[:4]
