"""The words of whichpic as values: what the rooms of the house hand to each other. Imports nothing of ours.

Everything here is frozen; arrays are numpy. The words are those of the design: a Picture is known by the hash of its
content and may be held by several files, a Fact is one thing known of it, a Sight is what the bundled models saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Picture:
    """One image, known by its content hash. `paths` are relative to the album, with forward slashes, sorted."""

    id: str
    width: int = 0  # pixels, after the EXIF orientation was applied
    height: int = 0
    format: str = ""  # "JPEG", "PNG", ...
    taken: str | None = None  # EXIF date, "2024-05-01T18:30:00", in the camera's own clock
    camera: str | None = None
    latitude: float | None = None  # degrees, north positive
    longitude: float | None = None  # degrees, east positive
    phash: int | None = None  # 64-bit perceptual hash
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that was not indexed, and why, in words for a person."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a picture: attribute "object", value "dog", with its probability and its source.

    `detail` carries what belongs to it: for objects {"count": 2, "boxes": [[left, top, right, bottom], ...]} with
    coordinates as fractions of the picture, 0 at the top left.
    """

    attribute: str
    value: str
    p: float
    source: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Box:
    """One object that a detector saw. Coordinates are fractions of the picture, 0 at the top left."""

    name: str
    p: float
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What the bundled models saw in one picture.

    labels: (concept name, probability) of the classifier, best first, at most 20.
    boxes: the detector's objects after doubles were suppressed, best first.
    presence: (concept name, best score over all anchors), best first, for every class above 0.1.
    """

    labels: tuple[tuple[str, float], ...] = ()
    boxes: tuple[Box, ...] = ()
    presence: tuple[tuple[str, float], ...] = ()


class Encoder(Protocol):
    """Turns texts and pictures into unit vectors of one space. Any thread may call it, several at a time.

    `id` is a file-name-safe string that includes everything that changes the vectors (model, revision, wording).
    `describe` is one clear line: what it is and what it understands.
    """

    id: str
    dim: int
    describe: str

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of the texts, float32 [len(texts), dim]."""
        ...

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """Unit vectors of RGB pictures, float32 [len(pictures), dim]. A picture of which nothing is known may be 0.

        `sights`, where the caller already has them, spare an encoder that is made of them a second look.
        """
        ...


class Seer(Protocol):
    """Looks at a picture with a classifier and a detector. `id` changes whenever what is seen could change."""

    id: str

    def look(self, pictures: Sequence[Image]) -> list[Sight]:
        """What is in each RGB picture."""
        ...
