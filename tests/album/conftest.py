from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from whichpic.settings import settings


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for every test, so that none sees the stores of another."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("WHICHPIC_HOME", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()
