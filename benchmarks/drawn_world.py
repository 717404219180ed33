"""How many questions until the target is among the ten first, in the drawn world, beside what is possible at all.

    python -m benchmarks.drawn_world [--targets 200] [--questions 40] [--workers 2]

Plays the recipe drawn-world (2,000 pictures, no captions: all bits come from answers) with each chooser, with users who
err in 0, 5 and 20 % of their answers, and with beliefs that expect 5 % or 20 %. Prints mean turns with 95 % bootstrap
intervals over the targets, the bound, and the two ratios that are gated. docs/drawn-world.md says what they mean.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from whichpic.simulate.parallel import simulate
from whichpic.simulate.play import bound, turns_to
from whichpic.simulate.prepare import merged, prepare
from whichpic.simulate.recipes import load_recipe

K = 10
CHOOSERS = ("eig", "kl", "first", "random")
ERRORS = (0.0, 0.05, 0.2)
SAMPLES = 4000

Turns = NDArray[np.float64]


@dataclass(frozen=True)
class Played:
    """One way of asking, over the targets. surely: every tie against the target; shown: in the list as it was shown.

    A target that never gets there counts as one turn more than were allowed; `never` is their share (of `surely`).
    """

    surely: Turns
    shown: Turns
    bounds: Turns
    never: float


def played(
    chooser: str, errors: float, expected: float, arguments: argparse.Namespace, *, said: bool = False
) -> Played:
    """The dialogues of a chooser, of users with these errors, and of a belief that expects so many (`eps`)."""
    recipe = load_recipe("drawn-world").tables
    measured = chooser == "eig" and not errors  # an erring user's belief is not calibrated, and bounds nothing
    belief = {**recipe["session"]["belief"], "eps": {"facts": expected, "value": 0.0, "count": 0.0}}
    tables = merged(recipe, {
        "album": {"world_captions": 3 if said else 0},
        "session": {"chooser": chooser, "belief": belief},
        "user": {"errors": errors},
        "targets": {"n": arguments.targets},
        "play": {"questions": arguments.questions, "stop": "sure", "shown": K, "gain": measured},
    })  # fmt: skip
    ready = prepare(tables, name=f"{chooser} {errors} {expected}")
    with tempfile.TemporaryDirectory() as folder:
        done = simulate(ready.place, ready.plan, ready.targets, Path(folder) / "dialogues.jsonl", ready.header,
                        workers=arguments.workers, gallery=ready.gallery)  # fmt: skip
    late = arguments.questions + 1
    surely = np.array([turns_to(each, K, never=late) for each in done])
    shown = np.array([turns_to(each, K, surely=False, never=late) for each in done])
    bounds = np.array([bound(each, K) for each in done]) if measured else np.full(len(done), np.nan)
    return Played(surely, shown, bounds, float((surely == late).mean()))


def carried(errors: float, options: int = 6) -> float:
    """Bits that one answer carries at most where a share of them is replaced by any of the others (its capacity).

    Shannon 1948: log2 m - h(e) - e log2(m - 1). No question here has more than six options.
    """
    lost = -sum(p * np.log2(p) for p in (errors, 1 - errors) if p > 0)
    return float(np.log2(options) - lost - errors * np.log2(options - 1))


def mean(values: Turns) -> str:
    """The mean over the targets with its 95 % interval."""
    low, high = np.quantile(_drawn(values).mean(axis=1), (0.025, 0.975))
    return f"{values.mean():5.2f} [{low:5.2f}, {high:5.2f}]"


def ratio(above: Turns, below: Turns) -> str:
    """A ratio of two means over the same targets, with its 95 % interval (paired)."""
    both = _drawn(np.stack([above, below], axis=1)).mean(axis=1)
    low, high = np.quantile(both[:, 0] / both[:, 1], (0.025, 0.975))
    return f"{above.mean() / below.mean():.2f} [{low:.2f}, {high:.2f}]"


def _drawn(values: Turns) -> Turns:
    """Samples of the targets with replacement, [samples, targets, ...], the same for all."""
    chosen = np.random.default_rng(0).integers(len(values), size=(SAMPLES, len(values)))
    found: Turns = values[chosen]
    return found


def table(arguments: argparse.Namespace) -> Mapping[tuple[str, float, float], Played]:
    """Every way that is compared, printed as it is played."""
    found: dict[tuple[str, float, float], Played] = {}
    print(f"turns until the target is among the {K} first of 2,000, {arguments.targets} targets")
    print("chooser  user errs  belief expects  surely among them      as shown               never   at least")
    ways = [(chooser, errors, 0.05) for errors in ERRORS for chooser in CHOOSERS]
    for way in [*ways, *(("eig", errors, 0.2) for errors in ERRORS)]:
        found[way] = each = played(*way, arguments)
        least = f"{each.bounds.mean():5.2f}" if np.isfinite(each.bounds).all() else ""
        print(f"{way[0]:8s} {way[1]:9.0%} {way[2]:15.0%}  {mean(each.surely)}  {mean(each.shown)}  {each.never:5.1%}   {least}",
              flush=True)  # fmt: skip
    return found


def main() -> None:
    """Print the tables and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    began = perf_counter()
    found = table(arguments)
    right, few, many = (found["eig", errors, 0.05] for errors in ERRORS)
    told = found["eig", 0.2, 0.2]
    print()
    for what, value in (
        ("eig over the bound (gate: 1.3)", ratio(right.surely, right.bounds)),
        ("user errs 20 %: belief expects 5 % over expects 20 % (gate: 1.15)", ratio(many.surely, told.surely)),
        ("user never errs: belief expects 20 % over expects 5 %", ratio(found["eig", 0.0, 0.2].surely, right.surely)),
        ("belief expects 5 %: user errs 20 % over errs 5 %", ratio(many.surely, few.surely)),
        ("belief expects 5 %: user errs 20 % over never errs", ratio(many.surely, right.surely)),
        ("   of which even the best code would need: 5 % over never", f"{carried(0.0) / carried(0.05):.2f}"),
        ("                                         20 % over 5 %", f"{carried(0.05) / carried(0.2):.2f}"),
        ("                                         20 % over never", f"{carried(0.0) / carried(0.2):.2f}"),
    ):
        print(f"{what:66s} {value}")
    print("\nwith three captions a picture in the album (the opening finds most), user never errs")
    for chooser in CHOOSERS:
        print(f"{chooser:8s} {mean(played(chooser, 0.0, 0.05, arguments, said=True).surely)}", flush=True)
    print(f"{perf_counter() - began:.0f} seconds")


if __name__ == "__main__":
    main()
