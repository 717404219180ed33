"""A disk without room: one line, nothing lost, and the next run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.album.making import album, content
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.types import Floats, Sight

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


class Wide(Toy):
    """Vectors that need more room than the catalogue."""

    id = "wide-1"
    dim = 16 * Toy.dim

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        return np.tile(Toy().encode_pictures(pictures), 16)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a matter of POSIX")
def test_no_room_to_compact_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 200)
    with Store.open(root, create=True) as store:
        index(store, Wide())
        index(store, Toy())
    for path in sorted(root.rglob("*.png"))[:60]:
        path.unlink()
    command = [sys.executable, "-c", LIMITED, str(root), "500000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in sorted((root / ".whichpic/vectors").glob("wide*"))] == ["wide-1.0.f32"]
    with Store.open(root, create=True) as store:
        assert index(store, Wide()).encoded == 0
        found = store.vectors("wide-1")
        assert found is not None and (found.rows >= 0).all() and len(found.matrix) == 140
    assert [path.name for path in sorted((root / ".whichpic/vectors").glob("wide*"))] == ["wide-1.1.f32"]
