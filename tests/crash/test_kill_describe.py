"""Kill -9 while a model describes pictures: no caption that was written is lost or asked for again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import drawn_album
from whichpic.album.described import read_described
from whichpic.chat.scripted import Scripted
from whichpic.describe import describe, folder_sources

KILLS = 4
PICTURES = 60

CHILD = """
import sys, time
from pathlib import Path
from whichpic.chat.scripted import Scripted
from whichpic.describe import describe, folder_sources

def slow(messages):
    time.sleep(0.05)
    return "a dog."

describe(folder_sources(Path(sys.argv[1])), Scripted(slow), Path(sys.argv[2]), dimensions=["scene", "mood"], workers=3,
         on_progress=lambda now: print(now.done, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a matter of POSIX")
def test_kills(tmp_path: Path) -> None:
    folder = drawn_album(tmp_path / "album", PICTURES)
    journal = tmp_path / "said.jsonl"
    before = 0
    for kill in range(KILLS):
        running = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(journal)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert running.stdout
        finished = [running.stdout.readline() for _ in range(2 + kill)]
        running.kill()
        running.communicate()
        now = len(read_described(journal))
        assert finished[-1] and now >= before + 2 * (2 + kill), "what a person saw finished is on the disk"
        before = now
    chat = Scripted(lambda _: "a dog.")
    report = describe(folder_sources(folder), chat, journal, dimensions=["scene", "mood"])
    assert report.kept == before and report.captions == len(chat.asked) == 2 * PICTURES - before
