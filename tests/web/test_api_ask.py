"""Asking a model over HTTP: as a stream and in one piece, what is refused, and a client that goes away."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from tests.chat.faulty import REASONS, STREAM_REASONS, Faulty, faulty
from tests.support import drawn
from whichpic.chat.scripted import Scripted
from whichpic.web import api_ask
from whichpic.web.chat_log import Given
from whichpic.web.desk import Desk
from whichpic.web.guard import Guard
from whichpic.web.shelf import Shelf
from whichpic.web.site import Site
from whichpic.web.talks import Talks


def app_of(shelf: Shelf, desk: Desk, *models: str, **options: Any) -> Guard:
    """The routes of this file alone, behind the guard."""
    site = Site(shelf, Talks(shelf, desk), desk, models=models, **options)
    app = FastAPI()
    app.state.site = site
    app.include_router(api_ask.router(site))
    return Guard(app)


@pytest.fixture
def client(shelf: Shelf, desk: Desk) -> Iterator[TestClient]:
    """A site with one model that says how many pictures it was shown."""

    def seen(messages: Any) -> str:
        return f"{sum(len(each.pictures) for each in messages)} pictures in {len(messages)} messages"

    app = app_of(shelf, desk, "scripted", opened=[Scripted(seen)])
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def events(body: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream."""
    found = []
    for block in body.strip().split("\n\n"):
        kind, data = block.split("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def jpeg() -> str:
    buffer = io.BytesIO()
    drawn("red").save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_models_are_listed(client: TestClient) -> None:
    assert client.get("/api/v1/models").json() == [
        {"id": "scripted", "name": "scripted", "state": "ready", "detail": "", "local": True}
    ]


def test_a_question_about_pictures_is_answered_as_a_stream(client: TestClient, shelf: Shelf) -> None:
    album = shelf.first
    asked = {
        "question": "What colour?",
        "album": album.name,
        "pictures": list(album.gallery.positions)[:2],
        "uploads": [jpeg(), f"data:image/jpeg;base64,{jpeg()}"],
        "history": [{"role": "user", "text": "What?"}, {"role": "assistant", "text": "A dog."}],
        "system": "Be brief.",
    }
    answer = client.post("/api/v1/ask", json=asked)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert "".join(data["text"] for kind, data in found if kind == "token") == "4 pictures in 4 messages"
    kind, last = found[-1]
    assert kind == "done" and last["finish"] == "stop" and set(last) == {"finish", "seconds", "tokens"}


def test_or_in_one_piece(client: TestClient) -> None:
    found = client.post("/api/v1/ask?stream=false", json={"question": "What?"}).json()
    assert found["text"] == "0 pictures in 1 messages" and found["finish"] == "stop" and found["error"] is None


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 422),
        ({"question": ""}, 422),
        ({"question": "x", "model": "none"}, 404),
        ({"question": "x", "album": "none", "pictures": ["a"]}, 404),
        ({"question": "x", "pictures": ["../../etc/passwd"]}, 404),
        ({"question": "x", "uploads": ["/etc/passwd"]}, 415),
        ({"question": "x", "uploads": ["http://127.0.0.1:1/x.png"]}, 415),
        ({"question": "x", "uploads": ["aGVsbG8="]}, 415),
        ({"question": "x", "uploads": [""] * 9}, 422),
        ({"question": "x", "decoding": {"temperature": -1}}, 422),
        ({"question": "x", "decoding": {"max_tokens": 10**9}}, 422),
        ({"question": "x" * 9000}, 422),
        ({"question": "x", "history": [{"role": "system", "text": "x"}]}, 422),
        ({"question": "x", "odd": 1}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(client: TestClient, asked: dict[str, Any], status: int) -> None:
    answer = client.post("/api/v1/ask", json=asked)
    assert answer.status_code == status
    assert "\n" not in answer.json()["detail"]


def test_no_model_at_all(shelf: Shelf, desk: Desk) -> None:
    with TestClient(app_of(shelf, desk), base_url="http://localhost") as client:
        assert client.get("/api/v1/models").json() == []
        answer = client.post("/api/v1/ask", json={"question": "x"})
    assert answer.status_code == 404 and "--chat MODEL" in answer.json()["detail"]


@pytest.mark.parametrize("fault", ["429 later", "500", "close", "html", "bad json", "null", "huge", *STREAM_REASONS])
@pytest.mark.parametrize("stream", [True, False])
def test_what_a_server_does_wrong_is_said_in_the_reply(shelf: Shelf, desk: Desk, fault: str, stream: bool) -> None:
    with (
        faulty(fault, "a dog on a beach") as server,
        TestClient(app_of(shelf, desk, server.url), base_url="http://localhost") as client,
    ):
        answer = client.post("/api/v1/ask", params={"stream": stream}, json={"question": "x"})
    assert answer.status_code == 200
    if stream:
        kind, said = events(answer.text)[-1]
        assert kind == "error"
    else:
        said = answer.json()["error"]
        assert answer.json()["finish"] == "failed"
    assert said["reason"] == (REASONS | STREAM_REASONS)[fault]
    assert said["detail"] and "\n" not in said["detail"]


def test_a_key_is_never_told(shelf: Shelf, desk: Desk) -> None:
    for fault in ("key", "key event"):
        with (
            faulty(fault) as server,
            TestClient(
                app_of(shelf, desk, server.url, options={"key": "sk-canary-123456"}), base_url="http://localhost"
            ) as client,
        ):
            text = client.post("/api/v1/ask", json={"question": "x"}).text
        assert "error" in text and "canary" not in text


def test_pictures_are_handed_in_to_a_page_that_is_open(shelf: Shelf, desk: Desk) -> None:
    taken: list[Given] = []
    app = app_of(shelf, desk)
    app.app.state.site.chats.inboxes["secret"] = taken.append  # type: ignore[attr-defined]
    with TestClient(app, base_url="http://localhost") as client:
        there, gone = "/api/v1/talks/secret/pictures", "/api/v1/talks/other/pictures"
        data = base64.b64decode(jpeg())
        assert client.post(there, params={"name": "a.jpg"}, content=data).json() == {"name": "a.jpg"}
        assert client.post(gone, content=data).status_code == 404
        assert client.post(there, content=b"no picture").status_code == 415
        assert client.post(there, content=b"\xff\xd8\xff" + bytes(20_000_001)).status_code == 413
        vast = io.BytesIO()
        Image.new("1", (9000, 9000)).save(vast, "PNG")
        assert client.post(there, content=vast.getvalue()).status_code == 413, "a few bytes, and 81 million pixels"
        assert client.post(there, content=data, headers={"Origin": "http://evil.example"}).status_code == 403
    assert [each.name for each in taken] == ["a.jpg"]


@contextmanager
def running(app: Guard) -> Iterator[tuple[str, int]]:
    """A real server in a thread: only there does a client go away."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield "127.0.0.1", port
    server.should_exit = True
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("fault", ["endless", "hang"])
@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_client_that_goes_ends_the_request_upstream(shelf: Shelf, fault: str, stream: str) -> None:
    desk = Desk(waiting=1)
    with faulty(fault, "a dog") as upstream, running(app_of(shelf, desk, upstream.url)) as (host, port):
        leave(host, port, stream, upstream)
        assert upstream.left.wait(1.0)
        assert desk.beside(lambda: "free").result(1.0) == "free"  # the one thread that waits for models
    desk.close()


def leave(host: str, port: int, stream: str, upstream: Faulty) -> None:
    """Ask, wait until the model is asked, and hang up."""
    connection = http.client.HTTPConnection(host, port)
    body = json.dumps({"question": "x"})
    connection.request("POST", f"/api/v1/ask?stream={stream}", body, {"Content-Type": "application/json"})
    end = time.monotonic() + 5
    while not upstream.asked and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.1)
    connection.close()
