"""The examples of the READMEs run as they stand, on a small album; the commands there and in docs/ are commands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driving import bare_home, serving
from tests.chat.faulty import faulty
from tests.support import drawn_album
from whichpic import Album

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh-CN.md")


def examples(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", READMES)
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
    for name in (*READMES, "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text):
            assert (ROOT / target).exists(), (name, target)


def of_http(name: str) -> list[str]:
    """The lines that a README gives for the HTTP API: those that begin with the server's address, and what follows."""
    return next(
        lines for block in re.findall(r"```console\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
        if (lines := [line.removeprefix("$ ") for line in block.splitlines()])[0].startswith("A=http")
    )  # fmt: skip


def test_the_requests_of_the_readmes_are_answered(tmp_path: Path) -> None:
    pytest.importorskip("nicegui", reason="needs the extra web")
    for program in ("bash", "curl", "jq", "base64"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    with bare_home(tmp_path):
        album = drawn_album(tmp_path / "Pictures", 24)
        Album.open(album, encoder="toy").index()
    shutil.copy(min(album.rglob("*.png")), tmp_path / "photo.jpg")
    options = ("--encoder", "toy", "--no-index", "--chat")
    with faulty(reply="a dog, no people") as model, serving([album], tmp_path, *options, model.url) as server:
        for name in READMES:
            lines = [line.replace("http://127.0.0.1:8080", server.url) for line in of_http(name)]
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", "\necho ---\n".join(lines)], capture_output=True, text=True,
                timeout=60, check=False, cwd=tmp_path,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            _, found, _, begun, asked = done.stdout.split("---\n")
            assert len(json.loads(found)["pictures"]) == 3
            state = json.loads(begun)
            assert state["turns"][0]["what"] in ("a dog", "一只狗") and state["pictures"]
            assert "a dog" in asked and "event: done" in asked


def test_assistants_are_given_a_command_that_there_is() -> None:
    for name in (*READMES, "docs/mcp.md"):
        for block in re.findall(r"```json\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL):
            (server,) = json.loads(block)["mcpServers"].values()
            parse(" ".join((server["command"], *server["args"])))


def written() -> Iterator[tuple[str, str]]:
    """Every command of the READMEs and of docs/, and where it stands."""
    for path in (*(ROOT / name for name in READMES), *sorted((ROOT / "docs").glob("*.md"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"(?:\$ |    )(whichpic [a-z].*)", line):
                yield path.name, found[1]


@cache
def commands() -> Any:
    """All that whichpic understands."""
    import typer

    from whichpic.cli.app import app

    return typer.main.get_command(app)


def parse(line: str) -> None:
    """Read a command line as whichpic reads it, and run nothing."""
    command = commands()
    words = shlex.split(line.replace(" ...", " x").rstrip("\\ "), comments=True)[1:]
    while words and words[0] in (known := getattr(command, "commands", {})):
        command = known[words.pop(0)]
    command.make_context("whichpic", words)


def test_every_command_that_is_written_down_is_one() -> None:
    lines = list(written())
    assert len(lines) > 100
    for where, line in lines:
        try:
            parse(line)
        except Exception as error:
            raise AssertionError(f"{where}: {line}: {error}") from None
    with pytest.raises(Exception, match="No such option"):
        parse("whichpic serve ALBUM --hots 0.0.0.0")
