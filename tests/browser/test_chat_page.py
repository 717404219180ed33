"""Talking about pictures in the browser: two models side by side, stop, edit, pictures that are dropped, faults, saving."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driving import PATIENCE, Server, Watch, axe, serving, sideways
from tests.chat.faulty import Faulty, faulty
from tests.support import drawn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "# A dog\nIt is **brown**.\n\n- one <script>window.ran = 1</script>\n- <img src=x onerror='window.ran = 2'>"


@pytest.fixture(scope="module")
def models() -> Iterator[tuple[Faulty, Faulty]]:
    """Two servers: one writes markup, the other says what it was asked last."""

    def echoes(body: dict[str, object]) -> str:
        content = body["messages"][-1]["content"]  # type: ignore[index]
        return f"You asked: {content if isinstance(content, str) else content[-1]['text']}"

    with faulty(reply=HOSTILE, models=("first",)) as one, faulty(reply=echoes, models=("second",)) as two:
        yield one, two


@pytest.fixture(scope="module")
def chatting(album: Path, home: Path, models: tuple[Faulty, Faulty]) -> Iterator[Server]:
    """A server with both models."""
    one, two = models
    options = ["--chat", f"{one.url}#first", "--chat", f"{two.url}#second"]
    with serving([album], home, "--encoder", "toy", *options) as running:
        yield running


@pytest.fixture
def chat(browser: Browser, chatting: Server, models: tuple[Faulty, Faulty]) -> Iterator[Page]:
    """The page, which may do nothing wrong."""
    for each in models:
        fails(each, "")
        each.asked.clear()
        each.left.clear()
    watch = Watch(chatting.url)
    profile = browser.new_context(
        base_url=chatting.url, viewport={"width": 1280, "height": 900}, locale="en-US", reduced_motion="reduce"
    )
    profile.set_default_timeout(PATIENCE)
    watch.over(profile)
    page = profile.new_page()
    page.goto("/chat")
    yield page
    profile.close()
    assert watch.faults() == []


def fails(server: Faulty, fault: str) -> None:
    """From now on every request meets this fault; "" is none."""
    server._always = fault or None


def ask(page: Page, question: str) -> None:
    """Type a question and send it by Enter."""
    page.fill("#question", question)
    page.press("#question", "Enter")


def answers(page: Page, n: int) -> list[str]:
    """The texts of the answers when n of them are over."""
    page.wait_for_function(
        f"document.querySelectorAll('.message.theirs .message-text:not([aria-busy])').length === {n}"
    )
    return page.locator(".message.theirs .message-text").all_inner_texts()


def test_two_models_answer_beside_each_other(chat: Page, models: tuple[Faulty, Faulty]) -> None:
    chat.click("summary:has-text('From an album')")
    chat.locator(".chat-found button").first.click()
    chat.wait_for_selector(".chat-strip img")
    chat.select_option("#chat-second", index=2)
    ask(chat, "What is it?")
    first, second = answers(chat, 2)
    assert "A dog" in first and "<script>" in first and second == "You asked: What is it?"
    assert chat.evaluate("window.ran") is None
    assert chat.locator(".message-text strong").count() == 2 and chat.locator(".message-text li").count() == 2
    assert [len([part for part in each.asked[-1]["messages"][0]["content"] if part["type"] == "image_url"])
            for each in models] == [1, 1]  # fmt: skip
    assert axe(chat) == []
    chat.emulate_media(color_scheme="dark")
    assert axe(chat) == []
    chat.set_viewport_size({"width": 360, "height": 740})
    assert sideways(chat) == "" and axe(chat) == []


def test_names_are_hidden_until_the_vote(chat: Page) -> None:
    chat.select_option("#chat-second", index=2)
    chat.check("input[name=blind]")
    ask(chat, "Which?")
    answers(chat, 2)
    assert chat.locator(".message-by").all_inner_texts() == ["Model A", "Model B"]
    chat.click("[data-do=vote][data-key='0']")
    chat.wait_for_selector("text=You found")
    assert sorted(each[:5] for each in chat.locator(".message-by").all_inner_texts()) == ["first", "secon"]


def test_stop_by_escape_edit_by_arrow_up_and_once_more(chat: Page, models: tuple[Faulty, Faulty]) -> None:
    fails(models[0], "endless")
    ask(chat, "Tell me all")
    chat.wait_for_selector(".message-text:has-text('more more')")
    chat.keyboard.press("Escape")
    chat.wait_for_selector(".chat-meta:has-text('stopped')")
    assert models[0].left.wait(1.0), "the request went on"
    fails(models[0], "")
    chat.focus("#question")
    chat.keyboard.press("ArrowUp")
    chat.wait_for_function("document.getElementById('question').value === 'Tell me all'")
    ask(chat, "Tell me less")
    chat.wait_for_selector(".message.mine:has-text('Tell me less')")
    assert "A dog" in answers(chat, 1)[0]
    assert chat.locator(".message.mine .message-text").all_inner_texts() == ["Tell me less"]
    fails(models[0], "500")
    chat.click("[data-do=regenerate]")
    chat.wait_for_selector(".chat-fault:visible")
    assert models[0].asked[-1]["messages"][-1]["content"] == "Tell me less"


def test_a_page_that_is_closed_ends_what_is_written_for_it(chat: Page, models: tuple[Faulty, Faulty]) -> None:
    fails(models[0], "endless")
    chat.click("[data-do=first][data-key=detail]")
    chat.wait_for_selector(".message-text:has-text('more more')")
    assert models[0].asked[-1]["messages"][-1]["content"] == "Describe this picture in detail."
    chat.close()
    assert models[0].left.wait(10), "the request went on"


def test_a_prompt_for_captions_goes_into_the_box(chat: Page, models: tuple[Faulty, Faulty]) -> None:
    chat.click("summary:has-text('Prompts for captions')")
    chat.click("[data-do=prompt][data-key=mood]")
    chat.wait_for_function("document.getElementById('question').value.startsWith('Describe the mood')")
    chat.press("#question", "Enter")
    answers(chat, 1)
    assert [each["role"] for each in models[0].asked[-1]["messages"]] == ["system", "user"]
    chat.click("[data-do=clear]")
    chat.wait_for_selector("[data-do=first]:visible")
    assert chat.locator(".message").count() == 0


@pytest.mark.parametrize("fault", ["500", "html", "cut stream", "empty choices"])
def test_a_model_that_fails_says_why_and_the_page_goes_on(
    chat: Page, models: tuple[Faulty, Faulty], fault: str
) -> None:
    fails(models[0], fault)
    ask(chat, "What is it?")
    chat.wait_for_selector(".chat-fault:visible")
    said = chat.inner_text(".chat-fault")
    assert said.startswith("No complete answer: ") and "\n" not in said
    fails(models[0], "")
    chat.click("[data-do=again]")
    chat.wait_for_selector(".message-text strong")
    assert chat.locator(".chat-fault:visible").count() == 0


def test_a_picture_is_dropped_chosen_and_refused(chat: Page, tmp_path: Path) -> None:
    drawn("red").save(tmp_path / "red <b>.png")
    chat.set_input_files("#chat-files", tmp_path / "red <b>.png")
    chat.wait_for_selector(".chat-strip img[alt='red <b>.png']")
    chat.evaluate("""async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
        canvas.getContext("2d").fillRect(0, 0, 32, 32);
        const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
        const carried = new DataTransfer();
        carried.items.add(new File([blob], "dropped.png", { type: "image/png" }));
        const drop = new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
        document.querySelector("main").dispatchEvent(drop);
    }""")
    chat.wait_for_selector(".chat-strip img[alt='dropped.png']")
    chat.click(".chat-strip [data-do=out] >> nth=0")
    chat.wait_for_function("document.querySelectorAll('.chat-strip img').length === 1")


def test_a_talk_is_saved(chat: Page) -> None:
    ask(chat, "What is it?")
    answers(chat, 1)
    with chat.expect_download() as download:
        chat.click("[data-do=save-json]")
    rows = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert [each["role"] for each in rows[0]["conversations"]] == ["user", "assistant"]
    with chat.expect_download() as download:
        chat.click("[data-do=save-markdown]")
    assert "**What is it?**" in Path(download.value.path()).read_text(encoding="utf-8")


def test_beams_are_said_to_be_for_local_weights(chat: Page) -> None:
    chat.select_option("#chat-how", "beams")
    chat.wait_for_selector("text=Servers have no beam search")
    ask(chat, "What is it?")
    chat.wait_for_selector(".chat-fault:has-text('beam search')")


def test_an_address_brings_its_pictures(chat: Page, chatting: Server) -> None:
    albums = chat.request.get("/api/v1/albums").json()
    album = (albums["albums"] if isinstance(albums, dict) else albums)[0]["name"]
    chat.click("summary:has-text('From an album')")
    key = chat.locator(".chat-found button").nth(3).get_attribute("data-key") or ""
    chat.goto(f"/chat?album={album}&picture={key.partition('/')[2]}&lang=zh")
    chat.wait_for_selector(".chat-strip.one img")
    assert chat.inner_text("h1") == "聊聊图片" and re.match("zh", chat.get_attribute("html", "lang") or "")
    assert axe(chat) == []


def test_without_a_model_the_page_says_how_to_get_one(page: Page) -> None:
    page.goto("/chat")
    page.wait_for_selector("text=whichpic serve ALBUM --chat ollama:qwen2.5vl")
    assert page.is_disabled("[data-do=send]")
    page.click("summary:has-text('From an album')")
    page.locator(".chat-found button").first.click()
    page.wait_for_selector(".chat-strip img")
    assert axe(page) == []
