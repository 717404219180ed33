"""The examples of the READMEs run as they stand, on a small album."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chat.faulty import faulty
from tests.support import drawn_album

ROOT = Path(__file__).resolve().parents[1]


def examples(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_python_examples_run(name: str, tmp_path: Path) -> None:
    of_albums, of_a_model, of_metrics = examples(name)
    album = drawn_album(tmp_path / "Pictures", 24)

    def printed(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code.replace("~/Pictures", str(album))], capture_output=True, text=True,
            timeout=100, check=False, cwd=tmp_path,
            env={"WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1", "WHICHPIC_HOME": str(tmp_path), "PATH": "",
                 "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert ".png" in printed(of_albums)
    shutil.copy(min(album.rglob("*.png")), tmp_path / "photo.jpg")
    with faulty(reply="a dog, no people") as server:
        answer, found = printed(of_a_model.replace("ollama:qwen2.5vl", server.url)).splitlines()
    assert answer == "a dog, no people" and found.endswith(".png") and len(server.asked) > 1, (answer, found)
    lists, best, last = printed(of_metrics).splitlines()
    assert lists.startswith("[0.66") and best.endswith("1.        ]") and last.startswith("1.69"), (lists, best, last)


def test_both_readmes_show_the_same_figures() -> None:
    def figures(name: str) -> list[str]:
        tables = re.findall(r"^\|.*\|$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        return sorted(re.findall(r"(?<![\w.])[+-]?\d[\d,]*\.\d+", "\n".join(tables)))

    assert figures("README.md") == figures("README.zh-CN.md") != []


def test_both_readmes_name_the_same_commands() -> None:
    def commands(name: str) -> set[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return set(re.findall(r"^\$ (whichpic \w+|make \w+)", text, re.MULTILINE))

    assert commands("README.md") == commands("README.zh-CN.md")


def test_every_file_that_a_readme_links_to_is_there() -> None:
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), (name, target)
