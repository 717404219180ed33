"""Texts of strangers on every page: what is in captions, names, EXIF, facts, models' answers and the user's own words.

Nothing of it runs, is fetched or opens anything; all of it is shown as it is.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")

from PIL import Image
from playwright.sync_api import expect

from tests.browser.driving import PATIENCE, Server, Watch, serving
from tests.browser.payloads import PAYLOADS
from tests.browser.talking import Talking
from tests.chat.faulty import faulty
from tests.support import COLOURS, drawn

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

FOLDER = (
    "holiday <img src=x onerror=window.__hit=1> `${window.__hit=1}` {{constructor.constructor('window.__hit=1')()}}"
)
POLICY = r"Content.Security.Policy|violates the following"


def squeezed(text: str) -> str:
    """A text as a page may show it: white space is white space, and what cannot be shown is not there."""
    return " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())


def short(text: str) -> str:
    """The value of a fact is one short line."""
    return squeezed(text)[:48]


def hostile_album(folder: Path) -> Path:
    """One picture for each payload, which is its name, its caption, its camera, its description and a fact of it."""
    from whichpic import Album

    rows = []
    folder.mkdir(parents=True)
    for k, payload in enumerate(PAYLOADS):
        name = squeezed(payload).replace("/", "\u2215")[:60]  # a captions file may name nothing that cannot be printed
        file = f"{k:03d} {name}.png"
        exif = Image.Exif()
        for tag in (0x010E, 0x010F, 0x0110, 0x013B):  # description, make, model, artist
            exif[tag] = payload
        drawn(COLOURS[k % len(COLOURS)], noise=k).save(folder / file, exif=exif)
        facts = [
            {"attribute": name, "value": value, "p": 0.99, "source": "drawn", "detail": {}}
            for name, value in (
                ("object", short(payload)),
                ("label", short(payload)),
                ("scene", short(PAYLOADS[k // 10])),
            )
        ]
        rows.append({"id": f"p{k}", "file": file, "captions": [payload], "facts": facts})
    lines = "\n".join(json.dumps(row) for row in rows) + "\n"
    (folder / "pictures.jsonl").write_text(lines, encoding="utf-8")
    with Album.open(folder, encoder="toy") as album:
        album.index()
    return folder


def replies(body: dict[str, Any]) -> str:
    """What a model says that means harm: payloads in whatever form was asked for."""
    draw = random.Random(len(json.dumps(body)))
    some = draw.sample(PAYLOADS, 4)
    if "json" in json.dumps(body.get("response_format", "")):
        fields = body["response_format"].get("json_schema", {}).get("schema", {}).get("properties", {})
        return json.dumps({name: some if each.get("type") == "array" else some[0] for name, each in fields.items()})
    return "\n".join([*some, f"**{some[0]}** `{some[1]}` [{some[2]}]({some[3]})", f"```html\n{some[3]}\n```"])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Server]:
    """An album of payloads behind a model that answers with payloads."""
    album = hostile_album(tmp_path_factory.mktemp("hostile") / FOLDER)
    with (
        faulty(reply=replies) as model,
        serving([album], home, "--encoder", "toy", "--chat", model.url, "--asker", "captions,facts",
                "--rewriter", "reconstruct", "--deadline", "5") as running,
    ):  # fmt: skip
        yield running


@pytest.fixture
def server(hostile: Server) -> Server:
    return hostile


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    """Everything that a policy keeps from running is a fault, too: it should not have come so far."""
    context.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('Content Security Policy', e.violatedDirective))"
    )
    return context


def harmless(page: Page, watch: Watch) -> None:
    """Nothing ran, and nothing tried to."""
    assert page.evaluate("window.__hit") is None
    assert (
        page.evaluate("Array.from(frames).some(each => { try { return each.__hit } catch { return false } })") is False
    )
    assert watch.faults() == []


def test_captions_names_exif_and_facts(context: BrowserContext, server: Server, watch: Watch) -> None:
    page = context.new_page()
    talk = Talking(page, "/")
    assert FOLDER in page.title()
    expect(page.locator(".begin .chip").first).to_be_visible()
    harmless(page, watch)
    talk.say("red")
    for n in range(48, len(PAYLOADS) + 24, 24):
        page.locator("[data-do=longer]:visible").click()
        expect(talk.tiles).to_have_count(min(n, len(PAYLOADS)))
    alts = talk.page.locator(".grid .tile img").evaluate_all("all => all.map(each => each.alt)")
    shown = [payload for payload in PAYLOADS if any(squeezed(payload) == squeezed(alt) for alt in alts)]
    assert len(shown) >= 100
    harmless(page, watch)
    page.locator("[data-do=filters]").click()
    expect(page.locator(".filter-group").first).to_be_visible()
    expect(talk.asked).to_be_visible(timeout=3 * PATIENCE)
    for tile in range(0, 24, 6):
        talk.tiles.nth(tile).locator("[data-do=open]").click()
        expect(page.locator("dialog[open]")).to_be_visible()
        page.wait_for_timeout(200)
        page.keyboard.press("Escape")
    harmless(page, watch)
    page.mouse.move(400, 400)
    for tile in range(3):
        talk.act(tile, "compare")
    talk.press("side-by-side")
    expect(page.locator("dialog[open] img:visible").first).to_be_visible()
    page.keyboard.press("Escape")
    talk.act(0, "this")
    expect(page.locator("section.found")).to_be_visible()
    harmless(page, watch)
    album = page.locator("main").get_attribute("data-album")
    for path in (f"/album/{album}/sessions", "/", f"/album/{album}?lang=zh"):
        page.goto(path)
        page.wait_for_selector("h1")
        harmless(page, watch)


def test_what_is_said_and_what_a_model_makes_of_it(context: BrowserContext, server: Server, watch: Watch) -> None:
    page = context.new_page()
    talk = Talking(page, "/")
    album = page.locator("main").get_attribute("data-album")
    for payload in ("red <b>", *PAYLOADS[::18]):
        talk.say(" ".join(payload.replace("\x00", "").split()))
    harmless(page, watch)
    expect(talk.turns.last).to_contain_text(" ".join(PAYLOADS[::18][-1].split()))
    expect(page.locator(".question")).to_be_visible(timeout=3 * PATIENCE)
    harmless(page, watch)
    page.reload()
    talk.took(1 + len(PAYLOADS[::18]))
    harmless(page, watch)
    session = page.url.rsplit("/", 1)[1]
    answer = page.request.get(f"/api/v1/albums/{album}/sessions/{session}/export.html")
    assert answer.ok and b"<script" not in answer.body().lower()
    exported = context.new_page()
    exported.set_content(answer.text())  # without the policy that the server sends: the page is safe by itself
    exported.wait_for_timeout(300)
    harmless(exported, watch)


def test_every_payload_as_words_of_the_user(context: BrowserContext, server: Server, watch: Watch) -> None:
    """Said over the API, forty to a session; then the page that shows them all is opened."""
    page = context.new_page()
    page.goto("/")
    page.wait_for_selector("h1")
    album = page.locator("main").get_attribute("data-album")
    for start in range(0, len(PAYLOADS), 40):
        begun = page.request.post(f"/api/v1/albums/{album}/sessions", data={})
        assert begun.ok, begun.text()
        session = begun.json()["id"]
        said = 0
        for payload in PAYLOADS[start : start + 40]:
            place = f"/api/v1/albums/{album}/sessions/{session}/events"
            answer = page.request.post(place, data={"kind": "said", "text": payload})
            while answer.status == 429:
                time.sleep(1)
                answer = page.request.post(place, data={"kind": "said", "text": payload})
            said += answer.ok
        assert said >= min(40, len(PAYLOADS) - start) - 2
        page.goto(f"/album/{album}/{session}")
        expect(page.locator(".timeline > li")).to_have_count(said)
        harmless(page, watch)


def test_chat(context: BrowserContext, server: Server, watch: Watch) -> None:
    page = context.new_page()
    page.goto("/chat")
    box = page.locator("#question")
    for n, payload in enumerate(PAYLOADS[5::40], start=1):
        box.fill(payload)
        box.press("Enter")
        expect(page.locator(".message.theirs .message-text:not([aria-busy])")).to_have_count(n)
    harmless(page, watch)
