"""The onnx encoder on graphs small enough to follow by hand; parity with transformers is in test_onnx_parity."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.encoders.tiny import CLIP_PICTURES, LONG, SIGLIP_PICTURES, gemma_tokenizer, pictures, write_json
from whichpic.encoders.inputs import PictureInput, TextInput
from whichpic.encoders.onnx import Onnx
from whichpic.errors import EncoderError
from whichpic.settings import settings

onnx: Any = pytest.importorskip("onnx", reason="needs onnx, which the extra 'dev' holds")
DIM = 6


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WHICHPIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHICHPIC_THREADS", "1")
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def save(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any], path: Path) -> None:
    graph = onnx.helper.make_graph(
        nodes, "tower", inputs, outputs, [onnx.numpy_helper.from_array(v, k) for k, v in weights.items()]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


def text_nodes(output: str) -> tuple[list[Any], Any, Any, dict[str, Any]]:
    """The vector of a text is the sum of its tokens' rows in a table, padding and all."""
    node = onnx.helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["rows"]),
        node("ReduceSum", ["rows", "axis"], [output], keepdims=0),
    ]
    table = np.random.default_rng(1).normal(size=(400, DIM)).astype(np.float32)
    given = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["batch", "length"])
    made = onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", DIM])
    return nodes, given, made, {"table": table, "axis": np.array([1])}


def vision_nodes(output: str, dim: int = DIM) -> tuple[list[Any], Any, Any, dict[str, Any]]:
    """The vector of a picture is its mean colour through a matrix."""
    node = onnx.helper.make_node
    nodes = [
        node("ReduceMean", ["pixel_values"], ["mean"], axes=[2, 3], keepdims=0),
        node("MatMul", ["mean", "matrix"], [output]),
    ]
    given = onnx.helper.make_tensor_value_info("pixel_values", onnx.TensorProto.FLOAT, ["batch", 3, 32, 32])
    made = onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", dim])
    return nodes, given, made, {"matrix": np.random.default_rng(2).normal(size=(3, dim)).astype(np.float32)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A SigLIP-like export: config files, tokenizer, two towers."""
    made = tmp_path / "tiny model"
    gemma_tokenizer(made)
    write_json(made / "preprocessor_config.json", SIGLIP_PICTURES)
    write_json(made / "config.json", {"model_type": "siglip", "text_config": {"hidden_size": DIM}})
    for tower, nodes in (("text", text_nodes("pooler_output")), ("vision", vision_nodes("pooler_output"))):
        save(nodes[0], [nodes[1]], [nodes[2]], nodes[3], made / "onnx" / f"{tower}_model.onnx")
    return made


def test_texts_and_pictures_become_unit_vectors(folder: Path) -> None:
    encoder = Onnx(folder)
    texts, found = encoder.encode_texts(["a red bus", LONG, ""]), encoder.encode_pictures(pictures())
    assert texts.shape == (3, encoder.dim) and found.shape == (5, DIM)
    assert texts.dtype == found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([texts, found]), axis=1), 1, atol=1e-6)
    assert encoder.encode_texts([]).shape == (0, DIM) and encoder.encode_pictures([]).shape == (0, DIM)


def test_siglip_texts_are_padded_to_64_because_padding_counts(folder: Path) -> None:
    text = TextInput.from_folder(
        folder, {"model_type": "siglip"}, json.loads((folder / "tokenizer_config.json").read_text()), "siglip"
    )
    ids, mask = text(["kitchen", LONG])
    assert ids.shape == (2, 64) and mask.all()
    assert ids[0, -1] == 0 and ids[1, -1] == 1  # padding; and the end token is kept where the text is cut
    assert text(["KITCHEN"])[0][0].tolist() == ids[0].tolist()


def test_indexing_never_loads_the_text_tower(folder: Path) -> None:
    (folder / "onnx" / "text_model.onnx").write_bytes(b"not a graph")
    encoder = Onnx(folder)
    assert encoder.encode_pictures(pictures()).shape == (5, DIM)
    with pytest.raises(EncoderError, match=r"text_model\.onnx cannot be loaded"):
        encoder.encode_texts(["a"])


def test_the_id_changes_with_weights_and_configuration_and_fits_a_file_name(folder: Path) -> None:
    first = Onnx(folder)
    assert first.id == Onnx(folder).id and first.id.startswith("tiny-model-") and first.id.endswith("-fp32")
    assert not set(first.id) & set('/\\:*?"<>| ')
    config = json.loads((folder / "preprocessor_config.json").read_text())
    write_json(folder / "preprocessor_config.json", config | {"resample": 3})
    assert Onnx(folder).id != first.id
    write_json(folder / "preprocessor_config.json", config)
    nodes, given, made, weights = vision_nodes("pooler_output")
    weights["matrix"] = weights["matrix"] + 1
    save(nodes, [given], [made], weights, folder / "onnx" / "vision_model.onnx")
    assert Onnx(folder).id != first.id


def test_quantised_towers_run_one_by_one_and_say_so_in_the_id(folder: Path) -> None:
    for tower in ("text", "vision"):
        (folder / "onnx" / f"{tower}_model.onnx").rename(folder / "onnx" / f"{tower}_model_quantized.onnx")
    encoder = Onnx(folder)
    assert encoder.id.endswith("-quantized")
    assert encoder.encode_pictures(pictures()).shape == (5, DIM)


def test_both_towers_may_lie_in_one_file(folder: Path) -> None:
    two = Onnx(folder)
    text, vision = text_nodes("text_embeds"), vision_nodes("image_embeds")
    for tower in ("text", "vision"):
        (folder / "onnx" / f"{tower}_model.onnx").rename(folder / f"{tower}.bak")
    save(
        text[0] + vision[0],
        [text[1], vision[1]],
        [text[2], vision[2]],
        text[3] | vision[3],
        folder / "onnx" / "model.onnx",
    )
    one, old = Onnx(folder), two.encode_texts
    (folder / "text.bak").rename(folder / "onnx" / "text_model.onnx")
    np.testing.assert_allclose(one.encode_texts(["a red bus", "b"]), old(["a red bus", "b"]), atol=1e-6)
    assert one.encode_pictures(pictures()).shape == (5, DIM)


def test_many_threads_may_ask_at_once(folder: Path) -> None:
    encoder, found = Onnx(folder), []
    threads = [threading.Thread(target=lambda: found.append(encoder.encode_texts(["a dog"]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(np.array_equal(found[0], other) for other in found)


def spoil(folder: Path, how: str) -> None:
    match how:
        case "no folder":
            folder.rename(folder.with_name("elsewhere"))
        case "no config":
            (folder / "config.json").unlink()
        case "config is no JSON":
            (folder / "config.json").write_text("{")
        case "config is a list":
            (folder / "config.json").write_text("[]")
        case "another model":
            write_json(folder / "config.json", {"model_type": "bert"})
        case "no towers":
            (folder / "onnx" / "vision_model.onnx").unlink()
        case "NaFlex":
            write_json(folder / "preprocessor_config.json", {"max_num_patches": 256})
        case "strange size":
            write_json(folder / "preprocessor_config.json", {"size": {"longest_edge": 5}})
        case "broken tokenizer":
            (folder / "tokenizer.json").write_text("{}")
        case "another size":
            write_json(folder / "config.json", {"model_type": "siglip", "text_config": {"hidden_size": 7}})
        case "other outputs":
            nodes, given, made, weights = text_nodes("logits")
            save(nodes, [given], [made], weights, folder / "onnx" / "text_model.onnx")


FAULTS = ["no folder", "no config", "config is no JSON", "config is a list", "another model", "no towers", "NaFlex"]
FAULTS += ["strange size", "broken tokenizer", "another size", "other outputs"]


@pytest.mark.parametrize("how", FAULTS)
def test_a_malformed_folder_is_one_line(folder: Path, how: str) -> None:
    spoil(folder, how)
    with pytest.raises(EncoderError) as caught:
        Onnx(folder).encode_texts(["a"])
    assert len(str(caught.value)) > 30 and "\n" not in str(caught.value)


def test_clip_pictures_are_cut_in_the_middle() -> None:
    prepare = PictureInput.from_config(CLIP_PICTURES, "clip")
    picture = Image.new("RGB", (96, 32), "black")
    picture.paste((255, 255, 255), (32, 0, 64, 32))
    assert prepare(picture).shape == (3, 32, 32)
    assert prepare(picture).min() > 1.5  # only the white middle is left


def test_a_very_long_picture_costs_no_memory_and_gives_the_same() -> None:
    prepare = PictureInput.from_config(CLIP_PICTURES | {"size": {"shortest_edge": 224}, "crop_size": 224}, "clip")
    strip = Image.effect_noise((60_000, 2), 90).convert("RGB")
    assert prepare(strip).shape == (3, 224, 224)
    middle = strip.crop((29_900, 0, 30_100, 2))
    np.testing.assert_allclose(prepare(strip), prepare(middle), atol=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_pictures_of_other_modes_are_taken(mode: str) -> None:
    prepare = PictureInput.from_config(SIGLIP_PICTURES, "siglip")
    assert prepare(Image.new("RGB", (50, 60), "red").convert(mode)).shape == (3, 32, 32)


def test_old_spellings_of_sizes() -> None:
    assert PictureInput.from_config({"size": 224, "crop_size": 200}, "clip").shape == (200, 200)
    assert PictureInput.from_config({"size": 256}, "siglip").shape == (256, 256)
    assert PictureInput.from_config({"size": [20, 30], "do_normalize": False}, "siglip").shape == (20, 30)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("preprocessor_config.json", {"image_mean": 0.5}),
        ("preprocessor_config.json", {"image_mean": ["a", "b", "c"]}),
        ("preprocessor_config.json", {"image_std": [float("nan")] * 3}),
        ("preprocessor_config.json", {"resample": "bicubic"}),
        ("preprocessor_config.json", {"resample": 99}),
        ("preprocessor_config.json", {"do_resize": False}),
        ("preprocessor_config.json", {"size": 10**9}),
        ("preprocessor_config.json", {"size": -3}),
        ("preprocessor_config.json", {"size": float("inf")}),
        ("config.json", {"text_config": [1]}),
        ("config.json", {"text_config": {"hidden_size": "x"}}),
        ("config.json", {"text_config": {"hidden_size": DIM, "max_position_embeddings": 10**12}}),
        ("config.json", {"text_config": {"hidden_size": DIM, "max_position_embeddings": -4}}),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_before_indexing(
    folder: Path, file: str, change: dict[str, Any]
) -> None:
    config = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(config | change))
    with pytest.raises(EncoderError, match="config"):
        Onnx(folder)


def test_a_missing_tokenizer_is_told_before_indexing(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"has no tokenizer\.json"):
        Onnx(folder)


def test_an_id_is_fit_for_a_file_name_whatever_the_folder_is_called(folder: Path) -> None:
    long = folder.rename(folder.with_name("_" + "n" * 150))
    assert len(Onnx(long).id) <= 120 and Onnx(long).id[0] == "n"


def test_a_record_beside_weights_of_your_own_does_not_speak_for_them(folder: Path) -> None:
    tower = folder / "onnx" / "vision_model.onnx"
    files = {"onnx/vision_model.onnx": {"sha256": "0" * 64, "size": tower.stat().st_size}}
    write_json(folder / "record.json", {"files": files})
    before = Onnx(folder).id
    save(*_other_tower(), path=tower)
    assert Onnx(folder).id != before


def _other_tower() -> tuple[list[Any], list[Any], list[Any], dict[str, Any]]:
    nodes, given, made, weights = vision_nodes("pooler_output")
    return nodes, [given], [made], {name: value + 1 for name, value in weights.items()}
