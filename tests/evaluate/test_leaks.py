"""Dialogues that quote the documents they search are told; those that merely speak of the same picture are not."""

from __future__ import annotations

from whichpic.evaluate.leaks import leak_warnings, shared_text

THINGS = ("a red kite", "two old boats", "a sleeping cat", "a street market", "a wooden bridge", "an empty bench")
TARGETS = [f"{k}.jpg" for k in range(len(THINGS))]
DOCUMENTS = {
    f"{k}.jpg": (f"what is beside {thing} here? nothing much", f"is {thing} in the middle? yes it is on the left side")
    for k, thing in enumerate(THINGS)
}


def test_questions_taken_from_the_own_documents_are_a_leak() -> None:
    asked = [(thing, f"What is beside {thing} here? a tree") for thing in THINGS]
    (warning,) = leak_warnings(asked, TARGETS, DOCUMENTS)
    assert "100% of the questions" in warning
    assert "word for word" in warning


def test_answers_and_openings_are_told_apart() -> None:
    asked = [(f"once upon a time: {thing}", "and? Yes, it is on the left side!") for thing in THINGS]
    answers = next(each for each in shared_text(asked, TARGETS, DOCUMENTS) if each.part == "answers")
    assert answers.own == 1.0
    assert answers.others == 1.0  # everybody says it: nothing is given away
    assert not leak_warnings(asked, TARGETS, DOCUMENTS)

    quoted = [(f"is {thing} in the middle", "anything else? no") for thing in THINGS]
    (warning,) = leak_warnings(quoted, TARGETS, DOCUMENTS)
    assert "openings" in warning


def test_speaking_of_the_same_things_is_no_leak() -> None:
    asked = [(thing, f"Do you see anything near {thing} at all? hardly") for thing in THINGS]
    assert leak_warnings(asked, TARGETS, DOCUMENTS) == ()


def test_short_sentences_and_single_ones_prove_nothing() -> None:
    assert leak_warnings([("a dog", "is it sunny? yes")] * 5, TARGETS[:5], {"0.jpg": ("is it sunny? yes",)}) == ()
    one = [(THINGS[0], f"what is beside {THINGS[0]} here? no")]
    assert leak_warnings(one, TARGETS[:1], DOCUMENTS) == ()


def test_a_target_without_documents_is_passed_by() -> None:
    assert shared_text([("a very long opening sentence",)], ["elsewhere.jpg"], DOCUMENTS) == ()
