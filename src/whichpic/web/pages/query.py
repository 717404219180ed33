"""What is looked for: the box to say it in, and the query as it stands, to be changed in place. Called by conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whichpic.web import views
from whichpic.web.album_filters import spoken
from whichpic.web.pages.elements import button, el, put
from whichpic.web.pages.grid import seen, small

if TYPE_CHECKING:
    from nicegui.events import GenericEventArguments

    from whichpic.web.pages.conversation import Page

# The text stays in the box until the list is there: an error must not cost what was typed.
SUBMITTED = """(e) => {
    e.preventDefault();
    const box = e.target.querySelector('input[type=text], textarea');
    if (box.value.trim()) emit(box.value);
}"""
PICTURES = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff,image/avif"


class Box:
    """The one big box. It says the first thing, and says more later; a picture can be dropped on it, pasted or chosen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        say = page.say
        self._form = el("form", cls="ask-box", role="search", autocomplete="off")
        self._form.on("submit", self._said, js_handler=SUBMITTED)
        with self._form:
            self._label = el("label", say("talk.box"), for_="say", cls="unseen")
            self._input = el(
                "input", id="say", type="text", name="say", maxlength=views.LONGEST_TEXT, enterkeyhint="search",
                placeholder=say("talk.box.hint"), autofocus=page.talk is None, data_do="focus",
            )  # fmt: skip
            if not page.album.captions_only:
                with el("label", cls="pick-picture quiet", for_="picture", title=say("talk.picture")):
                    el("span", cls="icon icon-picture", aria_hidden="true")
                    el("span", say("talk.picture"), cls="unseen")
                    el(
                        "input", id="picture", type="file", accept=PICTURES, cls="unseen",
                        data_large=say("talk.picture.large"), data_kind=say("talk.picture.kind"),
                        data_failed=say("talk.picture.failed"), data_sending=say("talk.picture.sending", name="{name}"),
                    )  # fmt: skip
            button(say("talk.find"), type="submit", cls="primary", do="say")
        el("figure", id="dropped", cls="dropped", hidden=True)

    def draw(self, state: views.State) -> None:
        """The first thing, or more."""
        begun = bool(state.turns)
        seen(self._form, state.chosen is None)
        hint = self.page.say("talk.box.more.hint" if begun else "talk.box.hint")
        if self._input.props.get("placeholder") != hint:
            put(self._input, placeholder=hint)
            self._label.set_text(self.page.say("talk.box.more" if begun else "talk.box"))

    async def _said(self, event: GenericEventArguments) -> None:
        if await self.page.tell(event.args):
            self.page.sent("say")


class Query:
    """Looking for: what is looked for as one sentence, the answers and marks beside it, and how far the list has come."""

    def __init__(self, page: Page) -> None:
        self.page = page
        say = page.say
        self._drawn: object = None
        with el("section", cls="query", aria_label=say("talk.looking")) as self._all:
            form = el("form", cls="looking", autocomplete="off")
            form.on("submit", self._restated, js_handler=SUBMITTED)
            with form:
                el("label", say("talk.looking"), for_="query", cls="eyebrow")
                self._input = el(
                    "input", id="query", type="text", name="query", maxlength=views.LONGEST_TEXT,
                    aria_describedby="query-help",
                )  # fmt: skip
                el("span", say("talk.looking.label"), id="query-help", cls="unseen")
                button(icon="edit", label=say("talk.looking.change"), type="submit", cls="quiet", do="restate")
            self._chips = el("ul", cls="chips")
            self._none_fits = el("p", say("talk.nothing.fits"), cls="banner warn", role="status")
        seen(self._all, False)

    def tools(self) -> None:
        """The line above the pictures: how far the list has come, "nothing here fits", what can be filtered."""
        with el("div", cls="line tools"):
            self._fitting = el("span", cls="soft small")
            self._undo = button(
                self.page.say("talk.undo"), on_click=self._take_back, do="undo", icon="undo", cls="quiet"
            )
            self._nothing = button(self.page.say("talk.nothing"), on_click=self._none, do="nothing", cls="quiet")
            self.page.panels.filters()
        seen(self._nothing, False)
        seen(self._undo, False)

    def draw(self, state: views.State) -> None:
        """The query of a State."""
        seen(self._all, bool(state.turns) and state.chosen is None)
        if self._input.props.get("data-value") != state.query:
            put(self._input, data_value=state.query)
        if self._input.props.get("placeholder") != (wordless := self._wordless(state)):
            put(self._input, placeholder=wordless)
        key = (state.turns, state.filters)
        if key != self._drawn:
            self._drawn = key
            self._chips.clear()
            with self._chips:
                self._evidence(state)
            seen(self._chips, bool(self._chips.default_slot.children))
        told = self._told(state) if state.turns and state.chosen is None else ""
        if self._fitting.text != told:
            self._fitting.set_text(told)
        seen(self._nothing, bool(told and state.pictures))
        seen(self._undo, bool(state.turns))
        seen(self._none_fits, state.nothing_fits)

    def _wordless(self, state: views.State) -> str:
        """What stands where the query is while it has no words: pictures were handed in, or nothing was."""
        names = ", ".join(turn.what for turn in state.turns if turn.kind == "said" and turn.what)
        return self.page.say("talk.looking.like", names=names) if names else self.page.say("talk.looking.empty")

    def _told(self, state: views.State) -> str:
        say = self.page.say
        first = state.fitting == 1 and bool(state.pictures)
        told = say(
            "talk.fitting.first" if first else "talk.fitting", n=f"{state.fitting:,}", total=f"{state.passing:,}"
        )
        if state.passing < state.total:
            told += " " + say("talk.fitting.passing", passing=f"{state.passing:,}", total=f"{state.total:,}")
        return told + (f" {state.note}" if state.note else "")

    def _evidence(self, state: views.State) -> None:
        for turn in state.turns:
            if turn.kind == "answered" and (turn.what or turn.more):
                self._answer(turn)
            elif turn.kind in ("marked", "said"):
                self._pictures(turn)
        for place, condition in enumerate(state.filters):
            with el("li"), el("span", cls="chip on filter"):
                text = spoken(condition, self.page.say.language)
                el("span", text)
                button(
                    icon="close", label=self.page.say("talk.filter.remove", condition=text), cls="remove",
                    on_click=lambda at=place: self._lift(at), data_key=condition, do="unfilter",
                )  # fmt: skip

    def _answer(self, turn: views.TurnView) -> None:
        with el("li"), el("span", cls="chip on answer"):
            el("span", turn.asked, cls="soft small")
            el("b", turn.what) if turn.what else None
            for picture in turn.more:
                small(self.page, picture)

    def _pictures(self, turn: views.TurnView) -> None:
        """The pictures that are for or against; of many at once ("nothing here fits") their number is enough."""
        for sign, name, pictures in (("+", "more", turn.more), ("−", "less", turn.less)):
            if pictures:
                with el("li"), el("span", cls=f"chip on mark {name}"):
                    el("span", sign, aria_hidden="true", cls="sign")
                    el("span", self.page.say(f"talk.turn.{name}"), cls="unseen")
                    for picture in pictures[:3]:
                        small(self.page, picture)
                    el("span", f"+{len(pictures) - 3}") if len(pictures) > 3 else None

    async def _restated(self, event: GenericEventArguments) -> None:
        if await self.page.worded(event.args, lambda words: views.Restate(text=words)):
            self.page.sent("query")

    async def _take_back(self) -> None:
        await self.page.do(views.TakeBack())

    async def _none(self) -> None:
        await self.page.do(views.NothingFits())

    async def _lift(self, place: int) -> None:
        held = self.page.state.filters if self.page.state else []
        await self.page.do(views.Narrow(conditions=[each for at, each in enumerate(held) if at != place]))
