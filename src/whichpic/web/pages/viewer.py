"""One picture large, with all that is known of it and why it is where it is. Called by conversation and grid."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from nicegui import ui

from whichpic.errors import WhichpicError
from whichpic.web import views
from whichpic.web.pages.elements import button, dialog, el, heading, hide, link, said, show
from whichpic.web.pages.knowledge import draw_facts, draw_why, when

if TYPE_CHECKING:
    from whichpic.web.pages.conversation import Page

NAME = "viewer"
LARGE = 1600
"""Pixels of the longer side."""
MOST_ALIKE = 12


def picture_address(album: str, picture: str, *, side: int, thumbnail: bool = False) -> str:
    """Where a picture of an album is served."""
    what = "thumbnail" if thumbnail else "image"
    return f"/api/v1/albums/{quote(album, safe='')}/pictures/{quote(picture, safe='')}/{what}?side={side}"


class Viewer:
    """The dialog. `open` shows a picture; arrows go through the list as it was when it was opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._order: list[str] = []
        self._picture = ""
        self._client = ui.context.client
        with dialog(NAME, page.say("viewer.title"), close=page.say("viewer.close"), cls="viewer") as box:
            self._shown = el("div", cls="viewer-picture")
            self._side = el("div", cls="viewer-side", tabindex="0", role="group", aria_label=page.say("viewer.about"))
        box.on("keydown.left", partial(self._step, -1), args=[])
        box.on("keydown.right", partial(self._step, 1), args=[])
        page.listen(self._changed)

    async def open(self, picture: str) -> None:
        """Show a picture of the album. One that is not there any more is said in one line."""
        state = self.page.state
        self._order = [each.picture.id for each in state.pictures] if state else []
        if picture not in self._order:
            self._order = [picture, *self._order]
        await self._draw(picture)
        with self._client:
            show(NAME)

    async def _step(self, by: int) -> None:
        at = self._order.index(self._picture) + by if self._picture in self._order else 0
        if 0 <= at < len(self._order):
            await self._draw(self._order[at])

    def _changed(self, state: views.State) -> None:
        """The marks and the reasons of the picture that is open are those of now."""

    async def _draw(self, picture: str) -> None:
        page = self.page
        talk = page.talk
        try:
            gallery = talk.session.gallery if talk else page.album.gallery
            if picture not in gallery.positions:
                page.trouble(page.say("viewer.gone"))
                return
            detail = views.detail_of(gallery, gallery.pictures[gallery.positions[picture]])
            why = await page.site.desk.list(talk.why, picture) if talk and page.state and page.state.turns else []
        except WhichpicError as error:
            page.trouble(" ".join(str(error).split()))
            return
        self._picture = picture
        group = gallery.groups
        own = group[gallery.positions[picture]]
        alike = [gallery.ids[at] for at in (group == own).nonzero()[0].tolist() if gallery.ids[at] != picture]
        with self._client:
            self._shown.clear()
            with self._shown:
                self._large(detail)
            self._side.clear()
            with self._side:
                self._actions(detail)
                self._named(detail)
                draw_why(page, why)
                draw_facts(page, detail.facts)
                self._alike(alike)

    def _large(self, detail: views.PictureDetail) -> None:
        say, picture = self.page.say, detail.picture
        at = self._order.index(picture.id) if picture.id in self._order else 0
        if self.page.album.captions_only:
            el("p", picture.alt or picture.name, cls="caption query-text")
        else:
            el("img", src=picture_address(self.page.album.name, picture.id, side=LARGE), alt=picture.alt or picture.name,
               width=picture.width or None, height=picture.height or None)  # fmt: skip
        button(icon="back", label=say("viewer.previous"), cls="viewer-back", do="previous", disabled=at == 0,
               on_click=partial(self._step, -1))  # fmt: skip
        button(icon="next", label=say("viewer.next"), cls="viewer-next", do="next",
               disabled=at + 1 >= len(self._order), on_click=partial(self._step, 1))  # fmt: skip

    def _actions(self, detail: views.PictureDetail) -> None:
        say, id = self.page.say, detail.picture.id
        state = self.page.state
        rank = next((each for each in state.pictures if each.picture.id == id), None) if state else None
        marked = [turn for turn in state.turns if turn.kind == "marked"] if state else []
        liked = any(each.id == id for turn in marked for each in turn.more)
        not_liked = any(each.id == id for turn in marked for each in turn.less)
        place = said(cls="soft")
        place.text = say("viewer.rank", rank=rank.rank, p=_percent(rank.p)) if rank else say("viewer.no_rank")
        with el("div", cls="line", role="group", aria_label=say("viewer.actions")):
            button(say("talk.this"), icon="check", cls="primary", do="this", on_click=partial(self._choose, id))
            button(say("talk.more"), icon="plus", do="more", aria_pressed=str(liked).lower(),
                   on_click=partial(self._do, views.Mark(more=[id])))  # fmt: skip
            button(say("talk.less"), icon="minus", do="less", aria_pressed=str(not_liked).lower(),
                   on_click=partial(self._do, views.Mark(less=[id])))  # fmt: skip
            button(say("talk.compare"), icon="compare", do="compare", on_click=partial(self._compare, id))
            if not self.page.album.captions_only:
                button(say("viewer.like"), icon="picture", do="like", on_click=partial(self._like, id))
                link(say("viewer.chat"), f"/chat?album={quote(self.page.album.name)}&picture={quote(id)}", cls="button")

    def _named(self, detail: views.PictureDetail) -> None:
        say, picture = self.page.say, detail.picture
        heading(3, picture.name.rpartition("/")[2])
        with el("dl", cls="facts"):
            for name in detail.names:
                el("dt", say("viewer.path"))
                with el("dd"):
                    el("span", name, cls="path")
                    button(say("viewer.copy"), icon="copy", cls="quiet small", do="copy", data_copy=name)
            rows = (
                ("viewer.size", f"{picture.width} × {picture.height} {detail.format}".strip() if picture.width else ""),
                ("viewer.taken", when(picture.taken)),
                ("viewer.camera", detail.camera or ""),
            )
            for key, text in rows:
                if text:
                    el("dt", say(key))
                    el("dd", text)
            for caption in detail.captions:
                el("dt", say("viewer.caption"))
                el("dd", caption)

    def _alike(self, alike: list[str]) -> None:
        if not alike or self.page.album.captions_only:
            return
        heading(3, self.page.say("viewer.alike", n=len(alike)))
        with el("ul", cls="thumbs"):
            for each in alike[:MOST_ALIKE]:
                with el("li"), button(cls="quiet", on_click=partial(self._draw, each),
                                      label=self.page.say("viewer.alike.one")):  # fmt: skip
                    el("img", src=picture_address(self.page.album.name, each, side=160, thumbnail=True), alt="", cls="thumb")

    async def _do(self, doing: views.Doing) -> None:
        if await self.page.do(doing):
            await self._draw(self._picture)

    async def _choose(self, picture: str) -> None:
        if await self.page.do(views.Choose(picture=picture)):
            self._close()

    async def _like(self, picture: str) -> None:
        if await self.page.do(views.Like(picture=picture)):
            self._close()

    async def _compare(self, picture: str) -> None:
        """Beside the best one, or beside what was taken for comparing already."""
        self._close()
        self.page.grid.toggle(picture)

    def _close(self) -> None:
        with self._client:
            hide(NAME)


def _percent(p: float) -> str:
    return "< 1 %" if p < 0.01 or math.isnan(p) else f"{p * 100:.0f} %"
