"""`whichpic talk --chat` with a real process and a server on loopback: the list first, then what the model adds."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.chat.faulty import faulty
from tests.cli.test_commands import run
from tests.support import drawn_album, gallery
from whichpic.chat import Message
from whichpic.chat.scripted import Scripted
from whichpic.cli.thinking import STOPPED, waited
from whichpic.dialogue import Session


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    folder = drawn_album(tmp_path_factory.mktemp("album"), 20)
    assert run("index", str(folder), home=home).returncode == 0
    return folder


def reply(body: dict[str, Any]) -> str:
    text = json.dumps(body["messages"][-1], ensure_ascii=False)
    if "Describe this picture" in text:
        return "a red square"
    if "What was said" in text:
        return "a red wall with a purple cow, no dog"
    return "yes"


def test_the_query_that_a_model_wrote_is_shown_and_true(album: Path, home: Path) -> None:
    with faulty([], reply=reply) as server:
        done = run("talk", str(album), "--chat", server.url, "--rewriter", "reconstruct", "--rerank", "3", "-k", "3",
                   home=home, stdin="a red wall\nno dog\n/query\n/why 1\n")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("looking for: a red wall, no dog") == 2 and "cow" not in done.stdout
    assert "all together: a red wall, no dog" in done.stdout
    first = done.stdout.split("> no dog")[1]
    assert first.index(".png") < first.index("looking for")


@pytest.mark.parametrize("fault", ["hang", "500", "html"])
def test_a_server_with_a_fault_is_said_in_a_line(album: Path, home: Path, fault: str) -> None:
    began = time.perf_counter()
    with faulty(fault) as server:
        done = run("talk", str(album), "red", "--chat", server.url, "--asker", "captions", "--rewriter", "reconstruct",
                   "--deadline", "1", "-k", "3", home=home, stdin="no dog\n")  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert done.stderr.count("asked from facts") == 2 and done.stdout.count("\n? ") == 2
    assert time.perf_counter() - began < 12


@pytest.mark.parametrize(("words", "why"), [
    (["--rewriter", "reconstruct"], "the rewriter 'reconstruct' needs a model"),
    (["--rewriter", "nonsense"], "no rewriter is called 'nonsense'"),
    (["--rerank", "5"], "--rerank 5 needs a model"),
    (["--asker", "pictures"], "--chat"),
    (["--sampler", "nonsense"], "nonsense"),
])  # fmt: skip
def test_what_needs_a_model_says_so(album: Path, home: Path, words: list[str], why: str) -> None:
    done = run("talk", str(album), *words, home=home, stdin="red\n")
    assert done.returncode == 2 and why in done.stderr and "Traceback" not in done.stderr


def test_ctrl_c_goes_on_without_the_model() -> None:
    def stopped(messages: Sequence[Message]) -> str:
        raise KeyboardInterrupt

    chat = Scripted(stopped)
    session = Session(gallery(20), chat=chat, rewriter="reconstruct", asker="captions")
    session.say("red")
    session.say("a dog")
    assert not waited(session, session.refine, "thinking")
    assert session.trouble == STOPPED and session.question is not None and len(chat.asked) == 1


def test_slerp_needs_none(album: Path, home: Path) -> None:
    done = run("talk", str(album), "red", "--rewriter", "slerp", home=home, stdin="wall\n/why 1\n")
    assert done.returncode == 0 and "all together: the vectors of all that was said" in done.stdout
