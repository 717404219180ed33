"""dialogues.jsonl: what is written is read again, a torn line is dropped, and another run's file is left alone."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from whichpic.errors import AlbumError, SessionError
from whichpic.simulate.dialogues import Dialogue, Turn, Writer, read_dialogues, to_json, write_dialogues

HEADER = {"name": "a run", "settings": {"play": {"questions": 1, "stop": "never"}}, "pictures": 3}
QUESTION = {"text": "Does it show a dog?", "options": [{"value": "yes", "text": "yes"}, {"value": "no", "text": "no"}],
            "attribute": "thing", "about": "dog", "source": "facts", "asker": "facts", "pictures": []}  # fmt: skip
DIALOGUE = Dialogue(
    "a",
    "a",
    (
        Turn(
            "said",
            "a dog",
            shown=("b", "a"),
            better=1,
            p_first=0.5,
            p_target=0.25,
            set_size=2,
            in_set=True,
            entropy=1.5,
        ),
        Turn(
            "answered", "Does it show a dog? yes", QUESTION, 0, "a brown one", ("a", "b"), fits=0.75, milliseconds=1.25
        ),
    ),
    relevant=("a", "c"),
    seed=7,
    ended="found",
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_dialogues(tmp_path / "d.jsonl", HEADER, [DIALOGUE, replace(DIALOGUE, id="b", target="b")])
    header, dialogues = read_dialogues(tmp_path / "d.jsonl")
    assert header == {"whichpic_dialogues": 1, **HEADER}
    assert [each.id for each in dialogues] == ["a", "b"]
    assert to_json(dialogues[0]) == to_json(DIALOGUE)  # nan is not equal to itself
    assert math.isnan(dialogues[0].turns[0].fits) and dialogues[0].turns[1].fits == 0.75


def test_the_first_option_and_not_sure_are_not_the_same() -> None:
    first, unsure = (
        to_json(replace(DIALOGUE, turns=(Turn("answered", "?", QUESTION, option),))) for option in (0, None)
    )
    assert first["turns"][0]["option"] == 0 and "option" not in unsure["turns"][0]


def test_a_line_that_was_cut_off_is_dropped_and_written_again(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    dialogues = [replace(DIALOGUE, id=name, target=name) for name in "abc"]
    write_dialogues(whole, HEADER, dialogues)
    data = whole.read_bytes()
    for length in range(0, len(data), 97):
        cut.write_bytes(data[:length])
        with Writer(cut, HEADER) as writer:
            for dialogue in dialogues[len(writer.done) :]:
                writer.write(dialogue)
        assert cut.read_bytes() == data, length


def test_a_last_line_that_is_whole_counts_without_its_end(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    write_dialogues(path, HEADER, [DIALOGUE, replace(DIALOGUE, id="b")])
    whole = path.read_bytes()
    path.write_bytes(whole.rstrip(b"\n"))
    assert [each.id for each in read_dialogues(path)[1]] == ["a", "b"]
    with Writer(path, HEADER) as writer:
        assert [each.id for each in writer.done] == ["a"]
        writer.write(replace(DIALOGUE, id="b"))
    assert path.read_bytes() == whole


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    with Writer(path, HEADER) as writer:
        with pytest.raises(AlbumError, match="another whichpic is writing"):
            Writer(path, HEADER)
        writer.write(DIALOGUE)
    with Writer(path, HEADER) as writer:
        assert writer.done == [DIALOGUE]


@pytest.mark.parametrize("value", ["1.5", "true", "-1", "9" * 400])
def test_a_count_that_is_none_names_the_line(tmp_path: Path, value: str) -> None:
    path = tmp_path / "d.jsonl"
    write_dialogues(path, HEADER, [DIALOGUE])
    path.write_text(path.read_text().replace('"better": 1', f'"better": {value}', 1))
    with pytest.raises(SessionError, match=r"d\.jsonl, line 2: .*better is a whole number"):
        read_dialogues(path)


def test_the_file_of_another_run_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    write_dialogues(path, HEADER, [DIALOGUE])
    before = path.read_bytes()
    other = {**HEADER, "settings": {"play": {"questions": 2, "stop": "never"}}}
    with pytest.raises(SessionError, match=r"other settings \(settings play questions: 1, now .*--out"):
        Writer(path, other)
    with pytest.raises(SessionError, match="questions: 1, now 2; seed: nothing, now 99"):
        Writer(path, {**other, "seed": 99})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no dialogues"),
        ("no json\n", "line 1 is not JSON"),
        ('{"whichpic_session": 1}\n', "is not a file of dialogues"),
        ('{"whichpic_dialogues": 1}\n{"id": 1}\n', "not a dialogue"),
        ('{"whichpic_dialogues": 1}\n{"id": "a", "target": "a", "turns": []}\n', "at least one turn"),
        ('{"whichpic_dialogues": 1}\n{"id": "a", "target": "a", "turns": [{"kind": 3}]}\n', "not a dialogue"),
        ('{"whichpic_dialogues": 1}\n[]\n', "not a dialogue"),
    ],
)
def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SessionError, match=reason):
        read_dialogues(path)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AlbumError, match="cannot be written"):
        Writer(tmp_path / "file" / "d.jsonl", HEADER)


def test_lines_are_plain_json(tmp_path: Path) -> None:
    write_dialogues(tmp_path / "d.jsonl", HEADER, [replace(DIALOGUE, id="冰箱\ud800")])
    for line in (tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
