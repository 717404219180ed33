"""The onnx encoder gives what transformers gives, on tiny models with random weights in the hub's ONNX layout."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.encoders.tiny import (
    CLIP_PICTURES,
    LONG,
    SENTENCES,
    SIGLIP_PICTURES,
    clip_tokenizer,
    gemma_tokenizer,
    pictures,
    write_json,
)
from whichpic.encoders.onnx import Onnx

pytestmark = pytest.mark.torch
REASON = "needs torch, transformers, onnx and onnxscript (make test-all installs them)"
torch: Any = pytest.importorskip("torch", reason=REASON)
transformers: Any = pytest.importorskip("transformers", reason=REASON)
pytest.importorskip("onnx", reason=REASON)
pytest.importorskip("onnxscript", reason=REASON)

TOLERANCE = 1e-3


def export(model: Any, example: dict[str, Any], outputs: list[str], path: Path, dynamic: dict[str, Any]) -> None:
    """Write one tower to ONNX, with the names of the hub's exports."""

    class Tower(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *given: Any) -> Any:
            result = self.model(**dict(zip(example, given, strict=True)))
            return tuple(getattr(result, name) for name in outputs)

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Tower().eval(),
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=outputs,
            dynamic_axes=dynamic,
            dynamo=False,
            opset_version=17,
        )


def small(**more: Any) -> dict[str, Any]:
    return {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, **more}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("clip")
    clip_tokenizer(folder)
    write_json(folder / "preprocessor_config.json", CLIP_PICTURES)
    vocabulary = json.loads((folder / "tokenizer.json").read_text())
    words = {t["content"]: t["id"] for t in vocabulary["added_tokens"]}
    torch.manual_seed(1)
    config = transformers.CLIPConfig(
        text_config=small(
            vocab_size=max(words.values()) + 1,
            eos_token_id=words["<|endoftext|>"],
            bos_token_id=words["<|startoftext|>"],
            max_position_embeddings=77,
            projection_dim=24,
        ),
        vision_config=small(image_size=32, patch_size=8, projection_dim=24),
        projection_dim=24,
    )
    model = transformers.CLIPModel(config).eval()
    model.config.save_pretrained(folder)
    text = transformers.CLIPTextModelWithProjection(config.text_config).eval()
    vision = transformers.CLIPVisionModelWithProjection(config.vision_config).eval()
    text.load_state_dict(model.state_dict(), strict=False)
    vision.load_state_dict(model.state_dict(), strict=False)
    ids = torch.tensor([[words["<|startoftext|>"], 3, 4, words["<|endoftext|>"]]] * 2)
    axes = {0: "batch", 1: "length"}
    export(
        text,
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        ["text_embeds"],
        folder / "onnx" / "text_model.onnx",
        {"input_ids": axes, "attention_mask": axes, "text_embeds": {0: "batch"}},
    )
    export(
        vision,
        {"pixel_values": torch.zeros(2, 3, 32, 32)},
        ["image_embeds"],
        folder / "onnx" / "vision_model.onnx",
        {"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}},
    )
    return folder, model


def siglip_folder(folder: Path, seed: int) -> tuple[Path, Any]:
    write_json(folder / "preprocessor_config.json", SIGLIP_PICTURES)
    torch.manual_seed(seed)
    config = transformers.SiglipConfig(
        text_config=small(vocab_size=400, max_position_embeddings=64, projection_size=32),
        vision_config=small(image_size=32, patch_size=8),
    )
    model = transformers.SiglipModel(config).eval()
    # A fresh SigLIP starts so small that all texts look alike; spread it, so that a wrong token shows.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.config.save_pretrained(folder)
    ids = torch.randint(0, 400, (2, 64))
    export(
        model.text_model,
        {"input_ids": ids},
        ["last_hidden_state", "pooler_output"],
        folder / "onnx" / "text_model.onnx",
        {"input_ids": {0: "batch"}, "pooler_output": {0: "batch"}, "last_hidden_state": {0: "batch"}},
    )
    export(
        model.vision_model,
        {"pixel_values": torch.zeros(2, 3, 32, 32)},
        ["last_hidden_state", "pooler_output"],
        folder / "onnx" / "vision_model.onnx",
        {"pixel_values": {0: "batch"}, "pooler_output": {0: "batch"}, "last_hidden_state": {0: "batch"}},
    )
    return folder, model


@pytest.fixture(scope="module")
def siglip2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("siglip2")
    gemma_tokenizer(folder)
    return siglip_folder(folder, 2)


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("siglip")
    gemma_tokenizer(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    pieces = json.loads((folder / "tokenizer.json").read_text())
    pieces["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<eos>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<eos>": {"id": "<eos>", "ids": [1], "tokens": ["<eos>"]}},
    }
    write_json(folder / "tokenizer.json", pieces)
    # The first SigLIP pads with its end token, and its exports know no Gemma options.
    settings = {"tokenizer_class": "SiglipTokenizer", "eos_token": "<eos>", "pad_token": "<eos>", "unk_token": "<unk>"}
    write_json(folder / "tokenizer_config.json", settings)
    return siglip_folder(folder, 3)


def unit(rows: Any) -> Any:
    return (rows / rows.norm(dim=-1, keepdim=True)).numpy()


def features(result: Any) -> Any:
    return result if isinstance(result, torch.Tensor) else result.pooler_output


def theirs_of_pictures(folder: Path, model: Any) -> Any:
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    rows = [processor(images=picture, return_tensors="pt")["pixel_values"] for picture in pictures()]
    with torch.no_grad():
        return unit(features(model.get_image_features(pixel_values=torch.cat(rows))))


def theirs_of_texts(tokenizer: Any, model: Any, texts: list[str], **how: Any) -> Any:
    given = tokenizer(texts, return_tensors="pt", truncation=True, **how)
    given = {name: given[name] for name in given if name == "input_ids" or "max_length" not in how}
    given.pop("token_type_ids", None)
    with torch.no_grad():
        return unit(features(model.get_text_features(**given)))


TEXTS = [*SENTENCES, LONG, "", "?!"]


def test_clip(clip: tuple[Path, Any]) -> None:
    folder, model = clip
    ours = Onnx(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 77
    theirs = theirs_of_texts(tokenizer, model, TEXTS, padding=True)
    np.testing.assert_allclose(ours.encode_texts(TEXTS), theirs, atol=TOLERANCE)
    np.testing.assert_allclose(ours.encode_pictures(pictures()), theirs_of_pictures(folder, model), atol=TOLERANCE)
    assert len({tuple(row.round(3)) for row in theirs}) == len(TEXTS)  # the tower does tell them apart


def test_siglip2(siglip2: tuple[Path, Any]) -> None:
    folder, model = siglip2
    ours = Onnx(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", eos_token="<eos>", padding_side="right"
    )
    # The reference is written out: lower case, the end token last even when cut, padded on the right to 64.
    rows = [[*tokenizer(t.lower(), add_special_tokens=False)["input_ids"][:63], 1] for t in TEXTS]
    ids = torch.tensor([row + [0] * (64 - len(row)) for row in rows])
    with torch.no_grad():
        theirs = unit(features(model.get_text_features(input_ids=ids)))
    np.testing.assert_allclose(ours.encode_texts(TEXTS), theirs, atol=TOLERANCE)
    np.testing.assert_allclose(ours.encode_pictures(pictures()), theirs_of_pictures(folder, model), atol=TOLERANCE)
    assert not np.allclose(theirs[0], theirs[1], atol=0.01)


def test_siglip2_cuts_words_as_the_tokenizer_class_of_transformers_does(siglip2: tuple[Path, Any]) -> None:
    folder, model = siglip2
    tokenizer = transformers.Siglip2Tokenizer.from_pretrained(folder)
    given = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in SENTENCES]
    ids = torch.tensor([row + [1] + [0] * (63 - len(row)) for row in given])
    with torch.no_grad():
        theirs = unit(features(model.get_text_features(input_ids=ids)))
    np.testing.assert_allclose(Onnx(folder).encode_texts(SENTENCES), theirs, atol=TOLERANCE)


def test_siglip(siglip: tuple[Path, Any]) -> None:
    folder, model = siglip
    ours = Onnx(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="<eos>")
    texts = ["a red bus", "two dogs playing with a frisbee", LONG.lower().replace(",", "").replace("!", "")]
    theirs = theirs_of_texts(tokenizer, model, texts, padding="max_length", max_length=64)
    np.testing.assert_allclose(ours.encode_texts(texts), theirs, atol=TOLERANCE)
    # Its tokenizer takes punctuation out and lowers capitals before it cuts.
    np.testing.assert_allclose(ours.encode_texts(["A  red, bus!"]), theirs[:1], atol=TOLERANCE)
    np.testing.assert_allclose(ours.encode_pictures(pictures()), theirs_of_pictures(folder, model), atol=TOLERANCE)


@pytest.mark.parametrize("which", ["clip", "siglip", "siglip2"])
def test_a_vector_does_not_depend_on_its_batch(which: str, request: pytest.FixtureRequest) -> None:
    folder, _ = request.getfixturevalue(which)
    ours = Onnx(folder)
    alone = np.concatenate([ours.encode_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(ours.encode_texts(TEXTS), alone, atol=1e-5)
    many = pictures() * 3
    alone = np.concatenate([ours.encode_pictures([picture]) for picture in many])
    np.testing.assert_allclose(ours.encode_pictures(many), alone, atol=1e-5)
