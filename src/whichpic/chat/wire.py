"""HTTP to a model's server, with one deadline over everything: looking up, connecting, sending, and every byte that comes.

Called by remote only. A client library's timeout is per read, so a server that sends a byte a second outlasts it; and a
library's own errors are many. Here each fault is a ChatError, a body is never larger than stated, and nothing is followed.
"""

from __future__ import annotations

import base64
import http.client
import io
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from whichpic.errors import ChatError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LARGEST = 16_000_000
"""Bytes of an answer; a conversation's is a few thousand."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
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
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def late(self) -> ChatError:
        """The error of a deadline that has passed, or of a server that fell silent."""
        return ChatError("timeout", f"no complete reply within {min(self.seconds, monotonic() - self.began):.1f} s")


class Answer:
    """What a server answers: status, headers, and the body as it comes."""

    def __init__(self, socket_: socket.socket, response: http.client.HTTPResponse, clock: Clock) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self._socket, self._response, self._clock = socket_, response, clock

    @property
    def kind(self) -> str:
        """The content type, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def chunks(self) -> Iterator[bytes]:
        """The body piece by piece. Raises ChatError: cut, timeout, cancelled, or server for one that is too large."""
        stated = self._response.length
        got = 0
        while True:
            try:
                chunk = self._response.read1(65536)
            except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
                self._clock.wait(0)
                if isinstance(error, TimeoutError):
                    raise self._clock.late() from None
                raise ChatError("cut", "the connection broke before the reply was complete") from None
            if not chunk:
                break
            got += len(chunk)
            if got > LARGEST:
                raise ChatError(
                    "server", f"the server sent more than {LARGEST // 1_000_000} MB; a reply is far smaller"
                )
            yield chunk
        self._clock.wait(0)
        if stated is not None and got < stated:
            raise ChatError("cut", f"the reply ended after {got} of {stated} bytes")

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
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(url: str, clock: Clock, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request (POST with a body, else GET) and wait for the head of the answer.

    Raises ChatError: unreachable, timeout, cut. Redirects are answers like others. Proxies are those of the environment
    (HTTPS_PROXY, NO_PROXY), never for this machine itself.
    """
    parts = urlsplit(url)
    connected, absolute = _connected(parts, clock)
    clock.sockets[:] = [connected]
    try:
        guarded = _Guarded(connected, clock)
        connection = http.client.HTTPConnection(parts.netloc)
        connection.sock = guarded  # all that http.client uses of a socket
        sent = {"Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
        with suppress(BrokenPipeError, ConnectionResetError):  # a server that refuses a body says so before its end
            connection.request(
                "GET" if body is None else "POST", url if absolute else parts.path, body=body, headers=sent
            )
        return Answer(connected, connection.getresponse(), clock)
    except TimeoutError:
        connected.close()
        raise clock.late() from None
    except (OSError, http.client.HTTPException) as error:
        connected.close()
        clock.wait(0)
        if isinstance(error, http.client.RemoteDisconnected | OSError):
            raise ChatError("cut", f"{parts.netloc} closed the connection without an answer") from None
        raise ChatError("server", f"{parts.netloc} does not speak HTTP as expected") from None
    except BaseException:
        connected.close()
        raise


class _Guarded:
    """A socket whose every step is bounded by the clock, as http.client wants one."""

    def __init__(self, inner: socket.socket, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def sendall(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            self._inner.settimeout(self._clock.wait(self._clock.idle))
            view = view[self._inner.send(view[:65536]) :]

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._inner, self._clock))

    def close(self) -> None:
        """http.client closes early; the answer still reads."""


class _Incoming(io.RawIOBase):
    def __init__(self, inner: socket.socket, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._inner.settimeout(self._clock.wait(self._clock.idle))
        return self._inner.recv_into(buffer)


def _connected(parts: SplitResult, clock: Clock) -> tuple[socket.socket, bool]:
    """A connection to the server, and whether a proxy wants the whole address in the request."""
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    proxy = _proxy(parts.scheme, host)
    plain = _open(host, port, clock) if proxy is None else _open(proxy.hostname or "", proxy.port or 80, clock)
    if not secure:
        return plain, proxy is not None
    try:
        if proxy is not None:
            _tunnel(plain, proxy, host, port, clock)
        plain.settimeout(clock.wait(clock.connect))
        return _tls().wrap_socket(plain, server_hostname=host), False
    except TimeoutError:
        plain.close()
        raise ChatError("timeout", f"{host} did not answer within {clock.connect:g} s") from None
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise ChatError("unreachable", f"the certificate of {host} is not valid: {error.verify_message}") from None
    except OSError as error:
        plain.close()
        raise ChatError("unreachable", f"no secure connection to {host}: {error.strerror or error}") from None
    except BaseException:
        plain.close()
        raise


def _open(host: str, port: int, clock: Clock) -> socket.socket:
    began = monotonic()
    trouble: OSError | None = None
    for family, kind, protocol, _, address in _addresses(host, port, clock):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(clock.wait(max(clock.connect - (monotonic() - began), 0.1)))
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as error:
            connection.close()
            trouble = error
        except BaseException:
            connection.close()
            raise
    if isinstance(trouble, TimeoutError):
        raise ChatError("timeout", f"{host}:{port} did not answer within {clock.connect:g} s")
    why = "" if trouble is None else f" ({trouble.strerror or trouble})"
    raise ChatError("unreachable", f"no server answers at {host}:{port}{why}; is it running?")


def _addresses(host: str, port: int, clock: Clock) -> list[Any]:
    """The addresses of a host. Looked up in a thread: the system's own patience with a name server is half a minute."""
    found: list[Any] = []
    trouble: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            trouble.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=look_up, daemon=True, name="whichpic-lookup")
    thread.start()
    thread.join(clock.wait(clock.connect))
    if not found:
        why = f": {trouble[0].strerror or trouble[0]}" if trouble else ": the name server does not answer"
        raise ChatError("unreachable", f"the host {host} cannot be found{why}")
    return list(found)


def _proxy(scheme: str, host: str) -> SplitResult | None:
    if host.lower() in _LOOPBACK or host.startswith("127."):
        return None
    from urllib.request import getproxies, proxy_bypass

    address = getproxies().get(scheme)
    return None if not address or proxy_bypass(host) else urlsplit(address if "//" in address else f"http://{address}")


def _tunnel(connection: socket.socket, proxy: SplitResult, host: str, port: int, clock: Clock) -> None:
    asked = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
    if proxy.username:
        who = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        asked += f"Proxy-Authorization: Basic {base64.b64encode(who.encode()).decode()}\r\n"
    _Guarded(connection, clock).sendall(f"{asked}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < 16384:
        connection.settimeout(clock.wait(clock.connect))
        if not (byte := connection.recv(1)):  # one by one: what follows the head belongs to TLS
            break
        head += byte
    if b" 200" not in head.split(b"\r\n", 1)[0]:
        said = head.split(b"\r\n", 1)[0].decode("latin-1")[:60]
        raise ChatError("unreachable", f"the proxy {proxy.hostname} does not lead to {host} ({said or 'no answer'})")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Certificates as the system has them; those of certifi where the system of Python brings none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.environ.get("SSL_CERT_DIR"):
        with suppress(ImportError):
            context.load_verify_locations(import_module("certifi").where())
    return context
