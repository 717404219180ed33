"""Two-tower models in the hub's ONNX layout (CLIP, SigLIP, SigLIP 2), run by ONNX Runtime. Called by open_encoder.

Reads a folder and nothing else; each tower is loaded when it is first needed, so indexing never loads the text tower.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from whichpic.encoders.base import onnx_session, unit
from whichpic.encoders.inputs import PictureInput, TextInput, trained_length
from whichpic.errors import EncoderError
from whichpic.settings import settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.types import Floats, Sight

Tower = Literal["text", "vision"]
_Item = TypeVar("_Item")

_VARIANTS = ("", "_fp16", "_quantized", "_int8", "_uint8", "_q4", "_q4f16", "_bnb4")
"""What the hub's layout calls the same tower in other number formats, best first."""
_DYNAMIC = {"_quantized", "_int8", "_uint8"}
"""Formats whose scale is taken from the whole batch: one by one, or a vector depends on its neighbours."""
_OUTPUTS: dict[Tower, tuple[str, ...]] = {
    "text": ("text_embeds", "pooler_output"),
    "vision": ("image_embeds", "pooler_output"),
}
_CONFIGS = ("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")
_KINDS = ("clip", "siglip", "siglip2")
_BATCH = 8


class Onnx:
    """An encoder made of a folder of the hub's ONNX layout.

    folder/config.json, preprocessor_config.json, tokenizer.json, optionally tokenizer_config.json, and below folder or
    folder/onnx: text_model.onnx and vision_model.onnx (or _fp16, _quantized, ...), or one model.onnx with both.
    EncoderError in one line where the folder is not that.
    """

    def __init__(self, folder: str | Path, *, name: str = "", understands: str = "what it was trained on") -> None:
        self._folder = Path(folder).expanduser()
        if not self._folder.is_dir():
            raise EncoderError(
                f"there is no folder {self._folder}; give one with text_model.onnx and vision_model.onnx"
            )
        config, picture = self._json("config.json"), self._json("preprocessor_config.json")
        self._kind = str(config.get("model_type", ""))
        if self._kind not in _KINDS:
            raise EncoderError(
                f"{self._folder} holds a model of type '{self._kind}'; expected one of {', '.join(_KINDS)}"
            )
        self._files: dict[Tower, tuple[Path, str]] = {tower: self._tower_file(tower) for tower in ("text", "vision")}
        if not (self._folder / "tokenizer.json").is_file():  # told now, and not after an album was indexed
            raise EncoderError(f"{self._folder} has no tokenizer.json; expected an export in the hub's ONNX layout")
        self._config = config
        try:
            self._pictures = PictureInput.from_config(picture, self._kind)
            self.dim = width_of(config, self._kind)
            trained_length(config, self._kind)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise EncoderError(f"the configuration in {self._folder} is not understood: {_first_line(error)}") from None
        self._texts: TextInput | None = None
        self._sessions: dict[Path, Any] = {}
        self._lock = threading.Lock()
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", name or self._folder.resolve().name)[:64].strip("-._") or "onnx"
        formats = [self._files[tower][1].lstrip("_") or "fp32" for tower in ("vision", "text")]
        self.id = f"{name}-{self._digest()[:10]}-{'-'.join(dict.fromkeys(formats))}"
        self.describe = f"{name}: whole sentences against pictures ({self._kind}, {self.dim} numbers); {understands}"

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of the texts, float32 [len(texts), dim]."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        with self._lock:
            if self._texts is None:
                extra = self._json("tokenizer_config.json", optional=True)
                self._texts = TextInput.from_folder(self._folder, self._config, extra, self._kind)
        found = []
        for batch in self._batches(texts, "text"):
            ids, mask = self._texts(batch)
            found.append(self._run("text", {"input_ids": ids, "attention_mask": mask}))
        return unit(np.concatenate(found))

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """Unit vectors of RGB pictures, float32 [len(pictures), dim]."""
        if not pictures:
            return np.zeros((0, self.dim), dtype=np.float32)
        found = [
            self._run("vision", {"pixel_values": np.stack([self._pictures(picture) for picture in batch])})
            for batch in self._batches(pictures, "vision")
        ]
        return unit(np.concatenate(found))

    def _batches(self, items: Sequence[_Item], tower: Tower) -> Iterator[Sequence[_Item]]:
        step = 1 if self._files[tower][1] in _DYNAMIC else _BATCH
        return (items[i : i + step] for i in range(0, len(items), step))

    def _json(self, name: str, *, optional: bool = False) -> Mapping[str, Any]:
        path = self._folder / name
        if optional and not path.exists():
            return {}
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise EncoderError(f"{self._folder} has no {name}; expected an export in the hub's ONNX layout") from None
        except (OSError, ValueError, RecursionError) as error:
            raise EncoderError(f"{path} cannot be read as JSON ({error})") from None
        if not isinstance(value, dict):
            raise EncoderError(f"{path} should hold a JSON object")
        return value

    def _tower_file(self, tower: Tower) -> tuple[Path, str]:
        """The file of a tower and the variant it is in; both towers may lie in one model.onnx."""
        for stem in (f"{tower}_model", "model"):
            for variant in _VARIANTS:
                for place in (self._folder / "onnx", self._folder):
                    path = place / f"{stem}{variant}.onnx"
                    if path.is_file():
                        return path, variant
        raise EncoderError(f"{self._folder} has no {tower}_model.onnx, nor model.onnx; expected the hub's ONNX layout")

    def _digest(self) -> str:
        """One hash of everything that changes the vectors: both towers, their outside data, and the configuration."""
        from whichpic.models.files import remembered_sha256
        from whichpic.models.store import recorded, root

        # A record elsewhere may have been copied along with files that were changed since.
        is_ours = self._folder.resolve().parent == root().resolve()
        known, memory = recorded(self._folder) if is_ours else {}, settings().home / "hashes.json"
        paths = [self._folder / name for name in _CONFIGS]
        for path in dict.fromkeys(path for path, _ in self._files.values()):
            paths += sorted(path.parent.glob(f"{path.name}*"))
        total = hashlib.sha256()
        for path in paths:
            if path.is_file():
                name = path.relative_to(self._folder).as_posix()
                try:
                    sha256 = known[name][0] if name in known else remembered_sha256(path, memory)
                except OSError as error:
                    raise EncoderError(f"{path} cannot be read: {error.strerror or error}") from None
                total.update(f"{name} {sha256}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    def _session(self, tower: Tower) -> Any:
        path = self._files[tower][0]
        with self._lock:
            if path not in self._sessions:
                try:
                    made = onnx_session(path, threads=settings().threads)
                except Exception as error:  # the runtime's errors share no public root
                    raise EncoderError(f"{path} cannot be loaded: {_first_line(error)}") from None
                self._sessions[path] = made
            return self._sessions[path]

    def _run(self, tower: Tower, given: Mapping[str, np.ndarray[Any, Any]]) -> Floats:
        session, path = self._session(tower), self._files[tower][0]
        outputs = [output.name for output in session.get_outputs()]
        output = next((name for name in _OUTPUTS[tower] if name in outputs), None)
        if output is None:
            raise EncoderError(f"{path} gives {', '.join(outputs)}; expected {' or '.join(_OUTPUTS[tower])}")
        feed = {}
        for wanted in session.get_inputs():
            value = given.get(wanted.name)
            if value is None:
                value = self._filler(wanted.name, path)
            feed[wanted.name] = value.astype(_DTYPES.get(wanted.type, value.dtype), copy=False)
        try:
            (rows,) = session.run([output], feed)
        except Exception as error:
            raise EncoderError(f"{path} failed: {_first_line(error)}") from None
        size = len(next(iter(given.values())))
        if rows.shape != (size, self.dim):
            raise EncoderError(
                f"{path} gives {list(rows.shape)} where [{size}, {self.dim}] was expected by config.json"
            )
        if not np.isfinite(rows).all():
            raise EncoderError(f"{path} gives values that are not numbers; try another number format of the model")
        return np.asarray(rows, dtype=np.float32)

    def _filler(self, name: str, path: Path) -> np.ndarray[Any, Any]:
        """The least that the other half of a model with both towers asks for."""
        if name == "pixel_values":
            return np.zeros((1, 3, *self._pictures.shape), dtype=np.float32)
        if name in {"input_ids", "attention_mask"}:
            length = 64 if self._kind != "clip" else 2
            return np.ones((1, length), dtype=np.int64)
        raise EncoderError(f"{path} asks for the input '{name}', which is not known")


_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def width_of(config: Mapping[str, Any], kind: str) -> int:
    """Numbers of a vector by config.json; the hub leaves out what equals the architecture's defaults."""
    if kind == "clip":
        return int(config.get("projection_dim") or 512)
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    return int(text.get("projection_size") or text.get("hidden_size") or vision.get("hidden_size") or 768)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
