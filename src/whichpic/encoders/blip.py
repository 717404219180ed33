"""BLIP without torch: from the original checkpoints' names and sizes to those of transformers, and its inputs.

The original layout is that of github.com/salesforce/BLIP (models/vit.py, med.py, blip_itm.py, blip_retrieval.py), which
chatir_weights.ckpt of ChatIR is in too; docs/blip.md says more. Called by encoders.torch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.encoders.inputs import PictureInput, TextInput
from whichpic.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
_BICUBIC = 3
_HEAD = 64  # width of an attention head, in both towers and both sizes of BLIP
_EPS_VISION, _EPS_TEXT = 1e-6, 1e-12

_RENAMED = (
    (r"visual_encoder\.cls_token", r"vision_model.embeddings.class_embedding"),
    (r"visual_encoder\.pos_embed", r"vision_model.embeddings.position_embedding"),
    (r"visual_encoder\.patch_embed\.proj\.(weight|bias)", r"vision_model.embeddings.patch_embedding.\1"),
    (r"visual_encoder\.norm\.(weight|bias)", r"vision_model.post_layernorm.\1"),
    (r"visual_encoder\.blocks\.(\d+)\.norm([12])\.(weight|bias)", r"vision_model.encoder.layers.\1.layer_norm\2.\3"),
    (r"visual_encoder\.blocks\.(\d+)\.attn\.qkv\.(weight|bias)", r"vision_model.encoder.layers.\1.self_attn.qkv.\2"),
    (
        r"visual_encoder\.blocks\.(\d+)\.attn\.proj\.(weight|bias)",
        r"vision_model.encoder.layers.\1.self_attn.projection.\2",
    ),
    (r"visual_encoder\.blocks\.(\d+)\.mlp\.fc([12])\.(weight|bias)", r"vision_model.encoder.layers.\1.mlp.fc\2.\3"),
    (r"(text_encoder\.embeddings\.(?:word|position)_embeddings\.weight)", r"\1"),
    (r"(text_encoder\.embeddings\.LayerNorm\.(?:weight|bias))", r"\1"),
    (
        r"(text_encoder\.encoder\.layer\.\d+\.(?:cross)?attention\."
        r"(?:self\.(?:query|key|value)|output\.(?:dense|LayerNorm))\.(?:weight|bias))",
        r"\1",
    ),
    (
        r"(text_encoder\.encoder\.layer\.\d+\.(?:intermediate\.dense|output\.(?:dense|LayerNorm))\.(?:weight|bias))",
        r"\1",
    ),
    (r"((?:vision_proj|text_proj|itm_head)\.(?:weight|bias))", r"\1"),
)
_RENAMES = tuple((re.compile(old), new) for old, new in _RENAMED)
_NOT_NEEDED = re.compile(
    r"(visual_encoder_m|text_encoder_m|vision_proj_m|text_proj_m|text_decoder)\..+"  # momentum copies; the captioner
    r"|(image|text|idx|ptr)_queue|ptr_queue|temp"  # negatives and temperature of the training
    r"|text_encoder\.embeddings\.position_ids"  # 0, 1, 2, ...
)
_NOT_USED = re.compile(r"itm_head\..+|text_encoder\.encoder\.layer\.\d+\.crossattention\..+")
"""Parts of the model that no vector passes through; a checkpoint of the two towers alone may lack them."""


@dataclass(frozen=True, slots=True)
class BlipShape:
    """Sizes of a BLIP model, read from its tensors. `side`: pixels of the pictures that its positions are made for."""

    vision_width: int
    vision_mlp: int
    vision_layers: int
    patch: int
    side: int
    text_width: int
    text_mlp: int
    text_layers: int
    words: int
    positions: int
    dim: int

    def config(self, *, side: int) -> dict[str, Any]:
        """Arguments of transformers' BlipConfig for pictures of `side` pixels; what its defaults get wrong is said.

        The original ViT normalises with eps 1e-6 (transformers: 1e-5), and the text tower has heads of 64 numbers
        (transformers: 8 heads whatever the width).
        """
        return {
            "vision_config": {
                "hidden_size": self.vision_width,
                "intermediate_size": self.vision_mlp,
                "num_hidden_layers": self.vision_layers,
                "num_attention_heads": max(1, self.vision_width // _HEAD),
                "image_size": side,
                "patch_size": self.patch,
                "hidden_act": "gelu",
                "layer_norm_eps": _EPS_VISION,
            },
            "text_config": {
                "vocab_size": self.words,
                "hidden_size": self.text_width,
                "encoder_hidden_size": self.vision_width,
                "intermediate_size": self.text_mlp,
                "num_hidden_layers": self.text_layers,
                "num_attention_heads": max(1, self.text_width // _HEAD),
                "max_position_embeddings": self.positions,
                "hidden_act": "gelu",
                "layer_norm_eps": _EPS_TEXT,
            },
            "image_text_hidden_size": self.dim,
            "projection_dim": self.dim,
        }


def is_original(names: Collection[str]) -> bool:
    """Whether these are the tensors of a checkpoint in the original layout."""
    return any(_bare(name).startswith("visual_encoder.") for name in names)


def renamed(name: str) -> str | None:
    """What transformers calls a tensor of the original layout; None for one that a retriever does not need.

    EncoderError for a name that the original layout does not have.
    """
    name = _bare(name)
    for old, new in _RENAMES:
        if found := old.fullmatch(name):
            return found.expand(new)
    if _NOT_NEEDED.fullmatch(name):
        return None
    raise EncoderError(f"the tensor '{name[:100]}' is none of BLIP; expected a checkpoint in the layout of its authors")


def moved(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """All tensors of a checkpoint in the original layout under transformers' names. EncoderError as in `renamed`."""
    found = {}
    for name, tensor in tensors.items():
        if (new := renamed(name)) is not None:
            found[new] = tensor
    return found


def lacking(wanted: Collection[str], given: Collection[str]) -> list[str]:
    """Tensors that the vectors need and that are not given, sorted."""
    return sorted(name for name in set(wanted) - set(given) if not _NOT_USED.fullmatch(name))


def shape_of(tensors: Mapping[str, Any]) -> BlipShape:
    """The sizes of a model from its tensors under transformers' names. EncoderError where they do not fit together."""
    try:
        patches = tensors["vision_model.embeddings.patch_embedding.weight"].shape
        places = tensors["vision_model.embeddings.position_embedding"].shape
        words = tensors["text_encoder.embeddings.word_embeddings.weight"].shape
        grid = round((places[1] - 1) ** 0.5)
        if grid * grid + 1 != places[1]:
            raise EncoderError(f"the checkpoint has {places[1]} places of a picture, which is no square and one more")
        return BlipShape(
            vision_width=patches[0],
            vision_mlp=tensors["vision_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
            vision_layers=_layers(tensors, "vision_model.encoder.layers."),
            patch=patches[2],
            side=grid * patches[2],
            text_width=words[1],
            text_mlp=tensors["text_encoder.encoder.layer.0.intermediate.dense.weight"].shape[0],
            text_layers=_layers(tensors, "text_encoder.encoder.layer."),
            words=words[0],
            positions=tensors["text_encoder.embeddings.position_embeddings.weight"].shape[0],
            dim=tensors["vision_proj.weight"].shape[0],
        )
    except (KeyError, IndexError) as error:
        raise EncoderError(f"the checkpoint lacks what BLIP needs ({error}); it may hold one tower only") from None


def picture_input(side: int) -> PictureInput:
    """As BLIP's evaluation does it: straight to side x side pixels, bicubic, no crop; CLIP's mean and deviation."""
    return PictureInput(None, (side, side), None, _BICUBIC, 1 / 255, MEAN, STD)


def text_input(folder: Path, positions: int, *, words: int | None = None) -> TextInput:
    """WordPiece of bert-base-uncased from tokenizer.json or vocab.txt in `folder`; up to all positions of the model.

    Padded to the longest text of a batch, with a mask. ChatIR's evaluation cuts at 200 tokens and CLIP at 77: a long
    dialogue loses its last answers there. words: how many the model knows. EncoderError where there is no such file,
    or it has more words than the model.
    """
    tokenizer = _tokenizer(folder)
    tokenizer.no_padding()
    tokenizer.enable_truncation(positions)
    pad = tokenizer.token_to_id("[PAD]")
    if pad is None or tokenizer.token_to_id("[CLS]") is None:
        raise EncoderError(f"the tokenizer in {folder} has no [PAD] and [CLS]; expected that of bert-base-uncased")
    if words is not None and tokenizer.get_vocab_size() > words:
        raise EncoderError(
            f"the tokenizer in {folder} has {tokenizer.get_vocab_size()} words, but the model {words}; expected that of"
            " bert-base-uncased"
        )
    return TextInput(tokenizer, positions, pad, False, False, False, False, None, None)


def _tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    whole, words = folder / "tokenizer.json", folder / "vocab.txt"
    try:
        if whole.is_file():
            return Tokenizer.from_file(str(whole))
        tokenizer = Tokenizer(models.WordPiece.from_file(str(words), unk_token="[UNK]"))
    except Exception as error:  # the library raises plain Exception
        raise EncoderError(f"no tokenizer can be read in {folder} ({error}); put vocab.txt there") from None
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(name, tokenizer.token_to_id(name) or 0) for name in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def _bare(name: str) -> str:
    """Without what a model that was trained on several machines has before its names."""
    return name.removeprefix("module.").removeprefix("model.")


def _layers(tensors: Collection[str], before: str) -> int:
    return 1 + max(int(name.removeprefix(before).split(".")[0]) for name in tensors if name.startswith(before))
