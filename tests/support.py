"""What several tests need: small galleries whose every fact is known, and albums of drawn pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from whichpic.encoders.toy import Toy
from whichpic.search import Exact, Gallery
from whichpic.types import Fact, Picture

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "brown", "black", "white")
THINGS = ("dog", "cat", "car", "umbrella", "chair", "boat", "bird", "banana")
RGB = {
    "red": (220, 20, 20), "green": (40, 160, 50), "blue": (30, 70, 210), "yellow": (250, 230, 40),
    "purple": (120, 40, 160), "orange": (250, 140, 20), "pink": (250, 150, 190), "brown": (120, 70, 30),
    "black": (10, 10, 10), "white": (255, 255, 255),
}  # fmt: skip


def drawn(colour: str, *, noise: int = 0, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture of one colour with a few dots, different for every `noise`."""
    draw = np.random.default_rng(noise)
    pixels = np.full((size[1], size[0], 3), RGB[colour], dtype=np.uint8)
    for _ in range(40):
        x, y = draw.integers(0, size[0] - 6), draw.integers(0, size[1] - 6)
        pixels[y : y + 6, x : x + 6] = draw.integers(0, 256, 3)
    return Image.fromarray(pixels)


def drawn_album(folder: Path, n: int = 20) -> Path:
    """A folder of n drawn PNG pictures in two sub-folders, their colours going round."""
    for i in range(n):
        place = folder / ("first" if i % 2 else "second")
        place.mkdir(parents=True, exist_ok=True)
        drawn(COLOURS[i % len(COLOURS)], noise=i).save(place / f"{i:04d}.png")
    return folder


def gallery(n: int = 200, *, seed: int = 0, captions: Sequence[str] | None = None) -> Gallery:
    """n pictures without pixels: each has a colour that its vector tells, and some things that only its facts tell."""
    draw = np.random.default_rng(seed)
    pictures, facts, vectors = [], {}, []
    encoder = Toy()
    texts = encoder.encode_texts(COLOURS)
    for i in range(n):
        name = f"{i:032x}"
        colour = i % len(COLOURS)
        vector = texts[colour] + 0.2 * draw.standard_normal(encoder.dim).astype(np.float32)
        vectors.append(vector / np.linalg.norm(vector))
        things = [thing for thing in THINGS if draw.random() < 0.3]
        people = ("none", "one", "two", "several")[int(draw.integers(4))]
        facts[name] = (
            *(Fact("object", thing, 0.9, "test", {"count": int(draw.integers(1, 4))}) for thing in things),
            *(
                Fact("people", value, 0.85 if value == people else 0.05, "test")
                for value in ("none", "one", "two", "several")
            ),
            Fact("colour", COLOURS[colour], 0.7, "test"),
            Fact("place", "indoors" if draw.random() < 0.5 else "outdoors", 0.9, "test"),
        )
        year = 2015 + i % 10
        pictures.append(
            Picture(id=name, width=4000 if i % 2 else 800, height=3000 if i % 4 else 1200, format="JPEG",
                    taken=f"{year}-05-01T1{i % 10}:00:00" if i % 3 else None, camera="Nikon D90" if i % 2 else None,
                    latitude=48.86 if i % 5 == 0 else None, longitude=2.35 if i % 5 == 0 else None,
                    phash=int(draw.integers(2**62)), paths=(f"{'holiday' if i % 2 else 'home'}/{i}.jpg",))
        )  # fmt: skip
    texts_of = {picture.id: (caption,) for picture, caption in zip(pictures, captions or (), strict=False) if caption}
    return Gallery(pictures, encoder, index=Exact(np.stack(vectors)), facts=facts, captions=texts_of, version="test-1")
