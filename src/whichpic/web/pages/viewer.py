"""One picture large, with all that is known of it and why it is where it is. Called by conversation and grid."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from nicegui import background_tasks, ui

from whichpic.errors import WhichpicError
from whichpic.web import views
from whichpic.web.pages.elements import button, dialog, el, heading, hide, link, put, show
from whichpic.web.pages.grid import image, percent, thumbnail
from whichpic.web.pages.knowledge import draw_facts, draw_why, known, when

if TYPE_CHECKING:
    from whichpic.web.pages.conversation import Page

NAME = "viewer"
LARGE = 1600
"""Pixels of the longer side."""
MOST_ALIKE = 12


class Viewer:
    """The dialog. `open` shows a picture; back and next go through the list as it was when it was opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._order: list[str] = []
        self._picture = ""  # the one that is shown, "" while the dialog is closed
        self._client = ui.context.client
        say = page.say
        with dialog(NAME, say("viewer.title"), close=say("viewer.close"), cls="viewer") as box:
            with el("div", cls="viewer-picture"):
                self._large = el("p", cls="caption") if page.album.captions_only else el("img")
                self._ahead = el("img", alt="", hidden=True)
                self._back = button(icon="back", label=say("viewer.previous"), cls="viewer-back", do="previous",
                                    on_click=partial(self._step, -1))  # fmt: skip
                self._next = button(icon="next", label=say("viewer.next"), cls="viewer-next", do="next",
                                    on_click=partial(self._step, 1))  # fmt: skip
            with el("div", cls="viewer-side", tabindex="0", role="group", aria_label=say("viewer.about")):
                self._place = el("p", cls="soft", role="status")
                self._actions()
                self._about = el("div", cls="stack")
        box.on("close", self._closed, args=[])
        page.listen(self._changed)

    def _actions(self) -> None:
        say = self.page.say
        with el("div", cls="line", role="group", aria_label=say("viewer.actions")):
            button(say("talk.this"), icon="check", cls="primary", do="this", on_click=self._choose)
            self._more = button(say("talk.more"), icon="plus", do="more", on_click=self._mark_more)
            self._less = button(say("talk.less"), icon="minus", do="less", on_click=self._mark_less)
            self._compared = button(say("talk.compare"), icon="compare", do="compare", on_click=self._compare)
            self._together = button(cls="quiet", do="side-by-side", on_click=self._side_by_side)
            if not self.page.album.captions_only:
                button(say("viewer.like"), icon="picture", do="like", on_click=self._like)
                self._chat = link(say("viewer.chat"), "/chat", cls="button")

    async def open(self, picture: str) -> None:
        """Show a picture of the album. One that is not there any more is said in one line."""
        state = self.page.state
        self._order = [each.picture.id for each in state.pictures] if state else []
        if picture not in self._order:
            self._order = [picture, *self._order]
        if await self._draw(picture):
            with self._client:
                show(NAME)

    def _closed(self) -> None:
        self._picture = ""

    def _changed(self, state: views.State) -> None:
        """The marks and the reasons of the picture that is open are those of now."""
        if self._picture:
            background_tasks.create(self._draw(self._picture), name="viewer")

    async def _step(self, by: int) -> None:
        at = self._order.index(self._picture) + by if self._picture in self._order else 0
        if 0 <= at < len(self._order):
            await self._draw(self._order[at])

    # ---- drawing

    async def _draw(self, picture: str) -> bool:
        page = self.page
        try:
            detail, why, alike = await known(page, picture)
        except WhichpicError as error:
            page.trouble(" ".join(str(error).split()))
            return False
        if self._large.is_deleted:
            return False
        self._picture = picture
        with self._client:
            self._show(detail.picture)
            self._stand(picture)
            self._about.clear()
            with self._about:
                self._named(detail)
                draw_why(page, why)
                draw_facts(page, detail.facts)
                self._alike(alike)
        return True

    def _show(self, picture: views.PictureView) -> None:
        album, told = self.page.album.name, picture.alt or picture.name
        at = self._order.index(picture.id) if picture.id in self._order else -1
        if self.page.album.captions_only:
            self._large.text = told
        else:
            put(self._large, src=image(album, picture.id, LARGE), alt=told)
            # Without dimensions a picture may grow as it likes.
            size = (
                f"--w:{picture.width};--h:{picture.height}" if picture.width and picture.height else "--w:9999;--h:9999"
            )
            self._large.style(replace=size)
            put(self._chat, href=f"/chat?{urlencode({'album': album, 'picture': picture.id})}")
            if 0 <= at < len(self._order) - 1:
                put(self._ahead, src=image(album, self._order[at + 1], LARGE))
        # Not disabled: a button that is has no focus, and who goes by keys would lose the place.
        put(self._back, aria_disabled="true" if at <= 0 else None)
        put(self._next, aria_disabled="true" if at < 0 or at + 1 >= len(self._order) else None)

    def _stand(self, picture: str) -> None:
        """Where it is in the list, and what was done with it."""
        say, state = self.page.say, self.page.state
        rank = next((each for each in state.pictures if each.picture.id == picture), None) if state else None
        self._place.text = say("viewer.rank", rank=rank.rank, p=percent(rank.p)) if rank else say("viewer.no_rank")
        marked = [turn for turn in state.turns if turn.kind == "marked"] if state else []
        put(self._more, aria_pressed=str(any(each.id == picture for turn in marked for each in turn.more)).lower())
        put(self._less, aria_pressed=str(any(each.id == picture for turn in marked for each in turn.less)).lower())
        compared = self.page.grid.compared
        put(self._compared, aria_pressed=str(picture in compared).lower())
        self._together.text = say("talk.compare.bar", n=len(compared))
        put(self._together, hidden=len(compared) < 2)

    def _named(self, detail: views.PictureDetail) -> None:
        say, picture = self.page.say, detail.picture
        heading(3, picture.name.rpartition("/")[2])
        with el("dl", cls="facts"):
            for name in detail.names:
                el("dt", say("viewer.path"))
                with el("dd", cls="path"):
                    el("span", name)
                    button(icon="copy", label=say("viewer.copy"), cls="quiet", do="copy", data_copy=name,
                           data_copied=say("talk.found.copied"))  # fmt: skip
            size = f"{picture.width} × {picture.height} {detail.format}".strip() if picture.width else ""
            for key, text in (("size", size), ("taken", when(picture.taken)), ("camera", detail.camera or "")):
                if text:
                    el("dt", say(f"viewer.{key}"))
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
                shows = self.page.say("viewer.alike.one")
                with el("li"), button(cls="quiet", on_click=partial(self._draw, each), label=shows):
                    small = thumbnail(self.page.album.name, each, 160)
                    el("img", src=small, alt="", cls="thumb")

    # ---- what the user does

    async def _mark_more(self) -> None:
        await self.page.do(views.Mark(more=[self._picture]))

    async def _mark_less(self) -> None:
        await self.page.do(views.Mark(less=[self._picture]))

    async def _choose(self) -> None:
        if await self.page.do(views.Choose(picture=self._picture)):
            self._close()

    async def _like(self) -> None:
        if await self.page.do(views.Like(picture=self._picture)):
            self._close()

    def _compare(self) -> None:
        """Take it for comparing, or no longer."""
        self.page.grid.toggle(self._picture)
        self._stand(self._picture)

    async def _side_by_side(self) -> None:
        self._close()
        await self.page.panels.compare(list(self.page.grid.compared))

    def _close(self) -> None:
        with self._client:
            hide(NAME)
