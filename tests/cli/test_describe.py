"""`whichpic describe`: from pictures without captions to an album that is found by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.model_server import ModelServer, in_process, pictures_of, question_of
from tests.cli.test_commands import run
from tests.support import drawn_album


def say(body: dict[str, Any]) -> str:
    assert len(pictures_of(body)) == 1
    if "mood" in question_of(body):
        return "This photo has a calm evening mood."
    return "The image shows a tall lighthouse by the sea."


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(say) as opened:
        yield opened


def test_an_album_is_described_and_found_by_its_captions(server: ModelServer, tmp_path: Path) -> None:
    album = drawn_album(tmp_path / "album", 4)
    (album / "broken.jpg").write_bytes(b"not a picture")
    done = run("describe", str(album), "--chat", server.url, "--dimensions", "scene,mood", "--limit", "2", home=tmp_path,
               WHICHPIC_HOME=str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "captions by tiny-vlm" in done.stdout and "4 written" in done.stdout
    again = run("describe", str(album), "--chat", server.url, "--dimensions", "scene,mood", "--out", str(tmp_path / "out"),
                "--json", home=tmp_path)  # fmt: skip
    report = json.loads(again.stdout)
    assert (report["captions"], report["kept"], report["skipped"]) == (4, 4, []), again.stderr
    assert "captions by tiny-vlm: 8\n" in run("show", str(album), home=tmp_path).stdout
    shown = json.loads(run("show", str(album), "--json", home=tmp_path).stdout)
    assert shown["captions"] == 8 and list(shown["described"].values()) == [8]
    rows = json.loads((tmp_path / "out" / "conversations.json").read_text(encoding="utf-8"))
    assert [len(row["conversations"]) for row in rows] == [4] * 4
    whole = json.loads((tmp_path / "out" / "output.json").read_text(encoding="utf-8"))
    assert whole[0]["conversations"][1]["content"].startswith("A tall lighthouse by the sea.")


@pytest.mark.parametrize(
    ("chat_id", "name"),
    [
        ("http://127.0.0.1:8000/v1#Qwen/Qwen3-VL;1344px;4000000b", "Qwen/Qwen3-VL"),
        ("http://127.0.0.1:8000/v1#;1344px;4000000b", "127.0.0.1:8000/v1"),
        ("local:llava-1.5-7b@0123456789abcdef+lora:0123:bf16", "llava-1.5-7b"),
        ("batch#gpt-x;1344px;1000000b", "gpt-x"),
        ("scripted", "scripted"),
    ],
)
def test_people_read_a_models_name_and_not_its_id(chat_id: str, name: str) -> None:
    from whichpic.cli.index import _name

    assert _name(chat_id) == name


def test_a_folder_that_stays_as_it_is(server: ModelServer, tmp_path: Path) -> None:
    folder = drawn_album(tmp_path / "album", 2)
    out = tmp_path / "out"
    done = run("describe", str(folder), "--chat", server.url, "--dimensions", "scene", "--no-index", "--out", str(out),
               home=tmp_path, WHICHPIC_ENCODER="names")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["conversations.json", "described.jsonl", "output.json"]
    assert not (folder / ".whichpic").exists()


def test_a_dimension_whose_prompt_is_gone_is_left_out_with_a_word(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHICHPIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHICHPIC_PROMPTS", str(tmp_path / "mine"))
    (tmp_path / "mine" / "en").mkdir(parents=True)
    (tmp_path / "mine" / "en" / "describe-birds.txt").write_text("Which birds are there?")
    album, out = drawn_album(tmp_path / "album", 2), tmp_path / "out"
    words = ["describe", str(album), "--chat", server.url, "--no-index", "--out", str(out), "--dimensions"]
    assert in_process(*words, "scene,birds")[0] == 0
    monkeypatch.delenv("WHICHPIC_PROMPTS")
    code, said, notes = in_process(*words, "scene")
    assert code == 0 and "left out of conversations.json: birds" in notes, (said, notes)
    rows = json.loads((out / "conversations.json").read_text(encoding="utf-8"))
    assert [len(row["conversations"]) for row in rows] == [2, 2]


def test_a_model_that_runs_elsewhere(tmp_path: Path) -> None:
    album = drawn_album(tmp_path / "album", 3)
    batch = tmp_path / "batch"
    words = ("describe", str(album), "--chat", f"batch:{batch}", "--dimensions", "scene,mood", "--limit", "2")
    done = run(*words, home=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "4 captions wait" in done.stderr and f"whichpic batch {batch} --chat" in done.stderr
    requests = [json.loads(line) for line in (batch / "requests.jsonl").read_text().splitlines()]
    assert len({each["custom_id"] for each in requests}) == 4
    replies = [
        {"custom_id": each["custom_id"], "error": None, "response": {"status_code": 200, "body": {
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"card {number}."}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1}}}}
        for number, each in enumerate(requests)
    ]  # fmt: skip
    (batch / "replies.jsonl").write_text("".join(json.dumps(each) + "\n" for each in replies[:3]))
    assert run(*words, home=tmp_path).returncode == 4
    (batch / "replies.jsonl").write_text("".join(json.dumps(each) + "\n" for each in replies))
    done = run(*words, home=tmp_path)
    assert done.returncode == 0 and "1 written, 3 there already" in done.stdout, done.stderr


def test_what_a_second_run_would_not_do_is_told(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHICHPIC_HOME", str(tmp_path / "home"))
    album, out = drawn_album(tmp_path / "album", 3), tmp_path / "out"
    (album / "a-broken.jpg").write_bytes(b"not a picture")
    words = ["describe", str(album), "--chat", server.url, "--no-index", "--out", str(out), "--dimensions", "mood"]
    _, _, notes = in_process(*words, "--limit", "2")
    rows = json.loads((out / "conversations.json").read_text(encoding="utf-8"))
    assert len(rows) == 2 and "skipped a-broken.jpg" in notes, "what cannot be read does not count"
    monkeypatch.setenv("WHICHPIC_PROMPTS", str(tmp_path / "mine"))
    (tmp_path / "mine" / "en").mkdir(parents=True)
    (tmp_path / "mine" / "en" / "describe-mood.txt").write_text("The mood?")
    _, said, notes = in_process(*words)
    assert "1 written, 2 there already" in said and "2 of those there were written by other prompts" in notes
    assert "other prompts" not in in_process(*words, "--again")[2]


@pytest.mark.torch
def test_a_model_in_this_process_describes_in_batches(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.chat.tiny import tiny_idefics3
    from whichpic.chat import open_chat
    from whichpic.chat.base import Decoding
    from whichpic.describe import describe, folder_sources

    pictures = folder_sources(drawn_album(tmp_path / "album", 3))
    chat = open_chat(str(tiny_idefics3(tmp_path / "vlm")))
    report = describe(
        pictures, chat, tmp_path / "said.jsonl", dimensions=["scene"], workers=2, decoding=Decoding(max_tokens=8)
    )
    assert report.captions + report.empty == 3 and not report.skipped
    assert describe(pictures, chat, tmp_path / "said.jsonl", dimensions=["scene"]).kept == 3


def test_what_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICHPIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHICHPIC_ENCODER", "toy")
    captions = tmp_path / "said.jsonl"
    captions.write_text('{"id": "1.jpg", "captions": ["a dog"]}\n')
    assert in_process("index", str(captions))[0] == 0
    album = drawn_album(tmp_path / "album", 1)
    gone = "http://127.0.0.1:9/v1"
    for words, told in (
        ([str(captions), "--chat", gone], "has captions only"),
        ([str(album)], "--chat"),
        ([str(album), "--chat", gone, "--language", "fr"], "--language is en or zh"),
        ([str(album), "--chat", gone, "--no-index"], "--out"),
        ([str(album), "--chat", gone, "--dimensions", "smell"], "no dimension 'smell'; there are scene, objects"),
        ([str(album), "--chat", gone], "no server answers"),
        ([str(tmp_path / "none"), "--chat", gone], "no such folder"),
    ):
        code, _, errors = in_process("describe", *words)
        assert code == 2 and told in errors, errors
        assert "not indexed yet" not in errors, "before any work"
