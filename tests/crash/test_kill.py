"""Fifty times kill -9 while an album is indexed: nothing that was committed is lost, and the end is the same."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.album.making import album, content
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError
from whichpic.types import Picture

Content = dict[str, tuple[Picture, object, object, list[float]]]
KILLS = 50
PICTURES = 500

# The child indexes another album first, so that everything is imported when it says that it is ready; and it collects its
# garbage then, which would take up most of a life of some hundredths of a second.
CHILD = """
import gc, sys, time
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy

class Slow(Toy):
    def encode_pictures(self, pictures, sights=None):
        time.sleep(0.005)
        return super().encode_pictures(pictures, sights)

for root in sys.argv[1:]:
    with Store.open(root, create=True) as store:
        index(store, Slow(), batch=3, threads=2)
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()
"""


def child(root: Path, other: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, str(other), str(root)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def lost(committed: Content, now: Content) -> list[str]:
    """Pictures that were committed and are gone, or of which something is. A copy may have been found since."""
    gone = []
    for key, (picture, *rest) in committed.items():
        found, *others = now.get(key, (None,))
        same = found is not None and replace(picture, paths=()) == replace(found, paths=()) and rest == others
        if found is None or not same or not set(picture.paths) <= set(found.paths):
            gone.append(key)
    return gone


def known(root: Path) -> Content:
    try:
        with Store.open(root) as store:
            return content(store)
    except AlbumError as error:
        assert "has not been indexed" in str(error)
        return {}


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a matter of POSIX")
@pytest.mark.timeout(240)
def test_fifty_kills(tmp_path: Path) -> None:
    numbers = random.Random(9)
    root = album(tmp_path / "album", PICTURES)
    shutil.copytree(root / "000", root / "copies")
    undisturbed = tmp_path / "undisturbed" / "album"
    shutil.copytree(root, undisturbed)
    with Store.open(undisturbed, create=True) as store:
        index(store, Toy())
        wanted = content(store)
    committed: Content = {}
    stages: list[int] = []
    waiting = child(root, album(tmp_path / "warm0" / "album", 1))
    try:
        for turn in range(1, KILLS + 1):
            # The next one starts while this one works.
            running, waiting = waiting, child(root, album(tmp_path / f"warm{turn}" / "album", 1))
            assert running.stdout
            assert running.stdin
            assert running.stdout.readline() == "ready\n"
            running.stdin.write("go\n")
            running.stdin.flush()
            time.sleep(numbers.uniform(0.005, 0.12))
            acknowledged = known(root)
            time.sleep(numbers.uniform(0, 0.06))
            running.kill()
            running.communicate()
            committed = committed | acknowledged
            now = known(root)
            assert not lost(committed, now)
            stages.append(len(now))
    finally:
        waiting.kill()
        waiting.communicate()
    assert len(set(stages)) > 10, f"the kills fell on too few moments: {stages}"
    assert stages[-1] > 100
    with Store.open(root, create=True) as store:
        report = index(store, Toy())
        assert report.encoded == PICTURES - stages[-1]
        final = content(store)
    assert final == wanted
