"""`whichpic scenes`, as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from whichpic.errors import AlbumError
from whichpic.simulate.scenes import write_album


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "whichpic", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_album_is_drawn_and_another_seed_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    done = run("scenes", str(folder), "-n", "4", "--side", "64")
    assert done.returncode == 0, done.stderr
    assert "4 pictures" in done.stdout and "whichpic index" in done.stderr
    assert len(list(folder.glob("*.png"))) == 4
    assert json.loads((folder / "pictures.jsonl").read_text().splitlines()[3])["file"] == "drawn-0-000003.png"
    other = run("scenes", str(folder), "-n", "4", "--side", "64", "--seed", "1")
    assert other.returncode == 2 and other.stderr.splitlines()[-1].startswith("whichpic: ")
    assert "give an empty folder" in other.stderr
    assert "whichpic scenes" in run("scenes", "--help").stdout


def test_nothing_is_drawn_among_somebodys_pictures(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(AlbumError, match="give an empty folder"):
        write_album(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
