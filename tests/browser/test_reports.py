"""Reports opened, dialogues and kept sessions replayed by mouse and by keys, earlier searches found, exported, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driving import PATIENCE, Server, Watch, axe, scenes_album, serving, sideways
from tests.browser.payloads import PAYLOADS
from tests.web.test_reports import QUESTION, SUMMARY
from whichpic import Album
from whichpic.evaluate.report import write_report
from whichpic.simulate.dialogues import Dialogue, Turn, write_dialogues

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python (extra dev)")


def drawn(*numbers: int) -> tuple[str, ...]:
    return tuple(f"drawn-0-{k:06d}" for k in numbers)


@pytest.fixture(scope="module")
def reporting(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Server]:
    """A server with a report, dialogues, and an album in which three searches were made."""
    root = tmp_path_factory.mktemp("reporting")
    runs = root / "runs"
    write_report(SUMMARY, runs / "report", published=())
    turns = (
        Turn("said", "a dog", shown=drawn(1, 2, 3), better=29, p_target=0.01, set_size=40),
        Turn("answered", "?", question=QUESTION, option=1, shown=drawn(2, 7, 3), better=1, p_target=0.2, set_size=9),
        Turn("answered", "?", question=QUESTION, shown=drawn(7, 2, 3), rewritten="a dog at night", p_target=0.6),
    )
    odd = tuple(
        Turn(
            "said",
            payload,
            rewritten=payload,
            trouble=payload,
            captions=((payload, payload),),
            shown=(payload, *drawn(k)),
        )
        for k, payload in enumerate(PAYLOADS)
    )
    played = [Dialogue("d", drawn(7)[0], turns), Dialogue("odd", "gone", odd)]
    write_dialogues(runs / "played.jsonl", {"name": "played </script>", "pictures": 60}, played)
    (runs / "torn.jsonl").write_text('{"whichpic_dialogues": 1}\n{}\n', encoding="utf-8")
    folder = scenes_album(root / "searched", n=12)
    with Album.open(folder, encoder="toy") as album:
        for words in ("a red boat", "two dogs at night", PAYLOADS[0]):
            session = album.session()
            session.say(words)
            session.choose(session.results(3)[1].picture.id)
    with serving([folder], home, "--encoder", "toy", "--reports", str(runs)) as running:
        yield running


@pytest.fixture
def visited(browser: Browser, reporting: Server) -> Iterator[tuple[BrowserContext, Watch]]:
    watching = Watch(reporting.url)
    profile = browser.new_context(base_url=reporting.url, locale="en-US", viewport={"width": 1280, "height": 800})
    profile.set_default_timeout(PATIENCE)
    watching.over(profile)
    yield profile, watching
    profile.close()
    assert watching.faults() == []


@pytest.fixture
def page(visited: tuple[BrowserContext, Watch]) -> Page:
    return visited[0].new_page()


def at(page: Page, words: str) -> None:
    """Wait until the stepper says where the replay is."""
    page.locator(".stepper [role=status]").filter(has_text=words).wait_for()


def test_reports_and_dialogues_are_listed_and_a_damaged_one_says_why(page: Page) -> None:
    page.goto("/reports")
    page.get_by_role("link", name="mine", exact=True).wait_for()
    assert "Recall@10 20.0 → 60.0 %" in page.inner_text("main")
    assert "torn.jsonl" in page.inner_text("main") and "cannot be opened" in page.inner_text("main")
    with page.expect_download() as download:
        page.get_by_role("link", name="summary.json").click()
    assert download.value.suggested_filename.endswith("summary.json")


def test_a_report_opens_under_a_policy_that_lets_it_do_nothing_and_leads_back(
    visited: tuple[BrowserContext, Watch], page: Page
) -> None:
    visited[1].allow("Blocked script execution")
    page.goto("/reports")
    with page.expect_navigation() as opened:
        page.get_by_role("link", name="mine", exact=True).click()
    policy = (opened.value.header_value("content-security-policy") or "") if opened.value else ""
    assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
    page.locator("nav a[href='/reports']").first.click()
    page.get_by_role("heading", level=1, name="Reports").wait_for()


def test_a_dialogue_is_walked_through_by_keys_and_the_address_goes_along(page: Page) -> None:
    page.goto("/reports")
    page.get_by_role("link", name="played </script>", exact=True).click()
    page.get_by_role("link", name="a dog", exact=True).click()
    at(page, "Turn 0 of 2 · rank 30")
    page.keyboard.press("ArrowRight")
    at(page, "Turn 1 of 2 · rank 2")
    assert page.inner_text(".question .chip.on").startswith("night")
    assert page.locator(".replay-shown li.aim").get_attribute("class") is not None
    page.keyboard.press("End")
    at(page, "Turn 2 of 2 · rank 1")
    assert "a dog at night" in page.inner_text(".replay-step")
    page.wait_for_url("**/1?turn=2")
    page.keyboard.press("ArrowLeft")
    at(page, "Turn 1 of 2")
    page.reload()
    at(page, "Turn 1 of 2")
    page.keyboard.press("Home")
    at(page, "Turn 0 of 2")
    page.get_by_role("button", name="Turn 2").click()
    at(page, "Turn 2 of 2")
    assert page.locator(".rank-chart circle").count() == 3
    page.wait_for_function("[...document.querySelectorAll('main img')].every(e => e.complete && e.naturalWidth > 0)")


def test_the_picture_can_be_hidden_while_one_guesses_along(page: Page) -> None:
    page.goto("/reports")
    page.get_by_role("link", name="played </script>", exact=True).click()
    page.get_by_role("link", name="a dog", exact=True).click()
    at(page, "Turn 0 of 2")
    page.keyboard.press("End")
    at(page, "rank 1")
    page.get_by_role("button", name="Hide it").click()
    page.get_by_text("Hidden: guess along.").first.wait_for()
    assert page.locator("li.aim, .replay-target, .rank-chart").count() == 0
    assert "rank" not in page.inner_text(".stepper [role=status]")
    page.get_by_role("button", name="Show it").click()
    page.locator("li.aim").wait_for()


def test_a_replay_plays_by_itself_until_the_end_and_can_be_stopped(page: Page) -> None:
    page.goto("/reports")
    page.get_by_role("link", name="played </script>", exact=True).click()
    page.get_by_role("link", name="a dog", exact=True).click()
    at(page, "Turn 0 of 2")
    page.get_by_role("button", name="Play").click()
    at(page, "Turn 1 of 2")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").wait_for()
    page.emulate_media(reduced_motion="reduce")
    assert not page.get_by_role("button", name="Play").is_visible()


def test_dialogues_are_filtered_by_how_they_ended(page: Page) -> None:
    page.goto("/reports")
    page.get_by_role("link", name="played </script>", exact=True).click()
    page.get_by_role("link", name="Worse than they began").click()
    page.get_by_text("No dialogue is like that.").wait_for()
    page.get_by_role("link", name="Found 2").click()
    page.get_by_role("link", name="a dog", exact=True).wait_for()


def test_nothing_that_a_dialogue_says_is_markup(page: Page) -> None:
    page.goto("/reports")
    page.get_by_role("link", name="played </script>", exact=True).click()
    page.locator(".replay-list a").nth(1).click()
    at(page, f"Turn 0 of {len(PAYLOADS) - 1}")
    assert page.locator(".query-text").inner_text() == PAYLOADS[0]
    for key in ("ArrowRight", "End", *["ArrowLeft"] * 12):
        page.keyboard.press(key)
    at(page, f"Turn {len(PAYLOADS) - 13} ")
    assert page.evaluate("window.__hit") is None


def test_what_is_pressed_before_the_page_is_connected_is_done_in_its_order(page: Page) -> None:
    page.goto("/reports")
    page.get_by_role("link", name="played </script>", exact=True).click()
    page.locator(".replay-list a").nth(1).click()
    at(page, "Turn 0 ")
    page.wait_for_function("window.did_handshake")
    # One key before the connection stands, two at the moment it does.
    page.evaluate("""() => {
        const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        window.did_handshake = false;
        press("End");
        window.did_handshake = true;
        press("ArrowLeft");
        press("ArrowLeft");
    }""")
    at(page, f"Turn {len(PAYLOADS) - 3} ")


def test_earlier_searches_are_found_replayed_exported_and_deleted(page: Page) -> None:
    page.goto("/album/searched/sessions")
    assert page.locator(".history > li").count() == 3
    page.get_by_label("Search in what was said").fill("DOGS night")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Show all").wait_for()
    assert page.locator(".history > li").count() == 1
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a page").click()
    saved = Path(download.value.path()).read_text(encoding="utf-8")
    assert "two dogs at night" in saved and "data:image/jpeg" in saved
    page.get_by_role("link", name="Replay").click()
    at(page, "Turn 0 of 1")
    page.keyboard.press("ArrowRight")
    page.get_by_text("The picture that was looked for").wait_for()
    page.get_by_role("link", name="Earlier searches").click()
    line = page.locator(".history > li", has_text="a red boat")
    line.locator("summary").click()
    line.get_by_role("button", name="Delete it for good").click()
    page.get_by_text("Deleted.").wait_for()
    assert page.locator(".history > li").count() == 2
    page.reload()
    page.locator(".history > li").first.wait_for()
    assert page.locator(".history > li").count() == 2
    assert page.evaluate("window.__hit") is None


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_every_page_can_be_read_by_everybody(page: Page, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    language = "?lang=zh" if width == 360 else ""
    page.goto(f"/reports{language}")
    replay = str(page.locator("a[href^='/replay/']").first.get_attribute("href"))
    page.goto("/album/searched/sessions")
    session = str(page.locator(".history a[href$='/replay']").first.get_attribute("href"))
    for address in ("/reports", replay, f"{replay}/1?turn=1", "/album/searched/sessions", session):
        joined = "&" if "?" in address else "?"
        page.goto(f"{address}{joined}{language[1:]}" if language else address)
        page.wait_for_selector("h1")
        assert axe(page) == [], address
        assert sideways(page) == "", address
