"""Ctrl-C while a model's server hangs: a command ends at once, with its one line, whatever its threads wait for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chat.faulty import faulty
from tests.simulate.seeing import drawn
from whichpic.chat.base import Message
from whichpic.chat.batch import Batch
from whichpic.errors import ChatPending

# A shell that runs its jobs in the background has them ignore Ctrl-C, and they hand that on.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from whichpic.cli import main
if __name__ == "__main__":
    main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is a matter of POSIX")
@pytest.mark.parametrize("command", ["describe", "batch", "simulate", "simulate --workers 2", "ask"])
def test_a_server_that_hangs_holds_nobody(command: str, tmp_path: Path) -> None:
    album = tmp_path / "album"
    drawn(album, 8)
    shipped = Path(__file__).parents[2] / "recipes" / "query-rewriting.toml"
    recipe = tmp_path / "mine.toml"
    recipe.write_text(shipped.read_text(encoding="utf-8").replace("[user]\n", '[user]\nevidence = "lexical"\n'))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    for number in range(6):
        with pytest.raises(ChatPending):
            Batch(tmp_path / "asked").complete([Message("user", f"number {number}")])
    name, *more = command.split()
    with faulty("hang") as server:
        words = {
            "describe": [str(album), "--no-index", "--out", str(tmp_path / "out")],
            "batch": [str(tmp_path / "asked")],
            "ask": [str(next(album.rglob("*.[jp][pn]g"))), "What is it?"],
            "simulate": [str(album), "--recipe", str(recipe), "--targets", "4", "--out", str(tmp_path / "d.jsonl")],
        }[name]  # fmt: skip
        env = {**os.environ, "WHICHPIC_HOME": str(tmp_path), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1",
               "OMP_NUM_THREADS": "1"}  # fmt: skip
        child = subprocess.Popen(
            [sys.executable, str(program), name, *words, *more, "--chat", server.url], env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        until = time.monotonic() + 60
        while not server.asked and child.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.2)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
        took = time.monotonic() - began
    assert server.asked, errors
    assert child.returncode == 130 and "stopped;" in errors and "Traceback" not in errors, errors
    assert took < 5, f"{took:.1f} s"
