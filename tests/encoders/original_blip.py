"""A tiny BLIP in the layout of its authors, and its forward pass written out from the papers, in numpy.

ViT (Dosovitskiy et al. 2021), BERT (Devlin et al. 2019) and BLIP (Li et al. 2022); names of the tensors as in
models/vit.py, models/med.py and models/blip_retrieval.py of github.com/salesforce/BLIP.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

Tensors = dict[str, np.ndarray[Any, Any]]

VISION, TEXT, DIM, PATCH, SIDE, LAYERS, POSITIONS = 128, 64, 24, 8, 32, 2, 512
"""Two heads of 64 in the vision tower, one in the text tower."""
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "red",
    "bus",
    "dog",
    "on",
    "the",
    "grass",
    "two",
    "##s",
    ",",
]


def vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")


def tensors(*, seed: int = 0, training: bool = True) -> Tensors:
    """Every tensor of a checkpoint of blip_retrieval; training: with what only its training needs."""
    noise = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray[Any, Any]:
        return (noise.standard_normal(shape) * (0.6 / math.sqrt(shape[-1]) if len(shape) > 1 else 0.2)).astype("f4")

    def linear(made: Tensors, name: str, wide: int, narrow: int) -> None:
        made[f"{name}.weight"], made[f"{name}.bias"] = drawn(wide, narrow), drawn(wide)

    def norm(made: Tensors, name: str, width: int) -> None:
        made[f"{name}.weight"], made[f"{name}.bias"] = 1 + drawn(width), drawn(width)

    def towers(end: str) -> Tensors:
        made: Tensors = {}
        vision, text = f"visual_encoder{end}", f"text_encoder{end}"
        made[f"{vision}.cls_token"] = drawn(1, 1, VISION)
        made[f"{vision}.pos_embed"] = drawn(1, 1 + (SIDE // PATCH) ** 2, VISION)
        made[f"{vision}.patch_embed.proj.weight"] = drawn(VISION, 3, PATCH, PATCH)
        made[f"{vision}.patch_embed.proj.bias"] = drawn(VISION)
        for n in range(LAYERS):
            block = f"{vision}.blocks.{n}"
            norm(made, f"{block}.norm1", VISION)
            linear(made, f"{block}.attn.qkv", 3 * VISION, VISION)
            linear(made, f"{block}.attn.proj", VISION, VISION)
            norm(made, f"{block}.norm2", VISION)
            linear(made, f"{block}.mlp.fc1", 2 * VISION, VISION)
            linear(made, f"{block}.mlp.fc2", VISION, 2 * VISION)
        norm(made, f"{vision}.norm", VISION)
        made[f"{text}.embeddings.word_embeddings.weight"] = drawn(len(WORDS) + 2, TEXT) * 4
        made[f"{text}.embeddings.position_embeddings.weight"] = drawn(POSITIONS, TEXT) * 4
        made[f"{text}.embeddings.position_ids"] = np.arange(POSITIONS)[None]
        norm(made, f"{text}.embeddings.LayerNorm", TEXT)
        for n in range(LAYERS):
            layer = f"{text}.encoder.layer.{n}"
            for attention, width in (("attention", TEXT), ("crossattention", VISION)):
                linear(made, f"{layer}.{attention}.self.query", TEXT, TEXT)
                linear(made, f"{layer}.{attention}.self.key", TEXT, width)
                linear(made, f"{layer}.{attention}.self.value", TEXT, width)
                linear(made, f"{layer}.{attention}.output.dense", TEXT, TEXT)
                norm(made, f"{layer}.{attention}.output.LayerNorm", TEXT)
            linear(made, f"{layer}.intermediate.dense", 2 * TEXT, TEXT)
            linear(made, f"{layer}.output.dense", TEXT, 2 * TEXT)
            norm(made, f"{layer}.output.LayerNorm", TEXT)
        linear(made, f"vision_proj{end}", DIM, VISION)
        linear(made, f"text_proj{end}", DIM, TEXT)
        return made

    made = towers("")
    linear(made, "itm_head", 2, TEXT)
    if training:
        made |= towers("_m")
        made |= {"image_queue": drawn(DIM, 8), "text_queue": drawn(DIM, 8), "idx_queue": np.full((1, 8), -100)}
        made |= {"ptr_queue": np.zeros(1, dtype=np.int64), "temp": np.array(0.07, dtype="f4")}
    return made


def _linear(t: Tensors, name: str, x: Any) -> Any:
    return x @ t[f"{name}.weight"].astype("f8").T + t[f"{name}.bias"]


def _norm(t: Tensors, name: str, x: Any, eps: float) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * t[f"{name}.weight"] + t[f"{name}.bias"]


def _gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def _attention(query: Any, key: Any, value: Any, heads: int) -> Any:
    """[n, width] each; every token looks at every token."""
    width = query.shape[-1] // heads
    parts = []
    for h in range(heads):
        at = slice(h * width, (h + 1) * width)
        scores = query[:, at] @ key[:, at].T / math.sqrt(width)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        parts.append(scores / scores.sum(-1, keepdims=True) @ value[:, at])
    return np.concatenate(parts, -1)


def picture_vector(t: Tensors, pixels: Any, *, places: Any = None) -> Any:
    """One picture [3, side, side] through the ViT: pre-norm blocks, the last norm, the class token projected."""
    kernel = t["visual_encoder.patch_embed.proj.weight"].astype("f8")
    side = pixels.shape[-1] // PATCH
    patches = [
        np.tensordot(kernel, pixels[:, y * PATCH : (y + 1) * PATCH, x * PATCH : (x + 1) * PATCH], 3)
        + t["visual_encoder.patch_embed.proj.bias"]
        for y in range(side)
        for x in range(side)
    ]
    h = np.concatenate([t["visual_encoder.cls_token"][0], np.array(patches)])
    h = h + (t["visual_encoder.pos_embed"][0] if places is None else places)
    for n in range(LAYERS):
        block = f"visual_encoder.blocks.{n}"
        qkv = _linear(t, f"{block}.attn.qkv", _norm(t, f"{block}.norm1", h, 1e-6))
        query, key, value = np.split(qkv, 3, axis=-1)
        h = h + _linear(t, f"{block}.attn.proj", _attention(query, key, value, VISION // 64))
        inner = _gelu(_linear(t, f"{block}.mlp.fc1", _norm(t, f"{block}.norm2", h, 1e-6)))
        h = h + _linear(t, f"{block}.mlp.fc2", inner)
    found = _linear(t, "vision_proj", _norm(t, "visual_encoder.norm", h, 1e-6)[0])
    return found / np.linalg.norm(found)


def text_vector(t: Tensors, tokens: list[int]) -> Any:
    """One text through BERT alone: post-norm layers, no look at a picture, the [CLS] token projected."""
    h = t["text_encoder.embeddings.word_embeddings.weight"].astype("f8")[tokens]
    h = h + t["text_encoder.embeddings.position_embeddings.weight"][: len(tokens)]
    h = _norm(t, "text_encoder.embeddings.LayerNorm", h, 1e-12)
    for n in range(LAYERS):
        layer = f"text_encoder.encoder.layer.{n}"
        query, key, value = (_linear(t, f"{layer}.attention.self.{part}", h) for part in ("query", "key", "value"))
        told = _linear(t, f"{layer}.attention.output.dense", _attention(query, key, value, heads=TEXT // 64))
        h = _norm(t, f"{layer}.attention.output.LayerNorm", h + told, 1e-12)
        inner = _linear(t, f"{layer}.output.dense", _gelu(_linear(t, f"{layer}.intermediate.dense", h)))
        h = _norm(t, f"{layer}.output.LayerNorm", h + inner, 1e-12)
    found = _linear(t, "text_proj", h[0])
    return found / np.linalg.norm(found)
