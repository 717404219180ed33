"""`whichpic simulate` with a model: the recipes of two chat systems through batch files, killed, over processes, and scored."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulate.seeing import Seer, drawn
from whichpic.chat.batch import answer_batch

CHAIN = ("--recipe", "query-rewriting", "--encoder", "toy", "--chat", "batch:asked#seer", "--questions", "1")
_TIMES = re.compile(r'"milliseconds": [0-9.e+-]+')


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHICHPIC_")}
    return {**kept, "WHICHPIC_HOME": str(home), "WHICHPIC_OFFLINE": "1", "OMP_NUM_THREADS": "1",
            "TERMINAL_WIDTH": "200"}  # fmt: skip


def run(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "whichpic", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(home), timeout=120, cwd=home, check=False
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a drawn album and a recipe whose users read by names alone, for there are no weights here."""
    home = tmp_path_factory.mktemp("home")
    drawn(home / "album", 16)
    shipped = Path(__file__).parents[2] / "recipes" / "query-rewriting.toml"
    text = shipped.read_text(encoding="utf-8").replace("[user]\n", '[user]\nevidence = "lexical"\n')
    (home / "mine.toml").write_text(text, encoding="utf-8")
    return home


def words(*more: str, targets: int = 4) -> tuple[str, ...]:
    chain = tuple("mine.toml" if word == "query-rewriting" else word for word in CHAIN)
    return ("simulate", "album", *chain, "--targets", str(targets), *more)


def without_times(path: Path) -> str:
    return _TIMES.sub("", path.read_text(encoding="utf-8"))


def test_a_chain_through_files_ends_with_the_papers_table(home: Path) -> None:
    seer = Seer(home / "album").chat()
    for _ in range(8):
        done = run(*words("--out", "d.jsonl"), home=home)
        if done.returncode != 4:
            break
        assert re.search(r"whichpic: \d of 4 dialogues wait for a model's reply: .* whichpic batch asked", done.stderr)
        assert done.stdout == ""
        answer_batch(home / "asked", seer)
    assert done.returncode == 0, done.stderr
    assert "query-rewriting's table: the share of right pictures so far" in done.stdout
    assert re.search(r"turn +R@5 +R@10 +R@15 +R@20\n +0 +\d", done.stdout)
    scored = run("score", "d.jsonl", home=home)
    assert scored.returncode == 0, scored.stderr
    table = done.stdout[done.stdout.index("query-rewriting's table") :].strip()
    assert table in scored.stdout
    # The same over processes, and by somebody who was killed in the middle; all replies are there by now.
    assert run(*words("--out", "two.jsonl", "--workers", "2"), home=home).returncode == 0
    assert without_times(home / "two.jsonl") == without_times(home / "d.jsonl")
    command = [sys.executable, "-m", "whichpic", *words("--out", "killed.jsonl")]
    child = subprocess.Popen(
        command, env=environment(home), cwd=home, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    path = home / "killed.jsonl"
    while (
        time.monotonic() < until and child.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") > 1)
    ):
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert run(*words("--out", "killed.jsonl"), home=home).returncode == 0
    assert without_times(path) == without_times(home / "d.jsonl")


def test_the_oracle_is_warned_about_wherever_its_figures_are(home: Path) -> None:
    peeks = ("--user", "captions", "--feedback", "target", "--rewriter", "join", "--targets", "2", "--out", "o.jsonl")
    done = run("simulate", "album", "--recipe", "mine.toml", "--encoder", "toy", *peeks, home=home)
    assert done.returncode == 0 and "warning: oracle: " in done.stderr, done.stderr
    assert "WARNING: oracle: the user's feedback is chosen by the cosine" in run("score", "o.jsonl", home=home).stdout


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--recipe", "navigationir"), "the asker pictures needs a model: --chat URL_OR_MODEL"),
        (("--user", "chat"), "a chat user, who looks at its target, needs a model: --chat"),
        (("--rewriter", "expand"), "the rewriter expand needs a model"),
        (("--rewriter", "shorten"), "no rewriter is called 'shorten'"),
        (("--sampler", "best"), "no sampler is called 'best'"),
        (("--feedback", "peek", "--user", "facts"), "no feedback is called 'peek'"),
        (("--user", "facts", "--rerank", "-1"), "[session] rerank is a whole number"),
        (("--user", "facts", "--deadline", "0"), "[session] deadline is 0.0; expected seconds"),
    ],
)
def test_what_makes_no_sense_is_one_line(home: Path, more: tuple[str, ...], reason: str) -> None:
    done = run("simulate", "world:12", *more, "--out", "no.jsonl", home=home)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("encoder", "warning"))]
    assert done.returncode == 2 and len(lines) == 1 and reason in lines[0], done.stderr
