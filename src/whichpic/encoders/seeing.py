"""Looks at a picture with the bundled models: what kind of thing it shows, and which objects are where.

Indexing calls it once per picture; facts and the `names` encoder are both made from the `Sight` that it returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import threading
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.encoders.boxes import SIDE, WHOLE, Glance, find_boxes, presence_of
from whichpic.errors import ExtraMissing, ModelError
from whichpic.settings import settings
from whichpic.types import Sight
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from whichpic.types import Floats

    Window = tuple[float, float, float, float]  # left, top, right, bottom, as fractions of the picture

_LABELS_KEPT = 20
_LITE3_SHARE = 0.6  # Lite3 is the better classifier; Lite0's small probabilities are not rounded to 1/256 as Lite3's
_TILE = 0.6  # side of the four overlapping tiles in which small objects are looked for
_TILE_TRUST = 0.8  # in a tile a part of a thing is taken for another thing more often
_REVISION = 1
_QUIET = threading.Lock()
_MEND = "run: whichpic models get bundled"


class EfficientSeer:
    """The bundled Seer: two ImageNet classifiers (EfficientNet-Lite3 and -Lite0), a COCO detector (EfficientDet-Lite0).

    About 0.14 s per picture on one core; the pictures of one call are spread over the cores. Each is looked at by
    itself, so that a Sight depends neither on its neighbours nor on the number of threads. Any thread may call.
    """

    def __init__(self, lite3: Path, lite0: Path, detector: Path) -> None:
        """Take the three .tflite files, which are opened at the first look. `load` finds them.

        ExtraMissing without the runtime; ModelError for a file that is missing, or other labels than COCO's.
        """
        if find_spec("ai_edge_litert") is None:
            raise ExtraMissing("looking at pictures with the bundled models", "bundled")
        _check_labels(detector, len(vocabulary().coco))
        self._files = (lite3, lite0, detector)
        # A Sight says concepts, so what the vocabulary calls a label is part of what is seen.
        names = hashlib.sha256(repr((vocabulary().imagenet, vocabulary().coco)).encode()).hexdigest()[:4]
        self.id = f"efficient-{_REVISION}-{fingerprint(*self._files)}-{names}"
        self._threads = settings().threads or os.cpu_count() or 1
        self._rested: queue.LifoQueue[_Eyes] = queue.LifoQueue()

    @classmethod
    def load(cls) -> EfficientSeer:
        """The seer with the weights that `whichpic models get bundled` placed. ModelError where they are absent."""
        from whichpic.models import locate

        return cls(
            locate("efficientnet-lite3") / "efficientnet_lite3.tflite",
            locate("efficientnet-lite0") / "efficientnet_lite0.tflite",
            locate("efficientdet-lite0") / "object_detector.tflite",
        )

    def look(self, pictures: Sequence[Image]) -> list[Sight]:
        """What is in each RGB picture, in order."""
        if len(pictures) < 2 or self._threads == 1:
            return [self._look(picture) for picture in pictures]
        with ThreadPoolExecutor(min(self._threads, len(pictures))) as pool:
            return list(pool.map(self._look, pictures))

    def _look(self, picture: Image) -> Sight:
        try:
            eyes = self._rested.get_nowait()
        except queue.Empty:
            eyes = _Eyes(*self._files)
        try:
            return eyes.look(picture.convert("RGB"))
        finally:
            self._rested.put(eyes)


class _Eyes:
    """One set of the three networks, for one thread at a time: an interpreter holds the numbers of its last picture."""

    def __init__(self, lite3: Path, lite0: Path, detector: Path) -> None:
        self._lite3, self._lite0, self._detector = _Network(lite3), _Network(lite0), _Network(detector)

    def look(self, picture: Image) -> Sight:
        words = vocabulary()
        first, middle, last = _squares(picture)
        p = _LITE3_SHARE * self._classify(self._lite3, picture, (first, last))
        p = p + (1 - _LITE3_SHARE) * self._classify(self._lite0, picture, (WHOLE, middle))
        glances = [self._detect(picture, WHOLE, 1.0)]
        glances += [self._detect(picture, window, _TILE_TRUST) for window in _tiles()]
        return Sight(
            labels=_best_labels(p, words.imagenet),
            boxes=find_boxes(glances, words.coco),
            presence=presence_of(glances, words.coco),
        )

    def _classify(self, network: _Network, picture: Image, windows: Sequence[Window]) -> Floats:
        """Mean of the probabilities over the windows: float32 [1000]."""
        seen = [network(_pixels(picture, window, network.side))[0][0] for window in dict.fromkeys(windows)]
        mean: Floats = np.mean(seen, axis=0, dtype=np.float32)
        return mean

    def _detect(self, picture: Image, window: Window, trust: float) -> Glance:
        first, second = self._detector(_pixels(picture, window, SIDE))
        codes, scores = (first, second) if first.shape[-1] == 4 else (second, first)
        return Glance(window, trust, scores[0], codes[0])


def fingerprint(*files: Path) -> str:
    """First 8 hex digits of the sha256 of the files' own sha256, taken from the models' records where there is one."""
    from whichpic.models.files import sha256_of
    from whichpic.models.store import recorded

    together = hashlib.sha256()
    for file in files:
        known = recorded(file.parent).get(file.name)
        try:
            together.update((known[0] if known else sha256_of(file)).encode())
        except OSError as error:
            raise ModelError(f"cannot read the weights {file.name}; {_MEND}") from error
    return together.hexdigest()[:8]


def _squares(picture: Image) -> tuple[Window, Window, Window]:
    """The largest squares at the two ends and in the middle of the picture."""
    width, height = picture.size
    edge = min(width, height)
    across, down = edge / width, edge / height
    first, middle, last = (
        ((1 - across) * at, (1 - down) * at, (1 - across) * at + across, (1 - down) * at + down)
        for at in (0.0, 0.5, 1.0)
    )
    return first, middle, last


def _tiles() -> Iterator[Window]:
    for top in (0.0, 1 - _TILE):
        for left in (0.0, 1 - _TILE):
            yield left, top, left + _TILE, top + _TILE


def _pixels(picture: Image, window: Window, side: int) -> NDArray[np.uint8]:
    """A window of the picture, stretched to a square: uint8 [1, side, side, 3]."""
    from PIL.Image import Resampling

    width, height = picture.size
    box = (window[0] * width, window[1] * height, min(window[2], 1.0) * width, min(window[3], 1.0) * height)
    return np.asarray(picture.resize((side, side), Resampling.BICUBIC, box=box), dtype=np.uint8)[None]


def _best_labels(p: Floats, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Concepts, the probabilities of all labels that mean one concept added up; best first, at most 20."""
    together: dict[str, float] = {}
    for k in np.argsort(-p, kind="stable")[: 2 * _LABELS_KEPT]:
        together[names[k]] = together.get(names[k], 0.0) + float(p[k])
    ranked = sorted(together.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((name, min(1.0, value)) for name, value in ranked[:_LABELS_KEPT] if value > 0.0)


def _check_labels(detector: Path, expected: int) -> None:
    """A detector with another list of labels would give every object a wrong name."""
    try:
        with zipfile.ZipFile(detector) as packed:
            lines = packed.read("labels.txt").decode().splitlines()
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ModelError(f"{detector.name} is missing, or has no list of labels inside; {_MEND}") from error
    if len(lines) != expected or lines[0].strip() != "person":
        raise ModelError(f"{detector.name} is not the COCO detector it should be; {_MEND}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the runtime from announcing itself on the process's error output, which it cannot be told not to do."""
    with _QUIET:
        try:
            saved = os.dup(2)
        except OSError:  # a process without error output has nothing to keep quiet
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class _Network:
    """One .tflite file: a uint8 picture in, float32 arrays out, whatever the file's own number format is."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            # One thread each: several pictures at once use the cores better than one picture on several.
            with _quiet():
                self._interpreter: Any = Interpreter(str(path), num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError, OSError) as error:
            raise ModelError(f"cannot read the weights {path.name}; {_MEND}") from error
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()
        self.side = int(self._input["shape"][1])

    def __call__(self, view: NDArray[np.uint8]) -> list[Floats]:
        value = view if self._input["dtype"] == np.uint8 else (view.astype(np.float32) - 127.0) / 128.0
        self._interpreter.set_tensor(self._input["index"], value)
        self._interpreter.invoke()
        return [self._output(detail) for detail in self._outputs]

    def _output(self, detail: dict[str, Any]) -> Floats:
        scale, zero = detail["quantization"]
        raw: Floats = self._interpreter.get_tensor(detail["index"]).astype(np.float32, copy=False)
        return raw if not scale else (raw - np.float32(zero)) * np.float32(scale)
