"""In which precision models fit into memory together. Called by local (open_local); `plan` is arithmetic alone.

A captioner and a language model share one card: what matters is that both fit, so they are planned together.
"""

from __future__ import annotations

import itertools
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from whichpic.errors import ChatError

Precision = Literal["fp32", "bf16", "fp16", "int8", "int4"]

CONTEXT_TOKENS = 8192
"""Tokens of prompt and reply that room is kept for, per model."""
_RUNTIME = 1_000_000_000
"""Bytes that the runtime of a card takes once (CUDA context, kernels)."""
_WORKSPACE = 500_000_000
"""Bytes of activations per model, the picture tower's included."""
_LINEAR: Mapping[Precision, float] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1.01, "int4": 0.53}
"""Bytes per weight of the language model's layers. nf4 with double quantisation takes 4.127 bits (arXiv 2305.14314,
section 3), int8 one byte and a scale per row (arXiv 2208.07339); a little is added for what stays in 16 bits."""
_LOSS: Mapping[Precision, float] = {"fp32": 0, "bf16": 0, "fp16": 0, "int8": 1, "int4": 2.5}
"""How unwelcome a precision is: two models at int8 are better than one at int4."""
KEPT = tuple(
    f".*{name}"
    for name in (
        "lm_head",
        "vision_tower",
        "vision_model",
        "visual",
        "projector",
        "connector",
        "merger",
        "embed_tokens",
        "in_proj_[ab]",
    )
)
"""Modules that stay in 16 bits, as patterns: quantising the picture tower or the last layer costs more than it saves.
in_proj_a and b are the gates of linear attention, of a few rows each."""
_PICTURE = re.compile(r"vision|visual|projector|connector|merger|image_newline")


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """What a model takes. linear: weights that can be quantised; rest: all others; cache: numbers kept per token."""

    name: str
    linear: int
    rest: int
    cache: int

    def bytes(self, precision: Precision, *, tokens: int = CONTEXT_TOKENS) -> int:
        """Bytes of weights, of the cache for so many tokens, and of activations, in a precision."""
        width = 4 if precision == "fp32" else 2
        weights = self.linear * _LINEAR[precision] + self.rest * width
        return int(weights + self.cache * width * tokens + _WORKSPACE)


def plan(
    models: Sequence[Size], memory: int, *, choices: Sequence[Precision] = ("bf16", "int8", "int4")
) -> tuple[Precision, ...]:
    """The precision of each model so that all fit into `memory` bytes together, as little reduced as can be.

    choices: what may be taken, the best first. Where two ways are equally good, the one that takes less memory. The
    order of the models does not matter. Raises ChatError where even the last choice does not fit.
    """
    best: tuple[tuple[float, int, tuple[str, ...]], tuple[Precision, ...]] | None = None
    order = sorted(range(len(models)), key=lambda index: models[index])
    for taken in itertools.product(choices, repeat=len(models)):
        need = _RUNTIME + sum(model.bytes(each) for model, each in zip(models, taken, strict=True))
        if need > memory:
            continue
        key = (sum(_LOSS[each] + choices.index(each) * 1e-6 for each in taken), need, tuple(taken[i] for i in order))
        if best is None or key < best[0]:
            best = key, taken
    if best is None:
        least = _RUNTIME + sum(model.bytes(choices[-1]) for model in models)
        names = " and ".join(model.name for model in models)
        raise ChatError(
            "unsupported",
            f"{names} take at least {least / 1e9:.1f} GB in {choices[-1]}, and {memory / 1e9:.1f} GB are free; "
            "take a smaller model, another device, or a server",
        )
    return best[1]


def measure(name: str, folder: Path, config: Mapping[str, Any]) -> Size:
    """The Size of a model from the headers of its safetensors files and its config; no weight is read.

    The experts of a mixture count as what stays in 16 bits: transformers joins them to arrays that bitsandbytes leaves alone.
    """
    linear = rest = 0
    for path in _weight_files(folder):
        for key, shape in shapes_in(path).items():
            count = 1
            for side in shape:
                count *= side
            if len(shape) == 2 and "layers." in key and not _PICTURE.search(key) and ".experts." not in key:
                linear += count
            else:
                rest += count
    if not linear + rest:  # files of another layout: two bytes a weight, nearly all of it layers
        total = sum(path.stat().st_size for path in folder.glob("*.bin")) // 2
        linear, rest = int(total * 0.9), int(total * 0.1)
    return Size(name, linear, rest, cache_width(config))


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files that are loaded: some folders hold the same weights twice (consolidated.safetensors)."""
    index, whole = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if whole.is_file():
        return [whole]
    try:
        named = {str(each) for each in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        named = set()
    found = sorted(folder.glob("*.safetensors"))
    return [path for path in found if path.name in named] or found


def cache_width(config: Mapping[str, Any]) -> int:
    """Numbers that a model keeps per token: keys and values of all layers."""
    text = config.get("text_config") or config
    layers = int(text.get("num_hidden_layers") or 32)
    heads = int(text.get("num_attention_heads") or 32)
    shared = int(text.get("num_key_value_heads") or heads)
    width = int(text.get("head_dim") or int(text.get("hidden_size") or 4096) // heads)
    return 2 * layers * shared * width


def free_memory(device: str) -> int:
    """Bytes that this process can have on a device: what is free, and what it holds there already."""
    import torch

    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device))
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) * 1024
    import os

    names = getattr(os, "sysconf_names", {})  # macOS knows its size alone; Windows nothing: the model is then tried
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in names else 2**62


def choose(sizes: Sequence[Size], device: str, asked: str) -> Precision:
    """The precision of the first model: as asked, or by `plan` for all of them together. Raises ChatError."""
    import torch

    if asked != "auto":
        if asked not in _LINEAR:
            raise ChatError("unsupported", f"no precision is called '{asked}'; expected auto, {', '.join(_LINEAR)}")
        return asked  # type: ignore[return-value]
    if device.startswith("cuda"):
        half: Precision = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        return plan(sizes, free_memory(device), choices=(half, "int8", "int4"))[0]
    if device == "mps":
        return plan(sizes, free_memory(device), choices=("fp16",))[0]
    return plan(sizes, free_memory(device), choices=("fp32", "bf16"))[0]


def options(precision: Precision) -> dict[str, Any]:
    """What from_pretrained is told for a precision. Raises ExtraMissing without bitsandbytes where it is needed."""
    import torch

    if precision in ("fp32", "bf16", "fp16"):
        return {"dtype": {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]}
    from importlib.util import find_spec

    from whichpic.errors import ExtraMissing

    if find_spec("bitsandbytes") is None:
        raise ExtraMissing(f"precision {precision} (bitsandbytes)", "local")
    from transformers import BitsAndBytesConfig

    half = torch.bfloat16
    if torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False):
        half = torch.float16
    kept = {"llm_int8_skip_modules": list(KEPT)}
    if precision == "int8":
        return {"dtype": half, "quantization_config": BitsAndBytesConfig(load_in_8bit=True, **kept)}
    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=half,
        **kept,
    )
    return {"dtype": half, "quantization_config": four}


def shapes_in(path: Path) -> dict[str, list[int]]:
    """Names and shapes of the tensors of a safetensors file: eight bytes of length, then JSON."""
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= 100_000_000:
            raise ChatError("unsupported", f"{path.name} is not a safetensors file")
        try:
            header = json.loads(file.read(length))
            return {name: [int(side) for side in entry["shape"]] for name, entry in header.items() if "shape" in entry}
        except (ValueError, TypeError, AttributeError) as error:
            raise ChatError("unsupported", f"{path.name} is not a whole safetensors file: {error}") from None
