"""Dialogues played: ranks by counting, stop rules, a replay, and the same file for any number of workers."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support import COLOURS, gallery
from whichpic.dialogue import BeliefSettings, Session
from whichpic.errors import EncoderError, QueryError, SessionError
from whichpic.simulate.dialogues import Dialogue, Turn, read_dialogues
from whichpic.simulate.parallel import Place, Plan, Player, simulate
from whichpic.simulate.play import PlaySettings, bound, play
from whichpic.simulate.prepare import prepare
from whichpic.simulate.users import Target, UserSettings, user

ALBUM = gallery(200)
TARGET = ALBUM.ids[40]  # a red one
CAPTIONED = gallery(60, captions=[f"a {COLOURS[k % 10]} thing number {k}" for k in range(60)])
FACTS = UserSettings(kind="facts")


def played(settings: PlaySettings, target: str = TARGET, **options: object) -> Dialogue:
    person = user(FACTS, Target(target, ALBUM.facts_of(target), ("red",)), seed=1)
    return play(ALBUM, person, target, settings, **options)  # type: ignore[arg-type]


def without_times(path: Path) -> str:
    return re.sub(r'"milliseconds": [0-9.e+-]+', "", path.read_text(encoding="utf-8"))


def test_every_turn_holds_what_a_session_would_have_shown() -> None:
    dialogue = played(PlaySettings(questions=3, asker="facts"), seed=9)
    assert dialogue.seed == 9 and dialogue.ended == "cap" and len(dialogue.turns) == 4
    session = Session(ALBUM, asker="facts")
    session.say("red")
    for turn in dialogue.turns:
        if turn.question is not None:
            assert session.question is not None and turn.question["text"] == session.question.text
            session.answer(turn.option)
        assert turn.shown == tuple(each.picture.id for each in session.results(10))
        order = np.sort(session.belief.log)[::-1]
        target = session.belief.log[40]
        assert turn.better == int((order > target).sum())
        assert turn.better + turn.ties + 1 == int((order >= target).sum())
        assert turn.p_target == pytest.approx(session.belief.p[40], rel=1e-6)
        assert turn.set_size == session.fitting and turn.milliseconds > 0 and turn.entropy > 0
    assert dialogue.turns[-1].better < dialogue.turns[0].better


def test_pictures_with_the_same_score_are_ties() -> None:
    dialogue = play(CAPTIONED, user(FACTS, Target("x", ALBUM.facts_of(TARGET), ("nothing of this",)), seed=0),
                    CAPTIONED.ids[7], PlaySettings(questions=0), belief=BeliefSettings(weights={}))  # fmt: skip
    assert (dialogue.turns[0].better, dialogue.turns[0].ties) == (0, 59)


def test_stop_rules() -> None:
    always = played(PlaySettings(questions=6, shown=200))
    found = played(PlaySettings(questions=6, shown=200, stop="found"))
    assert always.ended == "cap" and len(always.turns) == 7
    assert found.ended == "found" and len(found.turns) == 1
    silent = played(PlaySettings(questions=6, asker=""))
    assert silent.ended == "nothing to ask" and len(silent.turns) == 1
    assert len(played(PlaySettings(questions=0)).turns) == 1


def test_a_replay_says_what_was_recorded_whatever_is_asked() -> None:
    recorded = Target(TARGET, dialogue=("something red", "is it a dog? yes", "is it indoors? no"))
    person = user(UserSettings(kind="replay"), recorded, seed=0, opens="dialogue")
    dialogue = play(ALBUM, person, TARGET, PlaySettings(questions=10))
    assert [turn.text for turn in dialogue.turns] == list(recorded.dialogue)
    assert {turn.kind for turn in dialogue.turns} == {"said"} and dialogue.ended == "user"
    assert len(play(ALBUM, person, TARGET, PlaySettings(questions=1)).turns) == 2


def test_what_is_said_beside_an_option_is_heard_too() -> None:
    told = Target(TARGET, captions=("a violin beside a red lamp",))
    knowing = user(UserSettings(evidence="lexical"), told, seed=0, opens="object")
    dialogue = play(ALBUM, knowing, TARGET, PlaySettings(questions=2, asker="facts", chooser="first"))
    said = [turn for turn in dialogue.turns if turn.words]
    assert dialogue.turns[0].text == "a violin"
    assert said and said[0].words == "red lamp" and said[0].text.endswith("something else: red lamp")


def test_a_target_that_is_not_in_the_album_is_an_error() -> None:
    with pytest.raises(QueryError, match="has no picture nowhere"):
        play(ALBUM, user(FACTS, Target("x", ALBUM.facts_of(TARGET)), seed=0), "nowhere", PlaySettings())


def test_the_bound_counts_what_answers_can_carry() -> None:
    def asked(entropy: float, *gains: float) -> Dialogue:
        turns = [
            Turn("said", "", gain=gain, entropy=entropy if k == 0 else 0.0) for k, gain in enumerate((*gains, math.nan))
        ]
        return Dialogue("a", "a", tuple(turns))

    bits = math.log(2)
    # 320 equally probable pictures: five yes/no questions leave ten.
    assert bound(asked(math.log(320), *[bits] * 8)) == pytest.approx(5)
    assert bound(asked(math.log(320), *[bits] * 3)) == pytest.approx(5)  # what is not known goes on
    assert bound(asked(math.log(240), *[bits] * 8)) == pytest.approx(math.log2(24))
    assert bound(asked(math.log(240), *[bits] * 8), whole=True) == 5
    assert bound(asked(math.log(9), bits)) == 0
    assert bound(asked(math.log(320), 0.0)) == math.inf
    with pytest.raises(QueryError, match="without gain"):
        bound(Dialogue("a", "a", (Turn("said", "red"),)))


def test_gain_is_the_entropy_of_the_best_truthful_answer() -> None:
    dialogue = played(PlaySettings(questions=2, asker="facts", gain=True))
    first, second, last = dialogue.turns
    assert 0 < first.gain <= math.log(6) and second.gain > 0 and math.isnan(last.gain)


def test_the_file_is_the_same_for_any_number_of_workers_and_after_any_stop(tmp_path: Path) -> None:
    tables: dict[str, dict[str, object]] = {"album": {"world": 120}, "user": {"kind": "facts", "errors": 0.2, "ignorance": 0.2},
              "opening": {"kind": "object"}, "targets": {"n": 12}, "play": {"questions": 3}}  # fmt: skip
    ready = prepare(tables, name="test")
    arguments = (ready.place, ready.plan, ready.targets)
    done = simulate(*arguments, tmp_path / "here.jsonl", ready.header, gallery=ready.gallery)
    simulate(*arguments, tmp_path / "two.jsonl", ready.header, workers=2)
    assert without_times(tmp_path / "two.jsonl") == without_times(tmp_path / "here.jsonl")
    assert [each.id for each in done] == [each.id for each in ready.targets]

    data = (tmp_path / "here.jsonl").read_bytes()
    (tmp_path / "torn.jsonl").write_bytes(data[: len(data) // 2])
    seen: list[int] = []
    again = simulate(*arguments, tmp_path / "torn.jsonl", ready.header, gallery=ready.gallery,
                     on_progress=lambda now: seen.append(now.total))  # fmt: skip
    assert without_times(tmp_path / "torn.jsonl") == without_times(tmp_path / "here.jsonl")
    assert len(again) == 12 and 0 < seen[0] < 12

    with pytest.raises(SessionError, match="other targets"):
        simulate(ready.place, ready.plan, ready.targets[1:], tmp_path / "here.jsonl", ready.header)


def test_what_goes_wrong_in_a_worker_is_one_line(tmp_path: Path) -> None:
    place = Place(world=20, encoder="no-such-encoder")
    target = Target("drawn-0-000000", ALBUM.facts_of(TARGET), ("red",))
    with pytest.raises(EncoderError, match="no-such-encoder"):
        simulate(place, Plan(user=FACTS), [target], tmp_path / "d.jsonl", {}, workers=1)
    header, dialogues = read_dialogues(tmp_path / "d.jsonl")
    assert header == {"whichpic_dialogues": 1} and dialogues == []


def test_a_dialogue_does_not_depend_on_what_was_played_before() -> None:
    plan = Plan(PlaySettings(questions=3), replace(FACTS, errors=0.3))
    known = [Target(name, ALBUM.facts_of(name), (COLOURS[k % 10],)) for k, name in enumerate(ALBUM.ids[:6])]

    def turns(player: Player, targets: list[Target]) -> dict[str, str]:
        played = [player.play(target) for target in targets]
        return {d.id: json.dumps([(t.text, t.better, t.p_first, t.shown) for t in d.turns]) for d in played}

    assert turns(Player(ALBUM, plan), known) == turns(Player(gallery(200), plan), known[::-1])


def test_a_shown_picture_is_described_by_its_captions_or_its_facts() -> None:
    plan = Plan(user=FACTS)
    assert Player(CAPTIONED, plan).describe(CAPTIONED.ids[3]) == ("a yellow thing number 3",)
    told = Player(ALBUM, plan).describe(TARGET)
    assert set(told) <= {fact.value for fact in ALBUM.facts_of(TARGET) if fact.attribute == "object"}
