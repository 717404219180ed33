"""`whichpic report` as a person or a script uses it: real processes, dialogues written by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import run
from tests.support import drawn_album
from whichpic.simulate.dialogues import Dialogue, Turn, write_dialogues


def dialogues(path: Path, *, name: str = "eig", ids: list[str] | None = None, n: int = 12, **header: Any) -> Path:
    """Dialogues of three turns: an opening that finds the target, an answer that loses it, another that helps."""
    ids = ids or [f"picture-{k}" for k in range(40)]

    def turn(k: int, t: int) -> Turn:
        better = k + (0, 7, 3)[t]
        return Turn("answered" if t else "said", f"what is said in turn {t}", shown=tuple(ids[k : k + 3]), better=better,
                    p_first=0.3, set_size=9, in_set=better < 9, fits=1.0, milliseconds=3.0)  # fmt: skip

    told = [Dialogue(f"d{k}", ids[k], tuple(turn(k, t) for t in range(3))) for k in range(n)]
    stated = {"name": name, "settings": {"opening": {"kind": "object"}}, "album": "v1", "encoder": "toy"}
    write_dialogues(path, {**stated, "pictures": len(ids), **header}, told)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_a_report_of_two_files_compares_them(tmp_path: Path, home: Path) -> None:
    files = [str(dialogues(tmp_path / f"{name}.jsonl", name=name)) for name in ("eig", "random")]
    done = run("report", *files, "--out", str(tmp_path / "reports" / "both"), "--samples", "50", home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "reports" / "both" / "index.html")
    text = (tmp_path / "reports" / "both" / "index.html").read_text(encoding="utf-8")
    assert "random, held against eig" in text and "what is said in turn 1" in text
    assert len(list((tmp_path / "reports" / "both").glob("rows.*"))) == 1


def test_a_summary_of_score_becomes_a_page_without_rows(tmp_path: Path, home: Path) -> None:
    file = dialogues(tmp_path / "eig.jsonl")
    assert run("score", str(file), "--samples", "50", "--out", str(tmp_path / "scored"), home=home).returncode == 0
    done = run(
        "report", str(tmp_path / "scored" / "summary.json"), "--out", str(tmp_path / "page"), "--json", home=home
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == ["index.html", "summary.json"]
    scored, written = (json.loads((tmp_path / each / "summary.json").read_text()) for each in ("scored", "page"))
    assert scored["runs"][0]["by_turn"] == written["runs"][0]["by_turn"]


def test_the_pictures_of_an_album_are_in_the_page(tmp_path: Path, home: Path) -> None:
    from whichpic.album.store import Store

    album = drawn_album(tmp_path / "album", 30)
    assert run("index", str(album), home=home).returncode == 0
    with Store.open(album) as store:
        ids = [picture.id for picture in store.pictures()]
    file = dialogues(tmp_path / "eig.jsonl", ids=ids, n=15)
    done = run(
        "report", str(file), "--album", str(album), "--out", str(tmp_path / "page"), "--language", "zh", home=home
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in text and "变差的对话" in text and re.search(r"(first|second)/\d+\.png", text)


def test_the_captions_of_a_data_set_stand_for_its_pictures(tmp_path: Path, home: Path) -> None:
    lines = [{"id": f"picture-{k}", "captions": [f"{k} <b>boats</b> at a quay"]} for k in range(40)]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    file = dialogues(tmp_path / "eig.jsonl")
    words = ("--album", str(tmp_path / "set.jsonl"), "--out", str(tmp_path / "page"), "--samples", "50")
    done = run("report", str(file), *words, home=home)
    assert done.returncode == 0, done.stderr
    assert "3 &lt;b&gt;boats&lt;/b&gt; at a quay" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")


def test_runs_of_one_name_are_called_after_their_files(tmp_path: Path, home: Path) -> None:
    files = [str(dialogues(tmp_path / f"{name}.jsonl", name="same")) for name in ("one", "two")]
    done = run("report", *files, "--out", str(tmp_path / "page"), "--samples", "50", home=home)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "page" / "summary.json").read_text())
    assert [each["name"] for each in summary["runs"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.jsonl"], "cannot be read"),
        (["{file}", "{file}"], "one file was given twice"),
        (["{file}", "--language", "fr"], "--language is en or zh, not 'fr'"),
        (["{file}", "-k", "ten"], "-k is a list of depths"),
        (["{file}", "--published", "nobody"], "no published system is called 'nobody'"),
        (["{file}", "--album", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, home: Path, words: list[str], said: str) -> None:
    file = dialogues(tmp_path / "eig.jsonl", n=3)
    done = run("report", *(word.format(file=file) for word in words), "--out", str(tmp_path / "page"), home=home)
    assert done.returncode == 2 and said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
