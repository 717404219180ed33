"""The examples of the READMEs run as they stand, on a small album."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import drawn_album

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_python_example_runs(name: str, tmp_path: Path) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    album = drawn_album(tmp_path / "Pictures", 24)
    code = block[1].replace("~/Pictures", str(album))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False,
        env={"WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1", "WHICHPIC_HOME": str(tmp_path), "PATH": "",
             "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ".png" in done.stdout


def test_both_readmes_name_the_same_commands() -> None:
    def commands(name: str) -> set[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return set(re.findall(r"^\$ (whichpic \w+|make \w+)", text, re.MULTILINE))

    assert commands("README.md") == commands("README.zh-CN.md")


def test_every_file_that_a_readme_links_to_is_there() -> None:
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), (name, target)
