"""`whichpic fit` as a person uses it: an album, recorded dialogues, a file of constants that talk and simulate take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy", reason="fitting needs the extra lab")

THINGS = ("kite", "boat", "cat", "market", "bridge", "bench", "umbrella", "horse", "noodle", "tower", "surfer", "lemon")


def run(*words: str | Path, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1", **more}
    return subprocess.run(
        [sys.executable, "-m", "whichpic", *map(str, words)], capture_output=True, text=True, env=environment,
        timeout=60, input="", check=False,
    )  # fmt: skip


@pytest.fixture
def album(tmp_path: Path) -> tuple[Path, Path]:
    """48 pictures of two things each, by captions alone, and a dialogue about each."""
    told = [(a, b) for k, a in enumerate(THINGS) for b in (THINGS * 2)[k + 1 : k + 5]]
    texts = tmp_path / "pictures.jsonl"
    texts.write_text("\n".join(json.dumps({"id": f"p{k}", "captions": [f"a {a} and a {b}"]})
                               for k, (a, b) in enumerate(told)))  # fmt: skip
    dialogues = tmp_path / "dialogues.json"
    dialogues.write_text(json.dumps([{"img": f"p{k}", "dialog": [f"a {a}", f"what is beside it? a {b}"]}
                                     for k, (a, b) in enumerate(told)]))  # fmt: skip
    assert run("index", texts, home=tmp_path / "home").returncode == 0
    return texts, dialogues


def test_constants_are_fitted_written_with_their_provenance_and_used(album: tuple[Path, Path], tmp_path: Path) -> None:
    texts, dialogues = album
    out = tmp_path / "belief.json"
    done = run("fit", texts, dialogues, "--out", out, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "| turn | Recall@10 |" in done.stdout and "BRI" in done.stdout
    written = json.loads(out.read_text())
    assert written["provenance"]["n"] == 48 and "held_out" in written["provenance"]
    assert written["settings"]["reply_weights"]["text_words"] > 0
    played = run("simulate", texts, "--user", "replay", "--dialogues", dialogues, "--belief", out, "--out",
                 tmp_path / "d.jsonl", home=tmp_path / "home")  # fmt: skip
    assert played.returncode == 0, played.stderr
    header = json.loads((tmp_path / "d.jsonl").read_text().splitlines()[0])
    assert header["belief"]["reply_weights"] == written["settings"]["reply_weights"]
    found = run("find", texts, "a kite", "--json", home=tmp_path / "home", WHICHPIC_BELIEF=str(out))
    assert found.returncode == 0 and json.loads(found.stdout)
    # A file of constants turns no rewriter on, also where the dialogues were held with one.
    lines = (tmp_path / "d.jsonl").read_text().splitlines(keepends=True)
    header["belief"]["rewriter"] = "reconstruct"
    (tmp_path / "d.jsonl").write_text("".join([json.dumps(header) + "\n", *lines[1:]]))
    done = run("fit", texts, tmp_path / "d.jsonl", "--what", "models", "--out", out, home=tmp_path / "home")
    assert done.returncode == 0 and "rewriter" not in json.loads(out.read_text())["settings"], done.stderr


def test_bad_input_is_one_line(album: tuple[Path, Path], tmp_path: Path) -> None:
    texts, dialogues = album
    few = tmp_path / "few.json"
    few.write_text(json.dumps(json.loads(dialogues.read_text())[:3]))
    for words in (("fit", texts, few), ("fit", texts, texts, "--what", "all"), ("fit", texts, tmp_path / "no.json"),
                  ("fit", texts, dialogues, "--from", texts)):  # fmt: skip
        done = run(*words, "--out", tmp_path / "b.json", home=tmp_path / "home")
        assert done.returncode == 2 and len([line for line in done.stderr.splitlines() if "encoder:" not in line]) <= 2
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "b.json").exists()
    refused = run("fit", texts, dialogues, "--seed", "-1", home=tmp_path / "home")
    assert refused.returncode == 2 and "--seed" in refused.stderr and "Traceback" not in refused.stderr
