"""A server's life: its port, its first words, its end. Called by `whichpic serve` and `whichpic mcp`."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from whichpic.errors import WhichpicError

if TYPE_CHECKING:
    from whichpic.web.guard import Guard
    from whichpic.web.shelf import Shelf

PORT = 8080
_NEAR = 20  # ports after it that are tried where none was asked for
PATIENCE = 1.5
"""Seconds that open streams and pages are waited for at the end."""
LONGEST_MESSAGE = 2 << 20
"""Bytes of one message of a page; pictures do not come that way."""
MOST_CONNECTIONS = 2_000


def bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens at a host: at this port (0: any), or without one at 8080 or the next that is free.

    Raises WhichpicError, in one line, where that cannot be.
    """
    family, place = _resolved(host)
    last: OSError | None = None
    for number in (port,) if port is not None else (*range(PORT, PORT + _NEAR), 0):
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((place, number))
            made.listen(512)
            made.set_inheritable(False)
            return made
        except OSError as error:
            made.close()
            last = error
    import errno

    if last is not None and last.errno == errno.EADDRINUSE:
        raise WhichpicError(f"port {port} of {host} is taken; choose another with --port, or none to have a free one")
    if last is not None and last.errno == errno.EACCES:
        raise WhichpicError(f"port {port} is not for users of this machine; choose one from 1024 on with --port")
    raise WhichpicError(f"{host} is no address of this machine; --host 127.0.0.1 is for this machine only")


def address(made: socket.socket, host: str) -> str:
    """What a browser opens. For a server on all addresses, that which others of the network know this machine by."""
    port = made.getsockname()[1]
    name = _outward() if host in ("", "0.0.0.0", "::") else host.strip("[]")
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def run(app: Guard, made: socket.socket, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until Ctrl-C (or SIGTERM); pages and streams that are open then have PATIENCE. ready: called once it serves."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and not self.should_exit:
                ready()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            with super().capture_signals():
                try:
                    yield
                finally:
                    self._captured_signals.clear()  # Ctrl-C is how a server ends: what follows it is not cut off

    # Nothing of uvicorn's own goes to the log: a line of it may hold an address, and an address a token.
    # h11, since the other parser has no end of headers.
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, server_header=False,
        timeout_graceful_shutdown=PATIENCE, timeout_keep_alive=20,  # type: ignore[arg-type]  # seconds, also half ones
        http="h11", ws_max_size=LONGEST_MESSAGE, limit_concurrency=MOST_CONNECTIONS, proxy_headers=True,
    )  # fmt: skip
    server = Server(config)
    server.run(sockets=[made])
    if not server.started:
        raise WhichpicError("the server could not begin; what went wrong is said above")


def warm(shelf: Shelf) -> None:
    """Let the first turn of the first visitor not be the one that waits for the encoder."""
    from whichpic.dialogue import Session

    seen = set()
    for shelved in shelf:
        if shelved.ready and shelved.gallery.encoder.id not in seen:
            seen.add(shelved.gallery.encoder.id)
            with suppress(WhichpicError):  # whatever it is, the visitor's own turn says it better
                session = Session(shelved.gallery)
                session.say("a picture")
                session.results(1)


def leave(seconds: float = 0.5) -> None:
    """End the process though threads are still at work: in a connection that never answers, in a batch of an index.

    Python would wait for them, also for those that are called daemons. What is on the disk can take it.
    """
    until = time.monotonic() + seconds
    others = [each for each in threading.enumerate() if each is not threading.current_thread()]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _resolved(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or "0.0.0.0", None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise WhichpicError(
            f"{host[:80]} is no address of this machine; --host 127.0.0.1 is for this machine only"
        ) from None
    found.sort(key=lambda each: each[0] != socket.AF_INET)  # a name with both: what every browser tries
    return found[0][0], str(found[0][4][0])


def _outward() -> str:
    """The address that this machine has on its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: an address that nobody has
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
