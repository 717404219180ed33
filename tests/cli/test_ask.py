"""`whichpic ask`, and the same from Python."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.model_server import ModelServer, in_process, pictures_of, question_of
from tests.cli.test_commands import run
from tests.support import drawn
from whichpic.chat.pictures import load_picture
from whichpic.chat.scripted import Scripted
from whichpic.errors import ChatError


def say(body: dict[str, Any]) -> str:
    if "bad" in question_of(body):
        return "Sure.\x1b[2J\x1b]0;owned\x07\u202egnp.exe\nnext line"
    return f"{len(pictures_of(body))} pictures, {len(body['messages'])} messages"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(say) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for number, path in enumerate(paths):
        drawn("red", noise=number).save(path)
    return [str(path) for path in paths]


def test_the_answer_about_several_pictures_is_streamed(server: ModelServer, photos: list[str], tmp_path: Path) -> None:
    done = run("ask", *photos, "What differs?", "--chat", server.url, home=tmp_path)
    assert done.stdout == "2 pictures, 2 messages\n", done.stderr
    assert server.asked[-1]["stream"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in pictures_of(server.asked[-1]))


def test_json_and_how_the_answer_is_drawn(server: ModelServer, photos: list[str], tmp_path: Path) -> None:
    done = run("ask", photos[0], "What?", "--chat", server.url, "--json", "--temperature", "0.7", "--top-p", "0.8",
               "--max-tokens", "64", "--seed", "3", home=tmp_path)  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["answer"] == "1 pictures, 2 messages" and answer["tokens_out"] == 3 and answer["finish"] == "stop"
    body = server.asked[-1]
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.7, 0.8, 3)
    assert 64 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_a_history_is_gone_on_with(server: ModelServer, photos: list[str], tmp_path: Path) -> None:
    history = tmp_path / "talk.json"
    history.write_text(json.dumps([["What is it?", "A red card."]]))
    first = run("ask", photos[0], "Is it big?", "--chat", server.url, "--history", str(history), home=tmp_path)
    assert first.stdout == "1 pictures, 4 messages\n", first.stderr
    second = run("ask", photos[0], "And round?", "--chat", server.url, "--history", str(history), home=tmp_path)
    assert second.stdout == "1 pictures, 6 messages\n"
    assert [turn["role"] for turn in json.loads(history.read_text())] == ["user", "assistant"] * 3
    history.write_text('[{"role": "user", "content": "alone"}]')
    odd = run("ask", photos[0], "And?", "--chat", server.url, "--history", str(history), home=tmp_path)
    assert odd.returncode == 2 and "in turn" in odd.stderr


def test_a_chat_with_another_picture_and_another_answer(server: ModelServer, photos: list[str], tmp_path: Path) -> None:
    typed = f"What is it?\n/again\n/picture {photos[1]}\n/picture none.png\nAnd now?\n/nonsense\n/quit\nnever asked\n"
    done = run("ask", photos[0], "--chat", server.url, home=tmp_path, stdin=typed)
    assert done.stdout.splitlines() == ["1 pictures, 2 messages"] * 2 + ["2 pictures, 4 messages"], done.stderr
    assert server.asked[-2]["temperature"] > 0  # what is likeliest would be the same again
    assert "none.png is not a file" in done.stderr and "/again" in done.stderr


def test_what_a_model_says_cannot_move_the_cursor(server: ModelServer, photos: list[str], tmp_path: Path) -> None:
    for more in ([], ["--beams", "1", "--json"]):
        done = run("ask", photos[0], "bad", "--chat", server.url, *more, home=tmp_path)
        assert done.returncode == 0 and not any(each in done.stdout for each in ("\x1b", "\x07"))
    assert done.stdout.count("\n") > 1


def test_what_is_refused_in_a_line(photos: list[str]) -> None:
    for words, told in (
        ([*photos, "What?"], "--chat"),
        (["none.jpg", "What?", "--chat", "http://127.0.0.1:9/v1"], "none.jpg is not a file"),
        ([photos[0], "What?", "--chat", "http://127.0.0.1:9/v1", "--deadline", "3"], "127.0.0.1:9"),
        ([photos[0], "What?", "--chat", "http://127.0.0.1:9/v1", "--precision", "int4"], "--precision"),
        ([photos[0], "--json", "--chat", "http://127.0.0.1:9/v1"], "one question"),
    ):
        code, _, errors = in_process("ask", *words)
        assert code == 2 and told in errors, errors
        assert len([line for line in errors.splitlines() if line.startswith("whichpic: ")]) == 1


def test_from_python_a_picture_comes_in_any_form(photos: list[str]) -> None:
    buffer = io.BytesIO()
    drawn("red", noise=0).save(buffer, format="PNG")
    data = buffer.getvalue()
    text = base64.b64encode(data).decode()
    forms = [photos[0], Path(photos[0]), data, text, f"data:image/png;base64,{text}", drawn("red", noise=0)]
    chat = Scripted(["a red card"] * 20)
    for form in forms:
        assert chat({"image": form, "question": "What is it?"}) == "a red card"
        (picture,) = chat.asked[-1][-1].pictures
        assert load_picture(picture).tobytes() == drawn("red", noise=0).tobytes()
    assert chat({"image": forms, "question": "What do they share?"})
    assert len(chat.asked[-1][0].pictures) == len(forms)
    earlier = [("What is it?", "A card.")]
    assert chat({"image": forms[0], "question": "Which colour?", "history": earlier, "system": "Be brief."})
    system, first, answer, last = chat.asked[-1]
    assert (system.role, answer.role, last.text) == ("system", "assistant", "Which colour?")
    assert first.pictures and not last.pictures
    with pytest.raises(ChatError, match="'picture' is not part of a question"):
        chat({"picture": forms[0], "question": "What is it?"})
    with pytest.raises(ChatError, match="there is no question"):
        chat({"image": forms[0]})
