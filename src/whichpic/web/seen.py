"""What can be seen of the pictures of a replay: of a served album, of the drawn world, or their captions. Called by pages."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from whichpic.evaluate.tables import plain
from whichpic.web.views import alt_of

if TYPE_CHECKING:
    from whichpic.web.shelf import Shelf, Shelved

SMALL, LARGE = 320, 640
"""Sides, in pixels, of a picture in a list and of one alone: two of those that the API has."""
_DRAWN_SMALL = 240  # drawing takes a tenth of a second, and a list is long
_DRAWN = re.compile(r"drawn-(\d{1,18})-(\d{6,9})")
_SAMPLE = 24


@dataclass(frozen=True)
class Seen:
    """Pictures by id: an address of ours where there is one, and what they show in words."""

    shelved: Shelved | None = None

    def address(self, picture: str, side: int = SMALL) -> str:
        """Where the picture is; "" where there is none to be seen."""
        shelved = self.shelved
        if shelved is not None and shelved.ready and picture in shelved.gallery.positions:
            if shelved.captions_only:
                return ""
            album, name = quote(shelved.name, safe=""), quote(picture, safe="")
            return f"/api/v1/albums/{album}/pictures/{name}/thumbnail?side={side}"
        return f"/replay/drawn/{picture}.jpg?side={side}" if _DRAWN.fullmatch(picture) else ""

    @property
    def square(self) -> bool:
        """Whether all pictures are: those of the drawn world."""
        return self.shelved is None

    def words(self, picture: str) -> str:
        """What the picture shows: a caption or what was seen in it, else its name."""
        shelved = self.shelved
        if shelved is not None and shelved.ready and picture in shelved.gallery.positions:
            return plain(alt_of(shelved.gallery, picture)) or self.name(picture)
        return _told(picture) or plain(picture)[:200]

    def name(self, picture: str) -> str:
        """What the picture is called: its path inside the album, else its id."""
        shelved = self.shelved
        if shelved is not None and shelved.ready and picture in shelved.gallery.positions:
            known = shelved.gallery.pictures[shelved.gallery.positions[picture]]
            return plain(known.paths[0] if known.paths else known.id)
        return plain(picture)[:200]


def seen_of(shelf: Shelf, header: Mapping[str, Any], pictures: Sequence[str]) -> Seen:
    """Where the pictures of a file of dialogues are: in the album that its header names, else in one that has their ids."""
    wanted = str(header.get("album", "")).rpartition("-")[0]
    some = pictures[:_SAMPLE]

    def known(shelved: Shelved) -> int:
        return sum(each in shelved.gallery.positions for each in some)

    ready = [each for each in shelf if each.ready]
    same = [each for each in ready if wanted and each.gallery.version.rpartition("-")[0] == wanted and known(each)]
    best = max(same or ready, key=known, default=None)
    return Seen(best if best is not None and 2 * known(best) >= max(len(some), 1) else None)


def drawn(picture: str, side: int) -> bytes | None:
    """A JPEG of a picture of the drawn world, made again from its id; None for another id."""
    return _drawn(picture, LARGE if side > SMALL else _DRAWN_SMALL)


@lru_cache(maxsize=400)
def _drawn(picture: str, side: int) -> bytes | None:
    from whichpic.simulate import drawing, scenes

    match = _DRAWN.fullmatch(picture)
    if match is None or int(match[2]) >= scenes.capacity():
        return None
    buffer = io.BytesIO()
    drawing.draw(scenes.scene(int(match[1]), int(match[2])), side=side).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


@lru_cache(maxsize=4_000)
def _told(picture: str) -> str:
    from whichpic.simulate import scenes

    match = _DRAWN.fullmatch(picture)
    if match is None or int(match[2]) >= scenes.capacity():
        return ""
    return scenes.captions_of(scenes.scene(int(match[1]), int(match[2])), 1)[0]
