"""BLIP, CLIP and SigLIP by transformers, on a GPU in batches with mixed precision, or on the CPU. Called by open_encoder.

Inputs are those of the onnx encoder, without torchvision. The one file among encoders that imports torch.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from whichpic.encoders import blip
from whichpic.encoders.base import unit
from whichpic.encoders.inputs import PictureInput, TextInput
from whichpic.errors import EncoderError, ExtraMissing
from whichpic.settings import settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.types import Floats, Sight

Precision = Literal["auto", "fp32", "bf16", "fp16"]
_Item = TypeVar("_Item")
PRECISIONS = ("fp32", "bf16", "fp16")

_CONFIGS = ("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
_KINDS = ("blip", "clip", "siglip", "siglip2")
_ORIGINAL = (".ckpt", ".pth", ".pt", ".bin")
_BATCH = {"cpu": 8, "cuda": 128}


@dataclass(frozen=True, slots=True)
class _Made:
    """What a source of weights comes down to; the weights themselves are loaded when they are first needed."""

    kind: str
    dim: int
    pictures: PictureInput
    texts: Callable[[], TextInput]
    files: tuple[Path, ...]
    load: Callable[[], Any]


class Torch:
    """An encoder made of a folder in the hub's layout, or of a BLIP checkpoint in the layout of its authors.

    source: a folder with config.json, preprocessor_config.json, tokenizer.json and model.safetensors (or
    pytorch_model.bin, read without pickle); or a file .ckpt or .pth of BLIP, with tokenizer.json or vocab.txt of
    bert-base-uncased beside it (or in `tokenizer`, a folder).
    precision: fp32, or bf16 or fp16 by autocast; auto is bf16 on a GPU that has it, fp16 on another, fp32 on the CPU.
    side: pixels of BLIP's pictures, where other than its positions are made for; these are then interpolated.
    ExtraMissing without torch; EncoderError or ModelError in one line where the source is not that.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        name: str = "",
        precision: Precision = "auto",
        device: str | None = None,
        side: int | None = None,
        tokenizer: str | Path | None = None,
        understands: str = "what it was trained on",
    ) -> None:
        _need_torch()
        path = Path(source).expanduser()
        if path.is_file():
            self._made = _of_checkpoint(path, side, Path(tokenizer).expanduser() if tokenizer else path.parent)
        elif path.is_dir():
            self._made = _of_folder(path)
        else:
            raise EncoderError(f"there is no {path}; give a folder in the hub's layout, or a checkpoint of BLIP")
        self.device = device or _best_device()
        self.precision = _precision(precision, self.device)
        self.dim = self._made.dim
        self._batch = _BATCH.get(self.device.split(":")[0], 8)
        self._model: Any = None
        self._texts: TextInput | None = None
        self._lock = threading.RLock()
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", name or path.resolve().stem)[:64].strip("-._") or "torch"
        self.id = f"{name}-{_digest(self._made)[:10]}-{self.precision}"
        self.describe = (
            f"{name}: whole sentences against pictures ({self._made.kind}, {self.dim} numbers); {understands}"
        )

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of the texts, float32 [len(texts), dim]."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        with self._lock:
            if self._texts is None:
                self._texts = self._made.texts()
            take = self._texts
        return unit(np.concatenate([self._run("text", *take(part)) for part in self._parts(texts)]))

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """Unit vectors of RGB pictures, float32 [len(pictures), dim]."""
        if not pictures:
            return np.zeros((0, self.dim), dtype=np.float32)
        ready = (np.stack([self._made.pictures(picture) for picture in part]) for part in self._parts(pictures))
        return unit(np.concatenate([self._run("picture", pixels) for pixels in ready]))

    def _parts(self, items: Sequence[_Item]) -> list[Sequence[_Item]]:
        """All items in batches; at once, for the batch may become smaller on the way."""
        return [items[i : i + self._batch] for i in range(0, len(items), self._batch)]

    def _run(self, tower: Literal["text", "picture"], *given: np.ndarray[Any, Any]) -> Floats:
        """One batch through a tower; halved, for good, where the GPU has no room for it."""
        import torch

        with self._lock:
            rows: Floats | None = None
            try:
                rows = self._forward(tower, *given)
            except torch.OutOfMemoryError:
                if len(given[0]) == 1:
                    raise EncoderError(f"the memory of {self.device} does not hold one {tower}; use another") from None
            except (RuntimeError, IndexError) as error:
                raise EncoderError(f"{self.id} failed: {_first_line(error)}") from None
            if rows is None:  # not within the handler, where the error still holds what the batch took
                torch.cuda.empty_cache()
                half = len(given[0]) // 2
                self._batch = max(1, half)
                parts = [self._run(tower, *(array[at] for array in given)) for at in (slice(half), slice(half, None))]
                return np.concatenate(parts)
        if rows.shape != (len(given[0]), self.dim) or not np.isfinite(rows).all():
            raise EncoderError(f"{self.id} gives no vectors of {self.dim} numbers; its files do not fit each other")
        return rows

    def _forward(self, tower: str, *given: np.ndarray[Any, Any]) -> Floats:
        import torch

        if self._model is None:
            self._model = self._made.load().eval().to(self.device)
        model, kind = self._model, self._made.kind
        inputs = [torch.from_numpy(array).to(self.device) for array in given]
        types = {"bf16": torch.bfloat16, "fp16": torch.float16}
        mixed = torch.autocast(self.device.split(":")[0], types.get(self.precision), enabled=self.precision in types)
        with torch.inference_mode(), mixed:
            if kind == "blip" and tower == "text":
                found = model.text_encoder(*inputs, use_cache=False).last_hidden_state[:, 0]
                found = model.text_proj(found)
            elif kind == "blip":
                found = model.vision_proj(model.vision_model(*inputs).last_hidden_state[:, 0])
            elif tower == "picture":
                found = model.get_image_features(pixel_values=inputs[0])
            elif kind == "clip":
                found = model.get_text_features(input_ids=inputs[0], attention_mask=inputs[1])
            else:  # SigLIP was trained on padded texts without a mask
                found = model.get_text_features(input_ids=inputs[0])
        found = found if isinstance(found, torch.Tensor) else found.pooler_output
        rows: Floats = found.float().cpu().numpy()
        return rows


def _of_folder(folder: Path) -> _Made:
    config, pictures = _json(folder / "config.json"), _json(folder / "preprocessor_config.json")
    kind = str(config.get("model_type", ""))
    if kind not in _KINDS:
        raise EncoderError(f"{folder} holds a model of type '{kind}'; expected one of {', '.join(_KINDS)}")
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not weights:
        raise EncoderError(f"{folder} has no model.safetensors; expected a model in the hub's layout")
    try:
        if kind == "blip":
            given = config.get("text_config") or {}
            positions = int(given.get("max_position_embeddings") or 512)
            known = int(given.get("vocab_size") or 30_524)
            dim = int(config.get("image_text_hidden_size") or 256)

            def texts() -> TextInput:
                return blip.text_input(folder, positions, words=known)
        else:
            from whichpic.encoders.onnx import width_of

            dim = width_of(config, kind)

            def texts() -> TextInput:
                path = folder / "tokenizer_config.json"
                return TextInput.from_folder(folder, config, _json(path) if path.is_file() else {}, kind)

        made = PictureInput.from_config(pictures, kind)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise EncoderError(f"the configuration in {folder} is not understood: {_first_line(error)}") from None
    if not any((folder / file).is_file() for file in ("tokenizer.json", *(["vocab.txt"] if kind == "blip" else []))):
        raise EncoderError(f"{folder} has no tokenizer.json; expected a model in the hub's layout")
    files = tuple(folder / file for file in _CONFIGS if (folder / file).is_file())
    return _Made(kind, dim, made, texts, (*files, *weights), lambda: _load_folder(folder, kind, weights))


def _of_checkpoint(path: Path, side: int | None, words: Path) -> _Made:
    """A checkpoint of BLIP in the original layout. Its tensors are mapped now, and read when they are needed."""
    from whichpic.models.pickles import load_checkpoint

    if path.suffix not in _ORIGINAL:
        raise EncoderError(f"{path} is no checkpoint; expected {', '.join(_ORIGINAL)} or a folder")
    tensors = load_checkpoint(path)
    if not blip.is_original(tensors):
        raise EncoderError(f"{path} is no checkpoint of BLIP in the layout of its authors (visual_encoder.*, ...)")
    shape = blip.shape_of(blip.moved(tensors))
    side = side or shape.side
    if side % shape.patch:
        raise EncoderError(f"pictures of {side} pixels do not divide into patches of {shape.patch}")
    files = [file for file in (words / "tokenizer.json", words / "vocab.txt") if file.is_file()][:1]
    if not files:
        raise EncoderError(
            f"{words} has neither tokenizer.json nor vocab.txt: BLIP needs those of bert-base-uncased beside {path.name}"
        )
    return _Made(
        "blip",
        shape.dim,
        blip.picture_input(side),
        lambda: blip.text_input(words, shape.positions, words=shape.words),
        (path, *files),
        lambda: _load_original(path, side),
    )


def _load_original(path: Path, side: int) -> Any:
    """transformers' model with every tensor of the checkpoint; what the vectors need must all be there."""
    import torch
    from transformers import BlipConfig, BlipForImageTextRetrieval

    from whichpic.models.pickles import load_checkpoint, widened

    given = blip.moved(load_checkpoint(path))
    shape = blip.shape_of(given)
    with torch.device("meta"):
        model = BlipForImageTextRetrieval(BlipConfig(**shape.config(side=side)))
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if missing := blip.lacking(wanted, given):
        raise EncoderError(f"{path} lacks {len(missing)} tensors of BLIP, the first is {missing[0]}")
    if extra := sorted(set(given) - set(wanted)):
        raise EncoderError(f"{path} has {len(extra)} tensors too many, the first is {extra[0]}")
    place = "vision_model.embeddings.position_embedding"
    state = {name: torch.from_numpy(np.asarray(widened(array), order="C")) for name, array in given.items()}
    state[place] = interpolated(state[place], side // shape.patch)
    for name, tensor in state.items():
        if tuple(tensor.shape) != wanted[name]:
            raise EncoderError(f"{path}: {name} is {list(tensor.shape)}, where BLIP has {list(wanted[name])}")
    model.to_empty(device="cpu")
    _count_places(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name not in state:
                parameter.zero_()
    model.load_state_dict(state, strict=False)
    return model


def interpolated(places: Any, grid: int) -> Any:
    """Position embeddings [1, 1 + n * n, width] for a grid of another size, bicubic; the class token keeps its own.

    As BLIP does for a checkpoint of another picture size (models/vit.py, interpolate_pos_embed).
    """
    import torch

    old = round((places.shape[1] - 1) ** 0.5)
    if old == grid:
        return places
    square = places[:, 1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    square = torch.nn.functional.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([places[:, :1], square.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def _count_places(model: Any) -> None:
    """Buffers that are no weights (0, 1, 2, ...) are not in a checkpoint, and `to_empty` does not fill them."""
    import torch

    for module in model.modules():
        places = getattr(module, "position_ids", None)
        if isinstance(places, torch.Tensor):
            module.position_ids = torch.arange(places.shape[-1]).expand(places.shape).clone()


def _load_folder(folder: Path, kind: str, weights: Sequence[Path]) -> Any:
    import torch
    import transformers

    classes = {
        "blip": "BlipForImageTextRetrieval",
        "clip": "CLIPModel",
        "siglip": "SiglipModel",
        "siglip2": "Siglip2Model",
    }
    made_by = getattr(transformers, classes[kind])
    how: dict[str, Any] = {"dtype": torch.float32, "local_files_only": True, "output_loading_info": True}
    try:
        with _quiet():
            if weights[0].suffix == ".safetensors":
                model, told = made_by.from_pretrained(folder, use_safetensors=True, **how)
            else:
                config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
                model, told = made_by.from_pretrained(None, config=config, state_dict=_pickled(weights), **how)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise EncoderError(f"{folder} cannot be loaded: {_first_line(error)}") from None
    missing = sorted(told["missing_keys"])
    missing = blip.lacking(missing, ()) if kind == "blip" else missing
    wrong = missing or sorted(str(each) for each in told["mismatched_keys"])
    if wrong:
        raise EncoderError(f"{folder}: {len(wrong)} tensors are missing or of another size, the first is {wrong[0]}")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Its progress bars and its tables of tensors are not for our users: what is wrong is told in one line."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _pickled(weights: Sequence[Path]) -> dict[str, Any]:
    """The tensors of pytorch_model*.bin, read without pickle."""
    import torch

    from whichpic.models.pickles import load_checkpoint, widened

    found = {}
    for path in weights:
        for name, array in load_checkpoint(path).items():
            is_number = array.dtype.kind == "f" or type(array).__name__ == "BFloat16"
            found[name] = torch.from_numpy(np.asarray(widened(array) if is_number else array, order="C"))
    return found


def _digest(made: _Made) -> str:
    """One hash of everything that changes the vectors: weights, configuration, tokenizer, size of the pictures."""
    from whichpic.models.files import remembered_sha256

    total = hashlib.sha256(f"{made.kind} {made.pictures.shape}\n".encode())
    for path in made.files:
        try:
            sha256 = remembered_sha256(path, settings().home / "hashes.json")
        except OSError as error:
            raise EncoderError(f"{path} cannot be read: {error.strerror or error}") from None
        # The name of a checkpoint is its owner's business; that of a file in the hub's layout says what it is.
        total.update(f"{path.name if path.suffix not in _ORIGINAL else 'weights'} {sha256}\n".encode())
    return total.hexdigest()


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EncoderError(f"{path.parent} has no {path.name}; expected a model in the hub's layout") from None
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(f"{path} cannot be read as JSON ({error})") from None
    if not isinstance(value, dict):
        raise EncoderError(f"{path} should hold a JSON object")
    return value


def _need_torch() -> None:
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise ExtraMissing("an encoder by transformers (BLIP, CLIP, SigLIP)", "local")


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _precision(wanted: str, device: str) -> str:
    if wanted in PRECISIONS:
        return wanted
    if wanted != "auto":
        raise EncoderError(f"no precision is called '{wanted}'; known are: auto, {', '.join(PRECISIONS)}")
    if not device.startswith("cuda"):
        return "fp32"
    import torch

    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
