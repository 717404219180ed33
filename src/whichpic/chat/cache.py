"""Keeps replies on disk, so that nothing is asked of a model twice. Called by `open_chat`; `request_key` by batch too."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Choices, Decoding, Message, Reply, answer, cancel
from whichpic.chat.pictures import fingerprint
from whichpic.errors import ChatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.base import Chat, Schema


def request_key(
    chat_id: str,
    messages: Sequence[Message],
    schema: Schema | None = None,
    n: int = 1,
    decoding: Decoding = Decoding(),
    *,
    method: str = "complete",
    extra: object = None,
) -> str:
    """SHA-256 in hex of everything that a reply depends on; pictures count by their content.

    extra: what a method takes beside the conversation (the choices), as JSON values. Raises ChatError("asked wrongly")
    for a picture that cannot be read.
    """
    whole = {
        "form": 1,
        "method": method,
        "chat": chat_id,
        "messages": [[each.role, each.text, [fingerprint(picture) for picture in each.pictures]] for each in messages],
        "schema": None if schema is None else schema.model_json_schema(),
        "n": n,
        "decoding": asdict(decoding),
        "extra": extra,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()


class Cached:
    """A Chat that keeps the replies of another one in a folder, and gives them back without asking.

    Kept are complete, stream, choose and logprobs; not kept is what is drawn anew each time (decoding.seed None at a
    temperature above 0), and no error. Any thread and any process may use the same folder. A damaged or full disk costs
    the keeping, never the reply; a warning says so once.
    """

    def __init__(self, chat: Chat, folder: str | Path) -> None:
        self.chat = chat
        self.usage = chat.usage
        self._store = _Store(Path(folder).expanduser())

    __call__ = answer

    @property
    def id(self) -> str:
        """That of the chat behind it: a kept reply is the same reply."""
        return self.chat.id

    @property
    def describe(self) -> str:
        """One line for people."""
        return self.chat.describe

    @property
    def can_see(self) -> bool:
        """As the chat behind it."""
        return self.chat.can_see

    @property
    def can_see_several(self) -> bool:
        """As the chat behind it."""
        return self.chat.can_see_several

    @property
    def can_score(self) -> bool:
        """As the chat behind it."""
        return self.chat.can_score

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Schema | None = None,
        n: int = 1,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
    ) -> list[Reply]:
        """The n replies that are kept for exactly this request, else those of the chat. Raises as the chat."""

        def key() -> str:
            return request_key(self.chat.id, messages, schema, n, decoding)

        if (kept := self._kept_replies(key(), schema, decoding)) is not None:
            return kept
        replies = self.chat.complete(messages, schema=schema, n=n, decoding=decoding, deadline=deadline)
        self._keep(key, [_plain(each) for each in replies], decoding)
        return replies

    @property
    def complete_many(self) -> Callable[..., list[Reply]]:
        """As `chat.local`'s, for conversations side by side: those that are kept are not asked. Only where the chat has it."""
        chat: Any = self.chat
        return partial(self._many, chat.complete_many)

    @property
    def concurrency(self) -> int:
        """How many requests at a time the chat behind it takes."""
        return int(getattr(self.chat, "concurrency", 1))

    def stream(
        self, messages: Sequence[Message], *, decoding: Decoding = Decoding(), deadline: float | None = None
    ) -> Iterator[str]:
        """The kept reply in one piece, else the chat's piece by piece; one that is closed early is not kept."""

        def key() -> str:
            return request_key(self.chat.id, messages, None, 1, decoding)

        if (kept := self._kept(key(), decoding)) is not None:
            self.usage.add(cached=True)
            yield str(kept[0]["text"])
            return
        said: list[str] = []
        stream = self.chat.stream(messages, decoding=decoding, deadline=deadline)
        try:
            for piece in stream:
                said.append(piece)
                yield piece
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                close()
        self._keep(key, [_plain(Reply("".join(said).strip()))], decoding)

    def choose(
        self,
        prefix: Sequence[Message],
        questions: Sequence[str],
        choices: Sequence[str | tuple[str, ...]],
        *,
        deadline: float | None = None,
    ) -> Choices:
        """Each question is kept for itself, and only those that are not kept are asked."""
        import numpy as np

        listed = [[each] if isinstance(each, str) else list(each) for each in choices]

        def key(question: str) -> str:
            return request_key(self.chat.id, prefix, method="choose", extra=[question, listed])

        rows = {question: self._row(key(question), len(choices)) for question in questions}
        left = [question for question, row in rows.items() if row is None]
        if left:
            found = self.chat.choose(prefix, left, choices, deadline=deadline)
            for question, mass in zip(left, found.mass, strict=True):
                rows[question] = ([float(each) for each in mass], found.exact)
                self._keep(partial(key, question), rows[question])
        else:
            self.usage.add(cached=True)
        given = [row for question in questions if (row := rows[question]) is not None]
        mass = np.array([row for row, _ in given], dtype=np.float64).reshape(len(given), len(choices))
        return Choices(mass, exact=all(exact for _, exact in given))

    def logprobs(
        self, prefix: Sequence[Message], replies: Sequence[str], *, deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Each reply is kept for itself, and only those that are not kept are asked."""
        import numpy as np

        def key(reply: str) -> str:
            return request_key(self.chat.id, prefix, method="logprobs", extra=reply)

        kept = {reply: self._store.get(key(reply)) for reply in replies}
        left = [reply for reply, values in kept.items() if not isinstance(values, list)]
        if left:
            for reply, values in zip(left, self.chat.logprobs(prefix, left, deadline=deadline), strict=True):
                kept[reply] = [float(each) for each in values]
                self._keep(partial(key, reply), kept[reply])
        else:
            self.usage.add(cached=True)
        return [np.array(kept[reply], dtype=np.float32) for reply in replies]

    def cancel(self) -> None:
        """End what the chat behind it has under way."""
        cancel(self.chat)

    def _many(
        self,
        many: Callable[..., list[Reply]],
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schema | None = None,
        decoding: Decoding = Decoding(),
        **options: Any,
    ) -> list[Reply]:
        def key(messages: Sequence[Message]) -> str:
            return request_key(self.chat.id, messages, schema, 1, decoding)

        kept = [self._kept_replies(key(messages), schema, decoding) for messages in conversations]
        left = [messages for messages, replies in zip(conversations, kept, strict=True) if replies is None]
        asked = iter(many(left, schema=schema, decoding=decoding, **options) if left else ())
        found: list[Reply] = []
        for messages, replies in zip(conversations, kept, strict=True):
            found.append(replies[0] if replies is not None else next(asked))
            if replies is None:
                self._keep(partial(key, messages), [_plain(found[-1])], decoding)
        return found

    def _kept_replies(self, key: str, schema: Schema | None, decoding: Decoding) -> list[Reply] | None:
        from whichpic.chat.structured import parse

        if (kept := self._kept(key, decoding)) is None:
            return None
        try:
            replies = [Reply(**each, cached=True) for each in kept]
            if schema is not None:
                replies = [replace(each, value=parse(each.text, schema)) for each in replies]
        except (ChatError, KeyError, TypeError):
            return None
        self.usage.add(cached=True)
        return replies

    def _row(self, key: str, columns: int) -> tuple[list[float], bool] | None:
        kept = self._store.get(key)
        if not isinstance(kept, list) or len(kept) != 2 or not isinstance(kept[0], list) or len(kept[0]) != columns:
            return None
        return [float(each) for each in kept[0]], bool(kept[1])

    def _kept(self, key: str, decoding: Decoding) -> list[dict[str, Any]] | None:
        kept = self._store.get(key) if _kept_at_all(decoding) else None
        return kept if isinstance(kept, list) and kept and all(isinstance(each, dict) for each in kept) else None

    def _keep(self, key: Callable[[], str], value: Any, decoding: Decoding = Decoding()) -> None:
        # The key is made again: a server that was asked without a model's name has one now.
        if _kept_at_all(decoding):
            self._store.put(key(), value)


def _kept_at_all(decoding: Decoding) -> bool:
    return decoding.seed is not None or decoding.temperature <= 0


def _plain(reply: Reply) -> dict[str, Any]:
    """A reply as JSON values; the object is made again out of the text."""
    names = ("text", "finish", "tokens_in", "tokens_out", "seconds", "repaired")
    return {name: getattr(reply, name) for name in names}


class _Store:
    """Texts by their key in one SQLite file, opened once per process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._process = 0
        self._told = False

    def get(self, key: str) -> Any:
        """The value of a key, None where there is none or where it cannot be read."""
        try:
            with self._lock:
                row = self._connection().execute("SELECT value FROM replies WHERE key = ?", (key,)).fetchone()
            return None if row is None else json.loads(row[0])
        except (sqlite3.Error, OSError) as error:
            self._tell(error)
            return None
        except ValueError:
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep a value; a reply that cannot be kept is still a reply."""
        try:
            with self._lock, self._connection() as connection:
                connection.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, json.dumps(value)))
        except (sqlite3.Error, OSError) as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Warn once that nothing is kept; the work goes on without."""
        with self._lock:
            told, self._told = self._told, True
        if told:
            return
        path = self._folder / "replies.sqlite"
        why = getattr(error, "strerror", None) or str(error)
        # Of its own class are faults of what is in the file; those below it are of the disk, rights and locks.
        hint = "; it is damaged: delete it" if type(error) is sqlite3.DatabaseError else ""
        warnings.warn(f"replies are not kept in {path} ({why}){hint}", stacklevel=2)

    def _connection(self) -> sqlite3.Connection:
        if self._open is None or self._process != os.getpid():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._open = sqlite3.connect(self._folder / "replies.sqlite", timeout=30, check_same_thread=False)
            self._process = os.getpid()
            self._open.execute("PRAGMA journal_mode = WAL")
            self._open.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        return self._open

    def __del__(self) -> None:
        if self._open is not None and self._process == os.getpid():
            self._open.close()
