"""A Chat without a model: it says what a function or a list says. For tests, for trying prompts, for running offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from whichpic.chat.base import Choices, Decoding, Message, Reply, Usage, answer
from whichpic.errors import ChatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.base import Schema

Script = Callable[[Sequence[Message]], str]


class Scripted:
    """Replies from a function of the messages, or from a list, in order; an exception in the list is raised.

    `asked` holds the conversations that came in. A list that is used up is a ChatError.
    """

    def __init__(self, replies: Script | Sequence[str | Exception], *, name: str = "scripted") -> None:
        self.id = self.describe = name
        self.can_see = self.can_see_several = True
        self.can_score = False
        self.usage = Usage()
        self.asked: list[tuple[Message, ...]] = []
        self._script = replies if callable(replies) else None
        self._left = [] if callable(replies) else list(replies)

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
        """n replies, each the next of the script; one that does not follow the schema is asked for once more."""
        from whichpic.chat.structured import validated

        return [validated(lambda asked: self._reply(asked), messages, schema) for _ in range(n)]

    def stream(
        self, messages: Sequence[Message], *, decoding: Decoding = Decoding(), deadline: float | None = None
    ) -> Iterator[str]:
        """The next reply, word by word."""
        for number, word in enumerate(self._reply(messages).text.split(" ")):
            yield f" {word}" if number else word

    def choose(
        self,
        prefix: Sequence[Message],
        questions: Sequence[str],
        choices: Sequence[str | tuple[str, ...]],
        *,
        deadline: float | None = None,
    ) -> Choices:
        """Mass 1 for the choice that the next reply begins with."""
        from whichpic.chat.structured import chosen

        said = [self._reply((*prefix, Message("user", question))).text for question in questions]
        return chosen(said, choices)

    def logprobs(
        self, prefix: Sequence[Message], replies: Sequence[str], *, deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """A script gives no probabilities."""
        raise ChatError("unsupported", f"{self.id} cannot score replies")

    def _reply(self, messages: Sequence[Message]) -> Reply:
        began = perf_counter()
        self.asked.append(tuple(messages))
        if self._script is not None:
            said: str | Exception = self._script(messages)
        elif self._left:
            said = self._left.pop(0)
        else:
            raise ChatError("empty", f"{self.id} has nothing more to say")
        if isinstance(said, Exception):
            raise said
        words = sum(len(message.text.split()) for message in messages)
        reply = Reply(said, tokens_in=words, tokens_out=len(said.split()), seconds=perf_counter() - began)
        self.usage.add(tokens_in=reply.tokens_in, tokens_out=reply.tokens_out, seconds=reply.seconds)
        return reply
