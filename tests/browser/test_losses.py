"""What goes away while a page is open: the page, a picture's file, the whole album."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")

from playwright.sync_api import expect

from tests.browser.driving import Server, Watch, scenes_album, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def server(tmp_path: Path, home: Path) -> Iterator[Server]:
    """A server whose album may be damaged."""
    with serving([scenes_album(tmp_path / "fading", n=12)], home, "--encoder", "toy", "--no-index") as running:
        yield running


@pytest.fixture
def watch(server: Server) -> Watch:
    """Pictures that are gone are no fault here."""
    return Watch(server.url)


def test_what_goes_away_is_said_and_nothing_that_was_typed_is_lost(page: Page, server: Server) -> None:
    folder = server.albums[0]
    page.goto("/album/fading")
    page.fill("#say", "half a sente")
    page.reload()
    expect(page.locator("#say")).to_have_value("half a sente")

    page.fill("#say", "a red circle")
    page.press("#say", "Enter")
    expect(page.locator(".grid .tile")).to_have_count(12)
    for path in folder.glob("**/*.png"):
        path.unlink()
    page.locator(".grid .tile [data-do=open]").first.click()
    expect(page.locator(".trouble").first).to_have_text("A picture cannot be shown: its file is not where it was.")
    page.keyboard.press("Escape")

    shutil.rmtree(folder)
    page.goto("/album/fading")
    page.fill("#say", "a blue square")
    page.press("#say", "Enter")
    expect(page.locator(".trouble").first).to_contain_text("the session cannot be kept")
    expect(page.locator("#say")).to_have_value("a blue square")
    assert not folder.exists()
