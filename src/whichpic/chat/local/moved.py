"""Ids that moved on a hub, and weights that do not load here: why, and the nearest that do. Called by local.loading.

The hub itself redirects a moved id; mirrors and caches do not. Nothing is fetched to find out that it cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whichpic.errors import ChatError

# Old id -> new id. Each pair is stated at the place that the comment names.
_MOVED: Mapping[str, str] = {
    # README.md of RLHF-V/RLAIF-V: its first versions name the old ids (chat.py the second until today), later ones the new.
    "xiaomanlu/RLAIF-V-7B": "openbmb/RLAIF-V-7B",
    "HaoyeZhang/RLAIF-V-12B": "openbmb/RLAIF-V-12B",
    # Pull request 1357 of oumi-ai/oumi; 105 of LiveCodeBench/LiveCodeBench says the same.
    "meta-llama/Meta-Llama-3.1-8B": "meta-llama/Llama-3.1-8B",
    "meta-llama/Meta-Llama-3.1-8B-Instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Meta-Llama-3.1-70B-Instruct": "meta-llama/Llama-3.1-70B-Instruct",
    "meta-llama/Meta-Llama-3.1-405B-Instruct": "meta-llama/Llama-3.1-405B-Instruct",
}
# Old owner -> new owner, every id alike. Pull request 3870 of xorbitsai/inference and 8770 of hiyouga/LlamaFactory.
_OWNERS: Mapping[str, str] = {"THUDM": "zai-org"}

_MINICPM = "openbmb/MiniCPM-V-4.6, which transformers has natively"
_RLAIF_V = "openbmb/RLAIF-V-7B, which its key map loads"
# Model type -> why not, and what instead.
_REFUSED: Mapping[str, tuple[str, str]] = {
    "omnilmm": (
        "OmniLMM-12B (RLAIF-V-12B too) sees through EVA-02 of the package timm and a resampler, which transformers does "
        "not have, and brings no code that it could run",
        f"{_RLAIF_V}, or {_MINICPM}",
    ),
    "minicpmv": (
        "MiniCPM-V up to 4.5 runs by code of its own, whose inputs are not those of transformers' models",
        _MINICPM,
    ),
    "minicpmo": ("MiniCPM-o runs by code of its own, whose inputs are not those of transformers' models", _MINICPM),
    "minicpmv4_7": (
        "MiniCPM-V 4.7 counts a picture's positions on a canvas of its own, which is not written here yet",
        _MINICPM,
    ),
    "internvl_chat": (
        "InternVL in the layout of its authors runs by code of its own",
        "the same weights for transformers, whose ids end in -hf (OpenGVLab/InternVL3-8B-hf)",
    ),
    "llava_qwen": (
        "LLaVA-OneVision in the layout of its authors has names that no key map here covers",
        "the same weights as llava-hf publishes them (llava-hf/llava-onevision-qwen2-7b-ov-hf)",
    ),
    "llava_mpt": ("LLaVA on MPT has no class in transformers", "llava-hf/llava-1.5-7b-hf"),
    "qwen": ("Qwen-VL (the first) and Qwen 1 run by code of their own", "Qwen/Qwen2.5-VL-7B-Instruct"),
    "mllama": ("Llama 3.2 Vision reads pictures by cross-attention, for which there is no way here", "Qwen2.5-VL or Gemma 3"),
    "phi3_v": ("Phi-3 Vision runs by code of its own", "Qwen/Qwen2.5-VL-3B-Instruct"),
}  # fmt: skip
# By id, before anything is fetched; the rest is told by config.json.
_REFUSED_IDS: tuple[tuple[str, str], ...] = (
    (r"openbmb/(omnilmm-12b|rlaif-v-12b)", "omnilmm"),
    (r"openbmb/minicpm-(v|v-2.*|llama3-v-2_5.*|v-4|v-4_5)", "minicpmv"),
    (r"openbmb/minicpm-o-.*", "minicpmo"),
    (r"opengvlab/internvl[\d_.]+-\d+b(-mpo|-instruct)?", "internvl_chat"),
    (r"lmms-lab/llava-onevision-.*", "llava_qwen"),
)


def now(name: str) -> str:
    """The id that an id has today; itself where it did not move."""
    owner, _, rest = name.partition("/")
    return _MOVED.get(name) or (f"{_OWNERS[owner]}/{rest}" if owner in _OWNERS else name)


def refuse_id(name: str) -> None:
    """Raise ChatError for an id of weights that cannot be loaded, so that nobody waits for gigabytes of them."""
    for pattern, kind in _REFUSED_IDS:
        if re.fullmatch(pattern, name, re.IGNORECASE):
            _refuse(name, kind)
    ending = re.search(r"[-_](gguf|awq|gptq|exl2|mlx)\b", name, re.IGNORECASE)
    if ending:
        _prepared(name, ending[1].lower())


def refuse(label: str, folder: Path, config: Mapping[str, Any]) -> None:
    """Raise ChatError for a folder of weights that cannot be loaded, with the nearest that can. config may be empty."""
    kind = str(config.get("model_type"))
    if not config and any(folder.glob("*.gguf")):
        _prepared(label, "gguf")
    if kind in _REFUSED:
        _refuse(label, kind)
    quantised = config.get("quantization_config")
    if isinstance(quantised, Mapping):
        _prepared(label, str(quantised.get("quant_method", "a method that it does not name")))


def _refuse(label: str, kind: str) -> None:
    why, instead = _REFUSED[kind]
    raise ChatError("unsupported", f"{label} cannot be loaded: {why}. The nearest that can: {instead}")


def _prepared(label: str, how: str) -> None:
    """Weights for another runtime, or already reduced for one kind of card."""
    if how == "gguf":
        raise ChatError(
            "unsupported",
            f"{label} is for llama.cpp (GGUF): start its server (llama-server -m FILE, and --mmproj FILE where it sees) "
            "and say --chat llamacpp:",
        )
    if how == "mlx":
        raise ChatError("unsupported", f"{label} is for MLX: start mlx_vlm.server and give its address as --chat")
    raise ChatError(
        "unsupported",
        f"{label} is reduced already ({how}), for kernels that are not part of this: take the weights that it was made "
        "of, with --precision int8 or int4, or a vLLM server (--chat vllm:MODEL)",
    )
