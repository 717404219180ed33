"""Simulated users: what they answer, what they cannot know, and slips that do not depend on the order of anything."""

from __future__ import annotations

import pytest

from tests.support import gallery
from whichpic.dialogue.events import Option, Question
from whichpic.dialogue.likelihood import COUNTS, NO, OTHER, YES
from whichpic.dialogue.phrases import ask
from whichpic.encoders.toy import Toy
from whichpic.errors import QueryError
from whichpic.simulate.entailment import Captions, Dense, holds, shows
from whichpic.simulate.openings import opening
from whichpic.simulate.targets import by_picture, choose, leaks, targets
from whichpic.simulate.users import Reply, Target, UserSettings, dialogue_seed, user
from whichpic.types import Fact

BEACH = Target(
    "t", captions=("Two men walk a brown dog on the beach.", "A dog and two people by the sea, no umbrella.")
)
FACTS = Target(
    "t",
    facts=(
        Fact("main", "dog", 1.0, "drawn"),
        Fact("object", "dog", 1.0, "drawn", {"count": 2}),
        Fact("object", "ball", 1.0, "drawn", {"count": 1}),
        Fact("scene", "beach", 1.0, "drawn"),
        Fact("people", "none", 1.0, "drawn"),
        Fact("place", "outdoors", 1.0, "drawn"),
        Fact("colour", "red", 1.0, "drawn"),
    ),
)
LEXICAL = UserSettings(kind="captions", evidence="lexical")


def question(attribute: str, *values: str, about: str = "") -> Question:
    return ask(attribute, values, language="en", about=about)


def says(target: Target, asked: Question, settings: UserSettings = LEXICAL) -> str | None:
    """The value of the option that the user chooses; None for "not sure"."""
    reply = user(settings, target, seed=1).answer(asked)
    return None if reply.option is None else asked.options[reply.option].value


def thing(name: str) -> Question:
    return question("thing", YES, NO, about=name)


def test_captions_tell_what_is_there_and_of_which_kind_it_is() -> None:
    assert says(BEACH, thing("dog")) == YES
    assert says(BEACH, thing("animal")) == YES
    assert says(BEACH, thing("umbrella")) == NO  # one of them says so
    assert says(BEACH, thing("toilet")) == NO  # not on a beach
    assert says(BEACH, thing("ball")) is None  # nobody mentions one, and there may be one


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (question("people", "none", "one", "two", "several"), "two"),
        (question("count", *COUNTS, about="dog"), "1"),
        (question("count", *COUNTS, about="umbrella"), "0"),
        (question("count", *COUNTS, about="kite"), None),
        (question("place", "indoors", "outdoors"), "outdoors"),
        (question("colour", "brown", "blue", OTHER), "brown"),
        (question("scene", "kitchen", "beach", OTHER), "beach"),
        (question("kind", "person", "animal", OTHER), "animal"),
        (question("light", "day", "night"), None),
    ],
)
def test_captions_tell_numbers_places_and_colours(asked: Question, answer: str | None) -> None:
    assert says(BEACH, asked) == answer


def test_a_person_says_what_is_when_no_option_does() -> None:
    person = user(LEXICAL, BEACH, seed=1)
    assert person.answer(question("kind", "vehicle", "food", OTHER)) == Reply(2, "a dog")
    assert person.answer(question("colour", "blue", "red", OTHER)) == Reply(2)
    short = user(UserSettings(evidence="lexical", says_more=False), BEACH, seed=1)
    assert short.answer(question("kind", "vehicle", "food", OTHER)) == Reply(2)


def test_a_colour_can_be_asked_of_a_thing() -> None:
    def colour_of(thing: str, *colours: str) -> Question:
        options = tuple(Option(colour, colour) for colour in (*colours, OTHER))
        return Question(f"What colour is the {thing}?", options, f"colour of {thing}", thing)

    assert says(BEACH, colour_of("dog", "black", "brown")) == "brown"
    assert says(BEACH, colour_of("man", "black", "brown")) is None
    assert user(LEXICAL, BEACH, seed=1).answer(colour_of("dog", "black")) == Reply(1)
    red = Target("t", facts=(*FACTS.facts, Fact("colour of ball", "red", 1.0, "drawn")))
    assert says(red, colour_of("ball", "red", "blue"), UserSettings(kind="facts")) == "red"
    assert says(red, colour_of("dog", "red", "blue"), UserSettings(kind="facts")) == OTHER


def test_in_chinese_what_is_said_is_chinese() -> None:
    asked = ask("kind", ("vehicle", "food", OTHER), language="zh")
    assert user(LEXICAL, BEACH, seed=1).answer(asked) == Reply(2, "狗")


@pytest.mark.parametrize(
    ("caption", "people"),
    [
        ("A man and a woman eat.", 2),
        ("A group of people at a table.", 3),
        ("A woman with three children", 3),
        ("People in the street", 3),
        ("A couple of cats", None),
        ("A couple on a bench", 2),
        ("A crowd of people", 3),
        ("A man rides while the man waves.", 1),
    ],
)
def test_people_are_counted_as_a_sentence_counts_them(caption: str, people: int | None) -> None:
    assert Captions((caption,)).count("person") == people


def test_silence_about_people_says_something_only_indoors() -> None:
    room, street = Captions(("A cat on a bed.",) * 3), Captions(("A bus on a street.",) * 3)
    assert shows(room, "person", None, "both") is False
    assert shows(street, "person", None, "both") is None
    assert shows(Captions(room.texts[:1]), "person", None, "both") is None


def test_dense_evidence_has_two_thresholds_and_names_come_first() -> None:
    red = Captions(("A red ball.",))
    dense = Dense(Toy(), sure_yes=0.9, sure_no=0.1)
    assert dense.nearest("red", red.texts) > 0.9 and dense.nearest("green", red.texts) < 0.1
    assert shows(red, "ball", dense, "both") is True and holds(red, "kite") is None
    assert dense.nearest("anything", ()) == 0.0


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (thing("dog"), YES),
        (thing("animal"), YES),
        (thing("cat"), NO),
        (question("count", *COUNTS, about="dog"), "2"),
        (question("count", *COUNTS, about="cat"), "0"),
        (question("people", "none", "one", "two", "several"), "none"),
        (question("scene", "kitchen", "street", OTHER), OTHER),
        (question("colour", "blue", "red", OTHER), "red"),
        (question("kind", "vehicle", "animal", OTHER), "animal"),
        (question("light", "day", "night"), None),
    ],
)
def test_what_is_no_fact_is_not_so_for_the_facts_user(asked: Question, answer: str | None) -> None:
    assert says(FACTS, asked, UserSettings(kind="facts")) == answer


def test_a_pick_goes_to_the_target_itself_then_to_what_is_most_like_it() -> None:
    seen = {"a": ("a dog", "a beach"), "b": ("a kitchen",), "c": ("a bus",)}
    settings = UserSettings(evidence="lexical")
    person = user(settings, BEACH, seed=1, describe=seen.__getitem__)
    asked = ask("pick", ("b", "a", OTHER), language="en", source="pick", pictures=("b", "a"))
    assert person.answer(asked).option == 1
    assert person.answer(ask("pick", ("b", "c", OTHER), language="en", source="pick", pictures=("b", "c"))).option == 2
    assert person.answer(ask("pick", ("b", "t", OTHER), language="en", source="pick", pictures=("b", "t"))).option == 1


def test_slips_come_at_their_rates_and_belong_to_the_question() -> None:
    settings = UserSettings(kind="facts", errors=0.1, ignorance=0.2)
    people = [user(settings, FACTS, seed=dialogue_seed(0, str(k))) for k in range(4000)]
    asked, other = thing("dog"), thing("ball")
    replies = [person.answer(asked) for person in people]
    [person.answer(other) for person in people]
    assert replies == [person.answer(asked) for person in people]  # whatever was asked in between
    assert sum(reply.option is None for reply in replies) / 4000 == pytest.approx(0.2, abs=0.02)
    assert sum(reply.option == 1 for reply in replies) / 4000 == pytest.approx(0.1, abs=0.015)
    assert replies != [person.answer(other) for person in people]


def test_openings() -> None:
    assert opening("caption", (), BEACH.captions) == "Two men walk a brown dog on the beach."
    assert opening("object", (), BEACH.captions) == "a dog"  # both name it
    assert opening("object", (), ("Three dogs run.", "dogs in snow")) == "dogs"
    assert opening("object", (), BEACH.captions, language="zh") == "狗"
    assert opening("object", FACTS.facts, ()) == "dogs"
    assert opening("object", (), ("An empty kitchen.",)) == "a kitchen"
    assert opening("object", (), ("Something odd.",)) == "Something odd."
    assert opening("dialogue", (), (), ("a red bus", "is it day? yes")) == "a red bus"
    for kind in ("dialogue", "caption", "object", "poem"):
        with pytest.raises(QueryError):
            opening(kind, (), ())  # type: ignore[arg-type]


def test_a_user_who_knows_nothing_is_an_error_that_says_what_would_do() -> None:
    with pytest.raises(QueryError, match="--captions"):
        user(LEXICAL, Target("t", dialogue=("a dog",)), seed=0, opens="dialogue")
    with pytest.raises(QueryError, match="--dialogues"):
        user(UserSettings(kind="replay"), BEACH, seed=0)
    with pytest.raises(QueryError, match="--user captions"):
        user(UserSettings(kind="facts"), BEACH, seed=0)
    with pytest.raises(QueryError, match="lexical"):
        user(UserSettings(), BEACH, seed=0)


def test_targets_are_found_by_id_path_or_file_name() -> None:
    album = gallery(20)
    first, second, third = album.ids[:3]
    texts = by_picture(
        album, {first: ("one",), "holiday/1.jpg": ("two",), "val2017/2.jpg": ("three",), "no.jpg": ("?",)}
    )
    assert texts == {first: ("one",), second: ("two",), third: ("three",)}
    assert choose(album, among=texts) == [first, second, third]
    assert all(path.startswith("home/") for each in choose(album, folder="home") for path in
               album.pictures[album.positions[each]].paths)  # fmt: skip
    with pytest.raises(QueryError, match="1 targets are not in the album, the first of them nowhere"):
        choose(album, ids=[first, "nowhere"])


def test_more_targets_hold_the_fewer_ones() -> None:
    album = gallery(50)
    some, more = choose(album, n=10, seed=3), choose(album, n=20, seed=3)
    assert set(some) < set(more) and some != choose(album, n=10, seed=4) and some == sorted(some)


def test_an_album_that_holds_what_its_users_say_is_a_leak() -> None:
    captioned = gallery(3, captions=["a red dog", "a cat", ""])
    known = targets(captioned, captioned.ids)
    assert known[0].captions == ("a red dog",) and "2 of 3 targets" in leaks(captioned, known)[0]
    assert leaks(captioned, targets(captioned, captioned.ids, captions={captioned.ids[0]: ("something else",)})) == ()
