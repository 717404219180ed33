"""`whichpic find` and `whichpic facts`: one question to an album, and what is known of one picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whichpic.cli.index import EncoderOption, FolderArgument, JsonOption, StoreOption
from whichpic.cli.open import ensure_indexed, open_album
from whichpic.cli.output import as_json, listing, note, plain, printable
from whichpic.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.api import Album
    from whichpic.types import Fact


def find(
    album: FolderArgument,
    words: Annotated[list[str] | None, typer.Argument(help="What is in the picture, in English or Chinese.")] = None,
    like: Annotated[
        list[str] | None, typer.Option(help="A picture: more like this one; with a weight: 0.5:photo.jpg")
    ] = None,
    unlike: Annotated[list[str] | None, typer.Option(help="A picture: not like this one, or 0.5:photo.jpg")] = None,
    plus: Annotated[list[str] | None, typer.Option(help="A further text, with a weight if you like: 0.5:snow")] = None,
    minus: Annotated[list[str] | None, typer.Option(help="A text that it is not: people, or 0.5:people")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="A filter: has=dog, date>=2024-05, camera~nikon, light=night")
    ] = None,
    folder: Annotated[str | None, typer.Option(help="Only pictures below this folder of the album.")] = None,
    after: Annotated[str | None, typer.Option(help="Taken on or after: 2024, 2024-05 or 2024-05-31.")] = None,
    before: Annotated[str | None, typer.Option(help="Taken on or before.")] = None,
    camera: Annotated[str | None, typer.Option(help="Part of the camera's name.")] = None,
    orientation: Annotated[str | None, typer.Option(help="landscape, portrait or square.")] = None,
    min_size: Annotated[float | None, typer.Option(help="At least so many megapixels.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many to show.")] = 12,
    pictures: Annotated[bool, typer.Option(help="Show the pictures, where the terminal can.")] = True,
    encoder: EncoderOption = "auto",
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Find pictures by words, by pictures, or by both.

    Example: whichpic find ~/Pictures a dog on a beach --minus people --after 2023
    """
    text = " ".join(words or ()).strip()
    conditions = [*(where or []), *_conditions(folder, after, before, camera, orientation, min_size)]
    if not (text or like or unlike or plus or minus or conditions):
        raise QueryError("nothing to look for: give words, --like PICTURE or a filter")
    with open_album(album, encoder=encoder, store=store, quiet=json) as opened:
        ensure_indexed(opened, quiet=json)
        found = opened.find(*([text] if text else []), like=_weighted(like), unlike=_weighted(unlike),
                            plus=_weighted(plus), minus=_weighted(minus), where=conditions, k=k)  # fmt: skip
        if json:
            as_json(plain(found))
        elif found:
            listing(found, opened.store, pictures=pictures)
        else:
            note(_none_passes(opened, conditions))


def _none_passes(album: Album, conditions: Sequence[str]) -> str:
    """Which filter it was: a wrong guess and an album without dates look the same otherwise."""
    from whichpic.search.filters import Filter

    alone = []
    for condition in conditions:
        passed = int(Filter.parse([condition]).mask(album.gallery.pictures, album.gallery.facts).sum())
        alone.append(f"{printable(condition)} alone: {passed}")
    return f"no picture passes these filters ({', '.join(alone)}, of {album.gallery.n})"


def _conditions(
    folder: str | None, after: str | None, before: str | None, camera: str | None, orientation: str | None,
    min_size: float | None,
) -> list[str]:  # fmt: skip
    if orientation not in (None, "landscape", "portrait", "square"):
        raise QueryError(f"--orientation is landscape, portrait or square, not '{orientation}'")
    given = {"folder=": folder, "date>=": after, "date<=": before, "camera~": camera, "orientation=": orientation,
             "megapixels>=": min_size}  # fmt: skip
    return [f"{condition}{value}" for condition, value in given.items() if value is not None]


def _weighted(texts: Sequence[str] | None) -> list[tuple[float, str]]:
    pairs = []
    for text in texts or ():
        match = re.match(r"^(\d+(?:\.\d+)?):(.+)$", text)
        pairs.append((float(match[1]), match[2]) if match else (1.0, text))
    return pairs


def facts(
    picture: Annotated[Path, typer.Argument(help="A picture file.")],
    json: JsonOption = False,
) -> None:
    """What whichpic sees in one picture: things, people, colours, light, place, date, camera.

    Example: whichpic facts ~/Pictures/IMG_0001.jpg
    """
    from whichpic.album.facts import facts_of
    from whichpic.api import bundled_seer, read_picture
    from whichpic.types import Picture

    seen = read_picture(picture.expanduser())
    seer = bundled_seer()
    if seer is None and not json:
        note("things and people are not told without the bundled models; get them with: whichpic models get bundled")
    sight = seer.look([seen.image])[0] if seer is not None else None
    known = Picture(id="", width=seen.width, height=seen.height, format=seen.format, taken=seen.taken,
                    camera=seen.camera, latitude=seen.latitude, longitude=seen.longitude)  # fmt: skip
    found = facts_of(seen.image, sight, picture=known)
    if json:
        as_json([{"attribute": fact.attribute, "value": fact.value, "p": round(fact.p, 4), "source": fact.source,
                  **({"detail": dict(fact.detail)} if fact.detail else {})} for fact in found])  # fmt: skip
        return
    _table(found)


def _table(found: Sequence[Fact]) -> None:
    for fact in found:
        count = f" x {fact.detail['count']}" if fact.detail.get("count", 0) > 1 else ""
        print(f"{fact.attribute:12s} {fact.value + count:24s} {100 * fact.p:4.0f} %  {fact.source}")
