"""What lies between a request and its server: proxies, certificates, slow readers, and servers of other kinds."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.chat.faulty import Faulty
from whichpic.chat import Message
from whichpic.chat.remote import Remote
from whichpic.chat.wire import _tls
from whichpic.errors import ChatError

ASKED = [Message("user", "What is it?")]


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that does this with its connections, one at a time."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with suppress(OSError):
            while True:
                with listener.accept()[0] as connection, suppress(OSError):
                    serve(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the proxy of https addresses, and takes away what else the environment says of proxies."""
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return lambda address: monkeypatch.setenv("https_proxy", address)


def head(connection: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found and (more := connection.recv(4096)):
        found += more
    return found


def fails(url: str, *, deadline: float = 2, text: str = "What is it?") -> ChatError:
    with pytest.raises(ChatError) as told:
        Remote(url, model="m", retries=0).complete([Message("user", text)], deadline=deadline)
    assert "\n" not in str(told.value)
    return told.value


def test_a_server_of_another_kind() -> None:
    def greet(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"220 mail ready\r\n\r\n")

    with listening(greet) as port:
        error = fails(f"http://127.0.0.1:{port}/v1")
    assert error.reason == "server" and "does not speak HTTP" in str(error)


def test_a_server_that_reads_slowly_does_not_outlast_the_deadline() -> None:
    def slowly(connection: socket.socket) -> None:
        for _ in range(40):
            connection.recv(500)
            time.sleep(0.02)

    with listening(slowly) as port:
        began = time.monotonic()
        assert fails(f"http://127.0.0.1:{port}/v1", deadline=0.5, text="x" * 8_000_000).reason == "timeout"
        assert time.monotonic() - began < 2


def test_a_server_that_refuses_a_large_request_before_its_end() -> None:
    def refuse(connection: socket.socket) -> None:
        head(connection)
        said = b'{"error": {"message": "too large"}}'
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with listening(refuse) as port:
        assert fails(f"http://127.0.0.1:{port}/v1", text="x" * 4_000_000).reason == "too long"


def test_a_proxy_that_does_not_lead_there(proxied: Callable[[str], None]) -> None:
    seen: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        seen.append(head(connection))
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with listening(refuse) as port:
        proxied(f"http://me:p%C3%A4ss@127.0.0.1:{port}")
        error = fails("https://model.invalid/v1")
    assert error.reason == "unreachable" and "407" in str(error) and "proxy" in str(error)
    assert seen[0].startswith(b"CONNECT model.invalid:443 ") and b"Proxy-Authorization: Basic bWU6cMOkc3M=" in seen[0]


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:9", "http://127.0.0.1:port", "http://"])
def test_a_proxy_that_is_none(proxied: Callable[[str], None], address: str) -> None:
    proxied(address)
    error = fails("https://model.invalid/v1")
    assert error.reason == "unreachable" and "HTTPS_PROXY" in str(error)


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = f"req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 -subj /CN=localhost"
    subprocess.run([openssl, *made.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server = Faulty(["", "endless"], "a dog")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{server.server_address[1]}/v1"
    try:
        _tls.cache_clear()
        error = fails(url)
        assert error.reason == "unreachable" and "certificate of 127.0.0.1 is not valid" in str(error)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        _tls.cache_clear()
        chat = Remote(url, model="m")
        assert chat.complete(ASKED)[0].text == "a dog"
        stream = chat.stream(ASKED)
        next(stream)
        threading.Timer(0.1, stream.close).start()
        with pytest.raises(ChatError) as told:
            list(stream)
        assert told.value.reason == "cancelled" and server.left.wait(1)
    finally:
        _tls.cache_clear()
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
