"""`whichpic prompts`: what models are asked, to read and to change."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest

from tests.cli.model_server import in_process
from whichpic.prompts import LANGUAGES, names, shipped


def test_prompts_are_listed_shown_copied_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, listed, _ = in_process("prompts")
    assert {line.split()[0] for line in listed.splitlines()} == set(names())
    _, shown, _ = in_process("prompts", "--show", "describe-scene", "--language", "zh")
    assert "场景" in shown and "\n---\n" in shown
    mine = tmp_path / "mine"
    _, copied, _ = in_process("prompts", "--copy", str(mine))
    assert len(list(mine.glob("*/*.txt"))) == int(copied.split()[0])
    (mine / "en" / "describe-scene.txt").write_text("What is it?")
    in_process("prompts", "--copy", str(mine))  # what was edited is not overwritten
    monkeypatch.setenv("WHICHPIC_PROMPTS", str(mine))
    assert in_process("prompts", "--show", "describe-scene")[1] == "What is it?\n"
    plain = json.loads(in_process("prompts", "--json")[1])
    own = {(path.stem, path.parent.name) for path in mine.glob("*/*.txt")}
    assert {(each["name"], each["language"]) for each in plain if each["own"]} == own
    code, _, errors = in_process("prompts", "--show", "../../secret")
    assert code == 2 and "no prompt is called" in errors


@pytest.mark.parametrize("name", names())
def test_every_prompt_is_there_in_both_languages_with_the_same_places(name: str) -> None:
    places = []
    for language in LANGUAGES:
        text = (shipped() / language / f"{name}.txt").read_text(encoding="utf-8")
        assert text.strip() and not re.search(r"[\x00-\x08\x0b-\x1f]", text)
        places.append(set(string.Template(text).get_identifiers()))
    assert places[0] == places[1]


def test_a_folder_of_prompts_that_is_not_there_is_told_before_a_model_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHICHPIC_PROMPTS", str(tmp_path / "mine"))
    for words in (("prompts",), ("ask", "What is it?", "--chat", "http://127.0.0.1:9/v1#m")):
        code, _, errors = in_process(*words)
        assert code == 2 and f"whichpic prompts --copy {tmp_path / 'mine'}" in errors and errors.count("\n") == 1, (
            errors
        )
    assert in_process("prompts", "--copy", str(tmp_path / "mine"))[0] == 0
    assert in_process("prompts")[0] == 0
