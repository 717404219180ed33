"""What questions are worth on the development captions: Recall@10 by turn, and the mean gain of each kind of answer.

    python -m benchmarks.asking ALBUM [--choosers eig,random,first] [--seeds 0,1] [--out FILE]

ALBUM: an indexed album that holds pictures of benchmarks/dev_captions.json (the sample album has 123 of them).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from whichpic.simulate.dialogues import Dialogue, write_dialogues
from whichpic.simulate.parallel import Place, Plan, Player
from whichpic.simulate.play import PlaySettings
from whichpic.simulate.targets import by_picture, choose, targets
from whichpic.simulate.users import UserSettings

CAPTIONS = Path(__file__).with_name("dev_captions.json")
NOT_TARGETS = "open-images/"
"""Birds among hundreds of birds: who says "a bird" has said nothing."""


def main() -> None:
    """Play every development target and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("album")
    parser.add_argument("--choosers", default="eig,random,first")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--out", type=Path, help="keep the dialogues of the first chooser, for: whichpic fit")
    given = parser.parse_args()
    gallery = Place(given.album, "names").open()
    told = json.loads(CAPTIONS.read_text(encoding="utf-8"))["captions"]
    texts = by_picture(gallery, {name: each for name, each in told.items() if not name.startswith(NOT_TARGETS)})
    wanted = targets(gallery, choose(gallery, among=texts), captions=texts)
    person = UserSettings(errors=0.1, ignorance=0.2)
    for chooser in given.choosers.split(","):
        played: list[Dialogue] = []
        for seed in map(int, given.seeds.split(",")):
            player = Player(gallery, Plan(PlaySettings(chooser=chooser), person, "object", seed))
            played += [player.play(target) for target in wanted]
        _print(chooser, played)
        if given.out is not None and chooser == given.choosers.partition(",")[0]:
            named = [replace(dialogue, id=f"{dialogue.id}-{number}") for number, dialogue in enumerate(played)]
            write_dialogues(given.out, {"name": "development", "pictures": gallery.n}, named)


def _print(chooser: str, played: Iterable[Dialogue]) -> None:
    gains: dict[tuple[str, str], list[float]] = defaultdict(list)
    ranks = []
    for dialogue in played:
        turns = [*dialogue.turns, *[dialogue.turns[-1]] * (6 - len(dialogue.turns))]
        ranks.append([turn.better + turn.ties / 2 + 1 for turn in turns])
        for before, turn in zip(dialogue.turns, dialogue.turns[1:], strict=False):
            if turn.question is not None:
                how = "words" if turn.words else "not sure" if turn.option is None else "option"
                change = np.log(max(turn.p_target, 1e-12)) - np.log(max(before.p_target, 1e-12))
                gains[turn.question["attribute"], how].append(float(change))
    recall = 100 * (np.array(ranks) <= 10).mean(axis=0)
    print(f"{chooser}: Recall@10 by turn {np.round(recall, 1)}, {len(ranks)} dialogues")
    for (attribute, how), changes in sorted(gains.items(), key=lambda each: -len(each[1])):
        print(f"    {attribute:12s} {how:9s} {len(changes):5d}   {np.mean(changes):+.2f} nats")


if __name__ == "__main__":
    main()
