"""The pictures that are talked about: shown, taken out, handed in, chosen from an album. Called by chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whichpic.dialogue import Session
from whichpic.errors import WhichpicError
from whichpic.web.chat_log import from_album
from whichpic.web.pages.elements import button, el, field, heading, put
from whichpic.web.pages.grid import thumbnail
from whichpic.web.pages.query import PICTURES
from whichpic.web.views import LONGEST_TEXT, picture_view

if TYPE_CHECKING:
    from nicegui.events import GenericEventArguments

    from whichpic.web.chat_log import Given
    from whichpic.web.pages.chat import ChatPage
    from whichpic.web.shelf import Shelved
    from whichpic.web.views import PictureView

OFFERED = 24


class Pictures:
    """The strip of pictures, what adds one, and the small search in an album."""

    def __init__(self, page: ChatPage) -> None:
        self.page = page
        say = page.say
        albums = [each for each in page.site.shelf if not each.captions_only]
        self._picker: Picker | None = None
        with el("section", cls="chat-pictures", aria_labelledby="chat-pictures"):
            heading(2, say("chat.pictures"), id="chat-pictures", cls="unseen")
            self._strip = el("ul", cls="chat-strip")
            with el("div", cls="line"):
                with el("label", cls="button", for_="chat-files"):
                    el("span", cls="icon icon-upload", aria_hidden="true")
                    el("span", say("chat.pictures.add"))
                    el("input", id="chat-files", type="file", accept=PICTURES, multiple=True, cls="unseen",
                       data_to=f"/api/v1/talks/{page.secret}/pictures", data_large=say("chat.pictures.large"),
                       data_failed=say("chat.pictures.failed"))  # fmt: skip
                el("span", say("chat.pictures.hint"), cls="small soft")
            if albums:
                self._picker = Picker(page, albums)
        self.draw()

    def draw(self) -> None:
        """The strip as it is now."""
        given = self.page.talk.pictures
        self._strip.clear()
        self._strip.classes("one" if len(given) == 1 else "", remove="" if len(given) == 1 else "one")
        put(self._strip, hidden=not given)
        with self._strip:
            for each in given:
                self._one(each)
        if self._picker is not None:
            self._picker.mark()

    def _one(self, given: Given) -> None:
        say = self.page.say
        with el("li"):
            el("img", src=given.src, alt=given.alt or given.name, loading="lazy")
            button(
                icon="close", label=say("chat.pictures.out", name=given.name), do="out", data_key=given.key,
                on_click=lambda: self.page.take_out(given),
            )  # fmt: skip


class Picker:
    """A search in an album, whose pictures are added with a click."""

    def __init__(self, page: ChatPage, albums: list[Shelved]) -> None:
        self.page = page
        self._albums = {each.name: each for each in albums}
        self.album = albums[0]
        self._tiles: dict[str, object] = {}
        say = page.say
        with el("details", cls="panel chat-picker") as box:
            el("summary", say("chat.album"))
            with el("div", cls="line"):
                if len(albums) > 1:
                    with el("div", cls="pair"):
                        el("label", say("chat.album.which"), for_="chat-album")
                        which = el("select", id="chat-album", name="album")
                        with which:
                            for each in albums:
                                el("option", each.title, value=each.name)
                        which.on("change", self._chosen, js_handler="(e) => emit(e.target.value)")
                with el("div", cls="pair"):
                    field(say("chat.album.search"), name="chat-search", kind="search", on_enter=self.look,
                          maxlength=LONGEST_TEXT, placeholder=say("chat.album.hint"), autocomplete="off")  # fmt: skip
            self._found = el("ul", cls="chat-found")
        box.on("toggle", self._opened, js_handler="(e) => e.target.open && emit()")

    async def look(self, text: str) -> None:
        """Show the pictures of the album that fit a text best; without one, the first."""
        page, shelved = self.page, self.album
        try:
            found = await page.site.desk.list(offered, shelved, text.strip()[:LONGEST_TEXT])
        except WhichpicError as error:
            page.trouble(" ".join(str(error).split()))
            return
        if shelved is not self.album:
            return
        page.trouble("")
        self._found.clear()
        self._tiles = {}
        with self._found:
            for view in found:
                self._tile(shelved, view)
        self.mark()

    def mark(self) -> None:
        """Which of the offered pictures are talked about."""
        keys = {each.key for each in self.page.talk.pictures}
        for key, tile in self._tiles.items():
            put(tile, aria_pressed="true" if key in keys else "false")  # type: ignore[arg-type]

    def _tile(self, shelved: Shelved, view: PictureView) -> None:
        key = f"{shelved.name}/{view.id}"
        with el("li"):
            tile = button(cls="thumb-button", aria_pressed="false", do="pick", data_key=key,
                          label=view.alt or view.name, on_click=lambda: self._toggle(shelved, view.id, key))  # fmt: skip
            with tile:
                el("img", src=thumbnail(shelved.name, view.id, 160), alt="",
                   cls="thumb", loading="lazy")  # fmt: skip
        self._tiles[key] = tile

    def _toggle(self, shelved: Shelved, picture: str, key: str) -> None:
        held = next((each for each in self.page.talk.pictures if each.key == key), None)
        if held is not None:
            self.page.take_out(held)
            return
        try:
            self.page.take(from_album(shelved, picture))
        except WhichpicError as error:
            self.page.trouble(" ".join(str(error).split()))

    async def _opened(self) -> None:
        if not self._tiles:
            await self.look("")

    async def _chosen(self, event: GenericEventArguments) -> None:
        self.album = self._albums.get(str(event.args), self.album)
        await self.look("")


def offered(shelved: Shelved, text: str) -> list[PictureView]:
    """The pictures of an album that fit a text best, the first ones without a text. Raises WhichpicError."""
    gallery = shelved.gallery
    if not text:
        return [picture_view(gallery, each) for each in gallery.pictures[:OFFERED]]
    session = Session(gallery, asker="facts")
    session.say(text)
    return [picture_view(gallery, each.picture) for each in session.results(OFFERED)]
