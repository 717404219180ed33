"""Weights of local models: which are opened, with what on them and beside them, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.chat import tiny
from tests.chat.asking import SHORT, asked, inside
from whichpic.chat import Message
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.local import Local

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


def copied(folder: Path, to: Path, **config: Any) -> Path:
    shutil.copytree(folder, to)
    whole = {**json.loads((to / "config.json").read_text()), **config}
    (to / "config.json").write_text(json.dumps(whole))
    return to


def test_a_template_without_pictures_gives_way_to_that_of_the_family(folders: dict[str, Path], tmp_path: Path) -> None:
    from whichpic.chat.local import inputs, loading

    folder = copied(folders["llava"], tmp_path / "plain")
    plain = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    (folder / "chat_template.jinja").write_text(plain)
    located = loading.locate(folder)
    parts = loading.parts_of(located)
    for messages in (asked("llava"), [Message("user", "what is {'type': 'text'} <image>?")]):
        text = inputs.rendered(located.family, parts, messages)
        assert "USER: " in text
        assert text.endswith("ASSISTANT:")
        assert text.count("<image>") == sum(len(message.pictures) for message in messages)


@pytest.mark.parametrize("name", ["llava", "llava_next", "qwen2_vl", "idefics3", "llm"])
def test_weights_without_a_template_use_that_of_their_family(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    from whichpic.chat.local import open_local

    folder = copied(folders[name], tmp_path / "bare")
    (folder / "chat_template.jinja").unlink()
    chat = open_local(folder, device="cpu")
    talk = [*asked(name), Message("assistant", "a boat"), Message("user", "and now?")]
    assert chat.complete(talk, decoding=SHORT)[0].tokens_out > 0
    _, inputs = inside(chat, talk)
    assert "boat" in chat._open()[1].tokenizer.decode(inputs["input_ids"][0])


def test_models_that_share_a_machine_are_opened_beside_each_other(folders: dict[str, Path]) -> None:
    from whichpic.chat import open_chat

    chat = open_chat(str(folders["llava"]), beside=[folders["llm"]], device="cpu")
    assert chat.id.endswith(":fp32")
    assert chat.can_see_several
    assert chat.can_score


def test_a_system_message_goes_where_the_template_has_room(folders: dict[str, Path], tmp_path: Path) -> None:
    from whichpic.chat.local import inputs, loading

    folder = copied(folders["llm"], tmp_path / "turns")
    strict = (
        "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    )
    (folder / "chat_template.jinja").write_text(strict)
    located = loading.locate(folder)
    said = [Message("system", "be short"), Message("user", "a dog"), Message("user", "is it?")]
    assert inputs.rendered(located.family, loading.parts_of(located), said) == "[user] be short\n\na dog\nis it?"


def test_attention_by_other_means_says_the_same(folders: dict[str, Path], opened: dict[str, Local]) -> None:
    from whichpic.chat.local import open_local

    plain = open_local(folders["llava"], device="cpu", attention="eager")
    plain.load()
    said = plain.logprobs(asked("llava"), ["the boat is blue"])[0]
    assert np.abs(said - opened["llava"].logprobs(asked("llava"), ["the boat is blue"])[0]).max() < 1e-4
    with pytest.raises(ChatError, match="no attention is called"):
        open_local(folders["llava"], device="cpu", attention="quick").load()


# Adapters.


@pytest.mark.parametrize("name", ["llm", "llava", "qwen2_vl", "idefics3"])
def test_an_adapter_changes_what_is_said(
    folders: dict[str, Path], opened: dict[str, Local], name: str, tmp_path: Path
) -> None:
    from whichpic.chat.local import loading, open_local

    lora = tiny.tiny_lora(folders[name], tmp_path)
    chat = open_local(folders[name], adapter=lora, device="cpu")
    assert chat.id != opened[name].id
    replies = ["the boat is blue"]
    adapted = chat.logprobs(asked(name), replies)[0]
    assert np.abs(adapted - opened[name].logprobs(asked(name), replies)[0]).max() > 1e-3
    assert chat.complete(asked(name), decoding=SHORT)[0].tokens_out > 0
    assert "".join(chat.stream(asked(name), decoding=SHORT))
    merged = open_local(folders[name], device="cpu")
    engine, _, _ = merged._open()
    engine.model = loading.with_adapter(engine.model, lora, name).merge_and_unload()
    assert np.abs(adapted - merged.logprobs(asked(name), replies)[0]).max() < 1e-4


def test_adapters_that_are_unsafe_or_do_not_fit_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from whichpic.chat.local import open_local

    lora = tiny.tiny_lora(folders["llm"], tmp_path / "lora")
    with pytest.raises(ChatError, match="does not fit"):
        open_local(folders["llava"], adapter=lora, device="cpu").complete(asked("llava"))
    (lora / "adapter_model.safetensors").rename(lora / "adapter_model.bin")
    with pytest.raises(ChatError, match="pickle"):
        open_local(folders["llm"], adapter=lora, device="cpu")
    with pytest.raises(ChatError, match="no adapter"):
        open_local(folders["llm"], adapter=tmp_path, device="cpu")


# Weights, and the code of others.


_CONFIGURATION = """
from pathlib import Path
from transformers import LlamaConfig
Path({mark!r}).write_text("it ran")
class OwnConfig(LlamaConfig):
    model_type = "own_llama"
"""
_MODELING = """
from transformers import LlamaForCausalLM
from .configuration_own import OwnConfig
class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


def test_code_of_others_runs_only_by_its_revision(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers.dynamic_module_utils as dynamic

    from whichpic.chat.local import open_local

    monkeypatch.setattr(dynamic, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    mark = tmp_path / "mark"
    own = {"AutoConfig": "configuration_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}
    folder = copied(folders["llm"], tmp_path / "own", model_type="own_llama", auto_map=own)
    (folder / "configuration_own.py").write_text(_CONFIGURATION.format(mark=str(mark)))
    (folder / "modeling_own.py").write_text(_MODELING)
    with pytest.raises(ChatError, match="--allow-code") as caught:
        open_local(folder, device="cpu")
    revision = str(caught.value).rsplit(" ", 1)[1]
    with pytest.raises(ChatError, match="not run"):
        open_local(folder, device="cpu", allow_code="0" * 40)
    elsewhere = copied(folder, tmp_path / "elsewhere")
    settings = json.loads((elsewhere / "tokenizer_config.json").read_text())
    settings["auto_map"] = {"AutoTokenizer": [None, "somebody/other--tokenization_own.OwnTokenizer"]}
    (elsewhere / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ChatError, match=r"code from elsewhere \(somebody/other--"):
        open_local(elsewhere, device="cpu", allow_code=revision)
    # A type that transformers has is opened by its own code, whatever else the folder brings.
    known = copied(folder, tmp_path / "known", model_type="llama")
    assert open_local(known, device="cpu").complete(asked("llm"), decoding=SHORT)[0].tokens_out == 8
    assert not mark.exists()
    with pytest.warns(UserWarning, match="RUNNING CODE OF OTHERS"):
        chat = open_local(folder, device="cpu", allow_code=revision)
    assert chat.complete(asked("llm"), decoding=SHORT)[0].tokens_out == 8
    assert mark.exists()


def test_weights_that_cannot_be_trusted_or_are_not_whole_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from whichpic.chat.local import open_local

    nested = copied(folders["llava"], tmp_path / "nested", text_config={"trust_remote_code": True})
    unknown = copied(folders["llm"], tmp_path / "unknown", model_type="never_heard_of")
    for place, words in (
        (nested, "to be trusted"),
        (unknown, "not known here"),
        (tmp_path, "config.json"),
        (tmp_path / "nowhere", "no folder of weights"),
        (tmp_path / "model.gguf", "llama-server"),
    ):
        with pytest.raises(ChatError, match=words):
            open_local(place, device="cpu")
    partial = copied(folders["llm"], tmp_path / "partial")
    tensors = load_file(partial / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ChatError, match=r"1 tensors are missing, e\.g\. model\.norm\.weight"):
        open_local(partial, device="cpu").complete(asked("llm"))
    for width, words in ((32, "another shape than its config"), (30, "config.json of narrow.* not a multiple")):
        narrow = copied(folders["llm"], tmp_path / f"narrow-{width}", hidden_size=width)
        with pytest.raises(ChatError, match=words):
            open_local(narrow, device="cpu").complete(asked("llm"))
    pickled = copied(folders["llm"], tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ChatError, match="safetensors"):
        open_local(pickled, device="cpu").complete(asked("llm"))


def test_a_hub_that_is_out_of_reach_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from whichpic.chat.local import open_local

    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ChatError, match="cannot be had") as caught:
        open_local("owner/name-that-is-not-here", device="cpu")
    assert caught.value.reason == "unreachable"
    assert "\n" not in str(caught.value)


def test_an_id_names_the_weights(folders: dict[str, Path], opened: dict[str, Local], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from whichpic.chat.local import open_local

    again = open_local(folders["llm"], device="cpu")
    assert again.id == opened["llm"].id
    assert str(folders["llm"].parent) not in again.id
    other = copied(folders["llm"], tmp_path / folders["llm"].name)
    tensors = load_file(other / "model.safetensors")
    tensors["model.norm.weight"][0] += 1
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    assert open_local(other, device="cpu").id != again.id


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_fewer_bits_still_answer(folders: dict[str, Path], precision: str) -> None:
    pytest.importorskip("bitsandbytes")
    from whichpic.chat.local import open_local

    chat = open_local(folders["llava"], precision=precision, device="cpu")
    assert chat.complete(asked("llava"), decoding=SHORT)[0].tokens_out == 8
    model = chat._open()[0].model
    kinds = {name: type(module).__name__ for name, module in model.named_modules() if "Linear" in type(module).__name__}
    wanted = {"bf16": "Linear", "int8": "Linear8bitLt", "int4": "Linear4bit"}[precision]
    for name, kind in kinds.items():
        kept = any(each in name for each in ("vision", "projector", "lm_head"))
        assert kind == ("Linear" if kept else wanted), name
