"""A reply that comes piece by piece, as server-sent events. Called by remote."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from time import perf_counter
from typing import Any

from whichpic.chat.base import Usage
from whichpic.chat.refusals import refusal
from whichpic.chat.servers import read_choices, read_json, tokens
from whichpic.chat.structured import printable_part
from whichpic.chat.wire import Answer, Clock
from whichpic.errors import ChatError

_MOST = 200_000
"""Characters of a reply."""


class Streamed:
    """The pieces of a reply. `close`, also from another thread, ends the request; whoever waits gets "cancelled".

    opened: sends the request, gives the answer and what frees its place; called at the first piece. safe: an error without
    what must not be told.
    """

    def __init__(
        self,
        opened: Callable[[], tuple[Answer, Callable[[], None]]],
        where: str,
        usage: Usage,
        clock: Clock,
        *,
        safe: Callable[[ChatError], ChatError],
    ) -> None:
        self._opened, self._where, self._usage, self._clock, self._safe = opened, where, usage, clock, safe
        self.finish = ""
        """Why the reply ended, as the server says it: "stop" or "length"; "" where it has not."""
        self.tokens_out = 0
        """Of the reply, 0 where the server does not say."""
        self._pieces = self._read()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    def __enter__(self) -> Streamed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the request, if it is still under way."""
        self._clock.cancel()
        with suppress(ValueError):  # another thread is in it, and gets the news from the connection
            self._pieces.close()

    def _read(self) -> Generator[str]:
        began = perf_counter()
        answer, free = self._opened()
        told: dict[str, Any] = {}
        try:
            with answer:
                if answer.kind == "text/event-stream":
                    said = False
                    for piece in spoken(self._events(answer, told)):
                        said = True
                        yield piece
                    if not said:
                        raise ChatError("empty", f"{self._where} answers with an empty reply")
                else:  # a server that does not stream answers in one piece
                    found = read_json(answer.kind, answer.body(), self._where)
                    told |= found
                    heard = read_choices(found, self._where)[0]
                    self.finish = heard.finish
                    yield heard.text
        except ChatError as error:
            raise self._safe(error) from None
        finally:
            free()
            before, after = tokens(told)
            self.tokens_out = after
            self._usage.add(tokens_in=before, tokens_out=after, seconds=perf_counter() - began)

    def _events(self, answer: Answer, told: dict[str, Any]) -> Iterator[str]:
        finished, length = False, 0
        for line in answer.lines():
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                break
            event = self._event(data)
            if isinstance(event.get("usage"), dict):
                told["usage"] = event["usage"]
            choices = event.get("choices")
            if not isinstance(choices, list) or not choices:
                continue
            piece, reason = _piece(choices[0], self._where)
            finished = finished or reason is not None
            self.finish = "length" if reason == "length" else "stop" if reason is not None else self.finish
            if reason == "content_filter":
                raise ChatError("refused", f"{self._where} will not answer this")
            length += len(piece)
            if length > _MOST:
                raise ChatError("server", f"{self._where} streams more than {_MOST} characters")
            if piece:
                yield piece
        if not finished:
            raise ChatError("cut", f"the stream of {self._where} ended before the reply was complete")

    def _event(self, data: str) -> dict[str, Any]:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise ChatError("not json", f"the stream of {self._where} holds something that is not JSON") from None
        if not isinstance(event, dict):
            raise ChatError("not json", f"the stream of {self._where} holds JSON that is no part of a reply")
        if event.get("error"):
            raise refusal(500, {}, data.encode(), self._where)
        return event


def spoken(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces without the thoughts that some models put before their reply, between <think> and </think>."""
    held, begun = "", False
    for piece in pieces:
        if begun:
            yield piece
            continue
        held += piece
        text = held.lstrip()
        if text.startswith("<think"):
            _, mark, rest = text.partition("</think")
            held = rest.partition(">")[2].lstrip() if mark and ">" in rest else held
            if held.lstrip().startswith("<think") or not held:
                continue
        elif "<think".startswith(text):
            continue
        begun = True
        yield held.lstrip()
    if not begun and held.strip() and not held.lstrip().startswith("<think"):
        yield held


def _piece(choice: Any, where: str) -> tuple[str, str | None]:
    """The text of one event, and why the reply ended, where it did."""
    if not isinstance(choice, dict):
        raise ChatError("not json", f"the stream of {where} holds JSON that is no part of a reply")
    delta = choice.get("delta")
    content = delta.get("content") if isinstance(delta, dict) else None
    reason = choice.get("finish_reason")
    return printable_part(content) if isinstance(content, str) else "", reason if isinstance(reason, str) else None
