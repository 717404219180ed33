"""More talk must not make the list worse: recorded dialogues over an album of captions, constants cross-fitted.

    python -m benchmarks.more_talk DATA [--cache FOLDER] [--harm 2.5] [--out FOLDER]

DATA holds chatir/ (VisDial_v1.0_queries_val.json, ChatGPT_BLIP2.json). The album is the 2,064 human dialogues without
their captions; ChatGPT_BLIP2's dialogues are heard as events. Constants are fitted on one half of the pictures and read
on the other, both ways round. Bundled models only; about ten minutes on two cores. With --out, summary.json for
`whichpic report`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from whichpic.album.datasets import read_dataset
from whichpic.dialogue import BeliefSettings
from whichpic.encoders import open_encoder
from whichpic.evaluate.calibration import coverage, ece
from whichpic.evaluate.fitting import HARM, cross_fitted, none_fits
from whichpic.evaluate.intervals import drops, values_of
from whichpic.evaluate.metrics import bri, harm, hits_at, recall_at
from whichpic.evaluate.replaying import Remembering, read_heard
from whichpic.evaluate.run import Run
from whichpic.evaluate.summary import summarise
from whichpic.search.gallery import Gallery


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--cache", type=Path)
    options.add_argument("--harm", type=float, default=HARM)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    documents = read_dataset(chosen.data / "chatir" / "VisDial_v1.0_queries_val.json", opening=False)
    gallery = Gallery.of_captions(documents, Remembering(open_encoder("names")), cache=chosen.cache)
    dialogues = read_heard(chosen.data / "chatir" / "ChatGPT_BLIP2.json", gallery)
    run = cross_fitted(
        gallery, dialogues, BeliefSettings(), what="texts", harm=chosen.harm, seed=chosen.seed, told=told
    )
    show(run)
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "summary.json").write_text(json.dumps(summarise([run])), encoding="utf-8")


def show(run: Run) -> None:
    """The figures by turn, and what the gates are about."""
    rank = run.ranks.rank("mean")
    assert run.confidence is not None and run.in_set is not None and run.fits is not None
    assert run.fits_absent is not None
    told = coverage(run.in_set)
    print("| turn | Recall@10 | Hits@10 | ECE | coverage |\n|---|---|---|---|---|")
    for turn, (recall, hits) in enumerate(zip(recall_at(rank, 10), hits_at(rank, 10), strict=True)):
        off = ece(run.confidence[:, turn], run.right[:, turn])
        print(f"| {turn} | {100 * recall:.2f} | {100 * hits:.2f} | {off:.3f} | {100 * told[turn]:.1f} |")
    worst = harm(rank)
    print(f"\nBRI {bri(rank)[-1]:.4f}")
    print(f"top-10 targets lost from a turn to the next: {[f'{100 * lost:.1f}' for lost in worst.lost]} %")
    print(
        f"end worse than they began {100 * worst.ended_worse:.1f} %, found then lost {100 * worst.found_then_lost:.1f} %"
    )
    fall = drops(values_of(run.ranks, "recall@10"))
    print(f"below the best earlier turn, points: {np.round(100 * fall.difference, 2).tolist()}")
    print(f"  95 % intervals: {np.round(100 * fall.low, 2).tolist()} to {np.round(100 * fall.high, 2).tolist()}")
    print(f"coverage of all turns {100 * run.in_set.mean():.1f} %")
    print(f"nothing here fits: {json.dumps(none_fits(run.fits, run.fits_absent))}")


def told(what: str, done: int, total: int) -> None:
    """A line for every thousand dialogues."""
    if done in (1, total) or done % 1000 == 0:
        print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
