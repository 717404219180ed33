"""What every chat model is, whatever runs it: messages in, text or a validated object out. Called by dialogue, simulate, learn.

A Chat is synchronous, and any thread may call it. Whatever goes wrong with it is one error type, `ChatError`, with a
reason: a session never fails because a model did. What a model says is data: it is never run, opened or fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from pydantic import BaseModel

    PictureLike = str | Path | bytes | Image
    """A path, the bytes of a file, base64 or a data URL of them, or a PIL picture. Never an address to fetch."""
    Schema = type[BaseModel]

Role = Literal["system", "user", "assistant"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Its pictures stand before its text, in their order: the text may say "the second picture"."""

    role: Role
    text: str
    pictures: tuple[PictureLike, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a reply is drawn. temperature 0 is greedy; beams above 1 is beam search (local models only).

    seed: draws are the same for the same seed where the model can do that; None draws anew each time, and is not cached.
    stop: texts that end the reply and are not part of it. max_tokens: of the reply.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    beams: int = 1
    repetition_penalty: float = 1.0
    seed: int | None = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said. `value` is the validated object where a schema was given.

    finish: "stop", or "length" where the reply was cut at max_tokens. repaired: the first text did not follow the schema,
    and the model was asked once more. tokens_in, tokens_out: 0 where a server does not say. cached: no model was asked now.
    """

    text: str
    value: Any = None
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    repaired: bool = False
    cached: bool = False


@dataclass(frozen=True)
class Choices:
    """How much probability a model gives each choice, for each question: `mass` float64 [questions, choices].

    Not normalised: summed over the spellings of a choice, and what is missing to 1 went to other words. exact is False
    where a server gives no probabilities: then the choice that the model wrote has mass 1 and the others 0.
    """

    mass: NDArray[np.float64]
    exact: bool = True

    @property
    def shares(self) -> NDArray[np.float64]:
        """The mass of each question scaled to sum to 1, float64 [questions, choices]; equal shares where there is none."""
        import numpy as np

        total = self.mass.sum(axis=1, keepdims=True)
        equal = np.full_like(self.mass, 1 / max(self.mass.shape[1], 1))
        shares: NDArray[np.float64] = np.divide(self.mass, total, out=equal, where=total > 0)
        return shares


@dataclass
class Usage:
    """What a Chat has cost since it was made; any thread may add to it."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cached: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, *, tokens_in: int = 0, tokens_out: int = 0, seconds: float = 0.0, cached: bool = False) -> None:
        """Count one call."""
        with self._lock:
            self.calls += not cached
            self.cached += cached
            self.tokens_in += tokens_in
            self.tokens_out += tokens_out
            self.seconds += seconds

    @property
    def tokens(self) -> int:
        """Of prompts and replies together."""
        return self.tokens_in + self.tokens_out


class Chat(Protocol):
    """Any language or vision-language model behind one small interface.

    id: names everything that changes its replies (model, revision, adapter, precision); it is part of the key of the
    reply cache. describe: one line for people. can_see: takes pictures, can_see_several more than one in a conversation;
    can_score: has `logprobs`. deadline (seconds) is for the whole call, retries and repairs included; None: the chat's own.
    Every method raises ChatError, and ChatPending where the reply will come from a batch file.
    """

    @property
    def usage(self) -> Usage:
        """What it has cost so far."""
        ...

    @property
    def can_see(self) -> bool:
        """Whether it takes pictures."""
        ...

    @property
    def can_see_several(self) -> bool:
        """Whether it takes more than one picture in a conversation."""
        ...

    @property
    def can_score(self) -> bool:
        """Whether it has `logprobs`."""
        ...

    @property
    def id(self) -> str:
        """Names everything that changes the replies; nobody reads it, it is compared."""
        ...

    @property
    def describe(self) -> str:
        """One line for people."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Schema | None = None,
        n: int = 1,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
    ) -> list[Reply]:
        """n replies to a conversation. With a schema (a pydantic model) every reply has a validated `value`."""
        ...

    def stream(
        self, messages: Sequence[Message], *, decoding: Decoding = Decoding(), deadline: float | None = None
    ) -> Iterator[str]:
        """The reply piece by piece; closing the iterator cancels the request. A stream that is cut is a ChatError."""
        ...

    def choose(
        self,
        prefix: Sequence[Message],
        questions: Sequence[str],
        choices: Sequence[str | tuple[str, ...]],
        *,
        deadline: float | None = None,
    ) -> Choices:
        """The mass of each choice as the first word of the reply to prefix + question, [questions, choices].

        Each question follows the shared prefix as the user's message; pictures in the prefix are encoded once. A choice
        is a word, or its spellings; "yes" also counts as "Yes", " yes", "YES" and so on.
        """
        ...

    def logprobs(
        self, prefix: Sequence[Message], replies: Sequence[str], *, deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Log-probability of every token of each reply, one array per reply. ChatError("unsupported") without can_score."""
        ...

    def __call__(
        self, asked: Mapping[str, Any], *, decoding: Decoding | None = None, deadline: float | None = None
    ) -> str:
        """`chat({"image": ..., "question": ...})`: see `answer`."""
        ...


def reach(chat: Chat) -> None:
    """Raises ChatError where a chat's server is not there: before work begins whose replies would all be missing."""
    if (ask := getattr(chat, "reach", None)) is not None:
        ask()


def cancel(chat: Chat) -> None:
    """End the requests of a chat that are under way, of all threads; those who wait for them get ChatError("cancelled").

    For Ctrl-C: the chat can be asked again. A model in this process is not stopped by it.
    """
    if (end := getattr(chat, "cancel", None)) is not None:
        end()


def answer(
    chat: Chat, asked: Mapping[str, Any], *, decoding: Decoding | None = None, deadline: float | None = None
) -> str:
    """The answer to a question about pictures, the way RLAIF-V's chat interface takes it.

    asked: "question", and "image": a path, bytes, base64, a PIL picture, or a list of these; "history": earlier
    (question, answer) pairs, whose pictures are those of this call; "system": a system message. Raises ChatError.
    """
    messages = conversation(asked)
    usual = Decoding(max_tokens=512)
    return chat.complete(messages, decoding=decoding or usual, deadline=deadline)[0].text


def conversation(asked: Mapping[str, Any]) -> list[Message]:
    """The messages of a question in the form of `answer`. Raises ChatError for what is missing or unknown."""
    from whichpic.errors import ChatError

    known = ("question", "image", "history", "system")
    odd = sorted(set(asked) - set(known))
    if odd or not str(asked.get("question", "")).strip():
        what = f"'{odd[0]}' is not part of a question" if odd else "there is no question"
        raise ChatError("asked wrongly", f"{what}; expected {', '.join(known)}")
    given = asked.get("image")
    pictures = () if given is None else tuple(given) if isinstance(given, list | tuple) else (given,)
    texts = [text for pair in asked.get("history", ()) for text in pair] + [str(asked["question"])]
    messages = [Message("system", str(asked["system"]))] if asked.get("system") else []
    for number, text in enumerate(texts):
        role: Role = "assistant" if number % 2 else "user"
        messages.append(Message(role, str(text), () if number else pictures))
    return messages
