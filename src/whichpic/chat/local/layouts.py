"""LLaVA weights in the layout of its authors, as RLAIF-V-7B has them, opened as transformers' LLaVA by a map of names.

Called by local.families (families), and by local.pllava for what both layouts share: reading shards, and opening them.
Names of the tensors: model/llava_arch.py and multimodal_encoder/clip_encoder.py of haotian-liu/LLaVA and RLHF-V/RLAIF-V.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from whichpic.chat.local.families import LLAVA, Family, Parts, Seen, look_llava
from whichpic.errors import ChatError

TOWER = "openai/clip-vit-large-patch14-336"
"""The picture tower of LLaVA 1.5."""
_BUFFERS = re.compile(r"(rotary_emb\.inv_freq|embeddings\.position_ids)$")
"""What older versions saved too, and every version computes anew."""
_NAMES: tuple[tuple[str, str], ...] = (
    (r"model\.mm_projector\.0\.(weight|bias)", r"multi_modal_projector.linear_1.\1"),
    (r"model\.mm_projector\.2\.(weight|bias)", r"multi_modal_projector.linear_2.\1"),
    (r"model\.vision_tower\.vision_tower\.(vision_model\..+)", r"vision_tower.\1"),
    (r"model\.((?:embed_tokens|layers|norm)\..+)", r"language_model.model.\1"),
    (r"lm_head\.(.+)", r"language_model.lm_head.\1"),
)
_KEPT_TEXT = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *(
        "max_position_embeddings",
        "rms_norm_eps",
        "rope_theta",
        "rope_scaling",
        "hidden_act",
        "sliding_window",
        "head_dim",
    ),
    *("bos_token_id", "eos_token_id"),
)
_FAULTS = (
    ("are missing", "missing_keys"),
    ("find no place", "unexpected_keys"),
    ("have another shape", "mismatched_keys"),
)
_HEAD = 64
"""Numbers per attention head in every CLIP tower (arXiv 2103.00020, table 20)."""
# The words of Vicuna 1.5, which LLaVA was trained with: conv_vicuna_v1 in conversation.py of both repositories.
_SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}" + _SYSTEM.replace("'", "\\'") + " {% endif %}"
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'][0]['text'] }} {% elif m['role'] == 'user' %}"
    "USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} "
    "{% else %}ASSISTANT: {{ m['content'][0]['text'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def is_original(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is of LLaVA's authors: transformers' own says nothing of mm_vision_tower."""
    return str(config.get("model_type")) in ("llava", "llava_llama", "llava_mistral") and "mm_vision_tower" in config


def renamed(name: str) -> str | None:
    """The name of a tensor in the hub's layout of LLaVA 1.5; None for buffers that nothing reads.

    Raises ChatError for a name that is none of LLaVA 1.5's.
    """
    if _BUFFERS.search(name):
        return None
    for pattern, there in _NAMES:
        found = re.fullmatch(pattern, name)
        if found:
            return found.expand(there)
    if name == "model.image_newline":
        raise ChatError(
            "unsupported",
            "these weights are LLaVA-NeXT's (1.6) in the layout of its authors; "
            "take them as llava-hf publishes them, e.g. llava-hf/llava-v1.6-mistral-7b-hf",
        )
    raise ChatError(
        "unsupported", f"the tensor '{name}' is none of LLaVA 1.5's; its key map is in docs/local-models.md"
    )


def load(folder: Path, opener: Any, options: Mapping[str, Any]) -> Any:
    """The model of weights in the original layout. Raises ChatError where a tensor is left over on either side."""
    from whichpic.chat.local.loading import read_json

    del opener
    given = {there: value for name, value in tensors(folder).items() if (there := renamed(name)) is not None}
    config = read_json(folder / "config.json")
    if not any(name.startswith("vision_tower.") for name in given):
        tower = tensors(_tower_folder(folder, config))
        given |= {f"vision_tower.{name}": tower[name] for name in tower if _of_tower(name)}
    sizes = {name: tuple(value.shape) for name, value in given.items()}
    return opened(_config(config, sizes, image_token(tokenizer_of(folder), _rows(sizes))), given, folder, options)


def adapt(folder: Path, parts: Parts) -> Parts:
    """What such a folder says about itself, as transformers says it: sizes come from the tensors, as they must fit them."""
    sizes = _sizes(folder, parts.config)
    token = image_token(parts.tokenizer, _rows(sizes))
    config = {**_config(parts.config, sizes, token), "mm_use_im_start_end": parts.config.get("mm_use_im_start_end")}
    pad_apart(parts.tokenizer, token)
    side = config["vision_config"]["image_size"]
    square = {"height": side, "width": side}
    settings = {
        **parts.preprocessor,
        "size": {"shortest_edge": side},
        "crop_size": square,
        "do_pad": parts.config.get("image_aspect_ratio") == "pad",
    }
    return replace(parts, config=config, preprocessor=settings, template=_TEMPLATE)


def look(parts: Parts, images: Any) -> Seen:
    """LLaVA 1.5's pictures; older settings put a mark before and after each."""
    seen = look_llava(parts, images)
    if not parts.config.get("mm_use_im_start_end"):
        return seen
    return Seen(tuple(f"<im_start>{text}<im_end>" for text in seen.texts), seen.arrays)


def shards(folder: Path) -> list[Path]:
    """The weight files of a folder: safetensors where there are any, else .bin. Raises ChatError where one is missing."""
    for ending, index in ((".safetensors", "model.safetensors.index.json"), (".bin", "pytorch_model.bin.index.json")):
        found = sorted(folder.glob(f"*{ending}") if ending == ".safetensors" else folder.glob("pytorch_model*.bin"))
        named = _named(folder / index)
        lacking = sorted(named - {path.name for path in found})
        if found and lacking:
            raise ChatError(
                "unsupported", f"{folder.name} is not whole: {lacking[0]} is missing, which its index names"
            )
        if found:
            return [path for path in found if not named or path.name in named]
    raise ChatError("unsupported", f"{folder.name} has no weights; expected *.safetensors or pytorch_model*.bin")


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a folder, without their numbers."""
    from whichpic.chat.local.precision import shapes_in
    from whichpic.models.pickles import load_checkpoint

    out: dict[str, tuple[int, ...]] = {}
    for path in shards(folder):
        if path.suffix == ".safetensors":
            out |= {name: tuple(shape) for name, shape in shapes_in(path).items()}
        else:
            out |= {name: array.shape for name, array in load_checkpoint(path).items()}
    return out


def tensors(folder: Path) -> dict[str, Any]:
    """All tensors of a folder by name, mapped from its files; .bin through the restricted reader. Raises ModelError."""
    import numpy as np
    import torch
    from safetensors.torch import load_file

    from whichpic.models.pickles import BFloat16, load_checkpoint

    out: dict[str, Any] = {}
    for path in shards(folder):
        if path.suffix == ".safetensors":
            more = load_file(path)
        else:
            more = {}
            for name, array in load_checkpoint(path).items():
                tensor = torch.from_numpy(np.asarray(array))
                more[name] = tensor.view(torch.bfloat16) if isinstance(array, BFloat16) else tensor
        twice = sorted(out.keys() & more.keys())
        if twice:
            raise ChatError("unsupported", f"{folder.name} has the tensor {twice[0]} in two files")
        out |= more
    return out


def opened(config: Mapping[str, Any], given: dict[str, Any], folder: Path, options: Mapping[str, Any]) -> Any:
    """A LlavaForConditionalGeneration with these tensors, named as the hub names them, in any precision.

    Raises ChatError where one is missing, has another shape, or finds no place.
    """
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    settings = {key: value for key, value in config.items() if key != "model_type"}
    model, said = LlavaForConditionalGeneration.from_pretrained(
        None,
        config=LlavaConfig(**settings),
        state_dict=given,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are told below, all alike
        **options,
    )
    for what, key in _FAULTS:
        odd = sorted(str(each[0] if isinstance(each, tuple) else each) for each in said.get(key, ()))
        if odd:
            raise ChatError(
                "unsupported", f"{folder.name} is not a whole LLaVA: {len(odd)} tensors {what}, e.g. {odd[0]}"
            )
    model.name_or_path = model.config._name_or_path = str(folder)  # peft looks there
    return model


def tower_config(sizes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The config of a CLIP tower by the shapes of its tensors. Raises ChatError where it is none."""
    before = "vision_tower.vision_model."
    try:
        width, _, patch, _ = sizes[f"{before}embeddings.patch_embedding.weight"]
        places = sizes[f"{before}embeddings.position_embedding.weight"][0]
        inner = sizes[f"{before}encoder.layers.0.mlp.fc1.weight"][0]
    except (KeyError, ValueError, IndexError):
        raise ChatError(
            "unsupported", "the picture tower of these weights is not CLIP's, which LLaVA 1.5 has"
        ) from None
    layers = {
        int(found[1]) for name in sizes if (found := re.match(rf"{re.escape(before)}encoder\.layers\.(\d+)\.", name))
    }
    return {
        "model_type": "clip_vision_model",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(width // _HEAD, 1),
        "image_size": round((places - 1) ** 0.5) * patch,
        "patch_size": patch,
    }


def _config(config: Mapping[str, Any], sizes: Mapping[str, tuple[int, ...]], token: int) -> dict[str, Any]:
    """The config of LLaVA as transformers has it."""
    projector = str(config.get("mm_projector_type", "linear"))
    if projector != "mlp2x_gelu":
        raise ChatError(
            "unsupported",
            f"the projector of these weights is '{projector}'; LLaVA 1.5 has mlp2x_gelu, and llava-hf/llava-1.5-7b-hf is one",
        )
    mistral = "Mistral" in str(config.get("architectures")) or config.get("model_type") == "llava_mistral"
    text = {key: config[key] for key in _KEPT_TEXT if config.get(key) is not None}
    return {
        "model_type": "llava",
        "text_config": {
            **text, "model_type": "mistral" if mistral else "llama", "vocab_size": _rows(sizes), "tie_word_embeddings": False,
        },
        "vision_config": tower_config(sizes),
        "image_token_id": token,
        "projector_hidden_act": "gelu",
        "vision_feature_layer": config.get("mm_vision_select_layer", -2),
        "vision_feature_select_strategy": "full" if config.get("mm_vision_select_feature") == "cls_patch" else "default",
        "tie_word_embeddings": False,
    }  # fmt: skip


def _sizes(folder: Path, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    sizes = {there: shape for name, shape in shapes(folder).items() if (there := renamed(name)) is not None}
    if not any(name.startswith("vision_tower.") for name in sizes):
        tower = shapes(_tower_folder(folder, config))
        sizes |= {f"vision_tower.{name}": tower[name] for name in tower if _of_tower(name)}
    return sizes


def _rows(sizes: Mapping[str, tuple[int, ...]]) -> int:
    return sizes.get("language_model.model.embed_tokens.weight", (0,))[0]


def _of_tower(name: str) -> bool:
    return name.startswith("vision_model.") and not _BUFFERS.search(name)


def _tower_folder(folder: Path, config: Mapping[str, Any]) -> Path:
    """Where the tower is that the weights leave out: in a folder among them, or on the hub, where it is OpenAI's CLIP."""
    name = str(config.get("mm_vision_tower") or TOWER)
    for inside in (folder / "vision_tower", folder / Path(name).name):
        if inside.is_dir():
            return inside
    if re.fullmatch(r"clip-vit-[\w-]+", Path(name).name):  # trainers write where they had it: some path
        from whichpic.chat.local.loading import fetch

        clip = f"openai/{Path(name).name}"
        found = fetch(clip)
        return found if any(found.glob("*.safetensors")) else fetch(clip, also=("pytorch_model.bin",))
    raise ChatError(
        "unsupported",
        f"{folder.name} leaves out its picture tower '{name[:80]}'; put the tower's files into {folder.name}/vision_tower",
    )


def image_token(tokenizer: Any, rows: int) -> int:
    """The id that stands for a picture's positions: <image> where there is one with a row, else <unk>.

    The authors cut the text at <image> and have no token for it; <unk> is one that no text becomes (LLaMA falls back
    to bytes), so that no row need be added to the weights. rows: of the embeddings. Raises ChatError.
    """
    if not rows:
        raise ChatError("unsupported", "these weights are not whole: the tensors of the language model are missing")
    for token in (tokenizer.get_vocab().get("<image>"), tokenizer.unk_token_id):
        if isinstance(token, int) and 0 <= token < rows:
            return token
    raise ChatError("unsupported", "the tokenizer of these weights has no token that can stand for a picture")


def pad_apart(tokenizer: Any, token: int) -> None:
    """See that padding does not look like a picture; padding itself is masked, whatever it is."""
    if tokenizer.pad_token_id in (None, token):
        tokenizer.pad_token = tokenizer.eos_token


def tokenizer_of(folder: Path) -> Any:
    """transformers' tokenizer of a folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _named(index: Path) -> set[str]:
    try:
        found = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {str(each) for each in found.values()}
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        raise ChatError("unsupported", f"{index.name} cannot be read; fetch it again") from None


ORIGINAL_LLAVA = Family(
    "LLaVA 1.5, original layout",
    ("llava_llama", "llava_mistral"),
    look,
    template=_TEMPLATE,
    defaults=LLAVA.defaults,
    load=load,
    adapt=adapt,
)
