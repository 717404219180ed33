"""Which models are asked and how replies are drawn, beside a talk about pictures. Called by chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from whichpic.errors import ChatError
from whichpic.web.chat_log import LONGEST_SYSTEM, DecodingView
from whichpic.web.pages.elements import el, heading, put

if TYPE_CHECKING:
    from nicegui.elements.mixins.text_element import TextElement
    from nicegui.events import GenericEventArguments

    from whichpic.web.chats import Model
    from whichpic.web.pages.chat import ChatPage

HOW = ("greedy", "sampling", "beams")
# name, step, least, most, what it begins with, the ways of drawing that it is for
NUMBERS: tuple[tuple[str, str, float, float, float | str, tuple[str, ...]], ...] = (
    ("temperature", "0.05", 0.05, 2, 0.7, ("sampling",)),
    ("top_p", "0.05", 0.05, 1, 0.8, ("sampling",)),
    ("top_k", "1", 0, 1000, 100, ("sampling",)),
    ("beams", "1", 2, 8, 3, ("beams",)),
    ("repetition_penalty", "0.05", 0.5, 3, 1.0, HOW),
    ("max_tokens", "1", 1, 4096, 512, HOW),
    ("seed", "1", 0, 2**31 - 1, "", ("sampling",)),
)
EVERYTHING = "(e) => emit(Object.fromEntries(new FormData(e.currentTarget)))"


@dataclass
class Chosen:
    """What the form says."""

    first: str = ""
    second: str = ""
    blind: bool = False
    how: str = "greedy"
    system: str = ""
    numbers: dict[str, str] = field(default_factory=lambda: {each[0]: str(each[4]) for each in NUMBERS})

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> Chosen:
        """As a browser sends it: any text may be in it."""
        texts = {str(name): str(value)[:LONGEST_SYSTEM] for name, value in form.items()}
        how = texts.get("how", "greedy")
        usual = cls()
        return cls(
            first=texts.get("first", ""), second=texts.get("second", ""), blind=texts.get("blind") == "1",
            how=how if how in HOW else "greedy", system=texts.get("system", ""),
            numbers={name: texts.get(name, value).strip()[:30] for name, value in usual.numbers.items()},
        )  # fmt: skip

    def decoding(self) -> DecodingView:
        """How a reply is drawn. Raises ChatError for a number that makes no sense."""
        usual = Chosen().numbers
        wished: dict[str, Any] = {
            name: self.numbers[name] or usual[name] for name, *_, ways in NUMBERS if self.how in ways
        }
        wished["seed"] = wished.get("seed") or None
        try:
            return DecodingView.model_validate(wished, strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ChatError("asked wrongly", f"{where}: {' '.join(str(first['msg']).split())}") from None


class Settings:
    """The form. `chosen` is what it says now."""

    def __init__(self, page: ChatPage) -> None:
        self.page = page
        say, models = page.say, list(page.site.chats.models.values())
        self.chosen = Chosen(first=models[0].id if models else "")
        self._numbers: dict[str, TextElement] = {}
        self._seconds: dict[str, TextElement] = {}
        form = el("form", cls="stack", autocomplete="off", aria_labelledby="chat-settings")
        form.on("change", self._changed, js_handler=EVERYTHING)
        form.on("submit", js_handler="(e) => e.preventDefault()")
        with form:
            heading(2, say("chat.settings"), id="chat-settings")
            if models:
                self._model("first", say("chat.model"), models, "")
            if len(models) > 1:
                self._model("second", say("chat.model.second"), models, say("chat.model.none"))
                with el("label") as self._blind:
                    el("input", type="checkbox", name="blind", value="1")
                    el("span", say("chat.blind"))
                put(self._blind, hidden=True)
            self._how()
            with el("details", cls="chat-system"):
                el("summary", say("chat.system"), cls="plain")
                el("label", say("chat.system.label"), for_="chat-system", cls="unseen")
                el("textarea", id="chat-system", name="system", rows=4, maxlength=LONGEST_SYSTEM,
                   placeholder=say("chat.system.hint"))  # fmt: skip
            self._note = el("p", cls="small soft")
        self._show()

    def models(self) -> list[Model]:
        """The models that are asked: one, or two. Raises ChatError where there is none."""
        chats = self.page.site.chats
        asked = [chats[self.chosen.first]]
        if self.chosen.second and self.chosen.second != asked[0].id:
            asked.append(chats[self.chosen.second])
        return asked

    def put_system(self, text: str) -> None:
        """A system text that goes with a prompt."""
        self.chosen.system = text
        self.page.fill("chat-system", text)

    def _model(self, name: str, label: str, models: list[Model], none: str) -> None:
        with el("div", cls="pair"):
            el("label", label, for_=f"chat-{name}")
            with el("select", id=f"chat-{name}", name=name):
                if none:
                    el("option", none, value="")
                options = {each.id: el("option", each.name, value=each.id) for each in models}
        if none:
            self._seconds = options

    def _how(self) -> None:
        say = self.page.say
        with el("div", cls="pair"):
            el("label", say("chat.how"), for_="chat-how")
            with el("select", id="chat-how", name="how", aria_describedby="chat-how-note"):
                for each in HOW:
                    el("option", say(f"chat.how.{each}"), value=each)
            self._told = el("p", cls="small soft", id="chat-how-note")
        with el("div", cls="fields chat-numbers"):
            for name, step, least, most, value, _ in NUMBERS:
                with el("div") as pair:
                    el("label", say(f"chat.{name}"), for_=f"chat-{name}")
                    el("input", id=f"chat-{name}", name=name, type="number", step=step, min=least, max=most,
                       value=str(value), placeholder=say("chat.seed.hint") if name == "seed" else None)  # fmt: skip
                self._numbers[name] = pair

    def _changed(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, dict):
            self.chosen = Chosen.of(event.args)
            self._show()

    def _show(self) -> None:
        say, chosen = self.page.say, self.chosen
        for name, *_, ways in NUMBERS:
            put(self._numbers[name], hidden=chosen.how not in ways)
        try:
            asked = self.models()
        except ChatError:
            asked = []
        if self._seconds:
            put(self._blind, hidden=len(asked) < 2)
            for id, option in self._seconds.items():
                put(option, disabled=id == chosen.first)  # nobody is beside himself
        remote = [each.name for each in asked if not each.local]
        self._told.set_text(say("chat.how.beams.note") if chosen.how == "beams" and remote else "")
        self._note.set_text(" ".join(f"{each.name}: {each.detail}" for each in asked if each.state == "failed"))
