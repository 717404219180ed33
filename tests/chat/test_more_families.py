"""InternVL, Gemma 3, LLaVA-OneVision and MiniCPM-V: arrays and tokens as transformers makes them, replies as it draws them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.chat import tiny, tiny_more
from tests.chat.asking import PICTURES, SHORT, asked, inside, picture
from tests.chat.tiny import SIDE
from whichpic.chat import Decoding, Message
from whichpic.chat.local import more_families as more
from whichpic.chat.structured import cleaned, spellings

if TYPE_CHECKING:
    from whichpic.chat.local import Local

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

NAMES = ("internvl", "gemma3", "llava_onevision", "minicpm")
SIZES = ((60, 40), (33, 70), (50, 50), (200, 31), (29, 300), (640, 480), (28, 28), (112, 111))
NEEDED = {"minicpm": "MiniCPMV4_6ForConditionalGeneration"}


def known(name: str) -> None:
    if not hasattr(transformers, NEEDED.get(name, "AutoModelForImageTextToText")):
        pytest.skip(f"this transformers has no {NEEDED[name]}")


@pytest.fixture(scope="session")
def further(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Local]:
    """The Chats of the tiny models, opened once."""
    from whichpic.chat.local import open_local

    made = {}
    for name in NAMES:
        if hasattr(transformers, NEEDED.get(name, "AutoModelForImageTextToText")):
            made[name] = open_local(getattr(tiny_more, f"tiny_{name}")(tmp_path_factory.mktemp(name)), device="cpu")
    return made


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


def generated(chat: Local, messages: list[Message], **options: Any) -> str:
    model, inputs = inside(chat, messages)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = model.generate(**inputs, max_new_tokens=8, do_sample=False, **options)
    tokenizer = chat._open()[1].tokenizer
    return cleaned(tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pictures", [PICTURES[:1], PICTURES, (picture(300, 90, 4),), ()])
def test_a_reply_is_that_of_generate(further: dict[str, Local], name: str, pictures: tuple[Any, ...]) -> None:
    known(name)
    chat = further[name]
    reply = chat.complete(asked(name, pictures=pictures), decoding=SHORT)[0]
    assert reply.text == generated(chat, asked(name, pictures=pictures))
    assert "".join(chat.stream(asked(name, pictures=pictures), decoding=SHORT)).strip() == reply.text
    beams = chat.complete(asked(name, pictures=pictures), decoding=Decoding(max_tokens=8, beams=2))[0]
    assert beams.text == generated(chat, asked(name, pictures=pictures), num_beams=2)


@pytest.mark.parametrize("name", NAMES)
def test_several_at_once_are_answered_as_one_by_one(further: dict[str, Local], name: str) -> None:
    known(name)
    chat = further[name]
    several = [asked(name), [Message("user", "hello")], [Message("user", "and this?", PICTURES[:1])]]
    together = chat.complete_many(several, decoding=SHORT, batch=3)
    assert [reply.text for reply in together] == [chat.complete(each, decoding=SHORT)[0].text for each in several]
    warm = Decoding(max_tokens=6, temperature=1.0, seed=3)
    three = [reply.text for reply in chat.complete(asked(name), n=3, decoding=warm)]
    assert [reply.text for reply in chat.complete(asked(name), n=2, decoding=warm)] == three[:2]


@pytest.mark.parametrize("name", NAMES)
def test_choices_and_log_probabilities_are_those_of_whole_passes(further: dict[str, Local], name: str) -> None:
    known(name)
    chat = further[name]
    tokenizer = chat._open()[1].tokenizer
    questions = ["is there a dog?", "is it, if you look at all of them, the second one?", "no?"]
    mass = chat.choose(asked(name), questions, ["yes", "no"]).mass
    for row, question in enumerate(questions):
        model, inputs = inside(chat, [*asked(name), Message("user", question)])
        with torch.inference_mode():
            shares = model(**inputs).logits[0, -1].float().softmax(-1)
        for column, choice in enumerate(("yes", "no")):
            ways = [way for spelling in spellings(choice) for way in (spelling, f" {spelling}")]
            firsts = {tokenizer(way, add_special_tokens=False)["input_ids"][0] for way in ways}
            firsts -= set(tokenizer(" ", add_special_tokens=False)["input_ids"])
            assert mass[row, column] == pytest.approx(sum(float(shares[first]) for first in firsts), abs=1e-5)
    reply = "the boat is blue and the man stands near it"
    found = chat.logprobs(asked(name), ["Yes.", reply])[1]
    model, inputs = inside(chat, asked(name))
    ids = tokenizer(reply, add_special_tokens=False, return_tensors="pt")["input_ids"].long()
    whole = {**inputs, "input_ids": torch.cat([inputs["input_ids"], ids], 1)}
    whole["attention_mask"] = torch.ones_like(whole["input_ids"])
    if "token_type_ids" in inputs:
        whole["token_type_ids"] = torch.cat([inputs["token_type_ids"], torch.zeros_like(ids)], 1)
    with torch.inference_mode():
        logits = model(**whole).logits[0, -ids.shape[1] - 1 : -1].log_softmax(-1)
    assert np.abs(logits.gather(-1, ids[0, :, None])[:, 0].numpy() - found).max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_pictures_change_what_is_said(further: dict[str, Local], name: str) -> None:
    known(name)
    one, other = (
        further[name].logprobs(asked(name, pictures=[picture(60, 60, seed)]), ["the boat is blue"])[0]
        for seed in (1, 2)
    )
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_every_precision(further: dict[str, Local], name: str, precision: str) -> None:
    known(name)
    if precision.startswith("int"):
        pytest.importorskip("bitsandbytes")
    from whichpic.chat.local import open_local

    chat = open_local(further[name]._located.folder, device="cpu", precision=precision)
    assert chat.complete(asked(name), decoding=Decoding(max_tokens=2))[0].tokens_out > 0
    reduced = [
        each for each, module in chat._open()[0].model.named_modules() if "bitsandbytes" in type(module).__module__
    ]
    assert bool(reduced) == precision.startswith("int")
    assert all("language_model" in each and ".layers." in each for each in reduced)


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_changes_what_is_said(further: dict[str, Local], name: str, tmp_path: Path) -> None:
    known(name)
    pytest.importorskip("peft")
    from whichpic.chat.local import open_local

    folder = further[name]._located.folder
    adapted = open_local(folder, adapter=tiny.tiny_lora(folder, tmp_path), device="cpu")
    before, after = (chat.logprobs(asked(name), ["the boat is blue"])[0] for chat in (further[name], adapted))
    assert np.abs(before - after).max() > 1e-3
    assert adapted.complete(asked(name), decoding=SHORT)[0].tokens_out > 0


def theirs(name: str, **settings: Any) -> Any:
    if not hasattr(transformers, name):
        pytest.skip(f"this transformers has no {name}")
    return getattr(transformers, name)(**settings)


@pytest.mark.parametrize("size", SIZES)
def test_tiles_of_internvl(further: dict[str, Local], size: tuple[int, int]) -> None:
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    settings = {"size": {"height": SIDE, "width": SIDE}, **colours}
    processor = theirs("GotOcr2ImageProcessorPil", **settings, crop_to_patches=True)
    out = processor(picture(*size), return_tensors="np")
    seen = more.look_internvl(further["internvl"]._open()[1], [picture(*size)])
    assert np.abs(out["pixel_values"] - seen.arrays["pixel_values"]).max() < 1e-5
    assert seen.texts[0].count("<IMG_CONTEXT>") == int(out["num_patches"][0])


def test_pictures_of_internvl_share_the_tiles_of_one(further: dict[str, Local]) -> None:
    parts = further["internvl"]._open()[1]
    several = more.look_internvl(parts, [picture(640, 480)] * 5)
    assert len(several.arrays["pixel_values"]) <= 5 * 3
    assert more.internvl_grid((640, 480), 448, 1, 12) == (4, 3)
    assert more.internvl_grid((640, 480), 28, 1, 2) == (1, 1)


@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_gemma(further: dict[str, Local], size: tuple[int, int]) -> None:
    out = theirs("Gemma3ImageProcessorPil", size={"height": SIDE, "width": SIDE})(picture(*size), return_tensors="np")
    seen = more.look_gemma3(further["gemma3"]._open()[1], [picture(*size)])
    assert np.abs(out["pixel_values"] - seen.arrays["pixel_values"]).max() < 1e-5
    assert seen.texts[0].count("<image_soft_token>") == 4


@pytest.mark.parametrize("size", SIZES)
def test_tiles_of_llava_onevision(further: dict[str, Local], size: tuple[int, int]) -> None:
    settings = {"size": {"height": SIDE, "width": SIDE}, "image_grid_pinpoints": tiny_more.GRIDS, **tiny_more.HALF}
    processor = theirs("LlavaOnevisionImageProcessorPil", **settings)
    parts = further["llava_onevision"]._open()[1]
    out = processor(picture(*size), return_tensors="np")
    seen = more.look_llava_onevision(parts, [picture(*size)])
    assert out["pixel_values"].shape == seen.arrays["pixel_values"].shape
    assert np.abs(out["pixel_values"] - seen.arrays["pixel_values"]).max() < 1e-5
    out = processor([[picture(*size), picture(44, 31)]], return_tensors="np")
    both = more.look_llava_onevision(parts, [picture(*size), picture(44, 31)])
    assert np.abs(out["pixel_values"] - both.arrays["pixel_values"]).max() < 1e-5
    assert out["batch_num_images"].tolist() == both.arrays["batch_num_images"].tolist()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["16x", "4x"])
def test_slices_of_minicpm(further: dict[str, Local], size: tuple[int, int], mode: str) -> None:
    known("minicpm")
    parts = further["minicpm"]._open()[1]
    parts = type(parts)(parts.config, {**parts.preprocessor, "downsample_mode": mode}, parts.processor, parts.tokenizer)
    settings = {"scale_resolution": 56, "patch_size": 14, "max_slice_nums": 9, "downsample_mode": mode}
    out = theirs("MiniCPMV4_6ImageProcessorPil", **settings, **tiny_more.HALF)(picture(*size), return_tensors="np")
    seen = more.look_minicpm(parts, [picture(*size)])
    assert out["target_sizes"].tolist() == seen.arrays["target_sizes"].tolist()
    assert np.abs(out["pixel_values"] - seen.arrays["pixel_values"]).max() < 1e-5
    rows, columns = out["grids"][0]
    assert seen.texts[0].count("<slice>") == rows * columns
    assert seen.texts[0].count("\n") == max(rows - 1, 0)
    tokens = (out["target_sizes"].prod(-1) // (4 if mode == "4x" else 16)).sum()
    assert seen.texts[0].count("<|image_pad|>") == tokens


@pytest.mark.parametrize("name", NAMES)
def test_weights_without_a_template_use_that_of_their_family(
    further: dict[str, Local], name: str, tmp_path: Path
) -> None:
    import shutil

    from whichpic.chat.local import open_local

    known(name)
    folder = tmp_path / "bare"
    shutil.copytree(further[name]._located.folder, folder)
    (folder / "chat_template.jinja").unlink()
    chat = open_local(folder, device="cpu")
    talk = [*asked(name), Message("assistant", "a boat"), Message("user", "and now?")]
    assert chat.complete(talk, decoding=SHORT)[0].tokens_in > 0
    text = chat._open()[1].tokenizer.decode(inside(chat, talk)[1]["input_ids"][0])
    assert "be short" in text and "a boat" in text
