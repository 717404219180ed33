"""A conversation page, as a person uses it. Called by the browser tests."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError, expect

from tests.browser.driving import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

expect.set_options(timeout=PATIENCE)


class Talking:
    """A page, with names for what is on it."""

    def __init__(self, page: Page, path: str = "/album/drawn-scenes") -> None:
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(path)
        expect(page.locator("h1")).to_have_count(1)
        self.box = page.locator("#say")
        self.tiles = page.locator(".grid .tile")
        self.turns = page.locator(".timeline > li")
        self.options = page.locator(".question [data-do=option]")
        self.asked = page.locator(".question .question-text")
        self.trouble = page.locator(".said.trouble")

    def say(self, text: str) -> None:
        """Type it and press Enter; the list that follows is there."""
        turns = self.turns.count()
        self.box.fill(text)
        self.box.press("Enter")
        self.took(turns + 1)

    def took(self, turns: int) -> None:
        """Wait until the conversation has so many turns."""
        expect(self.turns).to_have_count(turns)

    def settled(self) -> None:
        """Wait until the question is there, where there is one: from then on nothing moves under the mouse."""
        with suppress(TimeoutError):
            self.asked.wait_for(timeout=2_000)

    def shown(self) -> list[str]:
        """The ids of the pictures of the list."""
        found: list[str] = self.tiles.evaluate_all("tiles => tiles.map(each => each.dataset.picture)")
        return found

    def first(self) -> str:
        """What the first picture shows, as a screen reader says it."""
        return self.tiles.first.locator("img").get_attribute("alt") or ""

    def on(self, tile: int, do: str) -> Locator:
        """A button of a picture of the list."""
        return self.tiles.nth(tile).locator(f"[data-do={do}]")

    def act(self, tile: int, do: str) -> None:
        """Press it; the buttons of a picture are there for a mouse that is over it."""
        self.settled()
        self.tiles.nth(tile).hover()
        self.on(tile, do).click()

    def press(self, do: str) -> None:
        """A button of the page, by its name."""
        self.settled()
        self.page.locator(f"[data-do={do}]:visible").first.click()

    def loaded(self, n: int = 1) -> None:
        """Wait until the first pictures are not only there but drawn."""
        self.page.wait_for_function(
            "n => [...document.querySelectorAll('.grid img')].filter(each => each.naturalWidth > 0).length >= n", arg=n
        )
