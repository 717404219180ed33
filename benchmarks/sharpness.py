"""How sharp the belief should be after one sentence: log-loss and coverage for several values of beta.

    python benchmarks/sharpness.py sample-album [--encoder names]

The captions of the development set whose pictures are in the album are said one at a time; for each beta it prints the
mean negative log-probability of the picture meant (nats), the share of captions whose 90 % set holds it, and the median
size of that set. The 45 COCO photographs are not among the captions.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from whichpic import Album
from whichpic.dialogue import BeliefSettings, Said, believe
from whichpic.dialogue.events import Record

CAPTIONS = Path(__file__).parent / "dev_captions.json"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("album", type=Path)
    options.add_argument("--encoder", default="names")
    chosen = options.parse_args()
    gallery = Album.open(chosen.album, encoder=chosen.encoder).gallery
    by_name = {Path(path).name: k for k, picture in enumerate(gallery.pictures) for path in picture.paths}
    captions = json.loads(CAPTIONS.read_text(encoding="utf-8"))["captions"]
    said = [
        (text, by_name[Path(path).name])
        for path, texts in captions.items()
        if Path(path).name in by_name
        for text in texts
    ]
    print(f"{len(said)} captions, {gallery.n} pictures, encoder {gallery.encoder.id}\n")
    print("| beta | log-loss | coverage of the 90 % set | its median size |\n|---|---|---|---|")
    for beta in (0.75, 1.0, 1.25, 1.5, 2.0, 2.5):
        settings = replace(BeliefSettings(), beta=beta)
        loss, held, sizes = [], [], []
        for text, target in said:
            belief = believe(gallery, [Record(0, Said.of(text))], settings)
            credible = belief.credible(0.9)
            loss.append(-np.log(max(belief.p[target], 1e-300)))
            held.append(target in credible)
            sizes.append(len(credible))
        print(f"| {beta} | {np.mean(loss):.2f} | {100 * np.mean(held):.0f} % | {np.median(sizes):.0f} |")


if __name__ == "__main__":
    main()
