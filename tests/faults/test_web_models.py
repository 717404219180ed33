"""Whatever a model's server does wrong, a web conversation goes on: the list at once, a question from facts, one line.

A conversation over HTTP on an album of drawn pictures, whose asker and rewriter use a server that fails always.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.browser.driving import scenes_album
from tests.chat.faulty import REASONS, REPLY_REASONS, faulty
from whichpic.api import Album
from whichpic.chat.remote import Remote
from whichpic.encoders.toy import Toy
from whichpic.web import api, api_ask
from whichpic.web.desk import Desk
from whichpic.web.guard import Guard
from whichpic.web.shelf import Shelf
from whichpic.web.site import Site
from whichpic.web.talks import Talks

DEADLINE = 0.5
SLACK = 3.0
"""Seconds for everything that is not the model, on a busy machine."""
ASKERS = ("captions,facts", "pictures,facts")
CASES = [(fault, ASKERS[place % 2]) for place, fault in enumerate(sorted(REASONS))]
"""Both askers meet each kind of fault; every one of them with each fault is test_every_call_site."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """48 drawn pictures with what is known of them, indexed."""
    folder = scenes_album(tmp_path_factory.mktemp("album") / "scenes")
    shelf = Shelf.of([Album.open(folder, encoder=Toy())])
    yield shelf
    shelf.close()


@contextmanager
def site_of(shelf: Shelf, url: str, asker: str) -> Iterator[TestClient]:
    """A site whose one model is at an address: it asks, it rewrites, it is talked to."""
    desk = Desk()
    chat = Remote(url, retries=0)
    talks = Talks(shelf, desk, asker=asker, chat=chat, rewriter="reconstruct", deadline=DEADLINE)
    site = Site(shelf, talks, desk, models=[url], opened=[chat])
    app = FastAPI()
    app.include_router(api.router(site))
    app.include_router(api_ask.router(site))
    with TestClient(Guard(app), base_url="http://localhost") as client:
        yield client
    desk.close()


def turn(client: TestClient, where: str, event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], float]:
    """The state that an event leads to at once, the state when its questions are there, and the seconds of both."""
    began = time.perf_counter()
    first = client.post(f"{where}/events", json=event)
    assert first.status_code == 200, first.text
    stream = client.get(f"{where}/questions")
    assert stream.status_code == 200
    states = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: {") and len(line) > 9]
    return first.json(), states[-1], time.perf_counter() - began


@pytest.mark.parametrize(("fault", "asker"), CASES)
def test_the_list_comes_at_once_and_the_question_from_facts(shelf: Shelf, fault: str, asker: str) -> None:
    with faulty(fault) as server, site_of(shelf, server.url, asker) as client:
        name = shelf.first.name
        where = f"/api/v1/albums/{name}/sessions/{client.post(f'/api/v1/albums/{name}/sessions').json()['id']}"
        turn(client, where, {"kind": "said", "text": "something red"})
        listed, asked, took = turn(client, where, {"kind": "said", "text": "a bright red one"})
        assert len(listed["pictures"]) == 24 and listed["trouble"] == ""
        assert asked["questions"] and not asked["asking"]
        assert asked["trouble"] and "\n" not in asked["trouble"] and "Traceback" not in asked["trouble"]
        assert took < DEADLINE + SLACK
        # and what needs no model has lost nothing
        marked = client.post(
            f"{where}/events", json={"kind": "marked", "more": [listed["pictures"][0]["picture"]["id"]]}
        )
        assert marked.status_code == 200
        undone = client.post(f"{where}/events", json={"kind": "undo"}).json()
        assert [each["picture"]["id"] for each in undone["pictures"]] == [
            each["picture"]["id"] for each in asked["pictures"]
        ]
    assert server.asked, "the model was never asked"


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("fault", REPLY_REASONS)
def test_a_reply_that_is_no_question_is_not_asked(shelf: Shelf, fault: str, asker: str) -> None:
    with faulty(fault) as server, site_of(shelf, server.url, asker) as client:
        name = shelf.first.name
        where = f"/api/v1/albums/{name}/sessions/{client.post(f'/api/v1/albums/{name}/sessions').json()['id']}"
        listed, asked, took = turn(client, where, {"kind": "said", "text": "something red"})
    assert listed["pictures"] and took < DEADLINE + SLACK
    assert asked["questions"] and all(each["asker"] != asker.split(",")[0] for each in asked["questions"])


def test_a_server_that_is_not_there(shelf: Shelf) -> None:
    with site_of(shelf, "http://127.0.0.1:9/v1", "pictures,facts") as client:
        name = shelf.first.name
        where = f"/api/v1/albums/{name}/sessions/{client.post(f'/api/v1/albums/{name}/sessions').json()['id']}"
        listed, asked, _ = turn(client, where, {"kind": "said", "text": "something red"})
        assert listed["pictures"] and asked["questions"] and asked["trouble"]
        told = client.post("/api/v1/ask", params={"stream": False}, json={"question": "What?"})
        assert told.status_code == 200 and told.json()["error"]["reason"] == "unreachable"
