"""Recipes: settings with a name; a misspelt one is an error, and options decide over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import gallery as some_gallery
from whichpic.dialogue import BeliefSettings, Marked, believe
from whichpic.dialogue.events import Record
from whichpic.errors import QueryError, SessionError
from whichpic.prompts import _read
from whichpic.settings import settings
from whichpic.simulate.prepare import merged, place_of, prepare
from whichpic.simulate.recipes import list_recipes, load_recipe


def test_the_recipes_that_come_with_whichpic_can_be_read() -> None:
    assert {"real-photos", "drawn-world"} <= set(list_recipes())
    for name in list_recipes():
        assert load_recipe(name).about, name


def test_a_recipe_states_its_settings() -> None:
    recipe = load_recipe("real-photos")
    assert recipe.name == "real-photos" and recipe.get("play", "questions") == 5
    assert recipe.get("user", "errors") == 0.1 and recipe.get("user", "ignorance") == 0.2
    assert recipe.get("user", "nothing", "default") == "default"


def test_query_rewritings_query_is_its_merged_sentence_alone() -> None:
    album = some_gallery(20)
    belief = BeliefSettings.of(load_recipe("query-rewriting").get("session", "belief"))
    marked = Record(0, Marked(tuple(album.ids[:5]), (album.ids[1],)))
    assert belief.alphas["expand"] == 1 and np.ptp(believe(album, [marked], belief).log) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[play]\nquestion = 5", r"'question' in \[play\]; known are: questions, stop"),
        ("[plya]\nquestions = 5", "'plya'; known are about and the tables album"),
        ("play = 3", "'play'"),
        ("[play", "is not TOML"),
        ("[targets]\nfile = 5", r"\[targets\] file is a path in quotes, not 5"),
    ],
)
def test_what_a_recipe_may_not_say(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(QueryError, match=reason):
        load_recipe(path)


def test_a_name_that_is_none_names_those_there_are() -> None:
    with pytest.raises(QueryError, match=r"there are: .*drawn-world"):
        load_recipe("drwan-world")
    with pytest.raises(QueryError, match="no recipe file"):
        load_recipe("nowhere/mine.toml")


def test_options_decide_and_none_decides_nothing() -> None:
    tables = merged({"play": {"questions": 5, "seed": 1}}, {"play": {"questions": None, "seed": 2}})
    assert tables == {"play": {"questions": 5, "seed": 2}}


def test_an_album_is_named_once() -> None:
    assert place_of({"album": {"path": "world:30", "world": 2000}}).world == 30
    assert place_of({"album": {"path": "photos", "world": 2000}}).world == 0
    for album in ({}, {"path": "world:many"}, {"path": "world:0"}, {"world": -1}, {"world": "2000"}):
        with pytest.raises(QueryError):
            place_of({"album": album})


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("play", "questions", -1),
        ("play", "questions", "five"),
        ("play", "shown", 0),
        ("play", "stop", "sometimes"),
        ("play", "not_found", "-1"),
        ("user", "kind", "oracle"),
        ("user", "errors", 1.5),
        ("user", "errors", "many"),
        ("user", "errors", float("nan")),
        ("play", "least_gain", float("nan")),
        ("session", "language", "de"),
        ("user", "evidence", "astral"),
        ("opening", "kind", "poem"),
        ("session", "chooser", "best"),
        ("session", "asker", "nobody"),
        ("session", "rewriter", "llm"),
        ("session", "belief", {"gamma": 1}),
        ("targets", "n", -3),
        ("targets", "folder", "nowhere"),
    ],
)
def test_a_setting_that_makes_no_sense_is_an_error_before_anything_is_played(
    table: str, key: str, value: object
) -> None:
    tables = merged({"album": {"world": 20}, "user": {"kind": "facts"}}, {table: {key: value}})
    with pytest.raises((QueryError, SessionError)):
        prepare(tables, name="test")


def test_the_header_states_everything_that_was_resolved() -> None:
    tables: dict[str, dict[str, object]] = {
        "album": {"world": 20},
        "user": {"kind": "facts"},
        "session": {"belief": {"eps": {"facts": 0.01}}},
    }
    header = prepare(tables, name="test").header
    assert header["settings"]["play"] == {
        "questions": 5, "stop": "never", "shown": 10, "least_gain": 0.01, "gain": False, "not_found": "ranked", "seed": 0,
    }  # fmt: skip
    assert header["settings"]["user"]["errors"] == 0 and header["settings"]["opening"] == {"kind": "object"}
    assert header["belief"]["eps"] == {**BeliefSettings().eps, "facts": 0.01}
    assert header["pictures"] == 20 and header["warnings"] == []


def test_a_header_states_prompts_that_are_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with other prompts is another run, and is not gone on with in the same file."""
    tables = {
        "album": {"path": "x"},
        "session": {"asker": "captions", "chat": "ollama:m"},
        "user": {"kind": "captions"},
    }
    album = some_gallery(10, captions=["a red thing"] * 10)
    (tmp_path / "en").mkdir()
    monkeypatch.setenv("WHICHPIC_PROMPTS", str(tmp_path))
    stated = []
    for text in ("", "Ask: $said", "Do ask: $said"):
        if text:
            (tmp_path / "en" / "ask-captions.txt").write_text(text, encoding="utf-8")
        for cached in (settings, _read):
            cached.cache_clear()
        stated.append(prepare(tables, name="x", gallery=album).header["settings"]["session"].get("prompts"))
    monkeypatch.undo()
    for cached in (settings, _read):
        cached.cache_clear()
    assert stated[0] is None and len(set(stated)) == 3


def test_a_rewriter_of_the_beliefs_constants_needs_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHICHPIC_CHAT", raising=False)
    tables: dict[str, dict[str, object]] = {
        "album": {"path": "x"},
        "session": {"belief": {"rewriter": "reconstruct"}},
        "user": {"kind": "captions"},
    }
    with pytest.raises(QueryError, match=r"the rewriter reconstruct, which the belief's constants name, needs a model"):
        prepare(tables, name="x", gallery=some_gallery(10, captions=["a red thing"] * 10))
