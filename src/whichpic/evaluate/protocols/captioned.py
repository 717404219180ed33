"""Caption retrieval as a protocol (Flickr30k, COCO 1k and 5k): each caption is a query for its picture. Called by cli."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from whichpic.album.datasets import held_out, relevant
from whichpic.errors import QueryError
from whichpic.evaluate.protocols.files import named
from whichpic.evaluate.protocols.recorded import Recorded

if TYPE_CHECKING:
    from whichpic.album.datasets import DataSet

Queries = Literal["first", "each"]


def caption_queries(dataset: DataSet, *, queries: Queries = "each", fold: int | None = None) -> tuple[Recorded, ...]:
    """Captions as dialogues of one turn over the data set's pictures, in its order.

    each: every caption is a query (how pictures are searched by their vectors); what is said of several pictures, as of
    the frames of a clip, means all of them. first: the first caption of each picture, whose other captions are the
    documents (`others`). fold: pictures searched at a time, 1000 for COCO's "1k": the mean over the folds of the list
    is that over their queries. Raises QueryError where the folds do not come out even.
    """
    pictures = dataset.pictures
    if fold is not None and (fold < 2 or len(pictures) % fold):
        raise QueryError(f"{len(pictures)} pictures do not part into folds of {fold}; name a split that does (--split)")
    rows = {name: _fold(at, fold) for at, name in enumerate(pictures)}
    if queries == "first":
        asked: Sequence[tuple[str, str]] = list(held_out(dataset)[1].items())
        meant: dict[str, tuple[str, ...]] = {}
    else:
        asked = [(name, text) for name in pictures for text in dataset.captions.get(name, ())]
        meant = {text: names for text, names in relevant(dataset).items() if len(names) > 1} if dataset.groups else {}
        if meant:
            asked = list({text: (name, text) for name, text in reversed(asked)}.values())[::-1]
    ids = named([name for name, _ in asked])
    return tuple(
        Recorded(own, name, (text,), tuple(sorted(meant.get(text, ()))), rows[name])
        for own, (name, text) in zip(ids, asked, strict=True)
    )


def others(dataset: DataSet) -> DataSet:
    """The documents that the first captions are looked for in: what else is said of each picture."""
    return held_out(dataset)[0]


def _fold(at: int, fold: int | None) -> tuple[int, int] | None:
    return None if fold is None else (at // fold * fold, at // fold * fold + fold)
