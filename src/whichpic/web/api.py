"""The HTTP API, /api/v1: albums, pictures by id, search, sessions and their questions. Called by app; for scripts and pages.

What every route takes and gives is in OpenAPI (/openapi.json) and in docs/http-api.md; errors are `{"detail": one line}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from whichpic.web import api_albums, api_pictures, api_questions, api_sessions
from whichpic.web.api_errors import lined, refusals

if TYPE_CHECKING:
    from whichpic.web.site import Site

PREFIX = "/api/v1"


class Health(BaseModel):
    """Whether the server answers, and which whichpic it is."""

    status: Literal["ok"] = "ok"
    version: str


def router(site: Site) -> APIRouter:
    """All routes of the API, each an async function that hands its work to the threads of the desk."""
    kind = lined(site)
    whole = APIRouter(prefix=PREFIX, route_class=kind)

    @whole.get("/health", operation_id="health", tags=["server"], responses=refusals(), summary="Does it answer?")
    async def health() -> Health:
        return Health(version=site.version)

    for part in (api_albums, api_pictures, api_sessions, api_questions):
        routes = APIRouter(route_class=kind)
        part.add(routes, site)
        whole.include_router(routes)
    return whole
