"""What models add to a session after an event: a rewritten sentence, captions of liked pictures, looks. Called by session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whichpic.chat.base import Chat, PictureLike

Opener = Callable[[str], "PictureLike"]
"""Opens a picture by its id: `Store.image`, for example. It may raise AlbumError and DecodeError."""


@dataclass(frozen=True, slots=True)
class Models:
    """The chat of a session, and what it is asked for. `seconds`: how long a turn waits for it in all."""

    chat: Chat | None = None
    rerank: int = 0
    feedback: bool = True
    sampler: str = "cluster"
    seconds: float = 30.0
    pictures: Opener | None = None
