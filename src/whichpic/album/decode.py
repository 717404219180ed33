"""Reads one picture safely and fast, or says in one line why it cannot be read. Called by indexing, store and search.

Every file is taken to be hostile: only listed formats are tried, sizes are checked before pixels are made, and whatever
a decoder raises becomes a `DecodeError` whose message is the reason that is kept beside the file.
"""

from __future__ import annotations

import io
import logging
import os
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.album.exif import ORIENTATION, Shot, shot_of
from whichpic.errors import DecodeError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "tif", "tiff", "bmp", "dib"),
        *("avif", "avifs", "heic", "heif", "hif"),
    )
)
MAX_BYTES = 512 * 2**20
MAX_SCANS = 100  # a progressive JPEG is decoded once per scan; cameras and tools write about ten
_LARGE_PIXELS = 16_000_000
_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture in memory. `image` is RGB, reduced, orientation applied; `width` and `height` are the full size.

    `format` is Pillow's name ("JPEG"); `taken`, `camera`, `latitude`, `longitude` are as in `types.Picture`.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    taken: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def read_bytes(path: Path) -> tuple[bytes, os.stat_result]:
    """The content of a regular file and its status at the time of reading.

    Raises DecodeError for a file above 512 MB or one that is not a regular file, OSError where it cannot be read.
    """
    # O_NONBLOCK: a pipe that is called x.jpg would otherwise block for ever. Windows lacks the flag and needs O_BINARY.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise DecodeError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise DecodeError(f"the file has {status.st_size >> 20} MB; up to {MAX_BYTES >> 20} MB are read")
        return file.read(MAX_BYTES), status


def decode(source: str | os.PathLike[str] | bytes, *, side: int = 640, max_pixels: int | None = None) -> Decoded:
    """Decode a picture: its first frame, RGB on white, orientation applied, the longer side at most `side` pixels.

    A very long strip keeps its shorter side at 0.35 * `side` or more (and its longer side at most 4 * `side`), so that
    something can still be seen in it. Large JPEGs are decoded at 1/2, 1/4 or 1/8 of their size (draft mode).

    max_pixels: the most pixels that may be decoded (default: `settings().max_pixels`); a JPEG may state four times
    that many, since a large one is decoded smaller.
    Raises DecodeError with the reason, never anything else but KeyboardInterrupt.
    """
    if max_pixels is None:
        from whichpic.settings import settings

        max_pixels = settings().max_pixels
    try:
        data = source if isinstance(source, bytes) else read_bytes(Path(source))[0]
        with quiet():
            return _decode(data, side, max_pixels)
    except DecodeError:
        raise
    except MemoryError:
        raise DecodeError("there is not enough memory to decode it") from None
    except OSError as error:
        raise DecodeError(error.strerror or _damaged(error)) from error
    except Exception as error:  # decoders raise SyntaxError, struct.error, ValueError, IndexError, KeyError, ...
        raise DecodeError(_damaged(error)) from error


def stated_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels as the picture itself states them, before any pixel is made. Raises DecodeError."""
    try:
        with quiet(), _open(data) as opened:
            return opened.size
    except DecodeError:
        raise
    except Exception as error:  # as in `decode`
        raise DecodeError(_damaged(error)) from error


def decoder_id() -> str:
    """Changes whenever a file that was refused might now be read: skipped files are then tried again."""
    import PIL

    from whichpic.settings import settings

    return f"1;{PIL.__version__};{','.join(_openers())};{settings().max_pixels}"


_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_context: Any = None


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings are not shown inside. Unlike `warnings.catch_warnings`, many threads may be inside at once."""
    global _quiet_depth, _quiet_context
    with _quiet_lock:
        if _quiet_depth == 0:
            _quiet_context = warnings.catch_warnings()
            _quiet_context.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\b")
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                _quiet_context.__exit__(None, None, None)


@lru_cache(maxsize=1)
def _openers() -> dict[str, tuple[Any, Any]]:
    """The allowed formats that this Pillow can open: name -> (factory, test of the first 16 bytes)."""
    from PIL import Image

    Image.init()
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # or its opinions of a file land on standard error
    _hush_libtiff()
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    return {name: Image.OPEN[name] for name in FORMATS if name in Image.OPEN}


def _hush_libtiff() -> None:
    """Pillow's libtiff writes what it thinks of a damaged file to standard error, from C: ask it not to."""
    import ctypes

    import PIL

    package = Path(PIL.__file__).parent
    for path in (*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")):
        with suppress(OSError, AttributeError):
            set_handler = ctypes.CDLL(str(path)).TIFFSetErrorHandler
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)


def _open(data: bytes) -> Image.Image:
    """`Image.open` without its own size check, whose limit is one global number for JPEGs and all others alike."""
    if not data:
        raise DecodeError("the file is empty")
    prefix = data[:16]
    refusals = []
    for name, (factory, accept) in _openers().items():
        if accept and (verdict := accept(prefix)) is not True:
            if isinstance(verdict, str):
                refusals.append(verdict)
            continue
        try:
            image: Image.Image = factory(io.BytesIO(data), "")
        except (SyntaxError, IndexError, TypeError, KeyError, struct.error) as error:
            refusals.append(f"a damaged {name} file ({_reason(error)})")
        else:
            return image
    if prefix[4:8] == b"ftyp" and "HEIF" not in _openers():
        raise DecodeError("a HEIC picture; to read it: pip install 'whichpic[heif]'")
    raise DecodeError(refusals[0] if refusals else "not a picture in a format that is read (JPEG, PNG, WebP, ...)")


def _decode(data: bytes, side: int, max_pixels: int) -> Decoded:
    with _open(data) as opened:
        stated = opened.size
        kind = "JPEG" if opened.format == "MPO" else str(opened.format)
        if min(stated) < 1:
            raise DecodeError("the picture has no pixels")
        if kind == "JPEG":
            _refuse_large(stated, 4 * max_pixels, "states")
            if (scans := data.count(b"\xff\xda")) > MAX_SCANS:
                raise DecodeError(f"a JPEG of {scans} scans; up to {MAX_SCANS} are decoded")
            opened.draft("RGB", _target(stated, side))
        _refuse_large(opened.size, max_pixels, "decodes to")
        # Frames that Pillow composes may be larger than the picture: its own check covers those.
        with _large if opened.size[0] * opened.size[1] > _LARGE_PIXELS else nullcontext():
            opened.load()
            full = stated if kind == "JPEG" else opened.size
            shot = shot_of(opened)
            image = _reduced(_flat_rgb(opened), _target(full, side))
    if shot.orientation in ORIENTATION:
        image = image.transpose(ORIENTATION[shot.orientation])
        if shot.orientation >= 5:
            full = (full[1], full[0])
    return _result(image, full, kind, shot)


def _result(image: Image.Image, full: tuple[int, int], kind: str, shot: Shot) -> Decoded:
    return Decoded(
        image=image,
        width=full[0],
        height=full[1],
        format=kind,
        taken=shot.taken,
        camera=shot.camera,
        latitude=shot.latitude,
        longitude=shot.longitude,
    )


def _refuse_large(size: tuple[int, int], limit: int, verb: str) -> None:
    if size[0] * size[1] > limit:
        raise DecodeError(
            f"too large: {verb} {size[0]} x {size[1]} pixels, {limit / 1e6:g} million are allowed (WHICHPIC_MAX_PIXELS)"
        )


def _target(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size to reduce to; never larger than `size`."""
    long, short = max(size), min(size)
    factor = min(1.0, max(side / long, min(0.35 * side / short, 4 * side / long)))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _reduced(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    from PIL import Image

    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _flat_rgb(image: Image.Image) -> Image.Image:
    """Any mode as a new RGB picture: transparency on white, 16 bits to 8, floats stretched to their range."""
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_to_rgb(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _deep_to_rgb(image: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.float32)
    if image.mode.startswith("I;16"):
        values /= 257.0
    else:
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        if low < 0 or high > 255 or image.mode == "F":
            values = (values - low) * (255.0 / (high - low) if high > low else 0.0)
    return Image.fromarray(np.nan_to_num(values).clip(0, 255).astype(np.uint8)).convert("RGB")


def _damaged(error: Exception) -> str:
    """The reason for a file that a decoder opened and then gave up."""
    words = _reason(error)
    if "truncated" in words.lower() or "broken data stream" in words:
        return "the file is truncated or damaged"
    return f"too large: {words}" if "exceeds limit of" in words else f"the file is damaged ({words})"


def _reason(error: Exception) -> str:
    """One short line out of whatever a decoder said."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
