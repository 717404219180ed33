"""The stream of questions on a real server: who goes away is let go of at once, and who is silent is kept awake."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from tests.web.fuzzing import albums, application
from whichpic.web import api_questions
from whichpic.web.desk import Desk
from whichpic.web.site import Site
from whichpic.web.talk import Talk
from whichpic.web.talks import Talks
from whichpic.web.views import Say


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that asks from facts."""
    shelf, desk = albums(tmp_path_factory.mktemp("albums")), Desk()
    yield Site(shelf, Talks(shelf, desk, asker="facts,pick"), desk)
    desk.close()
    shelf.close()


@contextmanager
def served(site: Site) -> Iterator[int]:
    """The port of a server in a thread."""
    server = uvicorn.Server(
        uvicorn.Config(application(site), port=0, log_level="error", ws="none", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


@contextmanager
def thinking(site: Site) -> Iterator[None]:
    """As long as this lasts, the threads that make questions are busy."""

    def hold() -> None:
        done.wait(20)

    done = threading.Event()
    for _ in range(8):
        site.desk.later(hold)
    yield
    done.set()


def wait(until: Callable[[], bool], *, seconds: float = 10.0) -> float:
    """Wait for something, and say how many seconds it took."""
    began = time.monotonic()
    while not until():
        if time.monotonic() - began > seconds:
            raise TimeoutError("it did not come")
        time.sleep(0.01)
    return time.monotonic() - began


def opened(port: int, talk: Talk) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A client that follows a session's questions."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", f"/api/v1/albums/drawn/sessions/{talk.id}/questions")
    return connection, connection.getresponse()


def test_a_client_that_goes_away_is_let_go_of_at_once(site: Site) -> None:
    talk = site.talks.begin("drawn")
    talk.do(Say(text="red"))

    with served(site) as port, thinking(site):
        clients = [opened(port, talk) for _ in range(5)]
        for _, answer in clients:
            assert answer.readline() == b"event: state\n"
        assert len(talk._watchers) == 5

        for connection, answer in clients:
            answer.close()
            connection.close()
        assert wait(lambda: not talk.watched) < 5


def test_silence_is_broken_by_comments_and_the_questions_come_to_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_questions, "KEEP_ALIVE", 0.05)
    talk = site.talks.begin("drawn")
    talk.do(Say(text="red"))

    with served(site) as port:
        with thinking(site):
            clients = [opened(port, talk) for _ in range(2)]
            silent = [answer.readline() for _, answer in clients for _ in range(5)]
            assert silent[3:5] == [b": still here\n", b"\n"]
        for connection, answer in clients:
            rest = answer.read()
            assert rest.endswith(b"event: end\ndata: {}\n\n")
            assert b'"asking":false' in rest
            connection.close()
    assert not talk.watched
