"""What the encoder makes of answers that a model words: right options, yes and no, "something else", by where the bar is.

    python -m benchmarks.asked DATA [--pictures 1000] [--questions 200] [--encoder names] [--cache FOLDER]

DATA holds PlugIR's captions of COCO pictures. The album knows three captions of each picture; the options are the last
captions of the target and of others, whole or their first words: others that are near the target, or any. Printed are the
mean ln p of the true answer (chance: -1.39 of four, -0.69 of two) and how often yes and no are right.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from whichpic.album.datasets import DataSet
from whichpic.dialogue import BeliefSettings, likelihood
from whichpic.dialogue.events import Question
from whichpic.dialogue.likelihood import NO, answer_likelihood
from whichpic.dialogue.phrases import proposed
from whichpic.encoders import open_encoder
from whichpic.search import Gallery


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--encoder", default="names")
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    gallery, held = album(given.data, given.pictures, given.encoder, given.cache)
    settings = BeliefSettings.fitted(gallery.encoder.id)
    print(f"{gallery.encoder.id}, {gallery.n} pictures, {given.questions} targets, scale {settings.scale}")
    print(
        "| others | words | bar | 1 of 3 right | ln p, among them | ln p, none of them | ln p, yes or no | these right |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for near in (True, False):
        for words in (100, 6, 3):
            for bar in (0.0, 0.4, 0.6, 0.7, 0.8):
                likelihood._BAR = bar
                figures = played(gallery, held, settings, given.questions, words=words, near=near)
                text = " | ".join(f"{figure:.2f}" for figure in figures)
                print(
                    f"| {'near' if near else 'any'} | {words if words < 100 else 'all'} | {bar} | {text} |", flush=True
                )


def album(data: Path, n: int, encoder: str, cache: Path | None) -> tuple[Gallery, list[str]]:
    """n pictures with three captions each, and a further caption of every one, in the order of the pictures."""
    rows = json.loads((data / "plugir" / "coco_captions.json").read_text(encoding="utf-8"))
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:n]).tolist()
    captions = {f"{k:06}": tuple(map(str, rows[k]["caption"][:3])) for k in chosen}
    gallery = Gallery.of_captions(DataSet("coco", tuple(captions), captions), open_encoder(encoder), cache=cache)
    return gallery, [str(rows[k]["caption"][-1]) for k in chosen]


def played(
    gallery: Gallery, held: Sequence[str], settings: BeliefSettings, questions: int, *, words: int, near: bool
) -> list[float]:
    """Share right of three; mean ln p where one is true, where none is, of yes and no; share of these right."""
    draw = np.random.default_rng(1)
    vectors = gallery.told_vectors(np.arange(gallery.n, dtype=np.int64))

    def p(question: Question, target: int) -> list[float]:
        return [float(x) for x in answer_likelihood(gallery, question, settings, np.array([target], dtype=np.int64))[0]]

    found = []
    for target in draw.permutation(gallery.n)[:questions].tolist():
        pool = np.argsort(-(vectors @ vectors[target]))[1:30] if near else draw.permutation(gallery.n)
        others = [int(k) for k in draw.permutation(pool) if k != target][:3]
        says = [" ".join(held[k].split()[:words]) for k in (target, *others)]
        among = p(which(says[:3]), target)
        none = p(which(says[1:]), target)
        yes, no = p(whether(says[0]), target)[0], p(whether(says[1]), target)[1]
        right = float(among[0] == max(among[:3]))
        found.append([right, np.log(among[0]), np.log(none[3]), (np.log(yes) + np.log(no)) / 2,
                      ((yes > 0.5) + (no > 0.5)) / 2])  # fmt: skip
    return [float(x) for x in np.mean(found, axis=0)]


def which(says: Sequence[str]) -> Question:
    """Three options, and something else."""
    return proposed("What is it?", [(str(k), text) for k, text in enumerate(says)], asker="captions")


def whether(says: str) -> Question:
    """Yes and no."""
    return proposed("Is it so?", [("yes", says), ("no", NO)], asker="captions")


if __name__ == "__main__":
    main()
