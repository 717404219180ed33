"""What opening, finding and talking cost in an album of 123,000 pictures.

    OMP_NUM_THREADS=2 python benchmarks/turns.py [--pictures 123000] [--dim 512] [--keep FOLDER]

Makes a store of that many pictures without pixels (unit vectors, about 12 facts each, a caption for a third), opens it
as the command line would, and prints milliseconds: the first time and the median of the later ones. The encoder costs
nothing, so that what is printed is whichpic's own share. `--keep` leaves the store there for the next run.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whichpic.album import catalogue, vectors
from whichpic.album.store import Store
from whichpic.api import Album
from whichpic.dialogue import Session
from whichpic.types import Fact, Picture, Sight
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.types import Floats

COLOURS = ("red", "green", "blue", "brown", "grey", "white", "black", "yellow")
PEOPLE = ("none", "one", "two", "several")
SENTENCES = ("a dog on the grass", "in the evening light", "with a red car behind it", "two people, no boat")


class Hashed:
    """An encoder whose vectors are drawn from a seed that the text gives: as large as a real one, and free."""

    describe = "hashed: for this benchmark; it understands nothing"

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.id = f"hashed-{dim}"

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of the texts, float32 [len(texts), dim]."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
        return unit(np.stack([np.random.default_rng(seed).standard_normal(self.dim) for seed in seeds]))

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """Nothing here has pixels."""
        raise NotImplementedError


def unit(rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Floats:
    """Rows scaled to length 1, float32."""
    scaled: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def fill(store: Store, encoder: Hashed, n: int) -> None:
    """Write n pictures as indexing would, without the decoding and the seeing."""
    draw = np.random.default_rng(0)
    things = [concept for concept in vocabulary().concepts if concept.kind == "thing"]
    # Few things are in many pictures, and many things in a few.
    share = 1 / np.arange(4, len(things) + 4)
    share /= share.sum()
    centres = draw.standard_normal((300, encoder.dim))
    connection = catalogue.connect(store.home, write=True)
    with catalogue.transaction(connection):
        file = vectors.open_for(connection, store.home, "picture", encoder.id, encoder.dim)
        spoken = vectors.open_for(connection, store.home, "caption", encoder.id, encoder.dim)
        for start in range(0, n, 4096):
            rows = range(start, min(start + 4096, n))
            ids = [hashlib.sha256(str(row).encode()).hexdigest()[:32] for row in rows]
            data = unit(centres[draw.integers(300, size=len(ids))] + draw.standard_normal((len(ids), encoder.dim)))
            crc = vectors.append(file, data)
            captioned = []
            for row, name in zip(rows, ids, strict=True):
                seen = [things[k] for k in draw.choice(len(things), 3, replace=False, p=share)]
                catalogue.put_picture(connection, picture(name, row, int(draw.integers(2**63))))
                connection.execute("INSERT INTO files VALUES (?, ?, 1, 1, NULL)", (f"{row // 500}/{row}.jpg", name))
                catalogue.put_facts(connection, name, "benchmark", facts(draw, [thing.name for thing in seen]))
                if row % 3 == 0:
                    text = f"a {seen[0].name} and a {seen[1].name} {COLOURS[row % 8]} near the {seen[2].name}, {row}"
                    connection.execute("INSERT INTO captions VALUES (?, ?, ?, 0)", (row + 1, name, text))
                    captioned.append(row + 1)
            file = vectors.commit(connection, file, ids, crc)
            said = unit(draw.standard_normal((len(captioned), encoder.dim)))
            spoken = vectors.commit(connection, spoken, captioned, vectors.append(spoken, said))
    connection.close()


def picture(name: str, row: int, phash: int) -> Picture:
    """One picture; every fiftieth looks like the one before it of that kind."""
    taken = f"20{row % 20:02d}-{row % 12 + 1:02d}-{row % 28 + 1:02d}T12:00:00"
    return Picture(name, 4000, 3000, "JPEG", taken, "a camera", phash=row // 1000 if row % 50 == 0 else phash)


def facts(draw: np.random.Generator, names: list[str]) -> list[Fact]:
    """About twelve: three labels, one or two of them boxed, people, colours, light, place."""
    count = int(draw.integers(1, 4))
    boxes = {"count": count, "boxes": [[0.1, 0.2, 0.3, 0.4]] * count}
    people = int(draw.integers(4))
    found = [Fact("label", name, round(float(draw.random()), 4), "benchmark") for name in names]
    found += [Fact("object", name, 0.8, "benchmark", boxes) for name in names[: int(draw.integers(1, 3))]]
    found += [Fact("people", value, 0.9 if k == people else 0.03, "benchmark") for k, value in enumerate(PEOPLE)]
    found += [Fact("colour", COLOURS[int(draw.integers(8))], 0.9, "benchmark")]
    found += [Fact("light", ("day", "night")[int(draw.integers(2))], 0.9, "benchmark")]
    found += [Fact("place", ("indoors", "outdoors")[int(draw.integers(2))], 0.9, "benchmark")]
    return found


class Clock:
    """Milliseconds by name, in the order in which the names came."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.taken.setdefault(name, []).append(1000 * (time.perf_counter() - began))

    def table(self) -> str:
        """One line per name: the first, and the median of the others."""
        lines = [f"{'':34s} {'first':>9s} {'later':>9s}  ms"]
        for name, (first, *later) in self.taken.items():
            lines.append(f"{name:34s} {first:9.1f} {statistics.median(later) if later else float('nan'):9.1f}")
        return "\n".join(lines)


def talk(session: Session, clock: Clock) -> None:
    """Three turns and everything else that a session can be asked."""
    for sentence in SENTENCES:
        with clock("turn: say, results, question"):
            session.say(sentence)
            shown = session.results()
            question = session.question
        if question is not None:
            with clock("turn: answer, results, question"):
                session.answer(0)
                shown = session.results()
                session.questions()
    with clock("how many fit"):
        _ = session.fitting
    with clock("why"):
        session.why(shown[0].picture.id)
    with clock("mark, results, question"):
        session.mark(more=[shown[0].picture.id], less=[shown[1].picture.id])
        session.results()
        session.questions()
    for condition in ("has=dog", "date>=2005", "folder=7", "colour=red"):
        session.filter()
        with clock(f"filter {condition}"):
            session.filter(condition)
        with clock("results, question under a filter"):
            session.results()
            session.questions()
    with clock("undo, results, question"):
        session.undo()
        session.results()
        session.questions()


def memory() -> float:
    """The most memory that this process has held so far, in MB, mapped file pages included."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 if sys.platform != "darwin" else 1024 * 1024)


def measure(folder: Path, n: int, dim: int, step: Callable[[str], None]) -> None:
    """Open, find, talk; print what each took."""
    encoder, clock = Hashed(dim), Clock()
    if not (folder / ".whichpic").exists():
        folder.mkdir(exist_ok=True)
        with Store.open(folder, create=True) as store:
            fill(store, encoder, n)
    step("made")
    before = memory()
    with clock("open, first find"):
        with clock("open"):
            album = Album.open(folder, encoder=encoder)
            gallery = album.gallery
        with clock("find"):
            album.find("a dog on the grass")
    step(f"after the first find: {memory() - before:.0f} MB more than before")
    for word in ("a", "b", "c", "d", "e"):
        with clock("find"):
            album.find(f"a dog on the grass {word}")
    with clock("facts as columns"):
        _ = gallery.facts.things
    talk(album.session(keep=False), clock)
    talk(album.session(keep=False), clock)
    print(clock.table())
    step(f"in all: {memory() - before:.0f} MB more than before; the vectors alone are {4e-6 * n * dim:.0f} MB")
    album.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pictures", type=int, default=123_000)
    options.add_argument("--dim", type=int, default=512)
    options.add_argument("--keep", type=Path)
    chosen = options.parse_args()
    print(f"{chosen.pictures} pictures, {chosen.dim} numbers each")
    if chosen.keep:
        measure(chosen.keep, chosen.pictures, chosen.dim, print)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "album", chosen.pictures, chosen.dim, print)


if __name__ == "__main__":
    main()
