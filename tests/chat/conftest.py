"""Tiny local models for the tests of this folder: made and opened once, where torch is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chat import tiny
from tests.chat.asking import ALL

if TYPE_CHECKING:
    from whichpic.chat.local import Local


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of weights per family, made once."""
    made = {}
    for name in ALL:
        folder = tmp_path_factory.mktemp(name)
        made[name] = getattr(tiny, f"tiny_{name}")(folder)
    return made


@pytest.fixture(scope="session")
def opened(folders: dict[str, Path]) -> dict[str, Local]:
    """The Chats of these folders, opened once."""
    from whichpic.chat.local import open_local

    return {name: open_local(folder, device="cpu") for name, folder in folders.items()}
