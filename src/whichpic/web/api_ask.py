"""Asking a model about pictures over HTTP: which models there are, and a reply as a stream or in one piece. Called by app.

POST /api/v1/ask {"question": "What is this?", "album": "photos", "pictures": ["3f…"]} -> text/event-stream
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from whichpic.errors import ChatError
from whichpic.web.api_errors import album, lined, need_picture, refusals
from whichpic.web.api_uploads import MOST_BYTES, body, in_turn
from whichpic.web.chat_log import (
    LONGEST_ANSWER,
    LONGEST_QUESTION,
    LONGEST_SYSTEM,
    MOST_PICTURES,
    MOST_TURNS,
    DecodingView,
    Given,
    from_album,
    from_bytes,
    from_text,
    messages_of,
)
from whichpic.web.chats import Done, Failed, Loading, Token
from whichpic.web.views import PictureId

if TYPE_CHECKING:
    from whichpic.web.chats import Part, Writing
    from whichpic.web.site import Site

OFTEN = 0.2
"""Seconds between looks whether the client is still there."""
LONGEST_UPLOAD = MOST_BYTES * 4 // 3 + 200


class Spoken(BaseModel):
    """One earlier message."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["user", "assistant"]
    text: Annotated[str, Field(max_length=LONGEST_ANSWER)]


class Ask(BaseModel):
    """A question about pictures. They are named by an album and its ids, or handed in as base64; nothing is fetched."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)]
    model: Annotated[str, Field(max_length=100, description="An id of /api/v1/models; the first where empty.")] = ""
    album: Annotated[str | None, Field(max_length=100)] = None
    pictures: Annotated[list[PictureId], Field(max_length=MOST_PICTURES)] = []
    uploads: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_UPLOAD)]],
        Field(max_length=MOST_PICTURES, description="Files of pictures, as base64 or data URLs; up to 20 MB each."),
    ] = []
    history: Annotated[list[Spoken], Field(max_length=2 * MOST_TURNS)] = []
    system: Annotated[str, Field(max_length=LONGEST_SYSTEM)] = ""
    decoding: DecodingView = DecodingView()


class ModelView(BaseModel):
    """A model that can be asked. local: weights in the server's process, which can do beam search."""

    id: str
    name: str
    state: Literal["new", "loading", "ready", "failed"]
    detail: str
    local: bool


class Fault(BaseModel):
    """Why a model did not answer to the end; again: whether the same may succeed a little later."""

    reason: str
    detail: str
    again: bool


class Answered(BaseModel):
    """A whole reply. finish: stop, length (cut at max_tokens), stopped or failed; with an error, text is what came before."""

    text: str
    finish: Literal["stop", "length", "stopped", "failed"]
    seconds: float
    tokens: int
    error: Fault | None = None


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Answered,
        "description": "Events token {text}, loading {}, and at the end done {finish, seconds, tokens} or error "
        "{reason, detail, again}; with stream=false a JSON object.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "event": {"type": "string", "enum": ["loading", "token", "done", "error"]},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                    },
                    "required": ["event", "data"],
                }
            }
        },
    }
}


def router(site: Site) -> APIRouter:
    """The routes by themselves, below /api/v1."""
    routes = APIRouter(prefix="/api/v1", route_class=lined(site))
    add(routes, site)
    return routes


def add(routes: APIRouter, site: Site) -> None:
    """The routes. What a model does wrong is part of the reply: the status is that of the request alone."""

    @routes.get("/models", operation_id="list_models", tags=["ask"], responses=refusals(), summary="The models")
    async def list_models() -> list[ModelView]:
        return [
            ModelView(id=each.id, name=each.name, state=each.state, detail=each.detail, local=each.local)
            for each in site.chats.models.values()
        ]

    @routes.post("/ask", operation_id="ask", tags=["ask"], responses={**_STREAM, **refusals(404, 409, 413, 415)},
                 response_model=None, summary="Ask a model about pictures")  # fmt: skip
    async def ask(
        asked: Ask,
        request: Request,
        stream: Annotated[bool, Query(description="Piece by piece, or in one piece.")] = True,
    ) -> Response:
        try:
            model = site.chats[asked.model]
        except ChatError as error:
            raise HTTPException(404, str(error)) from None
        given = await _given(site, asked)
        texts: list[tuple[Literal["user", "assistant"], str]] = [(each.role, each.text) for each in asked.history]
        texts.append(("user", asked.question))
        writing = site.chats.write(model.id, lambda: messages_of(given, texts, asked.system), asked.decoding.decoding)
        if stream:
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return StreamingResponse(_events(writing, request), media_type="text/event-stream", headers=headers)
        return JSONResponse((await _whole(writing, request)).model_dump())

    @routes.post("/talks/{page}/pictures", include_in_schema=False)
    async def hand_in(page: str, request: Request) -> Response:
        """A picture for a page that is open, by the page's own name, which nobody else knows."""
        if page not in site.chats.inboxes:
            raise HTTPException(404, "this page is no longer open; load it again")
        data = await body(request)
        name = request.query_params.get("name", "")[:200]
        given = await in_turn(from_bytes, data, name)
        try:
            site.chats.inboxes[page](given)
        except (ChatError, KeyError) as error:
            raise HTTPException(409, str(error)) from None
        return JSONResponse({"name": given.name})


async def _given(site: Site, asked: Ask) -> list[Given]:
    if len(asked.pictures) + len(asked.uploads) > MOST_PICTURES:
        raise HTTPException(422, f"{MOST_PICTURES} pictures are the most of one question")
    found: list[Given] = []
    if asked.pictures:
        shelved = album(site, asked.album) if asked.album is not None else site.shelf.first
        if shelved.captions_only:
            raise HTTPException(409, f"{shelved.title} has captions only: there are no pictures to look at")
        for picture in asked.pictures:
            need_picture(shelved, picture)
            found.append(from_album(shelved, picture))
    for number, text in enumerate(asked.uploads, start=1):
        found.append(await in_turn(from_text, text, f"upload {number}"))
    return found


async def _events(writing: Writing, request: Request) -> AsyncIterator[str]:
    async with _watched(writing, request):
        async for part in writing:
            yield _event(part)


@asynccontextmanager
async def _watched(writing: Writing, request: Request) -> AsyncIterator[None]:
    """Inside it the reply is ended when its client goes: a model that says nothing would not be noticed to say it to nobody."""

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(OFTEN)
        writing.stop()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        writing.stop()


def _event(part: Part) -> str:
    match part:
        case Loading():
            return _line("loading")
        case Token():
            return _line("token", text=part.text)
        case Done():
            return _line("done", finish=part.finish, seconds=round(part.seconds, 3), tokens=part.tokens)
        case Failed():
            return _line("error", reason=part.reason, detail=part.detail, again=part.again)


def _line(kind: str, **found: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(found, ensure_ascii=False)}\n\n"


async def _whole(writing: Writing, request: Request) -> Answered:
    texts: list[str] = []
    async with _watched(writing, request):
        async for part in writing:
            if isinstance(part, Token):
                texts.append(part.text)
            elif isinstance(part, Done):
                return Answered(text="".join(texts), finish=part.finish, seconds=part.seconds, tokens=part.tokens)
            elif isinstance(part, Failed):
                fault = Fault(reason=part.reason, detail=part.detail, again=part.again)
                return Answered(text="".join(texts), finish="failed", seconds=part.seconds, tokens=0, error=fault)
    raise HTTPException(503, "the reply has no end")
