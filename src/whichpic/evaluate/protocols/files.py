"""Reads JSON, JSON lines and the fields of their records, whatever their spelling; one clear line where that fails.

Called by the readers of this package. Published files come from scripts, and scripts disagree about names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from whichpic.errors import SessionError

_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_LARGEST = 2 << 30  # bytes; a file of dialogues that is larger is none


def load(path: Path) -> Any:
    """The content of a JSON or JSON lines file; of the latter, the list of its lines. Raises SessionError.

    A last line that was not written to its end is left out where others could be read.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise SessionError(f"{path} is larger than 2 GB: not a file of dialogues")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SessionError(f"{path} is not UTF-8 text; expected JSON or JSON lines") from None
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror or error}") from None
    if _ESCAPED_HALF.search(text):
        text = _without_halves(text)
    try:
        return json.loads(text)
    except RecursionError:
        raise SessionError(f"{path} is nested too deeply to be a file of dialogues") from None
    except ValueError as error:
        return _lines(path, text, error)


def _without_halves(text: str) -> str:
    """Half a surrogate pair is no character, and no terminal or file takes it; whole pairs stay what they are."""
    pairs = re.compile(r"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
    return pairs.sub(lambda found: found[1] or "\\ufffd", text)


def _lines(path: Path, text: str, error: ValueError) -> list[Any]:
    found: list[Any] = []
    lines = [line for line in text.split("\n") if line.strip()]
    for number, line in enumerate(lines):
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError):
            if found and number == len(lines) - 1 and not text.endswith("\n"):
                break
            where = f"line {number + 1} is not JSON" if found else str(error)
            raise SessionError(f"{path} is neither JSON nor JSON lines: {where}") from None
    if not found:
        raise SessionError(f"{path} is empty; expected JSON or JSON lines")
    return found


def records(path: Path, content: Any = None) -> list[dict[str, Any]]:
    """The records of a file: a list of objects, one object per line, an object of objects, or one object alone."""
    content = load(path) if content is None else content
    if isinstance(content, dict):
        inner = list(content.values())
        if inner and all(isinstance(each, dict) for each in inner):
            return [{"id": key, **each} for key, each in content.items()]
        lists = [value for value in inner if isinstance(value, list) and value and isinstance(value[0], dict)]
        content = lists[0] if len(lists) == 1 else [content]
    if not isinstance(content, list) or not content:
        raise SessionError(f"{path} holds no records; expected a list of objects, or one object per line")
    for number, each in enumerate(content):
        if not isinstance(each, dict):
            raise SessionError(f"{path}: record {number + 1} is not an object but {str(each)[:40]!r}")
    return content


def field(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of several spellings that a record has, compared without case, _ and -; None where it has none."""
    folded = {_fold(key): value for key, value in record.items()}
    for name in names:
        value = folded.get(_fold(name))
        if value is not None:
            return value
    return None


def _fold(name: object) -> str:
    return str(name).lower().replace("_", "").replace("-", "").replace(" ", "")


def need(record: Mapping[str, Any], names: Sequence[str], path: Path, number: int) -> Any:
    """A field that a record must have; the error names the spellings that are understood and the keys there are."""
    value = field(record, names)
    if value is None:
        has = ", ".join(map(str, list(record)[:8])) or "nothing"
        raise SessionError(f"{path}: record {number + 1} has no '{names[0]}' (it has: {has})")
    return value


def whole(value: Any, path: Path, number: int) -> int:
    """A rank as a whole number; 3.0 and "3" are 3. Raises SessionError for what is none."""
    try:
        as_float = float(value)
        if isinstance(value, bool) or as_float != int(as_float):
            raise ValueError
        return int(as_float)
    except (TypeError, ValueError, OverflowError):
        raise SessionError(f"{path}: record {number + 1} has {str(value)[:30]!r} where a rank belongs") from None


def named(names: Sequence[str]) -> tuple[str, ...]:
    """Distinct ids: a name that comes again is told apart by its number ("a", "a #2")."""
    times: dict[str, int] = {}
    ids: list[str] = []
    taken = set(names)
    for name in names:
        times[name] = times.get(name, 0) + 1
        own = name
        while times[name] > 1 and (own := f"{name} #{times[name]}") in taken:
            times[name] += 1
        taken.add(own)
        ids.append(own)
    return tuple(ids)
