"""A report's dialogues that got worse: what was said, where the target stood, and what was shown. Called by `pages`.

Captions, names and answers are data of others: nothing of them reaches the page unescaped.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whichpic.evaluate.tables import Language, Summary, escape, plain, say

BUDGET = 4_000_000
"""Bytes of data URLs that a page may hold; pictures beyond it are named only."""
_SHOWN = 8  # pictures of a turn that are drawn
_LONGEST = 120  # characters of a caption


@dataclass(frozen=True, slots=True)
class Look:
    """What a reader can see of a picture: its name, a small JPEG, or a caption where there is no picture."""

    name: str = ""
    caption: str = ""
    jpeg: bytes | None = None


Looks = Callable[[str], Look | None]


@dataclass
class Pictures:
    """The pictures of a page: each is embedded once, however often it is shown, until the budget is spent."""

    looks: Looks | None
    budget: int = BUDGET
    spent: int = 0
    left_out: bool = False
    _known: dict[str, Look] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    _images: list[str] = field(default_factory=list)

    def look(self, picture: str) -> Look:
        """What is known of a picture; nothing but its id where there is no album at hand."""
        if picture not in self._known:
            self._known[picture] = (self.looks(picture) if self.looks else None) or Look(name=picture)
        return self._known[picture]

    def thumb(self, picture: str) -> str:
        """The picture as HTML; "" where there is none, or no room for it."""
        look = self.look(picture)
        if look.jpeg is None:
            return ""
        if picture not in self._places:
            if self.spent + 4 * len(look.jpeg) // 3 > self.budget:
                self.left_out = True
                return ""
            place = self._places[picture] = len(self._images)
            url = "data:image/jpeg;base64," + base64.b64encode(look.jpeg).decode("ascii")
            self.spent += len(url)
            self._images.append(
                f'<image id="p{place}" width="96" height="96" preserveAspectRatio="xMidYMid slice" href="{url}"/>'
            )
        label = escape(look.caption or look.name or picture)
        return (
            f'<svg class="thumb" viewBox="0 0 96 96" role="img" aria-label="{label}"><title>{label}</title>'
            f'<use href="#p{self._places[picture]}"/></svg>'
        )

    def sprite(self) -> str:
        """The images themselves, which the thumbs refer to."""
        if not self._images:
            return ""
        return f'<svg class="sprite" aria-hidden="true"><defs>{"".join(self._images)}</defs></svg>'


def worse(runs: Sequence[Summary], pictures: Pictures, language: Language) -> str:
    """The section's content: per run, a list of dialogues that can be opened."""
    for run in runs:
        for each in run.get("worse") or ():
            pictures.thumb(str(each.get("target", "")))  # targets first: the budget may end before what was shown does
    parts = []
    for run in runs:
        fallen = run.get("worse") or ()
        parts.append(f"<h3><bdi>{escape(run.get('name', ''))}</bdi></h3>")
        key, values = (
            ("worse.note", {"n": len(fallen), "pool": f"{run.get('pool', 0):,}"}) if fallen else ("worse.none", {})
        )
        parts.append(f'<p class="note">{escape(say(key, language, **values))}</p>')
        parts += [_dialogue(each, pictures, language) for each in fallen]
    if pictures.left_out:
        parts.append(f'<p class="note">{escape(say("worse.left_out", language))}</p>')
    return "\n".join(parts)


def _dialogue(each: Mapping[str, Any], pictures: Pictures, language: Language) -> str:
    ranks, texts, shown = (list(each.get(name) or ()) for name in ("ranks", "texts", "shown"))
    target = str(each.get("target", ""))
    fell = say("worse.fell", language, first=_rank(ranks[0]), last=_rank(ranks[-1])) if ranks else ""
    turns = "".join(
        _turn(k, ranks, texts, shown, target, pictures, language)
        for k in range(max(len(ranks), len(texts), len(shown)))
    )
    opening = _short(texts[0]) if texts else str(each.get("id", ""))
    return (
        f'<details class="dialogue"><summary><span class="fell">{escape(fell)}</span> '
        f"<bdi>{escape(opening)}</bdi></summary>{_target(target, str(each.get('id', '')), pictures, language)}"
        f'<ol class="said">{turns}</ol></details>'
    )


def _target(target: str, name: str, pictures: Pictures, language: Language) -> str:
    look = pictures.look(target)
    words = [say("worse.target", language), look.name or target]
    caption = f"<br><bdi>{escape(_short(look.caption, 400))}</bdi>" if look.caption else ""
    named = ": ".join(f"<bdi>{escape(each)}</bdi>" for each in words if each)
    dialogue = f'<br><span class="note"><bdi>{escape(name)}</bdi></span>' if name and name != target else ""
    return f'<div class="aim-alone">{pictures.thumb(target)}<p>{named}{caption}{dialogue}</p></div>'


def _turn(
    k: int, ranks: Sequence[float | None], texts: Sequence[str], shown: Sequence[Sequence[str]], target: str,
    pictures: Pictures, language: Language,
) -> str:  # fmt: skip
    rank = escape(say("worse.rank", language, rank=_rank(ranks[k]))) if k < len(ranks) else ""
    text = f"<p><bdi>{escape(texts[k])}</bdi></p>" if k < len(texts) and texts[k] else ""
    seen = _shown((shown[k] or ())[:_SHOWN], target, pictures, language) if k < len(shown) else ""
    return f'<li><div class="rank">{escape(say("turn", language))} {k}<b>{rank}</b></div><div>{text}{seen}</div></li>\n'


def _shown(ids: Sequence[str], target: str, pictures: Pictures, language: Language) -> str:
    thumbs, words = [], []
    for picture in ids:
        aim = ' class="aim"' if picture == target else ""
        thumb = pictures.thumb(picture)
        look = pictures.look(picture)
        if thumb:
            thumbs.append(f"<li{aim}>{thumb}</li>")
        else:
            words.append(f"<li{aim}><bdi>{escape(_short(look.caption or look.name or picture))}</bdi></li>")
    label = escape(say("worse.shown", language))
    pictured = f'<ul class="thumbs" aria-label="{label}">{"".join(thumbs)}</ul>' if thumbs else ""
    return pictured + (f'<ol class="captions" aria-label="{label}">{"".join(words)}</ol>' if words else "")


def _short(text: object, longest: int = _LONGEST) -> str:
    text = plain(text)
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _rank(rank: float | None) -> str:
    if rank is None or not math.isfinite(rank):
        return "–"
    return f"{rank:,.0f}" if rank == int(rank) else f"{rank:,.1f}"
