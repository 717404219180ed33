"""What stands before the pages, the API and the tools: who may come in, from where, how often, with how much.

One ASGI middleware around the whole application, HTTP and WebSocket. Called by web.app and by `whichpic mcp`.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import logging
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from whichpic.errors import WhichpicError
from whichpic.web import faults
from whichpic.web.headers import NONCE, OWN, Header, protected
from whichpic.web.limits import Buckets, Limits, begins_session, is_upload, opens_page, visitor

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

LEAST_TOKEN = 16
"""Characters of a token: fewer can be guessed."""
LONGEST_PATH = 2_000
SILENCE = 30.0
"""Seconds between two parts of a body."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_NEAR = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(?:\[([0-9a-f:.%]+)\]|([\w.-]+))(?::\d{1,5})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Rules:
    """Whom the server lets in. Make it by `Rules.of`."""

    names: frozenset[str] = frozenset(_NEAR)
    """The names and addresses that it goes by. A page of others that points a name of theirs here is refused."""
    any_address: bool = False
    """Whether any address (but no name) will do: for a server on all addresses of a machine."""
    token: str = ""
    """What a visitor has to know; "": nothing, which is for this machine only."""
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, host: str, *, token: str = "", names: Iterable[str] = ()) -> Rules:
        """The rules of a server that listens at a host. Raises WhichpicError where it would be open to everybody."""
        if token and (len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
            raise WhichpicError(f"a token is {LEAST_TOKEN} or more letters, digits and signs, without spaces")
        if not token and not is_loopback(host):
            raise WhichpicError(f"whoever reaches {host} could see the pictures: serve it with a token (--token)")
        known = {_plain_host(each) for each in (*_NEAR, host or "0.0.0.0", *names)}
        return cls(frozenset(known - {"0.0.0.0", "::", "?"}), host in ("", "0.0.0.0", "::", "[::]"), token)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host to listen at."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    line: str
    headers: tuple[Header, ...] = ()


class Guard:
    """The middleware. `app` is what it stands before."""

    def __init__(self, app: App, rules: Rules | None = None) -> None:
        self.app = app
        self.rules = rules or Rules()
        self._requests = Buckets()
        self._sessions = Buckets()
        self._pages = Buckets()
        name = hashlib.sha256(f"name {self.rules.token}".encode()).hexdigest()[:8]
        self._cookie = f"whichpic-{name}"  # two servers of one machine share their cookies
        self._pass = hashlib.sha256(f"pass {self.rules.token}".encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await _logged(self.app, scope, receive, send)
            return
        headers = _headers(scope)
        # NiceGUI writes this one into its pages; nobody but a proxy may say it, and none that we know does.
        scope["headers"] = [each for each in scope["headers"] if each[0].lower() != b"x-forwarded-prefix"]
        nonce = scope[NONCE] = secrets.token_urlsafe(16)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, refusal)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": protected(message["headers"], path=scope["path"], nonce=nonce)}
            await send(message)

        if refusal is not None:
            await _answer(scope, send_protected, refusal)
        else:
            await self._request(scope, receive, send_protected)

    # ---- whom it lets in

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> _Refusal | None:
        path = scope["path"]
        if _CONTROL.search(path):
            return _Refusal(400, "an address has no control characters")
        if len(path) > LONGEST_PATH:
            return _Refusal(414, f"an address has at most {LONGEST_PATH} characters")
        return (
            self._wrong_host(headers)
            or self._too_often(scope)
            or self._foreign(scope, headers)
            or self._unknown(scope, headers)
            or self._announced(scope, headers)
        )

    def _wrong_host(self, headers: dict[str, str]) -> _Refusal | None:
        name = _plain_host(headers.get("host", ""))
        if name in self.rules.names or (self.rules.any_address and _is_address(name)):
            return None
        return _Refusal(421, f"this server does not go by the name '{name[:80]}'; it is given one with --host-name")

    def _too_often(self, scope: Scope) -> _Refusal | None:
        (who, near), limits = visitor(scope), self.rules.limits
        method, path = scope.get("method", ""), scope["path"]
        wait = self._requests.take(who, limits.requests_near if near else limits.requests)
        if not wait and begins_session(method, path):
            wait = self._sessions.take(who, limits.sessions_near if near else limits.sessions)
        if not wait and opens_page(method, path):
            wait = self._pages.take(who, limits.pages_near if near else limits.pages)
        if not wait:
            return None
        seconds = max(1, math.ceil(wait))
        return _Refusal(429, f"that is too much at once; try again in {seconds} s",
                        ((b"retry-after", str(seconds).encode()),))  # fmt: skip

    def _foreign(self, scope: Scope, headers: dict[str, str]) -> _Refusal | None:
        """Requests that a page of another origin makes. A browser says so; a program that is no browser says nothing."""
        socket = scope["type"] == "websocket"
        method = "GET" if socket else scope["method"]
        origin = headers.get("origin")
        strict = socket or method not in _SAFE or scope["path"].startswith("/api/")
        if origin is not None and strict and not _same_origin(origin, headers.get("host", "")):
            return _Refusal(403, "pages of other sites may not use this server")
        visit = method in _SAFE and headers.get("sec-fetch-mode") == "navigate"
        visit = visit and headers.get("sec-fetch-dest", "document") == "document"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not (visit and not socket):
            return _Refusal(403, "pages of other sites may not use this server")
        return None

    def _unknown(self, scope: Scope, headers: dict[str, str]) -> _Refusal | None:
        """Visitors without the token. Who gives it in the address gets a cookie, and the address without it."""
        if not self.rules.token:
            return None
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token"), None)
        if given is not None and scope.get("method") == "GET" and self._is_token(given):
            left = urlencode([each for each in query if each[0] != "token"])
            clean = "/" + quote(scope["path"].lstrip("/\\")) + (f"?{left}" if left else "")
            secure = "; Secure" if scope.get("scheme") == "https" else ""
            cookie = f"{self._cookie}={self._pass}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict{secure}"
            return _Refusal(303, "", ((b"location", clean.encode()), (b"set-cookie", cookie.encode())))
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(bearer.strip()):
            return None
        if any(
            name == self._cookie and secrets.compare_digest(value.encode(), self._pass.encode())
            for name, value in _cookies(headers.get("cookie", ""))
        ):
            return None
        line = "this server needs its token: in the address once (?token=...), or as 'Authorization: Bearer ...'"
        return _Refusal(401, line, ((b"www-authenticate", b"Bearer"),))

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode("utf-8", "replace"), self.rules.token.encode())

    def _announced(self, scope: Scope, headers: dict[str, str]) -> _Refusal | None:
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return _Refusal(400, "Content-Length is a number")
        most = self._most(scope)
        return _Refusal(413, _too_large(most)) if len(length) > 18 or int(length) > most else None

    def _most(self, scope: Scope) -> int:
        limits = self.rules.limits
        return limits.upload if is_upload(scope["path"]) else limits.body

    # ---- what it lets through

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = self._most(scope)
        read, complete, started = 0, False, False
        fault: _Refusal | None = None

        async def receive_counted() -> Message:
            nonlocal read, complete, fault
            if complete or fault is not None:
                return await receive() if fault is None else {"type": "http.disconnect"}
            try:
                async with asyncio.timeout(SILENCE):
                    message = await receive()
            except TimeoutError:
                fault = _Refusal(408, f"nothing came for {SILENCE:.0f} s")
                return {"type": "http.disconnect"}
            read += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if read > most:
                fault = _Refusal(413, _too_large(most))
                return {"type": "http.disconnect"}
            return message

        async def send_unless_refused(message: Message) -> None:
            nonlocal started
            if fault is not None and not started:
                return  # what the application makes of a body that was cut says nothing
            started = True
            await send(message)

        try:
            await self.app(scope, receive_counted, send_unless_refused)
        except Exception:
            if fault is None:
                # The path and not the query: a token may be there.
                log.exception("%s %s failed", scope["method"], scope["path"])
                if not started:
                    await _answer(scope, send, _Refusal(500, "that went wrong here; it was written down"))
                return
        if fault is not None and not started:
            await _answer(scope, send, _Refusal(fault.status, fault.line, ((b"connection", b"close"),)))

    async def _socket(self, scope: Scope, receive: Receive, send: Send, refusal: _Refusal | None) -> None:
        if refusal is not None:
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        (who, near), limits = visitor(scope), self.rules.limits
        pace = limits.requests_near if near else limits.requests

        async def receive_paced() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                while wait := self._requests.take(who, pace):
                    await asyncio.sleep(wait)
            return message

        try:
            await self.app(scope, receive_paced, send)
        except Exception:
            log.exception("the connection of a page failed")


async def _logged(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await app(scope, receive, send)
    except Exception:
        log.exception("the application failed")
        raise


async def _answer(scope: Scope, send: Send, refusal: _Refusal) -> None:
    """A refusal as JSON for programs, as a plain page for people."""
    headers = _headers(scope)
    extra = list(refusal.headers)
    if faults.for_programs(scope["path"]):
        body, kind = json.dumps({"detail": refusal.line}).encode(), b"application/json"
    else:
        language = faults.language_of_headers(headers)
        body, kind = faults.page(refusal.status, language, refusal.line).encode(), b"text/html; charset=utf-8"
        extra.append((b"content-security-policy", OWN.encode()))
    if refusal.status == 303:
        body = b""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": refusal.status,
                "headers": [(b"content-type", kind), length, *extra]})  # fmt: skip
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by name. Of one that is there twice, both: no host and no origin that we know looks like that."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        joint = "; " if key == "cookie" else ", "
        found[key] = f"{found[key]}{joint}{text}" if key in found else text
    return found


def _plain_host(host: str) -> str:
    """The name in a Host header, without its port and brackets; "?" for what is none."""
    host = host.strip().casefold()
    if host.count(":") > 1 and not host.startswith("[") and _is_address(host):
        return host  # a bare IPv6 address, as --host has it
    found = _HOST.fullmatch(host)
    return "?" if found is None else (found[1] or found[2]).rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same_origin(origin: str, host: str) -> bool:
    scheme, _, place = origin.strip().casefold().partition("://")
    return scheme in ("http", "https") and place == host.strip().casefold()


def _cookies(header: str) -> Iterable[tuple[str, str]]:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value


def _too_large(most: int) -> str:
    return f"that is too large: at most {most / (1 << 20):.0f} MB"
