"""What models said is weighed by how well it told the target: a good judge more than a bad one, none as before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support import gallery
from whichpic.dialogue import BeliefSettings, Said
from whichpic.dialogue.events import Event, Marked, Noted
from whichpic.errors import QueryError
from whichpic.evaluate.fitting import fitted
from whichpic.evaluate.fitting_models import fit_models
from whichpic.evaluate.replaying import Heard, read_heard, replay, rewriter_of
from whichpic.search.gallery import Gallery
from whichpic.simulate.dialogues import Dialogue, Turn, write_dialogues

WORDS = ("kite", "harbour", "lemon", "bridge", "violin", "snow")


def looked(right: float, *, n: int = 60, seed: int = 0) -> tuple[Gallery, list[Heard]]:
    """Dialogues in which a judge looked at ten pictures, the target among them, and was right with this probability."""
    draw = np.random.default_rng(seed)
    words = draw.choice(WORDS, n).tolist()
    album = gallery(n, captions=[f"a {word}" for word in words])
    heard = []
    for at, word in enumerate(words):
        others = draw.choice(np.delete(np.arange(n), at), 9, replace=False).tolist()
        said = [(pic, pic == at if draw.random() < right else pic != at) for pic in (at, *others)]
        note = Noted(0, reranked=tuple((album.ids[pic], 0.9 if yes else 0.1) for pic, yes in said))
        heard.append(Heard(album.ids[at], album.ids[at], ((Said.of(f"a {word}"),),), (note,)))
    return album, heard


def test_a_good_judge_weighs_more_than_one_who_guesses() -> None:
    weights = {right: fit_models(*looked(right), BeliefSettings()).rerank for right in (0.5, 0.75, 0.95)}
    assert weights[0.5] < 0.3
    assert weights[0.5] < weights[0.75] < weights[0.95]
    assert weights[0.95] > 1.0


def test_without_notes_nothing_moves() -> None:
    album, heard = looked(0.9, n=10)
    silent = [replace(each, notes=()) for each in heard]
    assert fit_models(album, silent, BeliefSettings()) == BeliefSettings()


def rewritten(true: bool, n: int = 40) -> tuple[Gallery, list[Heard]]:
    """Dialogues whose sentence says the caption, or that of another picture."""
    draw = np.random.default_rng(3)
    pairs = [draw.choice(WORDS, 2, replace=False).tolist() for _ in range(n)]
    album = gallery(n, captions=[f"a {a} at the {b}" for a, b in pairs])
    heard = []
    for at, (a, b) in enumerate(pairs):
        sentence = f"a {a} at the {b}" if true else "a {} at the {}".format(*pairs[(at + 7) % n])
        events: tuple[tuple[Event, ...], ...] = ((Said.of(f"a {a}"),), (Said.of(f"a {b}"),))
        heard.append(Heard(album.ids[at], album.ids[at], events, (None, Noted(0, rewritten=sentence))))
    return album, heard


def test_a_sentence_that_is_not_true_gets_less_of_a_share() -> None:
    start = BeliefSettings.of({"rewriter": "reconstruct"})
    wrong = fit_models(*rewritten(False), start).alphas["reconstruct"]
    right = fit_models(*rewritten(True), start).alphas["reconstruct"]
    assert wrong < 0.5 < right


def test_a_file_of_dialogues_is_heard_with_its_notes(tmp_path: Path) -> None:
    album = gallery(20)
    target, other = album.ids[3], album.ids[5]
    turns = (
        Turn("said", "a dog", shown=(other, target), looked=((other, 0.1), (target, 0.9))),
        Turn("marked", "like this", marked=other, captions=((other, "a brown dog"),), rewritten="a brown dog"),
    )
    path = tmp_path / "dialogues.jsonl"
    belief = BeliefSettings.of({"rewriter": "expand"}).to_json()
    write_dialogues(path, {"name": "x", "belief": belief}, [Dialogue(target, target, turns)])
    (heard,) = read_heard(path, album)
    assert heard.notes == (
        Noted(0, reranked=((other, 0.1), (target, 0.9))),
        Noted(0, "a brown dog", ((other, "a brown dog"),)),
    )
    assert heard.turns[1] == (Marked((other, target), (other,)),)
    assert rewriter_of(path) == "expand"
    with_look = replay(album, [heard], BeliefSettings()).ranks.rank()[0, 0]
    without = replay(album, [replace(heard, notes=())], BeliefSettings()).ranks.rank()[0, 0]
    assert with_look < without


def test_what_is_fitted_has_a_name() -> None:
    album, heard = looked(0.95, n=40)
    assert fitted(album, heard, BeliefSettings(), what="models").rerank != BeliefSettings().rerank
    with pytest.raises(QueryError, match="models"):
        fitted(album, heard, BeliefSettings(), what="everything")
