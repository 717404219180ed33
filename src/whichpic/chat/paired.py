"""Two models as one Chat: one that looks at pictures, and one that writes. Called by `open_chat`.

query-rewriting works so: LLaVA describes a picture, Llama folds the description into the query. What a conversation needs
decides who hears it; whoever asks need not know that there are two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from whichpic.chat.base import Choices, Decoding, Message, Reply, Usage, answer, cancel, reach

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.base import Chat, Schema


class Paired:
    """Conversations with pictures go to `looks`, those of text alone to `writes`."""

    def __init__(self, looks: Chat, writes: Chat) -> None:
        self.looks, self.writes = looks, writes

    __call__ = answer

    @property
    def id(self) -> str:
        """Those of both."""
        return f"{self.looks.id} + {self.writes.id}"

    @property
    def describe(self) -> str:
        """One line for people."""
        return f"{self.looks.describe} looks, {self.writes.describe} writes"

    @property
    def can_see(self) -> bool:
        """As the one that looks."""
        return self.looks.can_see

    @property
    def can_see_several(self) -> bool:
        """As the one that looks."""
        return self.looks.can_see_several

    @property
    def can_score(self) -> bool:
        """Whether both can."""
        return self.looks.can_score and self.writes.can_score

    @property
    def concurrency(self) -> int:
        """As the one that looks: looks are what is done side by side."""
        return int(getattr(self.looks, "concurrency", 1))

    @property
    def usage(self) -> Usage:
        """What both have cost together, as it is now."""
        one, other = self.looks.usage, self.writes.usage
        return Usage(
            one.calls + other.calls,
            one.tokens_in + other.tokens_in,
            one.tokens_out + other.tokens_out,
            one.seconds + other.seconds,
            one.cached + other.cached,
        )

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Schema | None = None,
        n: int = 1,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
    ) -> list[Reply]:
        """As the one that hears it."""
        return self._for(messages).complete(messages, schema=schema, n=n, decoding=decoding, deadline=deadline)

    def stream(
        self, messages: Sequence[Message], *, decoding: Decoding = Decoding(), deadline: float | None = None
    ) -> Iterator[str]:
        """As the one that hears it."""
        return self._for(messages).stream(messages, decoding=decoding, deadline=deadline)

    def choose(
        self,
        prefix: Sequence[Message],
        questions: Sequence[str],
        choices: Sequence[str | tuple[str, ...]],
        *,
        deadline: float | None = None,
    ) -> Choices:
        """As the one that hears it."""
        return self._for(prefix).choose(prefix, questions, choices, deadline=deadline)

    def logprobs(
        self, prefix: Sequence[Message], replies: Sequence[str], *, deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """As the one that hears it."""
        return self._for(prefix).logprobs(prefix, replies, deadline=deadline)

    def reach(self) -> None:
        """Raises ChatError where one of the two is behind no server that answers."""
        reach(self.looks)
        reach(self.writes)

    def cancel(self) -> None:
        """End what both have under way."""
        cancel(self.looks)
        cancel(self.writes)

    def _for(self, messages: Sequence[Message]) -> Chat:
        return self.looks if any(message.pictures for message in messages) else self.writes
