"""The panels around a conversation, made where the page wants them. Called by conversation, grid and timeline."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whichpic.web.pages.conversation import Page


class Panels:
    """Viewer, compare, filters, help, growing, and the chips of an empty screen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._made: dict[str, Any] = {}

    async def begin(self) -> None:
        """The chips of this very album."""
        module = _module("begin")
        if module is not None:
            drawn = module.draw(self.page)
            if inspect.isawaitable(drawn):
                await drawn

    def growing(self) -> None:
        """The banner of the indexing."""
        self._make("growing", "Growing")

    def filters(self) -> None:
        """What can be filtered here."""
        self._make("filters", "Filters")

    def dialogs(self) -> None:
        """Everything that opens over the page."""
        self._make("viewer", "Viewer")
        self._make("compare", "Compare")
        self._make("help", "Help")

    async def open(self, picture: str) -> None:
        """A picture large, with all that is known of it and why it is here."""
        await self._open("viewer", picture)

    async def compare(self, pictures: list[str]) -> None:
        """Two to four pictures side by side."""
        await self._open("compare", pictures)

    def _make(self, name: str, cls: str) -> None:
        module = _module(name)
        if module is not None:
            self._made[name] = getattr(module, cls)(self.page)

    async def _open(self, name: str, what: object) -> None:
        panel = self._made.get(name)
        if panel is not None:
            opened = panel.open(what)
            if inspect.isawaitable(opened):
                await opened


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"whichpic.web.pages.{name}")
    except ModuleNotFoundError:
        return None
