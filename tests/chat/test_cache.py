"""Replies are kept by everything that they depend on, and nothing is asked twice."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from tests.chat.faulty import faulty
from tests.support import drawn
from whichpic.chat import Decoding, Message, open_chat
from whichpic.chat.cache import Cached, request_key
from whichpic.chat.remote import Remote
from whichpic.chat.scripted import Scripted
from whichpic.errors import ChatError

ASKED = [Message("user", "What is it?")]


class One(BaseModel):
    """An object."""

    word: str


class Other(BaseModel):
    """Another object."""

    number: int


def test_a_reply_is_asked_for_once(tmp_path: Path) -> None:
    chat = Scripted(["a dog"])
    for number in range(3):
        cached = Cached(chat, tmp_path)  # a new one each time, as a new process would have it
        (reply,) = cached.complete(ASKED)
        assert reply.text == "a dog" and reply.cached == (number > 0)
    assert len(chat.asked) == 1 and (chat.usage.calls, chat.usage.cached) == (1, 2)


def test_an_object_is_made_again_out_of_what_is_kept(tmp_path: Path) -> None:
    cached = Cached(Scripted(["no", '{"word": "dog"}']), tmp_path)
    first, second = (cached.complete(ASKED, schema=One)[0] for _ in range(2))
    assert first.value == second.value == One(word="dog") and first.repaired and second.repaired


def test_the_key_holds_everything_that_matters() -> None:
    red, blue = drawn("red"), drawn("blue")
    usual = Decoding()
    keys = [
        request_key("a", ASKED),
        request_key("b", ASKED),
        request_key("a", [Message("system", "What is it?")]),
        request_key("a", [Message("user", "What is it"), Message("user", "?")]),
        request_key("a", [Message("user", "What is it?", (red,))]),
        request_key("a", [Message("user", "What is it?", (blue,))]),
        request_key("a", [Message("user", "What is it?", (red, blue))]),
        request_key("a", [Message("user", "What is it?", (blue, red))]),
        request_key("a", ASKED, One),
        request_key("a", ASKED, Other),
        request_key("a", ASKED, None, 2),
        *(request_key("a", ASKED, None, 1, each) for each in (
            Decoding(temperature=0.5), Decoding(seed=1), Decoding(seed=None), Decoding(max_tokens=5), Decoding(top_p=0.5),
            Decoding(top_k=5), Decoding(beams=2), Decoding(repetition_penalty=1.2), Decoding(stop=("x",)))),
        request_key("a", ASKED, method="choose"),
        request_key("a", ASKED, method="choose", extra=["yes"]),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert request_key("a", [Message("user", "What is it?", (red.copy(),))], None, 1, usual) == keys[4]


def test_what_is_drawn_anew_each_time_is_not_kept(tmp_path: Path) -> None:
    cached = Cached(Scripted(["one", "two", "three"]), tmp_path)
    anew = Decoding(temperature=1.0, seed=None)
    assert [cached.complete(ASKED, decoding=anew)[0].text for _ in range(2)] == ["one", "two"]
    greedy = Decoding(seed=None)
    assert [cached.complete(ASKED, decoding=greedy)[0].text for _ in range(2)] == ["three", "three"]


def test_errors_are_not_kept(tmp_path: Path) -> None:
    cached = Cached(Scripted([ChatError("server", "it broke"), "a dog"]), tmp_path)
    with pytest.raises(ChatError):
        cached.complete(ASKED)
    assert cached.complete(ASKED)[0].text == "a dog"


def test_each_question_of_choose_is_kept_for_itself(tmp_path: Path) -> None:
    chat = Scripted(["yes", "no", "yes"])
    cached = Cached(chat, tmp_path)
    cached.choose(ASKED, ["red?", "blue?"], ["yes", "no"])
    found = cached.choose(ASKED, ["blue?", "green?", "red?"], ["yes", "no"])
    assert found.mass.tolist() == [[0, 1], [1, 0], [1, 0]] and not found.exact and len(chat.asked) == 3


def test_a_batch_asks_only_for_what_is_not_kept(tmp_path: Path) -> None:
    class Many(Scripted):
        concurrency = 3

        def complete_many(self, conversations, *, schema=None, decoding, batch=8):  # type: ignore[no-untyped-def]
            return [self.complete(each, schema=schema, decoding=decoding)[0] for each in conversations]

    def talk(number: int) -> list[Message]:
        return [Message("user", f"Number {number}?")]

    chat = Many(lambda messages: f'{{"number": {messages[-1].text[7:-1]}}}')
    cached = Cached(chat, tmp_path)
    cached.complete(talk(2), schema=Other)
    replies = cached.complete_many([talk(1), talk(2), talk(3)], schema=Other, batch=2)
    assert [(each.value.number, each.cached) for each in replies] == [(1, False), (2, True), (3, False)]
    assert [each.cached for each in cached.complete_many([talk(3), talk(1)], schema=Other)] == [True, True]
    assert len(chat.asked) == 3 and cached.concurrency == 3
    plain = Cached(Scripted(["a dog"]), tmp_path)
    assert not hasattr(plain, "complete_many") and plain.concurrency == 1


def test_a_silent_server_takes_hardly_more_than_the_deadline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cached = Cached(Remote(f"http://127.0.0.1:{silent.getsockname()[1]}/v1"), tmp_path)
        began = time.monotonic()
        with pytest.raises(ChatError, match="no complete reply"):
            cached.complete(ASKED, deadline=0.5)
        assert time.monotonic() - began < 2.5


def test_streams_and_scores_are_kept_too(tmp_path: Path) -> None:
    chat = Scripted(["a dog on grass", "a cat"])
    cached = Cached(chat, tmp_path)
    half = cached.stream(ASKED)
    assert next(half) == "a"
    half.close()  # type: ignore[attr-defined]
    assert "".join(cached.stream(ASKED)) == "".join(cached.stream(ASKED)) == "a cat"
    assert cached.complete(ASKED)[0].text == "a cat"

    class Scoring(Scripted):
        def logprobs(self, prefix, replies, *, deadline=None):  # type: ignore[no-untyped-def]
            return [np.array([-len(reply)], dtype=np.float32) for reply in replies]

    scored = Cached(Scoring([]), tmp_path)
    assert [each.tolist() for each in scored.logprobs(ASKED, ["ab", "a"])] == [[-2], [-1]]
    assert [each.tolist() for each in scored.logprobs(ASKED, ["a", "abc"])] == [[-1], [-3]]


def test_many_threads_share_a_folder(tmp_path: Path) -> None:
    chats = [Cached(Scripted(lambda messages: messages[-1].text.upper(), name="same"), tmp_path) for _ in range(4)]
    wrong: list[str] = []

    def use(chat: Cached) -> None:
        for number in range(25):
            text = chat.complete([Message("user", f"word {number}")])[0].text
            if text != f"WORD {number}":
                wrong.append(text)

    threads = [threading.Thread(target=use, args=(chat,)) for chat in chats for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    with sqlite3.connect(tmp_path / "replies.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM replies").fetchone() == (25,)
    connection.close()


def test_a_damaged_file_costs_the_keeping_and_not_the_reply(tmp_path: Path) -> None:
    (tmp_path / "replies.sqlite").write_bytes(b"this is no data base" * 100)
    cached = Cached(Scripted(["one", "two"]), tmp_path)
    with pytest.warns(UserWarning, match=r"not kept in .*replies.sqlite .*damaged: delete it") as told:
        assert [cached.complete(ASKED)[0].text for _ in range(2)] == ["one", "two"]
    assert len(told) == 1


def test_a_folder_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cached = Cached(Scripted(["one"]), tmp_path / "file" / "kept")
    with pytest.warns(UserWarning, match="not kept") as told:
        assert cached.complete(ASKED)[0].text == "one"
    assert len(told) == 1


def test_a_server_without_a_named_model_is_cached_by_the_model_it_has(tmp_path: Path) -> None:
    with faulty() as server:
        chat = open_chat(server.url, cache=tmp_path)
        assert not chat.complete(ASKED)[0].cached and chat.complete(ASKED)[0].cached
        assert len(server.asked) == 1
