"""How often a user who knows only captions answers rightly: yes/no questions about things, on pictures whose truth is known.

    python -m benchmarks.caption_user DATA [--fit]

DATA holds POPE's questions on COCO val2014 pictures (pope/coco_pope_*.json) and PlugIR's captions of COCO val2017
(plugir/Search_Space_coco.json, coco_captions.json); a picture that is in both is known by its COCO number. Prints the
precision of yes and no and the share of "not sure", for each kind of evidence; with --fit, thresholds fitted on one half
of the pictures and read on the other, both ways.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whichpic.dialogue.phrases import article
from whichpic.encoders import open_encoder
from whichpic.simulate.entailment import SURE_NO, SURE_YES, Captions, Dense, Evidence, holds, shows
from whichpic.simulate.targets import read_texts
from whichpic.words import vocabulary

WANTED = 0.9
"""Precision that a threshold is fitted to."""


@dataclass(frozen=True)
class Asked:
    """One question with its truth."""

    picture: str
    thing: str
    true: bool


def questions(folder: Path, known: set[str]) -> list[Asked]:
    """Every distinct question of the three files about a picture that has captions, and a thing that has a name here."""
    found: dict[tuple[str, str], bool] = {}
    for file in sorted((folder / "pope").glob("coco_pope_*.json")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            picture = _number(row["image"])
            named = vocabulary().mentions(row["text"].removeprefix("Is there ").partition(" in the ")[0])
            if picture in known and named:
                found[picture, named[0].concept.name] = row["label"] == "yes"
    return [Asked(picture, thing, true) for (picture, thing), true in found.items()]


def report(name: str, asked: Sequence[Asked], told: Sequence[bool | None]) -> None:
    """One line: what share of the questions is answered with yes, no and "not sure", and how often rightly."""
    yes = [one.true for one, answer in zip(asked, told, strict=True) if answer is True]
    no = [not one.true for one, answer in zip(asked, told, strict=True) if answer is False]
    unsure = len(asked) - len(yes) - len(no)
    print(f"{name:28s} yes {_share(yes, asked)} right {_mean(yes)}   no {_share(no, asked)} right {_mean(no)}   "
          f"not sure {100 * unsure / len(asked):5.1f} %   answers right {_mean([*yes, *no])}")  # fmt: skip


def fitted(asked: Sequence[Asked], cosines: Sequence[float], lexical: Sequence[bool | None]) -> tuple[float, float]:
    """(sure_yes, sure_no): the widest ranges whose answers are right WANTED of the time, where names do not tell."""
    left = [(cosine, one.true) for one, cosine, told in zip(asked, cosines, lexical, strict=True) if told is None]
    left.sort()
    true = np.array([each for _, each in left])
    values = np.array([cosine for cosine, _ in left])
    no = (~true).cumsum() / np.arange(1, len(true) + 1)
    yes = true[::-1].cumsum() / np.arange(1, len(true) + 1)
    lowest = np.flatnonzero((no >= WANTED) & (np.arange(len(no)) >= 30))
    highest = np.flatnonzero((yes >= WANTED) & (np.arange(len(yes)) >= 5))
    sure_no = float(values[lowest[-1]]) if len(lowest) else -1.0
    sure_yes = float(values[::-1][highest[-1]]) if len(highest) else 1.0
    return sure_yes, sure_no


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    plugir = options.data / "plugir"
    texts = read_texts(plugir / "coco_captions.json", plugir / "Search_Space_coco.json")
    captions = {_number(name): Captions(said) for name, said in texts.items()}
    asked = questions(options.data, set(captions))
    pictures = sorted({one.picture for one in asked})
    dense = Dense(open_encoder("names"))
    print(
        f"{len(asked)} questions on {len(pictures)} pictures, {_mean([one.true for one in asked]).strip()} of them true"
    )
    for evidence in ("lexical", "dense", "both"):
        report(evidence, asked, _told(asked, captions, dense, evidence))
    people = [one for one in asked if one.thing == "person"]
    report("both, of people only", people, _told(people, captions, dense, "both"))
    single = {picture: Captions(each.texts[:1]) for picture, each in captions.items()}
    report("both, one caption only", asked, _told(asked, single, dense, "both"))
    if options.fit:
        print(f"thresholds in use: yes from {SURE_YES}, no below {SURE_NO}")
        halves = (set(pictures[::2]), set(pictures[1::2]))
        for fit_on, read_on in (halves, halves[::-1]):
            here = [one for one in asked if one.picture in fit_on]
            cosines = [dense.nearest(article(one.thing), captions[one.picture].texts) for one in here]
            yes, no = fitted(here, cosines, [holds(captions[one.picture], one.thing) for one in here])
            there = [one for one in asked if one.picture in read_on]
            one_way = Dense(open_encoder("names"), sure_yes=yes, sure_no=no)
            report(f"fitted yes {yes:.2f}, no {no:.2f}", there, _told(there, captions, one_way, "both"))


def _told(asked: Sequence[Asked], captions: dict[str, Captions], dense: Dense, evidence: Evidence) -> list[bool | None]:
    return [shows(captions[one.picture], one.thing, dense, evidence) for one in asked]


def _number(name: str) -> str:
    return Path(name).stem[-12:]


def _share(some: Sequence[bool], of: Sequence[Asked]) -> str:
    return f"{100 * len(some) / len(of):5.1f} %"


def _mean(right: Sequence[bool]) -> str:
    return f"{100 * sum(right) / len(right):5.1f} %" if right else "    -  "


if __name__ == "__main__":
    main()
