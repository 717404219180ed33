"""32 people at once in one album, 10 turns each: how long from Enter to the list, and to its first thumbnails.

    python -m benchmarks.serving ALBUM [--people 32] [--turns 10] [--think 0,1] [--browser]

Starts the real server, and as many clients with a connection of their own. A turn: POST an event, fetch the first six
thumbnails, read the stream of questions to its end, think, answer. With --browser one person more does it in Chromium.
Prints p50, p95 and the maximum; every state must hold the session's own turns and nothing of another's.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

THUMBNAILS = 6
WORDS = (
    "a dog",
    "on the grass",
    "a red car",
    "two people",
    "at night",
    "a boat",
    "snow",
    "a table",
    "many flowers",
    "a street",
)


@dataclass
class Person:
    """One client and what it measured, in seconds."""

    port: int
    album: str
    number: int
    turns: int
    think: float
    lists: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    questions: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    session: str = ""

    def run(self) -> None:
        """All turns, one after another."""
        draw = random.Random(self.number)
        try:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            base = f"/api/v1/albums/{self.album}"
            state = self._json("POST", f"{base}/sessions")
            self.session = str(state["id"])
            said: list[str] = []
            doing: dict[str, Any] = {}
            for turn in range(self.turns):
                time.sleep(draw.uniform(0.5, 1.5) * self.think)
                if not doing:
                    said.append(f"{draw.choice(WORDS)} {self.number}")
                    doing = {"kind": "said", "text": said[-1]}
                began = time.perf_counter()
                state = self._json("POST", f"{base}/sessions/{self.session}/events", doing)
                self.lists.append(time.perf_counter() - began)
                for each in state["pictures"][:THUMBNAILS]:
                    self._fetch("GET", f"{base}/pictures/{each['picture']['id']}/thumbnail?side=320")
                self.firsts.append(time.perf_counter() - began)
                self._check(state, said, turn)
                last = self._stream(f"{base}/sessions/{self.session}/questions")
                self.questions.append(time.perf_counter() - began)
                self._check(last, said, turn)
                options = [each for each in last["questions"] if each["options"]]
                doing = {"kind": "answered", "question": options[0]["id"], "option": 0} if options and turn % 2 else {}
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            self.wrong.append(f"person {self.number}: {type(error).__name__}: {error}")

    def _check(self, state: dict[str, Any], said: list[str], turn: int) -> None:
        words = [each["what"] for each in state["turns"] if each["kind"] == "said"]
        if state["id"] != self.session or words != said or state["turn"] != turn:
            self.wrong.append(f"person {self.number} at turn {turn} sees {state['id']}: {words}, not {said}")

    def _fetch(self, method: str, address: str, body: bytes | None = None) -> bytes:
        self.connection.request(method, address, body, {"Content-Type": "application/json"} if body else {})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in (200, 201):
            raise ValueError(f"{answer.status} {method} {address}: {data[:200]!r}")
        return data

    def _json(self, method: str, address: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._fetch(method, address, json.dumps(body).encode() if body else None))
        return found

    def _stream(self, address: str) -> dict[str, Any]:
        blocks = self._fetch("GET", address).decode().split("\n\n")
        states = [block.partition("data: ")[2] for block in blocks if block.startswith("event: state")]
        found: dict[str, Any] = json.loads(states[-1])
        return found


def in_browser(port: int, album: str, turns: int, think: float) -> tuple[list[float], list[str]]:
    """Seconds from Enter to the first six thumbnails on the page, and what went wrong."""
    from playwright.sync_api import Error, TimeoutError, sync_playwright

    firsts: list[float] = []
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=_chromium(), args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
            )
            page = browser.new_page()
            page.set_default_timeout(30_000)
            page.goto(f"http://127.0.0.1:{port}/album/{album}", wait_until="networkidle")
            box = page.locator("#say")
            for turn in range(turns):
                time.sleep(think)
                box.fill(f"{WORDS[turn % len(WORDS)]} in the browser")
                page.evaluate(_WATCH, THUMBNAILS)
                box.press("Enter")
                try:
                    page.wait_for_function("window.whichpicMs !== null", polling=10, timeout=5_000)
                except TimeoutError:  # the six best are those of before: nothing to measure
                    continue
                firsts.append(float(page.evaluate("window.whichpicMs")) / 1000)
            browser.close()
    except Error as error:
        return firsts, [f"the browser: {str(error).splitlines()[0]}"]
    return firsts, []


_WATCH = """n => {
  const now = () => [...document.querySelectorAll("main img")].slice(0, n);
  const before = now().map(i => i.src).join();
  window.whichpicMs = null;
  let began = 0;
  document.addEventListener("keydown", e => { if (e.key === "Enter" && !began) began = performance.now(); }, {capture: true});
  const look = () => {
    const there = now();
    if (began && there.length === n && there.map(i => i.src).join() !== before
        && there.every(i => i.complete && i.naturalWidth)) {
      window.whichpicMs = performance.now() - began;
    } else requestAnimationFrame(look);
  };
  look();
}"""


def _chromium() -> str | None:
    import shutil

    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def serve(port: int, album: Path) -> None:
    """What the server's process does: as `whichpic serve`, but one visitor may be 32."""
    import uvicorn

    from whichpic.web.app import build
    from whichpic.web.desk import Desk
    from whichpic.web.guard import Rules
    from whichpic.web.limits import Limits, Pace
    from whichpic.web.shelf import opened
    from whichpic.web.site import Site
    from whichpic.web.talks import Talks

    many = Pace(1e6, 1e6)
    shelf, desk = opened([album]), Desk()
    site = Site(shelf, Talks(shelf, desk, asker="facts,pick"), desk)
    app = build(site, rules=Rules(limits=Limits(many, many, many, many)))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


@contextmanager
def server(album: Path) -> Iterator[int]:
    """The port of a server in a process of its own, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.serving", str(album), "--serve", str(port)],
                               env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/api/v1/health")
                connection.getresponse().read()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def line(name: str, seconds: list[float]) -> str:
    """p50, p95 and the maximum in milliseconds."""
    if len(seconds) < 2:
        return f"  {name:<32} {len(seconds)} measured"
    cut = statistics.quantiles(seconds, n=100, method="inclusive")
    p50, p95, most = (f"{1000 * each:6.0f}" for each in (cut[49], cut[94], max(seconds)))
    return f"  {name:<32} p50 {p50}   p95 {p95}   max {most} ms   n {len(seconds)}"


def measured(port: int, album: str, *, people: int, turns: int, think: float, browser: bool) -> list[str]:
    """One round: prints its lines, gives back what went wrong."""
    crowd = [Person(port, album, number, turns, think) for number in range(people)]
    threads = [threading.Thread(target=each.run) for each in crowd]
    seen: list[float] = []
    wrong: list[str] = []
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    if browser:
        seen, wrong = in_browser(port, album, turns, think)
    for thread in threads:
        thread.join()
    print(f"{people} people x {turns} turns, {think:g} s to think: {time.perf_counter() - began:.1f} s")
    print(line("Enter to the list", [each for one in crowd for each in one.lists]))
    print(line(f"Enter to {THUMBNAILS} thumbnails", [each for one in crowd for each in one.firsts]))
    print(line("Enter to the questions", [each for one in crowd for each in one.questions]))
    if browser:
        print(line("in Chromium: to 6 thumbnails", seen))
    wrong += [each for one in crowd for each in one.wrong]
    print(f"  {len(wrong)} wrong" + "".join(f"\n    {each[:300]}" for each in wrong[:5]))
    return wrong


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("album", type=Path)
    options.add_argument("--people", type=int, default=32)
    options.add_argument("--turns", type=int, default=10)
    options.add_argument("--think", default="0,1")
    options.add_argument("--browser", action="store_true")
    options.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.album)
        return 0
    from whichpic.album.store import Store

    with Store.open(chosen.album) as store:
        before = set(store.sessions.glob("*.jsonl"))
    wrong: list[str] = []
    try:
        with server(chosen.album) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/api/v1/albums")
            album = json.loads(connection.getresponse().read())["albums"][0]["name"]
            connection.close()
            for think in chosen.think.split(","):
                wrong += measured(port, album, people=chosen.people, turns=chosen.turns, think=float(think),
                                  browser=chosen.browser)  # fmt: skip
    finally:
        for path in set(store.sessions.glob("*.jsonl")) - before:
            path.unlink(missing_ok=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
