"""What people do on the pages, in a real browser: find, answer, mark, undo, go back, go on, on every device and by key."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")

from playwright.sync_api import expect

from tests.browser.driving import Server, Watch, serving, sideways
from tests.browser.talking import Talking

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

TARGET, CAPTION = "drawn-5-000019.png", "Two black cats in a kitchen."


@pytest.fixture
def talk(page: Page) -> Talking:
    """A new conversation."""
    return Talking(page)


@pytest.fixture(scope="module")
def facts(album: Path) -> dict[str, dict[str, set[str]]]:
    """What is true of every picture, by its caption."""
    rows = [json.loads(line) for line in (album / "pictures.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        row["captions"][0]: {name: {f["value"] for f in row["facts"] if f["attribute"] == name} for name in NAMES}
        for row in rows
    }


NAMES = ("scene", "place", "light", "weather", "main", "kind", "colour", "object", "people", "feature", "count", "size")


def position(asked: str, said: list[str], facts: dict[str, set[str]]) -> int | None:
    """What somebody would answer who sees only the target; None for "not sure"."""
    bare = [re.sub(r"^(an?|the) ", "", text.casefold()) for text in said]
    if bare == ["yes", "no"]:
        words = asked.casefold().rstrip("?")
        return 0 if any(value in words for value in facts["object"] | facts["feature"] | facts["scene"]) else 1
    about = {"place": "scene", "main thing": "main", "mainly": "kind", "colour": "colour", "people": "people",
             "light": "light", "weather": "weather"}  # fmt: skip
    attribute = next((name for word, name in about.items() if word in asked), None)
    if attribute is None:
        return None
    at = next((k for k, text in enumerate(bare) if text in facts[attribute]), None)
    return bare.index("something else") if at is None and "something else" in bare else at


def test_find_a_picture_by_typing(talk: Talking) -> None:
    expect(talk.page.locator("h1")).to_have_text("What do you remember?")
    talk.say("two black cats in a kitchen")
    talk.loaded()
    assert talk.first() == CAPTION
    talk.act(0, "why")
    sheet = talk.page.locator("dialog[open]")
    expect(sheet).to_contain_text(CAPTION)
    expect(sheet).to_contain_text("two black cats in a kitchen")
    talk.page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(talk.page).to_have_url(re.compile(r"/album/drawn-scenes/[\w-]+$"))
    talk.act(0, "this")
    expect(talk.page.locator("section.found")).to_be_visible()
    expect(talk.page.locator("section.found figcaption")).to_have_text(TARGET)
    expect(talk.tiles.first).to_be_hidden()
    talk.page.get_by_role("button", name="No, go on searching").click()
    expect(talk.tiles.first).to_be_visible()


def test_find_a_picture_by_keyboard_alone(talk: Talking) -> None:
    keys = talk.page.keyboard
    expect(talk.box).to_be_focused()
    keys.type("a cat")
    keys.press("Enter")
    talk.took(1)
    expect(talk.options.first).to_be_visible()
    keys.press("Escape")
    keys.press("s")  # not sure
    talk.took(2)
    keys.press("u")
    talk.took(1)
    keys.press("ArrowRight")
    moved = talk.page.evaluate("document.activeElement.closest('.tile')?.dataset.picture")
    assert moved in talk.shown()
    keys.press("-")
    talk.took(2)
    keys.press("u")
    talk.took(1)
    keys.press("?")
    sheet = talk.page.locator("dialog#help-sheet")
    expect(sheet).to_be_visible()
    keys.press("Escape")
    expect(sheet).to_be_hidden()
    keys.press("/")
    expect(talk.box).to_be_focused()
    keys.type("two black cats in a kitchen")
    keys.press("Enter")
    talk.took(2)
    keys.press("Escape")
    here = "document.activeElement.closest('.tile')?.querySelector('img').alt"
    for _ in range(24):
        if talk.page.evaluate(here) == CAPTION:
            break
        keys.press("ArrowRight")
    assert talk.page.evaluate(here) == CAPTION
    keys.press("x")
    expect(talk.page.locator("section.found figcaption")).to_have_text(TARGET)


def test_find_a_picture_by_answering(talk: Talking, facts: dict[str, dict[str, set[str]]]) -> None:
    talk.say("a picture")
    for answered in range(1, 16):
        expect(talk.options.first).to_be_visible()
        option = position(talk.asked.inner_text(), talk.options.all_inner_texts(), facts[CAPTION])
        if option is None:
            talk.press("unsure")
        else:
            talk.options.nth(option).click()
        talk.took(answered + 1)
        if talk.first() == CAPTION:
            break
    assert talk.first() == CAPTION


def test_undo_gives_the_very_list_of_before(talk: Talking) -> None:
    talk.say("a cat")
    before = talk.shown()
    talk.say("in the snow")
    assert talk.shown() != before
    talk.press("undo")
    talk.took(1)
    assert talk.shown() == before


def test_a_mark_changes_the_list_and_is_seen(talk: Talking) -> None:
    talk.say("red")
    before = talk.shown()
    talk.act(3, "less")
    talk.took(2)
    assert before[3] not in talk.shown()[:3]
    expect(talk.page.locator(f'.tile[data-picture="{before[3]}"] [data-do=less]')).to_have_attribute(
        "aria-pressed", "true"
    )
    liked = talk.tiles.nth(1).get_attribute("data-picture")
    assert liked is not None
    talk.act(1, "more")
    talk.took(3)
    button = talk.page.locator(f'.tile[data-picture="{liked}"] [data-do=more]')
    expect(button).to_have_attribute("aria-pressed", "true")
    before = talk.shown()
    talk.press("nothing")
    talk.took(4)
    assert set(talk.shown()) != set(before)


def test_an_answer_in_words_counts(talk: Talking) -> None:
    talk.say("a cat")
    expect(talk.options.first).to_be_visible()
    said = talk.options.first.inner_text()
    talk.page.locator("#words").fill(said)
    talk.page.locator("#words").press("Enter")
    talk.took(2)
    expect(talk.turns.nth(1)).to_contain_text(said)


def test_the_query_can_be_said_anew(talk: Talking) -> None:
    talk.say("a red bus")
    query = talk.page.locator("#query")
    expect(query).to_have_value("a red bus")
    query.fill("two black cats in a kitchen")
    query.press("Enter")
    expect(talk.tiles.first.locator("img")).to_have_attribute("alt", CAPTION)
    expect(query).to_have_value("two black cats in a kitchen")


def test_a_chip_of_an_empty_screen_begins(talk: Talking) -> None:
    chip = talk.page.locator(".begin .chip").first
    expect(chip).to_be_visible()
    chip.click()
    talk.took(1)
    assert talk.shown()


HAND_OVER = """([kind, name, bytes]) => {
    const file = new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name, {type: "image/png"});
    const data = new DataTransfer();
    data.items.add(file);
    const event = kind === "drop" ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
                                  : new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
    document.querySelector("#say").dispatchEvent(event);
}"""


@pytest.mark.parametrize("kind", ["drop", "paste", "choose"])
def test_a_picture_is_a_query(talk: Talking, album: Path, kind: str) -> None:
    file = album / TARGET
    if kind == "choose":
        talk.page.locator("#picture").set_input_files(file)
    else:
        talk.page.evaluate(HAND_OVER, [kind, "from elsewhere.png", base64.b64encode(file.read_bytes()).decode()])
    talk.took(1)
    assert talk.first() == CAPTION
    expect(talk.page).to_have_url(re.compile(r"/album/drawn-scenes/[\w-]+$"))


def test_a_file_that_is_no_picture_is_told_and_nothing_is_lost(talk: Talking, watch: Watch) -> None:
    watch.allow(r"status 4\d\d: .*/picture", r"console error: Failed to load resource")
    talk.say("a cat")
    before = talk.shown()
    body = base64.b64encode(b"no picture at all").decode()
    talk.page.evaluate(HAND_OVER, ["drop", "odd.png", body])
    expect(talk.trouble).not_to_be_empty()
    assert talk.shown() == before
    talk.say("in a forest")
    expect(talk.trouble).to_be_empty()


def test_reload_goes_on(talk: Talking) -> None:
    talk.say("a cat")
    talk.act(0, "more")
    talk.took(2)
    before = talk.shown()
    talk.page.reload()
    talk.took(2)
    assert talk.shown() == before
    talk.press("undo")
    talk.took(1)


def test_a_second_tab_sees_the_same(talk: Talking, context: BrowserContext) -> None:
    talk.say("a cat")
    other = Talking(context.new_page(), talk.page.url)
    other.took(1)
    assert other.shown() == talk.shown()
    other.say("in the snow")
    talk.took(2)
    assert other.shown() == talk.shown()


def test_two_conversations_know_nothing_of_each_other(talk: Talking, context: BrowserContext) -> None:
    other = Talking(context.new_page())
    talk.say("two black cats in a kitchen")
    other.say("a purple ball at a harbor")
    assert (talk.first(), other.first()) == (CAPTION, "A purple ball at a harbor.")
    talk.took(1)
    assert talk.page.url != other.page.url


def test_export(talk: Talking) -> None:
    talk.say("two black cats in a kitchen")
    talk.page.locator("details.menu summary", has_text="Export").click()
    with talk.page.expect_download() as taken:
        talk.page.get_by_role("link", name="As JSON").click()
    kept = json.loads(Path(taken.value.path()).read_text(encoding="utf-8"))
    assert "two black cats in a kitchen" in json.dumps(kept)
    with talk.page.expect_download() as taken:
        talk.page.get_by_role("link", name="As a page").click()
    page = Path(taken.value.path()).read_text(encoding="utf-8")
    assert CAPTION in page and "data:image/" in page and "<script" not in page and 'src="http' not in page


def test_chinese(talk: Talking) -> None:
    talk.page.locator("a.language").click()
    expect(talk.page.locator("html")).to_have_attribute("lang", "zh-CN")
    talk.say("一只灰色的猫")
    expect(talk.asked).to_have_text(re.compile(r"[\u4e00-\u9fff]"))
    expect(talk.options.first).to_have_text(re.compile(r"[\u4e00-\u9fff]"))
    talk.page.goto("/album/drawn-scenes")
    expect(talk.page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_a_phone_shows_everything_without_scrolling_sideways(browser: Browser, server: Server, watch: Watch) -> None:
    with browser.new_context(
        base_url=server.url, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, locale="en-US"
    ) as phone:
        watch.over(phone)
        talk = Talking(phone.new_page())
        assert sideways(talk.page) == ""
        talk.box.fill("a cat")
        talk.box.press("Enter")
        talk.took(1)
        talk.loaded()
        expect(talk.options.first).to_be_visible()
        assert sideways(talk.page) == ""
        talk.options.first.tap()
        talk.took(2)
        talk.tiles.first.locator("[data-do=open]").tap()
        expect(talk.page.locator("dialog[open]")).to_be_visible()
        assert sideways(talk.page) == ""


def test_a_model_that_is_offline_is_told_and_the_search_goes_on(
    album: Path, home: Path, browser: Browser, tmp_path: Path
) -> None:
    options = ("--encoder", "toy", "--chat", "http://127.0.0.1:9/v1", "--asker", "pictures")
    with serving([album], tmp_path / "home", *options) as offline:
        watch = Watch(offline.url)
        with browser.new_context(base_url=offline.url, locale="en-US") as context:
            watch.over(context)
            talk = Talking(context.new_page())
            talk.say("a cat")
            assert "cat" in talk.first()
            expect(talk.options.first).to_be_visible()
            expect(talk.page.locator(".trouble.models")).to_contain_text("no server answers")
            talk.options.first.click()
            talk.took(2)
        assert watch.faults() == []
