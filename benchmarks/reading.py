"""What questions a small model asks from captions: how many can be asked, and whether their answers would tell anything.

    python -m benchmarks.reading DATA [--model qwen2.5-coder-0.5b] [--chat URL] [--states 20] [--cache FOLDER] [--out FILE]

DATA holds PlugIR's captions of COCO pictures. The album knows the first 1,000 pictures by all captions but one; the other
one is what the user says of a target. The asker `captions` proposes three questions in each state. Printed are the share
that passes the sift and why the others do not, the share of states in which a question is left, how evenly the answers
divide the belief (the effective number of answers, over the number there are), and the gain in nats. A reply takes a
quarter of a minute (0.5B) to a minute (1.5B) on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.llama_server import serving
from whichpic.album.datasets import DataSet, read_dataset
from whichpic.chat import open_chat
from whichpic.dialogue import BeliefSettings
from whichpic.dialogue.belief import believe
from whichpic.dialogue.choosing import CANDIDATES, information_gain
from whichpic.dialogue.events import Question, Record, Said
from whichpic.dialogue.likelihood import answer_likelihood
from whichpic.dialogue.reading import captions
from whichpic.dialogue.sifting import sift
from whichpic.encoders import open_encoder
from whichpic.errors import ChatError
from whichpic.search.gallery import Gallery

PATIENCE = 900.0
"""Seconds for one reply: what is looked at is what is said, and not how fast a busy machine says it."""


class Heard:
    """A chat whose replies are kept as they came."""

    def __init__(self, chat: Any) -> None:
        self.chat, self.replies = chat, []  # type: ignore[var-annotated]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chat, name)

    def complete(self, *asked: Any, **options: Any) -> Any:
        found = self.chat.complete(*asked, **options)
        self.replies += found
        return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("--model", default="qwen2.5-coder-0.5b", help="a model or .gguf file; a server is started")
    options.add_argument("--chat", help="a chat that is there already, as of `whichpic talk --chat`")
    options.add_argument("--states", type=int, default=20)
    options.add_argument("--pictures", type=int, default=1000)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--cache", type=Path)
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    album, openings = split(read_dataset(chosen.data / "plugir" / "Search_Space_coco.json"), chosen.pictures)
    gallery = Gallery.of_captions(album, open_encoder("names"), cache=chosen.cache)
    targets = np.random.default_rng(chosen.seed).permutation(len(album.pictures))[: chosen.states]
    at = nullcontext(chosen.chat) if chosen.chat else serving(chosen.model, context=4096, threads=chosen.threads)
    found = []
    with at as address:
        chat = open_chat(address if chosen.chat else f"llamacpp:{address}", deadline=PATIENCE)
        for number, target in enumerate(targets.tolist(), start=1):
            found.append(state(gallery, openings[album.pictures[target]], Heard(chat)))
            print(f"{number} of {len(targets)}: {json.dumps(found[-1])}", file=sys.stderr, flush=True)
            if chosen.out:
                chosen.out.write_text(json.dumps({"model": chosen.model, "states": found}, indent=1), encoding="utf-8")
    show(chosen.chat or chosen.model, found)


def split(data: DataSet, n: int) -> tuple[DataSet, dict[str, str]]:
    """An album of the first n pictures without their last captions, and those."""
    names = data.pictures[:n]
    told = {name: data.captions[name] for name in names}
    album = replace(data, pictures=names, captions={name: texts[:-1] for name, texts in told.items()}, files={})
    return album, {name: texts[-1] for name, texts in told.items()}


def state(gallery: Gallery, said: str, chat: Heard) -> dict[str, Any]:
    """What a model proposes after one sentence, what is left of it, and what the answers would tell."""
    records = [Record(0, Said.of(said))]
    settings = BeliefSettings.fitted(gallery.encoder.id)
    belief = believe(gallery, records, settings)
    began, kept, reason = perf_counter(), list[Question](), ""
    try:
        kept = captions(gallery, belief, records, "en", chat=chat, n=3)
    except ChatError as error:
        reason = error.reason
    seconds = perf_counter() - began
    proposed = [proposal for reply in chat.replies[:1] if reply.value is not None for proposal in reply.value.questions]
    sifted = sift(proposed, records, asker="captions")
    rows = belief.best(CANDIDATES)
    weights = belief.p[rows] / belief.p[rows].sum()
    divided, gains = [], []
    for question in kept:
        told = answer_likelihood(gallery, question, settings, rows).astype(np.float64)
        p = weights @ told
        divided.append(float(np.exp(-(p * np.log(np.maximum(p, 1e-12))).sum()) / len(p)))
        gains.append(information_gain(weights, told))
    return {
        "seconds": round(seconds, 1),
        "failed": reason,
        "calls": len(chat.replies),
        "repaired": sum(reply.repaired for reply in chat.replies[:1]),
        "proposed": len(proposed),
        "passed": len(sifted.kept),
        "dropped": [why for _, why in sifted.dropped],
        "kept": [question.text for question in kept],
        "options": [[option.text for option in question.options] for question in kept],
        "divided": [round(each, 3) for each in divided],
        "gain": [round(each, 3) for each in gains],
    }


def show(name: str, found: Sequence[dict[str, Any]]) -> None:
    """One paragraph of figures."""
    proposed, passed = sum(each["proposed"] for each in found), sum(each["passed"] for each in found)
    why = Counter(reason for each in found for reason in each["dropped"])
    failed = Counter(each["failed"] for each in found if each["failed"])
    best = [max(each["gain"]) for each in found if each["gain"]]
    divided = [value for each in found for value in each["divided"]]
    print(f"{name}: {len(found)} states, {proposed} questions proposed, {passed} pass the sift "
          f"({100 * passed / max(proposed, 1):.0f} %); dropped: {dict(why)}")  # fmt: skip
    print(f"a question is left in {sum(bool(each['kept']) for each in found)} states; failed: {dict(failed)}")
    print(f"median seconds {np.median([each['seconds'] for each in found]):.1f}")
    if best:
        print(f"answers divide the belief to {100 * np.mean(divided):.0f} % of evenly; best gain of a state: "
              f"mean {np.mean(best):.3f} nats")  # fmt: skip


if __name__ == "__main__":
    main()
