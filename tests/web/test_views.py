"""What a session looks like as plain data: what is in a picture, every kind of turn, and nothing that JSON cannot hold."""

from __future__ import annotations

import json

from tests.support import gallery
from whichpic.dialogue import Session, Term
from whichpic.dialogue.events import Noted
from whichpic.types import Picture
from whichpic.web.views import (
    alt_of,
    detail_of,
    picture_view,
    question_id,
    question_view,
    reason_views,
    state_of,
)

ALBUM = gallery(60, captions=["a red dog on a sofa"])


def view(session: Session) -> dict[str, object]:
    """A state as it goes over the wire."""
    state = state_of(session, album="mine", revision=1, k=6, questions=session.questions(), asking=False)
    found: dict[str, object] = json.loads(state.model_dump_json())
    return found


def test_alternative_texts_are_captions_else_what_was_seen() -> None:
    assert alt_of(ALBUM, ALBUM.ids[0]) == "a red dog on a sofa"
    seen = alt_of(ALBUM, ALBUM.ids[1])
    things = {fact.value for fact in ALBUM.facts_of(ALBUM.ids[1]) if fact.attribute == "object"}
    assert set(seen.split(", ")) <= things and len(seen.split(", ")) == min(4, len(things))


def test_every_kind_of_turn_has_its_words_and_its_pictures() -> None:
    session = Session(ALBUM)
    session.say("red")
    a, b, c = ALBUM.ids[:3]
    session.say_terms([Term(text="a boat", weight=-0.5), Term(picture=c)])
    question = session.question
    assert question is not None and question.options
    session.answer(0, question=question)
    session.mark(more=[a], less=[b])
    session.filter("folder=home")
    session.choose(a)
    turns = state_of(session, album="mine", revision=0, k=4, questions=[], asking=False).turns
    assert [turn.kind for turn in turns] == ["said", "said", "answered", "marked", "filtered", "chosen"]
    assert turns[1].what == "-0.5 x a boat" and turns[1].more[0].id == c
    assert turns[2].asked == question.text
    assert (turns[3].more[0].id, turns[3].less[0].id, turns[4].what, turns[5].more[0].id) == (a, b, "folder=home", a)
    assert [turn.turn for turn in turns] == list(range(6))


def test_a_sentence_of_a_model_is_said_to_be_one() -> None:
    session = Session(ALBUM)
    session.say("red")
    assert view(session)["rewritten"] is False
    session._keep(Noted(of=0, rewritten="a red thing"))
    assert view(session)["rewritten"] is True and view(session)["query"] == "a red thing"


def test_filters_add_up_until_they_are_lifted_and_nothing_infinite_is_sent() -> None:
    session = Session(ALBUM)
    session.filter("folder=home")
    session.filter("width>=900")
    assert view(session)["filters"] == ["folder=home", "width>=900"]
    out = next(each for each in ALBUM.pictures if each.paths[0].startswith("holiday"))
    reasons = reason_views(session, out.id)
    assert reasons[0].value is None and "filters" in reasons[0].what
    session.filter()
    assert view(session)["filters"] == []


def test_what_is_no_text_in_a_file_name_does_not_break_the_answer() -> None:
    odd = Picture(id="x", paths=("holiday/\udcff\x00.jpg",))
    assert picture_view(ALBUM, odd).name == "holiday/?.jpg"
    assert json.loads(detail_of(ALBUM, odd).model_dump_json())["names"] == ["holiday/?.jpg"]


def test_questions_have_ids_that_do_not_depend_on_their_language() -> None:
    english, chinese = (Session(ALBUM, asker="facts", language=language) for language in ("en", "zh"))
    for session in (english, chinese):
        session.say("red")
    ids = [{question_id(each) for each in session.questions(20)} for session in (english, chinese)]
    assert ids[0] == ids[1]
    shown = Session(ALBUM, asker="pick")
    shown.say("red")
    pick = shown.question
    assert pick is not None
    assert [option.picture is not None for option in question_view(ALBUM, pick).options] == [True] * 5 + [False]
