"""Pictures over HTTP, by id and never by path: what is known of one, its thumbnail, and the picture. Called by api and pages.

A picture's id is the hash of its content: what was sent once never changes, and may be kept for a year.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Header, HTTPException, Path, Query, Response
from pydantic import BeforeValidator

from whichpic.errors import AlbumError, DecodeError
from whichpic.web.api_albums import AlbumName, plain
from whichpic.web.api_errors import album, need_picture, refusals
from whichpic.web.views import PictureDetail, detail_of

if TYPE_CHECKING:
    from whichpic.web.shelf import Shelved
    from whichpic.web.site import Site

PictureName = Annotated[str, Path(max_length=200, description="Id of a picture of the album.")]
# In an address everything is a text, and a literal number is not read from one.
Side = Annotated[Literal[160, 320, 640], BeforeValidator(lambda side: int(side) if str(side).isdecimal() else side)]
LARGEST = 2000
AT_ONCE = 2
"""Pictures that are decoded at the same time: each takes a core, and a large one 150 MB."""
KEPT_BYTES = 32 << 20
"""Room for thumbnails that were sent lately."""
FOREVER = "private, max-age=31536000, immutable"
_JPEG: dict[str, Any] = {
    "description": "A JPEG without any metadata.",
    "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    "headers": {"ETag": {"schema": {"type": "string"}}, "Cache-Control": {"schema": {"type": "string"}}},
}
_SAME = {"description": "It is the one that `If-None-Match` names."}


class Thumbnails:
    """Thumbnails that were sent lately, in memory: most of a list is asked for again by the next who looks."""

    def __init__(self, room: int = KEPT_BYTES) -> None:
        self._room = room
        self._kept: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str, int]) -> bytes | None:
        """The JPEG, or None where it has to be read."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: tuple[str, str, int], jpeg: bytes) -> None:
        """Keep it, and let go of those that were not asked for the longest."""
        with self._lock:
            self._size += len(jpeg) - len(self._kept.pop(key, b""))
            self._kept[key] = jpeg
            while self._size > self._room:
                self._size -= len(self._kept.popitem(last=False)[1])


def add(routes: APIRouter, site: Site) -> None:
    """The routes of pictures. Those that end in a word come first: an id may have slashes."""
    kept, limit = Thumbnails(), anyio.CapacityLimiter(AT_ONCE)

    @routes.get("/albums/{name}/pictures/{picture:path}/thumbnail", operation_id="get_thumbnail", tags=["pictures"],
                responses={200: _JPEG, 304: _SAME, **refusals(404, 409)}, response_class=Response,
                summary="A small JPEG")  # fmt: skip
    async def get_thumbnail(
        name: AlbumName,
        picture: PictureName,
        side: Annotated[Side, Query(description="Pixels of the longer side.")] = 320,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        shelved = _with_files(album(site, name), picture)
        headers = _headers(picture, side)
        if _same(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        key = (name, picture, side)
        if (jpeg := kept.get(key)) is None:
            jpeg = await _read(site, limit, partial(shelved.thumbnail, picture, side))
            kept.put(key, jpeg)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @routes.get("/albums/{name}/pictures/{picture:path}/image", operation_id="get_image", tags=["pictures"],
                responses={200: _JPEG, 304: _SAME, **refusals(404, 409)}, response_class=Response,
                summary="The picture as a JPEG")  # fmt: skip
    async def get_image(
        name: AlbumName,
        picture: PictureName,
        side: Annotated[int, Query(ge=16, le=LARGEST, description="Pixels of the longer side, at most.")] = 1600,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        shelved = _with_files(album(site, name), picture)
        headers = _headers(picture, -side)
        if _same(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        jpeg = await _read(site, limit, partial(image, shelved, picture, side))
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @routes.get("/albums/{name}/pictures/{picture:path}", operation_id="get_picture", tags=["pictures"],
                responses=refusals(404, 409), response_model=PictureDetail,
                summary="All that is known of a picture")  # fmt: skip
    async def get_picture(name: AlbumName, picture: PictureName) -> Response:
        gallery = album(site, name).gallery
        need_picture(album(site, name), picture)
        detail = detail_of(gallery, gallery.pictures[gallery.positions[picture]])
        return plain(detail)


def image(shelved: Shelved, picture: str, side: int) -> bytes:
    """A JPEG of a picture, decoded and written anew: pixels and nothing else. Raises AlbumError, DecodeError."""
    out = io.BytesIO()
    # Pillow copies a comment of the original unless it is given another.
    shelved.album.store.image(picture, side=side).save(out, "JPEG", quality=90, comment=b"")
    return out.getvalue()


async def _read(site: Site, limit: anyio.CapacityLimiter, work: partial[bytes]) -> bytes:
    try:
        return await anyio.to_thread.run_sync(work, limiter=limit)
    except (AlbumError, DecodeError) as error:  # its file has gone, or is no longer what it was
        raise HTTPException(404, site.shelf.line(error)) from None


def _with_files(shelved: Shelved, picture: str) -> Shelved:
    need_picture(shelved, picture)
    if shelved.captions_only:
        raise HTTPException(404, f"{shelved.title} has captions only: there is no picture to show")
    return shelved


def _headers(picture: str, side: int) -> dict[str, str]:
    return {"ETag": f'"{picture}.{side}"', "Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}


def _same(given: str | None, etag: str) -> bool:
    return given is not None and (
        given.strip() == "*" or etag in [each.strip().removeprefix("W/") for each in given.split(",")]
    )
