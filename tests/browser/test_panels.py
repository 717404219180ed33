"""The panels around a conversation: chips of an album, the open picture, side by side, filters, help, the indexing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driving import PATIENCE, Server, Watch, axe, serving, sideways
from tests.support import drawn_album

pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")

from playwright.sync_api import expect

from tests.browser.talking import Talking

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def open_picture(talk: Talking, at: int = 0) -> None:
    """By keys: the focus on a tile, then Enter."""
    talk.on(at, "open").focus()
    talk.page.keyboard.press("Enter")
    expect(talk.page.locator("dialog.viewer")).to_be_visible()


def large(page: Page) -> str:
    """The id of the picture that is open."""
    found = re.search(
        r"/pictures/([^/]+)/image", page.locator(".viewer-picture > img").first.get_attribute("src") or ""
    )
    return found[1] if found else ""


def test_a_chip_of_this_album_finds_pictures(page: Page) -> None:
    talk = Talking(page)
    chips = page.locator(".album-words .chip")
    expect(chips.first).to_be_visible()
    assert 8 <= chips.count() <= 12
    said = chips.first.inner_text()
    chips.first.click()
    talk.took(1)
    expect(talk.turns.first).to_contain_text(said)
    expect(chips.first).to_be_hidden()


def test_an_example_is_a_whole_sentence(page: Page) -> None:
    talk = Talking(page)
    example = page.locator(".album-words .example").first
    said = example.inner_text()
    assert len(said.split()) >= 4
    example.click()
    talk.took(1)
    expect(talk.turns.first).to_contain_text(said)


def test_an_open_picture_says_what_it_is_and_why_it_is_here(page: Page) -> None:
    talk = Talking(page)
    talk.say("something red")
    order = talk.shown()
    open_picture(talk)
    viewer = page.locator("dialog.viewer")
    assert large(page) == order[0]
    expect(viewer.locator(".why li")).to_contain_text(["something red"])
    expect(viewer.locator("[role=status]")).to_contain_text("Place 1")
    assert viewer.locator("[data-copy]").first.get_attribute("data-copy")
    expect(viewer.locator("a.button")).to_have_attribute("href", re.compile(rf"/chat\?album=.*picture={order[0]}"))
    page.keyboard.press("ArrowRight")
    expect(viewer.locator("[role=status]")).to_contain_text("Place 2")
    assert large(page) == order[1]
    page.keyboard.press("ArrowLeft")
    expect(viewer.locator("[role=status]")).to_contain_text("Place 1")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(talk.on(0, "open")).to_be_focused()


def test_an_open_picture_is_marked_and_stays_open(page: Page) -> None:
    talk = Talking(page)
    talk.say("something blue")
    open_picture(talk)
    picture = large(page)
    page.keyboard.press("+")
    talk.took(2)
    viewer = page.locator("dialog.viewer")
    expect(viewer.locator("[data-do=more]")).to_have_attribute("aria-pressed", "true")
    expect(viewer.locator(".why li")).to_have_count(2)
    assert large(page) == picture
    page.keyboard.press("x")
    talk.took(3)
    expect(viewer).to_be_hidden()


def test_pictures_are_compared_side_by_side(page: Page) -> None:
    talk = Talking(page)
    talk.say("something green")
    first, second, third = talk.shown()[:3]
    for at in range(3):
        talk.on(at, "compare").focus()
        page.keyboard.press("c")
        expect(talk.on(at, "compare")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("C")
    compared = page.locator("dialog.compare")
    expect(compared.locator("li img")).to_have_count(3)
    sources = compared.locator("li img").evaluate_all("all => all.map(each => each.src)")
    assert [next(id for id in (first, second, third) if id in source) for source in sources] == [first, second, third]
    compared.locator("[data-do=remove]").nth(2).click()
    expect(compared.locator("li img")).to_have_count(2)
    page.keyboard.press("2")  # the second one is closest
    talk.took(2)
    expect(compared).to_be_hidden()
    expect(talk.turns.last).to_contain_text("More like")


def test_filters_count_narrow_and_are_taken_away(page: Page) -> None:
    talk = Talking(page)
    talk.say("something red")
    page.locator("[data-do=filters]").click()
    chip = page.locator(".filter-group .chip").first
    expect(chip.locator(".count")).not_to_be_empty()
    n = int(chip.locator(".count").inner_text())
    chip.click()
    talk.took(2)
    expect(page.locator(".filters .said")).to_contain_text(f"{n} of 48")
    expect(chip).to_have_attribute("aria-pressed", "true")
    chip.click()
    expect(page.locator(".filters .said")).to_contain_text("48 of 48")
    expect(chip).to_have_attribute("aria-pressed", "false")


def test_a_condition_of_an_expert_is_taken_or_its_error_said_in_one_line(page: Page) -> None:
    talk = Talking(page)
    talk.say("something red")
    page.locator("[data-do=filters]").click()
    box = page.locator("#filter-condition")
    box.fill("dogs please")
    box.press("Enter")
    expect(page.locator(".filters [role=alert]")).to_contain_text("is not a filter; write for example has=dog")
    expect(talk.turns).to_have_count(1)
    box.fill("width<=160")
    box.press("Enter")
    talk.took(2)
    expect(page.locator(".filters [role=alert]")).to_be_hidden()


def test_a_thing_is_looked_up_among_many(page: Page) -> None:
    talk = Talking(page)
    talk.say("something red")
    page.locator("[data-do=filters]").click()
    search = page.locator("#filter-search-has")
    expect(search).to_be_visible()
    search.press_sequentially("狗")
    expect(page.locator(".filter-group").first.locator(".chip")).to_have_text([re.compile(r"^dog")])
    search.fill("zzz")
    expect(page.locator(".filter-group").first).to_contain_text("There is none of that name.")


def test_the_sheet_of_keys_has_every_key(page: Page) -> None:
    Talking(page)
    page.keyboard.press("Escape")  # out of the box
    page.keyboard.press("?")
    sheet = page.locator("#help-sheet")
    expect(sheet).to_be_visible()
    table = page.request.get("/static/keys.json").json()
    expect(sheet.locator("dt")).to_have_count(len(table))
    page.keyboard.press("Escape")
    page.locator("[data-do=help]").click()
    expect(sheet).to_be_visible()


def test_all_of_it_fits_on_a_phone_in_chinese(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    talk = Talking(page, "/album/drawn-scenes?lang=zh")
    expect(page.locator(".album-words .chip").first).to_be_visible()
    assert sideways(page) == ""
    talk.say("something red")
    page.locator("[data-do=filters]").click()
    expect(page.locator(".filter-group .chip .count").first).not_to_be_empty()
    assert sideways(page) == ""
    open_picture(talk)
    assert sideways(page) == ""
    assert page.locator("dialog.viewer").evaluate(
        "d => [...d.querySelectorAll('*')].every(e => e.scrollWidth <= innerWidth)"
    )
    assert axe(page) == []


@pytest.fixture
def growing(browser: Browser, home: Path, tmp_path: Path) -> Iterator[Page]:
    """The page of an album that nothing is indexed of yet, with a file that is no picture."""
    folder = drawn_album(tmp_path / "new", 800)
    (folder / "broken.jpg").write_bytes(b"no picture")
    with serving([folder], home, "--encoder", "toy") as running:
        watching = Watch(running.url)
        profile = browser.new_context(base_url=running.url, locale="en-US", reduced_motion="reduce")
        profile.set_default_timeout(PATIENCE)
        watching.over(profile)
        page = profile.new_page()
        page.goto("/album/new")
        yield page
        profile.close()
        assert watching.faults() == []


def test_an_album_is_searched_while_it_is_indexed(growing: Page, server: Server) -> None:
    banner = growing.locator(".growing")
    growing.locator("[data-do=pause]").click()
    expect(banner).to_contain_text("Indexing is paused")
    expect(banner).to_contain_text("Files left out: 1")
    banner.locator("summary").click()
    expect(banner).to_contain_text("broken.jpg")
    assert axe(growing) == []
    box = growing.locator("#say")
    expect(box).to_be_visible()
    box.fill("something red")
    box.press("Enter")
    expect(growing.locator(".grid .tile").first).to_be_visible()
    fitting = growing.get_by_text(re.compile(r"among the first [\d,]+ of [\d,]+")).first
    of = fitting.inner_text().rpartition(" of ")[2]
    growing.locator("[data-do=resume]").click()
    expect(fitting).not_to_contain_text(f" of {of}", timeout=60_000)  # the list has grown by itself
    expect(growing.locator(".timeline > li")).to_have_count(1)
