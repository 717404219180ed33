"""Who works when: lists before questions, models beside both. Called by talks.

Two cores serve many people. A list is what somebody waits for, so it goes first; the questions that follow from it are
made when no list is due; what waits for a model has threads of its own, since it mostly waits.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

PATIENCE = 1.0
"""Seconds after which a question is made though lists are due: nobody waits for ever."""


class Desk:
    """Three groups of threads. Any thread may hand in work."""

    def __init__(self, *, waiting: int = 16) -> None:
        cores = os.cpu_count() or 1
        self._lists = ThreadPoolExecutor(max(2, min(cores, 8)), "list")
        self._questions = ThreadPoolExecutor(max(1, cores // 2), "question")
        self._models = ThreadPoolExecutor(waiting, "model")
        self._due = 0
        self._quiet = threading.Condition()

    def list(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Work that somebody waits for. Awaited in an event loop; cancelled, it is dropped unless it has begun."""
        return asyncio.wrap_future(self.list_soon(work, *args, **kwargs))

    def list_soon(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The same for a caller that has no event loop."""
        found = self._lists.submit(work, *args, **kwargs)
        with self._quiet:
            self._due += 1
        found.add_done_callback(self._less_due)  # also where it is cancelled before it has begun
        return found

    def _less_due(self, _: Future[Any]) -> None:
        with self._quiet:
            self._due -= 1
            self._quiet.notify_all()

    def later(self, work: Callable[[], None]) -> None:
        """Work that can wait until no list is due."""

        def run() -> None:
            with self._quiet:
                self._quiet.wait_for(lambda: self._due == 0, PATIENCE)
            work()

        self._questions.submit(run)

    def beside(self, work: Callable[[], T]) -> Future[T]:
        """Work that mostly waits, for a model."""
        return self._models.submit(work)

    def close(self) -> None:
        """End when what is under way has ended; what has not begun never does."""
        for pool in (self._lists, self._questions, self._models):
            pool.shutdown(wait=False, cancel_futures=True)
