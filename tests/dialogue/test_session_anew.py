"""Sessions: saying the query anew, going back, branching, none of these, thinking beside, an album that grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialogue.test_session import ALBUM, order, talked
from tests.support import gallery
from whichpic.dialogue import Said, Session, Term
from whichpic.dialogue.events import Noted
from whichpic.errors import SessionError


def test_the_query_can_be_said_anew_and_answers_and_marks_stay(tmp_path: Path) -> None:
    session = talked(tmp_path)
    before, query = order(session), session.query
    session.restate("something blue, on the left")
    assert session.query == "something blue, on the left"
    kinds = [type(event).__name__ for event in session.events]
    assert kinds == ["Answered", "Answered", "Marked", "Filtered", "Said"], "only the words before it count no longer"
    alone = Session(ALBUM)
    for event in session.events:
        alone._add(event)
    assert order(alone) == order(session), "as if the words before had never been"
    assert session.path is not None
    assert order(Session.resume(ALBUM, session.path)) == order(session)
    session.undo()
    assert (order(session), session.query) == (before, query)


def test_a_picture_that_is_part_of_the_query_stays_where_the_words_are_said_anew() -> None:
    session = Session(ALBUM)
    session.say_terms([Term(text="a dog"), Term(picture=ALBUM.ids[3])])
    session.restate("a cat")
    first, second = session.events
    assert isinstance(first, Said) and [term.picture for term in first.terms] == [ALBUM.ids[3]]
    assert isinstance(second, Said) and session.query == "a cat"
    with pytest.raises(SessionError, match="nothing in the query"):
        session.restate("  ")


def test_going_back_to_an_event_undoes_all_that_came_after_it() -> None:
    session = talked()
    first = session.records[0].n
    session.back(first)
    alone = Session(ALBUM)
    alone.say("something red")
    assert order(session) == order(alone)
    session.back(-1)
    assert not session.events
    with pytest.raises(SessionError, match="no event 2"):
        session.back(2)


def test_going_back_before_the_query_was_said_anew_brings_the_old_words_back() -> None:
    session = talked()
    session.restate("blue")
    answered = session.records[1].n
    session.back(answered)
    assert session.query == "something red"


def test_a_branch_may_begin_at_an_earlier_event(tmp_path: Path) -> None:
    session = talked(tmp_path)
    branch = session.branch(session.records[0].n)
    assert len(branch.events) == 1 and len(session.events) == 5
    assert branch.path is not None and branch.path != session.path
    assert order(Session.resume(ALBUM, branch.path)) == order(branch)


def test_what_models_say_in_a_twin_is_taken_over_unless_the_session_went_on(tmp_path: Path) -> None:
    session = Session(ALBUM, folder=tmp_path)
    session.say("a dog")
    twin = session.twin()
    twin._keep(Noted(of=0, captions=((ALBUM.ids[1], "a dog on a beach"),)))
    late = session.twin()
    late._keep(Noted(of=0, captions=((ALBUM.ids[2], "a cat"),)))
    assert session.take(twin)
    assert session.path is not None and "a dog on a beach" in session.path.read_text(encoding="utf-8")
    session.say("on grass")
    assert not session.take(late) and session.events[-1] == Said.of("on grass")


def test_a_session_goes_on_over_an_album_that_has_grown() -> None:
    session = talked()
    grown = gallery(260)
    session.move(grown)
    assert session.gallery.n == 260 and session.belief.p.shape == (260,)
    session.say_terms([Term(picture=grown.ids[250])])
    with pytest.raises(SessionError):
        session.move(ALBUM)
    assert session.gallery is grown, "a picture that the query names is not in it: nothing changes"


def test_none_of_these_takes_them_and_their_near_duplicates_away_and_nothing_else(tmp_path: Path) -> None:
    session = Session(ALBUM, folder=tmp_path)
    session.say("red")
    before = order(session)
    shown = [each.picture.id for each in session.results(12)]
    others = [picture for picture in before if picture not in shown]
    session.none()
    now = order(session)
    assert not set(now[:12]) & set(shown), "also where the belief was sure of them"
    assert [picture for picture in now if picture not in shown][: len(others)] == others, "the others keep their order"
    assert "none of the 12 shown" in [reason.what for reason in session.why(shown[0])]
    assert session.path is not None
    assert order(Session.resume(ALBUM, session.path)) == now
    session.undo()
    assert [each.picture.id for each in session.results(12)] == shown


def test_filters_may_stand_instead_of_those_before(tmp_path: Path) -> None:
    session = Session(ALBUM, folder=tmp_path)
    session.filter("folder=home")
    session.filter("width>=900")
    both = session.belief.mask.sum()
    session.filter("width>=900", instead=True)
    assert session.belief.mask.sum() > both and session.path is not None
    assert (Session.resume(ALBUM, session.path).belief.mask == session.belief.mask).all()
    session.undo()
    assert session.belief.mask.sum() == both
