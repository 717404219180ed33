"""What a model proposes, and what of it is asked: nothing known, repeated or unanswerable, and nothing but words."""

from __future__ import annotations

import pytest

from whichpic.chat.structured import parse
from whichpic.dialogue import Answered, Option, Question, Said
from whichpic.dialogue.events import Record
from whichpic.dialogue.likelihood import NO, OTHER
from whichpic.dialogue.phrases import ask, read
from whichpic.dialogue.sifting import Proposal, Proposals, asked_texts, clean, settled, sift, told

SAID = (Record(0, Said.of("a woman with a red umbrella and a dog on a beach")),)


def proposal(question: str, *options: tuple[str, str]) -> Proposal:
    return Proposal.model_validate({"question": question, "options": [{"answer": a, "says": s} for a, s in options]})


def kept(question: str, *options: tuple[str, str], records: tuple[Record, ...] = SAID) -> Question | None:
    return next(iter(sift([proposal(question, *options)], records, asker="captions").kept), None)


def reason(question: str, *options: tuple[str, str], records: tuple[Record, ...] = SAID) -> str:
    return sift([proposal(question, *options)], records, asker="captions").dropped[0][1]


CATS = (("black", "a black cat"), ("ginger", "a ginger cat"))
YES_NO = (("yes", "a boat on the water"), ("no", "no boat"))


def test_a_good_question_is_asked_with_room_for_something_else() -> None:
    question = kept("What colour is the cat?", *CATS)
    assert question == Question(
        "What colour is the cat?",
        (Option("a black cat", "black"), Option("a ginger cat", "ginger"), Option(OTHER, "something else")),
        "asked", "cat", "encoder", "captions",
    )  # fmt: skip
    chinese = kept("猫是什么颜色的？", ("黑色", "一只黑猫"), ("橘色", "一只橘猫"))
    assert chinese is not None and chinese.options[-1].text == "都不是"


def test_yes_and_no_and_numbers_leave_nothing_else() -> None:
    asked = kept("Is there a boat on the water?", *YES_NO)
    assert asked is not None and [option.value for option in asked.options] == ["a boat on the water", NO]
    counted = kept("How many people are there?", ("none", "an empty beach"), ("one", "one person on a beach"))
    assert counted is not None and [o.value for o in counted.options] == ["an empty beach", "one person on a beach"]


def test_what_a_yes_says_is_read_off_the_question_where_the_model_did_not_say_it() -> None:
    asked = kept("Is there a boat on the water?", ("Yes.", ""), ("No.", ""))
    assert asked is not None and [option.value for option in asked.options] == ["a boat on the water", NO]
    assert reason("Was it taken in a hurry?", ("yes", ""), ("no", "")) == "few options"


@pytest.mark.parametrize(
    ("question", "options", "why"),
    [
        ("", CATS, "no question"),
        ("https://a.example", CATS, "no question"),
        ("What " + "very " * 60 + "long thing is it?", CATS, "too long"),
        ("What colour is the cat?", (("black " * 20, "a cat"), CATS[1]), "too long"),
        ("What colour is the cat and where is it?", CATS, "two questions"),
        ("Is it black? Or is it ginger?", CATS, "two questions"),
        ("猫是什么颜色的，还有几只？", CATS, "two questions"),
        ("Which of these pictures shows the cat?", CATS, "unanswerable"),
        ("What do all five images share?", CATS, "unanswerable"),
        ("Which camera was used?", (("Nikon", ""), ("Canon", "")), "unanswerable"),
        ("What year was it taken?", (("2014", ""), ("2015", "")), "unanswerable"),
        ("What is the file name?", CATS, "unanswerable"),
        ("What is the woman's name?", (("Alice", "a woman named Alice"), ("Eve", "a woman named Eve")), "unanswerable"),
        ("Is the cat the one on https://a.example/cats?", CATS, "unanswerable"),
        ("What stands in /etc/passwd on the wall?", CATS, "unanswerable"),
        ("What is in it?", (("this", "what picture 1 shows"), ("that", "what picture 2 shows")), "unanswerable"),
        ("照片是哪一年拍的？", CATS, "unanswerable"),
        ("第二张图里有什么？", CATS, "unanswerable"),
        ("What colour is the cat?", CATS[:1], "few options"),
        ("What colour is the cat?", (CATS[0], ("Black", "a black cat"), ("not sure", "")), "few options"),
        ("Is there a dog?", (("yes", "a dog"), ("no", "no dog")), "known"),
        ("What colour is the umbrella?", (("red", "a red umbrella"), ("blue", "a blue umbrella")), "known"),
    ],
)  # fmt: skip
def test_what_is_dropped_and_why(question: str, options: tuple[tuple[str, str], ...], why: str) -> None:
    assert reason(question, *options) == why


@pytest.mark.parametrize(
    "question",
    [
        "女人和狗在做什么？",
        "Is the dog asleep?",
        "Does the woman look at the camera?",
        "What is the woman holding?",
        "Is there a boat?",
    ],
)
def test_what_only_sounds_like_it_is_kept(question: str) -> None:
    assert kept(question, ("yes", "something that can be seen"), ("no", "nothing of it"))


def test_a_word_that_was_said_of_one_thing_answers_nothing_about_another() -> None:
    asked = kept("What colour is the boat?", ("red", ""), ("blue", ""))
    assert asked is not None and [option.value for option in asked.options] == ["red", "blue", OTHER]
    counted = kept("How many women are there?", ("one", "one woman"), ("several", "several women"))
    assert counted is not None and len(counted.options) == 2


def test_no_question_comes_twice_whoever_asked_it_and_however() -> None:
    cat = kept("What colour is the cat?", *CATS)
    assert cat is not None
    asked = (*SAID, Record(1, Answered(cat, None)))  # "not sure" included
    assert reason("What colour is the cat?", ("white", "a white cat"), CATS[0], records=asked) == "repeated"
    assert reason("What does the cat look like?", *CATS, records=asked) == "repeated"
    people = (Record(0, Answered(ask("people", ("none", "one"), language="en"), 1)),)
    assert reason("How many people are there?", ("one", "one man"), ("two", "two men"), records=people) == "repeated"
    thing = (Record(0, Answered(ask("thing", ("yes", "no"), about="boat", language="en"), None)),)
    assert reason("Is there a boat?", *YES_NO, records=thing) == "repeated"
    twice = sift([proposal("What colour is the cat?", *CATS)] * 2, (), asker="pictures")
    assert len(twice.kept) == 1 and twice.dropped[0][1] == "repeated"


def test_a_question_that_got_a_reply_in_words_is_asked_once_too() -> None:
    replied = (*SAID, Record(1, Said.of("on grass", asked="Where is the animal lying?")))
    assert asked_texts(replied) == ["Where is the animal lying?"]
    given = (("sofa", "an animal on a sofa"), ("floor", "an animal on the floor"))
    assert kept("Where is the animal lying?", *given)
    assert reason("Where is this animal lying?", *given, records=replied) == "repeated"


def test_an_answer_settles_what_it_says() -> None:
    boat = kept("What is on the water?", ("a boat", "a boat on the water"), ("a duck", "a duck on the water"))
    assert boat is not None
    answered = (*SAID, Record(1, Answered(boat, 0)))
    assert "boat" in settled(answered) and told(answered)[-1] == "a boat on the water"
    assert reason("Is there a boat?", ("yes", "a boat"), ("no", "no boat"), records=answered) == "known"
    other = (*SAID, Record(1, Answered(boat, 2)))
    assert told(other)[-1] == "What is on the water? something else" and "boat" not in settled(other)


def test_weak_models_are_understood() -> None:
    raw = '{"questions": [{"question": "1. What is the man holding? He holds a cup.", "options": ["a cup", "a phone", 2]}]}'
    found = sift(parse(raw, Proposals).questions, (), asker="captions").kept[0]
    assert found.text == "What is the man holding?"
    assert [option.value for option in found.options] == ["a cup", "a phone", "2", OTHER]


def test_texts_of_a_model_are_words_and_nothing_else() -> None:
    assert clean("a\x00 \x1b[31mred\u202e cat <img src=x onerror=alert(1)> **now**") == "a 31mred cat now"
    assert clean("see https://a.example/x?y and ../../etc/passwd or C:\\Windows\\x") == "see and or"
    assert len(clean("very long " * 10_000)) <= 400
    odd = kept("What colour is the cat?", ("<b>black</b>", "a black\ncat\x07"), ("ginger", "a ginger cat"))
    assert odd is not None and odd.options[0] == Option("a black cat", "black")


@pytest.mark.parametrize(
    ("question", "options", "words", "option", "rest"),
    [
        ("What colour is the cat?", CATS, "black", 0, ""),
        ("What colour is the cat?", CATS, "it is ginger", 1, ""),
        ("What colour is the cat?", CATS, "a ginger cat with a bell", None, "a ginger cat with a bell"),
        ("What colour is the cat?", CATS, "something else", 2, ""),
        ("What colour is the cat?", CATS, "not black", None, "not black"),
        ("What colour is the cat?", CATS, "white", None, "white"),
        ("Is there a boat on the water?", YES_NO, "yeah", 0, ""),
        ("Is there a boat on the water?", YES_NO, "I don't think so", 1, ""),
        ("水上有船吗？", (("有", "水上有船"), ("没有", "")), "好像没有吧", 1, ""),
        ("水上有船吗？", (("没有", ""), ("有", "水上有船")), "有的", 1, ""),
    ],
)
def test_free_words_mean_an_option_or_are_heard(
    question: str, options: tuple[tuple[str, str], ...], words: str, option: int | None, rest: str
) -> None:
    asked = kept(question, *options, records=())
    assert asked is not None
    reading = read(asked, words)
    assert (reading.option, reading.rest) == (option, rest)
    assert read(asked, "not sure").unsure


def test_an_example_of_the_prompt_is_no_question_unless_it_is_about_what_was_read() -> None:
    cat = proposal("What colour is the cat?", *CATS)
    prompt = 'Examples of good questions: "What colour is the cat?", "How many people are on the bench?"'
    beach = sift([cat], SAID, asker="captions", examples=prompt, grounds=["a beach at dusk"])
    assert beach.dropped == (("What colour is the cat?", "copied"),)
    assert sift([cat], SAID, asker="captions", examples=prompt, grounds=["a cat on a sofa"]).kept
