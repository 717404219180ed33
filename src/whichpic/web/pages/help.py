"""The sheet of keys, and in a few words how it works. Called by conversation; page.js reads the same table of keys."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.web.pages.elements import dialog, el, heading, show

if TYPE_CHECKING:
    from whichpic.web.pages.frame import Say

NAME = "help-sheet"


@lru_cache(maxsize=1)
def keys() -> list[dict[str, Any]]:
    """The table of static/keys.json: what is done ("do"), by which keys ("keys"), and on what ("on")."""
    path = Path(__file__).parents[1] / "static" / "keys.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


class Help:
    """The sheet; `open` shows it, and so does a button with data-opens of its NAME."""

    def __init__(self, say: Say) -> None:
        with dialog(NAME, say("help.title"), close=say("help.close"), cls="sheet"), el("div", cls="stack"):
            for part in ("help.how", "help.why"):
                el("p", say(part))
            heading(3, say("help.keys"))
            with el("dl", cls="keys"):
                for row in keys():
                    _row(row["keys"], say(f"keys.{row['do']}"))
            el("p", say("help.typing"), cls="soft small")

    def open(self) -> None:
        """Show the sheet."""
        show(NAME)


def _row(names: list[str], does: str) -> None:
    shown = [f"{names[0]} – {names[-1]}"] if len(names) > 4 else names
    with el("dt"):
        for name in shown:
            el("kbd", name)
    el("dd", does)
