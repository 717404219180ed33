"""Small pictures and albums for the tests of the album, of faults and of crashes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from whichpic.album.store import Store
from whichpic.types import Picture


def picture(number: int, *, width: int = 40, height: int = 30) -> Image.Image:
    """A smooth picture that is unlike that of any other number."""
    colours = np.random.default_rng(number).integers(0, 256, size=(4, 5, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.BICUBIC)


def save(path: Path, number: int, **options: Any) -> Path:
    """Save picture `number`, in the format that the ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(number).save(path, **options)
    return path


def album(root: Path, count: int) -> Path:
    """A folder with `count` different pictures, ten to a folder."""
    for number in range(count):
        save(root / f"{number // 10:03d}" / f"{number}.png", number)
    return root


def content(store: Store) -> dict[str, tuple[Picture, object, object, list[float]]]:
    """Everything that a store knows of each picture, by id, to compare stores by."""
    found = store.vectors("toy-1")
    facts, captions = store.facts(), store.captions()
    pictures = store.pictures()
    assert found is not None or not pictures
    return {
        each.id: (
            each,
            facts.get(each.id),
            captions.get(each.id),
            [] if found is None or found.rows[i] < 0 else found.matrix[found.rows[i]].round(5).tolist(),
        )
        for i, each in enumerate(pictures)
    }


def permissions_bind() -> bool:
    """False for root, who may read and write everything whatever the permissions say."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        try:
            (Path(folder) / "probe").touch()
        except OSError:
            return True
        return False
