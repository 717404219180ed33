"""The screenshots of the README, made anew: python docs/screenshots.py [NAME...]. Needs Chromium and the extras web and dev.

Its pictures are drawn here (`whichpic scenes`), and its models say what they are told: nothing is anybody else's.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from whichpic.chat.base import Message

PICTURES = 300
SIDE = 480
LARGEST = 200_000
"""Bytes of one screenshot."""
SAID = "a woman in red in a forest"
SAID_IN_CHINESE = "一个穿红衣服的女人"
ANSWERS_IN_CHINESE = ("女人", "红色", "森林", "雨", "户外", "夜晚", "一个")
ANSWERS = (
    "a woman",
    "red",
    "a forest",
    "rain",
    "a dog",
    "one",
    "a person",
    "park",
    "a park",
    "by day",
    "sunny",
    "clear",
)
TALK = ("What is in this picture?", "And which colours do they have?")


@dataclass(frozen=True)
class Shot:
    """One screenshot: a file name, what a browser is, and what is done on the page."""

    name: str
    act: Callable[[Page, str], None]
    width: int = 1280
    height: int = 800
    dark: bool = False
    chinese: bool = False


# ---- what is done


def begin(page: Page, url: str) -> None:
    """The empty screen, with what is in this album."""
    page.goto(url)
    page.wait_for_selector(".album-words .chip")


def ask(page: Page, url: str, said: str = SAID) -> None:
    """The first thing said, and the question that follows."""
    begin(page, url)
    page.locator("#say").fill(said)
    page.keyboard.press("Enter")
    page.wait_for_selector(".question .options button")
    shown(page)


def conversation(page: Page, url: str) -> None:
    """A few turns: said, answered, marked."""
    ask(page, url)
    options = page.locator(".question .options button")
    told = [text for text in options.all_inner_texts() if text in ANSWERS]
    (options.get_by_text(told[0], exact=True) if told else options.first).click()
    page.wait_for_selector(".turn:nth-child(2)", state="attached")
    page.wait_for_selector(".question .options button")
    page.locator(".tile").nth(1).hover()
    page.locator(".tile [data-do=more]").nth(1).click()
    page.wait_for_selector(".turn:nth-child(3)", state="attached")
    page.wait_for_selector(".question .options button")
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    shown(page)


def in_chinese(page: Page, url: str) -> None:
    """The same in Chinese: the captions are English, so that the answers find it."""
    ask(page, url, SAID_IN_CHINESE)
    options = page.locator(".question .options button")
    for turn in (2, 3):
        told = [text for text in options.all_inner_texts() if text in ANSWERS_IN_CHINESE]
        if not told:
            break
        options.get_by_text(told[0], exact=True).click()
        page.wait_for_selector(f".turn:nth-child({turn})", state="attached")
        page.wait_for_selector(".question .options button")
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    shown(page)


def compare(page: Page, url: str) -> None:
    """Three candidates side by side."""
    ask(page, url)
    for at in range(3):
        page.locator(".tile").nth(at).hover()
        page.locator(".tile [data-do=compare]").nth(at).click()
    page.locator(".comparing [data-do=side-by-side]").click()
    page.wait_for_selector("dialog.compare[open] .facts")
    shown(page)


def viewer(page: Page, url: str) -> None:
    """One picture large, and why it is where it is."""
    ask(page, url)
    page.locator(".tile .frame").nth(1).click()
    page.wait_for_selector("dialog.viewer[open] .why li")
    shown(page)


def chat(page: Page, url: str) -> None:
    """A talk about a picture, two models side by side."""
    ask(page, url)
    picture = page.locator(".tile").nth(1).get_attribute("data-picture")
    page.goto(f"{url.split('/album/')[0]}/chat?album={url.rsplit('/', 1)[1]}&picture={picture}")
    page.wait_for_selector(".chat-strip img")
    page.locator("#chat-second").select_option(index=2)
    for at, question in enumerate(TALK):
        page.locator("#question").fill(question)
        page.keyboard.press("Enter")
        page.wait_for_function(f"document.querySelectorAll('.chat-turn').length > {at}")
        page.wait_for_timeout(1500)
    page.mouse.move(0, 0)
    shown(page)


def shown(page: Page) -> None:
    """Wait for the pictures in sight."""
    page.wait_for_function(
        "[...document.images].every((i) => i.complete || i.getBoundingClientRect().top > innerHeight)"
    )
    page.wait_for_timeout(400)


SHOTS = (
    Shot("begin", begin),
    Shot("conversation", conversation),
    Shot("dark", conversation, dark=True),
    Shot("viewer", viewer),
    Shot("compare", compare),
    Shot("chat", chat),
    Shot("chinese", in_chinese, chinese=True),
    Shot("chinese-dark", in_chinese, chinese=True, dark=True),
    Shot("phone", conversation, width=390, height=800),
)


# ---- what is shown


def drawn(folder: Path) -> Path:
    """An indexed album of the drawn world, each picture with one caption and what is known of it."""
    from whichpic import Album
    from whichpic.simulate.scenes import write_album

    write_album(folder, PICTURES, 0, side=SIDE)
    rows = [json.loads(line) for line in (folder / "pictures.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**row, "captions": row["captions"][:1]}, ensure_ascii=False) for row in rows]
    (folder / "pictures.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Album.open(folder, encoder="toy") as album:
        album.index()
    return folder


def replies(folder: Path, *, brief: bool = False) -> Callable[[Sequence[Message]], str]:
    """What a scripted model says of a picture of this album: its caption, then its colours; brief: in lists."""
    from whichpic.chat.pictures import load_picture

    def small(image: Image.Image) -> np.ndarray:
        return np.asarray(image.convert("RGB").resize((16, 16)), dtype=np.float32)

    rows = [json.loads(line) for line in (folder / "pictures.jsonl").read_text(encoding="utf-8").splitlines()]
    known = np.stack([small(Image.open(folder / row["file"])) for row in rows])

    def reply(messages: Sequence[Message]) -> str:
        picture = next(each for message in messages for each in message.pictures)
        row = rows[int(np.abs(known - small(load_picture(picture))).mean(axis=(1, 2, 3)).argmin())]
        if TALK[1] not in messages[-1].text and not brief:
            return str(row["captions"][0])
        colours = [
            (each["attribute"][10:], each["value"]) for each in row["facts"] if "colour of " in each["attribute"]
        ]
        if brief:
            return "- " + "\n- ".join(each[TALK[1] in messages[-1].text] for each in colours)
        return "The " + ", the ".join(f"{thing} is {colour}" for thing, colour in colours) + "."

    return reply


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The pages of this album, with two models that say what they are told; gives the album's address."""
    import uvicorn

    from whichpic.chat.scripted import Scripted
    from whichpic.web.app import build
    from whichpic.web.desk import Desk
    from whichpic.web.shelf import opened
    from whichpic.web.site import Site
    from whichpic.web.talks import Talks

    shelf, desk, names = opened([folder], encoder="toy"), Desk(), ("scripted", "scripted-2")
    models = [Scripted(replies(folder, brief=name != names[0]), name=name) for name in names]
    site = Site(shelf, Talks(shelf, desk), desk, models=names, opened=models)
    server = uvicorn.Server(uvicorn.Config(build(site), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/album/{shelf.first.name}"
    finally:
        server.should_exit = True
        thread.join(10)


def take(browser: Browser, shot: Shot, url: str) -> bytes:
    """A screenshot as WebP, as good as its size allows."""
    profile = browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, device_scale_factor=1.5, reduced_motion="reduce",
        color_scheme="dark" if shot.dark else "light", locale="zh-CN" if shot.chinese else "en-US",
    )  # fmt: skip
    try:
        page = profile.new_page()
        shot.act(page, url)
        image = Image.open(io.BytesIO(page.screenshot()))
    finally:
        profile.close()
    for quality in range(90, 40, -10):
        out = io.BytesIO()
        image.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()


def main(out: Path, only: Sequence[str] = ()) -> None:
    """Draw, serve, and take every screenshot."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(drawn(Path(folder) / "drawn scenes")) as url,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in SHOTS:
            if not only or shot.name in only:
                picture = take(browser, shot, url)
                (out / f"{shot.name}.webp").write_bytes(picture)
                print(f"{shot.name}.webp  {len(picture) / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main(Path(__file__).parent / "images", sys.argv[1:])
