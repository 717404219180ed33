"""LLaVA in the layout of its authors: every tensor finds its place, and the model says what its parts say, put together."""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.chat import tiny_more
from tests.chat.asking import PICTURES, SHORT, asked, inside, picture
from whichpic.chat import Message
from whichpic.chat.local import layouts, loading, moved
from whichpic.errors import ChatError, ModelError

if TYPE_CHECKING:
    from whichpic.chat.local import Local

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


def opened(folder: Path, **options: Any) -> Local:
    from whichpic.chat.local import open_local

    return open_local(folder, device="cpu", **options)


def loaded(chat: Local) -> dict[str, Any]:
    """What the loaded model holds, by name."""
    return dict(chat._open()[0].model.state_dict())


def test_no_tensor_is_left_over_on_either_side(tmp_path: Path) -> None:
    given = tiny_more.original_llava_tensors()
    names = {name: layouts.renamed(name) for name in given}
    dropped = sorted(name for name, there in names.items() if there is None)
    assert [name.split(".")[-1] for name in dropped] == ["inv_freq", "position_ids"]
    kept = [there for there in names.values() if there is not None]
    assert len(set(kept)) == len(kept) == len(given) - 2
    held = loaded(opened(tiny_more.original_llava(tmp_path)))
    assert len(held) == len(kept)
    # Each of the model's tensors is exactly one of the file's, whatever transformers calls it.
    prints = {hash(value.numpy().tobytes()): name for name, value in given.items() if name not in dropped}
    assert len(prints) == len(kept)
    found = {name: prints.pop(hash(value.numpy().tobytes())) for name, value in held.items()}
    assert not prints
    for there, original in found.items():
        assert there.split(".")[-2:] == original.split(".")[-2:] or "projector" in there
    assert found["model.multi_modal_projector.linear_1.weight"] == "model.mm_projector.0.weight"
    assert found["model.multi_modal_projector.linear_2.bias"] == "model.mm_projector.2.bias"
    assert found["lm_head.weight"] == "lm_head.weight"


@pytest.mark.parametrize(
    ("form", "shards", "tower"), [("safetensors", 1, True), ("bin", 1, True), ("bin", 3, True), ("bin", 2, False)]
)
def test_shards_of_both_kinds_say_the_same(tmp_path: Path, form: str, shards: int, tower: bool) -> None:
    first = opened(tiny_more.original_llava(_made(tmp_path / "a")))
    second = opened(tiny_more.original_llava(_made(tmp_path / "b"), form=form, shards=shards, tower=tower))
    assert (
        first.complete(asked("llava"), decoding=SHORT)[0].text
        == second.complete(asked("llava"), decoding=SHORT)[0].text
    )
    assert {name: value.tolist() for name, value in loaded(first).items()} == {
        name: value.tolist() for name, value in loaded(second).items()
    }


def test_the_model_is_its_parts_put_together(tmp_path: Path) -> None:
    """CLIP, the projector and LLaMA opened one by one by transformers, and joined here: the same log-probabilities."""
    from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

    chat = opened(tiny_more.original_llava(tmp_path, image_aspect_ratio="square"))
    tensors = tiny_more.original_llava_tensors()
    before = "model.vision_tower.vision_tower."
    sizes = {
        "hidden_size": tiny_more.TOWER,
        "intermediate_size": tiny_more.TOWER_INNER,
        "num_hidden_layers": tiny_more.LAYERS,
    }
    clip = CLIPVisionModel(CLIPVisionConfig(**sizes, num_attention_heads=1, image_size=28, patch_size=14)).eval()
    own = "vision_model." if any(name.startswith("vision_model.") for name in clip.state_dict()) else ""
    clip.load_state_dict(
        {
            own + name.removeprefix(f"{before}vision_model."): value
            for name, value in tensors.items()
            if name.startswith(before) and "position_ids" not in name
        },
        strict=not own,
    )
    config = json.loads((tmp_path / "config.json").read_text())
    names = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "rms_norm_eps",
    )
    llama = LlamaForCausalLM(LlamaConfig(**{name: config[name] for name in names}, vocab_size=tiny_more.ROWS)).eval()
    llama.load_state_dict(
        {
            name: value
            for name, value in tensors.items()
            if "vision" not in name and "mm_projector" not in name and "inv_freq" not in name
        }
    )
    reply = "the blue one"
    found = chat.logprobs(asked("llava"), [reply])[0]
    _, inputs = inside(chat, asked("llava"))
    ids = torch.tensor([chat._open()[1].tokenizer(reply, add_special_tokens=False)["input_ids"]])
    whole = torch.cat([inputs["input_ids"], ids], 1)
    with torch.inference_mode():
        seen = clip(inputs["pixel_values"], output_hidden_states=True).hidden_states[-2][:, 1:]
        w0, b0 = tensors["model.mm_projector.0.weight"], tensors["model.mm_projector.0.bias"]
        w2, b2 = tensors["model.mm_projector.2.weight"], tensors["model.mm_projector.2.bias"]
        patches = torch.nn.functional.gelu(seen @ w0.T + b0) @ w2.T + b2
        embedded = tensors["model.embed_tokens.weight"][whole].clone()
        assert int((whole == 0).sum()) == 3 * 4  # <unk> stands for the pictures' positions
        embedded[whole == 0] = patches.flatten(0, 1)
        logits = llama(inputs_embeds=embedded).logits[0, -ids.shape[1] - 1 : -1].log_softmax(-1)
    assert np.abs(logits.gather(-1, ids[0, :, None])[:, 0].numpy() - found).max() < 1e-4


def test_the_prompt_is_that_of_its_training(tmp_path: Path) -> None:
    from whichpic.chat.local import inputs

    located = loading.locate(tiny_more.original_llava(tmp_path))
    parts = loading.parts_of(located)
    talk = [
        Message("user", "what is <image> here?", (PICTURES[0],)),
        Message("assistant", "a boat"),
        Message("user", "and now?"),
    ]
    text = inputs.rendered(located.family, parts, talk)
    assert text.startswith("A chat between a curious human and an artificial intelligence assistant.")
    assert text.endswith(" USER: <image>\nwhat is < image> here? ASSISTANT: a boat</s>USER: and now? ASSISTANT:")
    # Not square, and padded to one: the picture's upper and lower edge are the mean colour.
    seen = inputs.look(located.family, parts, [Message("user", "look", (picture(60, 30),))])
    assert seen is not None
    assert np.abs(seen.arrays["pixel_values"][0][:, 0]).max() < 0.02
    assert parts.tokenizer.pad_token_id == parts.tokenizer.eos_token_id != parts.image_token


def test_several_conversations_side_by_side(tmp_path: Path) -> None:
    chat = opened(tiny_more.original_llava(tmp_path))
    several = [asked("llava"), [Message("user", "hello")], [Message("user", "and this?", PICTURES[:1])]]
    together = chat.complete_many(several, decoding=SHORT)
    assert [reply.text for reply in together] == [chat.complete(each, decoding=SHORT)[0].text for each in several]
    assert chat.choose(asked("llava"), ["is it?", "is it the second one?"], ["yes", "no"]).mass.shape == (2, 2)


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_every_precision(tmp_path: Path, precision: str) -> None:
    if precision.startswith("int"):
        pytest.importorskip("bitsandbytes")
    chat = opened(tiny_more.original_llava(tmp_path), precision=precision)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BITSANDBYTES_NOWELCOME", "1")
        assert chat.complete(asked("llava"), decoding=SHORT)[0].tokens_out > 0


def test_an_adapter_on_it(tmp_path: Path) -> None:
    """RLAIF-V trains LoRA on such weights; peft names modules as transformers does."""
    pytest.importorskip("peft")
    from peft import LoraConfig, get_peft_model

    plain = opened(tiny_more.original_llava(_made(tmp_path / "llava")))
    before = plain.logprobs(asked("llava"), ["the blue one"])[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft uses names that transformers is about to drop
        base = opened(tmp_path / "llava")._open()[0].model
        model = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(tmp_path / "lora")
    adapted = opened(tmp_path / "llava", adapter=tmp_path / "lora")
    assert np.abs(adapted.logprobs(asked("llava"), ["the blue one"])[0] - before).max() > 1e-3


def test_weights_that_are_not_whole_or_of_others_are_refused(tmp_path: Path) -> None:
    tensors = tiny_more.original_llava_tensors()
    cases: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
        ("missing", {n: t for n, t in tensors.items() if n != "model.norm.weight"}, {}, r"1 tensors are missing, e\.g\."),
        ("other", {**tensors, "model.resampler.query": torch.zeros(2)}, {}, "'model.resampler.query' is none of LLaVA 1.5's"),
        ("next", {**tensors, "model.image_newline": torch.zeros(64)}, {}, "llava-hf/llava-v1.6-mistral-7b-hf"),
        ("shape", {**tensors, "model.norm.weight": torch.zeros(63)}, {}, "have another shape"),
        ("linear", tensors, {"mm_projector_type": "linear"}, "mlp2x_gelu"),
        ("tower", {n: t for n, t in tensors.items() if "vision" not in n}, {"mm_vision_tower": "/etc"}, "leaves out its"),
    )  # fmt: skip
    for name, given, config, words in cases:
        folder = tiny_more.original_llava(_made(tmp_path / name), **config)
        for old in folder.glob("model*"):
            old.unlink()
        tiny_more.saved(given, folder, form="safetensors", shards=1)
        with pytest.raises(ChatError, match=words):
            opened(folder).complete(asked("llava"))
    away = tiny_more.original_llava(
        _made(tmp_path / "away"), tower=False, mm_vision_tower="somewhere/clip-vit-of-nobody"
    )
    (away / "vision_tower").rename(tmp_path / "elsewhere")
    with pytest.raises(ChatError, match="openai/clip-vit-of-nobody cannot be had"):
        opened(away).complete(asked("llava"))
    cut = tiny_more.original_llava(_made(tmp_path / "cut"), form="bin", shards=2)
    (cut / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(ChatError, match=r"pytorch_model-00002-of-00002\.bin is missing"):
        opened(cut).complete(asked("llava"))


def test_a_pickle_that_would_run_code_runs_none(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path.touch, (str(tmp_path / "ran"),)

    folder = tiny_more.original_llava(_made(tmp_path / "evil"), form="bin", shards=1)
    torch.save({"model.norm.weight": torch.zeros(64), "evil": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises((ChatError, ModelError)):
        opened(folder).complete(asked("llava"))
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_of_sentencepiece_as_the_authors_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spm = pytest.importorskip("sentencepiece", reason="a tokenizer.model takes sentencepiece")
    pytest.importorskip("google.protobuf", reason="a tokenizer.model takes protobuf")
    folder = tiny_more.original_llava(_made(tmp_path / "llava"))
    for old in folder.glob("*token*"):
        old.unlink()
    words = tmp_path / "words.txt"
    words.write_text(
        "a man with a red umbrella\nUSER: which of these is it? ASSISTANT: the second one\n" * 20, encoding="utf-8"
    )
    spm.SentencePieceTrainer.train(
        input=str(words), model_prefix=str(folder / "tokenizer"), vocab_size=320, model_type="bpe", byte_fallback=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=2,
    )  # fmt: skip
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "legacy": False, **special})
    )
    chat = opened(folder)
    assert chat.complete(asked("llava", "what is 画?"), decoding=SHORT)[0].tokens_out > 0
    ids = inside(chat, asked("llava", "what is 画 <unk>?"))[1]["input_ids"]
    assert int((ids == 0).sum()) == 3 * 4  # what no text becomes: it falls back to bytes
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ChatError, match=r"takes the packages sentencepiece and protobuf"):
        opened(folder).complete(asked("llava"))


# Ids that moved, and what does not load.


def test_ids_that_moved_are_followed() -> None:
    assert moved.now("xiaomanlu/RLAIF-V-7B") == "openbmb/RLAIF-V-7B"
    assert moved.now("meta-llama/Meta-Llama-3.1-8B-Instruct") == "meta-llama/Llama-3.1-8B-Instruct"
    assert moved.now("THUDM/glm-4-9b-chat-hf") == "zai-org/glm-4-9b-chat-hf"
    assert moved.now("Qwen/Qwen2.5-VL-7B-Instruct") == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert moved.now("/some/THUDM/folder") == "/some/THUDM/folder"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openbmb/OmniLMM-12B", "EVA-02.*openbmb/RLAIF-V-7B.*openbmb/MiniCPM-V-4.6"),
        ("HaoyeZhang/RLAIF-V-12B", "EVA-02.*openbmb/RLAIF-V-7B"),
        ("openbmb/MiniCPM-V-2_6", "code of its own.*openbmb/MiniCPM-V-4.6"),
        ("OpenGVLab/InternVL2_5-8B", "-hf"),
        ("lmms-lab/llava-onevision-qwen2-7b-ov", "llava-hf/llava-onevision-qwen2-7b-ov-hf"),
        ("bartowski/Qwen2.5-7B-Instruct-GGUF", "llama-server"),
        ("Qwen/Qwen2.5-VL-7B-Instruct-AWQ", "awq.*--precision int8 or int4.*vllm:"),
        ("mlx-community/Qwen2.5-VL-7B-Instruct-mlx", "MLX"),
    ],
)
def test_what_cannot_be_loaded_is_refused_before_it_is_fetched(name: str, words: str) -> None:
    with pytest.raises(ChatError, match=words) as caught:
        loading.locate(name)
    assert caught.value.reason == "unsupported"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["openbmb/MiniCPM-V-4.6", "OpenGVLab/InternVL3-8B-hf", "openbmb/RLAIF-V-7B", "a/mlx-free"]
)
def test_what_can_be_loaded_is_not_refused(name: str) -> None:
    moved.refuse_id(name)


def test_folders_that_cannot_be_loaded_say_why(tmp_path: Path) -> None:
    for number, (config, words) in enumerate(
        (
            ({"model_type": "omnilmm"}, "EVA-02"),
            ({"model_type": "minicpmv", "auto_map": {"AutoModel": "modeling.X"}}, "MiniCPM-V-4.6"),
            ({"model_type": "internvl_chat", "auto_map": {"AutoModel": "modeling.X"}}, "-hf"),
            ({"model_type": "llava_qwen", "mm_vision_tower": "google/siglip"}, "llava-hf"),
            ({"model_type": "llama", "quantization_config": {"quant_method": "gptq"}}, "reduced already \\(gptq\\)"),
        )
    ):
        folder = _made(tmp_path / str(number))
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(ChatError, match=words):
            loading.locate(folder)
    folder = _made(tmp_path / "gguf")
    (folder / "model-q4.gguf").write_bytes(b"GGUF")
    with pytest.raises(ChatError, match="llama-server"):
        loading.locate(folder)


def test_the_docs_name_what_is_refused_and_where_the_names_come_from() -> None:
    text = (Path(__file__).parents[2] / "docs" / "local-models.md").read_text(encoding="utf-8")
    for words in ("haotian-liu/LLaVA", "magic-research/PLLaVA", "OmniLMM-12B", "model.mm_projector.0", "lora_alpha"):
        assert words in text
    assert not re.search(r"/(tmp|home|work)/", text)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
