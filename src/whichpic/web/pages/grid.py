"""The pictures of a list, in justified rows, and what can be done with each. Called by conversation.

A picture that stays keeps its elements, so that an answer moves pictures and loads none again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from whichpic.web import views
from whichpic.web.pages.elements import button, el, heading, put

if TYPE_CHECKING:
    from nicegui.elements.mixins.text_element import TextElement
    from nicegui.events import GenericEventArguments

    from whichpic.web.pages.conversation import Page

ROW = 190
"""Pixels: about how high a row is; what the browser chooses a thumbnail by."""
EAGER = 6
"""Pictures that are loaded at once; the others as they come into view."""
MOST_COMPARED = 4
ACTIONS = (("more", "plus"), ("less", "minus"), ("this", "check"), ("compare", "compare"), ("why", "why"))
# One listener for the whole grid: six for each of 200 pictures would be most of what a page is sent.
CLICKED = """(e) => {
    const pressed = e.target.closest('button[data-do]'), tile = e.target.closest('[data-picture]');
    if (pressed && tile) emit(pressed.dataset.do, tile.dataset.picture);
}"""


def thumbnail(album: str, picture: str, side: int) -> str:
    """The address of a small form of a picture."""
    return f"/api/v1/albums/{quote(album, safe='')}/pictures/{quote(picture, safe='')}/thumbnail?side={side}"


def image(album: str, picture: str, side: int = 1600) -> str:
    """The address of a large form of a picture."""
    return f"/api/v1/albums/{quote(album, safe='')}/pictures/{quote(picture, safe='')}/image?side={side}"


def small(page: Page, picture: views.PictureView, *, cls: str = "thumb", eager: bool = True) -> TextElement:
    """A picture, small; its words where the album has captions only."""
    if page.album.captions_only:
        return el("span", picture.alt or picture.name, cls=f"{cls} caption")
    ratio = ratio_of(picture)
    return el(
        "img", cls=cls, src=thumbnail(page.album.name, picture.id, 160), alt=picture.alt or picture.name,
        width=round(64 * ratio), height=64, decoding="async", loading=None if eager else "lazy",
    )  # fmt: skip


def ratio_of(picture: views.PictureView) -> float:
    """Width by height, within what a row can hold."""
    if not (picture.width and picture.height):
        return 1.5
    return min(max(picture.width / picture.height, 0.5), 2.6)


def seen(element: TextElement, yes: bool) -> None:
    """Show an element, or hide it from everybody."""
    if ("hidden" in element.props) == yes:
        put(element, hidden=not yes)


def percent(p: float) -> str:
    """A probability for people."""
    return "< 1 %" if p < 0.01 else f"{p * 100:.0f} %"


class Grid:
    """The list of a State."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.compared: list[str] = []
        self._tiles: dict[str, _Tile] = {}
        self._marks: tuple[set[str], set[str]] = (set(), set())
        say = page.say
        with el("section", cls="pictures", aria_label=say("talk.grid")) as self._all:
            heading(2, say("talk.grid"), cls="unseen")
            with el("div", cls="line comparing", role="group", aria_label=say("talk.compare")) as self._bar:
                self._open = button(on_click=self._compare, do="side-by-side", cls="primary")
                button(say("talk.compare.clear"), on_click=self._clear, cls="quiet")
            seen(self._bar, False)
            self._list = el("ul", cls="grid captions" if page.album.captions_only else "grid")
            self._list.on("click", self._clicked, js_handler=CLICKED)
            with el("p", cls="more"):
                self._more = button(say("talk.show.more"), on_click=self._longer, do="longer")
        seen(self._all, False)

    def draw(self, state: views.State) -> None:
        """The pictures of a State, those that are there already moved to their places."""
        seen(self._all, bool(state.turns) and state.chosen is None)
        if not state.turns or state.chosen is not None:
            return
        self._marks = (
            {each.id for turn in state.turns if turn.kind == "marked" for each in turn.more},
            {each.id for turn in state.turns if turn.kind == "marked" for each in turn.less},
        )
        wanted = {each.picture.id: each for each in state.pictures}
        for gone in [id for id in self._tiles if id not in wanted]:
            self._tiles.pop(gone).item.delete()
        with self._list:
            for place, (id, each) in enumerate(wanted.items()):
                tile = self._tiles.get(id) or _Tile(self.page, each, eager=place < EAGER)
                self._tiles[id] = tile
                tile.draw(each, marks=self._marks, compared=id in self.compared)
        order = [self._tiles[id].item for id in wanted]
        if self._list.default_slot.children != order:
            self._list.default_slot.children[:] = order
            self._list.update()
        seen(self._more, len(wanted) >= state.k and state.k < min(views.MOST_SHOWN, state.passing))
        self._told()

    async def _clicked(self, event: GenericEventArguments) -> None:
        match event.args:
            case [str(do), str(picture)]:
                await self.act(do, picture)

    async def act(self, do: str, picture: str) -> None:
        """What can be done with a picture, by its name in ACTIONS, or "open"."""
        page = self.page
        match do:
            case "open" | "why":
                await page.panels.open(picture)
            case "more":
                await page.do(views.Mark(more=[picture]))
            case "less":
                await page.do(views.Mark(less=[picture]))
            case "this":
                await page.do(views.Choose(picture=picture))
            case "compare":
                self.toggle(picture)

    def toggle(self, picture: str) -> None:
        """Take a picture for comparing, or no longer."""
        if picture in self.compared:
            self.compared.remove(picture)
        elif len(self.compared) < MOST_COMPARED:
            self.compared.append(picture)
        else:
            self.page.trouble(self.page.say("talk.compare.most"))
        self._told()

    def _told(self) -> None:
        for id, tile in self._tiles.items():
            tile.press("compare", id in self.compared)
        seen(self._bar, bool(self.compared))
        self._open.set_text(self.page.say("talk.compare.bar", n=len(self.compared)))
        too_few = len(self.compared) < 2
        if ("disabled" in self._open.props) != too_few:
            put(self._open, disabled=too_few)

    def _clear(self) -> None:
        self.compared.clear()
        self._told()

    async def _compare(self) -> None:
        await self.page.panels.compare(list(self.compared))

    async def _longer(self) -> None:
        if self.page.state is not None:
            await self.page.show(self.page.state.k + 24)


class _Tile:
    """One picture of the list."""

    def __init__(self, page: Page, listed: views.Listed, *, eager: bool) -> None:
        picture, say = listed.picture, page.say
        ratio = ratio_of(picture)
        self._buttons: dict[str, TextElement] = {}
        with el("li", cls="tile", data_picture=picture.id, style=f"--ratio:{ratio:.3f}") as self.item:
            with button(do="open", cls="frame"):
                if page.album.captions_only:
                    el("span", picture.alt or picture.name, cls="caption")
                else:
                    small, large = (thumbnail(page.album.name, picture.id, side) for side in (320, 640))
                    narrow = min(1.0, ratio)
                    el(
                        "img", src=small, srcset=f"{small} {round(320 * narrow)}w, {large} {round(640 * narrow)}w",
                        sizes=f"{round(ROW * ratio)}px", alt=picture.alt or picture.name, decoding="async",
                        loading=None if eager else "lazy", width=round(320 * narrow), height=round(320 * narrow / ratio),
                    )  # fmt: skip
                self._rank = el("span", cls="badge")
                self._p = el("span", cls="tile-p")
                self._alike = el("span", cls="alike")
            with el("div", cls="tile-actions"):
                for do, icon in ACTIONS:
                    pressed = None if do in ("this", "why") else "false"
                    self._buttons[do] = button(icon=icon, do=do, label=say(f"talk.{do}"), aria_pressed=pressed)
        self._say = say

    def draw(self, listed: views.Listed, *, marks: tuple[set[str], set[str]], compared: bool) -> None:
        """Its rank and probability now."""
        _text(self._rank, str(listed.rank))
        _text(self._p, percent(listed.p))
        _text(self._alike, self._say("talk.alike", n=listed.alike) if listed.alike else "")
        for do, marked in zip(("more", "less"), marks, strict=True):
            self.press(do, listed.picture.id in marked)
        self.press("compare", compared)

    def press(self, do: str, pressed: bool) -> None:
        """Whether a button of it is held down."""
        said = "true" if pressed else "false"
        held = self._buttons[do]
        if held.props.get("aria-pressed") != said:
            put(held, aria_pressed=said)
            name = "picked" if do == "compare" else do
            self.item.classes(add=name if pressed else "", remove="" if pressed else name)


def _text(element: TextElement, text: str) -> None:
    if element.text != text:
        element.set_text(text)
