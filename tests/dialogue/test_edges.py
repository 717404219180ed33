"""The belief and the session at their edges: odd albums, odd events, albums that changed, and any order of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import COLOURS, THINGS, gallery
from whichpic.dialogue import (
    Answered,
    BeliefSettings,
    Event,
    Filtered,
    Marked,
    Option,
    Question,
    Said,
    Session,
    Term,
    believe,
)
from whichpic.dialogue.choosing import chooser, eig, information_gain
from whichpic.dialogue.events import Record, Undo, effective, from_json, to_json
from whichpic.dialogue.likelihood import answer_likelihood
from whichpic.encoders.toy import Toy
from whichpic.errors import SessionError, WhichpicError
from whichpic.search import Exact, Gallery
from whichpic.types import Fact, Picture

SETTINGS = BeliefSettings()
YES_NO = (Option("yes", "yes"), Option("no", "no"))
DOG = Question("Does it show a dog?", YES_NO, "thing", "dog")


def pick(*pictures: str) -> Question:
    options = (*(Option(picture, str(k)) for k, picture in enumerate(pictures)), Option("other", "none of these"))
    return Question("Which is closest?", options, "pick", source="pick", asker="pick", pictures=pictures)


def bare(n: int, *, vectors: str = "all", facts: bool = True) -> Gallery:
    """n pictures of the usual test album with all, some, none or equal vectors, and with or without facts."""
    whole = gallery(n) if n else None
    encoder = Toy()
    if vectors == "equal":
        matrix = np.tile(encoder.encode_texts(["red"]), (n, 1))
    elif whole is not None:
        matrix = whole.vectors(np.arange(n))
    else:
        matrix = np.zeros((0, encoder.dim), np.float32)
    rows = np.arange(n, dtype=np.int64)
    if vectors == "some":
        rows[::3] = -1
    if vectors == "none":
        rows, matrix = np.full(n, -1, dtype=np.int64), matrix[:0]
    known = {picture: whole.facts_of(picture) for picture in whole.ids} if whole is not None and facts else {}
    pictures = whole.pictures if whole is not None else ()
    return Gallery(pictures, encoder, index=Exact(matrix, rows), indexed=rows >= 0, facts=known, version="edge")


def records(*events: Event) -> list[Record]:
    return [Record(n, event) for n, event in enumerate(events)]


ODD = [(0, "all", True), (1, "all", True), (1, "none", False), (2, "equal", False), (7, "none", True), (9, "some", True),
       (12, "equal", True), (12, "all", False)]  # fmt: skip


@pytest.mark.parametrize(("n", "vectors", "facts"), ODD)
@pytest.mark.parametrize("choose_by", ["eig", "kl", "first", "random"])
def test_a_session_over_an_odd_album_goes_on(n: int, vectors: str, facts: bool, choose_by: str) -> None:
    session = Session(bare(n, vectors=vectors, facts=facts), choose_by=choose_by)
    session.say("something red, no dog")
    for _ in range(3):
        shown = session.results(5)
        if shown:
            session.mark(more=[shown[0].picture.id])
        if session.question is not None:
            session.answer(0)
        assert session.fitting <= max(n, 1)
        assert np.isfinite(session.belief.log).all()
        assert session.belief.p.sum() == pytest.approx(1 if n else 0)
    for each in shown:
        assert np.isfinite([reason.value for reason in session.why(each.picture.id)]).all()


@pytest.mark.parametrize("left", [0, 1])
def test_filters_that_leave_none_or_one(left: int) -> None:
    album = gallery(30)
    session = Session(album)
    session.say("red")
    before = session.belief.log.copy()
    session.filter("year=2016", *(["camera~nikon", "folder=nowhere"] if not left else []))
    if left:
        keep = session.results(1)[0].picture
        session.undo()
        album.pictures = tuple(
            replace(p, taken="1999-01-01T00:00:00" if p.id == keep.id else p.taken) for p in album.pictures
        )
        session.filter("date=1999")
    assert len(session.results()) == left
    assert session.question is None and session.fitting == left
    session.undo()
    assert np.array_equal(session.belief.log, before)


def test_all_scores_alike_rank_by_position() -> None:
    album = bare(40, vectors="equal", facts=False)
    belief = believe(album, records(Said.of("red")), SETTINGS)
    assert belief.best(40).tolist() == list(range(40))
    assert np.allclose(belief.p, 1 / 40)


def test_no_question_where_all_pictures_look_alike() -> None:
    session = Session(bare(20, vectors="equal", facts=False))
    session.say("red")
    assert session.question is None


def test_what_has_no_vector_is_neither_helped_nor_hurt_by_marks_and_picks() -> None:
    album = bare(30, vectors="some")
    seen, unseen = album.ids[1], album.ids[0]
    marked = believe(album, records(Marked(album.ids[:6], more=(seen,))), SETTINGS)
    known = sum(bool(album.indexed[k]) for k in range(6))
    assert marked.log[~album.indexed] == pytest.approx(-np.log(known), abs=1e-6)
    assert np.allclose(believe(album, records(Marked(album.ids[:6], more=(unseen,))), SETTINGS).log, 0)
    p = answer_likelihood(album, pick(album.ids[1], album.ids[2]), SETTINGS)
    assert np.allclose(p[~album.indexed], 1 / 3)


def test_a_zero_vector_is_a_missing_one() -> None:
    matrix = gallery(20).vectors(np.arange(20))
    matrix[4] = 0
    matrix[5, 0] = 0
    told = Exact(matrix, np.arange(20)[::-1].copy()).told()
    assert told.tolist() == [k != 15 for k in range(20)]


def test_every_row_of_a_likelihood_sums_to_one() -> None:
    album = bare(30, vectors="some")
    questions = [
        DOG,
        pick(album.ids[1], "gone", album.ids[0]),
        Question("?", (*YES_NO, Option("other", "?")), "thing", "dog"),
        Question("?", tuple(Option(value, value) for value in ("1", "2", "3+")), "count", "dog"),
        Question("?", (Option("3+", "many"), Option("few", "few")), "count", "dog"),
        Question("?", tuple(Option(value, value) for value in ("red", "red", "other", "other")), "colour"),
        Question("?", (Option("other", "?"),), "kind"),
        Question("?", tuple(Option(value, value) for value in ("red", "blue")), "colour", source="encoder"),
        Question("?", tuple(Option(value, value) for value in ("a", "b")), "nothing that is known"),
    ]
    for question in questions:
        p = answer_likelihood(album, question, SETTINGS)
        assert p.shape == (30, len(question.options))
        assert np.allclose(p.sum(axis=1), 1, atol=1e-5) and (p > 0).all(), question


def test_candidates_are_scored_as_the_update_scores_them() -> None:
    album = gallery(3000)
    rows = np.array([7, 2999, 0, 41])
    for question in (DOG, pick(*album.ids[:4]), Question("?", YES_NO, "thing", "animal")):
        everything = answer_likelihood(album, question, SETTINGS)
        assert np.allclose(answer_likelihood(album, question, SETTINGS, rows), everything[rows], atol=1e-5)


def test_the_gain_is_that_of_the_very_update() -> None:
    album = gallery(60)
    before = believe(album, records(Said.of("red"), Said.of("a boat")), SETTINGS)
    p = answer_likelihood(album, DOG, SETTINGS).astype(float)
    marginal = before.p @ p
    entropy = -(before.p * np.log(before.p)).sum()
    left = 0.0
    for option in (0, 1):
        after = believe(album, records(Said.of("red"), Said.of("a boat"), Answered(DOG, option)), SETTINGS)
        left += marginal[option] * -(after.p * np.log(after.p)).sum()
    expected = SETTINGS.answerable["thing"] * (entropy - left)
    assert eig(album, before, [DOG], SETTINGS)[0] == pytest.approx(expected, abs=1e-6)
    assert information_gain(before.p, p) > 0


def test_pictures_that_have_left_the_album_say_nothing() -> None:
    album = gallery(30)
    gone = ("gone-1", "gone-2")
    assert np.allclose(believe(album, records(Marked(gone, more=("gone-1",))), SETTINGS).log, 0)
    assert np.allclose(believe(album, records(Marked((*gone, album.ids[0]), less=("gone-1",))), SETTINGS).log, 0)
    assert np.ptp(believe(album, records(Answered(pick(*gone), 0)), SETTINGS).log) == pytest.approx(0, abs=1e-6)
    with pytest.raises(SessionError, match="no longer has"):
        believe(album, records(Said((Term(picture="gone-1"),))), SETTINGS)


@pytest.mark.parametrize(
    "event",
    [
        Answered(DOG, 2),
        Answered(DOG, -1),
        Answered(Question("?", (), "thing", "dog"), 0),
        Answered(Question("?", YES_NO, "thing", "dog", source="oracle"), 0),
        Said((Term(text="red", weight=float("nan")),)),
        Said((Term(text="red", weight=float("inf")),)),
        Said((Term(vector="not base64!", name="x.jpg"),)),
        Said((Term.of_vector(np.full(Toy.dim, np.nan, np.float32), "x.jpg"),)),
        Said((Term(),)),
        Filtered(("has=|",)),
        Filtered(("year=nan",)),
    ],
)
def test_events_that_make_no_sense_are_one_error(event: Event) -> None:
    with pytest.raises(WhichpicError):
        believe(gallery(12), records(event), SETTINGS)


@pytest.mark.parametrize(
    "plain",
    [
        {"beta": float("nan")},
        {"beta": "high"},
        {"eps": {"facts": None}},
        {"weights": 3},
        {"gamma": 1.0},
        {"eps": {"facts": 7.0}},
        {"kappa": -1},
    ],
)
def test_settings_of_a_header_that_make_no_sense_are_one_error(plain: dict[str, object]) -> None:
    with pytest.raises(SessionError, match="the belief"):
        BeliefSettings.from_json(plain)


def test_even_without_room_for_error_nobody_is_removed() -> None:
    strict = BeliefSettings(eps=dict.fromkeys(("facts", "encoder", "pick", "mark"), 0.0), silent=0.0, certain=1.0)
    album = gallery(40)
    picked = Marked(album.ids[:5], more=(album.ids[0],), less=(album.ids[1],))
    belief = believe(album, records(Said.of("no cat"), Answered(DOG, 0), picked), strict)
    assert np.isfinite(belief.log).all() and belief.p.sum() == pytest.approx(1)


def test_one_rare_word_of_a_caption_does_not_outweigh_all_that_follows() -> None:
    captions = ["somebody in a park"] * 3999 + ["Gertrude in a park"]
    belief = believe(gallery(4000, captions=captions), records(Said.of("Gertrude")), SETTINGS)
    assert belief.best(1)[0] == 3999
    assert np.ptp(belief.log) < SETTINGS.beta * (SETTINGS.ceiling + SETTINGS.clip + 5)


def test_a_picture_as_evidence_keeps_its_weight_when_words_are_joined() -> None:
    album = gallery(40)
    like = Record(0, Said((Term(picture=album.ids[3]),)))
    alone = believe(album, [like, Record(1, Said.of("red"))], SETTINGS)
    both = believe(
        album, [like, Record(1, Said.of("red")), Record(2, Said.of("boat"), rewritten="red, boat")], SETTINGS
    )
    cooler = (1 + SETTINGS.kappa) / (1 + 2 * SETTINGS.kappa)
    assert np.allclose(both.parts[0].values, alone.parts[0].values * cooler)


def test_a_denied_colour_counts_against_it() -> None:
    album = gallery(40)
    p = believe(album, records(Said.of("not red")), SETTINGS).p
    assert p[::10].max() < p[1::10].min()


def test_nothing_that_is_handed_out_can_be_written_to() -> None:
    album = gallery(30, captions=["a dog"] * 10)
    marked = Marked(album.ids[:3], more=(album.ids[0],))
    belief = believe(album, records(Said.of("red, no dog"), Answered(DOG, 0), marked), SETTINGS)
    arrays: Sequence[np.ndarray] = [
        belief.log, belief.p, belief.mask, *(part.values for part in belief.parts), *album.evidence("red").values(),
        album.text_vector("red"), album.passing(("has=dog",)), album.facts.tells("kind"), album.indexed,
    ]  # fmt: skip
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_an_earlier_event_is_only_looked_up_at_later_turns() -> None:
    album = gallery(30)
    first = believe(album, records(Answered(DOG, 0)), SETTINGS)
    later = believe(album, records(Answered(DOG, 0), Said.of("red")), SETTINGS)
    assert any(part.values is first.parts[0].values for part in later.parts)
    other = believe(album, records(Answered(DOG, 0)), BeliefSettings(silent=0.3))
    assert not np.allclose(other.log, first.log)


WORDS = [*COLOURS[:4], *THINGS[:4], "no dog", "not red", "没有狗", "红色的伞", "zzz", "a beach, no people"]
FILTERS = ["has=dog", "has!=cat", "year>=2018", "camera~nikon", "near=48.86,2.35,10", "colour=red|blue", "folder=home"]
FACTS = st.tuples(
    st.sampled_from(["object", "label", "colour", "people", "scene"]),
    st.sampled_from([*THINGS, *COLOURS, "one", "beach"]),
    st.floats(0, 1),
    st.integers(0, 4),
)


@st.composite
def galleries(draw: st.DrawFn) -> Gallery:
    """At most a dozen pictures with any facts, any of them without a vector or with the vector of another."""
    n = draw(st.integers(0, 12))
    pictures = [replace(p, id=f"p{k}") for k, p in enumerate(gallery(n).pictures)] if n else []
    facts = {
        picture.id: tuple(
            Fact(attribute, value, p, "test", {"count": count} if count else {})
            for attribute, value, p, count in draw(st.lists(FACTS, max_size=5))
        )
        for picture in pictures
    }
    encoder = Toy()
    matrix = np.random.default_rng(draw(st.integers(0, 9))).standard_normal((4, encoder.dim)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    rows = np.array(draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n)), dtype=np.int64)
    captions = {picture.id: ("a red dog",) for picture in pictures if draw(st.booleans())}
    return Gallery(pictures, encoder, index=Exact(matrix, rows), indexed=rows >= 0, facts=facts, captions=captions)


def step(session: Session, draw: st.DataObject) -> None:
    """One random thing that a user could do."""
    ids = st.sampled_from([*session.gallery.ids, "gone"])
    match draw.draw(st.sampled_from(["say", "terms", "answer", "mark", "filter", "lift", "undo", "choose", "look"])):
        case "say":
            session.say(draw.draw(st.sampled_from(WORDS)))
        case "terms":
            weight = draw.draw(st.floats(-3, 3))
            session.say_terms(
                [Term(picture=draw.draw(ids), weight=weight), Term(text=draw.draw(st.sampled_from(WORDS)))]
            )
        case "answer":
            if session.question is not None:
                session.answer(draw.draw(st.sampled_from([None, 0, 1, "yes", "不是", "a brown one", "3"])))
        case "mark":
            session.mark(more=draw.draw(st.lists(ids, max_size=2)), less=draw.draw(st.lists(ids, max_size=2)))
        case "filter":
            session.filter(draw.draw(st.sampled_from(FILTERS)))
        case "lift":
            session.filter()
        case "undo":
            session.undo()
        case "choose":
            session.choose(draw.draw(ids))
        case _:
            session.results(draw.draw(st.integers(1, 5)))


@settings(max_examples=60, deadline=None)
@given(galleries(), st.data())
def test_whatever_is_done_the_belief_is_a_belief(album: Gallery, data: st.DataObject) -> None:
    session = Session(album)
    for _ in range(data.draw(st.integers(1, 7))):
        try:
            step(session, data)
        except WhichpicError:
            continue
        belief = session.belief
        assert np.isfinite(belief.log[belief.mask]).all() and np.isneginf(belief.log[~belief.mask]).all()
        assert belief.p.sum() == pytest.approx(1 if belief.mask.any() else 0)
        parts = sum((part.values for part in belief.parts), np.zeros(album.n))
        assert np.allclose(parts[belief.mask], belief.log[belief.mask], atol=1e-9)
        ready = session.questions(50)
        assert (chooser("eig")(album, belief, ready, SETTINGS) >= 0).all()
        for question in ready:
            values = [option.value for option in question.options]
            assert len(set(values)) == len(values) > 1
    again = [from_json(to_json(record)) for record in session.records]
    assert again == session.records
    assert np.array_equal(believe(album, effective(again), SETTINGS).log, session.belief.log)


@given(st.lists(st.sampled_from([0, 1, 2]), max_size=30))
def test_undo_is_a_stack(moves: list[int]) -> None:
    written: list[Record] = []
    stack: list[int] = []
    for n, move in enumerate(moves):
        written.append(Record(n, Said.of(str(n)) if move else Undo()))
        stack = [*stack, n] if move else stack[:-1]
    assert [record.n for record in effective(written)] == stack


def test_one_picture_alone() -> None:
    album = Gallery(
        [Picture("only", paths=("only.jpg",))], Toy(), index=Exact(Toy().encode_texts(["red"])), facts={}, version="1"
    )
    session = Session(album)
    session.say("blue")
    assert [each.p for each in session.results()] == [1.0] and session.question is None
