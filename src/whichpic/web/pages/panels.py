"""The panels around a conversation, made where the page wants them. Called by conversation, grid and query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whichpic.web.pages import begin
from whichpic.web.pages.compare import Compare
from whichpic.web.pages.filters import Filters
from whichpic.web.pages.growing import Growing
from whichpic.web.pages.viewer import Viewer

if TYPE_CHECKING:
    from whichpic.web.pages.conversation import Page


class Panels:
    """Viewer, compare, filters, help, growing, and the chips of an empty screen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._viewer: Viewer | None = None
        self._compare: Compare | None = None

    def begin(self) -> None:
        """The chips of this very album."""
        begin.draw(self.page)

    def growing(self) -> None:
        """The banner of the indexing."""
        Growing(self.page)

    def filters(self) -> None:
        """What can be filtered here."""
        Filters(self.page)

    def dialogs(self) -> None:
        """Everything that opens over the page."""
        self._viewer = Viewer(self.page)
        self._compare = Compare(self.page)

    async def open(self, picture: str) -> None:
        """A picture large, with all that is known of it and why it is here."""
        if self._viewer is not None:
            await self._viewer.open(picture)

    async def compare(self, pictures: list[str]) -> None:
        """Two to four pictures side by side."""
        if self._compare is not None:
            await self._compare.open(pictures)
