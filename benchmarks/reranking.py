"""What a small model's looks are worth: yes or no on the K best pictures, none, with weight 1, and with a fitted weight.

    python -m benchmarks.reranking DATA --chat URL_OR_MODEL [--pictures 2000] [--targets 100] [--rerank 10] [--cache FOLDER]

DATA holds PlugIR's captions of COCO pictures. The album knows three captions of each; what is said is a further one. The
model reads the captions of the K best (a model that sees would look at the pictures). The weight is fitted on half of the
targets and read on the other, both ways round; intervals are of a paired bootstrap. With --cache it can be stopped and
goes on from there. `whichpic fit ALBUM dialogues.jsonl --what models` fits the same weight for an album and a model of yours.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.asked import album
from whichpic.chat import open_chat
from whichpic.dialogue import BeliefSettings, Said
from whichpic.dialogue.events import Noted, effective
from whichpic.dialogue.session import Session
from whichpic.evaluate.calibration import auroc
from whichpic.evaluate.fitting_models import fit_models
from whichpic.evaluate.metrics import mrr_at, recall_at
from whichpic.evaluate.replaying import Heard, halves, replay
from whichpic.search import Gallery


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--chat", required=True)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--rerank", type=int, default=10)
    parser.add_argument("--encoder", default="names")
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    gallery, held = album(given.data, given.pictures, given.encoder, given.cache)
    replies = None if given.cache is None else given.cache / "replies"
    heard = looked(gallery, held, given.chat, given.targets, given.rerank, replies)
    usual = BeliefSettings.fitted(gallery.encoder.id)
    show(gallery, heard, usual)


def looked(gallery: Gallery, held: list[str], name: str, targets: int, k: int, cache: Path | None) -> list[Heard]:
    """One sentence about each target, and what the model said of the k best pictures after it."""
    chat = open_chat(name, cache=cache)
    heard = []
    for number, target in enumerate(np.random.default_rng(1).permutation(gallery.n)[:targets].tolist(), start=1):
        session = Session(gallery, chat=chat, rerank=k, deadline=600)
        session.say(held[target])
        session.refine()
        if session.trouble:
            print(f"{number}: {session.trouble}", flush=True)
        note = effective(session.records)[-1].noted or Noted(0)
        picture = gallery.ids[target]
        heard.append(Heard(picture, picture, ((Said.of(held[target]),),), (note,)))
    print(f"{chat.describe}: {chat.usage.calls} calls, {chat.usage.tokens} tokens, {chat.usage.seconds:.0f} s; "
          f"{chat.usage.cached} kept before")  # fmt: skip
    return heard


def show(gallery: Gallery, heard: list[Heard], usual: BeliefSettings) -> None:
    """How well the model tells targets from others, and the list without, with, and with fitted looks."""
    pairs = [
        (p, picture == each.target) for each in heard for note in each.notes if note for picture, p in note.reranked
    ]
    right, wrong = (np.array([p for p, is_target in pairs if is_target is wanted]) for wanted in (True, False))
    print(f"looks: {len(pairs)}, of which at the target {len(right)}; p(fits) of targets {right.mean():.3f}, of others "
          f"{wrong.mean():.3f}, AUROC {auroc(right, wrong):.3f}")  # fmt: skip
    weights: dict[str, float] = {}
    for learn, read in (halves(heard), halves(heard)[::-1]):
        weight = fit_models(gallery, learn, usual).rerank
        weights |= {each.id: weight for each in read}
    print(
        f"weights fitted on the halves: {sorted(set(weights.values()))}; on all: {fit_models(gallery, heard, usual).rerank}"
    )
    ways = {
        "no looks": [replace(usual, rerank=0.0)] * len(heard),
        "weight 1": [replace(usual, rerank=1.0)] * len(heard),
        "fitted on the other half": [replace(usual, rerank=weights[each.id]) for each in heard],
    }
    ranks = {way: replay(gallery, heard, settings).ranks.rank("mean") for way, settings in ways.items()}
    draw = np.random.default_rng(0).integers(0, len(heard), (2000, len(heard)))
    print("| list | R@1 | R@5 | R@10 | MRR@10 | MRR@10 less none |\n|---|---|---|---|---|---|")
    for way, rank in ranks.items():
        recall = " | ".join(f"{100 * recall_at(rank, k)[0]:.1f}" for k in (1, 5, 10))
        each, none = (np.where(r[:, 0] <= 10, 1 / r[:, 0], 0.0) for r in (rank, ranks["no looks"]))
        low, high = np.quantile((each - none)[draw].mean(axis=1), [0.025, 0.975])
        print(
            f"| {way} | {recall} | {mrr_at(rank, 10)[0]:.3f} | {(each - none).mean():+.3f} [{low:+.3f}, {high:+.3f}] |"
        )


if __name__ == "__main__":
    main()
