"""What the pages say, in English and Chinese: data/pages/{en,zh}.json, read by key. Called by pages and exporting."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]
HTML_LANGUAGE: dict[Language, Literal["en-US", "zh-CN"]] = {"en": "en-US", "zh": "zh-CN"}


@lru_cache(maxsize=2)
def texts(language: Language) -> dict[str, str]:
    """All texts of a language, by key."""
    path = Path(__file__).parents[1] / "data" / "pages" / f"{language}.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def say(key: str, language: Language, **values: object) -> str:
    """The text of a key, its {places} filled with values. Raises KeyError for a key that there is not."""
    return texts(language)[key].format(**values)


def language_of(asked: str | None, cookie: str | None = None, accepted: str = "") -> Language:
    """The language of a page: what its address asks for, else what was chosen before, else what the browser prefers."""
    for wish in (asked, cookie):
        if wish in ("en", "zh"):
            return "zh" if wish == "zh" else "en"
    preferred = accepted.split(",")[0].strip().lower()
    return "zh" if preferred.startswith("zh") else "en"
