"""The drawn world as a measure: what a way of asking needs, beside what is possible at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whichpic.search.gallery import Gallery
from whichpic.simulate.dialogues import Dialogue, Turn
from whichpic.simulate.parallel import Player, simulate
from whichpic.simulate.play import bound, turns_to
from whichpic.simulate.prepare import Prepared, Tables, merged, prepare
from whichpic.simulate.recipes import load_recipe
from whichpic.simulate.scenes import world

WORLD = world(200, captions=0)
SMALL: Tables = {
    "album": {"world": 200},
    "targets": {"n": 20},
    "play": {"questions": 25, "stop": "sure"},
}


def ready(tables: Tables, gallery: Gallery | None = WORLD) -> Prepared:
    return prepare(merged(load_recipe("drawn-world").tables, SMALL, tables), name="test", gallery=gallery)


def played(**tables: Mapping[str, Any]) -> list[Dialogue]:
    run = ready(tables)
    player = Player(run.gallery, run.plan)
    return [player.play(target) for target in run.targets]


def mean_turns(dialogues: list[Dialogue]) -> float:
    return float(np.mean([turns_to(each, never=26) for each in dialogues]))


def test_the_best_question_needs_hardly_more_than_what_answers_can_carry() -> None:
    asked = played()
    least = float(np.mean([bound(each) for each in asked]))
    assert least <= mean_turns(asked) <= 1.5 * least
    assert {each.ended for each in asked} == {"found"}
    drawn = played(session={"chooser": "random"}, play={"gain": False})
    assert mean_turns(asked) + 1 < mean_turns(drawn)


def test_nothing_is_known_before_the_first_answer() -> None:
    opened = played(targets={"n": 3}, play={"questions": 0})
    for each in opened:
        assert (each.turns[0].better, each.turns[0].ties) == (0, 199)
        assert each.turns[0].entropy == pytest.approx(math.log(200))
        assert each.turns[0].fits == each.turns[0].fits_absent == 0


def test_without_the_target_less_fits() -> None:
    last = [each.turns[-1] for each in played(targets={"n": 5}, play={"gain": False, "stop": "never", "questions": 8})]
    assert np.mean([turn.fits - turn.fits_absent for turn in last]) > 0.5


def test_lots_are_drawn_by_the_dialogue() -> None:
    lots: Tables = {"session": {"chooser": "random"}, "play": {"questions": 1, "gain": False}}
    first = [each.turns[1].text for each in played(**lots)]
    assert len(set(first)) > 5
    assert first == [each.turns[1].text for each in played(**lots)]
    assert first != [each.turns[1].text for each in played(**merged(lots, {"play": {"seed": 1}}))]


def test_what_an_erring_user_can_tell_is_less() -> None:
    def gains(**user: float) -> list[float]:
        return [each.turns[0].gain for each in played(user=user, targets={"n": 2}, play={"questions": 1})]

    true, errs, shrugs, both = gains(), gains(errors=0.2), gains(ignorance=0.25), gains(errors=0.15, ignorance=0.25)
    assert max(true) <= math.log(6)
    # Six options, a fifth wrong: at most log2 6 - h(.2) - .2 log2 5 = 1.40 bits of 2.58.
    assert max(errs) / math.log(2) <= 1.40 and min(errs) > 0.4 * max(true)
    assert shrugs == pytest.approx([0.75 * gain for gain in true], rel=1e-6)
    assert both == pytest.approx([0.75 * gain for gain in errs], rel=1e-6)


def test_turns_to_the_first_places() -> None:
    turns = (
        Turn("said", "", better=20, ties=5, shown=("b",)),
        Turn("answered", "", better=3, ties=30, shown=("b", "a")),
        Turn("answered", "", better=3, ties=6, shown=("a",)),
    )
    dialogue = Dialogue("a", "a", turns)
    assert turns_to(dialogue) == 2 and turns_to(dialogue, surely=False) == 1
    assert turns_to(dialogue, 1, never=7) == 7 and turns_to(dialogue, 1, surely=False) == 2
    assert turns_to(dialogue, 9) == math.inf


def test_workers_make_the_same_world(tmp_path: Path) -> None:
    run = ready({"album": {"world": 60}, "targets": {"n": 2}, "play": {"questions": 2, "gain": False}}, None)
    assert run.gallery.captions == {} and run.header["settings"]["album"]["world_captions"] == 0
    assert run.header["belief"]["eps"]["facts"] == 0.05 and run.header["settings"]["play"]["least_gain"] == -1
    here = simulate(run.place, run.plan, run.targets, tmp_path / "a", run.header, gallery=run.gallery)
    there = simulate(run.place, run.plan, run.targets, tmp_path / "b", run.header, workers=1)
    assert [[t.text for t in each.turns] for each in here] == [[t.text for t in each.turns] for each in there]
