"""A server of our own and a browser that notes what goes wrong: what every browser test stands on."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

PATIENCE = 15_000
"""Milliseconds that a test waits for what must come."""
PICTURES = 48


def scenes_album(folder: Path, *, n: int = PICTURES, seed: int = 5) -> Path:
    """An indexed album of the drawn world: n pictures whose every fact is known, with one caption each."""
    from whichpic import Album
    from whichpic.simulate.scenes import write_album

    write_album(folder, n, seed, side=160)
    path = folder / "pictures.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**row, "captions": row["captions"][:1]}, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Album.open(folder, encoder="toy") as album:
        album.index()
    return folder


@dataclass
class Server:
    """A running `whichpic serve`: its address, and the albums that it was started with."""

    url: str
    albums: list[Path]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        """What it wrote to the terminal."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def bare_home(place: Path) -> Iterator[Path]:
    """A home without weights, for this process and those that it starts: a machine that has some measures the same."""
    from whichpic.settings import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHICHPIC_HOME", str(place))
        patch.setenv("WHICHPIC_OFFLINE", "1")
        settings.cache_clear()
        yield place
    settings.cache_clear()


@contextmanager
def serving(albums: Sequence[Path], home: Path, *options: str, weights: Path | None = None) -> Iterator[Server]:
    """`whichpic serve` in a process of its own until the block ends; it works in `home`, its models are in `weights`."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    log = home / f"serve-{port}.log"
    command = [
        sys.executable,
        "-m",
        "whichpic",
        "serve",
        *(str(each.absolute()) for each in albums),
        "--port",
        str(port),
        *options,
    ]
    env = {**os.environ, "WHICHPIC_HOME": str(weights or home), "WHICHPIC_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, cwd=home
        )
    server = Server(f"http://127.0.0.1:{port}", list(albums), log, process)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Server) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with {server.process.returncode}: {server.said[-2000:]}")
        try:
            with urllib.request.urlopen(server.url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server is not there after a minute: {server.said[-2000:]}")


@dataclass
class Watch:
    """Everything that a page must not do. `allow` names, as patterns, what a test expects."""

    own: str
    wrong: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, *patterns: str) -> None:
        """These lines are no fault in this test."""
        self.allowed += patterns

    def faults(self) -> list[str]:
        """What went wrong and was not expected."""
        return [line for line in self.wrong if not any(re.search(each, line) for each in self.allowed)]

    def over(self, context: BrowserContext) -> None:
        """Watch every page of a context."""

        def asked(request: Any) -> None:
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob", "about") and parts.netloc != urlsplit(self.own).netloc:
                self.wrong.append(f"another host: {request.url[:200]}")

        def failed(request: Any) -> None:
            # A page that is left takes its requests with it, and a download is no page.
            if "ERR_ABORTED" not in (request.failure or ""):
                self.wrong.append(f"failed: {request.url[:200]} {request.failure}")

        def answered(response: Any) -> None:
            if response.status >= 400:
                self.wrong.append(f"status {response.status}: {response.url[:200]}")

        def talked(message: Any) -> None:
            if message.type in ("error", "warning"):
                self.wrong.append(f"console {message.type}: {message.text[:300]}")

        def opened(dialog: Any) -> None:
            self.wrong.append(f"dialog: {dialog.message[:100]}")
            dialog.dismiss()

        context.on("request", asked)
        context.on("requestfailed", failed)
        context.on("response", answered)
        context.on("console", talked)
        context.on("weberror", lambda error: self.wrong.append(f"page error: {str(error.error)[:300]}"))
        context.on("dialog", opened)


def chromium() -> str | None:
    """Where Chromium is on this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def axe(page: Page) -> list[str]:
    """What axe finds wrong with a page as it stands, one line for each element."""
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]} | {' '.join(node['failureSummary'].split())[:240]}"
        for each in found
        for node in each["nodes"]
    ]


def sideways(page: Page) -> str:
    """What sticks out at the right of a page, "" where nothing does."""
    return str(
        page.evaluate("""() => {
        const wide = document.documentElement.clientWidth;
        if (document.scrollingElement.scrollWidth <= wide) return "";
        const wider = e => e.getBoundingClientRect().right > wide + 0.5;
        const out = [...document.body.querySelectorAll("*")].filter(e => wider(e) && ![...e.children].some(wider));
        return out.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ") || "something";
    }""")
    )
