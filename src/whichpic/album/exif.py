"""What a camera wrote beside the pixels: orientation, date, camera, coordinates. Called by decode.

EXIF comes from strangers: every value is read by itself, checked, and left out where it makes no sense.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

_MAKE, _MODEL, _ORIENTATION, _DATE = 0x010F, 0x0110, 0x0112, 0x0132
_EXIF_IFD, _GPS_IFD, _DATE_ORIGINAL, _DATE_DIGITIZED = 0x8769, 0x8825, 0x9003, 0x9004
_DATE_FORM = re.compile(r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")

# The values of PIL.Image.Transpose that undo each EXIF orientation (1 needs nothing).
ORIENTATION: dict[int, Any] = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


@dataclass(frozen=True, slots=True)
class Shot:
    """What EXIF says. `orientation` is 1 to 8; the rest as in `types.Picture`."""

    orientation: int = 1
    taken: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def shot_of(image: Image.Image) -> Shot:
    """Read the EXIF of an opened picture. Never raises: what cannot be read is None."""
    tags: Any = _try(image.getexif)
    if tags is None:
        return Shot()
    details: Any = _try(lambda: tags.get_ifd(_EXIF_IFD)) or {}
    places: Any = _try(lambda: tags.get_ifd(_GPS_IFD)) or {}
    orientation = _try(lambda: int(tags.get(_ORIENTATION, 1)))
    dates = (_try(lambda: _date(details.get(_DATE_ORIGINAL))), _try(lambda: _date(details.get(_DATE_DIGITIZED))))
    latitude = _try(lambda: _degrees(places[2], places.get(1, "N"), 90.0))
    longitude = _try(lambda: _degrees(places[4], places.get(3, "E"), 180.0))
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        latitude = longitude = None  # cameras without a fix write zeros
    return Shot(
        orientation=orientation if orientation is not None and 1 <= orientation <= 8 else 1,
        taken=next(filter(None, dates), None) or _try(lambda: _date(tags.get(_DATE))),
        camera=_try(lambda: _camera(tags.get(_MAKE), tags.get(_MODEL))),
        latitude=latitude,
        longitude=longitude,
    )


def _try(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Exception:
        return None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = value if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text.split("\0")[0]).split())[:100]


def _date(value: object) -> str | None:
    match = _DATE_FORM.match(_text(value))
    if not match:
        return None
    moment = datetime(*(int(part or 0) for part in match.groups()))  # type: ignore[arg-type]
    return moment.isoformat() if moment.year > 1800 else None


def _camera(make: object, model: object) -> str | None:
    maker, name = _text(make), _text(model)
    if maker and name and not name.lower().startswith(maker.split()[0].lower()):
        name = f"{maker} {name}"
    return (name or maker).encode("utf-8", "replace").decode() or None


def _degrees(parts: Any, reference: object, limit: float) -> float | None:
    degrees, minutes, seconds = (*(float(part) for part in parts), 0.0, 0.0)[:3]
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value) or min(degrees, minutes, seconds) < 0 or value > limit:
        return None
    return round(-value if _text(reference).upper() in ("S", "W") else value, 7)
