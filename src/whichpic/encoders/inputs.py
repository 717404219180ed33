"""How texts and pictures become what a two-tower model was trained on, read from its own configuration files.

Pillow and numpy only. Called by onnx.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import EncoderError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from tokenizers import Tokenizer

    from whichpic.types import Floats

_LARGEST = 4096  # pixels of a side; the largest models of this kind take 512
_LONGEST = 131_072  # tokens
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class PictureInput:
    """What is done to a picture: resize, crop in the centre, scale, normalise. Sizes in pixels."""

    shortest: int | None  # resize so that the shorter side is this, else to `size` whatever the proportions
    size: tuple[int, int] | None  # (height, width)
    crop: tuple[int, int] | None  # (height, width)
    resample: int  # Pillow's number of the filter
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], kind: str) -> PictureInput:
        """From preprocessor_config.json of a model of type `kind`. EncoderError where it asks for what is unknown."""
        from PIL import Image as Images

        config = {key: value for key, value in config.items() if value is not None}
        if "max_num_patches" in config:
            raise EncoderError("models of variable resolution (NaFlex) are not supported; use one of fixed resolution")
        shortest, size = _size(config.get("size", 224), square=kind != "clip")
        resize = config.get("do_resize", True)
        crop = (
            _size(config.get("crop_size", 224), square=True)[1]
            if config.get("do_center_crop", kind == "clip")
            else None
        )
        plain = config.get("do_normalize", True) is False
        mean = (0.0, 0.0, 0.0) if plain else tuple(float(v) for v in config.get("image_mean", (0.5, 0.5, 0.5)))
        std = (1.0, 1.0, 1.0) if plain else tuple(float(v) for v in config.get("image_std", (0.5, 0.5, 0.5)))
        if len(mean) != 3 or len(std) != 3 or not all(std):
            raise EncoderError("image_mean and image_std of preprocessor_config.json should be three numbers each")
        if not all(math.isfinite(v) for v in (*mean, *std)):
            raise EncoderError("image_mean and image_std of preprocessor_config.json should be finite")
        for edge in (shortest, *(size or ()), *(crop or ())):
            if edge is not None and not 1 <= edge <= _LARGEST:
                raise EncoderError(f"preprocessor_config.json asks for {edge} pixels; 1 to {_LARGEST} are possible")
        scale = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
        result = cls(
            shortest if resize else None,
            size if resize else None,
            crop,
            int(Images.Resampling(int(config.get("resample", 3)))),
            scale,
            mean,
            std,
        )
        if result.crop is None and result.size is None:
            raise EncoderError("preprocessor_config.json leaves pictures in different sizes; expected a size or a crop")
        return result

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of what comes out."""
        shape = self.crop or self.size
        assert shape is not None
        return shape

    def __call__(self, picture: Image) -> Floats:
        """One picture as float32 [3, height, width]."""
        from PIL import Image as Images

        if picture.mode != "RGB":
            picture = picture.convert("RGB")
        target = self._target(picture)
        if self.crop and max(target) > 8 * max(self.crop):
            picture = _resized_middle(picture, target, self.crop, self.resample)
        elif target != picture.size:
            picture = picture.resize(target, Images.Resampling(self.resample))
        pixels = np.asarray(picture, dtype=np.float32)
        if self.crop:
            pixels = _centre(pixels, *self.crop)
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return np.ascontiguousarray(((pixels * np.float32(self.scale) - mean) / std).transpose(2, 0, 1))

    def _target(self, picture: Image) -> tuple[int, int]:
        """(width, height) after resizing."""
        width, height = picture.size
        if self.shortest is not None:
            short, long = sorted((width, height))
            other = max(1, int(self.shortest * long / short))
            return (self.shortest, other) if width <= height else (other, self.shortest)
        return (self.size[1], self.size[0]) if self.size else (width, height)


def _size(value: Any, *, square: bool) -> tuple[int | None, tuple[int, int] | None]:
    """A size in any of its spellings -> (shortest edge, None) or (None, (height, width))."""
    try:
        if isinstance(value, Mapping):
            if "shortest_edge" in value:
                return int(value["shortest_edge"]), None
            return None, (int(value["height"]), int(value["width"]))
        if isinstance(value, Sequence) and not isinstance(value, str):
            return None, (int(value[0]), int(value[-1]))
        return (None, (int(value), int(value))) if square else (int(value), None)
    except (KeyError, TypeError, ValueError, IndexError):
        raise EncoderError(f"the size {value!r} in preprocessor_config.json is not understood") from None


def _resized_middle(picture: Image, target: tuple[int, int], crop: tuple[int, int], resample: int) -> Image:
    """The middle of a very long picture after resizing to `target`, with an even margin around the crop.

    A strip of 1 x 100,000 pixels resized as a whole would fill the memory. The margin is wider than any filter reaches,
    so the crop holds the same pixels.
    """
    from PIL import Image as Images

    box, size = [0.0, 0.0, 0.0, 0.0], [0, 0]
    for axis, (length, wanted) in enumerate(zip(target, (crop[1], crop[0]), strict=True)):
        scale = length / picture.size[axis]
        first = max(0, (length - wanted) // 2 - int(4 * max(1.0, scale)))
        size[axis] = length - 2 * first
        box[axis], box[axis + 2] = first / scale, (first + size[axis]) / scale
    return picture.resize((size[0], size[1]), Images.Resampling(resample), box=(box[0], box[1], box[2], box[3]))


def _centre(pixels: Floats, height: int, width: int) -> Floats:
    """The centre of [h, w, 3], with black where the picture is too small."""
    padded_height, padded_width = max(height, pixels.shape[0]), max(width, pixels.shape[1])
    if (padded_height, padded_width) != pixels.shape[:2]:
        top = -((pixels.shape[0] - padded_height) // 2)
        left = -((pixels.shape[1] - padded_width) // 2)
        canvas = np.zeros((padded_height, padded_width, 3), dtype=np.float32)
        canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        pixels = canvas
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


@dataclass(frozen=True, slots=True)
class TextInput:
    """What is done to a text: lower-cased, cut into tokens, truncated, padded; as the model was trained.

    CLIP was trained on texts that end at their end token, and what follows does not matter: a batch is padded to its
    longest. SigLIP and SigLIP 2 were trained on lower-cased texts padded to 64 tokens without a mask (Zhai et al.
    2023; Tschannen et al. 2025), and read their vector off the last place: padding less gives another vector.
    """

    tokenizer: Tokenizer
    length: int
    pad: int
    pad_left: bool
    fixed: bool  # pad to `length` always, without a mask
    lower: bool
    bare: bool  # punctuation is taken out, as the first SigLIP's tokenizer does
    before: tuple[int, ...] | None  # tokens around each text where the configuration, not the tokenizer, says so
    after: tuple[int, ...] | None

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any], settings: Mapping[str, Any], kind: str) -> TextInput:
        """From tokenizer.json, with config.json (`config`) and tokenizer_config.json (`settings`) already read."""
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises plain Exception
            raise EncoderError(f"{folder / 'tokenizer.json'} is not a tokenizer that can be read: {error}") from None
        siglip = kind != "clip"
        trained = trained_length(config, kind)
        family = str(settings.get("tokenizer_class", ""))
        explicit = "Gemma" in family or "Siglip2" in family
        before, after = _around(tokenizer, settings) if explicit else (None, None)
        padding = tokenizer.padding
        tokenizer.no_padding()
        if explicit:
            tokenizer.no_truncation()
        else:
            tokenizer.enable_truncation(trained)
        return cls(
            tokenizer=tokenizer,
            length=trained,
            pad=_pad(tokenizer, settings, config, padding),
            pad_left=settings.get("padding_side") == "left",
            fixed=siglip,
            lower=siglip or bool(settings.get("do_lower_case")),
            bare=family in {"SiglipTokenizer", "SiglipTokenizerFast"},
            before=before,
            after=after,
        )

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Token numbers and mask, both int64 [len(texts), tokens]."""
        rows = [self._tokens(text) for text in texts]
        width = self.length if self.fixed else max((len(row) for row in rows), default=1)
        ids = np.full((len(rows), width), self.pad, dtype=np.int64)
        mask = np.ones_like(ids) if self.fixed else np.zeros_like(ids)
        for i, row in enumerate(rows):
            place = slice(width - len(row), width) if self.pad_left else slice(0, len(row))
            ids[i, place] = row
            mask[i, place] = 1
        return ids, mask

    def _tokens(self, text: str) -> list[int]:
        if self.lower:
            text = text.lower()
        if self.bare:
            text = " ".join(text.translate(_PUNCTUATION).split())
        if self.before is None or self.after is None:
            return list(self.tokenizer.encode(text).ids)
        ids = list(self.tokenizer.encode(text, add_special_tokens=False).ids)
        room = self.length - len(self.before) - len(self.after)
        return [*self.before, *ids[:room], *self.after]


def trained_length(config: Mapping[str, Any], kind: str) -> int:
    """Tokens of the longest text that the model was trained with. EncoderError for a length that cannot be."""
    length = int((config.get("text_config") or {}).get("max_position_embeddings") or (77 if kind == "clip" else 64))
    if not 2 <= length <= _LONGEST:
        raise EncoderError(f"config.json says that texts have {length} tokens; 2 to {_LONGEST} are possible")
    return length


def _token(settings: Mapping[str, Any], name: str) -> str | None:
    value = settings.get(name)
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _around(tokenizer: Tokenizer, settings: Mapping[str, Any]) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """What Gemma's tokenizer class adds by its own options, which tokenizer.json may say otherwise."""
    if "add_bos_token" not in settings and "add_eos_token" not in settings:
        return None, None
    bos = tokenizer.token_to_id(_token(settings, "bos_token") or "<bos>")
    eos = tokenizer.token_to_id(_token(settings, "eos_token") or "<eos>")
    before = (bos,) if settings.get("add_bos_token") and bos is not None else ()
    after = (eos,) if settings.get("add_eos_token") and eos is not None else ()
    return before, after


def _pad(
    tokenizer: Tokenizer, settings: Mapping[str, Any], config: Mapping[str, Any], padding: Mapping[str, Any] | None
) -> int:
    name = _token(settings, "pad_token")
    found = tokenizer.token_to_id(name) if name else None
    if found is None and padding:
        found = int(padding["pad_id"])
    if found is None:
        found = (config.get("text_config") or {}).get("pad_token_id")
    return 0 if found is None else int(found)
