"""How long a second index takes over files that have not changed: python benchmarks/reindex.py [FILES]."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy


def main(count: int) -> None:
    """Make `count` small pictures, index them twice, print the seconds of each."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "album"
        for number in range(count):
            path = root / f"{number // 500:03d}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, size=(24, 32, 3), dtype=np.uint8)).save(path)
        with Store.open(root, create=True) as store:
            first = index(store, Toy())
        began = time.perf_counter()
        with Store.open(root, create=True) as store:
            second = index(store, Toy())
        seconds = time.perf_counter() - began
        print(f"files {count}: first index {first.seconds:.2f} s, {first.encoded} encoded")
        print(f"files {count}: second index {seconds:.2f} s, {second.encoded} encoded, {second.unchanged} unchanged")
        began = time.perf_counter()
        with Store.open(root) as store:
            store.pictures()
            store.vectors(Toy.id)
        print(f"files {count}: opened for reading, pictures and vectors in {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
