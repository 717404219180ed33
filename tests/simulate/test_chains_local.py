"""Both chains with a tiny vision-language model in this process: what it says is noise, and everything goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulate.seeing import drawn
from whichpic.errors import ChatPending
from whichpic.simulate.dialogues import Dialogue, read_dialogues
from whichpic.simulate.parallel import simulate
from whichpic.simulate.prepare import Prepared, merged, prepare
from whichpic.simulate.recipes import load_recipe

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("default")]
CHAINS = ("navigationir", "query-rewriting")
_TIMES = re.compile(r'"milliseconds": [0-9.e+-]+')


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("drawn"), 12, side=64)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.chat.tiny import tiny_vlm

    return tiny_vlm(tmp_path_factory.mktemp("weights"))


def chain(name: str, album: Path, chat: str, targets: int = 2) -> Prepared:
    small: Mapping[str, Any] = {
        "album": {"path": str(album)},
        "session": {"encoder": "toy", "chat": chat},
        "user": {"evidence": "lexical"},
        "targets": {"n": targets},
        "play": {"questions": 1},
    }
    return prepare(merged(load_recipe(name).tables, small), name=name)


def played(run: Prepared, out: Path) -> list[Dialogue]:
    return simulate(run.place, run.plan, run.targets, out, run.header, gallery=run.gallery)


def without_times(path: Path) -> str:
    return _TIMES.sub("", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CHAINS)
def test_a_tiny_model_plays_a_chain_to_its_end_and_goes_on_after_a_cut(
    name: str, album: Path, weights: Path, tmp_path: Path
) -> None:
    run = chain(name, album, str(weights))
    assert run.header["settings"]["session"]["chat"] == weights.name  # where it lies is nobody's business
    done = played(run, tmp_path / "whole.jsonl")
    assert [len(dialogue.turns) for dialogue in done] == [2, 2]
    assert all(dialogue.turns[-1].user_calls == 1 and dialogue.turns[-1].user_tokens > 0 for dialogue in done)
    if name == "navigationir":  # it cannot propose anything: the turn was asked from facts, and says so
        assert all("asked from facts" in dialogue.turns[0].trouble for dialogue in done)
    else:
        assert all(dialogue.turns[-1].rewritten and dialogue.turns[-1].calls == 2 for dialogue in done)
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:40])
    played(run, tmp_path / "cut.jsonl")
    assert without_times(tmp_path / "cut.jsonl") == without_times(tmp_path / "whole.jsonl")


@pytest.mark.parametrize("name", CHAINS)
def test_a_tiny_model_on_another_machine_answers_through_files(
    name: str, album: Path, weights: Path, tmp_path: Path
) -> None:
    from whichpic.chat import open_chat
    from whichpic.chat.batch import answer_batch

    model, folder = open_chat(str(weights)), tmp_path / "batch"
    run = chain(name, album, f"batch:{folder}", targets=1)
    for _ in range(12):
        try:
            played(run, tmp_path / "split.jsonl")
            break
        except ChatPending:
            answer_batch(folder, model, workers=1)
    assert len(read_dialogues(tmp_path / "split.jsonl")[1]) == 1
    played(run, tmp_path / "again.jsonl")
    assert without_times(tmp_path / "split.jsonl") == without_times(tmp_path / "again.jsonl")
