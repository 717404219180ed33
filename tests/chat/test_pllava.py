"""PLLaVA: every tensor finds its place, LoRA is added in, and frames are pooled as the paper says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.chat import tiny_more
from tests.chat.asking import PICTURES, SHORT, inside, picture
from whichpic.chat import Message
from whichpic.chat.local import inputs, loading, pllava
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.local import Local

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.torch

FIVE = tuple(picture(60 + 10 * number, 50, number) for number in range(5))


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


def opened(folder: Path, **options: Any) -> Local:
    from whichpic.chat.local import open_local

    return open_local(folder, device="cpu", **options)


def merged(name: str, tensors: dict[str, Any], alpha: float) -> Any:
    """A weight with its LoRA, from the paper's formula: W + alpha / r B A."""
    place = name.removesuffix(".weight").removesuffix(".base_layer")
    if f"{place}.lora_A.default.weight" not in tensors:
        return tensors[name]
    a, b = tensors[f"{place}.lora_A.default.weight"], tensors[f"{place}.lora_B.default.weight"]
    return tensors[name] + alpha / tiny_more.RANK * torch.einsum("or,ri->oi", b, a)


def test_no_tensor_is_left_over_on_either_side(tmp_path: Path) -> None:
    given = tiny_more.pllava_tensors()
    names = {name: pllava.renamed(name) for name in given}
    assert None not in names.values()
    assert len(set(names.values())) == len(given)
    lora = {name for name in given if ".lora_" in name}
    assert len(lora) == 2 * 2 * tiny_more.LAYERS
    held = dict(opened(tiny_more.tiny_pllava(tmp_path))._open()[0].model.state_dict())
    assert len(held) == len(given) - len(lora)
    prints = {merged(name, given, 4.0).numpy().tobytes(): name for name in given if name not in lora}
    close = {name: value for name, value in held.items() if value.numpy().tobytes() not in prints}
    assert all("q_proj" in name or "v_proj" in name for name in close)  # sums may differ in their last bit
    for name, value in close.items():
        assert any(value.shape == merged(o, given, 4.0).shape and torch.allclose(value, merged(o, given, 4.0), atol=1e-6)
                   for o in given if o.endswith("base_layer.weight")), name  # fmt: skip
    # Older versions of peft do not call a weight that has a LoRA its base_layer.
    assert (
        pllava.renamed("language_model.base_model.model.model.layers.0.self_attn.q_proj.weight")
        == names["language_model.base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight"]
    )
    assert pllava.renamed("language_model.model.norm.weight") == "language_model.model.norm.weight"
    assert pllava.renamed("image_newline") is None


@pytest.mark.parametrize("alpha", [None, 32])
def test_five_pictures_are_pooled_as_the_paper_says(tmp_path: Path, alpha: int | None) -> None:
    """An independent forward pass: CLIP and LLaMA by transformers, LoRA, projector and pooling by torch's operations."""
    from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

    more: dict[str, Any] = {} if alpha is None else {"lora_alpha": alpha}
    chat = opened(tiny_more.tiny_pllava(tmp_path, **more))
    tensors = tiny_more.pllava_tensors()
    sizes: dict[str, Any] = {
        "hidden_size": tiny_more.TOWER,
        "intermediate_size": tiny_more.TOWER_INNER,
        "num_hidden_layers": tiny_more.LAYERS,
    }
    clip = CLIPVisionModel(CLIPVisionConfig(**sizes, num_attention_heads=1, image_size=56, patch_size=14)).eval()
    own = "vision_model." if any(name.startswith("vision_model.") for name in clip.state_dict()) else ""
    before = "vision_tower.vision_model."
    clip.load_state_dict(
        {own + name.removeprefix(before): value for name, value in tensors.items() if name.startswith(before)},
        strict=not own,
    )
    llama = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=tiny_more.WIDTH, intermediate_size=tiny_more.INNER, num_hidden_layers=tiny_more.LAYERS,
            num_attention_heads=4, num_key_value_heads=4, rms_norm_eps=1e-5, vocab_size=tiny_more.ROWS,
        )
    ).eval()  # fmt: skip
    wrapped = "language_model.base_model.model."
    llama.load_state_dict(
        {
            name.removeprefix(wrapped).replace(".base_layer", ""): merged(name, tensors, alpha or 4.0)
            for name in tensors
            if name.startswith(wrapped) and ".lora_" not in name
        }
    )
    asked = [Message("user", "what do they share?", FIVE)]
    reply = "the blue one"
    found = chat.logprobs(asked, [reply])[0]
    _, given = inside(chat, asked)
    assert given["pixel_values"].shape == (5, 3, 56, 56)
    ids = torch.tensor([chat._open()[1].tokenizer(reply, add_special_tokens=False)["input_ids"]])
    whole = torch.cat([given["input_ids"], ids], 1)
    with torch.inference_mode():
        seen = clip(given["pixel_values"], output_hidden_states=True).hidden_states[-2][:, 1:]
        first = (
            seen @ tensors["multi_modal_projector.linear_1.weight"].T + tensors["multi_modal_projector.linear_1.bias"]
        )
        linear = tensors["multi_modal_projector.linear_2.weight"], tensors["multi_modal_projector.linear_2.bias"]
        patches = (0.5 * first * (1 + torch.erf(first / 2**0.5))) @ linear[0].T + linear[1]
        tokens = pooled_by_hand(patches.reshape(5, 4, 4, -1).numpy(), (5, 3, 2))
        embedded = tensors[f"{wrapped}model.embed_tokens.weight"][whole].clone()
        assert int((whole == 0).sum()) == 5 * 3 * 2
        embedded[whole == 0] = torch.from_numpy(tokens)
        logits = llama(inputs_embeds=embedded).logits[0, -ids.shape[1] - 1 : -1].log_softmax(-1)
    assert np.abs(logits.gather(-1, ids[0, :, None])[:, 0].numpy() - found).max() < 1e-4


def pooled_by_hand(values: Any, shape: tuple[int, int, int]) -> Any:
    """Adaptive average pooling, cell by cell: cell i of n covers floor(i L / n) to ceil((i + 1) L / n) - 1."""
    cells = []
    for frame in range(shape[0]):
        for row in range(shape[1]):
            for column in range(shape[2]):
                spans = [
                    slice(place * length // count, -(-(place + 1) * length // count))
                    for place, count, length in zip((frame, row, column), shape, values.shape[:3], strict=True)
                ]
                cells.append(values[tuple(spans)].mean(axis=(0, 1, 2)))
    return np.stack(cells)


def test_the_published_sizes_make_720_tokens() -> None:
    projector = torch.nn.Identity()
    out = pllava.pooled(projector, (5, 12, 12))(torch.arange(5 * 576 * 2, dtype=torch.float32).view(5, 576, 2))
    assert out.shape == (1, 720, 2)
    by_hand = pooled_by_hand(torch.arange(5 * 576 * 2, dtype=torch.float32).view(5, 24, 24, 2).numpy(), (5, 12, 12))
    assert np.abs(out[0].numpy() - by_hand).max() < 1e-2
    two = pllava.pooled(projector, (5, 12, 12))(torch.zeros(10, 576, 3))
    assert two.shape == (2, 720, 3)


def test_pictures_of_a_message_are_frames_and_stand_once(tmp_path: Path) -> None:
    located = loading.locate(tiny_more.tiny_pllava(tmp_path))
    parts = loading.parts_of(located)
    talk = [
        Message("system", "be short"),
        Message("user", "what do they share?", FIVE),
        Message("assistant", "a boat"),
        Message("user", "and these <image>?", PICTURES[:2]),
    ]
    text = inputs.rendered(located.family, parts, talk)
    assert text.startswith(
        "be short USER: <image><image><image><image><image>\n USER: what do they share? ASSISTANT: a boat</s>"
    )
    assert text.endswith("USER: <image><image>\n USER: and these < image>? ASSISTANT:")
    seen = inputs.look(located.family, parts, talk)
    assert seen is not None
    assert [text.count("<unk>") for text in seen.texts] == [30, 0, 0, 0, 0, 30, 0]
    assert seen.arrays["pixel_values"].shape == (10, 3, 56, 56)
    # Two pictures are repeated as PLLaVA repeats frames: a a a b b.
    frames = seen.arrays["pixel_values"][5:]
    assert [int((frame == frames[0]).all()) for frame in frames] == [1, 1, 1, 0, 0]
    alone = pllava.look(parts, [FIVE[0]])
    assert (alone.arrays["pixel_values"] == alone.arrays["pixel_values"][:1]).all()
    with pytest.raises(ChatError, match="up to 5 pictures in a message; 6 were given"):
        pllava.look(parts, [*FIVE, FIVE[0]])


def test_it_talks(tmp_path: Path) -> None:
    chat = opened(tiny_more.tiny_pllava(tmp_path, form="bin"))
    assert chat.can_see_several
    several = [
        [Message("user", "what is here?", FIVE)],
        [Message("user", "hello")],
        [Message("user", "this?", FIVE[:1])],
    ]
    together = chat.complete_many(several, decoding=SHORT)
    assert [reply.text for reply in together] == [chat.complete(each, decoding=SHORT)[0].text for each in several]
    assert chat.choose(several[0], ["is it?", "is it the second one?"], ["yes", "no"]).mass.shape == (2, 2)
    one, other = (chat.logprobs([Message("user", "this?", pictures)], ["blue"])[0] for pictures in (FIVE, FIVE[::-1]))
    assert np.abs(one - other).max() > 1e-5  # the order of frames matters
    half = opened(tmp_path, precision="bf16")
    assert half.complete(several[0], decoding=SHORT)[0].tokens_out > 0


def test_an_image_token_of_its_own_is_used_where_it_has_a_row(tmp_path: Path) -> None:
    folder = tiny_more.tiny_pllava(tmp_path, image_token_index=3)
    tiny_more.llama_tokenizer(folder, also=("<image>",))
    located = loading.locate(folder)
    assert loading.parts_of(located).image_token == 3


def test_half_a_lora_and_names_of_others_are_refused(tmp_path: Path) -> None:
    tensors = tiny_more.pllava_tensors()
    name = "language_model.base_model.model.model.layers.1.self_attn.v_proj.lora_"
    for number, (lacking, words) in enumerate(((f"{name}B", "is not whole"), (f"{name}A", "is not whole"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        given = {each: value for each, value in tensors.items() if not each.startswith(lacking)}
        with pytest.raises(ChatError, match=words):
            opened(tiny_more.tiny_pllava(folder, tensors=given)).complete([Message("user", "hello")])
    with pytest.raises(ChatError, match=r"'qformer\.query' is none of PLLaVA's"):
        pllava.renamed("qformer.query")
    base = tmp_path / "base"
    base.mkdir()
    given = {each: value for each, value in tensors.items() if "lora_" in each or "projector" in each}
    with pytest.raises(ChatError, match="not whole"):
        opened(tiny_more.tiny_pllava(base, tensors=given)).complete([Message("user", "hello")])
