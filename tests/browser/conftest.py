"""Fixtures of the browser tests: an album that was drawn, a server for it, Chromium, and pages that may do nothing wrong.

Everything here ends with this folder's last test: while Playwright runs, no other test could start an event loop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driving import PATIENCE, Server, Watch, chromium, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PICTURES = 48


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lies here needs Chromium."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def scenes_album(folder: Path, *, n: int = PICTURES, seed: int = 5) -> Path:
    """An indexed album of the drawn world: n pictures whose every fact is known, with one caption each."""
    from whichpic import Album
    from whichpic.simulate.scenes import write_album

    write_album(folder, n, seed, side=160)
    path = folder / "pictures.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**row, "captions": row["captions"][:1]}, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Album.open(folder, encoder="toy") as album:
        album.index()
    return folder


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home without weights, so that a machine that has some measures the same."""
    from whichpic.settings import settings

    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHICHPIC_HOME", str(place))
        patch.setenv("WHICHPIC_OFFLINE", "1")
        settings.cache_clear()
        yield place
    settings.cache_clear()


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
    path = chromium()
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium fonts-noto-core")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
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
