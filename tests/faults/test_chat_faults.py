"""Every fault of a chat server becomes a ChatError with its reason, within the deadline."""

from __future__ import annotations

import time

import pytest
from pydantic import BaseModel

from tests.chat.faulty import REASONS, REPLY_REASONS, STREAM_REASONS, faulty
from whichpic.chat import Message
from whichpic.chat.remote import Remote
from whichpic.errors import ChatError

ASKED = [Message("user", "What is it?")]
DEADLINE, SLACK = 0.4, 1.5


class Asked(BaseModel):
    """What an asker wants."""

    question: str


def told(fault: str, call: str, *, deadline: float = DEADLINE) -> tuple[ChatError, float, int]:
    """The error that a fault becomes, the seconds that it took, and the requests that were sent."""
    with faulty(fault) as server:
        chat = Remote(server.url, model="tiny")
        began = time.monotonic()
        with pytest.raises(ChatError) as error:
            match call:
                case "complete":
                    chat.complete(ASKED, deadline=deadline)
                case "stream":
                    list(chat.stream(ASKED, deadline=deadline))
                case "choose":
                    chat.choose(ASKED, ["Is it red?"], ["yes", "no"], deadline=deadline)
                case _:
                    chat.complete(ASKED, schema=Asked, deadline=deadline)
        return error.value, time.monotonic() - began, len(server.asked)


@pytest.mark.parametrize("fault", REASONS)
def test_complete(fault: str) -> None:
    error, seconds, _ = told(fault, "complete")
    assert error.reason == REASONS[fault], error
    assert seconds < DEADLINE + SLACK and "\n" not in str(error)


@pytest.mark.parametrize("fault", [*(each for each in REASONS if each != "empty"), *STREAM_REASONS])
def test_stream(fault: str) -> None:
    error, seconds, _ = told(fault, "stream", deadline=DEADLINE)
    assert error.reason == {**REASONS, **STREAM_REASONS}[fault], error
    assert seconds < DEADLINE + SLACK


@pytest.mark.parametrize("fault", ["hang", "drip", "500", "html", "empty choices", "cut body"])
def test_choose(fault: str) -> None:
    error, seconds, _ = told(fault, "choose", deadline=DEADLINE)
    assert error.reason == REASONS[fault] and seconds < DEADLINE + SLACK


@pytest.mark.parametrize("fault", [*REPLY_REASONS, "hang"])
def test_a_reply_that_does_not_follow_its_schema_is_asked_for_twice(fault: str) -> None:
    error, seconds, requests = told(fault, "schema")
    assert error.reason == {**REASONS, **REPLY_REASONS}[fault]
    assert requests == (1 if fault == "hang" else 2) and seconds < DEADLINE + SLACK


@pytest.mark.parametrize("fault", ["429", "429 soon", "500", "close", "html", "empty choices", "cut body", "bad json"])
def test_a_fault_that_passes_costs_one_more_request(fault: str) -> None:
    with faulty([fault]) as server:
        began = time.monotonic()
        assert Remote(server.url).complete(ASKED)[0].text == "a dog"
        assert len(server.asked) == 2 and time.monotonic() - began < 2.5


def test_a_server_that_wants_an_hour_is_not_waited_for() -> None:
    error, seconds, requests = told("429 later", "complete", deadline=10)
    assert error.reason == "rate limit" and requests == 1 and seconds < 1


def test_retries_end() -> None:
    error, _, requests = told("500", "complete", deadline=10)
    assert requests == 3 and "it broke" in str(error)


def test_what_will_not_pass_is_asked_once() -> None:
    for fault in ("401", "404", "context", "redirect"):
        assert told(fault, "complete", deadline=10)[2] == 1


def test_a_server_that_is_not_there() -> None:
    with faulty() as server:
        url = server.url
    began = time.monotonic()
    with pytest.raises(ChatError, match="is it running") as error:
        Remote(url).complete(ASKED, deadline=1)
    assert error.value.reason == "unreachable" and time.monotonic() - began < 1 + SLACK


def test_a_server_that_speaks_no_tls() -> None:
    with faulty() as server, pytest.raises(ChatError, match="no secure connection") as error:
        Remote(server.url.replace("http:", "https:"), model="m").complete(ASKED, deadline=1)
    assert error.value.reason == "unreachable"


def test_a_host_that_is_not_found() -> None:
    with pytest.raises(ChatError, match=r"nowhere\.invalid") as error:
        Remote("http://nowhere.invalid/v1", model="m").complete(ASKED, deadline=1)
    assert error.value.reason == "unreachable"


def test_the_deadline_holds_while_others_have_the_places() -> None:
    with faulty("hang") as server:
        chat = Remote(server.url, model="tiny", concurrency=1)
        began = time.monotonic()
        with pytest.raises(ChatError):
            chat.complete(ASKED, n=1, deadline=0.5)
        with pytest.raises(ChatError) as error:
            chat.choose(ASKED, ["a?", "b?", "c?"], ["yes", "no"], deadline=0.5)
        assert error.value.reason == "timeout" and time.monotonic() - began < 1.0 + SLACK


def test_an_interrupted_read_leaves_no_connection_behind() -> None:
    with faulty("drip") as server:
        with pytest.raises(ChatError):
            Remote(server.url, model="tiny").complete(ASKED, deadline=0.3)
        assert server.left.wait(1)
