"""Runs as they might have come out of a simulation: ranks that fall, and now and then rise; nobody was asked anything."""

from __future__ import annotations

from typing import Any

import numpy as np

from whichpic.evaluate.ranks import Ranks
from whichpic.evaluate.run import Run

HOSTILE = '<script>alert("1")</script> & \u202e‘x’ \ud800 \x07 | $a_b$ {c} \\ `d`'
"""What a caption, a name or an answer may hold."""


def plausible(
    name: str = "eig", *, n: int = 300, turns: int = 11, pool: int = 2064, skill: float = 0.12, seed: int = 0,
    measured: bool = True, shown: int = 6, **more: Any,
) -> Run:  # fmt: skip
    """A run of n dialogues; `skill` is how much of the ln rank a turn takes away; `measured`: with beliefs and costs."""
    draw = np.random.default_rng(seed)
    log = [draw.normal(2.4, 1.8, n)]
    for turn in range(1, turns):
        log.append(log[-1] * (1 - skill / turn**0.5) + draw.normal(0, 0.35, n))
    better = np.clip(np.exp(np.stack(log, axis=1)) - 1, 0, pool - 40).astype(np.int64)
    played = np.ones(better.shape, dtype=np.bool_)
    confidence = np.clip(draw.beta(3, 4, better.shape) * 0.6 + 0.3 * (better == 0), 0, 1)
    ids = tuple(f"dialogue-{k}" for k in range(n))
    pictures = [f"picture-{k}" for k in range(pool)]
    lists = [[draw.choice(pool, shown, replace=False) for _ in range(turns)] for _ in range(n)]
    believed: dict[str, Any] = {
        "confidence": confidence,
        "set_size": np.maximum(1, (np.exp(np.stack(log, axis=1)) * 4).astype(np.int64)),
        "in_set": draw.random(better.shape) < 0.9,
        "fits": draw.normal(1.0, 1.0, better.shape),
        "fits_absent": draw.normal(-0.4, 1.0, better.shape),
        "milliseconds": draw.gamma(4.0, 6.0, better.shape),
    }
    return Run(
        name=name,
        ranks=Ranks(better=better, ties=np.zeros_like(better), pool=pool, ids=ids, played=played),
        settings={"protocol": "drawn ranks", "opening": "caption", "cap": turns - 1, "not_found": "counted at the end",
                  "corpus": "none", "encoder": "toy", "seed": seed, "user": {"kind": "captions", "errors": 0.1}},
        texts=tuple(tuple(f"what is said in turn {t} of {k}" for t in range(turns)) for k in range(n)),
        targets=tuple(pictures[k % pool] for k in range(n)),
        shown=tuple(tuple(tuple(pictures[p] for p in turn) for turn in each) for each in lists),
        **(believed if measured else {}),
        **more,
    )  # fmt: skip
