"""Which models are known, and how each family turns messages with pictures into inputs. Called by local.loading and inputs.

A family is one `Family`: the model types it covers, what its chat template writes for a picture, and `look`, which makes
the model's arrays out of pictures. To add one: write a `look` (PIL and numpy alone) and put the Family into FAMILIES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.chat.local import pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Arrays = dict[str, NDArray[Any]]


PICTURE_TOKENS = 1280
"""The most tokens of one picture where a family takes pictures at their own size."""


@dataclass(frozen=True)
class Parts:
    """What a folder of weights says about itself, without the weights.

    config: config.json; preprocessor: of preprocessor_config.json or the image_processor of processor_config.json, filled
    up with the family's defaults; processor: the rest of processor_config.json; tokenizer: transformers' own.
    """

    config: dict[str, Any]
    preprocessor: dict[str, Any]
    processor: dict[str, Any]
    tokenizer: Any
    template: str | None = None

    @property
    def image_token(self) -> int:
        """The id of the token that stands for one position of a picture; -1 where the model cannot see."""
        for name in ("image_token_id", "image_token_index"):
            if isinstance(self.config.get(name), int):
                return int(self.config[name])
        return -1

    @property
    def vision(self) -> dict[str, Any]:
        """The config of the picture part."""
        return dict(self.config.get("vision_config") or {})


@dataclass(frozen=True)
class Seen:
    """The pictures of one conversation as a model takes them: the text that stands for each, and the arrays."""

    texts: tuple[str, ...]
    arrays: Arrays


Look = Callable[[Parts, Sequence["Image"]], Seen]
Positions = Callable[[Parts, "NDArray[np.int64]", "Arrays"], "NDArray[np.int64]"]
PerToken = Callable[[Parts, "NDArray[np.int64]"], "Arrays"]
Join = Callable[[Sequence["Arrays"]], "Arrays"]


@dataclass(frozen=True)
class Family:
    """How the models of one family are opened and fed.

    types: model_type of config.json. look: None for models that read text alone. placeholder: what the chat template
    writes once per picture, replaced by Seen.texts. template: a chat template for weights that bring none. several:
    more than one picture in a conversation. defaults: of the preprocessor. positions: int64 [3, tokens] of a prompt where
    the model does not simply count (M-RoPE). per_token: more arrays of shape [tokens]. join: the arrays of several
    conversations as those of one batch. auto: the transformers class that opens the weights. load: opens them instead of
    it, load(folder, auto class, options of from_pretrained) -> model. adapt: what a folder of another layout says about
    itself, put the way transformers says it. by_message: the pictures of a message belong together, and `look` is called
    for each message.
    """

    name: str
    types: tuple[str, ...]
    look: Look | None = None
    placeholder: str = "<image>"
    template: str = ""
    several: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    positions: Positions | None = None
    per_token: PerToken | None = None
    join: Join = pixels.joined
    auto: str = "AutoModelForImageTextToText"
    load: Callable[..., Any] | None = None
    adapt: Callable[[Path, Parts], Parts] | None = None
    by_message: bool = False


def look_llava(parts: Parts, images: Sequence[Image]) -> Seen:
    """LLaVA 1.5: each picture at one size, one token per patch (Liu et al. 2023, arXiv 2310.03744)."""
    import numpy as np

    values = [pixels.clip(image, parts.preprocessor) for image in images]
    rows, columns = (side // _patch(parts) for side in values[0].shape[-2:])
    text = _token(parts) * (rows * columns + _class_token(parts))
    return Seen((text,) * len(images), {"pixel_values": np.stack(values)})


def look_llava_next(parts: Parts, images: Sequence[Image]) -> Seen:
    """LLaVA-NeXT: the whole picture and the tiles of the best grid; rows end with a new-line token (LLaVA-NeXT, 2024)."""
    import numpy as np

    grids = parts.config.get("image_grid_pinpoints") or parts.preprocessor["image_grid_pinpoints"]
    tiled = [pixels.anyres(image, parts.preprocessor, grids) for image in images]
    sizes = [(image.height, image.width) for image in images]
    side = int(parts.vision["image_size"])
    texts = []
    for height, width in sizes:
        grid = pixels.best_grid((height, width), grids)
        count = pixels.unpadded_tokens((height, width), (grid[0] // side, grid[1] // side), side // _patch(parts))
        texts.append(_token(parts) * ((side // _patch(parts)) ** 2 + _class_token(parts) + count))
    return Seen(
        tuple(texts),
        {"pixel_values": pixels.stacked(tiled), "image_sizes": np.array(sizes, dtype=np.int64)},
    )


def look_qwen_vl(parts: Parts, images: Sequence[Image]) -> Seen:
    """Qwen2-VL to Qwen3-VL: a picture at its own size in flat patches (Wang et al. 2024, arXiv 2409.12191).

    No picture takes more than PICTURE_TOKENS: the files of the hub allow 16,384, and five of those fill a card.
    """
    import numpy as np

    merge = int(parts.preprocessor["merge_size"]) ** 2
    most = PICTURE_TOKENS * merge * int(parts.preprocessor["patch_size"]) ** 2
    made = [pixels.patches(image, parts.preprocessor, most=most) for image in images]
    grids = np.array([grid for _, grid in made], dtype=np.int64)
    return Seen(
        tuple(_token(parts) * int(grid.prod() // merge) for grid in grids),
        {"pixel_values": np.concatenate([flat for flat, _ in made]), "image_grid_thw": grids},
    )


def mrope(parts: Parts, ids: NDArray[np.int64], arrays: Arrays) -> NDArray[np.int64]:
    """Positions in time, height and width, int64 [3, tokens]: M-RoPE (arXiv 2409.12191, section 2.1) for still pictures.

    Text counts in all three alike; a picture's patches count by row and column, and text goes on after the larger of them.
    """
    import numpy as np

    merge = int(parts.preprocessor["merge_size"])
    grids = iter(arrays.get("image_grid_thw", np.zeros((0, 3), dtype=np.int64)))
    pieces, here, following = [], 0, 0
    while here < len(ids):
        if ids[here] != parts.image_token:
            end = here + int(np.argmax(np.append(ids[here:] == parts.image_token, True)))
            pieces.append(np.broadcast_to(np.arange(end - here) + following, (3, end - here)))
            following += end - here
            here = end
            continue
        _, rows, columns = (int(each) for each in next(grids))
        rows, columns = rows // merge, columns // merge
        row, column = np.divmod(np.arange(rows * columns), columns)
        pieces.append(np.stack([np.zeros_like(row), row, column]) + following)
        here += rows * columns
        following += max(rows, columns)
    return np.concatenate(pieces, axis=1).astype(np.int64)


def picture_types(parts: Parts, ids: NDArray[np.int64]) -> Arrays:
    """1 where a token belongs to a picture, 0 elsewhere."""
    return {"mm_token_type_ids": (ids == parts.image_token).astype("int64")}


def look_idefics3(parts: Parts, images: Sequence[Image]) -> Seen:
    """Idefics3 and SmolVLM: tiles with their row and column, then the whole picture (arXiv 2408.12637, section 3)."""
    import numpy as np

    patches = int(parts.vision["image_size"]) // int(parts.vision["patch_size"])
    length = int(parts.processor.get("image_seq_len") or (patches // int(parts.config["scale_factor"])) ** 2)
    fence, run = "<fake_token_around_image>", _token(parts) * length
    texts, values = [], []
    for image in images:
        tiles, rows, columns = pixels.split(image, parts.preprocessor)
        values.extend(tiles)
        text = ""
        for row in range(rows):
            text += "".join(f"{fence}<row_{row + 1}_col_{column + 1}>{run}" for column in range(columns)) + "\n"
        texts.append(f"{text}{chr(10) if rows else ''}{fence}<global-img>{run}{fence}")
    return Seen(tuple(texts), {"pixel_values": np.stack(values)[None]})


def _join_frames(arrays: Sequence[Arrays]) -> Arrays:
    return pixels.joined(arrays, axis=1)


def _token(parts: Parts) -> str:
    return str(parts.tokenizer.convert_ids_to_tokens(parts.image_token))


def _patch(parts: Parts) -> int:
    return int(parts.vision["patch_size"])


def _class_token(parts: Parts) -> int:
    """1 where the picture's class token is kept: CLIP has one, SigLIP none; "default" drops it."""
    kept = parts.config.get("vision_feature_select_strategy", "default") == "full"
    return int(kept and "siglip" not in parts.vision.get("model_type", "clip_vision_model"))


_CLIP = {
    "do_resize": True,
    "size": {"shortest_edge": 336},
    "do_center_crop": True,
    "crop_size": {"height": 336, "width": 336},
    "resample": 3,
    "rescale_factor": 1 / 255,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
_VICUNA = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'][0]['text'] }} {% elif m['role'] == 'user' %}"
    "USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} "
    "{% else %}ASSISTANT: {{ m['content'][0]['text'] }} {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_IDEFICS = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}:{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %} {{ c['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)

LLAVA = Family("LLaVA 1.5", ("llava",), look_llava, template=_VICUNA, defaults=_CLIP)
LLAVA_NEXT = Family("LLaVA-NeXT", ("llava_next",), look_llava_next, template=_VICUNA, defaults=_CLIP)
QWEN_VL = Family(
    "Qwen-VL",
    ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"),
    look_qwen_vl,
    placeholder="<|image_pad|>",
    template=_CHATML,
    defaults={
        **{key: _CLIP[key] for key in ("do_resize", "resample", "rescale_factor", "image_mean", "image_std")},
        "size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280},
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
    },
    positions=mrope,
    per_token=picture_types,
)
IDEFICS3 = Family(
    "Idefics3",
    ("idefics3", "smolvlm"),
    look_idefics3,
    template=_IDEFICS,
    defaults={
        "do_resize": True,
        "size": {"longest_edge": 4 * 364},
        "do_image_splitting": True,
        "max_image_size": {"longest_edge": 364},
        "resample": 1,
        "rescale_factor": 1 / 255,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    },
    join=_join_frames,
)
TEXT = Family(
    "text",
    (
        *("llama", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "mistral", "mixtral", "gemma", "gemma2", "gemma3_text"),
        *("phi", "phi3", "smollm3", "olmo2", "granite", "internlm3", "glm4", "gpt2"),
    ),
    template=_CHATML,
    auto="AutoModelForCausalLM",
)

FAMILIES: tuple[Family, ...] = (LLAVA, LLAVA_NEXT, QWEN_VL, IDEFICS3, TEXT)


def families() -> tuple[Family, ...]:
    """All families, those of other layouts included."""
    from whichpic.chat.local.layouts import ORIGINAL_LLAVA
    from whichpic.chat.local.more_families import MORE
    from whichpic.chat.local.pllava import PLLAVA

    return (*FAMILIES, *MORE, ORIGINAL_LLAVA, PLLAVA)


def family_of(config: Mapping[str, Any]) -> Family | None:
    """The family that covers what a config.json says, or None: by its layout, then by its model type."""
    from whichpic.chat.local.layouts import ORIGINAL_LLAVA, is_original

    if is_original(config):
        return ORIGINAL_LLAVA
    kind = str(config.get("model_type"))
    return next((family for family in families() if kind in family.types), None)


def known_types() -> list[str]:
    """All model types that are known."""
    return [each for family in families() for each in family.types]
