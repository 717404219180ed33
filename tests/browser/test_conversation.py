"""The conversation page in small: what stays when it is drawn anew, where the focus is, what keys do, what is told to whom."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")

from playwright.sync_api import expect

from tests.browser.driving import Server, Watch
from tests.browser.talking import Talking

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

FOCUSED = "document.activeElement.dataset.do + ' ' + (document.activeElement.closest('.tile')?.dataset.picture ?? '')"


@pytest.fixture
def talk(page: Page) -> Talking:
    """A new conversation."""
    return Talking(page)


def api(talk: Talking, server: Server) -> str:
    """Where scripts find the conversation of a page."""
    expect(talk.page).to_have_url(re.compile(r"/album/drawn-scenes/[\w-]+$"))
    return f"{server.url}/api/v1/albums/drawn-scenes/sessions/{talk.page.url.rsplit('/', 1)[1]}"


def test_pictures_that_stay_are_not_loaded_again(talk: Talking) -> None:
    talk.say("a cat")
    talk.loaded()
    talk.page.evaluate("document.querySelectorAll('.grid img').forEach(each => each.seenBefore = true)")
    before = set(talk.shown())
    talk.say("in the snow")
    kept = talk.page.evaluate(
        "[...document.querySelectorAll('.grid .tile')]"
        ".filter(e => e.querySelector('img').seenBefore).map(e => e.dataset.picture)"
    )
    assert kept and set(kept) == before & set(talk.shown())
    ranks = talk.page.locator(".grid .badge").all_inner_texts()
    assert ranks == [str(rank) for rank in range(1, len(ranks) + 1)]


def test_the_focus_stays_with_the_picture_that_was_marked(talk: Talking) -> None:
    talk.say("a cat")
    picture = talk.shown()[2]
    talk.page.locator(f'[data-picture="{picture}"] .frame').focus()
    talk.page.keyboard.press("+")
    talk.took(2)
    expect(talk.options.first).to_be_visible()
    assert talk.page.evaluate(FOCUSED) == f"open {picture}"


def test_the_focus_goes_on_from_one_answer_to_the_next_question(talk: Talking) -> None:
    talk.say("a cat")
    talk.options.first.focus()
    talk.page.keyboard.press("Enter")
    talk.took(2)
    expect(talk.page.locator(".question [data-do=option], #say").and_(talk.page.locator(":focus"))).to_be_visible()


def test_the_end_is_told_and_one_step_from_going_on(talk: Talking) -> None:
    talk.say("a cat")
    talk.box.press("ArrowDown")
    talk.page.keyboard.press("x")
    expect(talk.page.locator("#found")).to_be_focused()
    expect(talk.page.locator("[role=status].unseen").first).to_contain_text("Found: ")
    talk.page.keyboard.press("u")
    expect(talk.tiles.first).to_be_visible()


def test_a_double_click_answers_once(talk: Talking) -> None:
    talk.say("a cat")
    talk.options.first.dblclick()
    talk.took(2)
    expect(talk.options.first).to_be_visible()
    talk.took(2)
    expect(talk.trouble.first).to_be_empty()


def test_arrows_go_by_what_is_seen(talk: Talking) -> None:
    talk.say("a cat")
    talk.box.press("ArrowDown")
    place = "(() => { const b = document.activeElement.closest('.tile').getBoundingClientRect(); return [b.left, b.top]; })()"
    left, top = talk.page.evaluate(place)
    talk.page.keyboard.press("ArrowDown")
    below_left, below = talk.page.evaluate(place)
    assert below > top and abs(below_left - left) < 200
    talk.page.keyboard.press("ArrowRight")
    assert talk.page.evaluate(place)[0] > below_left
    talk.page.keyboard.press("ArrowUp")
    assert talk.page.evaluate(place)[1] < below
    talk.page.keyboard.press("ArrowUp")
    expect(talk.box).to_be_focused()


def test_one_picture_is_a_stop_of_the_tab_key(talk: Talking) -> None:
    talk.say("a cat")
    stops = (
        "[...document.querySelectorAll('.grid button')]"
        ".filter(e => e.tabIndex === 0).map(e => e.closest('.tile').dataset.picture)"
    )
    talk.page.wait_for_function(f"new Set({stops}).size === 1")
    talk.box.press("ArrowDown")
    talk.page.keyboard.press("ArrowRight")
    assert set(talk.page.evaluate(stops)) == {talk.shown()[1]}


def test_keys_are_letters_where_one_types(talk: Talking) -> None:
    talk.say("a cat")
    talk.page.locator("#words").press_sequentially("nux?1")
    expect(talk.page.locator("#words")).to_have_value("nux?1")
    talk.took(1)
    talk.page.keyboard.press("Control+k")
    expect(talk.box).to_be_focused()


def test_a_digit_answers(talk: Talking) -> None:
    talk.say("a cat")
    expect(talk.options.nth(1)).to_be_visible()
    text = talk.options.nth(1).inner_text()
    talk.box.press("Escape")
    talk.page.keyboard.press("2")
    talk.took(2)
    expect(talk.turns.nth(1)).to_contain_text(text)


def test_another_question_may_be_asked_instead(talk: Talking) -> None:
    talk.say("a cat")
    other = talk.page.locator("[data-do=other]").first
    text = other.inner_text().removeprefix("or: ")
    other.click()
    expect(talk.asked).to_have_text(text)
    talk.press("unsure")
    talk.took(2)
    expect(talk.turns.nth(1)).to_contain_text(text)
    expect(talk.turns.nth(1)).to_contain_text("not sure")


def test_what_is_heard(talk: Talking) -> None:
    heard = talk.page.locator("[role=status].unseen").first
    talk.say("a cat")
    expect(heard).to_contain_text(re.compile(r"24 pictures; the first: .+|Question: .+"))
    expect(heard).to_contain_text("Question: ")


def test_more_pictures(talk: Talking) -> None:
    talk.say("a cat")
    expect(talk.tiles).to_have_count(24)
    before = talk.shown()
    talk.press("longer")
    expect(talk.tiles).to_have_count(48)
    assert talk.shown()[:24] == before
    expect(talk.page.locator("[data-do=longer]")).to_be_hidden()


def test_what_is_typed_stays_when_it_cannot_be_done(talk: Talking, watch: Watch) -> None:
    talk.say("a cat")
    expect(talk.options.first).to_be_visible()
    talk.page.evaluate("document.querySelector('#say').removeAttribute('maxlength')")
    talk.box.fill("x" * 2001)
    talk.box.press("Enter")
    expect(talk.trouble.first).to_contain_text("2,000")
    expect(talk.box).to_have_value("x" * 2001)
    talk.took(1)


def test_a_picture_of_more_than_20_mb_is_not_even_sent(talk: Talking) -> None:
    sent: list[str] = []
    talk.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    talk.page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(21 * 1024 * 1024)], "large.png", {type: "image/png"}));
        const event = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
        document.querySelector("#say").dispatchEvent(event);
    }""")
    expect(talk.trouble.first).to_contain_text("20 MB")
    assert not [url for url in sent if "/picture" in url]


def test_what_a_script_does_is_seen_on_the_page(talk: Talking, server: Server) -> None:
    talk.say("a cat")
    place = api(talk, server)
    answer = talk.page.request.post(f"{place}/events", data={"kind": "said", "text": "in the snow"})
    assert answer.ok, answer.text()
    talk.took(2)
    assert talk.shown() == [each["picture"]["id"] for each in answer.json()["pictures"]]
    expect(talk.options.first).to_be_visible()  # the page asks, though it was not the page that said it


def test_a_filter_is_a_chip_that_can_be_taken_away(talk: Talking, server: Server) -> None:
    talk.say("a cat")
    place = api(talk, server)
    assert talk.page.request.post(f"{place}/events", data={"kind": "filtered", "conditions": ["has=cat"]}).ok
    chip = talk.page.locator(".query .chip.filter")
    expect(chip).to_contain_text("cat")
    chip.get_by_role("button").click()
    expect(chip).to_have_count(0)


def test_going_back_and_branching_leave_the_other_conversation_alone(talk: Talking) -> None:
    talk.say("a cat")
    first = talk.shown()
    talk.say("in the snow")
    before, address = talk.shown(), talk.page.url
    talk.turns.first.locator("[data-do=branch]").click()
    expect(talk.page).not_to_have_url(address)
    talk.took(1)
    assert talk.shown() == first
    talk.page.go_back()
    talk.took(2)
    expect(talk.page).to_have_url(address)
    assert talk.shown() == before
    talk.turns.first.locator("[data-do=back]").click()
    talk.took(1)
    assert talk.shown() == first


def test_an_address_of_no_conversation_is_told(page: Page, watch: Watch) -> None:
    watch.allow(r".*status of 404.*", r"status 404: .*/album/drawn-scenes/2000.*")
    answer = page.goto("/album/drawn-scenes/20000101-000000-000000")
    assert answer is not None and answer.status == 404
    expect(page.locator("[role=alert]")).to_contain_text("no session")
    page.get_by_role("link", name="Begin a new one").click()
    expect(page.locator("#say")).to_be_visible()


def test_a_line_that_breaks_and_comes_back_costs_nothing(talk: Talking, context: BrowserContext, watch: Watch) -> None:
    watch.allow(r".*socket.*", r".*ERR_INTERNET_DISCONNECTED.*", r".*WebSocket.*", r".*Failed to load resource.*")
    talk.say("a cat")
    before = talk.shown()
    talk.page.evaluate("window.socket.disconnect()")
    talk.page.evaluate("window.socket.connect()")
    talk.page.wait_for_function("window.socket.connected")
    assert talk.shown() == before
    talk.say("in the snow")
    assert talk.shown() != before


def test_a_picture_is_shown_while_it_is_sent(talk: Talking) -> None:
    pixels = base64.b64encode(talk.page.screenshot(clip={"x": 0, "y": 0, "width": 64, "height": 64})).decode()
    talk.page.route("**/picture?*", lambda route: (talk.page.wait_for_timeout(300), route.continue_()))  # type: ignore[func-returns-value]
    talk.page.evaluate(
        """bytes => {
        const file = new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], "<b>mine</b>.png", {type: "image/png"});
        const data = new DataTransfer();
        data.items.add(file);
        const event = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
        document.querySelector("#say").dispatchEvent(event);
    }""",
        pixels,
    )
    expect(talk.page.locator("#dropped img")).to_be_visible()
    expect(talk.page.locator("#dropped figcaption")).to_contain_text("<b>mine</b>.png")
    talk.took(1)
    expect(talk.page.locator("#dropped")).to_be_hidden()
