"""The frame of every page: landmarks, language, light and dark, narrow screens; and the page of several albums."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driving import Server, Watch, axe, scenes_album, serving, sideways

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python (extra dev)")

PAPER = {"light": "rgb(253, 253, 251)", "dark": "rgb(20, 23, 26)"}


def paper(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Server]:
    """A server with two albums."""
    folder = tmp_path_factory.mktemp("shelf")
    albums = [scenes_album(folder / name, n=6, seed=seed) for seed, name in enumerate(("Sommer 2019", "旅行"))]
    with serving(albums, home, "--encoder", "toy") as running:
        yield running


@pytest.fixture
def albums(browser: Browser, shelf: Server) -> Iterator[Page]:
    """The first page of that server."""
    watching = Watch(shelf.url)
    profile = browser.new_context(base_url=shelf.url, locale="en-US", reduced_motion="reduce")
    watching.over(profile)
    page = profile.new_page()
    page.goto("/")
    page.wait_for_selector("h1")
    yield page
    profile.close()
    assert watching.faults() == []


def test_a_page_has_one_banner_one_main_and_one_heading(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector("h1")
    assert page.locator("main, [role=main]").count() == 1
    assert page.locator("body header:visible").count() == 1
    assert page.locator("h1").count() == 1
    assert page.locator("[class*=q-layout], [class*=q-page]").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en-US"
    assert page.title().endswith("whichpic")


def test_the_keyboard_comes_to_the_content_first(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector("h1")
    page.wait_for_function("document.activeElement !== document.body")  # the box takes the focus, once
    page.locator(".skip").focus()
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


def test_light_and_dark_follow_the_system_until_one_is_chosen(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    theme = page.get_by_role("button", name="Theme:")
    theme.wait_for()
    assert paper(page) == PAPER["dark"]
    assert "Auto" in theme.inner_text()
    theme.click()
    assert paper(page) == PAPER["light"]
    page.reload()
    page.wait_for_selector("h1")
    assert paper(page) == PAPER["light"]
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Theme: Light").click()
    assert paper(page) == PAPER["dark"]
    page.get_by_role("button", name="Theme: Dark").click()
    assert paper(page) == PAPER["light"]


def test_the_language_is_kept_and_so_is_the_address(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector("h1")
    before = page.url
    page.locator("a.language").click()
    page.wait_for_selector("html[lang=zh-CN] h1")
    assert page.url == before
    page.reload()
    page.wait_for_selector("html[lang=zh-CN] h1")
    page.locator("a.language").click()
    page.wait_for_selector("html[lang=en-US] h1")


def test_axe_finds_nothing_on_the_page_of_albums(albums: Page) -> None:
    assert axe(albums) == []
    albums.emulate_media(color_scheme="dark")
    assert axe(albums) == []


def test_several_albums_are_covers_that_lead_to_them(albums: Page) -> None:
    assert albums.locator(".cover").count() == 2
    assert albums.locator(".cover img").count() == 6
    albums.get_by_role("link", name="Sommer 2019").click()
    albums.wait_for_url(re.compile("/album/sommer-2019$"))
    albums.locator("summary", has_text="Sommer 2019").click()
    albums.get_by_role("link", name="旅行").click()
    albums.wait_for_selector("h1")
    assert albums.locator("summary", has_text="旅行").count() == 1


def test_nothing_is_wider_than_the_screen_and_all_that_is_pressed_is_large_enough(albums: Page) -> None:
    for width in (360, 768, 1440):
        albums.set_viewport_size({"width": width, "height": 800})
        assert sideways(albums) == ""
        for target in albums.locator("a:visible, button:visible, summary:visible").all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 24, target.inner_text()
