"""Answers the requests of a batch on a machine that reaches the model, with any Chat. Called by batch and cli/batch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, cast

from whichpic.chat.base import Decoding, Message, cancel
from whichpic.chat.batchfiles import CHOICES, REPLIES, Requests, append, body_of, held, lines
from whichpic.chat.structured import labels
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.album.indexing import Progress
    from whichpic.chat.base import Chat, Role, Schema

_IN_A_ROW = 5
"""So many failures of one reason one after another are the server's, and not the requests'."""
_FAREWELL = 1.0
"""Seconds that requests have to end in once they are cancelled."""
_OF_THE_REQUEST = ("schema", "not json", "empty", "too long")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: requests answered now, failed for good, left for the next run, and answered before."""

    answered: int
    failed: int
    left: int
    before: int


def answer_batch(
    folder: str | Path,
    chat: Chat,
    *,
    workers: int = 4,
    deadline: float = 300.0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Answer every request of folder/requests*.jsonl that has no reply yet, into folder/replies.jsonl, a line as each comes.

    workers: requests at a time, and no more than the chat says it takes: one that waits for its turn uses up its time.
    deadline: seconds for each. A run that was stopped goes on where it was; what failed is
    tried again by the next run. Raises ChatError where there are no requests, or where the model answers none in a row.
    """
    folder = Path(folder).expanduser()
    places = Requests(folder).look()
    if not places:
        raise ChatError("asked wrongly", f"there are no requests in {folder}; expected a file requests.jsonl")
    done = {
        line.get("custom_id")
        for path in sorted(folder.glob("replies*.jsonl"))
        for line in lines(path)
        if not isinstance(body_of(line), ChatError)
    }
    choices = {line.get("custom_id"): line for line in _of(folder / CHOICES)}
    left = [key for key in places if key not in done]
    run = _Run(folder, len(left), on_progress)
    workers = max(1, min(workers, int(getattr(chat, "concurrency", workers))))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="whichpic-batch")
    asked: dict[Future[dict[str, Any]], str] = {}
    try:
        for key in left:
            asked[pool.submit(_answered, *places[key], choices.get(key), chat, deadline)] = key
        for future in as_completed(asked):
            run.take(asked[future], future)
    except BaseException:
        # What is under way would not be written any more: nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)
        cancel(chat)
        wait([each for each in asked if not each.cancelled()], timeout=_FAREWELL)
        raise
    pool.shutdown()
    return run.finish(before=len(places) - len(left))


class _Run:
    """Writes what comes, and knows when to stop."""

    def __init__(self, folder: Path, total: int, on_progress: Callable[[Progress], None] | None) -> None:
        self._folder, self._total, self._on_progress = folder, total, on_progress
        self._answered = 0
        self._failed: dict[str, ChatError] = {}
        self._row: list[str] = []
        self._began = perf_counter()

    def take(self, key: str, future: Future[dict[str, Any]]) -> None:
        try:
            body = future.result()
        except ChatError as error:
            self._failed[key] = error
            self._row = [*self._row, error.reason] if error.reason not in _OF_THE_REQUEST else []
            if self._row.count(error.reason) >= _IN_A_ROW:
                raise ChatError(
                    error.reason,
                    f"{error} ({_IN_A_ROW} requests in a row; {self._answered} were answered, and are kept)",
                ) from None
        else:
            self._row = []
            self._answered += 1
            self._write([{"custom_id": key, "response": {"status_code": 200, "body": body}, "error": None}])
        if self._on_progress is not None:
            from whichpic.album.indexing import Progress

            finished = self._answered + len(self._failed)
            self._on_progress(
                Progress("replies", finished, self._total, len(self._failed), perf_counter() - self._began)
            )

    def finish(self, *, before: int) -> Outcome:
        """Write down what failed for good. What may pass, or fails where nothing went well, is left for the next run."""
        sure = {
            key: error
            for key, error in self._failed.items()
            if error.reason in _OF_THE_REQUEST or (self._answered and not error.again)
        }
        self._write(
            [
                {"custom_id": key, "response": None, "error": {"code": error.reason, "message": str(error)[:300]}}
                for key, error in sure.items()
            ]
        )
        return Outcome(self._answered, len(sure), len(self._failed) - len(sure), before)

    def _write(self, written: Sequence[Mapping[str, Any]]) -> None:
        if written:
            with held(self._folder):
                append(self._folder / REPLIES, written)


def _answered(path: Path, place: int, choice: Mapping[str, Any] | None, chat: Chat, deadline: float) -> dict[str, Any]:
    """The body of a reply to one request. Raises ChatError."""
    with path.open("rb") as file:
        file.seek(place)
        raw = file.readline()
    try:
        body = json.loads(raw)["body"]
        messages = [_message(each) for each in body["messages"]]
        decoding = _decoding(body)
        n = int(body.get("n") or 1)
        wish = (body.get("response_format") or {}).get("json_schema")
        schema = schema_of(wish["schema"], str(wish.get("name", "reply"))) if wish else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ChatError("asked wrongly", f"a line of {path} is no request of a conversation") from None
    if choice is not None:
        return _chosen(chat, messages, choice, deadline)
    replies = chat.complete(messages, schema=schema, n=n, decoding=decoding, deadline=deadline)
    found = [
        {"index": k, "message": {"role": "assistant", "content": each.text}, "finish_reason": each.finish}
        for k, each in enumerate(replies)
    ]
    before, after = sum(each.tokens_in for each in replies), sum(each.tokens_out for each in replies)
    return _whole(chat, found, before, after)


def _chosen(chat: Chat, messages: Sequence[Message], choice: Mapping[str, Any], deadline: float) -> dict[str, Any]:
    """The answer to a `choose`, in the form of a reply with the probabilities of its first token."""
    question, choices = str(choice["question"]), [tuple(map(str, each)) for each in choice["choices"]]
    *before, last = messages
    rest = replace(last, text=last.text.removesuffix(question).rstrip())  # what stood before it as a message of its own
    prefix = [*before, rest] if rest.text or rest.pictures else before
    found = chat.choose(prefix, [question], choices, deadline=deadline)
    mass = [float(each) for each in found.mass[0]]
    words = labels(choices)
    best = max(range(len(words)), key=mass.__getitem__)
    said: dict[str, Any] = {
        "index": 0,
        # A reply that is none of the choices is a reply, too.
        "message": {"role": "assistant", "content": words[best] if mass[best] > 0 else "-"},
        "finish_reason": "stop",
    }
    if found.exact:
        top = [{"token": word, "logprob": math.log(max(p, 1e-30))} for word, p in zip(words, mass, strict=True)]
        said["logprobs"] = {"content": [{**top[best], "top_logprobs": top}]}
    return _whole(chat, [said], 0, 0)


def _whole(chat: Chat, choices: list[dict[str, Any]], before: int, after: int) -> dict[str, Any]:
    usage = {"prompt_tokens": before, "completion_tokens": after, "total_tokens": before + after}
    return {"object": "chat.completion", "created": int(time()), "model": chat.id, "choices": choices, "usage": usage}


def _message(plain: Mapping[str, Any]) -> Message:
    content = plain["content"]
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    if plain["role"] not in ("system", "user", "assistant") or not all(url.startswith("data:") for url in pictures):
        raise ValueError("only data URLs are sent on")
    return Message(cast("Role", plain["role"]), text, tuple(pictures))


def _decoding(body: Mapping[str, Any]) -> Decoding:
    usual = Decoding()
    stop = body.get("stop") or ()
    seed = body.get("seed")
    return Decoding(
        temperature=float(body.get("temperature", usual.temperature)),
        top_p=float(body.get("top_p", usual.top_p)),
        top_k=int(body.get("top_k", usual.top_k)),
        max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or usual.max_tokens),
        repetition_penalty=float(body.get("repetition_penalty", usual.repetition_penalty)),
        seed=None if seed is None else int(seed),
        stop=(stop,) if isinstance(stop, str) else tuple(map(str, stop)),
    )


def schema_of(wish: dict[str, Any], name: str = "reply") -> Schema:
    """A pydantic model that stands for a JSON schema: it says it, and holds replies to it."""
    from pydantic import RootModel, model_validator

    class Given(RootModel[dict[str, Any]]):
        @model_validator(mode="after")
        def _fits(self) -> Given:
            if wrong := _misfit(self.root, wish, wish):
                raise ValueError(wrong)
            return self

        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            return wish

    Given.__name__ = name
    return Given


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def _misfit(value: Any, part: Any, whole: Mapping[str, Any], at: str = "") -> str:
    """The first thing in a value that does not follow a JSON schema, "" where all does; bounds are left to the reader."""
    if not isinstance(part, dict):
        return ""
    if str(part.get("$ref", "")).startswith("#/$defs/"):
        return _misfit(value, whole.get("$defs", {}).get(part["$ref"][8:]), whole, at)
    ways = part.get("anyOf") or part.get("oneOf")
    if ways:
        wrong = [_misfit(value, way, whole, at) for way in ways]
        return "" if "" in wrong else wrong[0]
    kinds = part.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return f"{at or 'the reply'} should be {' or '.join(kinds)}"
    if ("enum" in part and value not in part["enum"]) or ("const" in part and value != part["const"]):
        return f"{at or 'the reply'} should be one of {part.get('enum', [part.get('const')])}"
    inner: list[tuple[Any, Any, str]] = []
    if isinstance(value, dict):
        named = part.get("properties", {})
        for name in (*part.get("required", ()), *named):
            where = f"{at}.{name}".lstrip(".")
            if name in value:
                inner.append((value[name], named.get(name), where))
            elif name in part.get("required", ()):
                return f"{where} is missing"
    elif isinstance(value, list):
        inner = [(each, part.get("items"), f"{at}[{k}]") for k, each in enumerate(value)]
    return next(filter(None, (_misfit(each, below, whole, where) for each, below, where in inner)), "")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))


def _of(path: Path) -> list[dict[str, Any]]:
    return list(lines(path)) if path.exists() else []
