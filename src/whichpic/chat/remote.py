"""A model behind any OpenAI-compatible server: vLLM, Ollama, llama.cpp, DashScope, OpenAI. Called by `open_chat`.

One deadline holds for a whole call: retries, the repair of a reply, and every byte of a stream. Pictures go as data URLs that
were encoded here, never as an address. A key is kept out of names, errors, logs and files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from whichpic.chat.base import Choices, Decoding, Message, Reply, answer
from whichpic.chat.connection import Blind, Connection
from whichpic.chat.servers import (
    PRESETS,
    Heard,
    as_reply,
    preset_of,
    read_choices,
    tokens,
    written_messages,
    written_request,
)
from whichpic.chat.streaming import Streamed
from whichpic.chat.structured import chosen, distinct, labels, mass_of, one_of, parse, validated, with_schema
from whichpic.chat.wire import Answer, Clock
from whichpic.errors import ChatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.base import Schema

_LEAST_MASS = 0.02
"""Below this mass of all choices together the first token was something else, and one word is asked for instead."""
_NAMING = 0.5
"""Seconds that asking for a model's name may take where no deadline is known: it comes on top of one."""
T = TypeVar("T")
_Choices = Sequence[str | tuple[str, ...]]


@dataclass(frozen=True)
class _Call:
    """What a call sends before its own last words: messages as the server takes them, and until when."""

    plain: list[dict[str, Any]]
    seen: bool
    clock: Clock

    def then(self, text: str) -> _Call:
        return replace(self, plain=[*self.plain, {"role": "user", "content": text}])


class Remote:
    """A server's model as a Chat. Nothing is sent before the first call.

    base_url: the address, http://host:port/v1, or "" for that of the preset (openai, dashscope, vllm, ollama, llamacpp).
    model: "" takes the only one that the server has. key: or WHICHPIC_CHAT_KEY, or the preset's own variable.
    deadline, connect, idle: seconds for a whole call, for a connection, and without a byte. retries: after a fault that may
    pass. concurrency: requests at a time. picture_bytes: of all pictures of a request; longest: pixels of a picture's
    longer side. can_see: False for a model of words alone. Raises ChatError("asked wrongly") for an address that is none.
    """

    def __init__(
        self,
        base_url: str = "",
        *,
        model: str = "",
        key: str | None = None,
        preset: str | None = None,
        deadline: float = 120.0,
        connect: float = 5.0,
        idle: float = 60.0,
        retries: int = 2,
        concurrency: int = 4,
        picture_bytes: int = 4_000_000,
        longest: int = 1344,
        can_see: bool = True,
    ) -> None:
        if preset is not None and preset not in PRESETS:
            raise ChatError("asked wrongly", f"no preset is called '{preset}'; there are {', '.join(PRESETS)}")
        concurrency = max(1, concurrency)
        self._preset = PRESETS[preset] if preset else preset_of(base_url)
        self._server = Connection(
            base_url or self._preset.address, model, key, self._preset, retries=retries, concurrency=concurrency
        )
        self.usage = self._server.usage
        self.can_see = self.can_see_several = can_see
        self.can_score = self._preset.scores
        self.deadline, self.connect, self.idle = deadline, connect, idle
        self.concurrency, self.picture_bytes, self.longest = concurrency, picture_bytes, longest
        self._asked_model = float("-inf")
        self._clocks: WeakSet[Clock] = WeakSet()
        self._clocks_lock = threading.Lock()

    __call__ = answer

    def __repr__(self) -> str:
        return f"Remote({self._server.address!r}, model={self._server.model!r})"

    @property
    def describe(self) -> str:
        """One line for people."""
        return f"{self._server.model or 'the model'} at {self._server.where}"

    @property
    def id(self) -> str:
        """Address, model and size of pictures. The server is asked for its model where none was named."""
        if not self._server.model and monotonic() - self._asked_model > 10:
            try:
                self._server.named(self._clock(min(self.connect, _NAMING)))
            except ChatError:
                self._asked_model = monotonic()
        return f"{self._server.address}#{self._server.model};{self.longest}px;{self.picture_bytes}b"

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Schema | None = None,
        n: int = 1,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
    ) -> list[Reply]:
        """n replies: in one request where the server can, else in n, with a seed each. Raises ChatError."""
        call = self._call(messages, deadline)
        several = n > 1 and self._preset.several and "n" not in self._server.refused
        firsts = self._replies(call, messages, schema, decoding, n=n) if several else []
        if several and len(firsts) < n:
            self._server.refused.add("n")

        def one(number: int) -> Reply:
            seed = decoding.seed
            own = decoding if seed is None else replace(decoding, seed=seed + number)

            def ask(asked: Sequence[Message]) -> Reply:
                this = call if asked is messages else replace(call, plain=self._written(asked))
                return self._replies(this, asked, schema, own)[0]

            return validated(ask, messages, schema, first=firsts[number] if number < len(firsts) else None)

        return self._together(one, n)

    def stream(
        self, messages: Sequence[Message], *, decoding: Decoding = Decoding(), deadline: float | None = None
    ) -> Streamed:
        """The reply as it comes. close() ends the request at once, also from another thread."""
        clock = self._clock(deadline)

        def opened() -> tuple[Answer, Callable[[], None]]:
            call = replace(self._call(messages, deadline), clock=clock)

            def body() -> dict[str, Any]:
                gone = "stream_options" in self._server.refused
                options: dict[str, Any] = {} if gone else {"stream_options": {"include_usage": True}}
                return {**self._request(call, decoding), "stream": True, **options}

            return self._seeing(lambda: self._server.open_stream(body, clock, seen=call.seen))

        return Streamed(opened, self._server.where, self.usage, clock, safe=self._server.safe)

    def choose(
        self,
        prefix: Sequence[Message],
        questions: Sequence[str],
        choices: _Choices,
        *,
        deadline: float | None = None,
    ) -> Choices:
        """The mass of each choice by the probabilities of the first token; where a server gives none, or where they do not
        tell the choices apart, by one word that the model is held to (exact is False then). Raises ChatError.
        """
        import numpy as np

        call = self._call(prefix, deadline)
        if self._preset.logprobs and "logprobs" not in self._server.refused and distinct(choices):
            rows = self._together(lambda row: self._first(call.then(questions[row]), choices), len(questions))
            if all(row is not None for row in rows):
                return Choices(np.array(rows, dtype=np.float64).reshape(len(questions), len(choices)))
        return chosen(self._together(lambda row: self._word(call, questions[row], choices), len(questions)), choices)

    def logprobs(
        self, prefix: Sequence[Message], replies: Sequence[str], *, deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Log-probability of every token of each reply, by vLLM's prompt_logprobs; ChatError("unsupported") elsewhere."""
        where = self._server.where
        if not self.can_score:
            raise ChatError("unsupported", f"{where} does not score replies; vLLM does (vllm:URL), and local weights")
        from whichpic.chat.scored import reply_logprobs

        call = self._call(prefix, deadline)

        def ask(extra: Mapping[str, Any]) -> dict[str, Any]:
            def body() -> dict[str, Any]:
                return {**self._request(call, Decoding(max_tokens=1)), **extra}

            return self._seeing(lambda: self._server.ask(body, call.clock, seen=call.seen, read=lambda found: found))[0]

        begin = tokens(ask({}))[0]
        # As they were sent, now that the server has said what it takes.
        laid = self._request(call, Decoding())["messages"]
        return self._together(lambda k: reply_logprobs(ask, laid, replies[k], begin, where), len(replies))

    def reach(self) -> None:
        """Raises ChatError where no server answers at the address, and where it does not say which model is meant."""
        clock = self._clock(self.connect)
        self._server.reach(clock) if self._server.model else self._server.named(clock)

    def cancel(self) -> None:
        """End all calls that are under way, from any thread; whoever waits gets ChatError("cancelled")."""
        with self._clocks_lock:
            under_way = list(self._clocks)
        for clock in under_way:
            clock.cancel()

    def _replies(
        self, call: _Call, messages: Sequence[Message], schema: Schema | None, decoding: Decoding, *, n: int = 1
    ) -> list[Reply]:
        """Up to n replies of one request, not validated yet."""

        def body() -> dict[str, Any]:
            if schema is None or self._holds_to_schemas:
                return self._request(call, decoding, schema=schema, n=n)
            text = with_schema(messages[-1:], schema)[0].text
            return self._request(replace(call, plain=_retold(call.plain, text)), decoding, schema=schema, n=n)

        heard, found, seconds = self._heard(call, body)
        before, after = tokens(found)
        return [
            as_reply(each, tokens_in=0 if k else before, tokens_out=after // len(heard), seconds=0.0 if k else seconds)
            for k, each in enumerate(heard[:n])
        ]

    def _first(self, call: _Call, choices: _Choices) -> list[float] | None:
        """The mass of each choice by the first tokens; None where they do not tell."""
        if "logprobs" in self._server.refused:
            return None
        heard, _, _ = self._heard(
            call, lambda: self._request(call, Decoding(max_tokens=4), first_tokens=True), first_tokens=True
        )
        if not heard[0].top:
            self._server.refused.add("logprobs")
            return None
        mass, unclear = mass_of(heard[0].top, choices)
        return None if sum(mass) < max(_LEAST_MASS, unclear) else mass

    def _word(self, call: _Call, question: str, choices: _Choices) -> str:
        """The choice that the model writes, held to them by a schema where the server can."""
        schema = _one_word(labels(choices))
        asked = call.then(one_of([Message("user", question)], choices)[0].text)

        def body() -> dict[str, Any]:
            wish = schema if self._holds_to_schemas else None
            return self._request(asked, Decoding(max_tokens=48), schema=wish)

        text = self._heard(asked, body)[0][0].text
        try:
            return str(parse(text, schema).answer)
        except ChatError:
            return text

    @property
    def _holds_to_schemas(self) -> bool:
        return self._preset.schema != "object" and "response_format" not in self._server.refused

    def _request(
        self,
        call: _Call,
        decoding: Decoding,
        *,
        schema: Schema | None = None,
        n: int = 1,
        first_tokens: bool = False,
    ) -> dict[str, Any]:
        return written_request(
            self._preset, self._server.named(call.clock), call.plain, decoding,
            schema=schema, n=n, first_tokens=first_tokens, refused=self._server.refused,
        )  # fmt: skip

    def _heard(
        self, call: _Call, body: Callable[[], dict[str, Any]], *, first_tokens: bool = False
    ) -> tuple[list[Heard], dict[str, Any], float]:
        def read(found: dict[str, Any]) -> list[Heard]:
            return read_choices(found, self._server.where, first_tokens=first_tokens)

        return self._seeing(lambda: self._server.ask(body, call.clock, seen=call.seen, read=read))

    def _seeing(self, ask: Callable[[], T]) -> T:
        """What is asked for; a server that says that its model is blind is not shown pictures again."""
        try:
            return ask()
        except Blind:
            self.can_see = self.can_see_several = False
            raise

    def _call(self, messages: Sequence[Message], deadline: float | None) -> _Call:
        clock = self._clock(deadline)
        return _Call(self._written(messages), any(message.pictures for message in messages), clock)

    def _written(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        if not self.can_see and any(message.pictures for message in messages):
            raise ChatError("unsupported", f"the model at {self._server.where} sees no pictures")
        return written_messages(messages, budget=self.picture_bytes, longest=self.longest)

    def _clock(self, deadline: float | None) -> Clock:
        clock = Clock(self.deadline if deadline is None else deadline, idle=self.idle, connect=self.connect)
        with self._clocks_lock:
            self._clocks.add(clock)
        return clock

    def _together(self, one: Callable[[int], T], n: int) -> list[T]:
        """one(0), one(1), ... at the same time, as many as the server may be asked at once."""
        if n < 2 or self.concurrency < 2:
            return [one(k) for k in range(n)]
        with ThreadPoolExecutor(min(n, self.concurrency), thread_name_prefix="whichpic-chat") as pool:
            try:
                return list(pool.map(one, range(n)))
            except KeyboardInterrupt:
                self.cancel()  # else the pool would wait for the server
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _retold(plain: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The written messages with another last text; the pictures are not encoded again."""
    *before, last = plain
    content = last["content"]
    told = text if isinstance(content, str) else [*content[:-1], {"type": "text", "text": text}]
    return [*before, {**last, "content": told}]


def _one_word(words: Sequence[str]) -> Schema:
    from typing import Literal

    from pydantic import create_model

    wish: Any = Literal[tuple(words)]
    return create_model("Word", answer=(wish, ...))
