"""The models that pictures are talked about with: opened when first needed, every reply a stream. Called by pages, api_ask.

writing = site.chats.write("ollama-qwen2-5vl", lambda: messages, Decoding())
async for part in writing: ...        # Loading, Token, ..., and at the end Done or Failed
writing.stop()                        # from any thread: ends the request to the model at once
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from whichpic.chat import open_chat, runs_elsewhere
from whichpic.errors import ChatError, WhichpicError

if TYPE_CHECKING:
    from whichpic.chat.base import Chat, Decoding, Message
    from whichpic.web.chat_log import Given
    from whichpic.web.desk import Desk

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Replies that are written at a time: half of the desk's threads, so that questions always find one."""
PATIENCE = 120.0
"""Seconds for a reply of a server."""
PATIENCE_HERE = 900.0
"""Seconds for a reply of weights in this process: without a GPU that takes long, and it can be stopped."""


@dataclass(frozen=True, slots=True)
class Loading:
    """Nothing is written yet: the weights are being loaded, or another reply comes first."""


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of the reply: a token, or all that came since the last look."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The reply is there. finish: "stop", "length" (cut at the most tokens) or "stopped" (by the user)."""

    finish: Literal["stop", "length", "stopped"]
    seconds: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The model did not answer to the end; what was written stays. reason: as that of a ChatError."""

    reason: str
    detail: str
    seconds: float
    again: bool = True


Part = Loading | Token | Done | Failed


@dataclass
class Model:
    """One model of the site. `id` is for addresses, `name` for people: neither has a path or a password of this machine."""

    id: str
    name: str
    wanted: str = field(repr=False)
    state: Literal["new", "loading", "ready", "failed"] = "new"
    detail: str = ""
    chat: Chat | None = field(default=None, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1), repr=False)

    @property
    def local(self) -> bool:
        """Whether its weights are in this process: one reply at a time, beam search."""
        return not runs_elsewhere(self.wanted)

    def open(self, **options: Any) -> Chat:
        """Its Chat, opened by the first who needs it. Raises WhichpicError; the next call tries again."""
        with self._opening:
            if self.chat is None:
                try:
                    self.chat = _opened(self.wanted, options)
                except WhichpicError as error:
                    self.state, self.detail = "failed", self.line(error)
                    raise
                self.state, self.detail = "new" if self.local else "ready", ""
            return self.chat

    def line(self, error: Exception) -> str:
        """An error on one line; the model is called by the name that people know."""
        return " ".join(str(error).replace(self.wanted, self.name).split())[:500]


class Chats:
    """The models of a site, by the names of `open_chat`.

    opened: chats that there are already, in the order of the names; options: of weights in this process.
    """

    def __init__(self, names: Sequence[str], desk: Desk, *, opened: Sequence[Chat | None] = (), **options: Any) -> None:
        self.models: dict[str, Model] = {}
        self.inboxes: dict[str, Callable[[Given], None]] = {}
        """What takes the pictures that are handed in to a page, by the page's own secret name."""
        self._desk, self._options = desk, options
        self._free = threading.Semaphore(AT_ONCE)
        for number, wanted in enumerate(dict.fromkeys(names)):
            name = name_of(wanted)
            id = _free_id(name, self.models)
            ready = opened[number] if number < len(opened) else None
            self.models[id] = Model(id, name, wanted, state="new" if ready is None else "ready", chat=ready)

    def __len__(self) -> int:
        return len(self.models)

    def __getitem__(self, id: str) -> Model:
        """A model by its id; "" is the first. Raises ChatError."""
        if not self.models:
            raise ChatError("asked wrongly", "no model is served; start with: whichpic serve ALBUM --chat MODEL")
        if id and id not in self.models:
            raise ChatError("asked wrongly", f"there is no model '{id[:80]}'; there are: {', '.join(self.models)}")
        return self.models[id] if id else next(iter(self.models.values()))

    def write(self, id: str, messages: Callable[[], Sequence[Message]], decoding: Decoding) -> Writing:
        """Begin a reply; messages are made in its thread, since reading pictures takes a while. Called in an event loop.

        Raises ChatError for a model that there is not, and where too many replies are being written.
        """
        model = self[id]
        if not self._free.acquire(blocking=False):
            raise ChatError("rate limit", f"{AT_ONCE} replies are being written already; try again in a moment")
        writing = Writing(asyncio.get_running_loop())

        def work() -> None:
            try:
                _written(writing, model, self._options, messages, decoding)
            finally:
                self._free.release()

        try:
            self._desk.beside(work)
        except RuntimeError:  # the site is closing
            self._free.release()
            raise ChatError("cancelled", "the site is closing") from None
        return writing


class Writing:
    """A reply that is being written: an asynchronous iterator of its parts, the last one Done or Failed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parts: asyncio.Queue[Part] = asyncio.Queue()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._over = False
        self._pieces: Any = None
        self._held: Part | None = None
        self._given_all = False
        self._said = 0
        self.began = perf_counter()

    @property
    def stopped(self) -> bool:
        """Whether nobody wants the rest any more."""
        return self._stopped.is_set()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return perf_counter() - self.began

    def stop(self) -> None:
        """End it, from any thread: the request is closed, and Done("stopped") follows at once."""
        self._stopped.set()
        with self._lock:
            pieces = self._pieces
        close = getattr(pieces, "close", None)
        if close is not None:
            with suppress(ValueError):  # a generator that another thread is in: that thread sees `stopped` next
                close()
        self.put(Done("stopped", self.seconds, self._said))

    def follow(self, pieces: Iterator[str]) -> Iterator[str]:
        """The pieces, until somebody stops; they are closed in any case. Called by the thread that reads them."""
        with self._lock:
            self._pieces = pieces
        try:
            while not self.stopped and (piece := next(pieces, None)) is not None:
                yield piece
        finally:
            with self._lock:
                self._pieces = None
            if (close := getattr(pieces, "close", None)) is not None:
                close()

    def put(self, part: Part) -> None:
        """Hand over the next part, from any thread. What comes after the end is dropped."""
        with self._lock:
            if self._over:
                return
            self._over = isinstance(part, Done | Failed)
            self._said += isinstance(part, Token)
        with suppress(RuntimeError):  # the loop has gone, and with it whoever waited
            self._loop.call_soon_threadsafe(self._parts.put_nowait, part)

    def __aiter__(self) -> Writing:
        return self

    async def __anext__(self) -> Part:
        """The next part; tokens that have piled up come as one."""
        if self._given_all:
            raise StopAsyncIteration
        part, self._held = self._held or await self._parts.get(), None
        if not isinstance(part, Token):
            self._given_all = isinstance(part, Done | Failed)
            return part
        texts = [part.text]
        while self._held is None and not self._parts.empty():
            following = self._parts.get_nowait()
            if isinstance(following, Token):
                texts.append(following.text)
            else:
                self._held = following
        return Token("".join(texts))


def name_of(wanted: str) -> str:
    """A model's name for people: without the folder that it lies in, without the password of an address."""
    wanted = wanted.strip()
    if not runs_elsewhere(wanted):
        here = Path(wanted).expanduser()
        return (here.name or "weights") if os.path.lexists(here) else wanted
    bare = re.sub(r"//[^/@\s]*@", "//", wanted)
    address, _, model = bare.partition("#")
    host = re.sub(r"^([a-z]+:)?https?://", "", address).partition("/")[0]
    return bare if "//" not in address else f"{model} ({host})" if model else host


def _opened(wanted: str, options: dict[str, Any]) -> Chat:
    if wanted.strip().lower().startswith("batch:"):
        raise ChatError("unsupported", "batch files are answered later, on another machine: name a server or weights")
    return open_chat(wanted, **({"retries": 1} if runs_elsewhere(wanted) else options))


def _written(
    writing: Writing,
    model: Model,
    options: dict[str, Any],
    made: Callable[[], Sequence[Message]],
    decoding: Decoding,
) -> None:
    """One reply, in a thread that may wait. Whatever goes wrong is its last part."""
    try:
        chat, messages = model.open(**options), made()
        if not model.local:
            writing.put(_drawn(writing, chat, messages, decoding, PATIENCE, counted=False))
            return
        while not model._turn.acquire(timeout=0.1):
            writing.put(Loading()) if writing.seconds < 0.2 else None
            if writing.stopped:
                return
        try:
            _loaded(writing, model, chat)
            # Nobody else uses these weights meanwhile, so that what they have cost is what this reply has.
            writing.put(_drawn(writing, chat, messages, decoding, PATIENCE_HERE, counted=True))
        finally:
            model._turn.release()
    except ChatError as error:
        stopped = writing.stopped or error.reason == "cancelled"
        part = Done("stopped", writing.seconds, writing._said) if stopped else None
        writing.put(part or Failed(error.reason, model.line(error), writing.seconds, error.again))
    except WhichpicError as error:
        writing.put(Failed("unsupported", model.line(error), writing.seconds, again=False))
    except Exception as error:
        log.exception("a reply failed")
        writing.put(Failed("server", f"the model failed ({type(error).__name__})", writing.seconds))


def _loaded(writing: Writing, model: Model, chat: Chat) -> None:
    load = getattr(chat, "load", None)
    if load is None or model.state == "ready":
        model.state = "ready"
        return
    model.state = "loading"
    writing.put(Loading())
    try:
        load()
    except BaseException as error:
        model.state, model.detail = "failed", model.line(error) if isinstance(error, WhichpicError) else "not loaded"
        raise
    model.state, model.detail = "ready", ""


def _drawn(
    writing: Writing, chat: Chat, messages: Sequence[Message], decoding: Decoding, seconds: float, *, counted: bool
) -> Done:
    """Ask, and hand over the pieces as they come. Beams are not known before the end: they come as one piece."""
    if writing.stopped:
        return Done("stopped", writing.seconds, 0)
    if decoding.beams > 1:
        reply = chat.complete(messages, decoding=decoding, deadline=seconds)[0]
        writing.put(Token(reply.text))
        return Done("length" if reply.finish == "length" else "stop", writing.seconds, reply.tokens_out)
    before, said = chat.usage.tokens_out, 0
    pieces = chat.stream(messages, decoding=decoding, deadline=seconds)
    for piece in writing.follow(pieces):
        said += 1
        writing.put(Token(piece))
    tokens = int(getattr(pieces, "tokens_out", 0)) or (chat.usage.tokens_out - before if counted else 0) or said
    told = getattr(pieces, "finish", "") or ("length" if tokens >= decoding.max_tokens else "stop")
    return Done("length" if told == "length" else "stop", writing.seconds, tokens)


def _free_id(name: str, taken: dict[str, Model]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:60] or "model"
    return next(id for id in (stem, *(f"{stem}-{k}" for k in range(2, 1000))) if id not in taken)
