"""What the HTTP API says when it cannot do what was asked: a status and one line, nothing of this machine. Called by api_*.

Every error of whichpic has its status here, so that a route says only what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException

from whichpic.errors import AlbumError, ChatError, DecodeError, QueryError, SessionError, StoreFull, WhichpicError
from whichpic.web.api_uploads import TooLarge
from whichpic.web.talks import NoSession, TooMany

if TYPE_CHECKING:
    from whichpic.search.gallery import Gallery
    from whichpic.web.shelf import Shelved
    from whichpic.web.site import Site
    from whichpic.web.talk import Talk

LONGEST_LINE = 500


class Trouble(BaseModel):
    """What went wrong: what it was, what was expected, what to do."""

    detail: str = Field(description="One line for a person.", examples=["there is no album 'x'; there are: photos"])


_SAID = {
    400: "Not HTTP as it should be: an address with control characters, a length that is no number.",
    401: "The server was started with a token, and the request has none, or another.",
    403: "The request comes from a page of another origin.",
    404: "There is no such album, session or picture.",
    408: "The body did not come.",
    409: "It cannot be done as things stand: the session has ended, the question is no longer open, the album has "
    "nothing yet to search, ...",
    413: "The body is too large: a picture of more than 20 MB or 50 million pixels, anything else of more than 1 MB.",
    415: "Not a picture that can be read.",
    422: "The request is not as it should be; the line says where.",
    429: "Too many requests, or too many sessions; come back later.",
    503: "A part that this needs cannot be used now.",
    507: "The disk is full; what was said before is kept.",
}
EVERYWHERE = (400, 401, 403, 422, 429)


TAKEN = (408, 413)
"""What any route that takes a body may say."""


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route in OpenAPI, besides the good one: those given and those that any route may give."""
    return {status: {"model": Trouble, "description": _SAID[status]} for status in sorted({*statuses, *EVERYWHERE})}


def lined(site: Site) -> type[APIRoute]:
    """A kind of route whose every error is a status and one line."""

    class Lined(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    return await handler(request)
                except RequestValidationError as error:
                    return refused(422, _where(error))
                except AnyHTTPException as error:
                    # FastAPI's own 400 is a body that is no JSON at all: for a client that is one thing with 422.
                    status = 422 if error.status_code == 400 else error.status_code
                    return refused(status, site.shelf.line(error.detail), error.headers)
                except WhichpicError as error:
                    return refused(status_of(error), site.shelf.line(error))

            return handled

    return Lined


def refused(status: int, line: str, headers: Any = None) -> Response:
    """The answer of a status and one line."""
    return JSONResponse({"detail": line[:LONGEST_LINE]}, status, headers=headers)


def status_of(error: WhichpicError) -> int:
    """The status of an error of whichpic."""
    match error:
        case StoreFull():
            return 507
        case QueryError():
            return 422
        case NoSession():
            return 404
        case TooMany():
            return 429
        case SessionError() | AlbumError():
            return 409
        case TooLarge():
            return 413
        case DecodeError():
            return 415
        case ChatError():
            return 429 if error.reason == "rate limit" else 503
        case _:
            return 503


def album(site: Site, name: str) -> Shelved:
    """The album of a name, or 404."""
    try:
        return site.shelf[name]
    except AlbumError as error:
        raise HTTPException(404, str(error)) from None


def need_picture(shelved: Shelved, picture: str) -> None:
    """404 for a picture that the album does not have."""
    if picture not in shelved.gallery.positions:
        raise HTTPException(404, f"{shelved.title} has no picture '{picture[:80]}'")


def talk(site: Site, name: str, session: str) -> Talk:
    """The session of an id, or 404. It may have to be read from its file: not for the event loop."""
    album(site, name)
    return site.talks.get(name, session)


def known_pictures(gallery: Gallery, *pictures: str) -> None:
    """QueryError for a picture that is named in a body and not of the album: no wrong moment (409), but a wrong name."""
    for picture in pictures:
        if picture not in gallery.positions:
            raise QueryError(f"the album has no picture '{picture[:80]}'")


def _where(error: RequestValidationError) -> str:
    """Where a request is not as it should be, and why; never what was sent, which may be anything."""
    found = error.errors()
    first = found[0] if found else {"loc": (), "msg": "not as it should be"}
    if first.get("type") == "json_invalid":
        return "the body is no JSON"
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
    rest = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return " ".join(f"{where or 'the body'}: {first['msg']}{rest}".split()).encode("utf-8", "replace").decode("utf-8")
