"""Tiny models of further families, and of layouts that are not transformers': the names in full, the sizes small.

Like tests.chat.tiny: each builder takes an empty folder and returns it. The names of the original layouts are written out
here from the module trees of their authors, and not derived from the key maps under test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.chat.tiny import SIDE, saved_model, tiny_tokenizer

WIDTH, INNER, LAYERS, ROWS = 64, 128, 2, 400
TOWER, TOWER_INNER, PATCH = 64, 80, 14
RANK = 4

Tensors = dict[str, Any]


def llama_tokenizer(folder: Path, *, also: tuple[str, ...] = ()) -> Any:
    """A tokenizer with LLaMA's special tokens: <unk> 0, <s> 1, </s> 2, and no <image>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<unk>", "<s>", "</s>", *also]
    trainer = trainers.BpeTrainer(
        vocab_size=ROWS,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["a man with a red umbrella", "USER: which is it? ASSISTANT: the blue one"] * 4, trainer
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=list(also),
        clean_up_tokenization_spaces=False,
    )
    wrapped.save_pretrained(folder)
    return wrapped


def random_tensors(shapes: dict[str, tuple[int, ...]], *, seed: int = 0) -> Tensors:
    """Tensors of these shapes, float32, always the same for the same seed; norms lie around 1."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    out = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator) * 0.15
        out[name] = 1 + value if "norm" in name and name.endswith("weight") else value
    return out


def llama_shapes(before: str, *, wrapped: bool = False) -> dict[str, tuple[int, ...]]:
    """LlamaForCausalLM's names; wrapped: with peft's LoRA on q and v, as its own state_dict names them."""
    base, lora = (".base_layer", True) if wrapped else ("", False)
    shapes: dict[str, tuple[int, ...]] = {f"{before}model.embed_tokens.weight": (ROWS, WIDTH)}
    for number in range(LAYERS):
        layer = f"{before}model.layers.{number}"
        for name, adapted in (("q_proj", True), ("k_proj", False), ("v_proj", True), ("o_proj", False)):
            shapes[f"{layer}.self_attn.{name}{base if adapted else ''}.weight"] = (WIDTH, WIDTH)
            if lora and adapted:
                shapes[f"{layer}.self_attn.{name}.lora_A.default.weight"] = (RANK, WIDTH)
                shapes[f"{layer}.self_attn.{name}.lora_B.default.weight"] = (WIDTH, RANK)
        for name, shape in (("gate_proj", (INNER, WIDTH)), ("up_proj", (INNER, WIDTH)), ("down_proj", (WIDTH, INNER))):
            shapes[f"{layer}.mlp.{name}.weight"] = shape
        shapes[f"{layer}.input_layernorm.weight"] = (WIDTH,)
        shapes[f"{layer}.post_attention_layernorm.weight"] = (WIDTH,)
    return {**shapes, f"{before}model.norm.weight": (WIDTH,), f"{before}lm_head.weight": (ROWS, WIDTH)}


def clip_shapes(before: str, side: int = SIDE) -> dict[str, tuple[int, ...]]:
    """CLIPVisionModel's names, whose first normalisation its authors misspelt."""
    shapes: dict[str, tuple[int, ...]] = {
        f"{before}vision_model.embeddings.class_embedding": (TOWER,),
        f"{before}vision_model.embeddings.patch_embedding.weight": (TOWER, 3, PATCH, PATCH),
        f"{before}vision_model.embeddings.position_embedding.weight": ((side // PATCH) ** 2 + 1, TOWER),
    }
    for name in ("pre_layrnorm", "post_layernorm"):
        shapes |= {f"{before}vision_model.{name}.{part}": (TOWER,) for part in ("weight", "bias")}
    for number in range(LAYERS):
        layer = f"{before}vision_model.encoder.layers.{number}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= {f"{layer}.self_attn.{name}.weight": (TOWER, TOWER), f"{layer}.self_attn.{name}.bias": (TOWER,)}
        shapes |= {f"{layer}.mlp.fc1.weight": (TOWER_INNER, TOWER), f"{layer}.mlp.fc1.bias": (TOWER_INNER,)}
        shapes |= {f"{layer}.mlp.fc2.weight": (TOWER, TOWER_INNER), f"{layer}.mlp.fc2.bias": (TOWER,)}
        for name in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{layer}.{name}.{part}": (TOWER,) for part in ("weight", "bias")}
    return shapes


def projector_shapes(first: str, second: str) -> dict[str, tuple[int, ...]]:
    """The projector's two layers."""
    return {
        f"{first}.weight": (WIDTH, TOWER),
        f"{first}.bias": (WIDTH,),
        f"{second}.weight": (WIDTH, WIDTH),
        f"{second}.bias": (WIDTH,),
    }


def original_llava_tensors() -> Tensors:
    """LlavaLlamaForCausalLM's state, buffers included that older versions of transformers saved."""
    import torch

    tensors = random_tensors(
        {
            **llama_shapes(""),
            **projector_shapes("model.mm_projector.0", "model.mm_projector.2"),
            **clip_shapes("model.vision_tower.vision_tower."),
        }
    )
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    places = tensors["model.vision_tower.vision_tower.vision_model.embeddings.position_embedding.weight"].shape[0]
    tensors["model.vision_tower.vision_tower.vision_model.embeddings.position_ids"] = torch.arange(places)[None]
    return tensors


def original_llava(
    folder: Path, *, form: str = "safetensors", shards: int = 2, tower: bool = True, **more: Any
) -> Path:
    """LLaVA 1.5 as its authors save it. form: safetensors or bin. tower: CLIP's tensors are in it. more: of config.json."""
    llama_tokenizer(folder)
    tensors = original_llava_tensors()
    if not tower:
        before = "model.vision_tower.vision_tower."
        (folder / "vision_tower").mkdir()
        clip = {name.removeprefix(before): value for name, value in tensors.items() if name.startswith(before)}
        saved(clip, folder / "vision_tower", form=form, shards=1)
        tensors = {name: value for name, value in tensors.items() if not name.startswith(before)}
    saved(tensors, folder, form=form, shards=shards)
    config = {
        "architectures": ["LlavaLlamaForCausalLM"],
        "model_type": "llava_llama",
        **_text_config(),
        "mm_vision_tower": "openai/clip-vit-large-patch14-336",
        "mm_projector_type": "mlp2x_gelu",
        "mm_hidden_size": TOWER,
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "image_aspect_ratio": "pad",
        "use_mm_proj": True,
        **more,
    }
    _write(folder / "config.json", config)
    return folder


def pllava_tensors(side: int = 2 * SIDE) -> Tensors:
    """PllavaForConditionalGeneration's state with peft's LoRA in it."""
    return random_tensors(
        {
            **llama_shapes("language_model.base_model.model.", wrapped=True),
            **projector_shapes("multi_modal_projector.linear_1", "multi_modal_projector.linear_2"),
            **clip_shapes("vision_tower.", side),
        }
    )


def tiny_pllava(folder: Path, *, form: str = "safetensors", tensors: Tensors | None = None, **more: Any) -> Path:
    """PLLaVA as its authors save it; 4 x 4 patches of a frame are pooled to 3 x 2 tokens."""
    llama_tokenizer(folder)
    saved(pllava_tensors() if tensors is None else tensors, folder, form=form, shards=3)
    vision = {
        "model_type": "clip_vision_model",
        "hidden_size": TOWER,
        "intermediate_size": TOWER_INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 1,
        "image_size": 2 * SIDE,
        "patch_size": PATCH,
    }
    config = {
        "architectures": ["PllavaForConditionalGeneration"],
        "model_type": "pllava",
        "text_config": {**_text_config(), "model_type": "llama"},
        "vision_config": vision,
        "image_token_index": 32000,
        "num_frames": 16,
        "pooling_shape": [16, 3, 2],
        "frame_shape": [4, 4],
        "use_pooling": True,
        **more,
    }
    _write(folder / "config.json", config)
    return folder


def saved(tensors: Tensors, folder: Path, *, form: str, shards: int) -> None:
    """The tensors in so many files, with an index where there are several."""
    import torch
    from safetensors.torch import save_file

    name, ending = ("model", "safetensors") if form == "safetensors" else ("pytorch_model", "bin")
    files: dict[str, str] = {}
    for number in range(shards):
        part = dict(list(tensors.items())[number::shards])
        file = f"{name}.{ending}" if shards == 1 else f"{name}-{number + 1:05}-of-{shards:05}.{ending}"
        if form == "safetensors":
            save_file(part, folder / file, metadata={"format": "pt"})
        else:
            torch.save(part, folder / file)
        files |= dict.fromkeys(part, file)
    if shards > 1:
        _write(folder / f"{name}.{ending}.index.json", {"metadata": {}, "weight_map": files})


def _text_config() -> dict[str, Any]:
    return {
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "vocab_size": ROWS,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def tiny_internvl(folder: Path) -> Path:
    """InternVL: tiles of 28 pixels, one token each; Qwen2."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    tokenizer = tiny_tokenizer(folder, picture="<IMG_CONTEXT>", also=("<img>", "</img>"))
    config = InternVLConfig(
        vision_config={**tiny_vision(), "image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]},
        text_config=_text(tokenizer, "qwen2"),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=1,
        tie_word_embeddings=False,
    )
    settings = {
        "image_processor_type": "GotOcr2ImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "crop_to_patches": False,
        "min_patches": 1,
        "max_patches": 12,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    _write(folder / "preprocessor_config.json", settings)
    return saved_model(InternVLForConditionalGeneration, config, folder)


def tiny_gemma3(folder: Path) -> Path:
    """Gemma 3: SigLIP, four tokens per picture, layers with a window of 24 tokens beside those with none."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    tokenizer = tiny_tokenizer(folder, picture="<image_soft_token>", also=("<start_of_image>", "<end_of_image>"))
    tokenizer.chat_template = tokenizer.chat_template.replace("<image_soft_token>", "<start_of_image>")
    tokenizer.save_pretrained(folder)
    text = {**_text(tokenizer, "gemma3_text"), "num_hidden_layers": 3, "head_dim": 16, "sliding_window": 24}
    config = Gemma3Config(
        vision_config={**tiny_vision(), "model_type": "siglip_vision_model", "vision_use_head": False},
        text_config={**text, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
        mm_tokens_per_image=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        tie_word_embeddings=False,
    )
    settings = {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": SIDE, "width": SIDE}, "resample": 2}
    _write(folder / "preprocessor_config.json", {**settings, **HALF})
    return saved_model(Gemma3ForConditionalGeneration, config, folder)


GRIDS = [[SIDE * rows, SIDE * columns] for rows in range(1, 5) for columns in range(1, 5)]


def tiny_llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision: SigLIP and Qwen2; more than two tiles' patches are shrunk to two tiles' worth."""
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

    tokenizer = tiny_tokenizer(folder, also=("<video>",))
    config = LlavaOnevisionConfig(
        vision_config={**tiny_vision(), "model_type": "siglip_vision_model", "vision_use_head": False},
        text_config=_text(tokenizer, "qwen2"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=GRIDS,
        vision_aspect_ratio="anyres_max_9",
    )
    settings = {
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "image_grid_pinpoints": GRIDS,
        "do_pad": True,
        "resample": 3,
    }
    _write(folder / "preprocessor_config.json", {**settings, **HALF})
    return saved_model(LlavaOnevisionForConditionalGeneration, config, folder)


MINICPM_MARKS = ("<|video_pad|>", "<image>", "</image>", "<slice>", "</slice>", "<image_id>", "</image_id>")


def tiny_minicpm(folder: Path) -> Path:
    """MiniCPM-V 4.6: slices of about 56 x 56 pixels; Qwen3.5, three of whose four layers are of linear attention."""
    from transformers import MiniCPMV4_6Config, MiniCPMV4_6ForConditionalGeneration

    tokenizer = tiny_tokenizer(folder, picture="<|image_pad|>", also=MINICPM_MARKS)
    text = {
        **_text(tokenizer, "qwen3_5_text"),
        "num_hidden_layers": 4,
        "head_dim": 16,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "linear_key_head_dim": 16,
        "linear_value_head_dim": 32,
        "layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 1.0,
            "mrope_section": [2, 3, 3],
        },
    }
    config = MiniCPMV4_6Config(
        vision_config={**tiny_vision(), "image_size": 4 * PATCH},
        text_config=text,
        insert_layer_id=0,
        image_size=4 * PATCH,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    )  # fmt: skip
    settings = {
        "image_processor_type": "MiniCPMV4_6ImageProcessor",
        "max_slice_nums": 9,
        "scale_resolution": 4 * PATCH,
        "patch_size": PATCH,
        "slice_mode": True,
        "downsample_mode": "16x",
        "use_image_id": True,
        "resample": 3,
    }
    _write(folder / "preprocessor_config.json", {**settings, **HALF})
    return saved_model(MiniCPMV4_6ForConditionalGeneration, config, folder)


HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def tiny_vision() -> dict[str, Any]:
    """A picture tower of two layers."""
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": PATCH,
    }


def _text(tokenizer: Any, kind: str) -> dict[str, Any]:
    return {
        "model_type": kind,
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|im_start|>"),
        "eos_token_id": tokenizer.eos_token_id,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
    }
