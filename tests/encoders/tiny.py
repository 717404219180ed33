"""Tiny two-tower models in the hub's ONNX layout, with random weights, for the tests of the onnx encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SENTENCES = [
    "a red bus parked in front of a building",
    "two dogs playing with a frisbee on the grass",
    "A Man riding a wave on top of a surfboard, in the evening!",
    "kitchen",
    "一只 猫 on a bed",
]
LONG = " ".join(SENTENCES * 20)


def pictures() -> list[Image.Image]:
    """Wide, tall, square, tiny and very long pictures, with structure in them, the same every time."""
    noise = np.random.default_rng(7)
    made = []
    for width, height in ((90, 40), (31, 77), (48, 48), (5, 9), (400, 12)):
        rough = noise.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        made.append(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))
    return made


def write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def clip_tokenizer(folder: Path) -> None:
    """A byte-level BPE in the manner of CLIP: lower case, </w> at word ends, a start and an end token."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = Tokenizer(models.BPE(unk_token=end, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    pattern = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=700, special_tokens=[], end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer.add_special_tokens([start, end])
    numbers = {token: tokenizer.token_to_id(token) or 0 for token in (start, end)}
    tokenizer.post_processor = processors.RobertaProcessing(
        (end, numbers[end]),
        (start, numbers[start]),
        trim_offsets=False,
        add_prefix_space=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "CLIPTokenizer", "bos_token": start, "eos_token": end, "pad_token": end, "unk_token": end},
    )


def gemma_tokenizer(folder: Path, *, cased: bool = True) -> None:
    """A tokenizer in the manner of SigLIP 2: Gemma's pieces, which know capitals, and an end token by option."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Replace("▁", " ")
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        SENTENCES + [s.lower() for s in SENTENCES],
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False),
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "GemmaTokenizer",
            "add_bos_token": False,
            "add_eos_token": True,
            "bos_token": "<bos>",
            "eos_token": {
                "__type": "AddedToken",
                "content": "<eos>",
                "special": True,
                "lstrip": False,
                "rstrip": False,
            },
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "padding_side": "right",
        },
    )


CLIP_PICTURES = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 32},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "do_convert_rgb": True,
}
SIGLIP_PICTURES = {
    "image_processor_type": "SiglipImageProcessor",
    "do_resize": True,
    "size": {"height": 32, "width": 32},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
