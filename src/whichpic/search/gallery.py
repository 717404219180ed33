"""A Gallery: one album at one version, ready to be scored. Called by dialogue; made by `Gallery.of(store, encoder)`.

It holds the fields (picture vectors, caption words, caption vectors) and the facts, and gives the z-scores of one text
or picture over all pictures. It knows nothing of sessions.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import EncoderError
from whichpic.search.captions import Words, best_per_owner, mean_per_owner
from whichpic.search.exact import Exact
from whichpic.search.facts import FactTable
from whichpic.search.filters import Filter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

    from whichpic.album.datasets import DataSet
    from whichpic.album.store import CaptionVectors, Store
    from whichpic.search.base import Index
    from whichpic.types import Encoder, Fact, Floats, Picture, Rows

    Mask = NDArray[np.bool_]

_TINY = 1e-6
_SAME = 1e-4
"""Cosines that differ by less than this tell no pictures apart."""
_KEPT_BYTES = 96 << 20
"""Room for arrays that the next turn will ask for again."""


class Gallery:
    """Everything that scoring needs, over the n pictures of an album, in the order of their ids."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        encoder: Encoder,
        *,
        index: Index,
        indexed: Mask | None = None,
        facts: Mapping[str, Sequence[Fact]] | None = None,
        captions: Mapping[str, Sequence[str]] | None = None,
        caption_vectors: tuple[Index, Rows] | None = None,
        text_vectors: Index | None = None,
        version: str = "",
    ) -> None:
        self.pictures = tuple(pictures)
        self.ids = tuple(picture.id for picture in self.pictures)
        self.n = len(self.pictures)
        self.encoder = encoder
        self.version = version
        self.index = index
        self.indexed = _locked(np.ones(self.n, np.bool_) if indexed is None else indexed)
        self.captions: Mapping[str, Sequence[str]] = captions or {}
        self._facts = facts or {}
        self._caption_vectors = caption_vectors
        self._text_vectors = text_vectors
        self.positions = {picture: position for position, picture in enumerate(self.ids)}
        self._kept: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._keeping = Lock()
        self._room = int(np.clip(_KEPT_BYTES // (8 * max(self.n, 1)), 32, 512))
        self.evidence = lru_cache(maxsize=self._room // 2)(self._evidence)
        self.text_vector = lru_cache(maxsize=256)(self._text_vector)

    @classmethod
    def of(cls, store: Store, encoder: Encoder) -> Gallery:
        """The gallery of an indexed album. Raises EncoderError where the album was not indexed with this encoder."""
        with _uncollected():
            return cls._of(store, encoder)

    @classmethod
    def _of(cls, store: Store, encoder: Encoder) -> Gallery:
        if store.captions_only:
            return cls._of_spoken(store, encoder)
        version = store.version  # before what it stands for: a writer may be at work
        pictures = store.pictures()
        vectors = store.vectors(encoder.id)
        if vectors is None:
            had = ", ".join(store.encoders()) or "none"
            raise EncoderError(
                f"{store.root} has no vectors of the encoder {encoder.id} (it has: {had}); "
                f"make them with: whichpic index {store.root}"
            )
        captions = store.captions()
        found = store.caption_vectors(encoder.id) if captions else None
        _fitting(store, encoder, vectors.matrix, found)
        index = Exact(vectors.matrix, vectors.rows)
        return cls(
            pictures,
            encoder,
            index=index,
            indexed=index.told(),
            facts=store.facts(),
            captions=captions,
            caption_vectors=None if found is None else (Exact(found.matrix, found.rows), found.pictures),
            text_vectors=_texts_of(store, encoder) if captions else None,
            version=version,
        )

    @classmethod
    def _of_spoken(cls, store: Store, encoder: Encoder) -> Gallery:
        version = store.version
        pictures, captions = store.pictures(), store.captions()
        found = store.caption_vectors(encoder.id)
        if found is None and captions:
            had = ", ".join(store.encoders()) or "none"
            raise EncoderError(
                f"{store.root} has no vectors of the encoder {encoder.id} (it has: {had}); "
                f"make them with: whichpic index {store.root}"
            )
        _fitting(store, encoder, None, found)
        vectors = None if found is None else (Exact(found.matrix, found.rows), found.pictures)
        return cls._spoken(pictures, encoder, store.facts(), captions, vectors, _texts_of(store, encoder), version)

    @classmethod
    def of_captions(cls, dataset: DataSet, encoder: Encoder, *, cache: Path | None = None) -> Gallery:
        """The gallery of a data set of captions, in memory and without a store; ids sorted, as in a store.

        cache: a folder where the captions' vectors are kept; the same captions and encoder find them there again.
        """
        from whichpic.album.captioning import caption_matrix, joined_matrix
        from whichpic.types import Picture

        pictures = [Picture(id=name, paths=(dataset.files.get(name, name),)) for name in sorted(dataset.pictures)]
        captions = {name: tuple(dict.fromkeys(texts)) for name, texts in dataset.captions.items()}
        spoken = [(at, text) for at, each in enumerate(pictures) for text in captions.get(each.id, ())]
        matrix = caption_matrix([text for _, text in spoken], encoder, cache)
        owners = np.array([at for at, _ in spoken], dtype=np.int64)
        one = Exact(*joined_matrix([captions.get(each.id, ()) for each in pictures], matrix, encoder, cache))
        return cls._spoken(pictures, encoder, dataset.facts, captions, (Exact(matrix), owners), one, dataset.version)

    @classmethod
    def _spoken(
        cls,
        pictures: Sequence[Picture],
        encoder: Encoder,
        facts: Mapping[str, Sequence[Fact]],
        captions: Mapping[str, Sequence[str]],
        caption_vectors: tuple[Index, Rows] | None,
        text_vectors: Index | None,
        version: str,
    ) -> Gallery:
        """A gallery without picture vectors: no picture is indexed, and the index has no rows."""
        empty = Exact(np.empty((0, encoder.dim), np.float32), np.full(len(pictures), -1, np.int64))
        return cls(
            pictures,
            encoder,
            index=empty,
            indexed=np.zeros(len(pictures), np.bool_),
            facts=facts,
            captions=captions,
            caption_vectors=caption_vectors,
            text_vectors=text_vectors,
            version=version,
        )

    @cached_property
    def facts(self) -> FactTable:
        """The facts as columns."""
        return FactTable(self.ids, self._facts)

    def facts_of(self, picture: str) -> tuple[Fact, ...]:
        """What is known of one picture, by its id."""
        return tuple(self._facts.get(picture, ()))

    @cached_property
    def groups(self) -> Rows:
        """Near-duplicate group of every picture, int64 [n]; a picture that is like no other has a group of its own."""
        from whichpic.album.duplicates import groups

        group = np.arange(self.n, dtype=np.int64)
        for alike in groups(self.pictures):
            members = [self.positions[picture] for picture in alike]
            group[members] = min(members)
        return group

    def _text_vector(self, text: str) -> Floats:
        return _locked(_finite(self.encoder.encode_texts([text])[0], self.encoder))

    def picture_vector(self, position: int) -> Floats:
        """The unit vector of one picture of the album, float32 [dim]."""
        vector: Floats = self.vectors(np.array([position], dtype=np.int64))[0]
        return vector

    def vectors(self, positions: Rows) -> Floats:
        """Unit vectors of some pictures, float32 [k, dim]; zero where a picture has none."""
        if not isinstance(self.index, Exact):
            raise EncoderError("this index does not give vectors back")
        return self.index.vectors(positions)

    def told_vectors(self, positions: Rows) -> Floats:
        """Unit vectors of all captions of some pictures as one text, float32 [k, dim]; zero where a picture has none."""
        if not isinstance(self._text_vectors, Exact):
            return np.zeros((len(positions), self.encoder.dim), dtype=np.float32)
        return self._text_vectors.vectors(positions)

    @cached_property
    def cosines(self) -> tuple[float, float]:
        """Mean and standard deviation of the cosines between pictures of this album, from up to 200 of them."""
        sample = np.flatnonzero(self.indexed)[:: max(1, int(self.indexed.sum()) // 200)][:200]
        if len(sample) < 2:
            return 0.0, 1.0
        vectors = self.vectors(sample)
        between = (vectors @ vectors.T)[~np.eye(len(sample), dtype=np.bool_)]
        spread = float(between.std())
        return float(between.mean()), spread if spread > _SAME else 1.0

    def encode_picture(self, image: Image) -> Floats:
        """The unit vector of a picture from outside the album, float32 [dim]."""
        return _finite(self.encoder.encode_pictures([image])[0], self.encoder)

    def _evidence(self, text: str) -> Mapping[str, Floats]:
        """z-scores of one text per field, float32 [n] each; 0 where a picture lacks the field (design, section 2).

        pictures: cosines with the pictures. Of captions: text_words and text_vectors of all captions of a picture as one
        text, caption_words and caption_vectors of the best single one, caption_mean of all of them on average. Cached:
        the belief asks for the same text at every turn.
        """
        by_vector = self.vector_evidence(self.text_vector(text))
        fields = {name: by_vector[name] for name in ("pictures",) if name in by_vector}
        if self.captions:
            fields["text_words"] = standardise(self._texts.scores(text), self._captioned)
            best = fields["text_words"]
            fields["caption_words"] = best if self._each_one else standardise(self._words.scores(text), self._captioned)
        fields |= by_vector
        return MappingProxyType({name: _locked(z) for name, z in fields.items()})

    def vector_evidence(self, vector: Floats) -> Mapping[str, Floats]:
        """z-scores of the vector of a text per field of vectors, float32 [n] each: those of `evidence` without its words."""
        fields: dict[str, Floats] = {}
        if self.indexed.any():
            fields["pictures"] = standardise(self.index.scores(vector), self.indexed)
        if self._caption_vectors is not None and len(self._caption_vectors[1]):
            index, owners = self._caption_vectors
            scores = index.scores(vector)
            has = np.zeros(self.n, np.bool_)
            has[owners] = True
            best = standardise(best_per_owner(scores, owners, self.n, empty=0.0), has)
            fields["caption_vectors"] = best
            # Of a single caption the best, the mean and the whole text are one thing.
            fields["caption_mean"] = (
                best if self._each_one else standardise(mean_per_owner(scores, owners, self.n), has)
            )
        if self._text_vectors is not None and self._told.any():
            if self._each_one and "caption_vectors" in fields:
                fields["text_vectors"] = fields["caption_vectors"]
            else:
                fields["text_vectors"] = standardise(self._text_vectors.scores(vector), self._told)
        return fields

    def kept(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """An array over the pictures, made once while there is room for it, read-only.

        A session asks at every turn for all that its earlier events have said. `key` names everything that the array
        depends on, beside this gallery.
        """
        with self._keeping:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = _locked(make())
        with self._keeping:
            self._kept[key] = made
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
        return made

    def passing(self, conditions: tuple[str, ...]) -> Mask:
        """True for the pictures for which every condition holds, bool [n], read-only. Raises QueryError."""
        return self.kept(("passing", conditions), lambda: Filter.parse(conditions).mask(self.pictures, self.facts))

    def likeness(self, vector: Floats) -> Floats:
        """z-scores of a picture query over the pictures, float32 [n]."""
        return standardise(self.index.scores(vector), self.indexed)

    @cached_property
    def _captioned(self) -> Mask:
        return np.array([bool(self.captions.get(picture)) for picture in self.ids], dtype=np.bool_)

    @cached_property
    def _told(self) -> Mask:
        assert isinstance(self._text_vectors, Exact)
        return self._text_vectors.told()

    @cached_property
    def _each_one(self) -> bool:
        """Whether no picture has a second caption, so that its captions as one text are its caption."""
        return all(len(texts) < 2 for texts in self.captions.values())

    @cached_property
    def _words(self) -> Words:
        """Every caption as a document."""
        spoken = [(text, position) for position, id in enumerate(self.ids) for text in self.captions.get(id, ())]
        return Words([text for text, _ in spoken], [position for _, position in spoken], self.n)

    @cached_property
    def _texts(self) -> Words:
        """All captions of a picture as one document."""
        held = [(", ".join(self.captions[id]), at) for at, id in enumerate(self.ids) if self.captions.get(id)]
        return Words([text for text, _ in held], [position for _, position in held], self.n)


def standardise(scores: Floats, has: Mask) -> Floats:
    """Scores centred and scaled over the pictures that have the field; 0 elsewhere, and where all are equal."""
    z = np.zeros(len(scores), dtype=np.float32)
    if not has.any():
        return z
    inside = scores[has].astype(np.float64)
    spread = float(inside.std())
    if spread > _TINY:
        z[has] = (inside - inside.mean()) / spread
    return z


def _fitting(store: Store, encoder: Encoder, matrix: Floats | None, captions: CaptionVectors | None) -> None:
    """Raises EncoderError where vectors of that id are not as wide as those that the encoder makes now."""
    widths = [each.shape[1] for each in (matrix, None if captions is None else captions.matrix) if each is not None]
    if wide := [width for width in widths if width != encoder.dim]:
        raise EncoderError(
            f"{store.root} has vectors of {wide[0]} numbers under the id {encoder.id}, but that encoder makes {encoder.dim}: "
            f"they are of another one; delete {store.home / 'catalogue.sqlite'} and index again, or import under its own id"
        )


def _texts_of(store: Store, encoder: Encoder) -> Exact | None:
    """Vectors of each picture's captions as one text; None in an album that was indexed before there were any."""
    found = store.text_vectors(encoder.id)
    return None if found is None else Exact(found.matrix, found.rows)


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    """The array, no longer to be written to: it is handed to everybody who asks."""
    array.flags.writeable = False
    return array


def _finite(vector: Floats, encoder: Encoder) -> Floats:
    if not np.isfinite(vector).all():
        raise EncoderError(f"the encoder {encoder.id} returned numbers that are not finite")
    return vector


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would go through a million new objects again and again and free none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
