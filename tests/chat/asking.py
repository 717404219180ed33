"""Tiny local models, opened once, and what the tests ask them. Used by the tests of chat.local."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from whichpic.chat import Decoding, Message

if TYPE_CHECKING:
    from whichpic.chat.local import Local

SEEING = ("llava", "llava_next", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "idefics3", "smolvlm")
ALL = (*SEEING, "llm")
SHORT = Decoding(max_tokens=8)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


PICTURES = (picture(60, 40, 1), picture(33, 70, 2), picture(50, 50, 3))


def asked(name: str, text: str = "what is here?", pictures: Sequence[Any] = PICTURES) -> list[Message]:
    return [Message("system", "be short"), Message("user", text, () if name == "llm" else tuple(pictures))]


def inside(chat: Local, messages: Sequence[Message]) -> tuple[Any, dict[str, Any]]:
    """The transformers model, and a conversation as its forward and generate take it: without positions or caches."""
    import torch

    engine, _, _ = chat._open()
    prompt = chat._prompts([messages])[0]
    tensors = {name: torch.from_numpy(values) for name, values in prompt.arrays.items()}
    tensors |= {name: torch.from_numpy(values)[None] for name, values in prompt.per_token.items()}
    ids = torch.from_numpy(prompt.ids)[None]
    return engine.model, {"input_ids": ids, "attention_mask": torch.ones_like(ids), **tensors}
