"""Where the published files are that are too large, or not ours, to be in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def published_file(name: str) -> Path:
    """One of the files, or a skip that says which one is not there."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {DATA.parent.name}/{DATA.name} beside the repository")
    return path
