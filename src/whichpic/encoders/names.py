"""The bundled encoder, for where no hub is reachable: a picture is the names of what two models see in it.

ConSE (Norouzi et al. 2014, "Zero-shot learning by convex combination of semantic embeddings"), carried further: a
picture's vector is a weighted sum of sentence embeddings of names, a text's is its sentence embedding. Opened by
`open_encoder("names")`. How the settings were chosen, and on which pictures: docs/names-encoder.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.encoders.base import onnx_session, unit
from whichpic.errors import ModelError
from whichpic.settings import settings
from whichpic.types import Seer, Sight
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.types import Floats

_REVISION = 1
_LONGEST = 256  # tokens, what MiniLM was trained with
_WORDINGS = ("{name}", "{name}, a kind of {kind}", "there is a {name} in the picture")
_PLURALS = {
    "person": "people",
    "mouse": "mice",
    "knife": "knives",
    "sheep": "sheep",
    "skis": "skis",
    "scissors": "scissors",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How names become vectors. All of it was chosen on benchmarks/dev_captions.json."""

    label_power: float = 0.5
    """Of the classifier's probabilities: later guesses tell more of a scene than the network gives them."""
    present: float = 0.2
    """Detector score from which an object counts."""
    object_weight: float = 1.0
    person_weight: float = 0.6
    """A person is in so many pictures that it tells them apart less."""
    count_weight: float = 0.5
    """Of "two dogs" or "a group of dogs" beside "dog"."""
    text_centre: float = 0.5
    """How much of the mean of all names is taken off a text; off a picture all of it is."""
    mention_weight: float = 0.3
    """Of the names that a text mentions, beside the text itself."""


class Names:
    """Encoder over the names of about 1,050 kinds of things. Vectors of 384 numbers. Any thread may call.

    Only what a `Sight` holds enters a picture's vector; of a picture in which nothing was recognised it is 0.
    """

    dim = 384
    describe = (
        "names: the bundled encoder, about 1,050 kinds of things by name, in English and Chinese; "
        "no actions, relations or fine detail"
    )

    def __init__(self, minilm: Path, seer: Seer, *, recipe: Recipe = Recipe()) -> None:
        """`minilm`: the folder with model.onnx and tokenizer.json. Prefer `load`."""
        from whichpic.encoders.seeing import fingerprint

        self._sentences = _Sentences(minilm)
        self._seer = seer
        self._recipe = recipe
        words = vocabulary()
        self._known = tuple(sorted({*words.imagenet, *(name for name in words.coco if name)}))
        parts = (
            fingerprint(minilm / "model.onnx", minilm / "tokenizer.json"),
            _WORDINGS,
            [_word(n) for n in self._known],
        )
        self._basis_key = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
        rest = hashlib.sha256(repr((recipe, seer.id, self._basis_key, _vocabulary_hash())).encode()).hexdigest()[:8]
        self.id = f"names-{_REVISION}-{rest}"

    @classmethod
    def load(cls) -> Names:
        """The encoder with the weights that `whichpic models get bundled` placed.

        ModelError with that command where they are absent, ExtraMissing where the runtime is.
        """
        from whichpic.encoders.seeing import EfficientSeer
        from whichpic.models import locate

        return cls(locate("minilm"), EfficientSeer.load())

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of texts in English or Chinese, float32 [len(texts), 384]. An empty text gives 0."""
        return np.stack([self._encode_text(text) for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """Unit vectors of RGB pictures, float32 [len(pictures), 384]; pictures without a Sight are looked at."""
        given: list[Sight | None] = list(sights) if sights is not None else [None] * len(pictures)
        unseen = [k for k, sight in enumerate(given) if sight is None]
        for k, sight in zip(unseen, self._seer.look([pictures[k] for k in unseen]) if unseen else (), strict=True):
            given[k] = sight
        rows = [self._picture_vector(sight) for sight in given if sight is not None]
        return unit(np.stack(rows)) if rows else np.zeros((0, self.dim), np.float32)

    def _encode_text(self, text: str) -> Floats:
        words = vocabulary()
        english = words.to_english(text).strip()
        if not english:
            return np.zeros(self.dim, np.float32)
        centre = self._recipe.text_centre * self._centre
        vector = unit(self._sentences(english) - centre)
        named = [mention.concept.name for mention in words.mentions(text) if not mention.negated]
        if named and self._recipe.mention_weight:
            about = np.sum([self._name(name) - self._centre for name in named], axis=0)
            vector = unit(vector + self._recipe.mention_weight * unit(about))
        return vector

    def _picture_vector(self, sight: Sight) -> Floats:
        """The weighted sum of the names' vectors, each taken from the centre of all names; not yet of length 1."""
        recipe = self._recipe
        total = np.zeros(self.dim, np.float32)
        for name, p in sight.labels:
            total += p**recipe.label_power * (self._name(name) - self._centre)
        counts: dict[str, int] = {}
        for box in sight.boxes:
            if box.p >= recipe.present:
                counts[box.name] = counts.get(box.name, 0) + 1
        for name, p in sight.presence:
            if p < recipe.present:
                break
            weight = p * recipe.object_weight * (recipe.person_weight if name == "person" else 1.0)
            total += weight * (self._name(name) - self._centre)
            if counts.get(name, 0) > 1 and recipe.count_weight:
                several = ("two " if counts[name] == 2 else "a group of ") + _plural(name)
                total += weight * recipe.count_weight * (self._sentences(several) - self._centre)
        return total

    @cached_property
    def _basis(self) -> tuple[dict[str, Floats], Floats]:
        """Vectors of all names that can be seen, and their mean: what they share says nothing of any of them."""
        rows = self._basis_from_cache()
        return dict(zip(self._known, rows, strict=True)), rows.mean(axis=0)

    def _basis_from_cache(self) -> Floats:
        """Computed once per machine (some seconds), then read: a file that may be deleted at any time."""
        path = settings().home / "cache" / f"names-{self._basis_key}.npy"
        try:
            rows: Floats = np.load(path, allow_pickle=False)
            if (
                rows.shape == (len(self._known), self.dim)
                and rows.dtype == np.float32
                and bool(np.isfinite(rows).all())
            ):
                return rows
        except (OSError, ValueError, EOFError):
            pass
        rows = np.stack([self._embed_name(name) for name in self._known])
        part = path.with_name(f".{path.name}.{os.getpid()}.npy")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(part, rows, allow_pickle=False)
            part.replace(path)
        except OSError:  # a home that cannot be written only costs the seconds again
            part.unlink(missing_ok=True)
        return rows

    @property
    def _centre(self) -> Floats:
        return self._basis[1]

    def _name(self, name: str) -> Floats:
        """Unit vector of a concept's name, float32 [384]; a text may mention more concepts than the models can see."""
        known = self._basis[0].get(name)
        return known if known is not None else self._embed_name(name)

    def _embed_name(self, name: str) -> Floats:
        return unit(np.sum([self._sentences(wording) for wording in _word(name)], axis=0))


class _Sentences:
    """all-MiniLM-L6-v2 under ONNX Runtime: one text to one unit vector, float32 [384], the mean over its tokens.

    One at a time: the network's int8 scales are taken over the whole batch, so that in a batch a text's vector would
    depend on its neighbours (by up to 0.02 in cosine), and an album's vectors on the order of its files.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("model.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise ModelError(f"{name} of 'minilm' is missing; run: whichpic models get bundled")
        self._folder = folder
        self._remembered = lru_cache(maxsize=8192)(self._embed)

    def __call__(self, text: str) -> Floats:
        return self._remembered(text)

    def _embed(self, text: str) -> Floats:
        tokenizer, session, inputs = self._opened
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states = session.run(None, {name: feeds[name] for name in inputs})[0]
        vector = unit(states[0].mean(axis=0))
        vector.flags.writeable = False
        return vector

    @cached_property
    def _opened(self) -> tuple[Any, Any, tuple[str, ...]]:
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
            session = onnx_session(self._folder / "model.onnx", threads=1)  # a sentence is too short to share out
        except Exception as error:  # both libraries raise errors of their own making
            raise ModelError("cannot read the weights of 'minilm'; run: whichpic models get bundled") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(_LONGEST)
        return tokenizer, session, tuple(one.name for one in session.get_inputs())


def _word(name: str) -> tuple[str, ...]:
    """The texts whose embeddings make up a name. The kind tells what is meant: a crane that is a bird."""
    kinds = vocabulary().ancestors(name)
    return tuple(
        (wording if kinds else wording.partition(", a kind of")[0]).format(name=name, kind=kinds[0] if kinds else "")
        for wording in _WORDINGS
    )


def _vocabulary_hash() -> str:
    """Its other names and its Chinese decide what a text mentions, and so the text's vector."""
    return hashlib.sha256((resources.files("whichpic") / "data" / "vocabulary.json").read_bytes()).hexdigest()


def _plural(name: str) -> str:
    if name in _PLURALS:
        return _PLURALS[name]
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2] not in "aeiou" else f"{name}s"
