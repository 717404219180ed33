"""Work through files: written down where no model is reached, answered where one is, and gone on with."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tests.chat.faulty import faulty
from tests.support import drawn
from whichpic.chat import Decoding, Message, open_chat
from whichpic.chat.answering import schema_of
from whichpic.chat.batch import Batch, answer_batch
from whichpic.chat.scripted import Scripted
from whichpic.errors import ChatError, ChatPending

ASKED = [Message("system", "You help."), Message("user", "What is it?", (drawn("red"),))]


class One(BaseModel):
    """An object."""

    word: str = Field(max_length=8)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_request_waits_and_its_reply_is_found(tmp_path: Path) -> None:
    batch = open_chat(f"batch:{tmp_path}#gpt-4o")
    for _ in range(2):
        with pytest.raises(
            ChatPending, match=r"one request waits in .*; where the model can be reached, type: whichpic batch"
        ):
            batch.complete(ASKED, decoding=Decoding(temperature=0.5, max_tokens=9))
    (request,) = lines(tmp_path / "requests.jsonl")
    assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
    body = request["body"]
    assert isinstance(body, dict) and body["model"] == "gpt-4o" and body["temperature"] == 0.5
    assert body["messages"][1]["content"][0]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    chat = Scripted(["a dog"])
    done = answer_batch(tmp_path, chat)
    assert (done.answered, done.failed, done.left, done.before) == (1, 0, 0, 0)
    (asked,) = chat.asked
    assert [each.role for each in asked] == ["system", "user"] and len(asked[1].pictures) == 1
    (reply,) = batch.complete(ASKED, decoding=Decoding(temperature=0.5, max_tokens=9))
    assert reply.text == "a dog" and Batch(tmp_path, model="gpt-4o").pending() == 0


def test_what_is_written_down_takes_turns_and_names_its_model(tmp_path: Path) -> None:
    batch = open_chat(f"batch:{tmp_path}")
    twice = [*ASKED, Message("user", "And where?")]
    for ask in (lambda: batch.complete(twice), lambda: batch.choose(twice, ["Is it red?"], ["yes", "no"])):
        with pytest.raises(ChatPending):
            ask()
    roles = [[each["role"] for each in line["body"]["messages"]] for line in lines(tmp_path / "requests.jsonl")]
    assert roles == [["system", "user"]] * 2
    assert batch.id.startswith("batch (no model was named);") and Batch(tmp_path, model="m").id.startswith("batch#m;")


def test_everything_that_can_be_asked_is_written_down_before_the_work_stops(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    with pytest.raises(ChatPending, match="3 requests wait"):
        batch.choose(ASKED, ["red?", "blue?", "green?"], ["yes", "no", "not sure"])
    assert batch.pending() == 3
    chat = Scripted(["yes", "Not sure", "hm"])
    assert answer_batch(tmp_path, chat, workers=1).answered == 3
    found = batch.choose(ASKED, ["red?", "blue?", "green?"], ["yes", "no", "not sure"])
    assert not found.exact and found.mass.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_no_more_requests_are_begun_than_the_chat_takes_at_a_time(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    with pytest.raises(ChatPending):
        batch.choose(ASKED, ["red?", "blue?", "green?"], ["yes", "no"])
    threads: set[int] = set()

    class OneByOne(Scripted):
        concurrency = 1

    def reply(_: object) -> str:
        threads.add(threading.get_ident())
        sleep(0.05)
        return "yes"

    assert answer_batch(tmp_path, OneByOne(reply), workers=3).answered == 3
    assert len(threads) == 1


def test_probabilities_go_through_the_files(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    with pytest.raises(ChatPending):
        batch.choose([], ["red?"], ["yes", "no"])
    with faulty(top={"Yes": math.log(0.6), "no": math.log(0.3)}) as server:
        answer_batch(tmp_path, open_chat(server.url))
    found = batch.choose([], ["red?"], ["yes", "no"])
    assert found.exact and found.mass[0].tolist() == pytest.approx([0.6, 0.3])


def test_a_question_is_asked_behind_the_pictures_that_it_is_about(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    with pytest.raises(ChatPending):
        batch.choose(ASKED, ["red?"], ["yes", "no"])
    chat = Scripted(["yes"])
    answer_batch(tmp_path, chat)
    (asked,) = chat.asked
    assert [(each.text, len(each.pictures)) for each in asked[1:]] == [("What is it?", 1), ("red?", 0)]


def test_objects_are_repaired_where_the_model_is(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    with pytest.raises(ChatPending):
        batch.complete(ASKED, schema=One, n=2, decoding=Decoding(temperature=1.0))
    chat = Scripted(["no", '{"word": "dog"}', '{"word": "cat"}'])
    answer_batch(tmp_path, chat)
    assert "word" in chat.asked[1][-1].text
    replies = batch.complete(ASKED, schema=One, n=2, decoding=Decoding(temperature=1.0))
    assert [each.value.word for each in replies] == ["dog", "cat"]


def test_a_reply_of_a_service_that_does_not_repair_is_asked_for_once_more(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    with pytest.raises(ChatPending):
        batch.complete(ASKED, schema=One)
    answer_batch(tmp_path, Scripted(['{"word": "much too long"}']))  # lengths are left to the reader
    with pytest.raises(ChatPending):
        batch.complete(ASKED, schema=One)
    answer_batch(tmp_path, Scripted(['{"word": "dog"}']))
    assert batch.complete(ASKED, schema=One)[0].repaired


def test_files_of_the_service_itself_are_read(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    texts = ("one", "two", "three", "four")
    for text in texts:
        with pytest.raises(ChatPending):
            batch.complete([Message("user", text)])
    ids = [line["custom_id"] for line in lines(tmp_path / "requests.jsonl")]
    said = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a dog"}, "finish_reason": "stop"}]}
    out = [
        {"id": "batch_req_1", "custom_id": ids[0], "response": {"status_code": 200, "body": said}, "error": None},
        {"custom_id": ids[1], "response": {"status_code": 400, "body": {"error": {"message": "maximum context length"}}}},
        {"custom_id": ids[2], "response": None, "error": {"code": "batch_expired", "message": "not in time"}},
    ]  # fmt: skip
    torn = json.dumps({"custom_id": ids[3], "response": {"status_code": 200, "body": said}})[:-9]
    (tmp_path / "replies-1.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in out) + torn, encoding="utf-8")
    assert batch.complete([Message("user", "one")])[0].text == "a dog"
    with pytest.raises(ChatError) as told:
        batch.complete([Message("user", "two")])
    assert told.value.reason == "too long"
    for text in ("three", "four"):  # one that came too late and one that is torn are asked for again
        with pytest.raises(ChatPending, match="2 requests wait"):
            batch.complete([Message("user", text)])
    answer_batch(tmp_path, Scripted(lambda messages: messages[-1].text))
    assert [batch.complete([Message("user", text)])[0].text for text in texts] == ["a dog", "two", "three", "four"]


def test_what_a_killed_process_left_of_a_line_is_cut_off(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    with pytest.raises(ChatPending):
        batch.complete([Message("user", "one")])
    for name in ("requests.jsonl", "replies.jsonl"):
        with (tmp_path / name).open("ab") as file:
            file.write(b'{"custom_id": "torn')
    with pytest.raises(ChatPending, match="2 requests wait"):
        Batch(tmp_path).complete([Message("user", "two")])
    assert answer_batch(tmp_path, Scripted(lambda messages: messages[-1].text)).answered == 2
    assert len(lines(tmp_path / "requests.jsonl")) == len(lines(tmp_path / "replies.jsonl")) == 2
    assert Batch(tmp_path).complete([Message("user", "two")])[0].text == "two"


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    for number in range(9):
        with pytest.raises(ChatPending):
            batch.complete([Message("user", f"{number}")])
    broken = Scripted([*"ab", *[ChatError("server", "it broke")] * 7])
    with pytest.raises(ChatError, match="5 requests in a row; 2 were answered, and are kept"):
        answer_batch(tmp_path, broken, workers=1)
    done = answer_batch(
        tmp_path, Scripted(["c", ChatError("timeout", "late"), ChatError("refused", "no"), *"defg"]), workers=1
    )
    assert (done.answered, done.failed, done.left, done.before) == (5, 1, 1, 2)
    # The one that was refused is told to be; the next run tries both again.
    assert answer_batch(tmp_path, Scripted(["x", "y"]), workers=1).answered == 2
    assert batch.pending() == 0


def test_a_folder_without_requests(tmp_path: Path) -> None:
    with pytest.raises(ChatError, match="there are no requests in"):
        answer_batch(tmp_path, Scripted([]))


def test_addresses_in_a_file_are_not_passed_on(tmp_path: Path) -> None:
    part = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/secret"}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    (tmp_path / "requests.jsonl").write_text(json.dumps({"body": body, "custom_id": "x"}) + "\n", encoding="utf-8")
    chat = Scripted(["a dog"])
    done = answer_batch(tmp_path, chat)
    assert (done.answered, done.left, chat.asked) == (0, 1, [])


def test_a_schema_out_of_a_file_holds_replies() -> None:
    class Inner(BaseModel):
        """A part."""

        kind: str

    class Outer(BaseModel):
        """A whole."""

        parts: list[Inner]
        note: str | None
        count: int

    held = schema_of(Outer.model_json_schema())
    good = {"parts": [{"kind": "a"}], "note": None, "count": 2}
    assert held.model_validate(good).model_dump() == good
    odd: list[tuple[dict[str, Any], str]] = [
        ({"count": "2"}, "count"),
        ({"note": 3}, "note"),
        ({"parts": [{}]}, r"parts\[0\].kind is missing"),
    ]
    for wrong, at in odd:
        with pytest.raises(ValueError, match=at):
            held.model_validate({**good, **wrong})
    with pytest.raises(ValueError, match="count is missing"):
        held.model_validate({"parts": [], "note": None})


def test_the_command_answers_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ChatPending):
        Batch(tmp_path / "work").complete(ASKED)
    environment = {**os.environ, "WHICHPIC_HOME": str(tmp_path / "home"), "WHICHPIC_CHAT": ""}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "whichpic", "batch", *words], capture_output=True, text=True,
                              env=environment, timeout=60, cwd=tmp_path, check=False)  # fmt: skip

    with faulty() as server:
        done = run("work", "--chat", server.url)
        assert done.returncode == 0 and done.stdout == "1 answered, 0 were before, 0 cannot be, 0 left\n", done.stderr
        assert json.loads(run("work", "--chat", server.url, "--json").stdout)["before"] == 1
        assert run("work", "--chat", server.url).stdout == "nothing left to answer: 1 were before\n"
    assert Batch(tmp_path / "work").complete(ASKED)[0].text == "a dog"
    none, nowhere = run("work"), run("nowhere", "--chat", "ollama:x")
    assert (none.returncode, nowhere.returncode) == (2, 2)
    assert "expected --chat" in none.stderr and "there are no requests in nowhere" in nowhere.stderr
