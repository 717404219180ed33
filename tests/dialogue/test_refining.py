"""What a chat adds to a session: recorded beside the event, replayed without a model, undone with it, and never needed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chat.faulty import faulty
from tests.support import drawn, gallery
from whichpic.chat import Message, open_chat
from whichpic.chat.scripted import Scripted
from whichpic.dialogue import BeliefSettings, Option, Question, Session, believe
from whichpic.dialogue.events import Noted, Record, Said, Undo, effective, from_json, to_json
from whichpic.dialogue.proposing import proposed
from whichpic.errors import ChatError, ChatPending, SessionError


def model(messages: Sequence[Message]) -> str:
    """A small seeing model: describes, rewrites, and says yes to everything."""
    text = messages[-1].text
    if "Describe this picture" in text:
        return "a red dog beside a blue car"
    if "Captions of liked" in text:
        return "a red dog with a blue car, no cat"
    if "What was said" in text:
        return "a red dog running about, no cat"
    return "yes"


def opener(picture: str) -> object:
    return drawn("red")


def started(rewriter: str = "reconstruct", *, chat: object | None = None, **options: object) -> Session:
    given = Scripted(model) if chat is None else chat
    session = Session(gallery(60), chat=given, rewriter=rewriter, pictures=opener, **options)  # type: ignore[arg-type]
    session.say("a red dog")
    return session


def test_the_list_is_there_at_once_and_the_sentence_comes_later() -> None:
    session = started()
    session.say("no cat")
    at_once = session.belief.log.copy()
    assert session.refine() and session.query == "a red dog, no cat"  # what it added was cut
    assert not np.array_equal(at_once, session.belief.log)
    assert [reason.what for reason in session.why(session.gallery.ids[0])][-1] == "all together: a red dog, no cat"
    assert not session.refine()  # all that it can add is there


def test_a_session_without_a_chat_has_nothing_to_refine() -> None:
    session = Session(gallery(20))
    session.say("red")
    assert not session.refine() and session.trouble == ""


def test_a_note_is_a_line_of_the_file_and_replay_needs_no_model(tmp_path: Path) -> None:
    session = started("expand", folder=tmp_path, rerank=4)
    session.refine()
    session.mark(more=[session.results()[2].picture.id])
    assert session.refine() and session.query == "a red dog with a blue car, no cat".removesuffix(", no cat")
    assert session.path is not None and session.path.read_text().count('"noted"') == 2
    again = Session.resume(gallery(60), session.path)
    assert np.array_equal(again.belief.log, session.belief.log)
    assert again.settings.rewriter == "expand" and [type(event).__name__ for event in again.events] == [
        "Said",
        "Marked",
    ]
    other = Session.resume(gallery(60), session.path, rewriter="slerp")
    assert other.settings.rewriter == "expand" and "goes on with it" in other.note
    assert session.branch().settings.rewriter == "expand" and session.branch().models == session.models


def test_askers_of_models_share_the_time_that_is_left() -> None:
    given: list[tuple[str, float]] = []

    def propose(name: str, seconds: float) -> list[Question]:
        given.append((name, round(seconds, 1)))
        return [Question("?", (Option("a", "a"),), "thing")]

    proposed("captions,facts,pictures", propose, seconds=10)
    assert given[0] == ("captions", 5.0) and given[2] == ("pictures", 10.0)


def test_undo_of_an_event_removes_its_note() -> None:
    session = started("expand")
    session.refine()
    before = session.belief.log.copy()
    session.mark(more=[session.results()[0].picture.id])
    session.refine()
    session.undo()
    assert np.array_equal(session.belief.log, before) and len(session.events) == 1


def test_a_caption_that_the_sentence_has_not_heard_counts_by_itself() -> None:
    failing = False

    def sometimes(messages: Sequence[Message]) -> str:
        if failing and "Captions of liked" in messages[-1].text:
            raise ChatError("empty", "nothing was said")
        return model(messages)

    session = started("expand", chat=Scripted(sometimes))
    for failing in (False, True):  # noqa: B007  what the model reads
        liked = [each.picture.id for each in session.results(4)]
        marked = {picture for record in session.records for picture in getattr(record.event, "more", ())}
        session.mark(more=[next(picture for picture in liked if picture not in marked)])
        session.refine()
    last = session.records[-2].n
    # The first is in the sentence, by which it counts; the second by itself.
    assert [part.n for part in session.belief.parts if part.kind == "hinted"] == [last] and session.query != "a red dog"


def test_notes_are_laid_beside_their_events() -> None:
    records = [Record(0, Said.of("a")), Record(1, Noted(0, rewritten="b")), Record(2, Noted(0, captions=(("p", "c"),))),
               Record(3, Said.of("d")), Record(4, Noted(3, reranked=(("p", 0.5),))), Record(5, Undo()),
               Record(6, Noted(3, rewritten="late"))]  # fmt: skip
    (left,) = effective(records)
    assert left.noted == Noted(0, rewritten="b", captions=(("p", "c"),))
    assert [from_json(to_json(record)) for record in records] == records


@pytest.mark.parametrize("broken", [{}, {"of": "x"}, {"of": 0, "reranked": [["p", 2]]}, {"of": 0, "rewritten": 3},
                                    {"of": 0, "captions": ["p"]}, {"of": 0, "more": 1}])  # fmt: skip
def test_a_note_that_makes_no_sense_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(SessionError, match="not a record"):
        from_json({"n": 1, "event": {"kind": "noted", **broken}})


def test_a_file_of_before_there_were_rewriters_still_opens(tmp_path: Path) -> None:
    session = started("join", folder=tmp_path)
    assert session.path is not None
    text = session.path.read_text().replace('"rewriter": "join", ', "").replace('"rerank": 1.0, ', "")
    text = text[: text.index('"alphas"')] + text[text.index("}", text.index('"alphas"')) + 3 :]
    session.path.write_text(text)
    again = Session.resume(gallery(60), session.path)
    assert again.settings.rewriter == "join" and np.array_equal(again.belief.log, session.belief.log)


def test_looks_raise_what_fits_and_leave_the_rest_where_it_was() -> None:
    album = gallery(30)
    note = Noted(0, reranked=((album.ids[0], 0.9), (album.ids[1], 0.1), (album.ids[2], 0.1), (album.ids[3], 0.1)))
    looked = believe(album, [Record(0, Said.of("red"), noted=note)], BeliefSettings())
    (part,) = [part for part in looked.parts if part.kind == "looked at"]
    assert part.values[0] > 0 > part.values[1] and part.values[10] == 0
    assert part.values[:4].sum() == pytest.approx(0) and part.values[0] - part.values[1] < 2 * np.log(9)
    none = Noted(0, reranked=tuple((picture, 0.1) for picture in album.ids[:4]))
    all_no = believe(album, [Record(0, Said.of("red"), noted=none)], BeliefSettings())
    assert "looked at" not in [
        part.kind for part in all_no.parts
    ]  # four times "no" says nothing for the other pictures


def test_of_several_looks_at_a_picture_the_last_one_counts() -> None:
    album = gallery(30)
    records = [Record(0, Said.of("red"), noted=Noted(0, reranked=((album.ids[0], 0.9), (album.ids[1], 0.1)))),
               Record(1, Said.of("dog"), noted=Noted(1, reranked=((album.ids[0], 0.1), (album.ids[2], 0.9))))]  # fmt: skip
    first, second = [part for part in believe(album, records, BeliefSettings()).parts if part.kind == "looked at"]
    assert first.values[0] == 0 and first.values[1] < 0 and second.values[0] < 0


def test_looks_have_a_weight_of_their_own() -> None:
    session = started("join", rerank=3, settings=BeliefSettings(rerank=0.0))
    session.refine()
    assert "looked at" not in [part.kind for part in session.belief.parts]


def test_slerp_needs_no_model_and_no_note() -> None:
    session = Session(gallery(40), rewriter="slerp")
    session.say("red")
    one = session.belief.log.copy()
    session.say("blue")
    assert [part.kind for part in session.belief.parts] == ["said", "said", "together"]
    assert not session.refine() and not np.array_equal(one, session.belief.log)


def test_a_liked_pictures_caption_counts_a_little_and_never_against_what_was_said() -> None:
    session = started("join")
    session.say("no car")
    session.mark(more=[session.results()[0].picture.id])
    assert session.refine()
    (hint,) = [part for part in session.belief.parts if part.kind == "hinted"]
    assert hint.what == "a red dog"  # the car was denied


@pytest.mark.parametrize("reason", ["timeout", "server", "not json", "refused", "empty"])
def test_a_chat_that_fails_leaves_the_list_and_says_so(reason: str) -> None:
    session = started(chat=Scripted([ChatError(reason, "it broke")]), rerank=3)
    session.say("no cat")
    before = session.belief.log.copy()
    assert not session.refine()
    assert session.trouble.endswith("asked from facts") and "\n" not in session.trouble
    assert np.array_equal(session.belief.log, before) and session.question is not None
    session.say("a tree")
    assert session.trouble == ""


def test_a_reply_that_is_to_come_from_a_batch_is_no_fault() -> None:
    session = started(chat=Scripted([ChatPending("later")]))
    session.say("no cat")
    with pytest.raises(ChatPending):
        session.refine()
    assert len(session.records) == 2


def test_a_model_that_asks_and_fails_is_replaced_by_facts() -> None:
    session = started("join", chat=Scripted([ChatError("server", "down")] * 9), asker="captions")
    assert session.question is not None and session.question.asker in ("facts", "pick")
    assert session.trouble == "the model did not help (server): down; asked from facts"


def test_hurry_asks_no_model_any_more_in_this_turn() -> None:
    chat = Scripted(model)
    session = started(chat=chat, asker="captions", rerank=3)
    session.hurry("stopped")
    assert not session.refine() and session.question is not None and not chat.asked and session.trouble == "stopped"
    session.say("no cat")
    assert session.refine()


def test_free_words_to_a_models_question_keep_the_question() -> None:
    session = started("join")
    options = (Option("a woman in red", "red"), Option("a woman in blue", "blue"))
    question = Question("What does she wear?", options, "asked", source="encoder", asker="captions")
    session.answer("a long striped skirt", question=question)
    last = session.events[-1]
    assert isinstance(last, Said) and last.asked == "What does she wear?" and "striped" in last.text


@pytest.mark.parametrize("fault", ["hang", "drip", "500", "html", "empty", "bad json", "close"])
def test_a_server_with_a_fault_does_not_hold_a_turn_up(fault: str) -> None:
    with faulty(fault) as server:
        session = started(chat=open_chat(server.url), rerank=3, deadline=1.0, asker="pictures,facts")
        session.say("no cat")
        began = time.perf_counter()
        session.refine()
        assert session.question is not None and session.results()
        assert time.perf_counter() - began < 2.0
        assert session.trouble.endswith("asked from facts")


STEPS = st.lists(st.sampled_from(["say", "no", "mark", "answer", "undo", "refine", "words", "filter"]), max_size=12)


@given(STEPS, st.sampled_from(["join", "reconstruct", "expand", "slerp"]), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_whatever_happens_a_session_goes_on_and_can_be_replayed(steps: list[str], rewriter: str, seed: int) -> None:
    chance = Random(seed)

    def moody(messages: Sequence[Message]) -> str:
        if chance.random() < 0.4:
            raise ChatError(chance.choice(["timeout", "server", "schema", "empty"]), "no")
        return model(messages) if chance.random() < 0.8 else chance.choice(["", "yes", "a purple cow", "{}", "没有"])

    session = Session(ALBUM, chat=Scripted(moody), rewriter=rewriter, rerank=3, pictures=opener)  # type: ignore[arg-type]
    for step in steps:
        match step:
            case "say" | "no":
                session.say(chance.choice(["a red dog", "a boat", "blue"]) if step == "say" else "no cat")
            case "mark":
                session.mark(more=[chance.choice(session.results()).picture.id])
            case "answer" if session.question is not None:
                session.answer(chance.randrange(len(session.question.options)))
            case "words" if session.question is not None:
                session.answer("a wooden bench by the lake")
            case "undo" if session.events:
                session.undo()
            case "filter":
                session.filter("year>=2016")
            case "refine":
                before = session.belief.log.copy()
                if not session.refine():
                    assert np.array_equal(before, session.belief.log)
            case _:
                pass
        assert np.isfinite(session.belief.log[session.belief.mask]).all() and session.results()
    replayed = [from_json(to_json(record)) for record in session.records]
    assert replayed == session.records
    assert np.array_equal(believe(gallery(30), effective(replayed), session.settings).log, session.belief.log)
    reasons = [session.why(picture) for picture in ALBUM.ids[:2]]
    if session.belief.mask[:2].all():
        sums = [sum(reason.value for reason in each) for each in reasons]
        assert sums[0] - sums[1] == pytest.approx(session.belief.log[0] - session.belief.log[1], abs=1e-6)


ALBUM = gallery(30)


def test_a_fault_that_costs_no_question_is_said_too() -> None:
    question = '{"questions": [{"question": "What is in the background?", "options": [' \
               '{"answer": "a wall", "says": "a wall in the background"}, ' \
               '{"answer": "trees", "says": "trees in the background"}]}]}'  # fmt: skip
    chat = Scripted([question, ChatError("server", "the server is tired")])
    session = started(chat=chat, asker="captions", choose_by="first")
    assert session.question is not None and session.question.asker == "captions"
    assert "the server is tired" in session.trouble and session.trouble.endswith("were not compared")


def test_where_a_models_questions_tell_nothing_facts_ask() -> None:
    same = '{"questions": [{"question": "What is in the background?", "options": [' \
           '{"answer": "x", "says": "x"}, {"answer": "y", "says": "y"}]}]}'  # fmt: skip
    session = started(chat=Scripted(lambda _: same), asker="captions", least_gain=0.3)
    assert session.question is not None and session.question.asker != "captions"
