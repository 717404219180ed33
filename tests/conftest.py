"""What holds for all tests: their home is empty, but for those that are marked as using weights of this machine.

A machine with the bundled weights would look with them at every album that a test draws, for seconds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

WEIGHTS = ("bundled", "torch", "server", "faiss")
NAME = "WHICHPIC_HOME"
EMPTY = pytest.StashKey[Path]()
OWN = pytest.StashKey[str | None]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OWN] = os.environ.get(NAME)
    config.stash[EMPTY] = Path(tempfile.mkdtemp(prefix="whichpic-home-"))
    _live_in(str(config.stash[EMPTY]))


def pytest_unconfigure(config: pytest.Config) -> None:
    _live_in(config.stash[OWN])
    shutil.rmtree(config.stash[EMPTY], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if not any(item.get_closest_marker(name) for name in WEIGHTS):
        return (yield)
    before = os.environ.get(NAME)
    _live_in(item.config.stash[OWN])
    try:
        return (yield)
    finally:
        _live_in(before)


def _live_in(home: str | None) -> None:
    from whichpic.settings import settings

    if home is None:
        os.environ.pop(NAME, None)
    else:
        os.environ[NAME] = home
    settings.cache_clear()
