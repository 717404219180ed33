"""The page that talks about pictures: one or several pictures, one or two models, several turns. Called by web.app.

Everything of a talk is in the memory of its page, and goes with it; what a model says is drawn as text.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from functools import partial
from typing import TYPE_CHECKING

from fastapi import Request
from nicegui import background_tasks, ui

from whichpic.errors import WhichpicError
from whichpic.prompts import prompt
from whichpic.web.chat_log import LONGEST_QUESTION, MOST_PICTURES, Answer, Conversation, Turn, fitting, from_album
from whichpic.web.chats import Done, Failed, Loading, Token
from whichpic.web.pages.chat_messages import TurnView
from whichpic.web.pages.chat_pictures import Pictures
from whichpic.web.pages.chat_settings import Settings
from whichpic.web.pages.elements import button, el, heading, put, said
from whichpic.web.pages.frame import frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nicegui.events import GenericEventArguments

    from whichpic.web.chat_log import Given
    from whichpic.web.chats import Writing
    from whichpic.web.pages.frame import Say
    from whichpic.web.site import Site

FIRST = ("detail", "happens", "text", "odd")
PROMPTS = ("all", "objects", "attributes", "relations", "scene", "text", "mood")
OFTEN = 0.08
"""Seconds between two drawings of an answer that grows."""
GRACE = 3.0
"""Seconds that a page may be away before what is written for it ends: a network that fails for a moment costs nothing."""
SUBMITTED = "(e) => { e.preventDefault(); emit(e.target.elements.question.value); }"


def pages(site: Site) -> None:
    """Register the page with NiceGUI."""

    @ui.page("/chat")
    async def chat(request: Request) -> None:
        ui.add_head_html(f'<script defer src="/static/chat.js?v={site.version}"></script>')
        asked = request.query_params
        with frame(request, site, title="", here="chat", cls="chatting", album="") as say:
            ui.context.client.page.title = f"{say('chat.title')} · whichpic"
            page = ChatPage(site, say)
            page.draw()
            page.begin(asked.get("album", ""), asked.getlist("picture")[: MOST_PICTURES + 1])


class ChatPage:
    """One browser's talk. Only its event loop may call it."""

    def __init__(self, site: Site, say: Say) -> None:
        self.site, self.say = site, say
        self.talk = Conversation()
        self.secret = secrets.token_urlsafe(24)
        self.client = ui.context.client
        self.main = ui.context.slot.parent
        self._writing: dict[int, Writing] = {}
        self._views: dict[int, TurnView] = {}
        self._editing = False
        site.chats.inboxes[self.secret] = self._handed_in
        self.client.on_delete(self._close)
        self.client.on_exception(lambda: self.trouble(say("fault.500.text")))
        self.client.on_disconnect(self._left)

    # ---- drawing

    def draw(self) -> None:
        """The page before anything was asked."""
        say = self.say
        self.main.on("trouble", lambda event: self.trouble(str(event.args)), js_handler="(e) => emit(e.detail)")
        with el("div", cls="work"):
            with el("div", cls="stack chat"):
                heading(1, say("chat.title"))
                if not len(self.site.chats):
                    self._no_model()
                self._pictures = Pictures(self)
                with el("section", aria_label=say("chat.talk"), cls="stack"):
                    self._messages = el("div", cls="messages", data_follow=True)
                    self._suggest()
                    self._composer()
            with el("aside", cls="side", aria_label=say("chat.settings")):
                self.settings = Settings(self)
                self._saving()
        self._after()

    def _no_model(self) -> None:
        say = self.say
        with el("div", cls="banner warn chat-none"), el("div", cls="stack"):
            el("p", say("chat.none"))
            for name in ("ollama:qwen2.5vl", "http://127.0.0.1:8000/v1"):
                el("pre", f"whichpic serve {say('chat.none.album')} --chat {name}", tabindex="0")

    def _suggest(self) -> None:
        say = self.say
        with el("div", cls="stack chat-first") as self._first:
            with el("div", cls="chips", role="group", aria_label=say("chat.first")):
                for each in FIRST:
                    text = say(f"chat.first.{each}")
                    button(text, cls="chip", do="first", data_key=each, on_click=partial(self.ask, text))
            with el("details"):
                el("summary", say("chat.prompts"), cls="plain")
                with el("div", cls="chips"):
                    for each in PROMPTS:
                        button(say(f"chat.prompt.{each}"), cls="chip", do="prompt", data_key=each,
                               on_click=partial(self._prompt, each))  # fmt: skip

    def _composer(self) -> None:
        say = self.say
        with el("div", cls="composer"):
            self._trouble = said(False, cls="trouble")
            self._status = said(cls="unseen")
            with el("p", cls="line small soft") as self._edits:
                el("span", say("chat.editing"))
                button(say("chat.editing.stop"), do="unedit", cls="quiet", on_click=self._edit_no_more)
            form = el("form", cls="ask-box", autocomplete="off")
            form.on("submit", self._submitted, js_handler=SUBMITTED)
            with form:
                el("label", say("chat.question"), for_="question", cls="unseen")
                el("textarea", id="question", name="question", rows=1, maxlength=LONGEST_QUESTION, data_do="focus",
                   placeholder=say("chat.question.hint"))  # fmt: skip
                self._send = button(icon="send", label=say("chat.send"), type="submit", cls="primary", do="send")
            with el("div", cls="line"):
                self._stop = button(say("chat.stop.all"), icon="stop", do="stop-all", cls="quiet", on_click=self.stop)
                self._again = button(say("chat.regenerate"), icon="again", do="regenerate", cls="quiet",
                                     on_click=self.regenerate)  # fmt: skip
                self._edit = button(say("chat.edit"), icon="edit", do="edit", cls="quiet", on_click=self.edit)
                self._clear = button(say("chat.clear"), icon="close", do="clear", cls="quiet", on_click=self.clear)
                el("span", say("chat.keys"), cls="small soft push chat-keys")

    def _saving(self) -> None:
        say = self.say
        with el("div", cls="panel") as self._save:
            heading(2, say("chat.save"))
            with el("div", cls="line"):
                button("JSON", icon="save", do="save-json", on_click=lambda: self._download("json"))
                button("Markdown", icon="save", do="save-markdown", on_click=lambda: self._download("md"))
            el("p", say("chat.save.note"), cls="small soft")

    def _after(self) -> None:
        """What can be done now."""
        busy, begun = bool(self._writing), bool(self.talk.turns)
        put(self._first, hidden=begun)
        put(self._stop, hidden=not busy)
        for each in (self._again, self._edit, self._clear):
            put(each, hidden=busy or not begun)
        put(self._save, hidden=not begun)
        put(self._edits, hidden=not self._editing)
        put(self._send, disabled=not len(self.site.chats))

    # ---- pictures

    def begin(self, album: str, pictures: Sequence[str]) -> None:
        """The pictures that an address asks for."""
        for each in pictures:
            try:
                self.take(from_album(self.site.shelf[album] if album else self.site.shelf.first, each))
            except WhichpicError as error:
                self.trouble(" ".join(str(error).split()))

    def take(self, picture: Given) -> None:
        """One more picture. Raises ChatError where there are enough."""
        self.talk.add(picture)
        self.trouble("")
        self._pictures.draw()

    def take_out(self, picture: Given) -> None:
        """One picture less."""
        self.talk.pictures = [each for each in self.talk.pictures if each.key != picture.key]
        self._pictures.draw()

    def _handed_in(self, picture: Given) -> None:
        with self.client:
            self.take(picture)
            self.announce(self.say("chat.pictures.added", name=picture.name))

    # ---- talking

    async def _submitted(self, event: GenericEventArguments) -> None:
        text = event.args if isinstance(event.args, str) else ""
        if text.strip():
            await self.ask(text)

    async def ask(self, question: str) -> None:
        """Ask the models that are chosen; or, while the last question is being edited, ask it anew."""
        if self._writing:
            self.trouble(self.say("chat.busy"))
            return
        try:
            models = self.settings.models()
            self.settings.chosen.decoding()
            question = fitting(question)
            blind = self.settings.chosen.blind and len(models) > 1
            if blind:
                random.shuffle(models)
            if self._editing and self.talk.turns:
                self._drop_last()
            self.talk.system = self.settings.chosen.system
            turn = self.talk.ask(question, [(each.id, each.name) for each in models], blind=blind)
        except WhichpicError as error:
            self.trouble(" ".join(str(error).split()))
            self._after()
            return
        self.trouble("")
        self._editing = False
        self.fill("question", "")
        with self._messages:
            self._views[id(turn)] = TurnView(
                self.say, turn, on_stop=self._stop_one, on_again=self._once_more, on_vote=self._vote
            )
        for answer in turn.answers:
            self._begin(turn, answer)
        self.announce(self.say("chat.thinking"))

    async def regenerate(self) -> None:
        """The last question once more, to the models that are chosen now."""
        if self.talk.turns and not self._writing:
            self._editing = True
            await self.ask(self.talk.turns[-1].question)
            self._editing = False
            self._after()

    def edit(self) -> None:
        """The last question back into the box; sending it replaces it and its answers."""
        if self.talk.turns and not self._writing:
            self._editing = True
            self.fill("question", self.talk.turns[-1].question)
            self._after()

    def stop(self) -> None:
        """End all that is being written."""
        for writing in list(self._writing.values()):
            writing.stop()

    def clear(self) -> None:
        """Begin anew with the same pictures."""
        self.stop()
        self.talk.turns.clear()
        self._views.clear()
        self._messages.clear()
        self._editing = False
        self.trouble("")
        self._after()

    def _edit_no_more(self) -> None:
        self._editing = False
        self.fill("question", "")
        self._after()

    def _drop_last(self) -> None:
        turn = self.talk.turns.pop()
        view = self._views.pop(id(turn), None)
        if view is not None:
            view.box.delete()

    def _stop_one(self, answer: Answer) -> None:
        if (writing := self._writing.get(id(answer))) is not None:
            writing.stop()

    async def _once_more(self, turn: Turn, answer: Answer) -> None:
        """One answer that failed or was stopped, written anew."""
        if id(answer) in self._writing or not any(each is turn for each in self.talk.turns):
            return
        fresh = Answer(answer.model, answer.name)
        place = next(k for k, each in enumerate(turn.answers) if each is answer)
        turn.answers[place] = fresh
        view = self._views.pop(id(turn))
        at = self._messages.default_slot.children.index(view.box)
        view.box.delete()
        with self._messages:
            again = self._views[id(turn)] = TurnView(
                self.say, turn, on_stop=self._stop_one, on_again=self._once_more, on_vote=self._vote
            )
        again.box.move(target_index=at)
        self._begin(turn, fresh)

    def _vote(self, turn: Turn, better: int) -> None:
        turn.better = better
        self._views[id(turn)].draw()

    def _begin(self, turn: Turn, answer: Answer) -> None:
        try:
            decoding = self.settings.chosen.decoding().decoding
            self._writing[id(answer)] = self.site.chats.write(
                answer.model, partial(self.talk.messages, turn, answer), decoding
            )
        except WhichpicError as error:
            answer.end(Failed("asked wrongly", " ".join(str(error).split()), 0.0))
            self._drawn(turn)
            return
        self._after()
        background_tasks.create(self._write(turn, answer, self._writing[id(answer)]))

    async def _write(self, turn: Turn, answer: Answer, writing: Writing) -> None:
        try:
            async for part in writing:
                with self.client:
                    if isinstance(part, Token):
                        answer.text += part.text
                        self._grown(turn, answer)
                    elif isinstance(part, Loading):
                        self._grown(turn, answer, self.say("chat.loading"))
                    elif isinstance(part, Done | Failed):
                        answer.end(part)
                if not answer.over:  # the whole text is sent each time: a long one less often
                    await asyncio.sleep(OFTEN + len(answer.text) / 50_000)
        finally:
            writing.stop()
            self._writing.pop(id(answer), None)
        with self.client:
            self._drawn(turn)
            self._heard(turn, answer)

    def _grown(self, turn: Turn, answer: Answer, waits: str = "") -> None:
        view = self._views.get(id(turn))
        own = next((each for each in view.answers if each.answer is answer), None) if view else None
        if own is not None:
            own.wait(waits) if waits else own.grow()

    def _drawn(self, turn: Turn) -> None:
        view = self._views.get(id(turn))
        if view is not None:
            for each in view.answers:
                each.draw()
            view.draw()
        self._after()

    def _heard(self, turn: Turn, answer: Answer) -> None:
        """Those who hear the page hear the answer once, when it is whole."""
        if id(turn) not in self._views:
            return
        place = next((k for k, each in enumerate(turn.answers) if each is answer), 0)
        name = self._views[id(turn)].label(place)
        key = "chat.heard.failed" if answer.finish == "failed" else "chat.heard"
        self.announce(self.say(key, name=name, text=answer.detail if answer.finish == "failed" else answer.text[:600]))

    # ---- small things

    def trouble(self, text: str = "") -> None:
        """Say what went wrong, in one line; without a text, that nothing does."""
        if text != self._trouble.text:
            self._trouble.set_text(text[:400])

    def announce(self, text: str) -> None:
        """Say something to those who hear the page."""
        self._status.set_text(text)

    def fill(self, name: str, text: str) -> None:
        """Put a text into a field, and the focus with it."""
        with self.client:
            ui.run_javascript(
                f"const box = document.getElementById({json.dumps(name)}); box.value = {json.dumps(text)};"
                "box.focus({ preventScroll: true }); box.dispatchEvent(new Event('input', { bubbles: true }));"
            )

    def _prompt(self, name: str) -> None:
        written = prompt(f"describe-{name}", self.say.language)
        if written.system:
            self.settings.put_system(written.system)
        self.fill("question", written.user)

    def _download(self, kind: str) -> None:
        text = self.talk.as_json() if kind == "json" else self.talk.as_markdown()
        ui.download.content(text.encode("utf-8"), f"whichpic-talk.{kind}")

    async def _left(self) -> None:
        await asyncio.sleep(GRACE)
        if not self.client.has_socket_connection:
            self.stop()

    def _close(self) -> None:
        self.site.chats.inboxes.pop(self.secret, None)
        self.stop()
