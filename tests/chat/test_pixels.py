"""Pictures as arrays, against transformers' own PIL and numpy processors, where those exist; and placeholders counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.chat import tiny
from whichpic.chat import Message
from whichpic.chat.local import families, pixels
from whichpic.errors import ChatError

SIZES = ((60, 40), (33, 70), (50, 50), (200, 31), (29, 300), (640, 480))
GRIDS = [[28, 56], [56, 28], [56, 56], [84, 28]]


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width).integers(0, 255, (11, 13, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def theirs(name: str, **settings: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers, name):
        pytest.skip(f"this transformers has no {name}")
    return getattr(transformers, name)(**settings)


def settings(family: families.Family, **more: Any) -> dict[str, Any]:
    return {**family.defaults, **more}


@pytest.mark.torch
@pytest.mark.parametrize("size", SIZES)
def test_clip_and_siglip(size: tuple[int, int]) -> None:
    image = picture(*size)
    clip = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
    out = theirs("CLIPImageProcessorPil", **clip)(image, return_tensors="np")["pixel_values"][0]
    assert np.abs(pixels.clip(image, settings(families.LLAVA, **clip)) - out).max() < 1e-5
    siglip = {"size": {"height": 28, "width": 42}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    out = theirs("SiglipImageProcessorPil", **siglip)(image, return_tensors="np")["pixel_values"][0]
    ours = pixels.clip(image, {**settings(families.LLAVA, **siglip), "do_center_crop": False})
    assert np.abs(ours - out).max() < 1e-5


@pytest.mark.torch
@pytest.mark.parametrize("size", SIZES)
def test_tiles_of_llava_next(size: tuple[int, int]) -> None:
    image = picture(*size)
    tiled = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}, "image_grid_pinpoints": GRIDS}
    out = theirs("LlavaNextImageProcessorPil", **tiled)(image, return_tensors="np")
    ours = pixels.anyres(image, settings(families.LLAVA_NEXT, **tiled), GRIDS)
    assert out["pixel_values"][0].shape == ours.shape
    assert np.abs(out["pixel_values"][0] - ours).max() < 1e-5


@pytest.mark.torch
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("more", [{}, {"size": {"shortest_edge": 784, "longest_edge": 28 * 28 * 9}}])
def test_patches_of_qwen(size: tuple[int, int], more: dict[str, Any]) -> None:
    image = picture(*size)
    out = theirs("Qwen2VLImageProcessorPil", **more)(image, return_tensors="np")
    flat, grid = pixels.patches(image, settings(families.QWEN_VL, **more))
    assert tuple(out["image_grid_thw"][0]) == grid
    assert np.abs(out["pixel_values"] - flat).max() < 1e-5


@pytest.mark.torch
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("splitting", [True, False])
def test_tiles_of_idefics(size: tuple[int, int], splitting: bool) -> None:
    image = picture(*size)
    more = {
        "size": {"longest_edge": 112},
        "max_image_size": {"longest_edge": 28},
        "do_image_splitting": splitting,
    }
    out = theirs("Idefics3ImageProcessorPil", **more)(image, return_tensors="np", return_row_col_info=True)
    tiles, rows, columns = pixels.split(image, settings(families.IDEFICS3, **more))
    assert (out["rows"][0][0], out["cols"][0][0]) == (rows, columns)
    assert np.abs(out["pixel_values"][0] - np.stack(tiles)).max() < 1e-5
    assert out["pixel_attention_mask"].all()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["llava", "llava_next", "qwen2_vl", "idefics3"])
def test_tokens_are_those_of_the_processors(name: str, tmp_path: Path) -> None:
    """Placeholders of several pictures of all shapes, written out as transformers' processors do."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from whichpic.chat.local import inputs, loading

    located = loading.locate(getattr(tiny, f"tiny_{name}")(tmp_path))
    parts = loading.parts_of(located)
    kind = {"llava": "Llava", "llava_next": "LlavaNext", "qwen2_vl": "Qwen2VL", "idefics3": "Idefics3"}[name]
    image_kind = "CLIP" if kind == "Llava" else kind
    pictures = [picture(*size) for size in SIZES]
    seen = inputs.look(located.family, parts, [Message("user", "look", tuple(pictures))])
    ours = inputs.prompt_of(located.family, parts, [Message("user", "look", tuple(pictures))], seen)
    image_processor = theirs(
        f"{image_kind}ImageProcessorPil",
        **{key: value for key, value in parts.preprocessor.items() if key != "image_processor_type"},
    )
    more: dict[str, Any] = {"image_seq_len": 1} if name == "idefics3" else {}
    if name.startswith("llava"):
        more = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    try:
        processor = getattr(transformers, f"{kind}Processor")(image_processor, parts.tokenizer, **more)
    except (ImportError, AttributeError) as error:  # no torchvision
        pytest.skip(f"transformers' own processor wants more than is here: {str(error).splitlines()[0]}")
    text = inputs.rendered(located.family, parts, [Message("user", "look", tuple(pictures))])
    out = processor(text=text, images=pictures, return_tensors="np", add_special_tokens=False)
    assert out["input_ids"][0].tolist() == ours.ids.tolist()
    for key, values in ours.arrays.items():
        assert np.abs(np.asarray(out[key], dtype=np.float64) - values).max() < 1e-5


@pytest.mark.torch
@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_positions_are_those_of_the_models(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from whichpic.chat.local import open_local

    chat = open_local(getattr(tiny, f"tiny_{name}")(tmp_path), device="cpu")
    pictures = tuple(picture(*size) for size in SIZES)
    asked = [Message("user", "first", pictures[:2]), Message("assistant", "yes"), Message("user", "then", pictures[2:])]
    engine, _, _ = chat._open()
    prompt = chat._prompts([asked])[0]
    positions, more = engine.model.model.get_rope_index(
        torch.from_numpy(prompt.ids)[None],
        mm_token_type_ids=torch.from_numpy(prompt.per_token["mm_token_type_ids"])[None],
        image_grid_thw=torch.from_numpy(prompt.arrays["image_grid_thw"]),
    )
    assert (positions[:, 0].numpy() == prompt.positions).all()
    assert int(more[0, 0]) == prompt.following - len(prompt)
    plain = chat._prompts([[Message("user", "no picture")]])[0]
    assert (plain.positions == np.arange(len(plain))).all()


def test_a_picture_that_is_too_narrow_is_refused() -> None:
    with pytest.raises(ChatError, match="too narrow"):
        pixels.smart_size(4, 4000, 28, 784, 7840)


def test_grids_keep_most_and_waste_least() -> None:
    grids = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)]
    assert pixels.best_grid((480, 640), grids) == (672, 672)
    assert pixels.best_grid((300, 900), grids) == (336, 1008)
    assert pixels.best_grid((100, 100), grids) == (336, 672)
    # 640 x 480 in 2 x 2 tiles of 24 patches: 48 columns, 36 rows of them not padding, and a new-line for each row.
    assert pixels.unpadded_tokens((480, 640), (2, 2), 24) == 36 * 48 + 36
