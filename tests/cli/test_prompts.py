"""`whichpic prompts`: what models are asked, to read and to change."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest

from tests.cli.test_commands import run
from whichpic.prompts import LANGUAGES, names, shipped


def test_prompts_are_listed_shown_copied_and_replaced(tmp_path: Path) -> None:
    listed = run("prompts", home=tmp_path)
    assert {line.split()[0] for line in listed.stdout.splitlines()} == set(names())
    shown = run("prompts", "--show", "describe-scene", "--language", "zh", home=tmp_path)
    assert "场景" in shown.stdout and "\n---\n" in shown.stdout
    mine = tmp_path / "mine"
    copied = run("prompts", "--copy", str(mine), home=tmp_path)
    assert len(list(mine.glob("*/*.txt"))) == int(copied.stdout.split()[0])
    (mine / "en" / "describe-scene.txt").write_text("What is it?")
    run("prompts", "--copy", str(mine), home=tmp_path)  # what was edited is not overwritten
    own = run("prompts", "--show", "describe-scene", home=tmp_path, WHICHPIC_PROMPTS=str(mine))
    assert own.stdout == "What is it?\n"
    plain = json.loads(run("prompts", "--json", home=tmp_path, WHICHPIC_PROMPTS=str(mine)).stdout)
    assert {(each["name"], each["language"]) for each in plain if each["own"]} == {
        (p.stem, p.parent.name) for p in mine.glob("*/*.txt")
    }
    odd = run("prompts", "--show", "../../secret", home=tmp_path)
    assert odd.returncode == 2 and "no prompt is called" in odd.stderr


@pytest.mark.parametrize("name", names())
def test_every_prompt_is_there_in_both_languages_with_the_same_places(name: str) -> None:
    places = []
    for language in LANGUAGES:
        text = (shipped() / language / f"{name}.txt").read_text(encoding="utf-8")
        assert text.strip() and not re.search(r"[\x00-\x08\x0b-\x1f]", text)
        places.append(set(string.Template(text).get_identifiers()))
    assert places[0] == places[1]
