"""Files of hundreds of megabytes: read, but never many at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.album.making import save

PROGRAM = """
import resource, sys
from pathlib import Path
from whichpic.album.reading import load_ahead
names = [path.name for path in sorted(Path(sys.argv[1]).iterdir())]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert all(not loaded.reason for loaded in load_ahead(Path(sys.argv[1]), names, (), threads=len(names)))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss, and files with holes")
def test_large_files_are_in_memory_one_at_a_time(tmp_path: Path) -> None:
    for number in range(6):
        os.truncate(save(tmp_path / f"{number}.jpg", number), 120 << 20)  # what follows a JPEG's end is passed by
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 3 * 120
