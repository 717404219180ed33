"""The questions of a session over HTTP: as a stream of server-sent events, or waited for. Called by api.

The list never waits for them: POST .../events has answered before, and the first event here is that list.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from whichpic.web.api_albums import AlbumName, plain
from whichpic.web.api_errors import album, refusals, talk
from whichpic.web.api_sessions import SessionId
from whichpic.web.views import State

if TYPE_CHECKING:
    from whichpic.web.site import Site
    from whichpic.web.talk import Talk

KEEP_ALIVE = 10.0
"""Seconds of silence after which a comment is sent: what lies between must not take the stream for dead."""
LONGEST = 300.0
"""Seconds of one stream. Models have a deadline far below; this is for what nobody thought of."""
_STREAM = {
    "description": "Events `state` (data: a State as JSON) whenever the session changes, until its questions are "
    "there; then `end`. Comments keep the connection alive.",
    "content": {
        "text/event-stream": {
            "schema": {
                "type": "object",
                "properties": {
                    "event": {"type": "string", "enum": ["state", "end"]},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                },
                "required": ["event", "data"],
            }
        }
    },
}


def add(routes: APIRouter, site: Site) -> None:
    """The routes of questions."""

    @routes.get("/albums/{name}/sessions/{session}/questions", operation_id="stream_questions", tags=["questions"],
                responses={200: _STREAM, **refusals(404, 409)}, response_class=StreamingResponse,
                summary="Have the questions of this turn made, and follow it")  # fmt: skip
    async def stream_questions(name: AlbumName, session: SessionId) -> StreamingResponse:
        album(site, name)
        held = await site.desk.list(talk, site, name, session)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(site, held), media_type="text/event-stream", headers=headers)

    @routes.get("/albums/{name}/sessions/{session}/questions.json", operation_id="get_questions", tags=["questions"],
                response_model=State, responses=refusals(404, 409),
                summary="The session when the questions of this turn were made")  # fmt: skip
    async def get_questions(name: AlbumName, session: SessionId) -> Response:
        album(site, name)
        held = await site.desk.list(talk, site, name, session)
        async with following(site, held) as states:
            return plain([state async for state in states if state is not None][-1])


async def events(site: Site, held: Talk) -> AsyncIterator[bytes]:
    """The stream, ended by the client's going at any moment."""
    async with following(site, held) as states:
        async for state in states:
            yield b": still here\n\n" if state is None else _event("state", state.model_dump_json())
    yield _event("end", "{}")


@asynccontextmanager
async def following(site: Site, held: Talk) -> AsyncIterator[AsyncIterator[State | None]]:
    """The states of a session from now until its questions are there, None after each silence of 10 s.

    Who leaves the block no longer watches, however it was left.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[State] = asyncio.Queue()

    def changed(state: State) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, state)

    end = held.watch(changed)
    try:
        now = await site.desk.list(_asked, held)
        if queue.empty():  # they are there, or another client has asked for them
            queue.put_nowait(now)
        yield _until_asked(queue)
    finally:
        end()


async def _until_asked(queue: asyncio.Queue[State]) -> AsyncIterator[State | None]:
    seen, until = -1, asyncio.get_running_loop().time() + LONGEST
    while asyncio.get_running_loop().time() < until:
        try:
            state = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
        except TimeoutError:
            yield None
            continue
        if state.revision <= seen:
            continue
        seen = state.revision
        yield state
        if not state.asking:
            return


def _asked(held: Talk) -> State:
    held.ask()
    return held.state


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
