"""The layout of summary.json, as far as a page relies on it: a file may have been edited, cut, or be of something else.

Called by `report`. What `summary.summarise` says of each part is the reference.
"""

from __future__ import annotations

from typing import Any

_NUMBERS = [float]
_INTERVAL = {"value": _NUMBERS, "low": _NUMBERS, "high": _NUMBERS}
_RUN = {
    "name": str,
    "settings": {},
    "dialogues": int,
    "turns": int,
    "pool": int,
    "warnings": [str],
    "played": _NUMBERS,
    "by_turn": {"*": _INTERVAL},
    "drop": {"*": _NUMBERS},
    "chance": {"*": _NUMBERS},
    "ties": {"flagged": bool, "*": _NUMBERS},
    "harm": {"lost": _NUMBERS, "intervals": {"*": _NUMBERS}, "*": float},
    "turns_to_hit": {"new": _NUMBERS, "*": float},
    "calibration": {"reliability": [{"*": _NUMBERS}], "*": _NUMBERS},
    "none_fits": {"*": _NUMBERS},
    "cost": {"*": _NUMBERS},
    "multi": {"*": _NUMBERS},
    "worse": [{"id": str, "target": str, "ranks": _NUMBERS, "texts": [str], "shown": [[str]]}],
}
_COMPARED = {
    "a": str,
    "b": str,
    "metric": str,
    "dialogues": int,
    "test": str,
    "difference": _NUMBERS,
    "low": _NUMBERS,
    "high": _NUMBERS,
    "p": _NUMBERS,
}
_SUMMARY = {
    "k": int,
    "ties": str,
    "level": float,
    "samples": int,
    "seed": int,
    "runs": [_RUN],
    "comparisons": [_COMPARED],
    "incomparable": [{"*": str}],
}
_NEEDED = ("name", "settings", "dialogues", "turns", "pool", "by_turn")


def is_summary(value: Any) -> bool:
    """Whether a JSON value is a summary that a page can be made of. Null stands for "not measured" nearly everywhere."""
    return (
        isinstance(value, dict)
        and value.get("whichpic_report") == 1
        and _fits(value, _SUMMARY)
        and bool(value.get("runs"))
        and all(run is not None and all(run.get(key) is not None for key in _NEEDED) for run in value["runs"])
        and not any(each is None for part in ("comparisons", "incomparable") for each in value.get(part) or ())
        and not any(each is None for run in value["runs"] for each in run.get("worse") or ())
    )


def _fits(value: Any, shape: Any) -> bool:
    """A value against a shape: a type, a list of one shape, or a dict of shapes by key ("*": every other key)."""
    if value is None:
        return True
    if isinstance(shape, dict):
        other = shape.get("*", object)
        return isinstance(value, dict) and all(_fits(each, shape.get(key, other)) for key, each in value.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(each, shape[0]) for each in value)
    if shape in (int, float):  # True and False are numbers to Python
        return isinstance(value, int | float if shape is float else int) and not isinstance(value, bool)
    return isinstance(value, shape)
