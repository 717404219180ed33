"""The question of a turn: options, pictures to pick from, free words, "not sure", and the next best. Called by conversation."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from whichpic.web import views
from whichpic.web.pages.elements import button, el, heading
from whichpic.web.pages.grid import seen, small
from whichpic.web.pages.query import SUBMITTED

if TYPE_CHECKING:
    from nicegui.events import GenericEventArguments

    from whichpic.web.pages.conversation import Page


class Asking:
    """What is asked now. It keeps its place above the grid while it is being thought of, so that nothing jumps."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._asked: views.QuestionView | None = None
        self._others: list[views.QuestionView] = []
        self._drawn: object = None
        self._all = el("section", cls="question", aria_label=page.say("talk.question"))
        seen(self._all, False)

    def draw(self, state: views.State) -> None:
        """The question of a State, or that it is being thought of."""
        seen(
            self._all,
            bool(state.turns) and state.chosen is None and (state.asking or bool(state.questions or state.trouble)),
        )
        key = (state.questions, state.asking, state.trouble)
        if key == self._drawn:
            return
        self._drawn = key
        self._show(state.questions, thinking=state.asking, trouble=state.trouble)

    def _show(self, questions: list[views.QuestionView], *, thinking: bool = False, trouble: str = "") -> None:
        self._asked, self._others = (questions[0], questions[1:]) if questions else (None, [])
        self._all.clear()
        with self._all:
            if self._asked is not None:
                self._question(self._asked)
            elif thinking:
                self._thinking()
            if trouble:
                el("p", trouble, cls="trouble models", role="status")

    def _thinking(self) -> None:
        with el("p", cls="line thinking"):
            with el("span", cls="waiting", aria_hidden="true"):
                el("i")
            el("span", self.page.say("talk.thinking"), cls="soft")
            button(self.page.say("talk.stop"), on_click=self._stop, do="stop", cls="quiet")

    def _question(self, asked: views.QuestionView) -> None:
        say = self.page.say
        with el("div", cls="asked"):
            heading(2, asked.text, cls="question-text", id="asked")
            if self._others:  # on a telephone, where the others below have no room
                button(
                    icon="again", label=say("talk.other"), on_click=self._next, do="other-one", cls="quiet other-one"
                )
        with el("div", cls="options", role="group", aria_labelledby="asked"):
            with el("div", cls="picks") if any(each.picture for each in asked.options) else nullcontext():
                for place, option in enumerate(asked.options):
                    self._option(place, option)
            button(say("talk.unsure"), on_click=lambda: self._answer(None), do="unsure", cls="chip unsure")
            form = el("form", cls="in-words", autocomplete="off").on("submit", self._worded, js_handler=SUBMITTED)
            with form:
                el("label", say("talk.words"), for_="words", cls="unseen")
                el("input", id="words", type="text", name="words", maxlength=views.LONGEST_TEXT,
                   placeholder=say("talk.words.hint"))  # fmt: skip
                button(icon="send", label=say("talk.words.send"), type="submit", cls="quiet", do="words")
        if self._others:
            with el("div", cls="line others"):
                for other in self._others:
                    button(say("talk.or", question=other.text), on_click=lambda it=other: self._instead(it),
                           cls="quiet other", do="other")  # fmt: skip

    def _option(self, place: int, option: views.OptionView) -> None:
        async def answer() -> None:
            await self._answer(place)

        key = str(place)
        if option.picture is None:
            button(option.text, on_click=answer, do="option", cls="chip", data_key=key)
            return
        with button(on_click=answer, do="option", cls="option-picture", data_key=key):
            small(self.page, option.picture, cls="pick")

    async def _answer(self, option: int | None) -> None:
        asked, self._asked = self._asked, None  # a second click of the same hand answers nothing else
        if asked is not None and not await self.page.do(views.Answer(question=asked.id, option=option)):
            self._asked = self._asked or asked

    async def _worded(self, event: GenericEventArguments) -> None:
        asked = self._asked
        if asked is not None and await self.page.worded(
            event.args, lambda words: views.Answer(question=asked.id, words=words)
        ):
            self.page.sent("words")

    def _instead(self, other: views.QuestionView) -> None:
        """Ask this one of those that are ready; the one that was asked is ready then."""
        if self._asked is not None:
            self._show([other, *(each for each in (self._asked, *self._others) if each is not other)])

    def _next(self) -> None:
        """Ask the next of those that are ready, round and round."""
        if self._asked is not None and self._others:
            self._show([*self._others, self._asked])

    async def _stop(self) -> None:
        await self.page.stop()
