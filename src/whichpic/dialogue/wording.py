"""What is known of names beyond the vocabulary: which can be asked about, and how they are said. Called by asking and phrases.

The lists are data, in `data/wording.json`, each with its reason. They are no part of `vocabulary.json`, whose content is
part of an encoder's id: a better plural must not ask for a new index.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Wording:
    """The lists of `data/wording.json`, by the names they have there; `measures` by what is counted."""

    vague: frozenset[str]
    for_experts: frozenset[str]
    well_known: frozenset[str]
    without_article: frozenset[str]
    with_article: frozenset[str]
    pairs: frozenset[str]
    the_only_one: frozenset[str]
    called: dict[str, str]
    plurals: dict[str, str]
    measures: dict[str, str]


@lru_cache(maxsize=1)
def wording() -> Wording:
    """The lists that come with whichpic, read once."""
    path = Path(__file__).parents[1] / "data" / "wording.json"
    lists: dict[str, Any] = {name: each["names"] for name, each in json.loads(path.read_text(encoding="utf-8")).items()}
    lists["measures"] = {name: measure for measure, names in lists["measures"].items() for name in names}
    plain: dict[str, Any] = {name: frozenset(each) if isinstance(each, list) else each for name, each in lists.items()}
    return Wording(**plain)
