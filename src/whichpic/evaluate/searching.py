"""Ranks recorded dialogues over vectors: those of an album, or those of a file. Called by cli.

One vector per turn, as the published systems search; our own belief over the same dialogues is played by `simulate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import EncoderError, QueryError
from whichpic.evaluate.leaks import leak_warnings
from whichpic.evaluate.protocols.recorded import Form, Recorded, looked_up, within
from whichpic.evaluate.proxy import pool_of, rank_texts, stated_settings, worst_shown
from whichpic.evaluate.ranks import Ranks, rank_by_counting
from whichpic.evaluate.run import Run

if TYPE_CHECKING:
    from whichpic.search.gallery import Gallery
    from whichpic.types import Encoder, Floats

    Progress = Callable[[int, int], None] | None

_BATCH = 64  # texts encoded at a time


def rank_gallery(
    name: str,
    dialogues: Sequence[Recorded],
    gallery: Gallery,
    *,
    space: Sequence[str] | None = None,
    field: str = "",
    form: Form = "joined",
    settings: Mapping[str, Any] | None = None,
    on_progress: Progress = None,
) -> Run:
    """Every dialogue's target among the pictures of an album, by one field of its evidence.

    space: the pictures searched, by the data set's names; every one of them must be in the album. None: all of the
    album. field: pictures (the vectors of the album's encoder), caption_words or caption_vectors; "" is the first that
    the album has. Raises EncoderError where it has no such field, SessionError for a target outside the space.
    """
    field = field or ("pictures" if gallery.indexed.any() else "caption_vectors")
    known = {path: position for position, picture in enumerate(gallery.pictures) for path in picture.paths}
    known.update(gallery.positions)
    names = [picture.paths[0] if picture.paths else picture.id for picture in gallery.pictures]
    rows = np.arange(gallery.n) if space is None else _rows(space, known)
    ids = [names[row] for row in rows] if space is None else list(space)
    known = known if space is None else _numbered(space)
    stated = {**(settings or {}), "searched by": field.replace("_", " "), "encoder": gallery.encoder.id}
    if field == "pictures":
        if not gallery.indexed.any():
            raise EncoderError("the album has captions only; search them with --field caption_vectors or caption_words")
        vectors = gallery.vectors(rows)
        return rank_vectors(
            name, dialogues, ids, vectors, encoder=gallery.encoder, form=form, settings=stated, known_as=known,
            on_progress=on_progress,
        )  # fmt: skip

    def scores(text: str) -> Floats:
        found = gallery.evidence(text)
        if field not in found:
            raise EncoderError(f"the album has no field '{field}'; it has: {', '.join(found) or 'none'}")
        return found[field][rows]

    captions = {ids[at]: gallery.captions.get(gallery.ids[row], ()) for at, row in enumerate(rows)}
    targets = [ids[position] for position in within(dialogues, known, "the album")]
    leaks = leak_warnings([dialogue.rounds for dialogue in dialogues], targets, captions)
    stated["documents"] = "the album's captions"
    return rank_texts(
        name, dialogues, ids, scores, form=form, settings=stated, warnings=leaks, known_as=known,
        on_progress=on_progress,
    )  # fmt: skip


def rank_vectors(
    name: str,
    dialogues: Sequence[Recorded],
    ids: Sequence[str],
    vectors: Floats,
    *,
    encoder: Encoder | None = None,
    queries: Floats | None = None,
    form: Form = "joined",
    settings: Mapping[str, Any] | None = None,
    known_as: Mapping[str, int] | None = None,
    on_progress: Progress = None,
) -> Run:
    """Every dialogue's target by the dot product of its texts' vectors with those of the pictures, float32 [n, dim].

    The texts are encoded by `encoder`, or their vectors are given: `queries` float32 [dialogues, turns, dim], where
    every dialogue has as many turns. Ranks by counting, over all pictures or the dialogue's own fold.
    Raises SessionError for a target outside, QueryError for shapes that do not fit.
    """
    known = known_as if known_as is not None else _numbered(ids)
    targets = within(dialogues, known, "the search space")
    texts = list(dict.fromkeys(text for dialogue in dialogues for text in dialogue.queries(form)))
    if len(vectors) != len(ids):
        raise QueryError(f"{len(vectors)} vectors for {len(ids)} pictures; expected one for each, in the same order")
    if queries is not None:
        by_text = _given(queries, dialogues, form)
    elif encoder is not None:
        by_text = dict(zip(texts, _encoded(encoder, texts, on_progress), strict=True))
    else:
        raise QueryError("the texts need an encoder, or their vectors")
    if next(iter(by_text.values())).shape != vectors.shape[1:]:
        dims = f"{next(iter(by_text.values())).shape[0]} and {vectors.shape[1]}"
        raise QueryError(f"texts and pictures have vectors of {dims} numbers; both must come from one encoder")

    def scores(text: str) -> Floats:
        found: Floats = vectors @ by_text[text]
        return found

    if any(dialogue.relevant for dialogue in dialogues):
        return rank_texts(name, dialogues, ids, scores, form=form, settings=settings, known_as=known)
    counts: list[list[tuple[int, int]]] = [[] for _ in dialogues]
    for first, last in sorted({dialogue.rows or (0, len(ids)) for dialogue in dialogues}):
        mine = [row for row, each in enumerate(dialogues) if (each.rows or (0, len(ids))) == (first, last)]
        asked = [(row, text) for row in mine for text in dialogues[row].queries(form)]
        at = [targets[row] - first for row, _ in asked]
        better, ties = rank_by_counting(np.stack([by_text[text] for _, text in asked]), vectors[first:last], at)
        for (row, _), above, same in zip(asked, better, ties, strict=True):
            counts[row].append((int(above), int(same)))
    ranks = Ranks.carried(counts, pool=pool_of(dialogues, len(ids)), ids=[dialogue.id for dialogue in dialogues])
    return Run(
        name=name,
        ranks=ranks,
        settings=stated_settings(dialogues, ids, form, settings),
        texts=tuple(dialogue.rounds for dialogue in dialogues),
        targets=tuple(ids[target] for target in targets),
        shown=worst_shown(dialogues, ranks, ids, scores, form),
    )


def read_vectors(path: Path) -> Floats:
    """The vectors of a .npy file as float32, of any number of axes. Raises QueryError; objects (pickles) are refused."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise QueryError(f"{path} holds no vectors; expected a .npy file of numbers ({error})") from None
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array.dtype.kind != "f":
        raise QueryError(f"{path} holds no vectors; expected a .npy file of floating-point numbers [pictures, dim]")
    return np.ascontiguousarray(array, dtype=np.float32)


def _rows(space: Sequence[str], known: Mapping[str, int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    found = looked_up(space, known)
    missing = [name for name, row in zip(space, found, strict=True) if row is None]
    if missing:
        raise QueryError(
            f"{len(missing)} of the {len(space)} pictures of the search space are not in the album (first: "
            f"{missing[0]}); without them the figures would be of another protocol"
        )
    return np.array(found, dtype=np.int64)


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}


def _encoded(encoder: Encoder, texts: Sequence[str], on_progress: Progress) -> Floats:
    found: list[Floats] = []
    for start in range(0, len(texts), _BATCH):
        found.append(encoder.encode_texts(texts[start : start + _BATCH]))
        if on_progress is not None:
            on_progress(min(start + _BATCH, len(texts)), len(texts))
    return np.concatenate(found)


def _given(queries: Floats, dialogues: Sequence[Recorded], form: Form) -> dict[str, Floats]:
    """The vector of every text. Two dialogues that say the same have the same vector, or they were not made of texts."""
    turns = [len(dialogue.rounds) for dialogue in dialogues]
    flat = queries.reshape(-1, queries.shape[-1])
    if len(flat) != sum(turns) or (queries.ndim == 3 and set(turns) != {queries.shape[1]}):
        raise QueryError(
            f"vectors of shape {queries.shape} for {len(dialogues)} dialogues of {min(turns)} to {max(turns)} turns; "
            "expected [dialogues, turns, dim], in the order of the file"
        )
    texts = (text for dialogue in dialogues for text in dialogue.queries(form))
    return dict(zip(texts, flat, strict=True))
