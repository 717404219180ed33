"""What a server has: its albums, sessions, models and reports. Made by cli and tests; the pages and the API work on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.chat.base import Chat
    from whichpic.web.chats import Chats
    from whichpic.web.desk import Desk
    from whichpic.web.shelf import Shelf
    from whichpic.web.talks import Talks

STATIC = Path(__file__).parent / "static"
"""Stylesheet, scripts and icons of the pages."""


@dataclass
class Site:
    """What the pages and the API work on."""

    shelf: Shelf
    talks: Talks
    desk: Desk
    models: Sequence[str] = ()
    """Names of chat models (`chat.open_chat`) that may be talked to about pictures; the first one also asks."""
    reports: Sequence[Path] = ()
    """Folders with reports and dialogues."""
    version: str = field(default=__version__)
    opened: Sequence[Chat | None] = ()
    """Those of the models that are open already, in their order."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What `open_chat` is given for those others whose weights are in this process."""

    @cached_property
    def chats(self) -> Chats:
        """The models, ready to be talked to."""
        from whichpic.web.chats import Chats

        return Chats(self.models, self.desk, opened=self.opened, **self.options)

    def close(self) -> None:
        """End what is under way, and let go of models and albums."""
        from whichpic.chat.base import cancel

        chats = [model.chat for model in self.chats.models.values()]
        for chat in [*chats, self.talks.options.get("chat")]:
            if chat is not None:
                cancel(chat)
        self.desk.close()
        for shelved in self.shelf:
            shelved.pause()
        for shelved in self.shelf:
            shelved.close(1.0)  # a batch that takes longer is done again by the next index
