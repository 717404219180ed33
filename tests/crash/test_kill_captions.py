"""Kill -9 while a data set of captions is indexed: nothing that was committed is lost, and the end is the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError

KILLS = 10
CAPTIONS = 6000

# It says what it does, so that the kills fall on its work however busy the machine is.
CHILD = """
import sys, time
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy

class Slow(Toy):
    def encode_texts(self, texts):
        time.sleep(0.06)
        return super().encode_texts(texts)

with Store.open(sys.argv[1], create=True) as store:
    index(store, Slow(), on_progress=lambda now: print(now.phase, flush=True))
"""


def encoded(file: Path) -> tuple[int, int]:
    """Captions that are in the catalogue, and how many of them, and of the pictures' texts, have a vector."""
    try:
        with Store.open(file) as store:
            found, texts = store.caption_vectors(Toy.id), store.text_vectors(Toy.id)
            captions = sum(map(len, store.captions().values()))
            spoken = 0 if found is None else len(found.rows)
            return captions, spoken + (0 if texts is None else int((texts.rows >= 0).sum()))
    except AlbumError as error:
        assert "has not been indexed" in str(error) or "index the album once more" in str(error)
        return 0, 0


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a matter of POSIX")
def test_ten_kills(tmp_path: Path) -> None:
    numbers = random.Random(4)
    file = tmp_path / "said.jsonl"
    lines = [{"id": f"{n}.jpg", "captions": [f"number {n}", f"red {n * 7}"]} for n in range(CAPTIONS // 2)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    stages = [(0, 0)]
    for _ in range(KILLS):
        running = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(file)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert running.stdout
        for _ in range(numbers.randint(1, 4)):
            running.stdout.readline()
        time.sleep(numbers.uniform(0, 0.08))
        running.kill()
        running.communicate()
        stages.append(encoded(file))
        assert stages[-1][0] in (0, CAPTIONS), "all captions are committed at once"
        assert stages[-1] >= stages[-2]
    assert len(set(stages)) > 4, f"the kills fell on too few moments: {stages}"
    with Store.open(file, create=True) as store:
        index(store, Toy())
        texts = store.text_vectors(Toy.id)
        assert texts is not None and (texts.rows >= 0).all()
        said = [", ".join(store.captions()[picture.id]) for picture in store.pictures()]
        np.testing.assert_allclose(texts.matrix[texts.rows], Toy().encode_texts(said), atol=1e-6)
        found, pictures, captions = store.caption_vectors(Toy.id), store.pictures(), store.captions()
        assert found is not None and len(found.rows) == CAPTIONS
        told = [text for picture in pictures for text in captions[picture.id]]
        np.testing.assert_allclose(found.matrix[found.rows], Toy().encode_texts(told), atol=1e-6)
