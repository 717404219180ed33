"""HTTP to a model's server, with one deadline over everything: looking up, connecting, sending, and every byte that comes.

Called by connection and streaming. httpcore2 speaks HTTP; its timeouts are per step, so a server that sends a byte a second
outlasts them. Here every step is bounded by one Clock, each fault is a ChatError, and nothing is followed.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2

from whichpic.errors import ChatError

LARGEST = 16_000_000
"""Bytes of an answer; a conversation's is a few thousand."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError)


@dataclass(frozen=True, eq=False)
class Clock:
    """When a call has to be over. idle: seconds without a byte; connect: seconds until a connection stands.

    `cancel` ends it at once, from any thread: whoever waits gets ChatError("cancelled").
    """

    seconds: float
    idle: float = 60.0
    connect: float = 5.0
    began: float = field(default_factory=monotonic)
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    sockets: list[socket.socket] = field(default_factory=list, repr=False, compare=False)

    @property
    def left(self) -> float:
        """Seconds until the deadline; below zero after it."""
        return self.began + self.seconds - monotonic()

    def wait(self, most: float) -> float:
        """How long one step may take. Raises ChatError("timeout") where no time is left, and "cancelled"."""
        left = self.left
        if self.cancelled.is_set():
            raise ChatError("cancelled", "the request was cancelled")
        if left <= 0:
            raise self.late()
        return min(most, left)

    def cancel(self) -> None:
        """End whatever is under way."""
        self.cancelled.set()
        for each in list(self.sockets):
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # that of ssl takes away what a reader is using

    def late(self) -> ChatError:
        """The error of a deadline that has passed, or of a server that fell silent."""
        return ChatError("timeout", f"no complete reply within {min(self.seconds, monotonic() - self.began):.1f} s")


class Answer:
    """What a server answers: status, headers, and the body as it comes."""

    def __init__(self, pool: httpcore2.ConnectionPool, response: httpcore2.Response, clock: Clock) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
        }
        self._pool, self._response, self._clock = pool, response, clock

    @property
    def kind(self) -> str:
        """The content type, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def chunks(self) -> Iterator[bytes]:
        """The body piece by piece. Raises ChatError: cut, timeout, cancelled, or server for one that is too large."""
        got = 0
        try:
            for chunk in self._response.iter_stream():
                got += len(chunk)
                if got > LARGEST:
                    raise ChatError(
                        "server", f"the server sent more than {LARGEST // 1_000_000} MB; a reply is smaller"
                    )
                yield chunk
        except _BROKEN:
            raise ChatError("cut", f"the connection broke after {got} bytes, before the reply was complete") from None

    def body(self) -> bytes:
        """All of the body; raises as `chunks`."""
        return b"".join(self.chunks())

    def lines(self) -> Iterator[str]:
        """The body line by line, as they come; raises as `chunks`."""
        rest = b""
        for chunk in self.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > 1_000_000:
                raise ChatError("server", "the server sent a line of more than 1 MB")
            for line in lines:
                yield line.decode("utf-8", "replace").rstrip("\r")
        if rest:
            yield rest.decode("utf-8", "replace")

    def close(self) -> None:
        """End the connection; the server sees it."""
        self._response.close()
        self._pool.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(url: str, clock: Clock, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request (POST with a body, else GET) and wait for the head of the answer.

    Raises ChatError: unreachable, timeout, cut, server. Redirects are answers like others. Proxies are those of the
    environment (HTTPS_PROXY, NO_PROXY), never for this machine itself.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    sent = {"Host": parts.netloc, "Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
    if body is not None:
        sent["Content-Length"] = str(len(body))
    target = httpcore2.URL(scheme=parts.scheme, host=host, port=parts.port, target=quote(parts.path, "/%:@+~") or "/")
    asked = httpcore2.Request("GET" if body is None else "POST", target, headers=list(sent.items()), content=body)
    proxy, tls = _proxy(parts.scheme, host), _tls() if parts.scheme == "https" else None
    pool = httpcore2.ConnectionPool(ssl_context=tls, proxy=proxy, network_backend=_Backend(clock))
    try:
        return Answer(pool, pool.handle_request(asked), clock)
    except httpcore2.ProxyError as error:
        raise ChatError("unreachable", f"the proxy does not lead to {host} ({str(error)[:60]})") from None
    except _BROKEN as error:
        # A protocol error around another exception is about something that came and cannot be read.
        if isinstance(error, httpcore2.NetworkError) or not isinstance(error.args[0], Exception):
            raise ChatError("cut", f"{parts.netloc} closed the connection without an answer") from None
        raise ChatError("server", f"{parts.netloc} does not speak HTTP as expected") from None


class _Backend(httpcore2.NetworkBackend):
    """Connects within the time of a clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._inner = clock, httpcore2.SyncBackend()

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore2.NetworkStream:
        began, clock = monotonic(), self._clock
        trouble: Exception | None = None
        for address in _addresses(host, port, clock):
            most = max(clock.connect - (monotonic() - began), 0.1)
            try:
                return _Stream(self._inner.connect_tcp(address, port, clock.wait(most)), clock)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                trouble = error
        if isinstance(trouble, httpcore2.ConnectTimeout):
            raise ChatError("timeout", f"{host}:{port} did not answer within {clock.connect:g} s")
        raise ChatError("unreachable", f"no server answers at {host}:{port} ({_why(trouble)}); is it running?")


class _Stream(httpcore2.NetworkStream):
    """A connection whose every step is bounded by a clock, which may end it."""

    def __init__(self, inner: httpcore2.NetworkStream, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self._socket: socket.socket = inner.get_extra_info("socket")
        clock.sockets.append(self._socket)  # of several: questions are asked side by side within one clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            if data := self._inner.read(max_bytes, self._clock.wait(self._clock.idle)):
                return data
        except httpcore2.ReadTimeout:
            raise self._clock.late() from None
        except httpcore2.ReadError:
            self._clock.wait(0)
            raise
        self._clock.wait(0)  # an end that was made here is no end of the reply
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            for begin in range(0, len(buffer), 16384):  # pictures are large: the clock is looked at in between
                self._inner.write(buffer[begin : begin + 16384], self._clock.wait(self._clock.idle))
        except httpcore2.WriteTimeout:
            raise self._clock.late() from None

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            secure = self._inner.start_tls(ssl_context, server_hostname, self._clock.wait(self._clock.connect))
            return _Stream(secure, self._clock)
        except httpcore2.ConnectTimeout:
            raise ChatError("timeout", f"{server_hostname} did not answer within {self._clock.connect:g} s") from None
        except httpcore2.ConnectError as error:
            if isinstance(cause := error.__cause__, ssl.SSLCertVerificationError):
                why = f"the certificate of {server_hostname} is not valid: {cause.verify_message}"
            else:
                why = f"no secure connection to {server_hostname}: {_why(error)}"
            raise ChatError("unreachable", why) from None
        except ChatError:
            self.close()  # the library closes what failed in its own hands only
            raise

    def close(self) -> None:
        with suppress(ValueError):
            self._clock.sockets.remove(self._socket)
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _addresses(host: str, port: int, clock: Clock) -> list[str]:
    """The addresses of a host. Looked up in a thread: the system's own patience with a name server is half a minute."""
    found: list[str] = []
    trouble: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            trouble.append(error)

    thread = threading.Thread(target=look_up, daemon=True, name="whichpic-lookup")
    thread.start()
    thread.join(clock.wait(clock.connect))
    if not found:
        why = trouble[0].strerror or str(trouble[0]) if trouble else "the name server does not answer"
        raise ChatError("unreachable", f"the host {host} cannot be found: {why}")
    return list(found)


def _proxy(scheme: str, host: str) -> httpcore2.Proxy | None:
    if host.lower() in _LOOPBACK or host.startswith("127."):
        return None
    address = getproxies().get(scheme)
    if not address or proxy_bypass(host):
        return None
    try:
        parts = urlsplit(address if "//" in address else f"http://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError
        url = httpcore2.URL(scheme=parts.scheme, host=parts.hostname, port=parts.port, target="/")
    except ValueError:
        name = f"{scheme.upper()}_PROXY"
        raise ChatError("unreachable", f"{name} is no address of an HTTP proxy; expected http://host:port") from None
    auth = (unquote(parts.username).encode(), unquote(parts.password or "").encode()) if parts.username else None
    return httpcore2.Proxy(url, auth=auth)


def _why(error: Exception | None) -> str:
    """What the system says, without its number."""
    return getattr(getattr(error, "__cause__", None), "strerror", None) or str(error)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Certificates as the system has them."""
    return httpcore2.default_ssl_context()
