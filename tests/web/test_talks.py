"""Sessions that several use at once: the list first, questions after it, and nobody sees another's events."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from whichpic.chat.scripted import Scripted
from whichpic.errors import QueryError, SessionError, StoreFull
from whichpic.web.desk import Desk
from whichpic.web.shelf import Shelf
from whichpic.web.talk import Talk
from whichpic.web.talks import Talks, TooMany
from whichpic.web.views import (
    Answer,
    Back,
    Choose,
    Like,
    Mark,
    Narrow,
    NothingFits,
    Restate,
    Say,
    State,
    TakeBack,
)


class Seen:
    """What a watcher is told. `until` waits for a state that is as wished."""

    def __init__(self, talk: Talk) -> None:
        self.states: list[State] = []
        self._news = threading.Condition()
        self.end = talk.watch(self._told)

    def _told(self, state: State) -> None:
        with self._news:
            self.states.append(state)
            self._news.notify_all()

    def until(self, wished: Callable[[State], bool], seconds: float = 10) -> State:
        with self._news:
            assert self._news.wait_for(lambda: any(map(wished, self.states)), seconds), self.states[-1:]
            return next(filter(wished, self.states))


def asked(state: State) -> bool:
    return not state.asking and bool(state.questions)


def test_the_list_is_there_at_once_and_the_question_comes_to_those_who_watch(talks: Talks) -> None:
    talk = talks.begin("my-album")
    seen = Seen(talk)
    state = talk.do(Say(text="something red"))
    assert state.turn == 0 and state.pictures and not state.questions
    assert "red" in state.query and state.pictures[0].rank == 1
    talk.ask()
    talk.ask()  # once is enough
    question = seen.until(asked).questions[0]
    assert question.options
    after = talk.do(Answer(question=question.id, option=0))
    assert [turn.kind for turn in after.turns] == ["said", "answered"]
    assert [state.revision for state in seen.states] == sorted({state.revision for state in seen.states})


def test_everything_that_can_be_done(talks: Talks) -> None:
    talk = talks.begin("my-album")
    first = talk.do(Say(text="red"))
    a, b = (each.picture.id for each in first.pictures[:2])
    state = talk.do(Mark(more=[a], less=[b]))
    assert (state.turns[1].more[0].id, state.turns[1].less[0].id) == (a, b)
    assert talk.do(Narrow(conditions=["folder=first"])).passing == 10
    state = talk.do(Narrow(conditions=["folder=second"]))
    assert state.filters == ["folder=second"] and len(state.turns) == 4, "instead of the one before, in one turn"
    assert talk.do(Narrow(conditions=[])).passing == 20
    talk.do(Like(picture=b, weight=-1))
    assert talk.do(Restate(text="something blue")).query == "something blue"
    state = talk.do(Back(n=first.turns[0].n))
    assert [turn.what for turn in state.turns] == ["red"] and state.filters == []
    assert len(talk.do(NothingFits()).turns[-1].less) == 20
    talk.do(TakeBack())
    assert talk.do(Choose(picture=a)).chosen is not None
    with pytest.raises(SessionError, match="undo to go on"):
        talk.do(Say(text="more"))
    assert talk.do(TakeBack()).chosen is None
    assert len(talk.show(5).pictures) == 5


@pytest.mark.parametrize(
    ("doing", "error", "said"),
    [
        (Answer(question="odd", option=0), SessionError, "no longer open"),
        (Mark(), SessionError, "at least one picture"),
        (Like(picture="nobody"), SessionError, "no picture nobody"),
        (Choose(picture="nobody"), SessionError, "no picture nobody"),
        (Narrow(conditions=["odd"]), QueryError, "is not a filter"),
        (Back(n=77), SessionError, "no event 77"),
    ],
)
def test_what_makes_no_sense_changes_nothing(talks: Talks, doing: Any, error: type[Exception], said: str) -> None:
    talk = talks.begin("my-album")
    before = talk.do(Say(text="red"))
    with pytest.raises(error, match=said):
        talk.do(doing)
    assert talk.state == before


def test_a_session_is_found_again_by_its_id_after_the_server_was_restarted(talks: Talks, shelf: Shelf) -> None:
    talk = talks.begin("my-album")
    state = talk.do(Say(text="red"))
    desk = Desk()
    again = Talks(shelf, desk).get("my-album", talk.id)
    assert again is not talk and again.state.turns == state.turns
    assert [each.picture.id for each in again.state.pictures] == [each.picture.id for each in state.pictures]
    assert talk.id in [kept.id for kept in talks.kept("my-album")]
    desk.close()


@pytest.mark.parametrize("id", ["nobody", "../../etc/passwd", "a/b", "", "." * 300, "\x00"])
def test_an_id_that_is_none_is_one_error(talks: Talks, id: str) -> None:
    with pytest.raises(SessionError, match="no session"):
        talks.get("my-album", id)


def test_a_branch_is_a_session_of_its_own(talks: Talks) -> None:
    talk = talks.begin("my-album")
    first = talk.do(Say(text="red"))
    talk.do(Say(text="small"))
    branch = talks.branch(talk, first.turns[0].n)
    assert [turn.what for turn in branch.state.turns] == ["red"] and len(talk.state.turns) == 2
    assert talks.get("my-album", branch.id) is branch


def test_thirty_two_sessions_at_once_see_their_own_events_only(talks: Talks) -> None:
    def one(number: int) -> None:
        talk = talks.begin("my-album")
        for turn in range(10):
            state = talk.do(Say(text=f"thing {number} {turn}"))
            talk.ask()
            assert [each.what for each in state.turns] == [f"thing {number} {k}" for k in range(turn + 1)]

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(one, range(32)))


def test_who_goes_on_does_not_wait_for_a_model(shelf: Shelf, desk: Desk) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(*_: object) -> str:
        begun.set()
        assert go.wait(20)
        return json.dumps({"sentence": "a green thing"})

    talks = Talks(shelf, desk, asker="facts,pick", chat=Scripted(slow), rewriter="reconstruct")
    talk = talks.begin("my-album")
    seen = Seen(talk)
    talk.do(Say(text="red"))
    talk.do(Say(text="and round"))
    talk.ask()
    assert begun.wait(10)
    state = talk.do(Say(text="on the left"))  # the model is still thinking
    assert len(state.turns) == 3
    go.set()
    talk.ask()
    seen.until(lambda each: len(each.turns) == 3 and asked(each))
    assert all(turn.what != "a green thing" for turn in talk.state.turns)


def test_sessions_that_nobody_holds_make_room(shelf: Shelf, desk: Desk) -> None:
    talks = Talks(shelf, desk, most=2)
    first, second = talks.begin("my-album"), talks.begin("my-album")
    end = [first.watch(lambda _: None), second.watch(lambda _: None)]
    with pytest.raises(SessionError, match="open already"):
        talks.begin("my-album")
    end[0]()
    third = talks.begin("my-album")
    assert third.state.turns == []


def test_a_disk_that_is_full_costs_the_step_and_nothing_else(
    shelf: Shelf, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreFull("the disk is full")

    reply = "a small red thing"
    talk = Talks(shelf, desk, asker="facts", chat=Scripted(lambda *_: reply), rewriter="reconstruct").begin("my-album")
    talk.do(Say(text="red"))
    before = talk.do(Say(text="small"))
    seen = Seen(talk)
    with monkeypatch.context() as patch:
        patch.setattr("whichpic.dialogue.session.write_lines", full)
        with pytest.raises(StoreFull):
            talk.do(Say(text="round"))
        assert talk.state == before
        talk.ask()
        assert "full" in seen.until(lambda state: not state.asking).trouble, "nobody waits for a question for ever"
    assert talk.do(Say(text="round")).turn == 2


def test_a_list_that_nobody_waits_for_any_more_keeps_no_question_back(desk: Desk) -> None:
    go, asked = threading.Event(), threading.Event()
    held = [desk.list_soon(go.wait, 10) for _ in range(32)]
    assert any(each.cancel() for each in held), "some had not begun"
    go.set()
    for each in held:
        if not each.cancelled():
            each.result(10)
    assert desk._due == 0
    desk.later(asked.set)
    assert asked.wait(10)


def test_an_album_that_grows_is_not_held_twice_by_those_who_left(
    shelf: Shelf, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks = Talks(shelf, desk)
    left, stays = talks.begin("my-album"), talks.begin("my-album")
    for talk in (left, stays):
        talk.do(Say(text="red"))
    stays.watch(lambda _: None)
    monkeypatch.setattr("whichpic.web.talks.IDLE", 0.0)
    talks.grown("my-album")
    assert talks.get("my-album", stays.id) is stays
    again = talks.get("my-album", left.id)
    assert again is not left and again.state.turns == left.state.turns


def test_a_branch_needs_room_as_a_new_session_does(talks: Talks, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = talks.begin("my-album")
    talk.do(Say(text="red"))
    monkeypatch.setattr("whichpic.web.talks.MOST_KEPT", 1)
    new: list[Callable[[], Talk]] = [lambda: talks.branch(talk), lambda: talks.begin("my-album")]
    for more in new:
        with pytest.raises(TooMany, match="remove old ones"):
            more()
