"""PLLaVA: LLaVA over several pictures as the frames of a film, pooled together (Xu et al. 2024, arXiv 2404.16994).

Called by local.families. The settings are those of NavigationIR, which asks its questions of five pictures: 5 frames,
pooled to 5 x 12 x 12 tokens, LoRA of rank 128 with alpha 4 on q and v. Names of tensors: models/pllava/modeling_pllava.py
and tasks/eval/model_utils.py of magic-research/PLLaVA.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.chat.local import layouts, pixels
from whichpic.chat.local.families import LLAVA, Family, Parts, Seen
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from PIL.Image import Image

FRAMES = 5
"""Pictures of one message; fewer are repeated."""
POOLED = (12, 12)
"""Rows and columns of a frame's tokens, where the config does not say otherwise."""
ALPHA = 4.0
"""The alpha of the LoRA; "lora_alpha" in config.json says otherwise. It is in no file of the published weights."""
_UNUSED = re.compile(r"(rotary_emb\.inv_freq|embeddings\.position_ids|^image_newline)$")
"""Buffers, and the new line of the LLaVA-NeXT it began from, which PLLaVA does not use."""
_WRAPPED = "language_model.base_model.model."
_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'][0]['text'] }} {% elif m['role'] == 'user' %}"
    "{% if m['content'][0]['type'] == 'image' %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% endif %}{% endfor %}{{ '\n ' }}{% endif %}USER: {{ m['content'][-1]['text'] }} "
    "{% else %}ASSISTANT: {{ m['content'][0]['text'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def renamed(name: str) -> str | None:
    """The name of a tensor in the hub's layout of LLaVA, LoRA's own parts included; None for what PLLaVA does not use.

    `...q_proj.base_layer.weight` (peft from 0.6 on) and `...q_proj.weight` are the same; `...q_proj.lora_A.default.weight`
    becomes `...q_proj.lora_A`. Raises ChatError for a name that is none of PLLaVA's.
    """
    if _UNUSED.search(name):
        return None
    bare = f"language_model.{name.removeprefix(_WRAPPED)}" if name.startswith(_WRAPPED) else name
    bare = re.sub(r"\.lora_([AB])(\.\w+)?\.weight$", r".lora_\1", bare.replace(".base_layer.", "."))
    known = r"language_model\.(model\.(embed_tokens|layers|norm)|lm_head)\.|multi_modal_projector\.linear_[12]\.|vision_tower\."
    if re.match(known, bare):
        return bare
    raise ChatError("unsupported", f"the tensor '{name}' is none of PLLaVA's; its key map is in docs/local-models.md")


def merged(given: Mapping[str, Any], alpha: float) -> dict[str, Any]:
    """The tensors with LoRA added in: W + alpha / r * B A (arXiv 2106.09685, section 4.1), computed in 32 bits.

    given: tensors by the names of `renamed`. Raises ChatError for half a LoRA.
    """
    out = {name: value for name, value in given.items() if ".lora_" not in name}
    for name in sorted(given.keys() - out.keys()):
        place, _, part = name.rpartition(".lora_")
        if part == "B":
            continue
        weight, a, b = out.get(f"{place}.weight"), given[name], given.get(f"{place}.lora_B")
        if weight is None or b is None:
            raise ChatError("unsupported", f"the LoRA of '{place}' is not whole; fetch these weights again")
        change = (b.float() @ a.float()) * (alpha / a.shape[0])
        out[f"{place}.weight"] = (weight.float() + change).to(weight.dtype)
    lonely = sorted(name for name in given if name.endswith(".lora_B") and f"{name[:-1]}A" not in given)
    if lonely:
        raise ChatError("unsupported", f"the LoRA of '{lonely[0][:-7]}' is not whole; fetch these weights again")
    return out


def load(folder: Path, opener: Any, options: Mapping[str, Any]) -> Any:
    """The model of PLLaVA's weights, its projector pooling over frames. Raises ChatError where a tensor is left over."""
    from whichpic.chat.local.loading import read_json

    del opener
    config = read_json(folder / "config.json")
    given = {there: value for name, value in layouts.tensors(folder).items() if (there := renamed(name)) is not None}
    whole = merged(given, float(config.get("lora_alpha") or ALPHA))
    rows = int(whole["language_model.model.embed_tokens.weight"].shape[0]) if _EMBEDDED in whole else 0
    model = layouts.opened(_config(config, rows, layouts.tokenizer_of(folder)), whole, folder, options)
    model.model.multi_modal_projector = pooled(model.model.multi_modal_projector, (FRAMES, *_places(config)))
    return model


def adapt(folder: Path, parts: Parts) -> Parts:
    """What such a folder says about itself, as transformers says it of LLaVA."""
    rows = {renamed(name): shape[0] for name, shape in layouts.shapes(folder).items() if "embed_tokens" in name}
    config = _config(parts.config, rows.get(_EMBEDDED, 0), parts.tokenizer)
    layouts.pad_apart(parts.tokenizer, config["image_token_id"])
    side = int(config["vision_config"].get("image_size", 336))
    settings = {
        **parts.preprocessor,
        "size": {"shortest_edge": side},
        "crop_size": {"height": side, "width": side},
        "do_pad": False,
    }
    config["pooling_shape"] = (FRAMES, *_places(parts.config))
    return replace(parts, config=config, preprocessor=settings, template=_TEMPLATE)


def look(parts: Parts, images: Sequence[Image]) -> Seen:
    """The pictures of one message as FRAMES frames [frames, 3, side, side]; <image> stands for all of them, once.

    Fewer pictures are repeated as PLLaVA repeats frames: each so often that there are enough, and the first FRAMES kept.
    """
    import numpy as np

    if len(images) > FRAMES:
        raise ChatError(
            "unsupported", f"PLLaVA looks at up to {FRAMES} pictures in a message; {len(images)} were given"
        )
    values = [pixels.clip(image, parts.preprocessor) for image in images]
    often = -(-FRAMES // len(values)) if FRAMES % len(values) == 0 else FRAMES // len(values) + 1
    frames = [value for value in values for _ in range(often)][:FRAMES]
    tokens = int(np.prod(parts.config["pooling_shape"]))
    sign = str(parts.tokenizer.convert_ids_to_tokens(parts.image_token))
    return Seen((sign * tokens, *[""] * (len(images) - 1)), {"pixel_values": np.stack(frames)})


def pooled(projector: Any, shape: tuple[int, int, int]) -> Any:
    """A projector whose output is averaged over frames, rows and columns: equation of section 3.3 of the paper.

    The module takes [films * frames, rows * columns, width] and gives [films, frames' * rows' * columns', width'].
    """
    import torch

    class Pooled(torch.nn.Module):  # type: ignore[misc]  # torch may be missing where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.projector = projector
            self.pool = torch.nn.AdaptiveAvgPool3d(shape)

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            values = self.projector(features)
            side = round(values.shape[1] ** 0.5)
            films = values.view(-1, FRAMES, side, side, values.shape[-1]).permute(0, 4, 1, 2, 3)
            return self.pool(films).flatten(2).transpose(1, 2)

    return Pooled()


_EMBEDDED = "language_model.model.embed_tokens.weight"


def _config(config: Mapping[str, Any], rows: int, tokenizer: Any) -> dict[str, Any]:
    text = {"model_type": "llama", **(config.get("text_config") or {}), "tie_word_embeddings": False}
    given = config.get("image_token_index", config.get("image_token_id"))
    fits = isinstance(given, int) and given < rows and given < len(tokenizer)
    return {
        "model_type": "llava",
        "text_config": {**text, "vocab_size": rows or text.get("vocab_size", 0)},
        "vision_config": {"model_type": "clip_vision_model", **_CLIP, **(config.get("vision_config") or {})},
        "image_token_id": given if fits else layouts.image_token(tokenizer, rows),
        "projector_hidden_act": config.get("projector_hidden_act", "gelu"),
        "vision_feature_layer": config.get("vision_feature_layer", -2),
        "vision_feature_select_strategy": config.get("vision_feature_select_strategy", "default"),
        "tie_word_embeddings": False,
    }


def _places(config: Mapping[str, Any]) -> tuple[int, int]:
    """Rows and columns of a frame's tokens: of pooling_shape, whose frames are those of films and not ours."""
    given = config.get("pooling_shape")
    return (int(given[1]), int(given[2])) if isinstance(given, list | tuple) and len(given) == 3 else POOLED


_CLIP = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}
"""CLIP ViT-L/14 at 336 pixels, which configs of LLaVA leave out."""

PLLAVA = Family(
    "PLLaVA",
    ("pllava",),
    look,
    template=_TEMPLATE,
    defaults=LLAVA.defaults,
    load=load,
    adapt=adapt,
    by_message=True,
)
