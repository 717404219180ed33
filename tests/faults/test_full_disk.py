"""A disk without room: one line, nothing lost, and the next run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.album.making import album, content
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy

LIMITED = """
import resource, signal, sys
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import StoreFull

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with Store.open(sys.argv[1], create=True) as store:
        index(store, Toy(), batch=4)
except StoreFull as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a matter of POSIX")
@pytest.mark.parametrize("room", [0, 8_000, 40_000, 100_000, 250_000])
def test_a_full_disk_loses_nothing(tmp_path: Path, room: int) -> None:
    root = album(tmp_path / "album", 120)
    with Store.open(root, create=True) as store:
        (root / "aside").mkdir()
        hidden = [path.rename(tmp_path / path.name) for path in sorted(root.rglob("*.png"))[20:]]
        index(store, Toy())
        before = content(store)
    for path in hidden:
        path.rename(root / path.name)
    command = [sys.executable, "-c", LIMITED, str(root), str(room)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout.count("\n") == 1
    assert "no room left" in done.stdout
    assert "Traceback" not in done.stderr
    with Store.open(root) as store:
        kept = content(store)
        assert {key: value for key, value in kept.items() if key in before} == before
    with Store.open(root, create=True) as store:
        report = index(store, Toy())
        assert report.encoded == 120 - len(kept)
        assert len(store.pictures()) == 120
