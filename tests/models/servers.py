"""A package index and a model hub on the loopback interface, and wheels to put there, for the tests of models."""

from __future__ import annotations

import hashlib
import threading
import time
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> Path:
    """A wheel that pip accepts, with these files in it."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, content in files.items():
            archive.writestr(inside, content)
        info = f"{stem}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


class Server:
    """Serves `files` (path -> content) as a hub would; `log` is what was asked, `slow` seconds per tenth of a file."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.log: list[str] = []
        self.slow = 0.0
        self.types: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _head(self) -> bytes | None:
                outer.log.append(f"{self.command} {self.path}")
                body = outer.files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{hashlib.sha256(body or b"").hexdigest()}"')
                self.send_header("Content-Length", str(len(body or b"")))
                self.send_header("Content-Type", outer.types.get(self.path, "application/octet-stream"))
                self.end_headers()
                return body

            def do_HEAD(self) -> None:
                self._head()

            def do_GET(self) -> None:
                body = self._head() or b""
                step = max(1, len(body) // 10)
                for i in range(0, len(body), step):
                    if outer.slow:
                        self.wfile.flush()
                        time.sleep(outer.slow)
                    try:
                        self.wfile.write(body[i : i + step])
                    except OSError:
                        return

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def serve_wheel(self, wheel: Path) -> None:
        """Put a wheel where pip's --index-url URL/simple finds it."""
        project = wheel.name.split("-")[0].replace("_", "-")
        link = f'<a href="/files/{wheel.name}">{wheel.name}</a>'
        self.files[f"/simple/{project}/"] = link.encode()
        self.types[f"/simple/{project}/"] = "text/html"
        self.files[f"/files/{wheel.name}"] = wheel.read_bytes()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
