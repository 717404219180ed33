"""The pictures of a message, from whatever form they come in: read safely, named by content, made small for a request.

Called by every Chat. A picture is never fetched from an address, and what is sent is always pixels that were encoded
here: no file name, place or date of the original goes along.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from whichpic.album.decode import decode, quiet, read_bytes
from whichpic.errors import ChatError, DecodeError

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.chat.base import PictureLike

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_QUALITIES = (90, 80, 70, 60, 45)
_SMALLEST = 32
"""Pixels of the longer side below which a picture is not made smaller."""


def load_picture(picture: PictureLike, *, longest: int = 2048) -> Image:
    """The picture as RGB, its orientation applied, its longer side at most `longest` pixels.

    picture: a path, the bytes of a file, base64 or a data URL of them, or a PIL picture. Files are decoded within the
    limits of `album.decode`, where a very long strip may keep four times `longest`. Raises ChatError("asked wrongly") for
    an address, and for what is no picture.
    """
    content = _content(picture)
    try:
        return decode(content, side=longest).image if isinstance(content, bytes) else _flat(_loaded(content), longest)
    except DecodeError as error:
        raise ChatError("asked wrongly", f"{_named(picture)} cannot be read: {error}") from None


def data_url(picture: PictureLike, *, budget: int = 1_000_000, longest: int = 1344) -> str:
    """The picture as a data URL of a JPEG. `budget` is the most characters (bytes on the wire) that it may have.

    longest: pixels of the longer side. The quality is stepped down first, then the size, until the URL fits.
    Raises ChatError("asked wrongly") for what is no picture.
    """
    image = load_picture(picture, longest=longest)
    image.info = {}  # Pillow writes the comment of the file that a picture came from into the next one
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, format="JPEG", quality=quality)
            url = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
            if len(url) <= budget:
                return url
        if max(image.size) <= _SMALLEST:
            raise ChatError("asked wrongly", f"no picture fits {budget} bytes; a few thousand are needed at least")
        image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)))


def fingerprint(picture: PictureLike) -> str:
    """Names a picture by its content: SHA-256 in hex of the file's bytes, or of a PIL picture's size and pixels.

    Raises ChatError("asked wrongly") for what cannot be read.
    """
    content = _content(picture)
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    seen = _loaded(content)  # with its palette: the same numbers may be other colours
    digest = hashlib.sha256(f"{content.mode} {seen.size}".encode())
    digest.update(seen.tobytes())
    return digest.hexdigest()


def data_urls(pictures: Sequence[PictureLike], *, budget: int, longest: int) -> list[str]:
    """The data URLs of all pictures of a request, which share the budget evenly."""
    share = budget // max(len(pictures), 1)
    return [data_url(picture, budget=share, longest=longest) for picture in pictures]


def _content(picture: PictureLike) -> bytes | Image:
    """The bytes of a picture's file, or the PIL picture itself."""
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, Path):
        return _file(picture)
    if isinstance(picture, str):
        return _from_text(picture)
    if hasattr(picture, "tobytes") and hasattr(picture, "convert"):
        return picture
    raise ChatError("asked wrongly", f"a {type(picture).__name__} is no picture; give a path, bytes, base64 or PIL")


def _from_text(text: str) -> bytes:
    if text[:5].lower() == "data:":
        head, comma, body = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise ChatError("asked wrongly", "a data URL must hold base64 (data:image/jpeg;base64,...)")
        return _base64(body)
    if _SCHEME.match(text[:40]):
        raise ChatError("asked wrongly", f"{_named(text)} is an address; nothing is fetched: give a file")
    with suppress(OSError, ValueError):  # a long base64 text is no file name, and says so in many ways
        if Path(text).exists():
            return _file(Path(text))
    if len(text) > 64:
        with suppress(ChatError):
            return _base64(text)
    raise ChatError("asked wrongly", f"there is no picture {_named(text)}")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ChatError("asked wrongly", "the base64 of a picture is damaged") from None


def _file(path: Path) -> bytes:
    try:
        return read_bytes(path)[0]
    except (OSError, DecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ChatError("asked wrongly", f"the picture {path} cannot be read: {reason}") from None


def _loaded(image: Image) -> Image:
    """A PIL picture whose pixels are there, RGB or RGBA. One from a file is only read now."""
    try:
        with quiet():
            image.load()
            return image if image.mode == "RGB" else image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        raise ChatError("asked wrongly", f"the picture cannot be read: {str(error)[:100]}") from None


def _flat(image: Image, longest: int) -> Image:
    from PIL import Image as Pillow

    if min(image.size) < 1:
        raise ChatError("asked wrongly", "the picture has no pixels")
    if image.mode != "RGB":
        clear, image = image, Pillow.new("RGB", image.size, "white")
        image.paste(clear, mask=clear.getchannel("A"))
    factor = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.copy() if size == image.size else image.resize(size, Pillow.Resampling.LANCZOS, reducing_gap=2.0)


def _named(picture: object) -> str:
    """A picture as an error names it: its path, or what it came as; never pages of base64."""
    if isinstance(picture, str | Path):
        text = " ".join(str(picture).split())
        return f"'{text[:80]}…'" if len(text) > 80 else f"'{text}'"
    return "the picture"
