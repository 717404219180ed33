"""Fixtures of the browser tests: an album that was drawn, a server for it, Chromium, and pages that may do nothing wrong.

Everything here ends with this folder's last test: while Playwright runs, no other test could start an event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driving import PATIENCE, Server, Watch, bare_home, chromium, scenes_album, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

NO_CHROMIUM = "needs Chromium: apt-get install chromium fonts-noto-core"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lies here needs Chromium; where there is none, no server is started for it."""
    without = pytest.mark.skip(reason=NO_CHROMIUM) if chromium() is None else None
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if without is not None:
                item.add_marker(without)


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home without weights, so that a machine that has some measures the same."""
    with bare_home(tmp_path_factory.mktemp("home")) as place:
        yield place


@pytest.fixture(scope="package")
def album(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """The album of drawn scenes that the server shows."""
    return scenes_album(tmp_path_factory.mktemp("albums") / "drawn scenes")


@pytest.fixture(scope="package")
def server(album: Path, home: Path) -> Iterator[Server]:
    """`whichpic serve` for the drawn album, without a model."""
    with serving([album], home, "--encoder", "toy") as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def watch(server: Server) -> Iterator[Watch]:
    """What the pages of a test did wrong; anything fails the test."""
    watching = Watch(server.url)
    yield watching
    assert watching.faults() == []


@pytest.fixture
def context(browser: Browser, server: Server, watch: Watch) -> Iterator[BrowserContext]:
    """A fresh profile: no cookies, nothing kept; addresses are those of the server."""
    profile = browser.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 800}, locale="en-US", reduced_motion="reduce"
    )
    profile.set_default_timeout(PATIENCE)
    watch.over(profile)
    yield profile
    profile.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page that fails the test when it errs, asks another host or lets a request fail."""
    return context.new_page()
