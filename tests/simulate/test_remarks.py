"""What a caption user says in a few words: one phrase of one caption, about what was not said yet."""

from __future__ import annotations

from whichpic.dialogue.events import Question
from whichpic.dialogue.likelihood import OTHER
from whichpic.dialogue.phrases import ask
from whichpic.simulate.entailment import Captions
from whichpic.simulate.remarks import LONGEST, remark, remarks
from whichpic.simulate.users import Reply, Target, UserSettings, dialogue_seed, user
from whichpic.types import Fact

MEADOW = Captions(
    ("Two women with cows and an old dog in a green meadow.", "Three girls standing on a hill next to the cattle.")
)
TOLD = Target("t", captions=MEADOW.texts)


def opened(attribute: str, *names: str, language: str = "en") -> Question:
    return ask(attribute, (*names, OTHER), language=language, source="names")


def test_a_remark_is_a_noun_phrase() -> None:
    assert {each.words for each in remarks(MEADOW)} >= {"old dog", "green meadow", "hill", "cows"}
    assert all(len(each.words.split()) <= LONGEST for each in remarks(MEADOW))
    assert [each.words for each in remarks(Captions(("A close up view of a red wooden door.",)))] == ["red wooden door"]


def test_what_was_said_is_not_said_again_and_places_are_around() -> None:
    found = remarks(MEADOW)
    around = remark(found, "around", {"cow"})
    assert around is not None and around.words in ("green meadow", "hill")
    again = remark(found, "around", {"cow", around.name, around.words})
    assert again is not None and again.words != around.words
    assert remark(remarks(Captions(("A dog.",))), "else", {"dog"}) is None


def test_an_option_where_captions_name_it_else_a_few_words_else_nothing() -> None:
    some = user(UserSettings(evidence="lexical"), TOLD, seed=1, opens="object")
    assert some.answer(opened("else", "boat", "dog")) == Reply(1)
    first = some.answer(opened("around", "boat"))
    second = some.answer(opened("background", "boat"))
    assert first.option == 1 and {first.words, second.words} == {"green meadow", "hill"}
    assert some.answer(opened("around", "boat")) == first  # asked again
    silent = user(UserSettings(evidence="lexical", says_more=False), TOLD, seed=1)
    assert silent.answer(opened("around", "boat")) == Reply(None)
    chinese = user(UserSettings(evidence="lexical"), TOLD, seed=1, opens="object", language="zh")
    assert chinese.answer(opened("detail", "dog", language="zh")).option == 0


def test_who_is_mistaken_names_what_is_not_there() -> None:
    settings = UserSettings(evidence="lexical", errors=1.0)
    people = [user(settings, TOLD, seed=dialogue_seed(0, str(k)), opens="object") for k in range(50)]
    wrong = {person.answer(opened("around", "boat")).words for person in people}
    assert len(wrong) > 10 and not wrong & {each.words for each in remarks(MEADOW)}
    chosen = {person.answer(opened("else", "dog", "woman", "boat")).option for person in people}
    assert chosen <= {2, 3}  # not the woman: she is there


def test_the_facts_user_names_what_is_there() -> None:
    facts = tuple(Fact("object", name, 1.0, "drawn", {"count": 1}) for name in ("dog", "ball"))
    person = user(UserSettings(kind="facts"), Target("t", facts=facts), seed=0)
    assert person.answer(opened("else", "boat")) == Reply(1, "a ball")
    assert person.answer(opened("detail", "boat")) == Reply(1)
