"""Which precision models take so that they fit together: arithmetic, with the sizes of published models."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from tests.chat import tiny
from whichpic.chat.local.precision import Size, cache_width, measure, plan
from whichpic.errors import ChatError

LLAMA = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096}
LAYERS = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
"""Of LLaMA 3.1 8B and Mistral 7B alike: attention with eight heads of keys, and a gated MLP."""
LLAMA_8B = Size("Llama-3.1-8B", LAYERS, 2 * 128256 * 4096, cache_width(LLAMA))
LLAVA_7B = Size("llava-v1.6-mistral-7b", LAYERS, 2 * 32064 * 4096 + 304_000_000 + 21_000_000, cache_width(LLAMA))
RTX_3090 = 24 * 2**30 - 400_000_000
"""What is free of 24 GB where a desktop runs."""


def test_a_captioner_and_a_language_model_share_an_rtx_3090() -> None:
    assert plan((LLAVA_7B, LLAMA_8B), RTX_3090) == ("int8", "int8")
    assert plan((LLAVA_7B,), RTX_3090) == ("bf16",)
    assert plan((LLAMA_8B,), RTX_3090) == ("bf16",)


@pytest.mark.parametrize("memory", [12, 16, 20, 24, 32, 40, 80])
def test_a_plan_fits_and_does_not_depend_on_the_order(memory: int) -> None:
    models = (LLAVA_7B, LLAMA_8B)
    try:
        taken = plan(models, memory * 2**30)
    except ChatError as error:
        assert memory == 12
        assert "at least" in str(error)
        return
    assert sum(model.bytes(each) for model, each in zip(models, taken, strict=True)) < memory * 2**30
    assert plan(models[::-1], memory * 2**30) == taken[::-1]
    assert taken == {16: ("int4", "int4"), 20: ("int8", "int4"), 24: ("int8", "int8"), 32: ("int8", "bf16")}.get(
        memory, ("bf16", "bf16")
    )


def test_where_nothing_fits_it_says_how_much_is_needed() -> None:
    with pytest.raises(ChatError, match=r"Llama-3.1-8B take at least \d+\.\d GB in int4, and 4.0 GB are free"):
        plan((LLAMA_8B,), 4_000_000_000)


def test_a_processor_takes_whole_numbers() -> None:
    assert plan((LLAMA_8B,), 64 * 2**30, choices=("fp32", "bf16")) == ("fp32",)
    assert plan((LLAMA_8B,), 24 * 2**30, choices=("fp32", "bf16")) == ("bf16",)


def test_keys_and_values_of_a_token() -> None:
    assert cache_width(LLAMA) == 2 * 32 * 8 * 128
    assert cache_width({"text_config": {**LLAMA, "head_dim": 64}}) == 2 * 32 * 8 * 64


@pytest.mark.torch
def test_a_size_is_read_from_headers(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tiny.tiny_llava(tmp_path)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(folder)
    config = {
        "text_config": {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}
    }
    size = measure("tiny", folder, config)
    assert size.linear + size.rest == sum(weight.numel() for weight in model.parameters())
    layers = model.model.language_model.layers
    assert size.linear == sum(weight.numel() for weight in layers.parameters() if weight.ndim == 2)


def header(path: Path, **shapes: list[int]) -> None:
    """A safetensors file of names and shapes alone: no more is read of it."""
    said = json.dumps({name: {"dtype": "BF16", "shape": shape} for name, shape in shapes.items()}).encode()
    path.write_bytes(struct.pack("<Q", len(said)) + said)


def test_weights_that_lie_there_twice_count_once(tmp_path: Path) -> None:
    header(tmp_path / "model-00001-of-00001.safetensors", **{"model.layers.0.mlp.up_proj.weight": [8, 4]})
    header(tmp_path / "consolidated.safetensors", **{"layers.0.feed_forward.w1.weight": [8, 4]})
    named = {"weight_map": {"model.layers.0.mlp.up_proj.weight": "model-00001-of-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(named))
    assert measure("twice", tmp_path, LLAMA).linear == 32


def test_the_experts_of_a_mixture_stay_in_16_bits(tmp_path: Path) -> None:
    shapes = {"model.layers.0.mlp.experts.0.up_proj.weight": [8, 4], "model.layers.0.self_attn.q_proj.weight": [4, 4]}
    header(tmp_path / "model.safetensors", **shapes)
    size = measure("mixture", tmp_path, LLAMA)
    assert (size.linear, size.rest) == (16, 32)


def test_what_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ChatError, match="not a safetensors file"):
        measure("tiny", tmp_path, LLAMA)
