"""Every test of models has a home of its own, and no network but the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.servers import Server
from whichpic.models import hub
from whichpic.settings import settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE", "WHICHPIC_OFFLINE", "WHICHPIC_HUB", "MODELSCOPE_DOMAIN"):
        monkeypatch.delenv(name, raising=False)
    for name in (
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WHICHPIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.cache_clear()
    hub._answers.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server({})
    yield made
    made.close()
