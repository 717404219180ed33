"""Sessions over HTTP, by example: what a script says, sees, is asked, and takes along."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.support import COLOURS, drawn
from tests.web.fuzzing import albums, application
from whichpic.web.desk import Desk
from whichpic.web.site import Site
from whichpic.web.talks import Talks

DRAWN, TOLD = "/api/v1/albums/drawn", "/api/v1/albums/told"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The API of an album of 20 drawn pictures and one of captions alone."""
    shelf, desk = albums(tmp_path_factory.mktemp("albums")), Desk()
    yield TestClient(application(Site(shelf, Talks(shelf, desk, asker="facts,pick"), desk)))
    desk.close()
    shelf.close()


def begun(client: TestClient, album: str = DRAWN) -> str:
    """The address of a new session."""
    answer = client.post(f"{album}/sessions")
    assert answer.status_code == 201
    return f"{album}/sessions/{answer.json()['id']}"


def do(client: TestClient, session: str, **doing: Any) -> Any:
    """What a session looks like after something was done in it."""
    answer = client.post(f"{session}/events", json=doing)
    assert answer.status_code == 200, answer.text
    return answer.json()


def asked(client: TestClient, session: str) -> list[tuple[str, Any]]:
    """The events of the stream of questions, read to its end."""
    answer = client.get(f"{session}/questions")
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block.splitlines() for block in answer.text.split("\n\n") if block and not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_say_look_answer_look(client: TestClient) -> None:
    session = begun(client)

    said = do(client, session, kind="said", text="something red")
    assert said["pictures"][0]["picture"]["name"] in ("second/0000.png", "second/0010.png")
    assert said["questions"] == []

    question = client.get(f"{session}/questions.json").json()["questions"][0]
    answered = do(client, session, kind="answered", question=question["id"], option=0)
    assert [turn["kind"] for turn in answered["turns"]] == ["said", "answered"]

    late = client.post(f"{session}/events", json={"kind": "answered", "question": question["id"], "option": 0})
    assert late.status_code == 409
    assert late.json() == {"detail": "that question is no longer open; answer the one that is asked now"}


def test_the_list_comes_before_the_questions(client: TestClient) -> None:
    session = begun(client)
    do(client, session, kind="said", text="something blue")

    first, *_, (name, last), (end, _) = asked(client, session)
    assert first[0] == "state"
    assert first[1]["asking"]
    assert first[1]["questions"] == []
    assert len(first[1]["pictures"]) > 0
    assert (name, last["asking"], end) == ("state", False, "end")
    assert last["questions"]
    assert last["pictures"] == first[1]["pictures"]

    again = asked(client, session)
    assert [name for name, _ in again] == ["state", "end"], "they are not made twice"


def test_mark_narrow_choose_and_take_back(client: TestClient) -> None:
    session = begun(client)
    shown = do(client, session, kind="said", text="green")["pictures"]
    best = shown[0]["picture"]["id"]

    marked = do(client, session, kind="marked", less=[best])
    assert marked["turns"][-1]["less"][0]["id"] == best
    assert do(client, session, kind="filtered", conditions=["folder=first"])["passing"] == 10
    assert do(client, session, kind="filtered", conditions=[])["passing"] == 20

    found = do(client, session, kind="chosen", picture=best)
    assert found["chosen"]["id"] == best
    ended = client.post(f"{session}/events", json={"kind": "said", "text": "more"})
    assert ended.status_code == 409
    assert do(client, session, kind="undo")["chosen"] is None

    beginning = do(client, session, kind="back", n=-1)
    assert (beginning["turn"], beginning["query"]) == (-1, "")


@pytest.mark.parametrize(
    ("doing", "status"),
    [
        ({"kind": "said", "text": " "}, 409),
        ({"kind": "said", "text": ""}, 422),
        ({"kind": "said", "text": "x" * 2001}, 422),
        ({"kind": "marked", "more": ["nobody"]}, 422),
        ({"kind": "like", "picture": "x", "weight": 5}, 422),
        ({"kind": "filtered", "conditions": ["year>=soon"]}, 422),
        ({"kind": "back", "n": 17}, 409),
        ({"kind": "forgotten"}, 422),
    ],
)
def test_what_cannot_be_done_changes_nothing(client: TestClient, doing: Any, status: int) -> None:
    session = begun(client)
    before = do(client, session, kind="said", text="red")

    answer = client.post(f"{session}/events", json=doing)
    assert answer.status_code == status
    line = answer.json()["detail"]
    assert line
    assert "\n" not in line
    assert client.get(session).json() == before


def test_why_records_and_a_branch(client: TestClient) -> None:
    session = begun(client)
    do(client, session, kind="said", text="red")
    state = do(client, session, kind="said", text="and bright")
    best = state["pictures"][0]["picture"]["id"]

    why = client.get(f"{session}/why/{best}").json()
    assert why["picture"]["id"] == best
    assert why["reasons"][0]["what"] == "red"

    kept = client.get(f"{session}/records").json()
    assert kept["header"]["whichpic_session"] == 1
    assert [each["event"]["kind"] for each in kept["records"]] == ["said", "said"]

    branch = client.post(f"{session}/branch", json={"n": 0})
    assert branch.status_code == 201
    assert [turn["what"] for turn in branch.json()["turns"]] == ["red"]
    assert branch.json()["id"] != state["id"]
    assert len(client.get(session).json()["turns"]) == 2

    ids = [each["id"] for each in client.get(f"{DRAWN}/sessions").json()["sessions"]]
    assert {state["id"], branch.json()["id"]} <= set(ids)


def test_a_session_is_taken_along_as_json_and_as_one_page(client: TestClient) -> None:
    session = begun(client)
    do(client, session, kind="said", text="<script>alert(1)</script> red")

    assert client.get(f"{session}/export.json").json()["query"] == "<script>alert(1)</script> red"
    page = client.get(f"{session}/export.html", params={"language": "zh"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text


def as_bytes(image: Image.Image, kind: str) -> bytes:
    """A picture as the bytes of a file."""
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def test_a_picture_from_elsewhere_is_a_query(client: TestClient) -> None:
    session = begun(client)
    photo = as_bytes(drawn("yellow", noise=3), "PNG")

    answer = client.post(f"{session}/picture?name=mine", content=photo, headers={"content-type": "image/png"})
    assert answer.status_code == 200
    assert answer.json()["pictures"][0]["picture"]["name"] == "first/0003.png"
    assert answer.json()["turns"][0]["what"] == "mine"

    of_captions = client.post(f"{begun(client, TOLD)}/picture", content=photo, headers={"content-type": "image/png"})
    assert of_captions.status_code == 409


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_picture_of_too_many_pixels_is_refused_before_any_is_made(client: TestClient, kind: str) -> None:
    bomb = as_bytes(Image.new("L", (9000, 9000)), kind)
    session = begun(client)

    began = time.perf_counter()
    answer = client.post(f"{session}/picture", content=bomb, headers={"content-type": "image/png"})
    seconds = time.perf_counter() - began
    assert answer.status_code == 413
    assert answer.json() == {"detail": "a picture of 9000 x 9000 pixels; up to 50,000,000 are taken"}
    print(f"refused in {1000 * seconds:.0f} ms")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"x" * 20_000_001, "image/jpeg", 413),
        (b"<svg onload=alert(1)>", "image/svg+xml", 415),
        (b"", "image/jpeg", 415),
        (as_bytes(drawn("red"), "PNG")[:200], "image/png", 415),
        (as_bytes(drawn("red"), "PNG"), "text/plain", 415),
    ],
    ids=["too many bytes", "svg", "empty", "cut", "not said to be a picture"],
)
def test_what_is_no_picture_is_refused(client: TestClient, content: bytes, kind: str, status: int) -> None:
    session = begun(client)
    answer = client.post(f"{session}/picture", content=content, headers={"content-type": kind})

    assert answer.status_code == status
    assert client.get(session).json()["turn"] == -1


def test_a_session_that_is_not_there_is_404(client: TestClient) -> None:
    for name in ("nobody", "20200101-000000-aaaaaa", "x" * 99):
        answer = client.get(f"{DRAWN}/sessions/{name}")
        assert answer.status_code == 404
        assert "has no session" in answer.json()["detail"]


def test_no_session_sees_what_happens_in_another(client: TestClient) -> None:
    def person(number: int) -> list[str]:
        session = begun(client, DRAWN if number % 4 else TOLD)
        own = [f"{COLOURS[turn]} of person {number}" for turn in range(5)]
        for turn, text in enumerate(own):
            state = do(client, session, kind="said", text=text)
            assert [each["what"] for each in state["turns"]] == own[: turn + 1]
            assert client.get(f"{session}/questions.json").json()["turn"] == turn
        kept = client.get(f"{session}/records").json()["records"]
        return [term["text"] for record in kept for term in record["event"]["terms"]]

    with ThreadPoolExecutor(32) as people:
        for number, said in enumerate(people.map(person, range(32))):
            assert said == [f"{COLOURS[turn]} of person {number}" for turn in range(5)]
