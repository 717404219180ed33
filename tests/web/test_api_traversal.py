"""Whatever a name in an address says, nothing comes back but what has that name: on a real server, byte by byte."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.driving import Server, bare_home, serving
from tests.support import drawn_album
from tests.web.traversal import strings
from whichpic.api import Album
from whichpic.encoders.toy import Toy

CANARY = b"canary-7f3a-this-must-not-be-read"

PLACES = (
    "/api/v1/albums/{bad}",
    "/api/v1/albums/{bad}/pictures",
    "/api/v1/albums/{bad}/sessions",
    "/api/v1/albums/{album}/pictures/{bad}",
    "/api/v1/albums/{album}/pictures/{bad}/thumbnail",
    "/api/v1/albums/{album}/pictures/{bad}/image",
    "/api/v1/albums/{album}/pictures/{picture}/thumbnail?side={bad}",
    "/api/v1/albums/{album}/pictures/{picture}/image?side={bad}",
    "/api/v1/albums/{album}/sessions/{bad}",
    "/api/v1/albums/{album}/sessions/{bad}/records",
    "/api/v1/albums/{album}/sessions/{bad}/export.json",
    "/api/v1/albums/{album}/sessions/{bad}/questions.json",
    "/api/v1/albums/{album}/sessions/{session}/why/{bad}",
    "/api/v1/albums/{album}/find?q=red&where=folder={bad}",
    "/album/{bad}",
    "/album/{album}/{bad}",
    "/reports/{bad}",
    "/reports/{bad}/index.html",
    "/replay/{bad}",
    "/static/{bad}",
    "/_nicegui/{bad}",
    "/{bad}",
)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures, a file of secrets beside them, one in their own store, and a link that leads to it."""
    place = tmp_path_factory.mktemp("drawn")
    folder = drawn_album(place / "album", 6)
    (place / "canary.txt").write_bytes(CANARY)
    with bare_home(place / "home"), Album.open(folder, encoder=Toy()) as opened:
        opened.index()
        session = opened.session()
        session.say(CANARY.decode())
        home = opened.store.home
    (home / "canary.txt").write_bytes(CANARY)
    (folder / "link.png").symlink_to(place / "canary.txt")
    (home / "sessions" / "link.jsonl").symlink_to(place / "canary.txt")
    return folder


@pytest.fixture(scope="module")
def server(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`whichpic serve` for it."""
    with bare_home(tmp_path_factory.mktemp("home")) as home, serving([album], home, "--encoder", "toy") as running:
        yield running


def test_five_hundred_names_that_lead_elsewhere_bring_nothing_back(server: Server, album: Path) -> None:
    home = album / ".whichpic"
    session = next(path for path in (home / "sessions").glob("*.jsonl") if path.name != "link.jsonl").stem
    targets = [str(album.parent / "canary.txt"), str(home / "canary.txt"), str(home / "catalogue.sqlite"),
               f"{home}/sessions/{session}.jsonl", str(album / "link.png"), f"{home}/sessions/link", "/etc/passwd"]  # fmt: skip
    secrets = [CANARY, b"SQLite format 3", b"whichpic_session", b"root:x:0"]
    place = str(album.parent).encode()
    with Album.open(album, encoder=Toy()) as opened:
        picture = opened.gallery.ids[0]
    known = {"album": "album", "picture": picture, "session": "nobody"}

    corpus = strings(targets)
    assert len(set(corpus)) == 500
    wrong: list[str] = []
    answered = 0
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)) as connection:
        for k, bad in enumerate(corpus):
            for step in (1, 5, 7):
                address = PLACES[(step * k + step) % len(PLACES)].format(bad=bad, **known)
                status, body = fetched(connection, address)
                answered += status > 0
                if status >= 500:
                    wrong.append(f"{status} {address}")
                # A refusal says what was asked for; where the album lies, nobody is told who does not know.
                told = secrets if "tmp" in bad.lower() else [*secrets, place]
                wrong += [f"{secret!r} {address}" for secret in told if secret in body]
        assert wrong == []
        assert answered > 1_400, "nearly all of them are HTTP, and are answered"

        _, jpeg = fetched(connection, f"/api/v1/albums/album/pictures/{picture}/thumbnail")
        assert jpeg[:2] == b"\xff\xd8", "the server has not taken harm"


def fetched(connection: http.client.HTTPConnection, address: str) -> tuple[int, bytes]:
    """Status and body of an address as it stands, 0 where it is not HTTP and nothing came back."""
    try:
        connection.putrequest("GET", address)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, ValueError):
        connection.close()
        return 0, b""
