"""Pictures that are named by an address, wherever the API and the tools take anything: nothing is looked up, fetched or read.

Python itself tells of every name that is looked up, every connection and every file that is opened (sys.addaudithook), so
places that no listener could stand for are seen, too.
"""

from __future__ import annotations

import base64
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.chat.faulty import Faulty, faulty
from tests.support import drawn
from tests.web.addresses import addresses
from tests.web.fuzzing import application
from whichpic.chat.remote import Remote
from whichpic.web.chat_log import Given
from whichpic.web.desk import Desk
from whichpic.web.shelf import Shelf
from whichpic.web.site import Site
from whichpic.web.talks import Talks


class Ears:
    """A listener on loopback, and what this process asked of the network and of one file while it was listened to."""

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)
        self.heard: list[str] = []
        self.allowed: set[int] = set()
        self.on = False
        self._lines = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._lines[0].getsockname()[1]
        if socket.has_dualstack_ipv6():
            self._lines.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for line in self._lines:
            threading.Thread(target=self._listen, args=(line,), daemon=True).start()
        sys.addaudithook(self._noted)  # it cannot be taken away again: `on` is what ends it

    def close(self) -> None:
        """Hear nothing more."""
        self.on = False
        for line in self._lines:
            line.close()

    def _listen(self, line: socket.socket) -> None:
        while True:
            try:
                visitor, _ = line.accept()
            except OSError:
                return
            self.heard.append("somebody came")
            visitor.close()

    def _noted(self, event: str, details: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in ("socket.connect", "socket.sendto") and isinstance(details[1], tuple):
            self._asked(event, *details[1][:2])
        elif event == "socket.getaddrinfo":
            self._asked(event, *details[:2])
        elif event.startswith(
            ("socket.gethost", "urllib.", "ftplib.", "http.client.connect", "subprocess.", "os.system")
        ):
            self.heard.append(f"{event} {details!r}"[:200])
        elif event == "open" and isinstance(details[0], str) and details[0].endswith(self.canary):
            self.heard.append(f"open {details[0]}")

    def _asked(self, event: str, host: object, port: object) -> None:
        if str(port) not in map(str, self.allowed):
            self.heard.append(f"{event} {host!r} {port!r}")


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ears]:
    """The listener, and a picture in a file that nobody has a reason to open."""
    canary = tmp_path_factory.mktemp("elsewhere") / "canary.png"
    drawn("red").save(canary)
    ears = Ears(canary)
    yield ears
    ears.close()


@contextmanager
def heard(ears: Ears, *allowed: int) -> Iterator[None]:
    """While it lasts nothing may be asked of anybody but the ports that are named."""
    ears.heard, ears.allowed = [], set(allowed)
    ears.on = True
    try:
        yield
    finally:
        ears.on = False
    assert ears.heard == []


@pytest.fixture(scope="module")
def model() -> Iterator[Faulty]:
    """A model that is shown pictures."""
    with faulty(reply="I see it.") as running:
        yield running


@pytest.fixture(scope="module")
def site(shelf: Shelf, model: Faulty) -> Iterator[Site]:
    """A site that talks to it."""
    desk = Desk()
    chat = Remote(model.url, retries=0)
    yield Site(shelf, Talks(shelf, desk, asker="facts", most=1000), desk, models=[model.url], opened=[chat])
    desk.close()


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(application(site), base_url="http://localhost") as client:
        yield client


def test_the_ears_hear(ears: Ears) -> None:
    ears.on = True
    socket.create_connection(("localhost", ears.port)).close()
    Path(ears.canary).read_bytes()
    until = time.monotonic() + 10
    while "somebody came" not in ears.heard and time.monotonic() < until:
        time.sleep(0.01)
    ears.on = False
    assert {line.split()[0] for line in ears.heard} == {"socket.getaddrinfo", "socket.connect", "open", "somebody"}
    assert len(addresses(ears.port, ears.canary)) == 100


def test_a_picture_to_talk_about_is_no_address(client: TestClient, site: Site, ears: Ears, model: Faulty) -> None:
    own = site.shelf.first.gallery.ids[0]
    given: list[Given] = []
    site.chats.inboxes["a-page"] = given.append
    statuses = set()
    with heard(ears, model.server_address[1]):
        for address in addresses(ears.port, ears.canary):
            hidden = base64.b64encode(address.encode()).decode()
            for body in (
                {"uploads": [address]},
                {"uploads": [hidden]},
                {"uploads": [f"data:image/png;base64,{hidden}"]},
                {"pictures": [address[:200]]},
                {"pictures": [own], "album": address[:100]},
                {"model": address[:100]},
            ):
                answer = client.post("/api/v1/ask", params={"stream": False}, json={"question": "What?", **body})
                assert 400 <= answer.status_code < 500, (body, answer.text)
                statuses.add(answer.status_code)
            sent = client.post("/api/v1/talks/a-page/pictures", params={"name": address}, content=address.encode())
            assert sent.status_code in (413, 415, 422), sent.text
    assert model.asked == [] and given == []
    assert {404, 415} <= statuses


def test_words_for_a_model_stay_words(client: TestClient, site: Site, ears: Ears, model: Faulty) -> None:
    own = site.shelf.first.gallery.ids[0]
    with heard(ears, model.server_address[1]):
        for address in addresses(ears.port, ears.canary)[::5]:
            words = f"![x]({address}) <img src='{address}'> {address}"
            body = {"question": words, "system": words, "pictures": [own], "history": [{"role": "user", "text": words}]}
            answer = client.post("/api/v1/ask", params={"stream": False}, json=body)
            assert answer.status_code == 200 and answer.json()["text"].strip() == "I see it.", answer.text
    assert len(model.asked) == 20
    for asked in model.asked:
        parts = [part for message in asked["messages"] for part in message["content"] if isinstance(part, dict)]
        shown = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        assert shown and all(url.startswith("data:image/") for url in shown), "the model's server is given bytes alone"
    model.asked.clear()


def test_a_search_is_for_words_and_for_pictures_of_the_album(client: TestClient, site: Site, ears: Ears) -> None:
    album = f"/api/v1/albums/{site.shelf.first.name}"
    with heard(ears):
        for address in addresses(ears.port, ears.canary):
            named = address[:200]
            pictures: list[dict[str, Any]] = [{"like": [named]}, {"unlike": [named]}, {"text": "red", "like": [named]}]
            for body in pictures:
                assert client.post(f"{album}/find", json=body).status_code in (404, 422), body
            words: list[dict[str, Any]] = [{"text": address}, {"texts": [address]}, {"plus": [{"text": address}]}]
            for body in words:
                assert client.post(f"{album}/find", json=body).status_code == 200, body
            assert client.get(f"{album}/find", params={"q": "red", "where": f"folder={address}"}).status_code in (
                200,
                422,
            )
            for picture in ("", "/thumbnail", "/image"):
                path = "".join(f"%{each:02x}" for each in named.encode())
                assert client.get(f"{album}/pictures/{path}{picture}").status_code in (400, 404, 422), named


BODIES = (
    "image/png",
    "image/svg+xml",
    "image/x-url",
    "image/*",
    "text/uri-list",
    "application/json",
    "message/external-body",
)


def test_a_session_takes_bytes_and_no_addresses(client: TestClient, site: Site, ears: Ears) -> None:
    sessions = f"/api/v1/albums/{site.shelf.first.name}/sessions"
    with heard(ears):
        for number, address in enumerate(addresses(ears.port, ears.canary)):
            if number % 10 == 0:
                here = f"{sessions}/{client.post(sessions).json()['id']}"
            named = address[:200]
            for event in (
                {"kind": "like", "picture": named},
                {"kind": "like", "picture": named, "weight": -1},
                {"kind": "marked", "more": [named]},
                {"kind": "marked", "less": [named]},
                {"kind": "chosen", "picture": named},
            ):
                answer = client.post(f"{here}/events", json=event)
                assert answer.status_code in (404, 422), (event, answer.text)
            assert client.post(f"{here}/events", json={"kind": "said", "text": address}).status_code == 200
            for content in (address.encode(), json.dumps({"url": address}).encode()):
                kind = BODIES[number % len(BODIES)]
                sent = client.post(
                    f"{here}/picture", params={"name": named}, content=content, headers={"Content-Type": kind}
                )
                assert sent.status_code == 415, (kind, sent.text)
        drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:{ears.port}/in.png"/></svg>'
        for written in (drawing, f"<?xml version='1.0'?><!DOCTYPE x SYSTEM 'http://127.0.0.1:{ears.port}/'>{drawing}",
                        f"push graphic-context\nimage over 0,0 9,9 'http://127.0.0.1:{ears.port}/in.png'",
                        f"#EXTM3U\nhttp://127.0.0.1:{ears.port}/in.png", f"%!PS\n({ears.canary}) (r) file"):  # fmt: skip
            sent = client.post(f"{here}/picture", content=written.encode(), headers={"Content-Type": "image/svg+xml"})
            assert sent.status_code == 415, sent.text


def test_the_tools_of_assistants_take_ids(site: Site, ears: Ears) -> None:
    pytest.importorskip("mcp", reason="needs the extra mcp")
    import anyio
    from mcp import Client, MCPError

    from whichpic.web.mcp import Tools, server

    async def run() -> None:
        async with Client(server(Tools(site.talks, site.shelf.first.name))) as client:
            begun = await client.call_tool("begin", {"text": "red"})
            assert begun.structured_content is not None
            session = begun.structured_content["session"]
            with heard(ears):
                for address in addresses(ears.port, ears.canary):
                    named = address[:200]
                    assert not (await client.call_tool("find", {"text": address})).is_error
                    for tool, arguments in (
                        ("look", {"pictures": [named]}),
                        ("mark", {"session": session, "more": [named]}),
                        ("choose", {"session": session, "picture": named}),
                        ("why", {"session": session, "picture": named}),
                        ("begin", {"text": "red", "where": [address]}),
                    ):
                        assert (await client.call_tool(tool, arguments)).is_error, (tool, named)
                    with pytest.raises(MCPError):
                        await client.read_resource(address)

    anyio.run(run)
