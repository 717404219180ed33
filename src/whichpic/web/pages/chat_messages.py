"""The turns of a talk about pictures as they are drawn: questions, answers that grow, their buttons. Called by chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whichpic.web.pages import prose
from whichpic.web.pages.elements import button, el, put

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from whichpic.web.chat_log import Answer, Turn
    from whichpic.web.pages.frame import Say

SIGNS = "AB"


class AnswerView:
    """One answer: the text while it grows, prose when it is over."""

    def __init__(
        self,
        say: Say,
        answer: Answer,
        label: str,
        *,
        on_stop: Callable[[], None],
        on_again: Callable[[], Awaitable[None]],
        alone: bool,
    ) -> None:
        self.say, self.answer = say, answer
        self._alone = alone  # then the button below the talk stops it
        with el("article", cls="message theirs", aria_label=say("chat.answer.of", name=label)) as self.box:
            with el("p", cls="message-by"):
                self._by = el("span", label)
            self._text = el("div", cls="message-text", aria_busy="true")
            with el("p", cls="waiting small soft") as self._waiting:
                self._waits = el("span", say("chat.thinking"))
            self._fault = el("p", cls="chat-fault")
            with el("div", cls="message-actions"):
                self._stop = button(say("chat.stop"), icon="stop", do="stop", on_click=on_stop)
                self._copy = button(say("chat.copy"), icon="copy", do="copy", data_copied=say("chat.copied"))
                self._again = button(say("chat.again"), icon="again", do="again", on_click=on_again)
                self._meta = el("span", cls="small soft number chat-meta")
        self.draw()

    def wait(self, text: str) -> None:
        """Say why nothing is written yet."""
        self._waits.set_text(text)

    def name(self, label: str) -> None:
        """Say whose it is."""
        self._by.set_text(label)
        put(self.box, aria_label=self.say("chat.answer.of", name=label))

    def grow(self) -> None:
        """What is written so far."""
        if not self._text.text:
            put(self._waiting, hidden=True)
        self._text.set_text(self.answer.text)

    def draw(self) -> None:
        """The answer as it is now."""
        answer, say = self.answer, self.say
        put(self._waiting, hidden=bool(answer.text) or answer.over)
        put(self._stop, hidden=answer.over or self._alone)
        put(self._fault, hidden=answer.finish != "failed")
        put(self._copy, hidden=not (answer.over and answer.text))
        put(self._again, hidden=answer.finish not in ("failed", "stopped"))
        put(self._text, aria_busy=None if answer.over else "true")
        if not answer.over:
            self._text.set_text(answer.text)
            return
        self._text.set_text("")
        self._text._text = None  # as in `el`: children follow
        self._text.clear()
        self._text.classes("prose")
        with self._text:
            prose.draw(answer.text)
        self._fault.set_text(say("chat.failed", why=answer.detail) if answer.finish == "failed" else "")
        self._meta.set_text(self._told())

    def _told(self) -> str:
        answer, say = self.answer, self.say
        if answer.finish == "failed":
            return ""
        told = say("chat.meta", seconds=f"{answer.seconds:.1f}", tokens=answer.tokens)
        return told + (" · " + say(f"chat.finish.{answer.finish}") if answer.finish != "stop" else "")


class TurnView:
    """One turn: the question, its answers beside each other, and the vote where there are two."""

    def __init__(
        self,
        say: Say,
        turn: Turn,
        *,
        on_stop: Callable[[Answer], None],
        on_again: Callable[[Turn, Answer], Awaitable[None]],
        on_vote: Callable[[Turn, int], None],
    ) -> None:
        self.say, self.turn = say, turn
        self.answers: list[AnswerView] = []
        with el("div", cls="chat-turn") as self.box:
            with el("div", cls="message mine"):
                el("span", say("chat.you"), cls="unseen")
                el("p", turn.question, cls="message-text")
            two = len(turn.answers) > 1
            with el("div", cls="two" if two else "one"):
                for place, answer in enumerate(turn.answers):
                    view = AnswerView(
                        say,
                        answer,
                        self.label(place),
                        on_stop=lambda answer=answer: on_stop(answer),  # type: ignore[misc]
                        on_again=lambda answer=answer: on_again(turn, answer),  # type: ignore[misc]
                        alone=not two,
                    )
                    self.answers.append(view)
            with el("div", cls="line small chat-vote", role="group", aria_label=say("chat.vote")) as self._vote:
                el("span", say("chat.vote"), cls="soft")
                for better, key in ((0, "chat.vote.first"), (1, "chat.vote.second"), (-1, "chat.vote.same")):
                    button(say(key, sign=SIGNS[max(better, 0)]), do="vote", data_key=str(better), cls="quiet",
                           on_click=lambda better=better: on_vote(turn, better))  # fmt: skip
            self._voted = el("p", cls="small soft")
        self.draw()

    def label(self, place: int) -> str:
        """The name over an answer: a sign where names are hidden until the vote."""
        turn = self.turn
        if turn.blind and turn.better is None:
            return self.say("chat.blind.name", sign=SIGNS[place])
        return turn.answers[place].name

    def draw(self) -> None:
        """The turn as it is now."""
        turn, say = self.turn, self.say
        ready = len(turn.answers) > 1 and all(each.over and each.text for each in turn.answers)
        put(self._vote, hidden=not ready or turn.better is not None)
        if turn.better is not None:
            for place, view in enumerate(self.answers):
                view.name(self.label(place))
            name = turn.answers[turn.better].name if turn.better >= 0 else ""
            self._voted.set_text(say("chat.voted", name=name) if name else say("chat.voted.same"))
        put(self._voted, hidden=turn.better is None)
