"""What a model wrote, drawn as paragraphs, lists, bold and code, by elements: never as markup. Called by chat."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from whichpic.web.pages.elements import el

MOST_PARTS = 2_000
"""Elements of one reply; what comes after them is one plain paragraph."""
_ITEM = re.compile(r"\s{0,6}(?:([-*+•])|(\d{1,3})[.)、])\s+(\S.*)")
_INLINE = re.compile(r"\*\*(?=\S)([^*\n]{1,400}?\S?)\*\*|`([^`\n]{1,400})`")
_HEADING = re.compile(r"#{1,6}\s+(\S.*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, the items of a list, or lines of code."""

    kind: Literal["p", "ul", "ol", "pre"]
    lines: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    """The parts of a text. Headings become paragraphs of bold words: the page has headings of its own."""
    found: list[Block] = []
    held: list[str] = []
    kind: Literal["p", "ul", "ol", "pre"] = "p"

    def close() -> None:
        nonlocal held, kind
        if held:
            found.append(Block(kind, tuple(held)))
        held, kind = [], "p"

    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = kind == "pre"
            close()
            kind = "p" if fenced else "pre"
        elif kind == "pre":
            held.append(line)
        elif not line.strip():
            close()
        elif item := _ITEM.fullmatch(line):
            wanted: Literal["ul", "ol"] = "ul" if item[1] else "ol"
            if kind != wanted:
                close()
            kind = wanted
            held.append(item[3])
        else:
            if kind != "p":
                close()
            title = _HEADING.fullmatch(line)
            held.append(f"**{title[1].replace('*', '')}**" if title else line)
    close()
    return found


def inline(text: str) -> list[tuple[Literal["", "strong", "code"], str]]:
    """The runs of a line: plain, bold, code."""
    found: list[tuple[Literal["", "strong", "code"], str]] = []
    at = 0
    for match in _INLINE.finditer(text):
        if match.start() > at:
            found.append(("", text[at : match.start()]))
        found.append(("strong", match[1]) if match[1] is not None else ("code", match[2]))
        at = match.end()
    if at < len(text):
        found.append(("", text[at:]))
    return found


def draw(text: str) -> None:
    """The text as elements, into what is open now."""
    parts = 0
    for block in blocks(text):
        parts += 1 + len(block.lines)
        if parts > MOST_PARTS or block.kind == "pre":
            el(
                "pre" if block.kind == "pre" else "p",
                "\n".join(block.lines),
                tabindex="0" if block.kind == "pre" else None,
            )
        elif block.kind == "p":
            with el("p"):
                _runs("\n".join(block.lines))
        else:
            with el(block.kind):
                for line in block.lines:
                    with el("li"):
                        _runs(line)


def _runs(line: str) -> None:
    for kind, text in inline(line):
        el(kind or "span", text)
