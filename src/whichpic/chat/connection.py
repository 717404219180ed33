"""The way to one server: its address and key, which model it has, what it has refused, and who may ask when.

Called by remote. Here are the retries, within the deadline of the call that they are for.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar
from urllib.parse import urlsplit

from whichpic.chat.base import Usage
from whichpic.chat.refusals import Refused, blind, refusal, refused_field
from whichpic.chat.servers import Preset, of_dashscope, read_json, tokens
from whichpic.chat.wire import Answer, Clock, request
from whichpic.errors import ChatError

Body = Callable[[], Mapping[str, Any]]
"""Makes the body of a request anew: what a server has refused before is no longer in it."""
T = TypeVar("T")


class Blind(ChatError):
    """The model of the server sees no pictures."""


class Connection:
    """One server. Any thread may ask; no more than `concurrency` requests are under way at a time."""

    def __init__(
        self, address: str, model: str, key: str | None, preset: Preset, *, retries: int, concurrency: int
    ) -> None:
        self.address = _address(address)
        self.where = urlsplit(self.address).netloc
        self.model = model
        self.refused: set[str] = set()
        self.usage = Usage()
        self._key = _Key(key or _key_of(preset, self.address))
        self._retries = retries
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(concurrency)

    def ask(
        self, body: Body, clock: Clock, *, seen: bool, read: Callable[[dict[str, Any]], T]
    ) -> tuple[T, dict[str, Any], float]:
        """What `read` makes of an answer, the answer itself, and the seconds; counted once, whatever it took.

        seen: pictures are sent along. Raises ChatError, and Blind for a model that sees none.
        """

        def attempt(whole: Mapping[str, Any]) -> tuple[T, dict[str, Any]]:
            with self._place(clock), self._open(whole, clock) as came:
                found = read_json(came.kind, came.body(), self.where)
            return read(found), found

        began = perf_counter()
        result, found = self._insisting(body, attempt, clock, seen=seen)
        seconds = perf_counter() - began
        before, after = tokens(found)
        self.usage.add(tokens_in=before, tokens_out=after, seconds=seconds)
        return result, found, seconds

    def open_stream(self, body: Body, clock: Clock, *, seen: bool) -> tuple[Answer, Callable[[], None]]:
        """The head of an answer that is read piece by piece, and what has to be called when it is over."""
        self._enter(clock)
        try:
            return self._insisting(body, lambda whole: self._open(whole, clock), clock, seen=seen), self._places.release
        except BaseException:
            self._places.release()
            raise

    def safe(self, error: ChatError) -> ChatError:
        """The error without the key, wherever it stood."""
        return self._key.kept_out(error)

    def reach(self, clock: Clock) -> None:
        """Raises ChatError where no server answers at the address at all; what it answers does not matter."""
        try:
            with self._open(None, clock, "/models"):
                pass
        except ChatError as error:
            if error.reason == "unreachable":
                raise

    def named(self, clock: Clock) -> str:
        """The model's name; the server is asked once where none was given. Raises ChatError where it has several."""
        with self._named_by_one(clock):
            if not self.model:
                with self._open(None, clock, "/models") as came:
                    found = read_json(came.kind, came.body(), self.where).get("data")
                there = (
                    [str(each.get("id")) for each in found if isinstance(each, dict)] if isinstance(found, list) else []
                )
                if len(there) != 1:
                    few = ", ".join(there[:6]) + (", ..." if len(there) > 6 else "")
                    raise ChatError(
                        "asked wrongly",
                        f"{self.where} has {len(there)} models ({few}); name one after #, or preset:MODEL",
                    )
                self.model = there[0]
            return self.model

    @contextmanager
    def _named_by_one(self, clock: Clock) -> Iterator[None]:
        """One asks for the name, the others wait, each within a clock of its own."""
        if not self._lock.acquire(timeout=clock.wait(clock.seconds)):
            raise clock.late()
        try:
            yield
        finally:
            self._lock.release()

    def _insisting(self, body: Body, attempt: Callable[[Mapping[str, Any]], T], clock: Clock, *, seen: bool) -> T:
        """What an attempt brings; again after a fault that may pass, and without a field that the server does not know."""
        tried, before = 0, None
        while True:
            whole: Mapping[str, Any] = {}
            try:
                whole = body()
                return attempt(whole)
            except ChatError as error:
                safe = self._key.kept_out(error)
                if isinstance(error, Refused) and error.reason in ("asked wrongly", "server"):
                    field = refused_field(error, whole)
                    if field and field not in self.refused:
                        self.refused.add(field)
                        continue
                    if seen and blind(error):
                        raise Blind("unsupported", f"the model at {self.where} sees no pictures: {safe}") from None
                wait = getattr(error, "wait", 0.0)
                pause = max(wait, 0.5 * 2**tried * random.uniform(0.75, 1.25))
                if not error.again or tried >= self._retries or pause >= clock.left:
                    # What went wrong first says more than that there was no time left to try again.
                    raise (before if before is not None and error.reason == "timeout" else safe) from None
                tried, before = tried + 1, safe
                clock.cancelled.wait(pause)

    def _open(self, whole: Mapping[str, Any] | None, clock: Clock, path: str = "/chat/completions") -> Answer:
        """The head of an answer whose status is 200. Raises ChatError."""
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        headers |= self._key.header()
        body = None if whole is None else json.dumps(whole).encode()
        came = request(self.address + path, clock, body=body, headers=headers)
        if came.status == 200:
            return came
        with came:
            try:
                said = came.body()
            except ChatError:
                said = b""
            raise refusal(came.status, came.headers, said, self.where)

    @contextmanager
    def _place(self, clock: Clock) -> Iterator[None]:
        self._enter(clock)
        try:
            yield
        finally:
            self._places.release()

    def _enter(self, clock: Clock) -> None:
        if not self._places.acquire(timeout=clock.wait(clock.seconds)):
            raise clock.late()


class _Key:
    """A key, in one place, and in nothing that is printed."""

    def __init__(self, value: str) -> None:
        self._value = value.strip()
        if any(ord(each) < 33 or ord(each) > 126 for each in self._value):
            raise ChatError("asked wrongly", "the key of the chat server holds blanks or signs that no key has")

    def __repr__(self) -> str:
        return "_Key(***)"

    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def kept_out(self, error: ChatError) -> ChatError:
        """The error without the key: some servers repeat what they were sent."""
        if not self._value or self._value not in str(error):
            return error
        return ChatError(error.reason, str(error).replace(self._value, "***"))


def _key_of(preset: Preset, address: str) -> str:
    from whichpic.settings import settings

    own = settings().chat_key
    if own is not None:
        return own.get_secret_value()
    # A key of OpenAI goes to OpenAI, and not to a server that only speaks like it.
    usual, host = urlsplit(preset.address).hostname, urlsplit(address).hostname
    meant = usual in (host, "127.0.0.1") or (preset.key == "DASHSCOPE_API_KEY" and of_dashscope(host or ""))
    return os.environ.get(preset.key, "") if preset.key and meant else ""


def _address(given: str) -> str:
    """The address without a slash at its end; /v1 is added where there is no path."""
    try:
        parts = urlsplit(given.strip())
        netloc = parts.netloc.encode("idna").decode()
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ChatError("asked wrongly", "no address of a server was given; expected http://host:port/v1")
    if parts.username or parts.password or parts.query:
        raise ChatError(
            "asked wrongly", "an address holds no key and no question mark; the key goes into WHICHPIC_CHAT_KEY"
        )
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/') or '/v1'}"
