"""Requests into a file and replies out of another, for machines that do not reach the model. Called by `open_chat`, cli/batch.

A folder holds requests.jsonl, lines of OpenAI's Batch API, and replies*.jsonl, lines of its output: of `answer_batch` on the
machine that reaches the model, or of the API itself. What `choose` may be answered with is in choices.jsonl beside them.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from whichpic.chat.answering import Outcome, answer_batch
from whichpic.chat.base import Choices, Decoding, Message, Reply, Usage, answer
from whichpic.chat.batchfiles import CHOICES, REQUESTS, Requests, append, body_of, held, lines, take_in
from whichpic.chat.cache import request_key
from whichpic.chat.servers import PRESETS, Heard, as_reply, read_choices, tokens, written_messages, written_request
from whichpic.chat.structured import chosen, distinct, mass_of, validated
from whichpic.errors import ChatError, ChatPending

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.base import Schema

__all__ = ["Batch", "Outcome", "answer_batch"]

T = TypeVar("T")
R = TypeVar("R")


class Batch:
    """A Chat whose replies come later. A request whose reply is not there yet is written down, once, and ChatPending raised.

    folder: where the files are, made where it is not there. model: as the server calls it; the machine that answers may use
    its own. The same program run again finds the replies and goes on. Any thread and any process may use the same folder.
    """

    def __init__(
        self, folder: str | Path, *, model: str = "", picture_bytes: int = 1_000_000, longest: int = 1344
    ) -> None:
        if not str(folder):
            raise ChatError("asked wrongly", "no folder for the requests was named; expected batch:FOLDER")
        self.folder = Path(folder).expanduser()
        self.model, self.picture_bytes, self.longest = model, picture_bytes, longest
        called = f"batch#{model}" if model else "batch (no model was named)"
        self.id = f"{called};{longest}px;{picture_bytes}b"  # stands beside what the model wrote
        self.describe = f"files in {self.folder}"
        self.can_see = self.can_see_several = True
        self.can_score = False
        self.usage = Usage()
        self._lock = threading.Lock()
        self._replies: dict[str, Mapping[str, Any]] = {}
        self._seen: dict[Path, tuple[int, int]] = {}
        self._requests = Requests(self.folder)

    __call__ = answer

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Schema | None = None,
        n: int = 1,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
    ) -> list[Reply]:
        """The n replies out of the files. A reply that does not follow the schema is asked for once more, by a new request.

        Raises ChatPending, and ChatError where the file says that the request failed.
        """
        firsts = self._replied(messages, schema, n, decoding)

        def again(asked: Sequence[Message]) -> Reply:
            return self._replied(asked, schema, 1, decoding)[0]

        # All repairs are written down before the work stops for them.
        return _all(lambda first: validated(again, messages, schema, first=first), firsts)

    def stream(
        self, messages: Sequence[Message], *, decoding: Decoding = Decoding(), deadline: float | None = None
    ) -> Iterator[str]:
        """The reply in one piece."""
        yield self.complete(messages, decoding=decoding)[0].text

    def choose(
        self,
        prefix: Sequence[Message],
        questions: Sequence[str],
        choices: Sequence[str | tuple[str, ...]],
        *,
        deadline: float | None = None,
    ) -> Choices:
        """By the probabilities of the first token where the replies have them, else by the word that they begin with."""
        import numpy as np

        heard = _all(lambda question: self._answered(prefix, question, choices), list(questions))
        if distinct(choices) and all(each.top for each in heard):
            rows = [mass_of(each.top, choices) for each in heard]
            if all(sum(mass) >= unclear for mass, unclear in rows):
                return Choices(np.array([mass for mass, _ in rows], dtype=np.float64).reshape(len(rows), len(choices)))
        return chosen([each.text for each in heard], choices)

    def logprobs(
        self, prefix: Sequence[Message], replies: Sequence[str], *, deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Files give no probabilities of given replies."""
        raise ChatError("unsupported", "replies out of files are not scored; use vLLM or local weights")

    def pending(self) -> int:
        """How many requests have no reply yet."""
        with self._lock:
            self._read()
        return len(set(self._requests.look()) - set(self._replies))

    def _replied(self, messages: Sequence[Message], schema: Schema | None, n: int, decoding: Decoding) -> list[Reply]:
        key = request_key(self.id, messages, schema, n, decoding)
        body = self._look_up(key)
        if body is None:
            plain = self._written(messages)
            self._ask(key, written_request(PRESETS["openai"], self.model, plain, decoding, schema=schema, n=n))
        heard = read_choices(body, str(self.folder))
        if len(heard) < n:
            raise ChatError("empty", f"{self.folder} holds {len(heard)} replies where {n} were asked for")
        before, after = tokens(body)
        each = after // len(heard)
        return [as_reply(heard[k], tokens_in=0 if k else before, tokens_out=each, seconds=0.0) for k in range(n)]

    def _answered(self, prefix: Sequence[Message], question: str, choices: Sequence[str | tuple[str, ...]]) -> Heard:
        asked = [*prefix, Message("user", question)]
        listed = [[each] if isinstance(each, str) else list(each) for each in choices]
        key = request_key(self.id, asked, method="choose", extra=listed)
        body = self._look_up(key)
        if body is None:
            few = Decoding(max_tokens=16)
            whole = written_request(PRESETS["openai"], self.model, self._written(asked), few, first_tokens=True)
            self._ask(key, whole, {"question": question, "choices": listed})
        return read_choices(body, str(self.folder), first_tokens=True)[0]

    def _written(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        return written_messages(messages, budget=self.picture_bytes, longest=self.longest)

    def _look_up(self, key: str) -> Mapping[str, Any] | None:
        """The body of a reply. Raises ChatError where the file says that the request cannot be answered."""
        with self._lock:
            known = self._replies.get(key)
            if known is None or isinstance(body_of(known), ChatError):  # a later run may have brought a reply
                self._read()
            line = self._replies.get(key)
        if line is None:
            return None
        body = body_of(line)
        if isinstance(body, ChatError):
            raise body
        before, after = tokens(body)
        self.usage.add(tokens_in=before, tokens_out=after, cached=True)
        return body

    def _read(self) -> None:
        """Read the files of replies that changed since they were read."""
        for path in sorted(self.folder.glob("replies*.jsonl")):
            status = path.stat()
            stamp = (status.st_size, status.st_mtime_ns)
            if self._seen.get(path) != stamp:
                self._seen[path] = stamp
                for line in lines(path):
                    take_in(self._replies, line)

    def _ask(self, key: str, body: Mapping[str, Any], choice: Mapping[str, Any] | None = None) -> NoReturn:
        """Write a request down, unless it is there already, and raise ChatPending."""
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        with self._lock, held(self.folder):
            there = self._requests.look()
            if key not in there:
                if choice is not None:
                    append(self.folder / CHOICES, [{"custom_id": key, **choice}])
                append(self.folder / REQUESTS, [line])
            waiting = len({*there, key} - set(self._replies))
        requests = "one request waits" if waiting == 1 else f"{waiting} requests wait"
        raise ChatPending(
            f"{requests} in {self.folder / REQUESTS}; where the model can be reached, type: "
            f"whichpic batch {shlex.quote(str(self.folder))} --chat MODEL, then run this command again"
        )


def _all(one: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """one(thing) for all; where some are pending, all are asked first, and the last ChatPending is raised."""
    found: list[R] = []
    pending: ChatPending | None = None
    for thing in things:
        try:
            found.append(one(thing))
        except ChatPending as error:
            pending = error
    if pending is not None:
        raise pending
    return found
