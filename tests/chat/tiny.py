"""Tiny models with random weights, a tokenizer and a chat template, saved the way the hub lays them out.

For tests of everything that talks to a local model: `tiny_vlm(folder)` where any vision-language model will do, or the
builder of a family. Each takes an empty folder, needs torch and transformers, and returns the folder.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

SIDE = 28
"""Pixels on a side of the tiny vision towers; their patches have 14."""

_SENTENCES = (
    "a man with a red umbrella stands near a white car",
    "two children play with a ball on the green grass",
    "Is there a dog in the picture? Yes. No. yes, no, not sure",
    'What colour is the boat? The boat is blue. {"answer": "blue"}',
    "USER: which of these is it? ASSISTANT: the second one",
)
_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": SIDE,
    "patch_size": 14,
}


def tiny_tokenizer(folder: Path, *, picture: str = "<image>", also: tuple[str, ...] = ()) -> Any:
    """A byte-level BPE of a few hundred tokens with ChatML's special ones; `picture` stands for a picture in the template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>", *dict.fromkeys((picture, *also))]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_SENTENCES * 4, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        additional_special_tokens=special[1:],
        clean_up_tokenization_spaces=False,
    )
    shown = f"<|vision_start|>{picture}<|vision_end|>" if "<|vision_start|>" in also else picture
    wrapped.chat_template = _CHATML.replace("IMAGE", shown)
    wrapped.save_pretrained(folder)
    return wrapped


def tiny_llm(folder: Path, *, kind: str = "llama") -> Path:
    """A language model that cannot see: kind "llama" or "qwen2"."""
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    tokenizer = tiny_tokenizer(folder)
    config, model = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}[kind]
    return saved_model(model, config(**_vocabulary(tokenizer), **_TEXT), folder)


def tiny_llava(folder: Path) -> Path:
    """LLaVA 1.5: CLIP, a projector, LLaMA; four tokens per picture."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    tokenizer = tiny_tokenizer(folder)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_VISION),
        text_config=LlamaConfig(**_vocabulary(tokenizer), **_TEXT),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
    )
    _write(folder / "preprocessor_config.json", _clip_settings("CLIPImageProcessor"))
    return saved_model(LlavaForConditionalGeneration, config, folder)


def tiny_llava_next(folder: Path) -> Path:
    """LLaVA-NeXT: the same over tiles of one of three grids."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig, LlavaNextForConditionalGeneration

    grids = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    tokenizer = tiny_tokenizer(folder)
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**_VISION),
        text_config=LlamaConfig(**_vocabulary(tokenizer), **_TEXT),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        image_grid_pinpoints=grids,
    )
    settings = {**_clip_settings("LlavaNextImageProcessor"), "image_grid_pinpoints": grids, "do_pad": True}
    _write(folder / "preprocessor_config.json", settings)
    return saved_model(LlavaNextForConditionalGeneration, config, folder)


def tiny_qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL: pictures at their own size, positions in three axes."""
    return _tiny_qwen(
        folder, "Qwen2VL", {"depth": 2, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2, "hidden_size": 64}
    )


def tiny_qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: the same with windows in the vision tower."""
    vision = {"depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 64}
    return _tiny_qwen(folder, "Qwen2_5_VL", {**vision, "fullatt_block_indexes": [1], "window_size": 56})


def tiny_qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: the same with features of several depths."""
    vision = {"depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 64}
    return _tiny_qwen(
        folder, "Qwen3VL", {**vision, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]}, head_dim=16
    )


def tiny_idefics3(folder: Path) -> Path:
    """Idefics3: SigLIP with pixel shuffle, LLaMA; a picture in tiles with their row and column."""
    return _tiny_idefics(folder, "Idefics3")


def tiny_smolvlm(folder: Path) -> Path:
    """SmolVLM: Idefics3 by another name."""
    return _tiny_idefics(folder, "SmolVLM")


def tiny_vlm(folder: Path) -> Path:
    """The vision-language model for tests that do not mind which: it sees several pictures, and is quick."""
    return tiny_llava(folder)


def tiny_lora(base: Path, folder: Path, *, seed: int = 1) -> Path:
    """A LoRA adapter on q and v of a tiny model, with random and not zero weights, as peft saves it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    kind = json.loads((base / "config.json").read_text(encoding="utf-8"))
    opener = AutoModelForImageTextToText if "vision_config" in kind else AutoModelForCausalLM
    lora = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft uses names that transformers is about to drop
        model = get_peft_model(opener.from_pretrained(base), lora)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape, generator=generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the hub would be asked for the base model's config
        model.save_pretrained(folder)
    return folder


def _tiny_qwen(folder: Path, name: str, vision: dict[str, Any], **text: Any) -> Path:
    import transformers

    tokenizer = tiny_tokenizer(
        folder, picture="<|image_pad|>", also=("<|vision_start|>", "<|vision_end|>", "<|video_pad|>")
    )
    ids = {
        name: tokenizer.convert_tokens_to_ids(token)
        for name, token in (
            ("image_token_id", "<|image_pad|>"),
            ("video_token_id", "<|video_pad|>"),
            ("vision_start_token_id", "<|vision_start|>"),
            ("vision_end_token_id", "<|vision_end|>"),
        )
    }
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    text_config = {**_vocabulary(tokenizer), **_TEXT, "rope_parameters": rope, **text}
    config = getattr(transformers, f"{name}Config")(
        vision_config={"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "in_channels": 3, **vision},
        text_config=text_config,
        tie_word_embeddings=False,
        **ids,
    )
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "size": {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 16},
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    _write(folder / "preprocessor_config.json", settings)
    return saved_model(getattr(transformers, f"{name}ForConditionalGeneration"), config, folder)


def _tiny_idefics(folder: Path, name: str) -> Path:
    import transformers

    also = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    places = tuple(f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6))
    tokenizer = tiny_tokenizer(folder, also=(*also, *places))
    config = getattr(transformers, f"{name}Config")(
        vision_config=_VISION,
        text_config={"model_type": "llama", **_vocabulary(tokenizer), **_TEXT},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
        tie_word_embeddings=False,
    )
    settings = {
        "image_processor_type": f"{name}ImageProcessor",
        "size": {"longest_edge": 2 * SIDE},
        "max_image_size": {"longest_edge": SIDE},
        "do_image_splitting": True,
        "resample": 1,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    _write(folder / "preprocessor_config.json", settings)
    _write(folder / "processor_config.json", {"processor_class": f"{name}Processor", "image_seq_len": 1})
    return saved_model(getattr(transformers, f"{name}ForConditionalGeneration"), config, folder)


def _clip_settings(name: str) -> dict[str, Any]:
    return {
        "image_processor_type": name,
        "size": {"shortest_edge": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_center_crop": True,
        "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }


def _vocabulary(tokenizer: Any) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|im_start|>"),
        "eos_token_id": tokenizer.eos_token_id,
    }


def saved_model(kind: Any, config: Any, folder: Path) -> Path:
    """A model of this config with the same random weights each time, louder than usual: replies differ by prompt."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config).eval()
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.data = torch.randn_like(weight) * 0.15
            elif "newline" in name or "bias" in name:
                weight.data = torch.randn_like(weight) * 0.02
    model.save_pretrained(folder)
    return folder


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
