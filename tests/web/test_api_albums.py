"""Albums, pictures and search over HTTP, by example."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.browser.driving import bare_home
from tests.support import drawn
from tests.web.fuzzing import albums, application
from whichpic.api import Album
from whichpic.encoders.toy import Toy
from whichpic.web.desk import Desk
from whichpic.web.shelf import Shelf
from whichpic.web.site import Site
from whichpic.web.talks import Talks

DRAWN, TOLD = "/api/v1/albums/drawn", "/api/v1/albums/told"


@pytest.fixture(scope="module", autouse=True)
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No weights: what a machine has of them makes no difference, and takes no time."""
    with bare_home(tmp_path_factory.mktemp("home")):
        yield


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The API of an album of 20 drawn pictures and one of captions alone."""
    shelf, desk = albums(tmp_path_factory.mktemp("albums")), Desk()
    yield TestClient(application(Site(shelf, Talks(shelf, desk), desk)))
    desk.close()
    shelf.close()


def test_albums_are_listed_with_what_can_be_done_with_them(client: TestClient) -> None:
    first, second = client.get("/api/v1/albums").json()["albums"]

    assert (first["name"], first["pictures"], first["captions_only"], first["ready"]) == ("drawn", 20, False, True)
    assert (second["name"], second["pictures"], second["captions_only"]) == ("told", 4, True)
    assert first["indexing"]["state"] == "idle"
    assert client.get("/api/v1/health").json()["status"] == "ok"


def test_an_album_that_is_not_there_is_404_with_one_line(client: TestClient) -> None:
    answer = client.get("/api/v1/albums/other")

    assert answer.status_code == 404
    assert answer.json() == {"detail": "there is no album 'other'; there are: drawn, told"}


def test_pictures_come_by_number_and_by_id(client: TestClient) -> None:
    part = client.get(f"{DRAWN}/pictures", params={"offset": 18, "limit": 5}).json()
    assert part["total"] == 20
    assert len(part["pictures"]) == 2

    entry = part["pictures"][0]
    detail = client.get(f"{DRAWN}/pictures/{entry['id']}").json()
    assert detail["names"] == [entry["name"]]
    assert (detail["picture"]["width"], detail["picture"]["height"], detail["format"]) == (96, 64, "PNG")


def test_a_thumbnail_is_a_jpeg_that_may_be_kept(client: TestClient) -> None:
    picture = client.get(f"{DRAWN}/pictures").json()["pictures"][0]["id"]
    address = f"{DRAWN}/pictures/{picture}/thumbnail?side=160"

    answer = client.get(address)
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert max(Image.open(io.BytesIO(answer.content)).size) <= 160

    again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address.replace("160", "161")).status_code == 422


def test_the_picture_itself_has_pixels_and_nothing_else(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home, 5 Acacia Avenue"
    (tmp_path / "album").mkdir()
    drawn("red").save(tmp_path / "album" / "a.jpg", exif=exif, comment=b"my comment")
    with Album.open(tmp_path / "album", encoder=Toy()) as album:
        album.index()
    shelf, desk = Shelf.of([Album.open(tmp_path / "album", encoder=Toy())]), Desk()
    client = TestClient(application(Site(shelf, Talks(shelf, desk), desk)))
    picture = client.get("/api/v1/albums/album/pictures").json()["pictures"][0]["id"]

    for what in ("thumbnail?side=640", "image?side=2000"):
        jpeg = client.get(f"/api/v1/albums/album/pictures/{picture}/{what}").content
        assert jpeg[:3] == b"\xff\xd8\xff"
        assert b"Acacia" not in jpeg
        assert b"my comment" not in jpeg

    (tmp_path / "album" / "a.jpg").unlink()
    gone = client.get(f"/api/v1/albums/album/pictures/{picture}/image")
    assert gone.status_code == 404
    assert gone.json()["detail"] == "a.jpg is no longer in album: index the album again: whichpic index album"
    desk.close()
    shelf.close()


def test_captions_have_no_pictures_and_their_ids_may_be_anything(client: TestClient) -> None:
    ids = [each["id"] for each in client.get(f"{TOLD}/pictures").json()["pictures"]]
    assert "with/two/slashes" in ids

    detail = client.get(f"{TOLD}/pictures/with%2Ftwo%2Fslashes").json()
    assert detail["captions"] == ["a blue boat on a lake"]
    assert client.get(f"{TOLD}/pictures/%E9%9B%AA%20with%20spaces%3F%26%23%25").json()["captions"] == [
        "a green bird in the snow"
    ]

    refused = client.get(f"{TOLD}/pictures/plain/thumbnail")
    assert refused.status_code == 404
    assert refused.json()["detail"] == "told.jsonl has captions only: there is no picture to show"


def test_search_once_by_words_pictures_and_conditions(client: TestClient) -> None:
    found = client.get(f"{DRAWN}/find", params={"q": "a red picture", "k": 2}).json()
    assert [each["rank"] for each in found["pictures"]] == [1, 2]
    best = found["pictures"][0]["picture"]
    assert best["name"] in ("second/0000.png", "second/0010.png")

    like = client.post(f"{DRAWN}/find", json={"like": [best["id"]], "minus": [{"text": "blue", "weight": 0.5}], "k": 1})
    assert like.json()["pictures"][0]["picture"]["id"] == best["id"]

    there = client.get(f"{DRAWN}/find", params={"q": "red", "where": ["folder=first"]}).json()
    assert there["passing"] == 10
    assert all(each["picture"]["name"].startswith("first/") for each in there["pictures"])


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({}, "nothing to look for: give words, a picture or a condition"),
        ({"text": "red", "like": ["x"]}, "the album has no picture 'x'"),
        ({"text": "red", "where": ["wet"]}, "'wet' is not a filter; write for example has=dog, date>=2024-05 or camera~nikon"),
        ({"text": "red", "k": 201}, "k: Input should be less than or equal to 200"),
        ({"text": "red", "colour": 1}, "colour: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_said_in_one_line(client: TestClient, body: object, line: str) -> None:
    answer = client.post(f"{DRAWN}/find", json=body)

    assert answer.status_code == 422
    assert answer.json() == {"detail": line}


def test_an_album_is_searched_while_it_is_being_indexed(tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    for k, colour in enumerate(("red", "blue", "green")):
        drawn(colour, noise=k).save(tmp_path / "fresh" / f"{colour}.png")
    (tmp_path / "fresh" / "broken.jpg").write_bytes(b"no picture")
    shelf, desk = Shelf.of([Album.open(tmp_path / "fresh", encoder=Toy())]), Desk()
    client, fresh = TestClient(application(Site(shelf, Talks(shelf, desk), desk))), "/api/v1/albums/fresh"

    before = client.get(f"{fresh}/find", params={"q": "red"})
    assert before.status_code == 409
    assert str(tmp_path) not in before.text

    assert client.post(f"{fresh}/indexing", json={"do": "start"}).json()["indexing"]["state"] == "running"
    thread = shelf.first._thread
    assert thread is not None
    thread.join(30)
    now = client.get(fresh).json()
    assert (now["pictures"], now["ready"], now["indexing"]["state"]) == (3, True, "idle")
    assert client.get(f"{fresh}/find", params={"q": "red"}).json()["pictures"][0]["picture"]["name"] == "red.png"
    assert client.get(f"{fresh}/skipped").json() == {
        "skipped": [{"path": "broken.jpg", "reason": "not a picture in a format that is read (JPEG, PNG, WebP, ...)"}],
        "total": 1,
    }  # fmt: skip
    desk.close()
    shelf.close()
