"""The check of rewritten sentences: what is lost is put back, what is invented is cut, in English and Chinese."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whichpic.dialogue import Answered, Option, Question, Said
from whichpic.dialogue.claims import claims, segments, stem
from whichpic.dialogue.denoise import agreeing, check

SAID = ["a dog on a beach", "there is a red umbrella", "no people"]
YES_NO = (Option("yes", "yes"), Option("no", "no"))


def answered(attribute: str, about: str, *values: str, option: int) -> Answered:
    return Answered(Question("?", tuple(Option(v, v) for v in values), attribute, about), option)


def asked(question: str, reply: str) -> Said:
    return Said.of(reply, asked=question)


def test_what_a_text_states() -> None:
    told = {
        (each.kind, each.name, each.of, each.negated)
        for each in claims("two brown dogs running on a sandy beach, no people")
    }
    assert told == {
        ("number", "2", "dog", False), ("colour", "brown", "dog", False), ("thing", "dog", "", False),
        ("word", "run", "", False), ("word", "sand", "", False), ("scene", "beach", "", False), ("thing", "person", "", True),
    }  # fmt: skip
    told = {(each.kind, each.name, each.of, each.negated) for each in claims("两个人拿着红色的雨伞，没有狗")}
    assert told == {("number", "2", "person", False), ("thing", "person", "", False), ("colour", "red", "umbrella", False),
                    ("thing", "umbrella", "", False), ("thing", "dog", "", True)}  # fmt: skip


def test_colours_are_of_their_things() -> None:
    of = {each.name: each.of for each in claims("the sky is blue and the man's hat is black, a red and white boat")}
    assert (of["blue"], of["black"], of["white"], of["red"]) == ("sky", "hat", "boat", "boat")


@pytest.mark.parametrize(("words", "same"), [("running runs run", True), ("cities city", True), ("horses horse", True),
                         ("buses bus", True), ("falls falling fall", True), ("riding rides ride", True),
                         ("grass grassy", True), ("string sting", False), ("car care", True)])  # fmt: skip
def test_stems(words: str, same: bool) -> None:
    assert (len({stem(word) for word in words.split()}) == 1) == same


def test_a_text_is_cut_where_its_clauses_are_joined() -> None:
    text = "a man with a red umbrella next to a car; no dog"
    assert [text[a:b].strip() for a, b in segments(text)] == [
        "a man",
        "with a red umbrella",
        "next to a car;",
        "no dog",
    ]


@pytest.mark.parametrize("sentence", [
    "a dog on a beach with a red umbrella and no people",
    "A red umbrella and a dog on the beach, without people.",
    "on a beach, a dog under a red umbrella; nobody is there",
])  # fmt: skip
def test_a_true_sentence_is_left_as_it_is(sentence: str) -> None:
    checked = check(sentence, SAID)
    assert checked.ok and not checked.repaired and checked.sentence == sentence


@pytest.mark.parametrize(("sentence", "lost", "invented"), [
    ("a dog with a red umbrella", "no people", ""),
    ("a brown dog on a beach with a red umbrella, no people", "", "brown dog"),
    ("a dog and a cat on a beach with a red umbrella, no people", "", "cat"),
    ("a dog on a beach with a blue umbrella and no people", "red umbrella", "blue umbrella"),
    ("a red dog on a beach with an umbrella and no people", "red umbrella", "red dog"),
    ("two dogs on a beach with a red umbrella, no people", "", "two dog"),
    ("a dog running on a beach with a red umbrella, no people", "", "running"),
    ("a dog on a beach with a red umbrella and people", "no people", "people"),
    ("an animal on a beach with a red umbrella, no people", "dog", ""),
    ("a beagle on a beach with a red umbrella, no people", "", "beagle"),
])  # fmt: skip
def test_an_untrue_sentence_is_mended(sentence: str, lost: str, invented: str) -> None:
    checked = check(sentence, SAID)
    assert checked.ok and checked.repaired
    assert not lost or lost in checked.lost
    assert not invented or invented in checked.invented
    again = check(checked.sentence, SAID)
    assert again.ok and not again.repaired


def test_a_sentence_that_lost_most_of_it_is_not_worth_mending() -> None:
    assert not check("a nice day", SAID).ok and not check("", SAID).ok


def test_where_a_denial_is_cut_its_clause_goes_with_it() -> None:
    checked = check(
        "a train by the water, the train is not facing towards the water", ["a train by the water", "it faces away"]
    )
    assert "towards" not in checked.sentence and "faces away" in checked.sentence


@pytest.mark.parametrize(("question", "sentence", "invented"), [
    ("Are there any other vehicles besides the buses?", "two red buses on a street", ""),
    ("Are all the buses red?", "two red buses on a street", ""),
    ("Is the street wet?", "two red buses on a wet street", "wet"),
    ("Is the driver wearing a hat?", "two red buses on a street, a hat", "hat"),
    ("Is there a dog?", "two red buses on a street, no dog", ""),
])  # fmt: skip
def test_what_a_no_denies(question: str, sentence: str, invented: str) -> None:
    checked = check(sentence, [Said.of("two red buses on a street"), asked(question, "no")])
    assert checked.ok and checked.invented == ((invented,) if invented else ())


def test_what_is_said_last_counts() -> None:
    assert check("a cat, no dog", ["a dog on grass", "no dog, a cat"]).lost == ("grass",)
    assert "dog" in check("a dog and a cat on grass", ["a dog on grass", "no dog, a cat"]).invented
    assert check("a dog on grass", ["no dog", "a dog on grass"]).ok


def test_replies_count_with_their_question() -> None:
    said = [Said.of("a man riding a wave"), asked("How many people are there?", "2"), asked("Is there a dog?", "no"),
            asked("What colour is the surfboard?", "red"), asked("Is it outdoors?", "yes, it is sunny"),
            asked("Is he wearing a hat?", "I can't tell")]  # fmt: skip
    true = "a man riding a wave on a red surfboard outdoors on a sunny day, two people, no dog"
    assert check(true, said) == check(true, said) and check(true, said).ok and not check(true, said).repaired
    wrong = check("two people, a man with a hat riding a wave on a blue surfboard on a sunny day", said)
    assert {"hat", "blue surfboard"} <= set(wrong.invented) and "red surfboard" in wrong.lost
    assert wrong.ok and "no dog" in wrong.sentence and "hat" not in wrong.sentence


def test_a_reply_is_about_the_thing_and_not_about_whose_it_is() -> None:
    said = [Said.of("a girl with a phone"), asked("What color is the girl's phone?", "black")]
    assert check("a girl with a black phone", said).invented == ()
    assert "black girl" in check("a black girl with a phone", said).invented


def test_answers_of_facts_may_be_stated_and_need_not() -> None:
    dog = answered("thing", "dog", "yes", "no", option=0)
    no_cat = answered("thing", "cat", "yes", "no", option=1)
    assert check("a beach with a dog", ["a beach"], settled=[dog]).sentence == "a beach with a dog"
    assert check("a beach", ["a beach"], settled=[dog]).ok
    assert check("a beach with a cat", ["a beach"], settled=[no_cat]).sentence.strip() == "a beach"


def test_hints_may_be_taken_up_and_need_not() -> None:
    hints = ["a brown dog next to a boat"]
    assert check("a brown dog on a beach, next to a boat", ["a dog on a beach"], hints=hints).ok
    assert check("a dog on a beach", ["a dog on a beach"], hints=hints).ok
    assert "car" in check("a dog on a beach and a car", ["a dog on a beach"], hints=hints).invented


def test_chinese_is_checked_and_mended_too() -> None:
    said = ["一只棕色的狗", "在沙滩上", "没有人"]
    assert not check("沙滩上的一只棕色的狗，没有人", said).repaired
    wrong = check("沙滩上的一只黑色的狗，旁边有一只猫", said)
    assert wrong.ok and "猫" not in wrong.sentence and "棕色" in wrong.sentence and "没有人" in wrong.sentence
    assert not check("a brown dog on a beach, no people", said).ok  # another language is not the user's


def test_a_sentence_that_grows_too_long_is_not_ok() -> None:
    assert not check("a dog", ["a dog", *(f"a {thing}" for thing in ("cat", "car", "boat"))], longest=4).ok


@pytest.mark.parametrize(("caption", "left"), [
    ("a black dog running on a beach with people in the background", "on a beach in the background"),
    ("a brown dog with a blue umbrella", "a brown dog"),
    ("a brown dog sits outdoors", ""),
    ("a cat", "a cat"),
    ("a crowd of people", ""),
    ("a brown dog under a tree", "a brown dog under a tree"),
])  # fmt: skip
def test_a_caption_is_cut_to_what_does_not_contradict(caption: str, left: str) -> None:
    assert agreeing(caption, ["a brown dog", "a red umbrella", "no people", "indoors"]) == left


def test_a_caption_yields_to_answers() -> None:
    no_dog = answered("thing", "dog", "yes", "no", option=1)
    assert agreeing("a beagle and a cat on a sofa", ["a cat"], settled=[no_dog]) == "and a cat on a sofa"
    green = answered("colour of car", "car", "green", "red", option=0)
    assert agreeing("a red car by the sea", [], settled=[green]) == "by the sea"
    two = answered("count", "cat", "0", "1", "2", "3+", option=2)
    assert agreeing("three cats, a bowl", [], settled=[two]) == "a bowl"


SOME = "a the red blue two dog cat beach umbrella no not with on under running tall ， 。 , 红色 的 狗 没有 在 沙滩"
WORDS = st.sampled_from(SOME.split())
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)


@given(TEXTS, st.lists(TEXTS.filter(lambda text: text.strip() != ""), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_whatever_a_model_writes_a_sentence_that_is_ok_stays_so(sentence: str, said: list[str]) -> None:
    checked = check(sentence, said)
    if checked.ok:
        again = check(checked.sentence, said)
        assert again.ok and not again.repaired and not again.lost and not again.invented


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_the_check(text: str) -> None:
    check(text, ["a dog"])
    check("a dog", [text or "x"])
    agreeing(text, ["a dog", "no cat"])
