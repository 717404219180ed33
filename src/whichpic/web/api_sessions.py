"""Sessions over HTTP: begin, say, mark, answer, go back, branch, why, and all of it as data. Called by api.

What is done gives the new list at once; the questions come by api_questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from whichpic.web.api_albums import AlbumName, plain
from whichpic.web.api_errors import TAKEN, album, known_pictures, need_picture, refusals, talk
from whichpic.web.api_pictures import PictureName
from whichpic.web.api_uploads import TYPES, received
from whichpic.web.views import Choose, Doing, Like, Mark, PictureView, ReasonView, State, picture_view

if TYPE_CHECKING:
    from whichpic.web.site import Site
    from whichpic.web.talk import Talk

SessionId = Annotated[str, Path(max_length=100, description="Id of a session, as `POST .../sessions` gave it.")]
_OF_SESSION = "/albums/{name}/sessions/{session}"
_SAY = {"kind": "said", "text": "a red car in the snow"}
_MORE: dict[str, Any] = {
    "links": {
        each: {"operationId": each, "parameters": {"name": "$response.body#/album", "session": "$response.body#/id"}}
        for each in ("do_event", "get_session", "get_questions", "branch_session", "get_records")
    }
}


class Begin(BaseModel):
    """A new session; auto: questions are in the language of what is said."""

    model_config = ConfigDict(extra="forbid", strict=True)
    language: Literal["auto", "en", "zh"] = "auto"


class Branch(BaseModel):
    """Where a copy goes on: after the event of that number (`n` of a turn), or at the end."""

    model_config = ConfigDict(extra="forbid", strict=True)
    n: Annotated[int, Field(ge=-1, le=1_000_000)] | None = None


class KeptView(BaseModel):
    """A session that was kept: when it began (UTC), the first thing said, how many events, whether it found a picture."""

    id: str
    at: str
    said: str
    events: int
    found: bool


class KeptSessions(BaseModel):
    """The sessions that were kept, newest first."""

    sessions: list[KeptView]


class Records(BaseModel):
    """A session as its file has it: the header, and one record for each line. Replaying them gives the same list."""

    header: dict[str, Any]
    records: list[dict[str, Any]]


class Why(BaseModel):
    """Why a picture is where it is, event by event."""

    picture: PictureView
    reasons: list[ReasonView]


def add(routes: APIRouter, site: Site) -> None:
    """The routes of sessions."""
    _begin(routes, site)
    _do(routes, site)
    _look(routes, site)


def _begin(routes: APIRouter, site: Site) -> None:
    @routes.post("/albums/{name}/sessions", operation_id="begin_session", tags=["sessions"], status_code=201,
                 response_model=State, summary="A new session",
                 responses={201: _MORE, **refusals(404, 409, *TAKEN)})  # fmt: skip
    async def begin_session(name: AlbumName, body: Begin | None = None) -> Response:
        album(site, name)

        def work() -> State:
            return site.talks.begin(name, language=(body or Begin()).language).state

        return plain(await site.desk.list(work), 201)

    @routes.get("/albums/{name}/sessions", operation_id="list_sessions", tags=["sessions"], responses=refusals(404),
                summary="The sessions that were kept, newest first")  # fmt: skip
    async def list_sessions(name: AlbumName, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> KeptSessions:
        album(site, name)
        kept = await site.desk.list(site.talks.kept, name, limit)
        return KeptSessions(sessions=[
            KeptView(id=each.id, at=each.at, said=each.said, events=each.turns, found=bool(each.found)) for each in kept
        ])  # fmt: skip

    @routes.post(_OF_SESSION + "/branch", operation_id="branch_session", tags=["sessions"], status_code=201,
                 response_model=State, responses={201: _MORE, **refusals(404, 409, *TAKEN)},
                 summary="A copy that goes on by itself")  # fmt: skip
    async def branch_session(name: AlbumName, session: SessionId, body: Branch | None = None) -> Response:
        def work() -> State:
            return site.talks.branch(talk(site, name, session), (body or Branch()).n).state

        return plain(await site.desk.list(work), 201)


def _do(routes: APIRouter, site: Site) -> None:
    @routes.post(_OF_SESSION + "/events", operation_id="do_event", tags=["sessions"], response_model=State,
                 responses={200: _MORE, **refusals(404, 409, 507, *TAKEN)},
                 summary="Say, answer, mark, filter, undo, ...")  # fmt: skip
    async def do_event(
        name: AlbumName, session: SessionId, body: Annotated[Doing, Body(examples=[_SAY, {"kind": "undo"}])]
    ) -> Response:
        def work() -> State:
            held = talk(site, name, session)
            known(held, body)
            return held.do(body)

        return plain(await site.desk.list(work))

    @routes.post(_OF_SESSION + "/picture", operation_id="add_picture", tags=["sessions"], response_model=State,
                 responses=refusals(404, 409, 415, 507, *TAKEN), summary="A picture from elsewhere as part of the query",
                 openapi_extra={"requestBody": {"required": True, "content": {
                     each: {"schema": {"type": "string", "format": "binary"}} for each in TYPES}}})  # fmt: skip
    async def add_picture(
        name: AlbumName,
        session: SessionId,
        request: Request,
        weight: Annotated[float, Query(ge=-4, le=4, allow_inf_nan=False, description="Negative: not like this.")] = 1.0,
        title: Annotated[str, Query(alias="name", max_length=200, description="What a person calls it.")] = "",
    ) -> Response:
        album(site, name)
        image = await received(request)

        def work() -> State:
            return talk(site, name, session).look_like(image, title, weight)

        return plain(await site.desk.list(work))


def _look(routes: APIRouter, site: Site) -> None:
    @routes.get(_OF_SESSION, operation_id="get_session", tags=["sessions"], response_model=State,
                responses=refusals(404, 409), summary="The session as it stands")  # fmt: skip
    async def get_session(name: AlbumName, session: SessionId) -> Response:
        return plain(await site.desk.list(lambda: talk(site, name, session).state))

    @routes.get(_OF_SESSION + "/records", operation_id="get_records", tags=["sessions"],
                responses=refusals(404, 409), summary="The session as its file has it")  # fmt: skip
    async def get_records(name: AlbumName, session: SessionId) -> Records:
        from whichpic.web.exporting import plain_lines

        header, records = await site.desk.list(lambda: plain_lines(talk(site, name, session).twin()))
        return Records(header=header, records=records)

    @routes.get(_OF_SESSION + "/why/{picture:path}", operation_id="why", tags=["sessions"], response_model=Why,
                responses=refusals(404, 409), summary="Why a picture is where it is")  # fmt: skip
    async def why(name: AlbumName, session: SessionId, picture: PictureName) -> Response:
        def work() -> Why:
            held = talk(site, name, session)
            need_picture(held.shelved, picture)
            gallery = held.shelved.gallery
            seen = picture_view(gallery, gallery.pictures[gallery.positions[picture]])
            return Why(picture=seen, reasons=held.why(picture))

        return plain(await site.desk.list(work))

    @routes.get(_OF_SESSION + "/export.json", operation_id="export_json", tags=["sessions"],
                responses=refusals(404, 409), summary="The session with its pictures' names, as JSON")  # fmt: skip
    async def export_json(name: AlbumName, session: SessionId) -> dict[str, Any]:
        from whichpic.web.exporting import session_json

        return await site.desk.list(lambda: session_json(talk(site, name, session)))

    @routes.get(_OF_SESSION + "/export.html", operation_id="export_html", tags=["sessions"], response_class=Response,
                responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}, **refusals(404, 409)},
                summary="The session as one page, pictures included")  # fmt: skip
    async def export_html(
        name: AlbumName, session: SessionId, language: Annotated[Literal["en", "zh"], Query()] = "en"
    ) -> Response:
        from whichpic.web.exporting import session_html

        page = await site.desk.list(lambda: session_html(talk(site, name, session), language))
        return Response(page, media_type="text/html", headers={
            "Content-Disposition": 'attachment; filename="whichpic.html"', "Content-Security-Policy": "sandbox",
            "X-Content-Type-Options": "nosniff"})  # fmt: skip


def known(held: Talk, doing: Doing) -> None:
    """QueryError for a picture that is not of the album: a wrong name is another thing than a wrong moment."""
    match doing:
        case Mark():
            named = [*doing.more, *doing.less]
        case Like() | Choose():
            named = [doing.picture]
        case _:
            return
    # What is done goes on over the newest gallery, where there is one.
    known_pictures(held.shelved.gallery if held.shelved.ready else held.session.gallery, *named)
