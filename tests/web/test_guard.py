"""The guard before a small application: whom it lets in, how often, with how much, and what every response says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from whichpic.errors import WhichpicError
from whichpic.web.guard import Guard, Rules
from whichpic.web.limits import MB, Buckets, Limits, Pace, begins_session, is_upload, visitor

HERE = "http://127.0.0.1:8080"
TOKEN = "a-token-of-thirty-characters-!"
MANY = Pace(1e6, 1e6)
OPEN = Limits(MANY, MANY, MANY, MANY, MANY, MANY)
"""No pace, for tests of other things."""


async def page(request: Request) -> Response:
    return HTMLResponse("<p>a page</p>", headers={"X-NiceGUI-Content": "page", "Cache-Control": "no-store"})


async def report(request: Request) -> Response:
    return HTMLResponse("<p>a report</p><script>alert(1)</script>")


async def data(request: Request) -> Response:
    return JSONResponse({"is": request.method}, headers={"Access-Control-Allow-Origin": "*", "Server": "mine"})


async def thumbnail(request: Request) -> Response:
    return Response(b"jpeg", media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})


async def body(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def prefix(request: Request) -> Response:
    return PlainTextResponse(request.headers.get("x-forwarded-prefix", "none"))


async def broken(request: Request) -> Response:
    raise RuntimeError("a secret of the machine: /home/me")


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
INSIDE = Starlette(
    routes=[
        Route("/", page, methods=METHODS),
        Route("/reports/one", report),
        Route("/api/v1/albums", data, methods=METHODS),
        Route("/api/v1/albums/a/sessions", data, methods=["POST"]),
        Route("/api/v1/albums/a/thumbnail", thumbnail),
        Route("/api/v1/albums/a/sessions/s/events", body, methods=["POST"]),
        Route("/api/v1/albums/a/sessions/s/picture", body, methods=["POST"]),
        Route("/static/x.css", data),
        Route("/prefix", prefix),
        Route("/broken", broken),
        Route("/api/v1/broken", broken),
        Route("/away", lambda request: RedirectResponse("/")),
        WebSocketRoute("/talk", talk),
    ]
)


def client(
    *, host: str = "127.0.0.1", token: str = "", names: tuple[str, ...] = (), limits: Limits = OPEN,
    at: str = HERE, visitor: str = "127.0.0.1",
) -> TestClient:  # fmt: skip
    """A browser before a guard; visitor is its address."""
    rules = Rules.of(host, token=token, names=names)
    guard = Guard(INSIDE, Rules(rules.names, rules.any_address, rules.token, limits))
    return TestClient(guard, base_url=at, client=(visitor, 5000), follow_redirects=False)


def says(here: TestClient, **headers: str) -> str:
    """What a socket answers; "refused" where it is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with here.websocket_connect("/talk", headers={"Host": "127.0.0.1:8080", **named}) as socket:
            socket.send_text("hello")
            return socket.receive_text()
    except WebSocketDisconnect:
        return "refused"


# ---- hosts


@pytest.mark.parametrize("at", ["http://localhost", "http://localhost:9999", HERE, "http://[::1]:8080"])
def test_this_machine_by_any_port(at: str) -> None:
    assert client(at=at).get("/").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "10.0.0.1", "127.0.0.1@x",
     "[::1].evil.example", "2130706433", "0x7f.1", "[", "localhost, evil.example", "localhost:1:2"],
)  # fmt: skip
def test_a_name_that_was_pointed_here_is_refused(host: str) -> None:
    refused = client().get("/api/v1/albums", headers={"Host": host})
    assert refused.status_code == 421
    assert "name" in refused.json()["detail"]


def test_a_name_that_was_given() -> None:
    known = client(host="127.0.0.1", names=("Photos.Home",), at="http://photos.home")
    assert known.get("/").status_code == 200
    assert known.get("/", headers={"Host": "photos.home.evil"}).status_code == 421


def test_on_all_addresses_any_address_but_no_name() -> None:
    everywhere = client(host="0.0.0.0", token=TOKEN, at="http://192.168.1.7:8080")
    assert everywhere.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    for name in ("evil.example", "192.168.1.7.evil.example", "photos"):
        assert everywhere.get("/", headers={"Host": name, "Authorization": f"Bearer {TOKEN}"}).status_code == 421


# ---- origins


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/v1/albums", "/"])
def test_pages_of_other_sites_do_nothing(method: str, path: str) -> None:
    here = client()
    for origin in ("http://evil.example", "http://127.0.0.1:3000", "http://localhost:8080", "null", "", f"{HERE}.evil"):
        assert here.request(method, path, headers={"Origin": origin}).status_code == 403, origin
    assert here.request(method, path, headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert here.request(method, path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert here.request(method, path, headers={"Origin": HERE, "Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert here.request(method, path).status_code == 200  # a program, which no page can be


def test_pages_of_other_sites_read_nothing_but_may_link_here() -> None:
    here = client()
    assert here.get("/api/v1/albums", headers={"Origin": "http://evil.example"}).status_code == 403
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = here.options("/api/v1/albums", headers=asked)
    assert preflight.status_code == 403
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert here.get("/api/v1/albums/a/thumbnail", headers=embedded).status_code == 403
    framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert here.get("/", headers=framed).status_code == 403
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert here.get("/", headers=linked).status_code == 200
    for response in (preflight, here.get("/api/v1/albums"), here.get("/", headers=linked)):
        assert not [name for name in response.headers if name.startswith("access-control-")]


def test_a_socket_of_another_origin_is_refused() -> None:
    here = client()
    for origin in ("http://evil.example", "http://127.0.0.1:3000", "null"):
        assert says(here, Origin=origin) == "refused"
    assert says(here, Origin=HERE) == says(here) == "hello"
    assert says(here, Host="evil.example", Origin="http://evil.example") == "refused"
    assert says(here, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="websocket") == "refused"


# ---- the token


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "photos.home", ""])
def test_open_to_a_network_without_a_token_is_an_error(host: str) -> None:
    with pytest.raises(WhichpicError, match="token"):
        Rules.of(host)


@pytest.mark.parametrize("token", ["short", "with spaces in the token", "zeichenfolge-mit-ü-darin", "a\nb" * 10])
def test_a_poor_token_is_an_error(token: str) -> None:
    with pytest.raises(WhichpicError, match="16 or more"):
        Rules.of("127.0.0.1", token=token)


def test_the_token_once_in_the_address_then_a_cookie() -> None:
    browser = client(token=TOKEN)
    first = browser.get("/", params={"token": TOKEN, "lang": "zh"})
    assert first.status_code == 303 and first.headers["location"] == "/?lang=zh"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    assert browser.get(first.headers["location"]).status_code == 200  # the cookie is enough from now on
    assert says(browser, Cookie=cookie.partition(";")[0]) == "hello"


def test_a_redirect_of_the_token_leads_nowhere_else() -> None:
    for path in ("//evil.example/", "/\\evil.example", "///evil.example"):
        found = client(token=TOKEN).get(f"{HERE}{path}?token={TOKEN}")
        assert found.status_code == 303 and re.match(r"/[^/\\]", found.headers["location"])


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": f"whichpic={TOKEN}"},
     {"Authorization": f"Bearer {TOKEN}x"}, {"Cookie": "whichpic-00000000=0"}, {"Authorization": "Bearer "}],
)  # fmt: skip
def test_without_the_token_nothing_is_served(headers: dict[str, str]) -> None:
    closed = client(token=TOKEN)
    for path in ("/", "/static/x.css", "/api/v1/albums", "/nothing", "/?token=wrong", "/?token="):
        refused = closed.get(path, headers=headers)
        assert refused.status_code == 401 and TOKEN not in refused.text
    assert says(closed, **headers) == "refused"


def test_programs_bring_the_token_with_every_request() -> None:
    allowed = client(token=TOKEN).get("/api/v1/albums", headers={"Authorization": f"bearer {TOKEN}"})
    assert allowed.json() == {"is": "GET"}
    assert client(token=TOKEN).post("/api/v1/albums", params={"token": TOKEN}).status_code == 401


def test_who_has_no_token_is_asked_in_their_language() -> None:
    asked = client(token=TOKEN).get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert 'lang="zh-CN"' in asked.text and 'name="token"' in asked.text and "令牌" in asked.text
    assert "<script" not in asked.text


# ---- sizes


def parts(size: int, n: int) -> Iterator[bytes]:
    """A body in n parts, whose length nobody tells beforehand."""
    yield from (b"x" * size for _ in range(n))


SMALL, LARGE = "/api/v1/albums/a/sessions/s/events", "/api/v1/albums/a/sessions/s/picture"


@pytest.mark.parametrize(("path", "most"), [(SMALL, 1), (LARGE, 21)])
def test_a_body_is_counted_while_it_comes(path: str, most: int) -> None:
    here = client()
    assert here.post(path, content=parts(MB // 2, 2 * most)).json() == {"bytes": most * MB}
    refused = here.post(path, content=parts(MB // 2, 2 * most + 1))
    assert refused.status_code == 413 and f"{most} MB" in refused.json()["detail"]
    told = here.post(path, content=b"x", headers={"Content-Length": str(most * MB + 1)})
    assert told.status_code == 413


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", "９", "1" * 5000])
def test_a_length_that_is_none(length: str) -> None:
    headers = [(b"host", b"127.0.0.1"), (b"content-length", length.encode("utf-8"))]
    assert client().post(SMALL, content=b"", headers=headers).status_code in (400, 413)


def test_what_may_be_large() -> None:
    assert is_upload(LARGE) and is_upload("/api/v1/ask") and is_upload("/api/v1/talks/x/pictures")
    assert not any(map(is_upload, (SMALL, "/", "/api/v1/albums/a/pictures/x/image", "/_nicegui_ws/socket.io/")))


# ---- pace


def test_a_visitor_who_asks_too_often_is_told_when_to_come_back() -> None:
    here = client(limits=Limits(requests_near=Pace(0.5, 3)))
    assert [here.get("/").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    later = here.get("/api/v1/albums")
    assert later.status_code == 429 and later.headers["retry-after"] == "2" and "2 s" in later.json()["detail"]
    assert says(here) == "refused"


def test_others_are_stricter_than_this_machine() -> None:
    limits = Limits(requests=Pace(0.01, 2), requests_near=Pace(1, 4))
    far = client(host="0.0.0.0", token=TOKEN, limits=limits, visitor="192.168.1.9")
    near = client(limits=limits)
    allow = {"Authorization": f"Bearer {TOKEN}"}
    assert [far.get("/", headers=allow).status_code for _ in range(3)] == [200, 200, 429]
    assert [near.get("/").status_code for _ in range(5)] == [200, 200, 200, 200, 429]


def test_sessions_have_a_pace_of_their_own() -> None:
    here = client(limits=Limits(sessions_near=Pace(0.1, 2)))
    assert [here.post("/api/v1/albums/a/sessions").status_code for _ in range(3)] == [200, 200, 429]
    assert here.get("/").status_code == 200
    assert begins_session("POST", "/api/v1/albums/x/sessions/y/branch")
    assert not begins_session("POST", "/api/v1/albums/x/sessions/y/events")


def test_pages_have_a_pace_of_their_own() -> None:
    here = client(limits=Limits(pages_near=Pace(0.1, 2)))
    assert [here.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert here.get("/static/x.css").status_code == here.get("/api/v1/albums").status_code == 200


def test_buckets_fill_again_and_forget_who_was_seen_long_ago() -> None:
    now = [0.0]
    buckets, pace = Buckets(most=100, clock=lambda: now[0]), Pace(2, 4)
    assert [buckets.take("a", pace) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    now[0] = 1.0
    assert [buckets.take("a", pace) for _ in range(3)] == [0, 0, 0.5]
    for number in range(1000):
        buckets.take(f"visitor {number}", pace)
    assert len(buckets) == 100
    assert buckets.take("visitor 999", pace) == 0


@pytest.mark.parametrize(
    ("address", "counted", "near"),
    [("127.0.0.1", "127.0.0.1", True), ("::1", "::1", True), ("::ffff:127.0.0.1", "127.0.0.1", True),
     ("192.168.1.9", "192.168.1.9", False), ("2001:db8::1", "2001:db8::/64", False), ("fe80::1%eth0", "fe80::/64", False),
     ("testclient", "testclient", True)],
)  # fmt: skip
def test_whom_a_request_is_counted_for(address: str, counted: str, near: bool) -> None:
    assert visitor({"client": (address, 1)}) == (counted, near)
    assert visitor({"client": None}) == ("", True)


# ---- headers


def scripts(response: Any) -> str:
    policy = dict(part.strip().partition(" ")[::2] for part in response.headers["content-security-policy"].split(";"))
    return str(policy.get("script-src", policy["default-src"]))


def test_every_response_is_protected() -> None:
    closed, here = client(token=TOKEN), client()
    quiet = TestClient(here.app, base_url=HERE, raise_server_exceptions=False)
    for response in (
        here.get("/"), here.get("/reports/one"), here.get("/api/v1/albums"), here.get("/static/x.css"), here.get("/nothing"),
        here.get("/away"), here.delete("/reports/one"), quiet.get("/broken"), quiet.get("/api/v1/broken"), closed.get("/"),
        here.get("/", headers={"Host": "evil.example"}), here.post("/", headers={"Origin": "http://evil.example"}),
        here.get("/a%00b"), here.get("/" + "a" * 3000), here.post(SMALL, content=b"x" * (MB + 1)),
    ):  # fmt: skip
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer" and "camera=()" in headers["permissions-policy"]
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"] and "cache-control" in headers
        assert "server" not in headers


def test_the_policy_fits_what_is_sent() -> None:
    here = client()
    first, second = here.get("/"), here.get("/")
    nonce = re.compile(r"^'self' 'nonce-([\w-]{20,})' 'unsafe-eval'$")
    one, other = (nonce.match(scripts(each)) for each in (first, second))
    assert one and other and one[1] != other[1]
    assert (
        scripts(here.get("/reports/one")) == "'none'"
        and "sandbox" in here.get("/reports/one").headers["content-security-policy"]
    )
    assert scripts(here.get("/api/v1/albums")) == scripts(here.get("/nothing")) == "'none'"


def test_who_keeps_what() -> None:
    here = client()
    assert here.get("/api/v1/albums").headers["cache-control"] == "no-store"
    assert here.get("/api/v1/albums/a/thumbnail").headers["cache-control"] == "private, max-age=600"
    assert here.get("/static/x.css").headers["cache-control"] == "no-cache"


# ---- faults


@pytest.mark.parametrize("path", ["/a%00b", "/a%0Ab", "/a%7F", "/" + "a" * 2001])
def test_odd_addresses_go_no_further(path: str) -> None:
    assert client().get(path).status_code in (400, 414)


def test_what_goes_wrong_inside_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    quiet = TestClient(client(token=TOKEN).app, base_url=HERE, raise_server_exceptions=False)
    allow = {"Authorization": f"Bearer {TOKEN}"}
    for path in ("/broken?secret=1", "/api/v1/broken?secret=1"):
        failed = quiet.get(path, headers=allow)
        assert failed.status_code == 500 and "/home/me" not in failed.text
    assert "GET /broken failed" in caplog.text and "secret=1" not in caplog.text and TOKEN not in caplog.text


def test_the_prefix_that_nicegui_would_write_into_its_pages_is_dropped() -> None:
    assert client().get("/prefix", headers={"X-Forwarded-Prefix": '"><script>'}).text == "none"


def test_what_is_refused_is_json_for_programs_and_a_page_for_people() -> None:
    here = client()
    told: Callable[[str], Any] = lambda path: here.get(path, headers={"Host": "<script>alert(1)</script>"})  # noqa: E731
    assert set(json.loads(told("/api/v1/albums").text)) == {"detail"}
    assert told("/").headers["content-type"].startswith("text/html") and "<script" not in told("/").text
