"""What was done so far, and going back in it; the picture that was found. Called by conversation."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from whichpic.web import views
from whichpic.web.album_filters import spoken
from whichpic.web.pages.elements import button, el, heading, link
from whichpic.web.pages.grid import image, own_size, ratio_of, seen, small

if TYPE_CHECKING:
    from whichpic.web.pages.conversation import Page

FEW = 6
"""Pictures of one turn that are shown; of more, their number."""


class Timeline:
    """The turns at the side; on a telephone, folded."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._drawn: object = None
        say = page.say
        root = f"/album/{quote(page.album.name, safe='')}"
        with el("aside", cls="side", aria_label=say("talk.timeline")):
            with el("details", cls="fold", open=True, data_fold="phone") as self._fold:
                with el("summary"):
                    heading(2, say("talk.timeline"))
                self._turns = el("ol", cls="timeline")
                with el("details", cls="menu"):
                    el("summary", say("talk.export"))
                    self._links = el("ul")
            seen(self._fold, False)
            with el("p", cls="line small"):
                link(say("talk.new"), root, data_do="new")
                link(say("talk.earlier"), f"{root}/sessions")

    def draw(self, state: views.State) -> None:
        """The turns of a State."""
        if self._drawn == state.turns:
            return
        begun = bool(state.turns)
        if not self._links.default_slot.children and begun:
            with self._links:
                for name in ("json", "html"):
                    with el("li"):
                        export(self.page, state, name)
        seen(self._fold, begun)
        self._drawn = state.turns
        self._turns.clear()
        with self._turns:
            for turn in state.turns:
                with el("li", cls="turn now" if turn is state.turns[-1] else "turn"):
                    self._turn(turn, last=turn is state.turns[-1])

    def _turn(self, turn: views.TurnView, *, last: bool) -> None:
        say = self.page.say
        if turn.asked:
            el("p", turn.asked, cls="turn-asked")
        words = told(self.page, turn)
        if words:
            el("p", words, cls="turn-what")
        for name, pictures in (("more", turn.more), ("less", turn.less)):
            if pictures and len(pictures) <= FEW:
                with el("p", cls=f"thumbs {name}"):
                    if turn.kind == "marked":
                        el("span", say(f"talk.turn.{name}"))
                    for picture in pictures:
                        small(self.page, picture, eager=False)
        with el("p", cls="turn-actions"):
            if at := clock(turn.at):
                el("time", at, datetime=turn.at)
            if not last:
                button(
                    say("talk.back"), on_click=lambda: self._back(turn.n), do="back", data_key=str(turn.n), cls="quiet"
                )
            button(
                say("talk.branch"),
                on_click=lambda: self.page.branch(turn.n),
                do="branch",
                data_key=str(turn.n),
                cls="quiet",
            )

    async def _back(self, n: int) -> None:
        await self.page.do(views.Back(n=n))


class Found:
    """The end: the picture that was looked for, large."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._drawn = ""
        self._all = el("section", cls="found", aria_label=page.say("talk.found"))
        seen(self._all, False)

    def draw(self, state: views.State) -> None:
        """The picture that a State has found."""
        chosen = state.chosen
        seen(self._all, chosen is not None)
        drawn = "" if chosen is None else chosen.id
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._all.clear()
        if chosen is None:
            return
        say, page = self.page.say, self.page
        steps = len(state.turns) - 1
        with self._all:
            heading(
                2, say("talk.found.one") if steps == 1 else say("talk.found.many", n=steps), tabindex="-1", id="found"
            )
            with el("figure"):
                if page.album.captions_only:
                    el("blockquote", chosen.alt or chosen.name)
                else:
                    el("img", src=image(page.album.name, chosen.id), alt=chosen.alt or chosen.name,
                       style=f"aspect-ratio: {ratio_of(chosen):.3f}{own_size(chosen)}", data_do="open")  # fmt: skip
                el("figcaption", chosen.name, cls="soft small")
            with el("div", cls="line"):
                button(
                    say("talk.found.copy"),
                    icon="copy",
                    do="copy",
                    data_copy=chosen.name,
                    data_copied=say("talk.found.copied"),
                )
                button(say("talk.found.undo"), icon="undo", on_click=self._take_back, do="undo")
                link(say("talk.new"), f"/album/{quote(page.album.name, safe='')}", cls="button")
                for name in ("json", "html"):
                    export(page, state, name, cls="button quiet")

    async def _take_back(self) -> None:
        await self.page.do(views.TakeBack())


def export(page: Page, state: views.State, name: str, *, cls: str = "") -> None:
    """A link to the whole session in a file: "json" or "html"."""
    root = f"/api/v1/albums/{quote(page.album.name, safe='')}/sessions/{quote(state.id, safe='')}"
    wish = f"?lang={page.say.language}" if name == "html" else ""
    link(page.say(f"talk.export.{name}"), f"{root}/export.{name}{wish}", download=f"{state.id}.{name}", cls=cls)


def told(page: Page, turn: views.TurnView) -> str:
    """What was done, in words."""
    say = page.say
    match turn.kind:
        case "answered" if not turn.what and not turn.more:
            return say("talk.turn.unsure")
        case "filtered":
            held = say("talk.turn.and").join(spoken(each, say.language) for each in turn.conditions)
            return say("talk.turn.filtered", what=held) if held else say("talk.turn.unfiltered")
        case "chosen":
            return say("talk.turn.chosen")
        case "marked" if len(turn.less) > FEW:
            return say("talk.turn.nothing")
    return turn.what


def clock(at: str) -> str:
    """The time of day of a record, where this machine is."""
    try:
        return f"{datetime.fromisoformat(at).astimezone():%H:%M}"
    except ValueError:
        return ""
