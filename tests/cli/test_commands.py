"""The command line as a person or a script uses it: real processes, the toy encoder, drawn pictures."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import drawn_album
from whichpic.cli.output import filled


def run(*words: str, home: Path, stdin: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1",
                   "TERMINAL_WIDTH": "200", **extra}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "whichpic", *words], capture_output=True, text=True, env=environment, timeout=60,
        input=stdin if stdin is not None else "", check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    folder = drawn_album(tmp_path_factory.mktemp("album"), 30)
    (folder / "broken.jpg").write_bytes(b"not a picture")
    done = run("index", str(folder), home=home)
    assert done.returncode == 0, done.stderr
    assert "30 pictures" in done.stdout and "skipped broken.jpg" in done.stderr
    return folder


def test_a_second_index_has_nothing_to_do(album: Path, home: Path) -> None:
    done = run("index", str(album), "--json", home=home)
    report = json.loads(done.stdout)
    assert report["unchanged"] == 30 and report["encoded"] == 0
    assert [skip["path"] for skip in report["skipped"]] == ["broken.jpg"]


def test_find_by_words_in_two_languages(album: Path, home: Path) -> None:
    english = json.loads(run("find", str(album), "red", "--json", home=home).stdout)
    chinese = json.loads(run("find", str(album), "红色", "--json", home=home).stdout)
    assert {each["path"] for each in english[:3]} == {each["path"] for each in chinese[:3]}
    assert {int(Path(each["path"]).stem) % 10 for each in english[:3]} == {0}


def test_find_by_a_picture_and_a_filter(album: Path, home: Path) -> None:
    like = json.loads(run("find", str(album), "--like", "second/0000.png", "--json", home=home).stdout)
    assert like[0]["path"] == "second/0000.png"
    mixed = json.loads(run("find", str(album), "red", "--like", "0.2:second/0000.png", "--json", home=home).stdout)
    assert mixed[0]["path"] == "second/0000.png"
    outside = json.loads(run("find", str(album), "--like", str(album / "first/0001.png"), "--json", home=home).stdout)
    assert outside[0]["path"] == "first/0001.png"
    inside = json.loads(run("find", str(album), "red", "--folder", "first", "--json", home=home).stdout)
    assert {each["path"].split("/")[0] for each in inside} == {"first"}


def test_talk_works_with_piped_input_and_is_kept(album: Path, home: Path) -> None:
    done = run("talk", str(album), home=home, stdin="something red\n?\n/more 1\n/why 1\n/undo\n/nonsense\n")
    assert done.returncode == 0, done.stderr
    assert "something red" in done.stdout and "+ strong" in done.stdout
    assert "there is no /nonsense" in done.stderr
    again = run("talk", str(album), "--resume", "last", home=home, stdin="/this 1\n")
    assert "found, after" in again.stdout


def test_the_query_is_said_anew_and_none_of_these_shows_others(album: Path, home: Path) -> None:
    done = run("talk", str(album), "-k", "4", home=home, stdin="something red\n/query something blue\n/query\n/none\n")
    assert done.returncode == 0, done.stderr
    assert "looking for: something blue" in done.stdout
    lists = [re.findall(r"^ +\d+ .* (\S+\.png)$", part, re.MULTILINE) for part in done.stdout.split("it is among")]
    red, blue, others = lists[:3]
    assert len(others) == 4 and red != blue and not set(blue) & set(others)


def test_a_slip_of_the_tongue_changes_nothing(album: Path, home: Path) -> None:
    slips = {"/filter has='dog": "not closed", "/show 0": "number from 1", "/like": "say which picture", "99": "options 1 to",
             "/undo 9": "only 1 to undo", "/ask 99": "questions are ready", "/why": "say which picture"}  # fmt: skip
    done = run("talk", str(album), home=home, stdin="\n".join(["something red", *slips, "/why 1"]) + "\n")
    assert done.returncode == 0, done.stderr
    for slip, told in slips.items():
        assert told in done.stderr, slip
    assert len(re.findall(r"^  [-+.] ", done.stdout, re.MULTILINE)) == 1  # one event, as before the slips


def test_a_strange_name_stays_on_its_line(tmp_path: Path, home: Path) -> None:
    folder = drawn_album(tmp_path / "my pictures", 2)
    (folder / "first" / "0001.png").rename(folder / "first" / "\x1b[31mtwo\nlines.png")
    indexed = run("index", str(folder), home=home)
    assert f"whichpic talk '{folder}'" in indexed.stdout
    found = run("find", str(folder), "green", home=home).stdout
    assert r"\x1b[31mtwo\nlines.png" in found and len(found.splitlines()) == 2


def test_an_album_where_nothing_can_be_read_is_an_error(tmp_path: Path, home: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    done = run("index", str(tmp_path), home=home)
    assert done.returncode == 2 and "no picture of" in done.stderr and "whichpic talk" not in done.stdout


def test_without_an_encoder_a_folder_is_left_as_it_was(tmp_path: Path) -> None:
    folder = drawn_album(tmp_path / "album", 2)
    done = run("find", str(folder), "red", home=tmp_path / "empty", WHICHPIC_ENCODER="names")
    assert done.returncode == 2 and not (folder / ".whichpic").exists()
    told = [line for line in done.stderr.splitlines() if line.startswith("whichpic: ")]
    assert len(told) == 1


def test_a_long_line_is_broken_between_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert filled(["? What is it?", "[1] an animal", "[2] 一只很大的狗", "[3] a chair"], "   ").splitlines() == [
        "? What is it?   [1] an animal",
        "    [2] 一只很大的狗   [3] a chair",
    ]


def test_copies_are_duplicates(tmp_path: Path, home: Path) -> None:
    folder = drawn_album(tmp_path / "album", 4)
    (folder / "again.png").write_bytes((folder / "second" / "0000.png").read_bytes())
    assert run("index", str(folder), home=home).returncode == 0
    assert "again.png  second/0000.png" in run("show", str(folder), "--duplicates", home=home).stdout


def test_filters_that_nothing_passes_are_told_apart(album: Path, home: Path) -> None:
    done = run("find", str(album), "red", "--folder", "first", "--after", "2020", home=home)
    assert done.returncode == 0 and done.stdout == ""
    assert "folder=first alone: 15, date>=2020 alone: 0, of 30" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(album: Path, home: Path) -> None:
    environment = {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1"}
    done = subprocess.Popen(
        [sys.executable, "-m", "whichpic", "find", str(album), "red", "-k", "30"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert done.stdout is not None and done.stderr is not None
    done.stdout.close()
    told = done.stderr.read().decode()
    done.stderr.close()
    assert done.wait(60) == 0 and "Error" not in told


def test_ctrl_c_is_one_line(tmp_path: Path, home: Path) -> None:
    folder = drawn_album(tmp_path / "album", 300)
    environment = {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1"}
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import whichpic.cli; whichpic.cli.main()"
    done = subprocess.Popen(
        [sys.executable, "-c", code, "index", str(folder)], stderr=subprocess.PIPE, env=environment, text=True
    )
    assert done.stderr is not None
    told = ""
    for line in done.stderr:
        told += line
        if "pictures: 1/" in line:
            done.send_signal(signal.SIGINT)
    done.stderr.close()
    assert done.wait(60) == 130, told
    assert "stopped; what was done is kept" in told and "Traceback" not in told


def test_talk_asks_in_chinese(album: Path, home: Path) -> None:
    done = run("talk", str(album), home=home, stdin="红色的东西\n不确定\n")
    assert re.search(r"\? [^\n]*[\u4e00-\u9fff]", done.stdout), done.stdout


def test_facts_of_one_picture(album: Path, home: Path) -> None:
    told = json.loads(run("facts", str(album / "second/0000.png"), "--json", home=home).stdout)
    assert {"attribute": "orientation", "value": "landscape"}.items() <= next(
        f for f in told if f["attribute"] == "orientation"
    ).items()
    assert any(fact["attribute"] == "colour" and fact["value"] == "red" for fact in told)


def test_show_lists_what_was_skipped(album: Path, home: Path) -> None:
    done = run("show", str(album), "--skipped", home=home)
    assert done.stdout.startswith("broken.jpg: ")


def test_an_unindexed_album_is_indexed_on_the_way(tmp_path: Path, home: Path) -> None:
    folder = drawn_album(tmp_path / "new", 6)
    found = run("find", str(folder), "blue", home=home)
    assert found.returncode == 0 and "not indexed yet" in found.stderr and "0002.png" in found.stdout.splitlines()[0]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """A data set of captions, without a picture on this machine."""
    file = tmp_path_factory.mktemp("said") / "said.jsonl"
    colours = ("red", "green", "blue", "yellow")
    lines = [{"id": f"val/{k}.jpg", "captions": [f"a {colours[k % 4]} thing, number {k}"]} for k in range(12)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = run("index", str(file), home=home)
    assert done.returncode == 0 and "12 pictures, 12 captions (12 added)" in done.stdout, done.stderr
    return file


def test_captions_alone_are_an_album(said: Path, home: Path) -> None:
    found = run("find", str(said), "red", "-k", "3", home=home).stdout.splitlines()
    assert all(re.fullmatch(r" +\d +.*% +val/(0|4|8)\.jpg +a red thing, number \d", line) for line in found), found
    assert "12 pictures known by their captions only, 12 captions" in run("show", str(said), home=home).stdout
    assert json.loads(run("index", str(said), "--json", home=home).stdout)["unchanged"] == 12


def test_talk_about_captions_alone(said: Path, home: Path) -> None:
    lines = "something red\n/why 1\n/more 1\n/like x.jpg\nnumber 4\n/this 1\n"
    done = run("talk", str(said), home=home, stdin=lines, WHICHPIC_PICTURES="blocks")
    assert done.returncode == 0 and "found, after 2 turns: val/4.jpg" in done.stdout, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("  ")]
    assert len(told) == 2 and all("captions only" in line for line in told)


BAD = {
    "no such folder": (["index", "{tmp}/nowhere"], "no such folder"),
    "a file for a folder": (["index", "{album}/broken.jpg"], "not a folder"),
    "an empty folder": (["index", "{tmp}"], "no picture"),
    "no picture to compare": (["show", "{said}", "--duplicates"], "has captions only"),
    "a picture where captions are": (["find", "{said}", "--like", "{album}/second/0000.png"], "has captions only"),
    "no such split": (["index", "{said}", "--split", "dev"], "no split 'dev'"),
    "a split of a folder": (["index", "{album}", "--split", "test"], "is a folder of pictures"),
    "a data set that is none": (["index", "{captions}.json"], "not JSON"),
    "an unknown encoder": (["find", "{album}", "red", "--encoder", "best"], "no encoder is called 'best'"),
    "nothing to find": (["find", "{album}"], "nothing to look for"),
    "an odd filter": (["find", "{album}", "red", "--where", "colour>3"], "colour"),
    "a fact that nobody knows": (["find", "{album}", "red", "--where", "flavour=sweet"], "flavour"),
    "a picture that is none": (["find", "{album}", "--like", "{album}/broken.jpg"], "broken.jpg"),
    "a wrong captions column": (["index", "{album}", "--captions", "{captions}", "--caption-column", "words"], "words"),
    "no session of that name": (["talk", "{album}", "--resume", "nothing"], "nothing"),
    "an unknown asker": (["talk", "{album}", "--asker", "psychic"], "psychic"),
    "a model that is not in the table": (["models", "get", "gpt-9"], "gpt-9"),
    "a set for a model": (["models", "add", "bundled", "{captions}"], "is a set"),
    "facts of a folder": (["facts", "{album}"], "not a file"),
    "an option that is no number": (["find", "{album}", "red", "-k", "many"], "valid integer"),
    "no picture at all": (["find", "{album}", "red", "-k", "0"], "greater than"),
    "blanks to find": (["find", "{album}", " "], "nothing to look for"),
    "no such orientation": (["find", "{album}", "red", "--orientation", "diagonal"], "landscape, portrait or square"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case: str, album: Path, said: Path, home: Path, tmp_path: Path) -> None:
    (tmp_path / "captions").mkdir()
    captions = tmp_path / "captions" / "c.csv"
    captions.write_text("image,caption\n0000.png,a red thing\n")
    captions.with_name("c.csv.json").write_text("{")
    empty = tmp_path / "empty"
    empty.mkdir()
    words, expected = BAD[case]
    done = run(*[word.format(tmp=empty, album=album, captions=captions, said=said) for word in words], home=home)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert expected in done.stderr and "Traceback" not in done.stderr
    if case not in ("an option that is no number", "no picture at all"):  # typer's own words
        told = [line for line in done.stderr.splitlines() if line.startswith("whichpic: ")]
        assert len(told) == 1


def test_no_permission_is_one_line(tmp_path: Path, home: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    folder = drawn_album(tmp_path / "closed", 2)
    folder.chmod(0)
    try:
        done = run("index", str(folder), home=home)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 2 and "permission" in done.stderr.lower()


def examples() -> list[str]:
    """Every "Example:" line of the help texts."""
    found = []
    for command in (["index"], ["find"], ["talk"], ["facts"], ["show"], ["doctor"], ["demo"], ["models", "list"],
                    ["models", "get"], ["models", "add"], ["models", "check"], ["models"]):  # fmt: skip
        told = run(*command, "--help", home=Path("/nonexistent")).stdout
        assert "Example: " in told, f"{command} has no example"
        found.append(re.search(r"Example: (whichpic (?:[^\n]|\n(?!\n))+)", told)[1])  # type: ignore[index]
    return found


def test_the_examples_of_the_help_texts_work(album: Path, home: Path) -> None:
    for example in examples():
        if re.search(r"demo|models (get|add)", example):
            continue  # these fetch; `make demo` runs them
        words = shlex.split(
            example.replace("~/Pictures/IMG_0001.jpg", str(album / "second/0000.png")).replace("~/Pictures", str(album))
        )
        done = run(*words[1:], home=home)
        assert done.returncode == 0, (example, done.stderr)


def test_help_and_import_are_quick(home: Path) -> None:
    """Generous bounds: a busy machine must not fail this, an import of a large library must. Figures: make bench."""
    began = time.perf_counter()
    assert run("--help", home=home).returncode == 0
    assert time.perf_counter() - began < 5
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, whichpic, whichpic.cli.app; print(*sorted(sys.modules))"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    heavy = {
        "numpy",
        "PIL",
        "onnxruntime",
        "tokenizers",
        "huggingface_hub",
        "torch",
        "openai",
        "pydantic",
        "rich.console",
    }
    assert not heavy & set(loaded)
