"""The banner of an album that is being indexed: how far, how fast, what was left out, pause, resume. Called by conversation."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from nicegui import background_tasks, ui

from whichpic.web.pages.elements import button, el, put, said

if TYPE_CHECKING:
    from whichpic.web.pages.conversation import Page
    from whichpic.web.pages.frame import Say
    from whichpic.web.shelf import Indexing

OFTEN = 0.5
"""Seconds between two drawings: reading is slower than indexing."""
READ = 20.0
"""Seconds for which the end of it can be read."""
MOST_SKIPS = 200


class Growing:
    """Drawn where it is made, empty while nothing is indexed. It follows the album by itself until the page is closed."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._n = self._pictures()
        self._loop = asyncio.get_running_loop()
        self._due = False
        self._drawn = 0.0
        self._last: tuple[object, ...] = ()
        self._box = el("section", cls="banner growing", aria_label=page.say("grow.label"), hidden=True)
        with self._box:
            with el("div", cls="line") as self._line:
                self._text = el("p")
                self._bar = el("progress", cls="progress", max=1, aria_label=page.say("grow.label"))
                self._buttons = el("div", cls="line")
            with el("details", hidden=True) as self._skips:
                self._how_many = el("summary")
                self._names = el("ul", cls="skips")
        self._said = said(cls="unseen")
        end = page.album.watch(self._moved)
        ui.context.client.on_delete(end)
        self._draw()

    def _moved(self) -> None:
        """From any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._soon)

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            background_tasks.create(self._later(), name="indexing")

    async def _later(self) -> None:
        await asyncio.sleep(max(0.0, self._drawn + OFTEN - time.monotonic()))
        self._due = False
        if not self._box.is_deleted:
            self._draw()

    def _pictures(self) -> int:
        return self.page.album.gallery.n if self.page.album.ready else 0

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        now = self.page.album.indexing
        idle = now.state == "idle"
        # What was left out can still be read when all else is done.
        put(self._box, hidden=idle and not (self._last and now.skipped))
        put(self._line, hidden=idle)
        if not idle:
            self._text.text = self._told(now)
            known = now.state == "running" and now.total > 0
            put(self._bar, value=min(1.0, round(now.done / now.total, 3)) if known else None,
                hidden=now.state == "failed")  # fmt: skip
        if (now.state, now.skipped) != self._last and (self._last or not idle):
            before, self._last = self._last[:1], (now.state, now.skipped)
            if before != (now.state,):
                self._offer(now)
                self._aloud(now)
            put(self._skips, hidden=not now.skipped)
            if now.skipped:
                background_tasks.create(self._left_out(now.skipped), name="files left out")

    def _aloud(self, now: Indexing) -> None:
        """Only what begins and ends is read out: who hears it would hear nothing else. How it ended can be read, too."""
        say = self.page.say
        self._said.classes(add="" if now.state == "idle" else "unseen", remove="unseen" if now.state == "idle" else "")
        if now.state == "idle":
            new, self._n = self._pictures() - self._n, self._pictures()
            self._said.text = say("grow.new", n=f"{new:,}") if new > 0 else say("grow.done")
            background_tasks.create(self._hush(self._said.text), name="indexed")
        else:
            self._said.text = say(f"grow.{now.state}", error=now.error)

    async def _hush(self, text: str) -> None:
        """What has been read need not stand there for good."""
        await asyncio.sleep(READ)
        if not self._said.is_deleted and self._said.text == text:
            self._said.text = ""

    def _told(self, now: Indexing) -> str:
        say = self.page.say
        if now.state == "failed":
            return say("grow.failed", error=now.error)
        if not now.total:
            return say("grow.scan") if now.state == "running" else say("grow.paused", error="")
        parts = [
            say("grow.paused", error="") if now.state == "paused" else say("grow.running", error=""),
            say("grow.so_far", done=f"{now.done:,}", total=f"{now.total:,}"),
        ]
        if now.state == "running" and now.per_second:
            parts.append(
                say("grow.speed", n=f"{now.per_second:,.0f}" if now.per_second >= 10 else f"{now.per_second:.1f}")
            )
        if now.state == "running" and now.seconds_left is not None:
            parts.append(_left(say, now.seconds_left))
        return " · ".join(parts)

    def _offer(self, now: Indexing) -> None:
        say, album = self.page.say, self.page.album
        self._buttons.clear()
        with self._buttons:
            if now.state == "running":
                self._pauses = button(say("grow.pause"), on_click=self._pause, do="pause")
            elif now.state == "paused":
                button(say("grow.resume"), on_click=album.start, do="resume")
            elif now.state == "failed":
                button(say("grow.retry"), on_click=album.start, do="resume")

    def _pause(self) -> None:
        """The batch that is under way is ended first, which takes a while."""
        self.page.album.pause()
        self._pauses.text = self.page.say("grow.pausing")
        put(self._pauses, aria_disabled="true")

    async def _left_out(self, n: int) -> None:
        """The files and the reasons, as far as the run has written them down."""
        skips = await asyncio.to_thread(self.page.album.skips)
        if self._names.is_deleted:
            return
        self._how_many.text = self.page.say("grow.skipped", n=f"{n:,}")
        self._names.clear()
        with self._names:
            for skip in skips[:MOST_SKIPS]:
                with el("li"):
                    el("span", skip.path)
                    el("span", skip.reason, cls="soft")
            if len(skips) > MOST_SKIPS:
                el("li", self.page.say("grow.skipped.more", n=f"{len(skips) - MOST_SKIPS:,}"))


def _left(say: Say, seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return say("grow.left.seconds", n=max(1, round(seconds)))
    return say("grow.left.minutes", n=minutes) if minutes < 90 else say("grow.left.hours", n=round(minutes / 60))
