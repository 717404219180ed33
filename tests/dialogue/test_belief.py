"""The belief: what each event does, and that the parts are the whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import whichpic
from tests.support import gallery
from whichpic.dialogue import Answered, BeliefSettings, Filtered, Marked, Option, Question, Said, Term, believe
from whichpic.dialogue.belief import without_denials
from whichpic.dialogue.events import Event, Record, Undo, effective
from whichpic.errors import SessionError

ALBUM = gallery(200)
SETTINGS = BeliefSettings()
DOG = Question("Does it show a dog?", (Option("yes", "yes"), Option("no", "no")), "thing", "dog")


def after(*events: Event, settings: BeliefSettings = SETTINGS):  # type: ignore[no-untyped-def]
    return believe(ALBUM, [Record(n, event) for n, event in enumerate(events)], settings)


def test_nothing_said_nothing_known() -> None:
    assert np.allclose(after().p, 1 / 200)


def test_a_sentence_raises_what_fits_it() -> None:
    best = after(Said.of("something red")).best(20)
    assert {int(i) % 10 for i in best} == {0}


def test_an_answer_moves_the_belief_by_its_likelihood_ratio() -> None:
    dogs = ALBUM.facts.thing("dog")
    before, then = after(), after(Answered(DOG, 0))
    ratio = then.log - before.log
    with_dog, without = ratio[dogs > 0.5], ratio[dogs == 0]
    yes = SETTINGS.silent + (SETTINGS.certain - SETTINGS.silent) * 0.9
    eps = SETTINGS.eps["facts"]
    assert np.allclose(with_dog, np.log((1 - eps) * yes + eps / 2), atol=1e-5)
    assert np.allclose(without, np.log((1 - eps) * SETTINGS.silent + eps / 2), atol=1e-5)


def test_a_detectors_silence_is_not_a_no() -> None:
    assert after(Answered(DOG, 0)).p[ALBUM.facts.thing("dog") == 0].min() > 0


def test_not_sure_changes_nothing() -> None:
    assert np.array_equal(after(Said.of("red")).log, after(Said.of("red"), Answered(DOG, None)).log)


def test_one_wrong_sentence_removes_nobody_for_good() -> None:
    wrong = after(Said.of("red"), Said.of("a dog that nobody has ever seen"))
    for part in wrong.parts:
        assert part.values.min() >= -SETTINGS.beta * SETTINGS.clip * 2 - 1e-6


def test_evidence_of_later_sentences_counts_less() -> None:
    once, twice = after(Said.of("red")), after(Said.of("red"), Said.of("red"))
    assert 1 < np.ptp(twice.log) / np.ptp(once.log) < 2


def test_the_parts_add_up_to_the_log_belief() -> None:
    belief = after(Said.of("red, no cat"), Answered(DOG, 1), Marked((ALBUM.ids[0], ALBUM.ids[1]), more=(ALBUM.ids[0],)))
    assert np.allclose(sum(part.values for part in belief.parts), belief.log, atol=1e-9)
    assert [part.kind for part in belief.parts] == ["denied", "said", "answered", "marked"]


def test_filters_are_a_mask_and_are_lifted_together() -> None:
    filtered = after(Said.of("red"), Filtered(("has=dog",)), Filtered(("folder=holiday",)))
    assert np.isneginf(filtered.log[~filtered.mask]).all()
    assert filtered.p.sum() == pytest.approx(1)
    assert after(Said.of("red"), Filtered(("has=dog",)), Filtered()).mask.all()


def test_filters_that_leave_nothing_leave_no_probability() -> None:
    nothing = after(Filtered(("has=dog", "has!=dog")))
    assert nothing.p.sum() == 0 and len(nothing.best(5)) == 0 and len(nothing.credible()) == 0


def test_what_is_denied_counts_against() -> None:
    dogs = ALBUM.facts.thing("dog") > 0.5
    belief = after(Said.of("red, no dog"))
    red = np.arange(200) % 10 == 0
    assert belief.p[red & ~dogs].mean() > 3 * belief.p[red & dogs].mean()


@pytest.mark.parametrize(
    ("said", "left", "denied"),
    [
        ("a beach, no people", "a beach", ("person",)),
        ("no dog", "", ("dog",)),
        ("a red car without a dog", "a red car", ("dog",)),
        ("海滩，没有人", "海滩", ("person",)),
        ("a dog", "a dog", ()),
    ],
)
def test_a_denial_is_taken_out_of_the_sentence(said: str, left: str, denied: tuple[str, ...]) -> None:
    assert without_denials(said) == (left, denied)


def test_more_like_this_raises_its_neighbours_and_less_lowers_them() -> None:
    shown = ALBUM.ids[:5]  # red, green, blue, yellow, purple
    reds = np.arange(200) % 10 == 0
    assert after(Marked(shown, more=(ALBUM.ids[0],))).p[reds].sum() > 0.15
    assert after(Marked(shown, less=(ALBUM.ids[0],))).p[reds].sum() < 0.1


def test_weighted_terms_for_and_against() -> None:
    mixed = after(Said((Term(text="red"), Term(text="blue", weight=-1.0))))
    assert int(mixed.best(1)[0]) % 10 == 0
    by_colour = [mixed.log[colour::10].mean() for colour in range(10)]
    assert by_colour[2] < min(by_colour[1], by_colour[3]) < by_colour[0]


def test_a_picture_as_the_query_finds_itself() -> None:
    assert after(Said((Term(picture=ALBUM.ids[17]),))).best(1)[0] == 17
    outside = Term.of_vector(ALBUM.picture_vector(23), "photo.jpg")
    assert after(Said((outside,))).best(1)[0] == 23


def test_a_vector_of_another_encoder_is_refused() -> None:
    with pytest.raises(SessionError, match="another encoder"):
        after(Said((Term.of_vector(np.ones(3, np.float32), "photo.jpg"),)))


def test_a_few_matching_captions_outweigh_the_picture_field() -> None:
    with_captions = gallery(200, captions=["my aunt Gertrude"] + ["somebody else"] * 99)
    belief = believe(with_captions, [Record(0, Said.of("aunt Gertrude"))], SETTINGS)
    assert belief.best(1)[0] == 0


def test_the_credible_set_holds_what_it_says() -> None:
    belief = after(Said.of("red"))
    inside = belief.credible(0.9)
    assert belief.p[inside].sum() >= 0.9
    assert belief.p[inside[:-1]].sum() < 0.9


def test_undo_takes_out_the_one_before_it() -> None:
    records = [Record(0, Said.of("red")), Record(1, Said.of("blue")), Record(2, Undo()), Record(3, Undo())]
    assert effective(records) == []
    assert effective([*records, Record(4, Said.of("green"))]) == [Record(4, Said.of("green"))]


def test_what_was_fitted_comes_with_its_provenance_and_is_used_for_its_encoder() -> None:
    shipped = json.loads((Path(whichpic.__file__).parent / "data" / "belief.json").read_text(encoding="utf-8"))
    assert BeliefSettings.fitted("names-1-0123abcd") == BeliefSettings.of(shipped["names"]["settings"])
    assert BeliefSettings.fitted("names-1-0123abcd") != BeliefSettings() == BeliefSettings.fitted("toy-1")
    for part in shipped["names"]["provenance"]:
        assert part["constants"] and part["from"]
