"""How fast captions are read and encoded, and how fast an album that needs nothing is done with.

    python benchmarks/captions.py [FILE] [--texts 600] [--pictures 50000] [--encoder names]

FILE: a data set of captions to be read; without it one is made, with five captions to a picture. The sentences to be
encoded are made of the vocabulary, all different. Times are of one core, then of as many calls at a time as `--calls`
says, with the same vectors or an error. Weights: `whichpic models get bundled`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whichpic.album.datasets import read_dataset
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders import open_encoder
from whichpic.encoders.toy import Toy
from whichpic.search.gallery import Gallery
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from whichpic.types import Floats

_PART = 64


class Free(Toy):
    """Costs nothing: what is left is the album's own work."""

    id = "free-1"

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return np.ones((len(texts), self.dim), np.float32)


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Sentences as captions are, all different."""
    draw = random.Random(seed)
    things = [name for name in vocabulary().coco if name]
    colours, places = ("red", "green", "white", "black", "small", "large"), ("street", "kitchen", "field", "beach")
    found: dict[str, None] = {}
    while len(found) < count:
        one, other = draw.sample(things, 2)
        found[
            f"a {draw.choice(colours)} {one} is {draw.choice(('near', 'behind', 'next to'))} "
            f"a {draw.choice(colours)} {other} in a {draw.choice(places)} at {draw.randint(1, 12)} o'clock"
        ] = None
    return list(found)


def encoding(name: str, count: int, calls: int) -> None:
    """Texts a second, one after the other and several calls at a time."""
    texts = sentences(2 * count)
    encoder = open_encoder(name)
    encoder.encode_texts(["nothing"])

    def timed(texts: list[str], workers: int) -> None:
        parts = [texts[start : start + _PART] for start in range(0, len(texts), _PART)]
        wall, busy = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(workers) as pool:
            found = np.concatenate(list(pool.map(encoder.encode_texts, parts)))
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        print(f"{encoder.id}: {workers} at a time, {len(texts) / wall:.0f} texts/s, {busy / wall:.2f} cores busy")
        if workers > 1:  # again, one after the other: an encoder that remembers must not have been asked before
            again = open_encoder(name)
            assert np.array_equal(found, np.concatenate([again.encode_texts(part) for part in parts])), "other vectors"

    timed(texts[:count], 1)
    timed(texts[count:], calls)


def reading(given: Path | None, pictures: int) -> None:
    """Captions a second that are read, and an index of them whose encoder is free, the second time for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = given or Path(folder) / "said.jsonl"
        if given is None:
            texts = sentences(5000)
            draw = random.Random(1)
            with file.open("w", encoding="utf-8") as out:
                for number in range(pictures):
                    said = [f"{draw.choice(texts)} {number}" for _ in range(5)]
                    out.write(json.dumps({"id": f"{number}.jpg", "captions": said}) + "\n")
        began = time.perf_counter()
        dataset = read_dataset(file)
        seconds = time.perf_counter() - began
        count = sum(map(len, dataset.captions.values()))
        print(f"read {count} captions of {len(dataset.pictures)} pictures in {seconds:.2f} s, {count / seconds:.0f}/s")
        with Store.open(file, store=Path(folder) / "store", create=True) as store:
            for what in ("first", "second"):
                print(f"{what} index, without the encoder's time: {index(store, Free()).seconds:.2f} s")
            began = time.perf_counter()
            Gallery.of(store, Free())
            print(f"opened in {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--encoder", default="names")
    parser.add_argument("--calls", type=int, default=2)
    options = parser.parse_args()
    reading(options.file, options.pictures)
    encoding(options.encoder, options.texts, options.calls)
