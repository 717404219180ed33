"""Pictures that come over HTTP: their bytes under limits, looked at before anything is decoded. Called by api_*, chat_log.

Too many bytes are refused before they have come, too many pixels by what the file itself says of its size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
from fastapi import HTTPException, Request

from whichpic.album.decode import decode, stated_size
from whichpic.errors import DecodeError

if TYPE_CHECKING:
    from PIL.Image import Image

P = ParamSpec("P")
T = TypeVar("T")

MOST_BYTES = 20_000_000
MOST_PIXELS = 50_000_000
SIDE = 640
TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/heic", "image/*")
_AT_ONCE = 2
_limit: anyio.CapacityLimiter | None = None


class TooLarge(DecodeError):
    """More bytes or pixels than are taken."""


async def received(request: Request, *, side: int = SIDE) -> Image:
    """The picture that is the body of a request, RGB, its longer side at most `side`.

    Raises HTTPException: 413 for more than 20 MB or 50 million pixels, 415 for what is no picture.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise HTTPException(415, f"the body is to be a picture (Content-Type: image/...), not {kind[:80] or 'nothing'}")
    return await opened(await body(request), side=side)


async def body(request: Request) -> bytes:
    """The bytes of a request, or HTTPException 413 as soon as they are more than 20 MB."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > MOST_BYTES:
        raise HTTPException(413, _too_many(int(told)))
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise HTTPException(413, _too_many(len(data)))
    return bytes(data)


async def opened(data: bytes, *, side: int = SIDE) -> Image:
    """The picture of some bytes, decoded in a thread. Raises TooLarge, or HTTPException 415."""
    try:
        return await in_turn(picture_of, data, side)
    except TooLarge:
        raise
    except DecodeError as error:
        raise HTTPException(415, f"not a picture that can be read: {error}") from None


async def in_turn(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Work that decodes a picture, in a thread, two at a time: one of 50 million pixels takes 150 MB."""
    global _limit
    _limit = _limit or anyio.CapacityLimiter(_AT_ONCE)
    return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=_limit)


def picture_of(data: bytes, side: int) -> Image:
    """The picture of some bytes, RGB, its longer side at most `side`. Raises DecodeError; TooLarge before it is decoded."""
    if len(data) > MOST_BYTES:
        raise TooLarge(_too_many(len(data)))
    width, height = stated_size(data)
    if width * height > MOST_PIXELS:
        raise TooLarge(f"a picture of {width} x {height} pixels; up to {MOST_PIXELS:,} are taken")
    return decode(data, side=side, max_pixels=MOST_PIXELS).image


def _too_many(count: int) -> str:
    return f"a body of {count:,} bytes; up to {MOST_BYTES:,} are taken: send it smaller"
