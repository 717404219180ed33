"""A photograph of the sample album is found: by typing, and by keys alone. Needs the album and the bundled weights (make demo).

WHICHPIC_SAMPLE_ALBUM says where the album is, if it is not beside src/.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")

from playwright.sync_api import expect

from tests.browser.driving import Server, serving
from tests.browser.talking import Talking
from whichpic.cli.demo import OPENING, TARGET
from whichpic.settings import settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.bundled
ALBUM = Path(os.environ.get("WHICHPIC_SAMPLE_ALBUM") or Path(__file__).resolve().parents[2] / "sample-album")
MORE = "a green umbrella and two chairs on a sandy beach"


@pytest.fixture(scope="module")
def server(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The sample album with the encoder that looked at it; what is kept of sessions goes elsewhere."""
    if not (ALBUM / TARGET).is_file() or not (ALBUM / ".whichpic").is_dir():
        pytest.skip("no indexed sample album here: make demo fetches and indexes it")
    if not any(settings().home.glob("*")):
        pytest.skip("no bundled weights here: whichpic models get bundled")
    place = tmp_path_factory.mktemp("sample")
    shutil.copytree(ALBUM / ".whichpic", place / "store", ignore=shutil.ignore_patterns("sessions", "lock"))
    options = ("--store", str(place / "store"), "--no-index")
    with serving([ALBUM], place, *options, weights=settings().home) as running:
        yield running


@pytest.fixture
def talk(page: Page) -> Talking:
    """A new conversation in it."""
    return Talking(page, "/")


def test_a_photograph_is_found_by_typing(talk: Talking) -> None:
    talk.say(OPENING)
    talk.say(MORE)
    talk.loaded(6)
    target = talk.tiles.filter(has=talk.page.locator(f'img[src*="{wanted(talk)}"]'))
    expect(target).to_have_count(1)
    target.hover()
    target.locator("[data-do=this]").click()
    expect(talk.page.locator("section.found figcaption")).to_contain_text(Path(TARGET).name)


def test_a_photograph_is_found_by_keys_alone(talk: Talking) -> None:
    keys = talk.page.keyboard
    expect(talk.box).to_be_focused()
    keys.type(OPENING)
    keys.press("Enter")
    talk.took(1)
    expect(talk.options.first).to_be_visible()
    keys.press("Escape")
    keys.press("s")  # not sure
    talk.took(2)
    keys.press("/")
    expect(talk.box).to_be_focused()
    keys.type(MORE)
    keys.press("Enter")
    talk.took(3)
    keys.press("Escape")
    here, target = "document.activeElement.closest('.tile')?.dataset.picture", wanted(talk)
    for _ in range(24):
        if talk.page.evaluate(here) == target:
            break
        keys.press("ArrowRight")
    assert talk.page.evaluate(here) == target
    keys.press("x")
    expect(talk.page.locator("section.found figcaption")).to_contain_text(Path(TARGET).name)


def wanted(talk: Talking) -> str:
    """The id of the photograph."""
    album = talk.page.locator("main").get_attribute("data-album")
    entries: list[dict[str, str]] = []
    while not entries or len(entries) % 1000 == 0:
        place = f"/api/v1/albums/{album}/pictures?limit=1000&offset={len(entries)}"
        entries += talk.page.request.get(place).json()["pictures"]
    return next(each["id"] for each in entries if each["name"] == TARGET)
