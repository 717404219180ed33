"""The sessions of an album that were kept, as a list shows them. Called by talks."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A session that was kept: its id, when it began (UTC, ISO), the first thing said, how many lines its file has."""

    id: str
    at: str
    said: str
    events: int
    found: bool


def read_kept(path: os.PathLike[str]) -> Kept | None:
    """What a list of sessions says of one, read without understanding all of it; None where it cannot be read."""
    said, at, found, lines = "", "", False, 0
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                lines += 1
                if lines == 1 or (said and '"chosen"' not in line and '"undo"' not in line):
                    continue
                record = json.loads(line)
                event = record.get("event", {})
                at = at or str(record.get("at", ""))
                found = event.get("kind") == "chosen"
                if not said and event.get("kind") == "said":
                    said = ", ".join(str(each.get("text") or each.get("name") or "") for each in event.get("terms", ()))
    except (OSError, ValueError, AttributeError):
        return None
    return Kept(os.path.basename(path).removesuffix(".jsonl"), at, said[:200], max(lines - 1, 0), found)  # noqa: PTH119
