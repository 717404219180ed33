"""axe on every page and in every state of it, light and dark, at a desk and on a telephone: no violations.

Reports, replays and earlier searches are looked at in test_reports, the page of several albums in test_look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python (extra dev)")

from playwright.sync_api import expect

from tests.browser.driving import Server, Watch, axe, sideways
from tests.browser.talking import Talking

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"desk": (1280, 800), "phone": (360, 740)}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_no_violations(browser: Browser, server: Server, watch: Watch, size: str) -> None:
    width, height = SIZES[size]
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark") if size == "desk" else ("dark",)
    watch.allow(r"status 40[45]: ", r"console error: Failed to load resource.*40[45]")
    found: dict[str, list[str]] = {}

    def look(page: Page, state: str) -> None:
        wrong = [f"sideways: {out}"] if (out := sideways(page)) else []
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            wrong += [f"{scheme}: {each}" for each in axe(page)]
        if wrong:
            found[state] = wrong

    with browser.new_context(
        base_url=server.url, viewport={"width": width, "height": height}, locale="en-US",
        reduced_motion="reduce",
    ) as context:  # fmt: skip
        watch.over(context)
        page = context.new_page()
        talk = Talking(page)
        expect(page.locator(".begin .chip").first).to_be_visible()
        look(page, "empty")
        page.locator("button[data-do=help]").click()
        look(page, "help")
        page.keyboard.press("Escape")
        talk.say("a cat")
        talk.loaded()
        expect(talk.options.first).to_be_visible()
        talk.act(0, "more")
        talk.took(2)
        expect(talk.options.first).to_be_visible()
        look(page, "talk")
        page.locator("[data-do=filters]").click()
        expect(page.locator("details.filters .filter-group").first).to_be_visible()
        look(page, "filters")
        page.locator("[data-do=filters]").click()
        talk.tiles.first.locator("[data-do=open]").click()
        sheet = page.locator("dialog[open]")
        expect(sheet.locator("img").first).to_be_visible()
        expect(sheet).to_contain_text("cat")
        look(page, "viewer")
        page.keyboard.press("Escape")
        if size == "desk":
            for tile in range(3):
                talk.act(tile, "compare")
            talk.press("side-by-side")
            expect(sheet.locator("img:visible")).to_have_count(3)
            look(page, "compare")
            page.keyboard.press("Escape")
        talk.act(0, "this")
        expect(page.locator("section.found img")).to_be_visible()
        look(page, "found")
        for state, path in (
            ("gone", "/album/drawn-scenes/nothing"), ("no album", "/album/nothing"), ("no page", "/nothing"),
            ("chat", "/chat"), ("sessions", "/album/drawn-scenes/sessions"), ("reports", "/reports"),
            ("chinese", "/album/drawn-scenes?lang=zh"),
        ):  # fmt: skip
            page.goto(path)
            expect(page.locator("h1")).to_have_count(1)
            look(page, state)
    assert found == {}
