"""navigationir's and query-rewriting's chains end to end over drawn pictures: in one piece, killed, and through batch files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulate.seeing import Seer, drawn
from whichpic.chat.batch import answer_batch
from whichpic.dialogue import BeliefSettings
from whichpic.dialogue.events import Answered, Marked
from whichpic.errors import ChatError, ChatPending, QueryError
from whichpic.evaluate.papers import paper_of
from whichpic.evaluate.protocols.ours import read_ours
from whichpic.evaluate.replaying import read_heard, replay
from whichpic.simulate.chats import called
from whichpic.simulate.dialogues import Dialogue, read_dialogues
from whichpic.simulate.parallel import simulate
from whichpic.simulate.prepare import Prepared, merged, prepare
from whichpic.simulate.recipes import load_recipe

CHAINS = ("navigationir", "query-rewriting")
_TIMES = re.compile(r'"milliseconds": [0-9.e+-]+')
_COST = re.compile(r', "(milliseconds|tokens|calls|user_tokens|user_calls)": [0-9.e+-]+')


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def seer(album: Path) -> Seer:
    return Seer(album)


def chain(name: str, album: Path, chat: str = "http://localhost:1/v1#seer", **more: Mapping[str, Any]) -> Prepared:
    """A recipe over the drawn album, few and short dialogues."""
    small: Mapping[str, Mapping[str, Any]] = {
        "album": {"path": str(album)},
        "session": {"encoder": "toy", "chat": chat},
        "user": {"evidence": "lexical"},
        "targets": {"n": 3},
        "play": {"questions": 2},
    }
    return prepare(merged(load_recipe(name).tables, small, more), name=name)


def played(run: Prepared, out: Path, **options: Any) -> list[Dialogue]:
    return simulate(run.place, run.plan, run.targets, out, run.header, gallery=run.gallery, **options)


def test_navigationirs_chain_looks_asks_hears_and_summarises(album: Path, seer: Seer, tmp_path: Path) -> None:
    run = chain("navigationir", album)
    done = played(run, tmp_path / "d.jsonl", chat=seer.chat())
    assert run.header["settings"]["session"]["chat"] == "http://localhost:1/v1#seer"
    for dialogue in done:
        assert len(dialogue.turns) == 3
        free = [turn for turn in dialogue.turns[1:] if turn.kind == "said"]
        assert free and all(turn.rewritten and turn.calls and turn.user_calls == 1 for turn in free)
        # What was learned is appended, and nothing that was said before is lost.
        assert all(turn.rewritten.startswith(dialogue.turns[0].text.rstrip(".")) for turn in free)


def test_the_user_of_navigationirs_chain_is_shown_its_target_and_nothing_else(
    album: Path, seer: Seer, tmp_path: Path
) -> None:
    user = seer.chat()
    run = chain("navigationir", album, opening={"kind": "described"}, user={"chat": "http://localhost:1/v1#user"})
    done = played(run, tmp_path / "d.jsonl", chat=seer.chat(), user_chat=user)
    assert len(user.asked) == sum(1 for dialogue in done for turn in dialogue.turns if turn.user_calls)
    targets = {dialogue.target: run.gallery.captions[dialogue.target] for dialogue in done}
    seen = {seer.seen(picture) for asked in user.asked for message in asked for picture in message.pictures}
    assert len(seen) == len(targets) and all(sum(len(m.pictures) for m in asked) == 1 for asked in user.asked)
    shown = {picture for dialogue in done for turn in dialogue.turns for picture in turn.shown}
    assert not any(picture in message.text for asked in user.asked for message in asked for picture in shown)
    assert done[0].turns[0].user_calls == 1 and done[0].turns[0].text.startswith("a ")


def test_query_rewritings_chain_marks_captions_and_expands(album: Path, seer: Seer, tmp_path: Path) -> None:
    run = chain("query-rewriting", album)
    done = played(run, tmp_path / "d.jsonl", chat=seer.chat())
    for dialogue in done:
        assert [turn.kind for turn in dialogue.turns] == ["said", "marked", "marked"]
        marked = [turn.text for turn in dialogue.turns[1:]]
        # No picture twice, each from the list before it, and never the target: who sees it is done.
        assert len(set(marked)) == 2 and dialogue.target not in " ".join(marked)
        for before, turn in zip(dialogue.turns, dialogue.turns[1:], strict=False):
            assert turn.text.removeprefix("more like ") in before.shown
        assert dialogue.turns[1].rewritten.startswith(dialogue.turns[0].text.rstrip("."))
    assert not [warning for warning in run.warnings if warning.startswith("oracle")]


def test_what_was_played_can_be_replayed_without_a_model(album: Path, seer: Seer, tmp_path: Path) -> None:
    """For fitting the belief's constants: marks are marks again, and a model's questions keep what it judged."""
    for name, more in (("query-rewriting", {}), ("navigationir", {"answers": "options"})):
        # Questions are judged beforehand where they are compared.
        run = chain(name, album, user={"evidence": "lexical", **more}, session={"chooser": "eig"})
        done = played(run, tmp_path / f"{name}.jsonl", chat=seer.chat())
        heard = read_heard(tmp_path / f"{name}.jsonl", run.gallery)
        kinds = {type(event) for dialogue in heard for turn in dialogue.turns[1:] for event in turn}
        if name == "query-rewriting":
            assert kinds == {Marked}
            event = heard[0].turns[1][0]
            assert isinstance(event, Marked) and event.shown == done[0].turns[0].shown
            assert event.more == (done[0].turns[1].marked,)
        else:
            events = [event for dialogue in heard for turn in dialogue.turns for event in turn]
            answered = [event for event in events if isinstance(event, Answered)]
            assert any(event.question.asker == "pictures" and event.question.told for event in answered)
            assert all(event.option is not None for event in answered if event.question.asker == "pictures")


@pytest.mark.parametrize(
    ("name", "session", "user"),
    [
        ("query-rewriting", {"rerank": 4}, {}),
        ("navigationir", {"language": "zh"}, {}),
        ("navigationir", {"chooser": "eig", "rerank": 3}, {"answers": "options"}),
        ("navigationir", {"rewriter": "join", "belief": {"alpha": 0.5}}, {}),
    ],
)
def test_a_replay_gives_every_list_again(
    album: Path, seer: Seer, tmp_path: Path, name: str, session: dict[str, Any], user: dict[str, Any]
) -> None:
    run = chain(name, album, session=session, user={"evidence": "lexical", **user})
    done = played(run, tmp_path / "d.jsonl", chat=seer.chat())
    heard = read_heard(tmp_path / "d.jsonl", run.gallery)
    again = replay(run.gallery, heard, BeliefSettings.from_json(run.header["belief"]))
    for row, dialogue in enumerate(done):
        for number, turn in enumerate(dialogue.turns):
            assert (turn.better, turn.ties) == (again.ranks.better[row, number], again.ranks.ties[row, number])
            assert turn.fits == pytest.approx(again.fits[row, number], abs=1e-5)  # type: ignore[index]


def test_the_oracle_is_named_and_warned_about(album: Path, seer: Seer, tmp_path: Path) -> None:
    run = chain("query-rewriting", album, user={"kind": "captions", "feedback": "target", "evidence": "lexical"})
    assert run.warnings[0].startswith("oracle: ") and "upper bounds" in run.warnings[0]
    assert run.header["settings"]["user"]["feedback"] == "target"
    done = played(run, tmp_path / "d.jsonl", chat=seer.chat())
    # It looks at the target's own vector, so that a target that is in the list is what it marks first.
    listed = [dialogue for dialogue in done if dialogue.target in dialogue.turns[0].shown]
    assert listed and all(dialogue.turns[1].text == f"more like {dialogue.target}" for dialogue in listed)
    assert read_ours(tmp_path / "d.jsonl").warnings[0].startswith("oracle: ")


def test_the_papers_tables_are_those_of_the_ranks(album: Path, seer: Seer, tmp_path: Path) -> None:
    for name, columns in (("navigationir", ["Hits@10"]), ("query-rewriting", ["R@5", "R@10", "R@15", "R@20"])):
        out = tmp_path / f"{name}.jsonl"
        done = played(chain(name, album), out, chat=seer.chat())
        table = paper_of(read_ours(out))
        assert table is not None and list(table["by_turn"]) == columns
        for column, part in table["by_turn"].items():
            k = int(column.partition("@")[2])
            for turn in range(3):
                found = [any(each.better < k for each in dialogue.turns[: turn + 1]) for dialogue in done]
                assert part["value"][turn] == pytest.approx(sum(found) / len(done))
                assert part["low"][turn] <= part["value"][turn] <= part["high"][turn]


def test_a_clips_frames_are_counted_among_the_first_k_of_every_list(tmp_path: Path) -> None:
    header = {"whichpic_dialogues": 1, "pictures": 9, "settings": {"score": {"paper": "query-rewriting"}}}
    turns = [{"kind": "said", "text": "a", "better": 0, "ties": 0, "shown": ["x", "b", "y", "z", "w", "a"]},
             {"kind": "marked", "text": "more like x", "better": 3, "ties": 0, "shown": ["x", "a"]}]  # fmt: skip
    line = {"id": "a", "target": "a", "relevant": ["a", "b", "c", "d"], "turns": turns}
    (tmp_path / "d.jsonl").write_text(f"{json.dumps(header)}\n{json.dumps(line)}\n", encoding="utf-8")
    table = paper_of(read_ours(tmp_path / "d.jsonl"))
    # Of four frames b is among the first five at once, a at the next turn; both are among the first ten at once.
    assert table is not None and table["by_turn"]["R@5"]["value"] == [0.25, 0.5]
    assert table["by_turn"]["R@10"]["value"] == [0.5, 0.5]


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_in_two_halves_is_the_undivided_run(name: str, album: Path, seer: Seer, tmp_path: Path) -> None:
    """This machine writes requests and never speaks to a model; the other one only answers what lies in the folder."""
    folder, out = tmp_path / "batch", tmp_path / "split.jsonl"
    run = chain(name, album, f"batch:{folder}#seer")
    assert run.header["settings"]["session"]["chat"] == "batch#seer"
    trips = 0
    while True:
        try:
            done = played(run, out)
            break
        except ChatPending as pending:
            assert pending.exit_code == 4 and re.match(r"\d of 3 dialogues wait for a model's reply: ", str(pending))
            assert "whichpic batch" in str(pending)
            # What is over is written in the order of the targets, and nothing behind one that waits.
            whole = read_dialogues(out)[1]
            assert [each.id for each in whole] == [target.id for target in run.targets[: len(whole)]]
            answer_batch(folder, seer.chat())
            trips += 1
            assert trips < 40
    assert trips > 1 and len(done) == 3
    # Undivided, all replies being there; and undivided with the model itself, but for what a call costs.
    played(run, tmp_path / "again.jsonl")
    assert _TIMES.sub("", out.read_text("utf-8")) == _TIMES.sub("", (tmp_path / "again.jsonl").read_text("utf-8"))
    played(chain(name, album), tmp_path / "direct.jsonl", chat=seer.chat())
    split, direct = (_dialogues(path) for path in (out, tmp_path / "direct.jsonl"))
    assert split == direct


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_that_was_cut_off_goes_on(name: str, album: Path, seer: Seer, tmp_path: Path) -> None:
    run = chain(name, album)
    played(run, tmp_path / "whole.jsonl", chat=seer.chat())
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][: len(lines[2]) // 2])
    played(run, tmp_path / "cut.jsonl", chat=seer.chat())
    assert _TIMES.sub("", (tmp_path / "cut.jsonl").read_text("utf-8")) == _TIMES.sub(
        "", (tmp_path / "whole.jsonl").read_text("utf-8")
    )


def test_a_user_whose_model_fails_ends_the_run_and_the_systems_does_not(
    album: Path, seer: Seer, tmp_path: Path
) -> None:
    from whichpic.chat.scripted import Scripted

    down = ChatError("server", "the server said 500")
    run = chain("navigationir", album)
    with pytest.raises(
        ChatError, match=r"the simulated user's model failed: the server said 500; .* goes on from there"
    ):
        played(run, tmp_path / "user.jsonl", chat=seer.chat(), user_chat=Scripted([down] * 9))
    assert read_dialogues(tmp_path / "user.jsonl")[1] == []
    done = played(run, tmp_path / "system.jsonl", chat=Scripted([down] * 99), user_chat=seer.chat())
    assert all(len(dialogue.turns) == 3 for dialogue in done)
    assert all("asked from facts" in dialogue.turns[0].trouble for dialogue in done)


def test_without_a_model_or_pictures_a_chain_says_so(album: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="the asker pictures needs a model: --chat URL_OR_MODEL"):
        chain("navigationir", album, "")
    with pytest.raises(QueryError, match="cannot be shared among workers"):
        played(chain("query-rewriting", album, "some/weights"), tmp_path / "d.jsonl", workers=2)


def test_a_header_names_a_model_without_keys_and_folders(tmp_path: Path) -> None:
    assert called("http://me:secret@host:8000/v1?key=secret#qwen") == "http://host:8000/v1#qwen"
    assert called("vllm:https://me:secret@host/v1#qwen") == "vllm:https://host/v1#qwen"
    assert called("openai:gpt-4o") == "openai:gpt-4o"
    assert called("Qwen/Qwen2-VL-2B-Instruct") == "Qwen/Qwen2-VL-2B-Instruct"
    assert called(f"{tmp_path}/weights") == "weights"
    assert (called(f"batch:{tmp_path}"), called("batch:asked#qwen")) == ("batch", "batch#qwen")


def _dialogues(path: Path) -> list[str]:
    return _COST.sub("", path.read_text("utf-8")).splitlines()[1:]
