"""CLIP and SigLIP by transformers in this process: the inputs of the onnx encoder, the vectors of transformers."""

from __future__ import annotations

import json
import shutil
import sys
import threading
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
from whichpic.encoders import _is_whole, open_encoder
from whichpic.encoders.torch import Torch
from whichpic.errors import EncoderError, ModelError

pytestmark = pytest.mark.torch
REASON = "needs torch and transformers (make test-all installs them)"
torch: Any = pytest.importorskip("torch", reason=REASON)
transformers: Any = pytest.importorskip("transformers", reason=REASON)

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
TEXTS = [*SENTENCES, LONG, ""]


def spread(model: Any) -> Any:
    """Fresh models start so small that all texts look alike."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("clip")
    clip_tokenizer(folder)
    write_json(folder / "preprocessor_config.json", CLIP_PICTURES)
    added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    words = {token["content"]: token["id"] for token in added}
    torch.manual_seed(1)
    config = transformers.CLIPConfig(
        text_config={**SMALL, "vocab_size": max(words.values()) + 1, "eos_token_id": words["<|endoftext|>"]},
        vision_config={**SMALL, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    model = spread(transformers.CLIPModel(config))
    model.save_pretrained(folder)
    return folder, model


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("siglip")
    gemma_tokenizer(folder)
    write_json(folder / "preprocessor_config.json", SIGLIP_PICTURES)
    torch.manual_seed(2)
    config = transformers.SiglipConfig(
        text_config={**SMALL, "vocab_size": 400, "max_position_embeddings": 64, "projection_size": 32},
        vision_config={**SMALL, "image_size": 32, "patch_size": 8},
    )
    model = spread(transformers.SiglipModel(config))
    model.save_pretrained(folder)
    return folder, model


def unit(found: Any) -> Any:
    rows = found if isinstance(found, torch.Tensor) else found.pooler_output
    return (rows / rows.norm(dim=-1, keepdim=True)).detach().numpy()


def seen(folder: Path, model: Any) -> Any:
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    rows = [processor(images=picture, return_tensors="pt")["pixel_values"] for picture in pictures()]
    return unit(model.get_image_features(pixel_values=torch.cat(rows)))


def test_clip(clip: tuple[Path, Any]) -> None:
    folder, model = clip
    ours = Torch(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = tokenizer(TEXTS, return_tensors="pt", truncation=True, max_length=77, padding=True)
    theirs = unit(model.get_text_features(input_ids=given["input_ids"], attention_mask=given["attention_mask"]))
    np.testing.assert_allclose(ours.encode_texts(TEXTS), theirs, atol=1e-4)
    np.testing.assert_allclose(ours.encode_pictures(pictures()), seen(folder, model), atol=1e-3)
    assert ours.dim == 24 and ours.encode_texts([]).shape == (0, 24)


def test_siglip_2_is_lower_cased_and_padded_to_64_without_a_mask(siglip: tuple[Path, Any]) -> None:
    folder, model = siglip
    ours = open_encoder(f"torch:{folder}")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    rows = [[*tokenizer(text.lower(), add_special_tokens=False)["input_ids"][:63], 1] for text in TEXTS]
    ids = torch.tensor([row + [0] * (64 - len(row)) for row in rows])
    np.testing.assert_allclose(ours.encode_texts(TEXTS), unit(model.get_text_features(input_ids=ids)), atol=1e-4)
    np.testing.assert_allclose(ours.encode_pictures(pictures()), seen(folder, model), atol=1e-3)


def test_mixed_precision_is_close_and_says_so_in_the_id(clip: tuple[Path, Any]) -> None:
    folder, _ = clip
    plain, mixed = Torch(folder), open_encoder(f"torch:{folder}@bf16")
    assert plain.id.endswith("-fp32") and mixed.id.endswith("-bf16") and plain.id[:-5] == mixed.id[:-5]
    cosines = np.sum(plain.encode_texts(TEXTS) * mixed.encode_texts(TEXTS), axis=1)
    assert cosines.min() > 0.99 and cosines.max() < 1 + 1e-5
    with pytest.raises(EncoderError, match="no precision is called 'fp8'"):
        Torch(folder, precision="fp8")  # type: ignore[arg-type]


def test_a_picture_s_vector_does_not_depend_on_its_neighbours_and_threads_may_share(clip: tuple[Path, Any]) -> None:
    encoder = Torch(clip[0])
    alone = np.concatenate([encoder.encode_pictures([picture]) for picture in pictures()])
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(encoder.encode_pictures(pictures()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for rows in found:
        np.testing.assert_allclose(rows, alone, atol=1e-5)


def test_a_batch_that_has_no_room_is_halved_and_nothing_is_lost(clip: tuple[Path, Any]) -> None:
    class Narrow(Torch):
        """A device with room for three."""

        def _forward(self, tower: str, *given: np.ndarray[Any, Any]) -> Any:
            assert sys.exception() is None, "the batch that had no room still holds its memory"
            if len(given[0]) > 3:
                raise torch.OutOfMemoryError("no room")
            return super()._forward(tower, *given)

    texts = [*TEXTS, *("two " * n + "dogs" for n in range(14))]
    narrow = Narrow(clip[0])
    for _ in range(2):
        np.testing.assert_allclose(narrow.encode_texts(texts), Torch(clip[0]).encode_texts(texts), atol=1e-5)
    np.testing.assert_allclose(
        narrow.encode_pictures(pictures()), Torch(clip[0]).encode_pictures(pictures()), atol=1e-5
    )


def test_weights_in_a_pickle_are_read_without_pickle(clip: tuple[Path, Any], tmp_path: Path) -> None:
    folder, model = clip
    other = tmp_path / "clip"
    shutil.copytree(folder, other)
    (other / "model.safetensors").unlink()
    torch.save(model.state_dict(), other / "pytorch_model.bin")
    np.testing.assert_allclose(Torch(other).encode_texts(TEXTS), Torch(folder).encode_texts(TEXTS), atol=1e-6)


def test_a_fetch_that_was_stopped_is_not_taken_for_a_model(clip: tuple[Path, Any], tmp_path: Path) -> None:
    assert _is_whole(clip[0])
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        half = tmp_path / name
        shutil.copytree(clip[0], half)
        (half / name).unlink()
        assert not _is_whole(half)


def test_what_is_no_model_is_refused_in_a_line(clip: tuple[Path, Any], tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"there is no .*nowhere"):
        open_encoder(f"torch:{tmp_path / 'nowhere'}")
    with pytest.raises(ModelError, match="'somebody/some-model' is neither a folder nor on this machine"):
        open_encoder("torch:somebody/some-model")
    folder = tmp_path / "half"
    shutil.copytree(clip[0], folder)
    weights = transformers.CLIPModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"no model.safetensors"):
        Torch(folder)
    del weights["text_projection.weight"]
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"1 tensors are missing .* text_projection.weight"):
        Torch(folder).encode_texts(["a bus"])
    write_json(folder / "config.json", {"model_type": "bert"})
    with pytest.raises(EncoderError, match="type 'bert'; expected one of blip, clip"):
        Torch(folder)
