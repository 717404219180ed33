"""The sessions of an album that were kept, as lists show them: newest first, searched. Called by talks and pages.history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from whichpic.dialogue.events import Answered, Chosen, Said, not_undone
from whichpic.dialogue.keeping import read_session
from whichpic.errors import SessionError
from whichpic.web.steps import base_name

if TYPE_CHECKING:
    from pathlib import Path

    from whichpic.dialogue.events import Record
    from whichpic.web.shelf import Shelved

MOST_SEARCHED = 2_000
"""Sessions that one search reads, newest first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A session that was kept: when it began (UTC, ISO), the first thing said, its turns, and the picture that was found.

    trouble: why it cannot be read, in one line.
    """

    id: str
    at: str = ""
    said: str = ""
    turns: int = 0
    found: str = ""
    trouble: str = ""


def kept(shelved: Shelved, *, query: str = "", skip: int = 0, most: int = 50) -> tuple[list[Kept], bool]:
    """Sessions, newest first, and whether there are more. query: only those in which these words were said."""
    words = query.casefold().split()
    found: list[Kept] = []
    for path in shelved.album.sessions()[: MOST_SEARCHED if words else None]:
        if not words and skip:
            skip -= 1
            continue
        read = _read(path, words)
        if read is None:
            continue
        if skip:
            skip -= 1
            continue
        if len(found) == most:
            return found, True
        found.append(read)
    return found, False


def _read(path: Path, words: list[str]) -> Kept | None:
    """One session; None where the words were not said in it."""
    try:
        _, records, _ = read_session(path)
    except (SessionError, OSError, ValueError) as error:
        why = " ".join(str(error).replace(str(path), path.name).split())[:300]
        return None if words else Kept(path.stem, trouble=why)
    counted = not_undone(records)
    texts = [text for record in records if (text := _text(record))]
    together = " ".join(texts).casefold()
    if not all(word in together for word in words):
        return None
    last = counted[-1].event if counted else None
    first = next((text for record in counted if (text := _text(record))), texts[0] if texts else "")
    return Kept(
        path.stem,
        at=records[0].at if records else "",
        said=first[:200],
        turns=len(counted),
        found=last.picture if isinstance(last, Chosen) else "",
    )


def _text(record: Record) -> str:
    """What the user said, in words."""
    event = record.event
    if isinstance(event, Said):
        return ", ".join(text for term in event.terms if (text := term.text or base_name(term.name)))
    if isinstance(event, Answered):
        options = event.question.options
        chosen = options[event.option].text if event.option is not None and 0 <= event.option < len(options) else ""
        return event.words or chosen
    return ""
