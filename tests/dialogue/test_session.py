"""Sessions: talking, going back, keeping, and that replaying gives the same list."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support import gallery
from whichpic.dialogue import Answered, BeliefSettings, Question, Said, Session
from whichpic.dialogue.events import from_json, to_json
from whichpic.errors import AlbumError, QueryError, SessionError

ALBUM = gallery(200)


def order(session: Session) -> list[str]:
    return [each.picture.id for each in session.results(50)]


def talked(folder: Path | None = None) -> Session:
    session = Session(ALBUM, folder=folder)
    session.say("something red")
    session.answer(0)
    session.answer(None)
    session.mark(more=[session.results(5)[1].picture.id])
    session.filter("folder=home")
    return session


def test_a_conversation_narrows_down_to_the_target() -> None:
    target = 40  # red
    session = Session(ALBUM, asker="facts")
    session.say("red")
    before = session.fitting
    for _ in range(5):
        question = session.question
        assert question is not None
        session.answer(truth(question, target))
    position = [each.picture.id for each in session.results(10)]
    assert ALBUM.ids[target] in position
    assert session.fitting < before


def truth(question: Question, target: int) -> int:
    values = [option.value for option in question.options]
    if question.attribute == "thing":
        return values.index("yes" if ALBUM.facts.thing(question.about)[target] > 0.5 else "no")
    if question.attribute == "count":
        return min(int(ALBUM.facts.count(question.about)[target]), 3)
    column = ALBUM.facts.thing if question.attribute == "kind" else lambda v: ALBUM.facts.p(question.attribute, v)
    return int(np.argmax([column(value)[target] for value in values]))


def test_replaying_a_kept_session_gives_the_same_list(tmp_path: Path) -> None:
    session = talked(tmp_path)
    assert session.path is not None
    again = Session.resume(gallery(200), session.path, folder=tmp_path)
    assert order(again) == order(session)
    assert np.array_equal(again.belief.log, session.belief.log)
    assert [q.key for q in again.questions()] == [q.key for q in session.questions()]
    assert again.events == session.events


def test_resuming_goes_on_in_the_same_file(tmp_path: Path) -> None:
    session = talked(tmp_path)
    assert session.path is not None
    again = Session.resume(ALBUM, session.path, folder=tmp_path)
    again.say("and a dog")
    third = Session.resume(ALBUM, session.path, folder=tmp_path)
    assert third.events == again.events and len(list(tmp_path.iterdir())) == 1


def test_a_session_whose_file_was_removed_is_written_again_whole(tmp_path: Path) -> None:
    session = talked(tmp_path)
    assert session.path is not None
    session.path.unlink()
    session.say("and a dog")
    assert Session.resume(ALBUM, session.path, folder=tmp_path).events == session.events


def test_an_album_that_was_taken_away_does_not_come_back_as_an_empty_folder(tmp_path: Path) -> None:
    session = Session(ALBUM, folder=tmp_path / "album" / ".whichpic" / "sessions")
    with pytest.raises(AlbumError, match="the session cannot be kept in"):
        session.say("something red")
    assert not list(tmp_path.iterdir()) and not session.events


def test_undo_brings_back_exactly_what_was(tmp_path: Path) -> None:
    session = Session(ALBUM, folder=tmp_path)
    session.say("something red")
    was = session.belief.log.copy()
    question = session.question
    session.answer(1)
    session.say("with a boat")
    session.undo()
    session.undo()
    assert np.array_equal(session.belief.log, was)
    assert session.question == question
    assert session.path is not None and len(session.path.read_text().splitlines()) == 6  # nothing is taken out


def test_a_branch_goes_on_by_itself(tmp_path: Path) -> None:
    session = talked(tmp_path)
    twin = session.branch()
    twin.say("blue")
    assert len(twin.events) == len(session.events) + 1
    assert twin.id != session.id and len(list(tmp_path.iterdir())) == 2


def test_why_adds_up_to_the_ranking() -> None:
    session = talked()
    one, two = order(session)[0], order(session)[7]
    difference = sum(r.value for r in session.why(one)) - sum(r.value for r in session.why(two))
    log = session.belief.log
    assert difference == pytest.approx(log[ALBUM.positions[one]] - log[ALBUM.positions[two]], abs=1e-9)
    assert {reason.sign for reason in session.why(one)} & {"+ strong", "+ weak"}


def test_why_says_that_a_filter_leaves_a_picture_out() -> None:
    session = talked()
    outside = next(p.id for p in ALBUM.pictures if not p.paths[0].startswith("home/"))
    assert session.why(outside)[0].value == -np.inf and session.why(outside)[0].sign == "- against"


@pytest.mark.parametrize("k", [0, -1])
def test_an_empty_list_cannot_be_asked_for(k: int) -> None:
    with pytest.raises(SessionError):
        talked().results(k)


def test_two_more_questions_are_ready_and_none_is_asked_twice() -> None:
    session = Session(ALBUM)
    session.say("red")
    asked: set[tuple[str, ...]] = set()
    for _ in range(6):
        ready = session.questions(3)
        assert len(ready) == 3
        assert not asked & {question.key for question in ready}
        asked.add(ready[0].key)
        session.answer(None)


def test_what_was_said_is_not_asked() -> None:
    session = Session(ALBUM, asker="facts", choose_by="first")
    session.say("a dog, and no cat")
    about = {q.about for q in session.questions(100) if q.attribute == "thing"}
    assert "dog" not in about and "cat" not in about and "car" in about


def test_a_question_that_got_a_reply_in_words_is_not_asked_again() -> None:
    session = Session(ALBUM, asker="facts", choose_by="first")
    session.say("red")
    first, second = session.questions(2)
    session.reply(first.text, "I think so, but far away")
    texts = [question.text for question in session.questions(100)]
    assert first.text not in texts and second.text in texts


def test_free_words_answer_where_they_mean_an_option() -> None:
    session = Session(ALBUM, asker="facts", choose_by="first")
    session.say("red")
    question = next(q for q in session.questions(100) if q.attribute == "thing")
    for words, option in (("yes", 0), ("Nope.", 1), ("没有", 1), ("有", 0), ("I don't know", None), ("不知道", None)):
        session.answer(words, question=question)
        last = session.events[-1]
        assert isinstance(last, Answered) and last.option == option
        session.undo()


def test_free_words_that_mean_no_option_are_something_said() -> None:
    session = Session(ALBUM, asker="facts", choose_by="first")
    session.say("red")
    question = next(q for q in session.questions(100) if q.attribute == "thing")
    session.answer("it was taken by my uncle", question=question)
    assert session.events[-1] == Said.of("it was taken by my uncle")
    session.answer("yes, a brown one", question=question)
    assert isinstance(session.events[-2], Answered) and session.events[-1] == Said.of("a brown one")


def test_questions_come_in_the_language_of_what_was_said() -> None:
    session = Session(ALBUM)
    session.say("红色的")
    assert session.question is not None
    assert any("\u4e00" <= char <= "\u9fff" for char in session.question.text)
    session.say("red things")
    assert session.question is not None and session.question.text.isascii()


def test_a_pick_shows_pictures_and_moves_towards_the_one_picked() -> None:
    session = Session(ALBUM, asker="pick")
    session.say("red")
    question = session.question
    assert question is not None and len(question.pictures) >= 3
    before = session.belief.p[ALBUM.positions[question.pictures[1]]]
    session.answer(1)
    assert session.belief.p[ALBUM.positions[question.pictures[1]]] > before


def test_this_is_it_ends_the_session_and_undo_opens_it_again() -> None:
    session = talked()
    session.choose(order(session)[0])
    assert session.chosen and session.question is None
    with pytest.raises(SessionError, match="ended"):
        session.say("more")
    session.undo()
    session.say("more")
    assert session.chosen is None


def test_an_event_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    session = talked(tmp_path)
    events, lines = session.events, session.path.read_text()  # type: ignore[union-attr]
    with pytest.raises(SessionError):
        session.say("   ")
    with pytest.raises(QueryError):
        session.filter("colour>3")
    with pytest.raises(SessionError):
        session.mark(more=["no such picture"])
    with pytest.raises(SessionError):
        session.answer(99)
    assert session.events == events and session.path.read_text() == lines  # type: ignore[union-attr]


def test_a_line_that_was_cut_by_a_kill_is_left_out(tmp_path: Path) -> None:
    session = talked(tmp_path)
    assert session.path is not None
    whole = session.path.read_text()
    session.path.write_text(whole[:-30])
    again = Session.resume(ALBUM, session.path, folder=tmp_path)
    assert again.events == session.events[:-1]
    again.say("and a boat")
    assert Session.resume(ALBUM, session.path, folder=tmp_path).events == again.events


@pytest.mark.parametrize("content", ["", "hello", "{}", '{"whichpic_session": 99}', "[1]\n[2]", "\x00\x01"])
def test_what_is_no_session_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(SessionError):
        Session.resume(ALBUM, path)


def test_another_encoder_and_a_changed_album_are_said(tmp_path: Path) -> None:
    session = talked(tmp_path)
    assert session.path is not None
    changed = gallery(200)
    changed.version = "test-2"
    assert "has changed" in Session.resume(changed, session.path).note
    lines = session.path.read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), "encoder": "other-1"})
    session.path.write_text("\n".join(lines))
    assert "other-1" in Session.resume(ALBUM, session.path).note


def test_a_folder_that_cannot_be_written_is_one_error_and_the_event_is_not_taken(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    session = Session(ALBUM, folder=blocked)
    with pytest.raises(AlbumError):
        session.say("red")
    assert session.events == []


def test_near_duplicates_stand_behind_the_best_of_them() -> None:
    from dataclasses import replace

    twins = gallery(40)
    twins.pictures = tuple(
        replace(p, phash=twins.pictures[0].phash if p.id == twins.ids[10] else p.phash) for p in twins.pictures
    )
    session = Session(twins)
    session.say("red")
    shown = session.results(40)
    assert len(shown) == 39
    assert [len(each.alike) for each in shown].count(1) == 1
    assert sum(each.p for each in shown) == pytest.approx(1)


def test_nothing_fits_is_said_only_where_that_can_be_told() -> None:
    album = gallery(60)
    session = Session(album, settings=replace(BeliefSettings(), none_fits=1e6))
    before = session.nothing_fits
    session.say("red")
    assert (before, session.nothing_fits) == (False, True)  # before anything was said, and after
    assert session.belief.fits > 0
    assert not Session(album, settings=replace(BeliefSettings(), none_fits=0.0)).nothing_fits
    usual = Session(album)
    usual.say("red")
    assert usual.settings.none_fits is None and not usual.nothing_fits


def test_a_reply_is_one_text_with_its_question_and_weighs_less() -> None:
    album = gallery(60, captions=[f"a picture of thing {k}" for k in range(60)])
    words = replace(BeliefSettings(), weights={"text_words": 0.5}, reply_weights={"text_words": 0.4})
    session = Session(album, settings=words)
    session.say("a picture")
    session.reply("Which thing is it?", "thing 7")
    assert session.results(1)[0].picture.id == album.ids[7]
    assert [part.what for part in session.belief.parts] == ["a picture", "Which thing is it? thing 7"]
    again = [from_json(to_json(record)) for record in session.records]
    assert again == session.records
    with pytest.raises(SessionError):
        session.reply("Which?", " ")


def test_a_bare_no_denies_what_was_asked_for_where_facts_can_tell() -> None:
    session = Session(gallery(60))
    session.say("red")
    session.reply("Is there a dog in it?", "no")
    denied = session.belief.parts[0]
    assert (denied.kind, denied.what) == ("denied", "dog")
