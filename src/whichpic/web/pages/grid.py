"""The pictures of a list, in justified rows, and what can be done with each. Called by conversation.

Drawn by grid.js in the browser, where a picture that stays keeps its elements: an answer moves pictures, and loads none again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nicegui.element import Element

from whichpic.web import views
from whichpic.web.pages.elements import button, el, heading, put

if TYPE_CHECKING:
    from nicegui.elements.mixins.text_element import TextElement
    from nicegui.events import GenericEventArguments

    from whichpic.web.pages.conversation import Page

ROW = 190
"""Pixels: about how high a row is; what the browser chooses a thumbnail by."""
LARGER = 1.5
"""By how much a picture may be drawn larger than it is."""
LOWEST = 96
"""Pixels: no row is lower, however small its pictures are."""
EAGER = 6
"""Pictures that are loaded at once; the others as they come into view."""
MOST_COMPARED = 4
ACTIONS = (("more", "plus", "more"), ("less", "minus", "less"), ("this", "check", ""), ("compare", "compare", "picked"),
           ("why", "why", ""))  # fmt: skip
"""What can be done with a picture: its name, its sign, and the class of a picture of which it holds."""
# One listener for the whole grid.
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


def own_size(picture: views.PictureView) -> str:
    """What the style sheet is told of a picture's pixels, so that it is not drawn much larger; nothing where unknown."""
    return f";--w:{picture.width};--h:{picture.height}" if picture.width and picture.height else ""


def most_of(state: views.State) -> int:
    """Pixels that a row of a list may be high: most of its pictures are not drawn much larger than they are."""
    heights = sorted(each.picture.height for each in state.pictures if each.picture.height)
    return max(LOWEST, round(LARGER * heights[len(heights) // 4])) if heights else 9999


def seen(element: TextElement, yes: bool) -> None:
    """Show an element, or hide it from everybody."""
    if ("hidden" in element.props) == yes:
        put(element, hidden=not yes)


def percent(p: float) -> str:
    """A probability for people."""
    return "< 1 %" if p < 0.01 else f"{p * 100:.0f} %"


class Tiles(Element, component="grid.js"):
    """The component: one element for the whole list, since hundreds of them would be most of what a turn costs."""


class Grid:
    """The list of a State."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.compared: list[str] = []
        self._state: views.State | None = None
        self._eager: set[str] = set()
        say = page.say
        with el("section", cls="pictures", aria_label=say("talk.grid")) as self._all:
            heading(2, say("talk.grid"), cls="unseen")
            with el("div", cls="line comparing", role="group", aria_label=say("talk.compare")) as self._bar:
                self._open = button(on_click=self._compare, do="side-by-side", cls="primary")
                button(say("talk.compare.clear"), on_click=self._clear, cls="quiet")
            seen(self._bar, False)
            self._list = Tiles().classes("grid captions" if page.album.captions_only else "grid")
            self._list.props["spoken"] = page.album.captions_only
            self._list.props["actions"] = [
                {"do": do, "icon": icon, "holds": holds, "label": say(f"talk.{do}")} for do, icon, holds in ACTIONS
            ]
            self._list.on("click", self._clicked, js_handler=CLICKED)
            with el("p", cls="more"):
                self._more = button(say("talk.show.more"), on_click=self._longer, do="longer")
        seen(self._all, False)

    def draw(self, state: views.State) -> None:
        """The pictures of a State; in the browser those that stay keep their elements, and load nothing again."""
        seen(self._all, bool(state.turns) and state.chosen is None)
        if not state.turns or state.chosen is not None:
            return
        self._state = state
        if not self._eager:
            self._eager = {each.picture.id for each in state.pictures[:EAGER]}
        self._told()
        seen(self._more, len(state.pictures) >= state.k and state.k < min(views.MOST_SHOWN, state.passing))

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
        tiles = [] if self._state is None else self._tiles(self._state)
        if self._list.props.get("tiles") != tiles:
            self._list.style(f"--most:{most_of(self._state)}px" if self._state else "")
            self._list.props["tiles"] = tiles
            self._list.update()
        seen(self._bar, bool(self.compared))
        _text(self._open, self.page.say("talk.compare.bar", n=len(self.compared)))
        too_few = len(self.compared) < 2
        if ("disabled" in self._open.props) != too_few:
            put(self._open, disabled=too_few)

    def _tiles(self, state: views.State) -> list[dict[str, Any]]:
        """What grid.js draws of each picture."""
        marked = [turn for turn in state.turns if turn.kind == "marked"]
        held = {
            "more": {each.id for turn in marked for each in turn.more},
            "less": {each.id for turn in marked for each in turn.less},
            "picked": set(self.compared),
        }
        return [
            self._tile(each, [name for name, ids in held.items() if each.picture.id in ids]) for each in state.pictures
        ]

    def _tile(self, listed: views.Listed, held: list[str]) -> dict[str, Any]:
        picture, ratio = listed.picture, ratio_of(listed.picture)
        tile: dict[str, Any] = {
            "id": picture.id, "rank": listed.rank, "p": percent(listed.p), "held": held,
            "alike": self.page.say("talk.alike", n=listed.alike) if listed.alike else "",
            "alt": picture.alt or picture.name, "style": f"--ratio:{ratio:.3f}{own_size(picture)}",
            "eager": picture.id in self._eager,
        }  # fmt: skip
        if not self.page.album.captions_only:
            small, large = (thumbnail(self.page.album.name, picture.id, side) for side in (320, 640))
            narrow = min(1.0, ratio)
            tile |= {
                "src": small, "srcset": f"{small} {round(320 * narrow)}w, {large} {round(640 * narrow)}w",
                "sizes": f"{round(ROW * ratio)}px", "width": round(320 * narrow), "height": round(320 * narrow / ratio),
            }  # fmt: skip
        return tile

    def _clear(self) -> None:
        self.compared.clear()
        self._told()

    async def _compare(self) -> None:
        await self.page.panels.compare(list(self.compared))

    async def _longer(self) -> None:
        if self.page.state is not None:
            await self.page.show(self.page.state.k + 24)


def _text(element: TextElement, text: str) -> None:
    if element.text != text:
        element.set_text(text)
