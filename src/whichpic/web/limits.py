"""How much one visitor may ask for: requests, pages and sessions in a while, bytes of a body. Called by guard."""

from __future__ import annotations

import ipaddress
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MB = 1 << 20
MOST_ADDRESSES = 4096
"""Visitors that are remembered at once; the one who was seen longest ago is forgotten first."""
_BEGINS = re.compile(r"/api/v1/albums/[^/]+/sessions(/[^/]+/branch)?/?")
"""A request (POST) that begins a session."""
_UPLOADS = re.compile(r"/api/v1/(albums/[^/]+/sessions/[^/]+/picture|talks/[^/]+/pictures|ask)/?")
"""A request whose body is a picture, or has pictures in it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many a second, and so many at once."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed; `near` is this machine, where a script may well be many visitors in one."""

    requests: Pace = Pace(50, 400)
    sessions: Pace = Pace(30 / 60, 30)
    requests_near: Pace = Pace(1000, 4000)
    sessions_near: Pace = Pace(600 / 60, 600)
    pages: Pace = Pace(2, 60)
    pages_near: Pace = Pace(20, 300)
    body: int = MB
    upload: int = 21 * MB
    """Of a body with a picture: one of 20 MB, and what is around it."""


def begins_session(method: str, path: str) -> bool:
    """Whether a request begins a session."""
    return method == "POST" and _BEGINS.fullmatch(path) is not None


def opens_page(method: str, path: str) -> bool:
    """Whether a request makes a page: the server holds it for a while, whether anybody looks at it or not."""
    return method in ("GET", "HEAD") and not path.startswith(
        ("/api/", "/static/", "/_nicegui", "/favicon", "/openapi", "/mcp")
    )


def is_upload(path: str) -> bool:
    """Whether a body may be as large as a picture."""
    return _UPLOADS.fullmatch(path) is not None


def visitor(scope: Any) -> tuple[str, bool]:
    """Whom a request is counted for, and whether that is somebody on this machine.

    An IPv4 address, or the /64 network of an IPv6 one, since that is what a home has. Who has no IP address is in this
    process, or comes by a Unix socket.
    """
    client = scope.get("client")
    return _counted(str(client[0]) if client else "")


@lru_cache(maxsize=MOST_ADDRESSES)
def _counted(address: str) -> tuple[str, bool]:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address, True
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            near = found.is_loopback
            return str(found) if near else str(ipaddress.ip_network((found, 64), strict=False)), near
        found = found.ipv4_mapped
    return str(found), found.is_loopback


class Buckets:
    """A bucket of tokens for each visitor, filled at a pace. In one event loop; memory is bounded."""

    def __init__(self, *, most: int = MOST_ADDRESSES, clock: Callable[[], float] = time.monotonic) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._most = most
        self._clock = clock

    def take(self, who: str, pace: Pace) -> float:
        """Take one: 0 where there was one, else the seconds until there will be, and nothing is taken."""
        now = self._clock()
        left, at = self._left.pop(who, (pace.burst, now))
        left = min(pace.burst, left + (now - at) * pace.per_second)
        wait = 0.0 if left >= 1 else (1 - left) / pace.per_second
        self._left[who] = (left - 1 if not wait else left, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._left)
