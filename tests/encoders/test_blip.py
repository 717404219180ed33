"""BLIP from a checkpoint of its authors: every tensor finds its place, and the vectors are those of the papers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.encoders import original_blip as original
from tests.encoders.tiny import pictures
from tests.support import drawn_album
from whichpic.encoders import blip
from whichpic.encoders.blip import lacking, moved, renamed, shape_of
from whichpic.errors import EncoderError, ModelError

TEXTS = ["a red bus", "two dogs on the grass, a red dog", "dog", "a bus " * 150]


def test_every_tensor_of_a_checkpoint_is_mapped_or_known_not_to_be_needed() -> None:
    given = original.tensors()
    dropped = {name for name in given if renamed(name) is None}
    assert len(moved(given)) + len(dropped) == len(given)
    assert {name.split(".")[0] for name in dropped} == {
        "visual_encoder_m", "text_encoder_m", "vision_proj_m", "text_proj_m",
        "image_queue", "text_queue", "idx_queue", "ptr_queue", "temp", "text_encoder",
    }  # fmt: skip
    assert [name for name in dropped if name.startswith("text_encoder.")] == ["text_encoder.embeddings.position_ids"]
    assert renamed("module.vision_proj.bias") == "vision_proj.bias"
    with pytest.raises(EncoderError, match=r"'visual_encoder.blocks.0.gamma' is none of BLIP"):
        renamed("visual_encoder.blocks.0.gamma")


def test_sizes_are_read_from_the_tensors() -> None:
    shape = shape_of(moved(original.tensors()))
    assert (shape.vision_width, shape.text_width, shape.dim) == (original.VISION, original.TEXT, original.DIM)
    assert (shape.side, shape.patch, shape.positions) == (original.SIDE, original.PATCH, 512)
    config = shape.config(side=64)
    assert config["vision_config"]["num_attention_heads"] == 2 and config["text_config"]["num_attention_heads"] == 1
    with pytest.raises(EncoderError, match="one tower"):
        shape_of({name: t for name, t in moved(original.tensors()).items() if name.startswith("text")})


def test_texts_keep_all_that_the_model_has_places_for(tmp_path: Path) -> None:
    original.vocabulary(tmp_path)
    ids, mask = blip.text_input(tmp_path, 512)(["A red Bus", "dogs, " * 1000])
    assert ids.shape == (2, 512)  # neither 77 nor 200
    assert ids[0, :5].tolist() == [2, 5, 6, 7, 3] and mask[0].sum() == 5 and not ids[0, 5:].any()
    assert ids[1, 0] == 2 and ids[1, -1] == 3
    assert blip.text_input(tmp_path, 512)(["dog", "the red dog"])[0].shape == (2, 5)  # no longer than it must be
    with pytest.raises(EncoderError, match="vocab"):
        blip.text_input(tmp_path / "nowhere", 512)
    with pytest.raises(EncoderError, match="15 words, but the model 12"):
        blip.text_input(tmp_path, 512, words=12)


def checkpoint(folder: Path, tensors: original.Tensors, **how: Any) -> Path:
    torch = pytest.importorskip("torch", reason="needs torch (make test-all installs it)")
    original.vocabulary(folder)
    path = folder / "chatir_weights.ckpt"
    state = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    torch.save({"model": state, "epoch": 36}, path, **how)
    return path


@pytest.mark.torch
def test_transformers_model_has_these_tensors_and_no_others() -> None:
    torch = pytest.importorskip("torch", reason="needs torch (make test-all installs it)")
    transformers = pytest.importorskip("transformers", reason="needs transformers (make test-all installs it)")
    given = moved(original.tensors())
    with torch.device("meta"):
        config = transformers.BlipConfig(**shape_of(given).config(side=original.SIDE))
        model = transformers.BlipForImageTextRetrieval(config)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert wanted == {name: array.shape for name, array in given.items()}


@pytest.mark.torch
@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "before 1.6"])
def test_vectors_are_those_of_the_published_architecture(tmp_path: Path, how: dict[str, Any]) -> None:
    tensors = original.tensors()
    path = checkpoint(tmp_path, tensors, **how)
    from whichpic.encoders.torch import Torch

    ours = Torch(path)
    assert ours.dim == original.DIM and ours.id.startswith("chatir_weights-") and ours.id.endswith("-fp32")
    read = blip.text_input(tmp_path, 512)
    texts = [original.text_vector(tensors, read([text])[0][0].tolist()) for text in TEXTS]
    np.testing.assert_allclose(ours.encode_texts(TEXTS), texts, atol=1e-4)
    seen = [original.picture_vector(tensors, blip.picture_input(original.SIDE)(each)) for each in pictures()]
    np.testing.assert_allclose(ours.encode_pictures(pictures()), seen, atol=1e-4)
    assert np.std(texts, axis=0).max() > 0.05 and np.std(seen, axis=0).max() > 0.01  # they do tell things apart


@pytest.mark.torch
def test_the_same_model_in_the_hub_s_layout_gives_the_same_vectors(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, original.tensors())
    import torch
    import transformers

    from whichpic.encoders.torch import Torch

    given = moved(original.tensors())
    config = transformers.BlipConfig(**shape_of(given).config(side=original.SIDE))
    model = transformers.BlipForImageTextRetrieval(config)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in given.items()})
    folder = tmp_path / "blip"
    model.save_pretrained(folder)
    original.vocabulary(folder)
    size = {"height": original.SIDE, "width": original.SIDE}
    plain = {"size": size, "image_mean": list(blip.MEAN), "image_std": list(blip.STD)}
    (folder / "preprocessor_config.json").write_text(json.dumps(plain), encoding="utf-8")
    ours, theirs = Torch(path), Torch(folder)
    assert theirs.id.startswith("blip-") and theirs.dim == original.DIM
    np.testing.assert_allclose(theirs.encode_texts(TEXTS), ours.encode_texts(TEXTS), atol=1e-5)
    np.testing.assert_allclose(theirs.encode_pictures(pictures()), ours.encode_pictures(pictures()), atol=1e-5)


@pytest.mark.torch
def test_another_size_of_pictures_has_its_positions_interpolated(tmp_path: Path) -> None:
    tensors = original.tensors()
    path = checkpoint(tmp_path, tensors)
    import torch

    from whichpic.encoders.torch import Torch, interpolated

    side = 2 * original.SIDE
    places = interpolated(torch.from_numpy(tensors["visual_encoder.pos_embed"]), side // original.PATCH)
    assert places.shape == (1, 1 + (side // original.PATCH) ** 2, original.VISION)
    np.testing.assert_array_equal(places[0, 0], tensors["visual_encoder.pos_embed"][0, 0])
    level = torch.cat([torch.ones(1, 1, 4), torch.full((1, 9, 4), 0.5)], dim=1)
    np.testing.assert_allclose(interpolated(level, 7)[0, 1:], 0.5, atol=1e-6)  # a plane stays the plane it is
    found = Torch(path, side=side).encode_pictures(pictures())
    pixels = [blip.picture_input(side)(each) for each in pictures()]
    seen = [original.picture_vector(tensors, each, places=places[0].numpy()) for each in pixels]
    np.testing.assert_allclose(found, seen, atol=1e-4)
    assert Torch(path, side=side).id != Torch(path).id
    with pytest.raises(EncoderError, match="patches"):
        Torch(path, side=33)


@pytest.mark.torch
def test_a_checkpoint_of_the_towers_alone_will_do_and_half_a_tower_will_not(tmp_path: Path) -> None:
    whole = original.tensors(training=False)
    towers = {name: t for name, t in whole.items() if "crossattention" not in name and "itm_head" not in name}
    path = checkpoint(tmp_path, towers)
    from whichpic.encoders.torch import Torch

    expected = original.text_vector(whole, [2, 8, 3])
    np.testing.assert_allclose(Torch(path).encode_texts(["dog"])[0], expected, atol=1e-4)
    del towers["visual_encoder.blocks.1.norm1.bias"]
    assert lacking(["itm_head.bias", "text_proj.bias"], []) == ["text_proj.bias"]
    with pytest.raises(EncoderError, match=r"lacks 1 tensors of BLIP, the first is vision_model.*layer_norm1.bias"):
        Torch(checkpoint(tmp_path, towers)).encode_texts(["dog"])
    with pytest.raises(EncoderError, match="is none of BLIP"):
        Torch(checkpoint(tmp_path, whole | {"visual_encoder.adapter.weight": whole["itm_head.bias"]}))
    with pytest.raises(EncoderError, match="no checkpoint of BLIP"):
        Torch(checkpoint(tmp_path, {"fc.weight": whole["itm_head.bias"]}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match=r"chatir_weights.ckpt: .*"):
        Torch(path)


@pytest.mark.torch
def test_chatir_is_opened_by_name_from_the_folder_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs torch (make test-all installs it)")
    pytest.importorskip("transformers", reason="needs transformers (make test-all installs it)")
    from whichpic.api import Album
    from whichpic.encoders import open_encoder
    from whichpic.settings import settings

    monkeypatch.setenv("WHICHPIC_HOME", str(tmp_path))
    monkeypatch.delenv("WHICHPIC_ENCODER", raising=False)
    settings.cache_clear()
    try:
        with pytest.raises(ModelError, match=r"put chatir_weights.ckpt of ChatIR into .*chatir"):
            open_encoder("chatir")
        (tmp_path / "models" / "chatir").mkdir(parents=True)
        checkpoint(tmp_path / "models" / "chatir", original.tensors())
        encoder = open_encoder("chatir@fp32")
        assert encoder.id.startswith("chatir-") and encoder.dim == original.DIM
        with Album.open(drawn_album(tmp_path / "album", 3), encoder="chatir@bf16") as album:
            album.index()
            assert album.encoder.id == encoder.id.replace("fp32", "bf16")
        with Album.open(tmp_path / "album") as album:  # auto: the one that the album has, in its number format
            assert album.encoder.id.endswith("-bf16") and len(album.find("a red bus")) == 3
    finally:
        settings.cache_clear()
