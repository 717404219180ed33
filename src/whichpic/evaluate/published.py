"""What published systems reach by turn, each with its source, corpus and pool. Called by cli (score, report) and report.

Figures of different corpora, pools or dialogues must not stand side by side unsaid: `not_comparable` says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from whichpic.errors import QueryError

BY_TURN = ("hits@10", "recall@10", "mrr@10")


@dataclass(frozen=True, slots=True)
class Published:
    """One system as it was published. `by_turn`: metric -> a value per turn, None where it was not published.

    hits@10 and recall@10 are shares (0 to 1), as `summarise` gives them. `pool`: pictures searched, `dialogues`:
    how many; 0 where it is not known. `asked`: who asked and who answered. bri: at the last turn, natural logarithm.
    """

    id: str
    name: str
    source: str
    corpus: str
    pool: int
    dialogues: int
    asked: str
    note: str
    by_turn: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    bri: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The system as JSON values."""
        names = ("id", "name", "source", "corpus", "pool", "dialogues", "asked", "note", "bri")
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        plain["by_turn"] = {metric: list(values) for metric, values in self.by_turn.items()}
        return plain


@lru_cache(maxsize=1)
def published_systems() -> tuple[Published, ...]:
    """Every published system that comes with whichpic, read once."""
    path = Path(__file__).parents[1] / "data" / "published.json"
    return tuple(_system(row) for row in json.loads(path.read_text(encoding="utf-8"))["systems"])


def published(name: str) -> Published:
    """One system by its id. Raises QueryError, which names those that there are."""
    for system in published_systems():
        if system.id == name:
            return system
    known = ", ".join(system.id for system in published_systems())
    raise QueryError(f"no published system is called '{name}'; there are: {known}")


def comparable_systems(settings: Mapping[str, Any], pool: int) -> tuple[Published, ...]:
    """The systems that may stand beside a run of these settings over so many pictures."""
    return tuple(system for system in published_systems() if not not_comparable(system, settings, pool))


def not_comparable(system: Published, settings: Mapping[str, Any], pool: int) -> str:
    """Why the system's figures are of something else than a run's; "" where nothing speaks against it.

    `settings` are those of the run; of them corpus and documents (a text proxy searches no pictures) are looked at.
    """
    reasons = []
    if not system.pool:
        reasons.append("how many pictures were searched there is not known exactly")
    elif system.pool != pool:
        reasons.append(f"{system.pool:,} pictures were searched there, {pool:,} here")
    corpus = str(settings.get("corpus", ""))
    if corpus != system.corpus:
        reasons.append(f"the corpus there is {system.corpus}, here {corpus or 'not stated'}")
    if settings.get("documents"):
        reasons.append("pictures were searched there, texts about them here")
    return "; ".join(reasons)


def _system(row: dict[str, Any]) -> Published:
    share = {"hits@10": 0.01, "recall@10": 0.01}
    return Published(
        id=row["id"],
        name=row["name"],
        source=row["source"],
        corpus=row["corpus"],
        pool=row["pool"],
        dialogues=row.get("dialogues", 0),
        asked=row["asked"],
        note=row["note"],
        by_turn={
            metric: tuple(None if value is None else round(value * share.get(metric, 1), 6) for value in row[metric])
            for metric in BY_TURN
            if metric in row
        },
        bri=row.get("bri"),
    )
