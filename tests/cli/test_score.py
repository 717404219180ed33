"""`whichpic score` as a person or a script uses it: published layouts written small, an album of captions, our own runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from whichpic.simulate.dialogues import Dialogue, Turn, write_dialogues

THINGS = ("a red kite over a beach", "two old boats on the sand", "a sleeping cat", "a street market at night",
          "a wooden bridge in the mist", "an empty bench under a tree", "a child with a yellow umbrella",
          "three horses behind a fence", "a plate of noodles", "a clock tower in the rain", "a surfer on a wave",
          "a bowl of lemons")  # fmt: skip
MORE = ("someone flies it from the shore", "the tide is out and they lie dry", "it is curled up on a chair",
        "lamps hang over the stalls", "the river below is hidden", "leaves lie around it", "wet pavement all around",
        "a foal among them", "chopsticks lie beside", "its hands show noon", "foam all about", "one is cut open")  # fmt: skip


def run(*words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1",
                   "TERMINAL_WIDTH": "200"}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "whichpic", *map(str, words)], capture_output=True, text=True, env=environment,
        timeout=60, input="", check=False,
    )  # fmt: skip


@pytest.fixture
def chatir(tmp_path: Path) -> Path:
    path = tmp_path / "chatir.json"
    dialogues = [
        {"img": f"p/{k}.jpg", "dialog": [thing, f"what more of it? {MORE[k]}"]} for k, thing in enumerate(THINGS)
    ]
    path.write_text(json.dumps(dialogues))
    return path


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "pictures.jsonl"
    told = [
        {"id": f"p/{k}.jpg", "captions": [f"here is {thing}", f"note: {MORE[-k - 1]}"]}
        for k, thing in enumerate(THINGS)
    ]
    path.write_text("\n".join(map(json.dumps, told)) + "\n")
    return path


def played(folder: Path, name: str, places: list[list[int]]) -> Path:
    """Dialogues of ours in which the target had these places, from 0."""
    dialogues = [
        Dialogue(f"d{k}", "t.jpg", tuple(Turn("said", f"turn {t}", better=better) for t, better in enumerate(each)))
        for k, each in enumerate(places)
    ]
    path = folder / f"{name}.jsonl"
    write_dialogues(path, {"name": name, "pictures": 1000, "encoder": "toy", "settings": {}}, dialogues)
    return path


def test_the_table_states_every_setting(chatir: Path, documents: Path, tmp_path: Path) -> None:
    done = run("score", chatir, "--documents", documents, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "chatir: 12 dialogues, 12 pictures" in done.stdout
    for said in ("searched by: BM25", "never found: cannot be", "ties: mean", "opening: ", "query: all rounds so far"):
        assert said in done.stdout
    first = next(line for line in done.stdout.splitlines() if line.strip().startswith("0  "))
    assert first.split()[1] == "100.00"  # every opening finds its document
    assert "harm:" in done.stdout


def test_copied_text_stands_at_the_head(chatir: Path, tmp_path: Path) -> None:
    done = run("score", chatir, "--documents", chatir, "--opening", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert any(warning.startswith("leak: 100% of the openings") for warning in summary["runs"][0]["warnings"])
    told = run("score", chatir, "--documents", chatir, "--opening", home=tmp_path)
    assert told.stdout.startswith("WARNING: leak")


def test_a_round_may_replace_what_was_said(chatir: Path, documents: Path, tmp_path: Path) -> None:
    def recall(form: str) -> list[float]:
        done = run("score", chatir, "--documents", documents, "--form", form, "-k", "1", "--json", home=tmp_path)
        assert done.returncode == 0, done.stderr
        values: list[float] = json.loads(done.stdout)["runs"][0]["by_turn"]["recall@1"]["value"]
        return values

    assert recall("joined")[1] > recall("replaced")[1]


def test_an_album_of_captions_is_searched(chatir: Path, documents: Path, tmp_path: Path) -> None:
    assert run("index", documents, "--encoder", "toy", home=tmp_path).returncode == 0
    for field in ("caption_words", "caption_vectors"):
        done = run("score", chatir, "--album", documents, "--field", field, "--json", home=tmp_path)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)["runs"][0]
        assert told["pool"] == 12
        assert told["settings"]["searched by"] == field.replace("_", " ")
    done = run("score", chatir, "--album", documents, "--field", "pictures", home=tmp_path)
    assert done.returncode == 2 and "captions only" in done.stderr


def test_two_runs_are_compared_turn_by_turn(tmp_path: Path) -> None:
    a = played(tmp_path, "first", [[30, 20, 15]] * 20)
    b = played(tmp_path, "second", [[30, 5, 2]] * 20)
    done = run("score", "--compare", a, b, "--samples", "200", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "second less first, the same dialogues" in done.stdout
    assert "+100.00" in done.stdout


def test_a_summary_for_the_report_and_tables_to_paste(tmp_path: Path) -> None:
    a = played(tmp_path, "ours", [[30, 20, 5], [2, 3, 40]])
    done = run("score", a, "--out", tmp_path / "out", "--markdown", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["whichpic_report"] == 1
    assert "| turn |" in done.stdout and "whichpic report" in done.stderr
    done = run("score", a, "--latex", home=tmp_path)
    assert "\\begin{tabular}" in done.stdout
    loose = [line for line in done.stdout.splitlines() if line.startswith("harm")]
    assert not loose  # what is no table is a comment


def test_published_figures_of_another_pool_carry_a_warning(tmp_path: Path) -> None:
    a = played(tmp_path, "ours", [[30, 20, 5], [2, 3, 40]])
    done = run("score", a, "--published", "plugir", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "50,000 pictures were searched there, 1,000 here" in done.stdout
    assert "plugir Recall@10" in done.stdout
    listed = run("score", "--published", "list", home=tmp_path)
    assert "chatir-human" in listed.stdout


def test_recipes_name_their_files_below_the_data_folder(tmp_path: Path) -> None:
    done = run("score", "--recipe", "text-proxy", "--data", tmp_path, home=tmp_path)
    assert done.returncode == 2
    assert "chatir/VisDial_v1.0_queries_val.json" in done.stderr and "--data DIR" in done.stderr
    record: dict[str, Any] = {"target_image_path": "1.jpg", "image_rankings": [4, 2], "original_query": "a dog",
                              "retrieved_images": [["2.jpg"], ["1.jpg"]]}  # fmt: skip
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(record) + "\n")
    done = run("score", path, "--recipe", "query-rewriting-flickr30k", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "31,783 pictures" in done.stdout and "WARNING: oracle" in done.stdout
    assert "R^T / F1 by turn: 0.00 % / 0.00 %, 100.00 % / 66.67 %" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["score"], "nothing to score"), (["score", "nowhere.json"], "there is no file nowhere.json"),
        (["score", "x", "--recipe", "nothing"], "no recipe is called"), (["score", "x", "--base", "3"], "from 0 or from 1"),
        (["score", "x", "--as", "odd"], "known are: whichpic"), (["score", "x", "-k", "ten"], "expected depths"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(words: list[str], says: str, tmp_path: Path) -> None:
    done = run(*words, home=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["score", "report"])
@pytest.mark.parametrize(("option", "value"), [("--seed", "-1"), ("--samples", "1000000000")])
def test_a_bootstrap_that_cannot_be_drawn_is_refused(command: str, option: str, value: str, tmp_path: Path) -> None:
    done = run(command, "x", option, value, home=tmp_path)
    assert done.returncode == 2
    assert option in done.stderr and "Traceback" not in done.stderr
