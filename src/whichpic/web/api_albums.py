"""Albums over HTTP: what they are, their indexing, their pictures by number, and search without a session. Called by api."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from whichpic.dialogue import Session, Term
from whichpic.errors import QueryError
from whichpic.web.api_errors import TAKEN, album, known_pictures, refusals
from whichpic.web.views import MOST_SHOWN, Listed, PictureId, Text, clean, listed

if TYPE_CHECKING:
    from whichpic.web.shelf import Shelved
    from whichpic.web.site import Site

AlbumName = Annotated[str, Path(max_length=100, description="Name of an album, as `GET /albums` lists it.")]
MOST_ENTRIES = 1000
_Condition = Annotated[str, Field(max_length=300)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class IndexingView(BaseModel):
    """How far the index of an album is; seconds_left is null where it is too early to say."""

    state: Literal["idle", "running", "paused", "failed"]
    phase: str
    done: int
    total: int
    skipped: int
    per_second: float
    seconds_left: float | None
    error: str


class AlbumView(BaseModel):
    """An album. revision counts how often it was read anew: what was shown before may have changed since."""

    name: str
    title: str
    pictures: int
    captions_only: bool
    ready: bool
    revision: int
    indexing: IndexingView


class Albums(BaseModel):
    """All albums that are served, in their order."""

    albums: list[AlbumView]


class Do(_Body):
    """What the indexing of an album shall do."""

    do: Literal["start", "pause"]


class Skipped(BaseModel):
    """A file that is not indexed, by its path inside the album, and why."""

    path: str
    reason: str


class SkippedFiles(BaseModel):
    """The files that are not indexed."""

    skipped: list[Skipped]
    total: int


class Entry(BaseModel):
    """A picture of the album: its id, and its path inside the album."""

    id: str
    name: str


class Entries(BaseModel):
    """A part of an album's pictures, in the order of their ids."""

    total: int
    offset: int
    pictures: list[Entry]


class Weighted(_Body):
    """A text with its weight."""

    text: Text
    weight: Annotated[float, Field(gt=0, le=4, allow_inf_nan=False)] = 1.0


class Find(_Body):
    """What to look for: texts, pictures of the album for and against, weighted texts for and against, conditions."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"text": "a red car", "k": 12}]}
    )

    text: Text | None = None
    texts: Annotated[list[Text], Field(max_length=20)] = []
    like: Annotated[list[PictureId], Field(max_length=20)] = []
    unlike: Annotated[list[PictureId], Field(max_length=20)] = []
    plus: Annotated[list[Weighted], Field(max_length=20)] = []
    minus: Annotated[list[Weighted], Field(max_length=20)] = []
    where: Annotated[list[_Condition], Field(max_length=20)] = []
    k: Annotated[int, Field(ge=1, le=MOST_SHOWN)] = 24


class Found(BaseModel):
    """The pictures that fit best; passing: how many the conditions leave, of total."""

    album: str
    pictures: list[Listed]
    passing: int
    total: int
    fitting: int
    nothing_fits: bool


def add(routes: APIRouter, site: Site) -> None:
    """The routes of albums."""
    _albums(routes, site)
    _find(routes, site)


def _albums(routes: APIRouter, site: Site) -> None:
    @routes.get("/albums", operation_id="list_albums", tags=["albums"], responses=refusals(), summary="All albums")
    async def list_albums() -> Albums:
        return Albums(albums=[_view(site, each) for each in site.shelf])

    @routes.get("/albums/{name}", operation_id="get_album", tags=["albums"], responses=refusals(404),
                summary="One album, and how far its index is")  # fmt: skip
    async def get_album(name: AlbumName) -> AlbumView:
        return _view(site, album(site, name))

    @routes.post("/albums/{name}/indexing", operation_id="index_album", tags=["albums"], responses=refusals(404, *TAKEN),
                 summary="Start or pause the indexing")  # fmt: skip
    async def index_album(name: AlbumName, body: Do) -> AlbumView:
        shelved = album(site, name)
        if body.do == "start":
            shelved.start()
        else:
            shelved.pause()
        return _view(site, shelved)

    @routes.get("/albums/{name}/skipped", operation_id="list_skipped", tags=["albums"], responses=refusals(404),
                summary="The files that are not indexed, and why")  # fmt: skip
    async def list_skipped(
        name: AlbumName, limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = MOST_ENTRIES
    ) -> SkippedFiles:
        skips = await site.desk.list(album(site, name).skips)
        shown = [
            Skipped(path=site.shelf.line(each.path), reason=site.shelf.line(each.reason)) for each in skips[:limit]
        ]
        return SkippedFiles(skipped=shown, total=len(skips))

    @routes.get("/albums/{name}/pictures", operation_id="list_pictures", tags=["pictures"],
                responses=refusals(404, 409), summary="The pictures of an album, by number")  # fmt: skip
    async def list_pictures(
        name: AlbumName,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
    ) -> Entries:
        gallery = album(site, name).gallery
        some = gallery.pictures[offset : offset + limit]
        entries = [Entry(id=each.id, name=clean(each.paths[0] if each.paths else each.id)) for each in some]
        return Entries(total=gallery.n, offset=offset, pictures=entries)


def _find(routes: APIRouter, site: Site) -> None:
    @routes.post("/albums/{name}/find", operation_id="find", tags=["search"], response_model=Found,
                 responses=refusals(404, 409, *TAKEN), summary="Search once, without keeping a session")  # fmt: skip
    async def find(name: AlbumName, body: Find) -> Response:
        return plain(await site.desk.list(found, album(site, name), body))

    @routes.get("/albums/{name}/find", operation_id="find_by_address", tags=["search"], response_model=Found,
                responses=refusals(404, 409), summary="The same, all in the address")  # fmt: skip
    async def find_by_address(
        name: AlbumName,
        q: Annotated[str, Query(min_length=1, max_length=2000, examples=["a red car"])],
        where: Annotated[tuple[_Condition, ...], Query(max_length=20, description="Conditions like `has=dog`.")] = (),
        k: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 24,
    ) -> Response:
        return plain(await site.desk.list(found, album(site, name), Find(text=q, where=list(where), k=k)))


def found(shelved: Shelved, what: Find) -> Found:
    """The pictures that fit best. Raises QueryError, and AlbumError where the album cannot be searched yet."""
    session = Session(shelved.gallery)
    known_pictures(session.gallery, *what.like, *what.unlike)
    terms = [
        *(Term(text=each.strip()) for each in (what.text or "", *what.texts) if each.strip()),
        *(Term(picture=each) for each in what.like),
        *(Term(picture=each, weight=-1.0) for each in what.unlike),
        *(Term(text=each.text.strip(), weight=each.weight) for each in what.plus if each.text.strip()),
        *(Term(text=each.text.strip(), weight=-each.weight) for each in what.minus if each.text.strip()),
    ]
    if what.where:
        session.filter(*what.where)
    if terms:
        session.say_terms(terms)
    elif not what.where:
        raise QueryError("nothing to look for: give words, a picture or a condition")
    pictures = [listed(session.gallery, each) for each in session.results(what.k)]
    return Found(
        album=shelved.name, pictures=pictures, passing=int(session.belief.mask.sum()), total=session.gallery.n,
        fitting=session.fitting, nothing_fits=session.nothing_fits,
    )  # fmt: skip


def _view(site: Site, shelved: Shelved) -> AlbumView:
    now = shelved.indexing
    left = now.seconds_left
    indexing = IndexingView(
        state=now.state, phase=now.phase, done=now.done, total=now.total, skipped=now.skipped,
        per_second=round(now.per_second, 2), seconds_left=None if left is None else round(max(left, 0.0), 1),
        error=site.shelf.line(now.error),
    )  # fmt: skip
    return AlbumView(
        name=shelved.name, title=clean(shelved.title), pictures=shelved.gallery.n if shelved.ready else 0,
        captions_only=shelved.captions_only, ready=shelved.ready, revision=shelved.revision, indexing=indexing,
    )  # fmt: skip


def plain(view: BaseModel, status: int = 200) -> Response:
    """A view as JSON, written once: no second model looks at what is one already."""
    return Response(view.model_dump_json(), status, media_type="application/json")
