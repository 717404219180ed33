"""`whichpic simulate` as a script uses it: options over a recipe, comparison, going on after a kill, and clear errors."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whichpic.simulate.dialogues import read_dialogues

WORLD = ("simulate", "world:60", "--user", "facts", "--opening", "object", "--targets", "8", "--questions", "2")


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1",
            "TERMINAL_WIDTH": "200"}  # fmt: skip


def run(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "whichpic", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(home), timeout=60, cwd=home, check=False
    )


def dialogues_of(path: Path) -> str:
    """The dialogues of a file without their times."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return re.sub(r'"milliseconds": [0-9.e+-]+', "", "\n".join(lines))


def test_a_world_is_played_and_summed_up(tmp_path: Path) -> None:
    done = run(*WORLD, "--out", "d.jsonl", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "world:60: 8 dialogues among 60 pictures, in d.jsonl" in done.stdout and "Recall@10" in done.stdout
    header, dialogues = read_dialogues(tmp_path / "d.jsonl")
    assert len(dialogues) == 8 and header["settings"]["opening"] == {"kind": "object"}
    assert "whichpic score d.jsonl" in done.stderr


def test_options_decide_over_the_recipe(tmp_path: Path) -> None:
    done = run(*WORLD, "--recipe", "drawn-world", "--errors", "0.5", "--no-gain", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert told["pictures"] == 60 and told["name"] == "drawn-world" and told["belief"]["eps"]["facts"] == 0.05
    assert told["settings"]["user"]["errors"] == 0.5 and told["settings"]["play"]["questions"] == 2
    assert len(told["recall@10"]) == 3


def test_a_comparison_writes_one_file_for_each_way_of_asking(tmp_path: Path) -> None:
    done = run(*WORLD, "--compare", "eig,random,pick", "--out", "d.jsonl", home=tmp_path)
    assert done.returncode == 0, done.stderr
    asked = {way: read_dialogues(tmp_path / f"d.{way}.jsonl") for way in ("eig", "random", "pick")}
    assert asked["random"][0]["settings"]["session"]["chooser"] == "random"
    assert asked["pick"][0]["settings"]["session"]["asker"] == "pick"
    assert len({tuple(each.target for each in dialogues) for _, dialogues in asked.values()}) == 1


def test_recorded_dialogues_are_played_again(tmp_path: Path) -> None:
    captions = [{"id": f"{k}.jpg", "captions": [f"a {what} in the {where}"]} for k, (what, where) in
                enumerate((w, p) for w in ("dog", "cat", "bus") for p in ("park", "street", "snow"))]  # fmt: skip
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(each) + "\n" for each in captions), encoding="utf-8")
    rounds = [{"img": "4.jpg", "dialog": ["a cat", "Is it by a canal? no", "where is it? in the street"]}]
    (tmp_path / "rounds.json").write_text(json.dumps(rounds), encoding="utf-8")
    assert run("index", "corpus.jsonl", home=tmp_path).returncode == 0
    done = run("simulate", "corpus.jsonl", "--user", "replay", "--dialogues", "rounds.json", "--opening", "dialogue",
               "--out", "d.jsonl", home=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, (dialogue,) = read_dialogues(tmp_path / "d.jsonl")
    assert dialogue.target == "4.jpg" and [turn.text for turn in dialogue.turns] == rounds[0]["dialog"]


def test_users_who_say_what_the_album_holds_are_a_leak(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[user]\nkind = "captions"\nevidence = "lexical"\n', encoding="utf-8")
    done = run("simulate", "world:30", "--recipe", "mine.toml", "--targets", "3", "--questions", "1", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: leak" in done.stderr
    assert "3 of 3 targets" in read_dialogues(tmp_path / "dialogues.jsonl")[0]["warnings"][0]


def test_kill_9_loses_one_dialogue_at_most_and_the_end_is_the_same(tmp_path: Path) -> None:
    words = (*WORLD[:-3], "30", "--questions", "3")
    assert run(*words, "--out", "whole.jsonl", home=tmp_path).returncode == 0
    command = [sys.executable, "-m", "whichpic", *words, "--out", "killed.jsonl", "--workers", "1"]
    path = tmp_path / "killed.jsonl"
    child = subprocess.Popen(command, env=environment(tmp_path), cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and child.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") > 3:
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    done = run(*words, "--out", "killed.jsonl", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert dialogues_of(path) == dialogues_of(tmp_path / "whole.jsonl")


def test_a_file_of_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    assert run(*WORLD, "--out", "d.jsonl", home=tmp_path).returncode == 0
    done = run(*WORLD, "--errors", "0.2", "--out", "d.jsonl", home=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert "whichpic: d.jsonl holds dialogues of other settings (settings user" in done.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "no album is named"),
        (("nowhere",), "nowhere"),
        (("world:many",), "world:2000"),
        (("world:20", "--recipe", "nothing"), "no recipe is called 'nothing'; there are: "),
        (("world:20", "--user", "oracle"), "no user is called 'oracle'"),
        (("world:20", "--user", "facts", "--errors", "2"), "shares of the answers"),
        (("world:20", "--user", "facts", "--chooser", "best"), "no chooser is called 'best'"),
        (("world:20", "--user", "facts", "--targets", "nowhere.txt"), "nowhere.txt cannot be read"),
        (("world:20", "--user", "facts", "--workers", "-1"), "--workers"),
        (("world:20", "--user", "replay"), "--dialogues FILE"),
        (("world:20", "--user", "captions", "--captions", "nowhere.json"), "nowhere.json"),
    ],
)
def test_what_makes_no_sense_is_one_line(tmp_path: Path, words: tuple[str, ...], reason: str) -> None:
    done = run("simulate", *words, home=tmp_path)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("encoder", "warning"))]
    assert done.returncode == 2 and len(lines) == 1 and reason in lines[0], done.stderr
