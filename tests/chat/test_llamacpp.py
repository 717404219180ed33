"""A real model behind a real server: SmolLM2 (135M) in llama.cpp on the loopback interface, started here.

Skipped, with the reason, without the package xllamacpp or the weights (whichpic models get smollm2-135m). What such a
small model says is not looked at, except where a grammar or a plain example leaves it little choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Literal
from urllib.request import urlopen

import numpy as np
import pytest
from pydantic import BaseModel, Field

from benchmarks import llama_server
from whichpic.album.datasets import DataSet
from whichpic.chat import Decoding, Message, open_chat
from whichpic.chat.base import Chat
from whichpic.dialogue import Said, Session
from whichpic.dialogue.denoise import check
from whichpic.encoders.toy import Toy
from whichpic.errors import ChatError, ModelError
from whichpic.search.gallery import Gallery

SHORT = Decoding(max_tokens=16)
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if not llama_server.installed():
        pytest.skip(llama_server.MISSING)
    try:
        path = llama_server.weights("smollm2-135m")
    except ModelError as error:
        pytest.skip(str(error))
    with llama_server.serving(path, context=1024, slots=2, threads=1) as served:
        yield served


@pytest.fixture
def chat(address: str) -> Chat:
    return open_chat(f"llamacpp:{address}")


def ask(text: str) -> list[Message]:
    return [Message("user", text)]


def test_complete(chat: Chat) -> None:
    reply = chat.complete(ask("Say hello."), decoding=SHORT)[0]
    assert reply.text.strip() and reply.finish in ("stop", "length")
    assert reply.tokens_in > 5 and 0 < reply.tokens_out <= 16 and reply.seconds > 0
    assert chat.complete(ask("Say hello."), decoding=SHORT)[0].text == reply.text  # greedy: the same again
    assert chat.usage.calls == 2 and chat.usage.tokens_out == 2 * reply.tokens_out
    assert "smollm2" in chat.id


class Seen(BaseModel):
    thing: str = Field(max_length=40)
    colour: Literal["red", "blue", "green"]
    count: int = Field(ge=1, le=9)


def test_complete_with_a_schema(chat: Chat) -> None:
    asked = ask("A photo of two red apples. Give the thing, its colour and how many there are, as JSON.")
    reply = chat.complete(asked, schema=Seen, decoding=Decoding(max_tokens=80))[0]
    assert isinstance(reply.value, Seen) and not reply.repaired
    assert reply.value.colour in ("red", "blue", "green") and 1 <= reply.value.count <= 9


def test_several_replies_are_drawn(chat: Chat) -> None:
    drawn = Decoding(max_tokens=12, temperature=1.0, seed=3)
    first = [reply.text for reply in chat.complete(ask("Name an animal and a colour."), n=3, decoding=drawn)]
    assert len(first) == 3 and len(set(first)) > 1


def test_stream(chat: Chat) -> None:
    asked = ask("Name five animals.")
    pieces = list(chat.stream(asked, decoding=SHORT))
    assert len(pieces) > 3
    assert "".join(pieces).strip() == chat.complete(asked, decoding=SHORT)[0].text.strip()


def busy(address: str) -> list[int]:
    """Tokens that are still to be written, for each reply that the server is writing."""
    with urlopen(f"{address.removesuffix('/v1')}/slots", timeout=20) as reply:
        return [slot["next_token"][0]["n_remain"] for slot in json.load(reply) if slot["is_processing"]]


def test_closing_a_stream_frees_the_server(chat: Chat, address: str) -> None:
    stream = chat.stream(ask("Tell a very long story."), decoding=Decoding(max_tokens=900))
    assert next(iter(stream)) is not None
    left = busy(address)
    stream.close()  # type: ignore[attr-defined]
    given_up_at = monotonic() + 20
    while (now := busy(address)) and monotonic() < given_up_at:
        left = now
        sleep(0.02)
    assert not now and min(left) > 300  # most of the story was never written


def test_choose_reads_the_probabilities(chat: Chat) -> None:
    prefix = [
        Message("system", "You answer with yes or no."),
        *(Message("user", "Is fire hot?"), Message("assistant", "yes")),
        *(Message("user", "Is ice hot?"), Message("assistant", "no")),
    ]
    found = chat.choose(prefix, ["Is snow cold?", "Is the sun cold?", "Is water dry?"], ["yes", "no"])
    assert found.exact and found.mass.shape == (3, 2) and found.mass.dtype == np.float64
    assert (found.mass > 0).all() and (found.mass.sum(axis=1) <= 1 + 1e-6).all()
    assert found.mass.sum(axis=1).min() > 0.5  # after two examples hardly anything but the two words comes
    again = chat.choose(prefix, ["Is snow cold?"], ["no", "yes"])
    np.testing.assert_allclose(again.mass[0, ::-1], found.mass[0], atol=0.02)  # the order of choices changes nothing


def test_a_deadline_holds_and_the_server_goes_on(chat: Chat) -> None:
    began = monotonic()
    with pytest.raises(ChatError) as caught:
        chat.complete(ask("Tell a very long story."), decoding=Decoding(max_tokens=900), deadline=0.4)
    assert caught.value.reason == "timeout" and "\n" not in str(caught.value)
    assert monotonic() - began < 3.0
    assert chat.complete(ask("Say hello."), decoding=SHORT)[0].text


def test_a_stream_keeps_the_deadline_too(chat: Chat) -> None:
    began = monotonic()
    with pytest.raises(ChatError) as caught:
        list(chat.stream(ask("Tell a very long story."), decoding=Decoding(max_tokens=900), deadline=0.5))
    assert caught.value.reason == "timeout" and monotonic() - began < 3.0


ALBUM = {
    "1": ("a brown dog runs on a beach",),
    "2": ("a white cat sleeps on a red sofa",),
    "3": ("two children with kites on a beach",),
    "4": ("a brown horse stands in the snow",),
    "5": ("a red bus in a rainy street",),
}


def test_a_session_is_as_true_to_what_was_said_as_without_the_model(chat: Chat, tmp_path: Path) -> None:
    gallery = Gallery.of_captions(DataSet("five", tuple(ALBUM), ALBUM), Toy())
    session = Session(gallery, chat=chat, rewriter="reconstruct", folder=tmp_path, deadline=60)
    session.say("an animal runs on a beach")
    session.reply("What colour is the dog?", "brown")
    assert len(session.results(5)) == 5  # the list does not wait for the model
    session.refine()
    assert session.trouble == ""
    said = [event for event in session.events if isinstance(event, Said)]
    told = check(session.query, said)
    assert told.ok and not told.lost and not told.invented  # whatever 135 million weights have made of it
    assert session.path is not None
    again = Session.resume(gallery, session.path)  # without any model
    assert again.query == session.query
    np.testing.assert_array_equal(again.belief.log, session.belief.log)


def test_a_session_goes_on_when_the_model_is_too_slow(chat: Chat) -> None:
    gallery = Gallery.of_captions(DataSet("five", tuple(ALBUM), ALBUM), Toy())
    session = Session(gallery, chat=chat, rewriter="reconstruct", deadline=0.05)
    session.say("an animal runs on a beach")
    session.say("it is brown")
    before = session.belief.log
    began = monotonic()
    session.refine()
    assert monotonic() - began < 3.0
    assert session.trouble and "\n" not in session.trouble
    np.testing.assert_array_equal(session.belief.log, before)


def test_a_prompt_that_is_too_long_is_said_so(chat: Chat) -> None:
    with pytest.raises(ChatError) as caught:
        chat.complete(ask("word " * 3000), decoding=SHORT)
    assert caught.value.reason == "too long"


def test_what_this_server_cannot_do(chat: Chat) -> None:
    assert not chat.can_score
    with pytest.raises(ChatError) as caught:
        chat.logprobs(ask("Say hello."), ["hello"])
    assert caught.value.reason == "unsupported"


def test_a_server_that_is_gone_is_unreachable(address: str) -> None:
    gone = open_chat("http://127.0.0.1:9/v1#smollm2", retries=0)
    with pytest.raises(ChatError) as caught:
        gone.complete(ask("Say hello."), decoding=SHORT, deadline=3)
    assert caught.value.reason == "unreachable"


def test_a_file_that_is_no_model_is_one_line() -> None:
    if not llama_server.installed():
        pytest.skip(llama_server.MISSING)
    with pytest.raises(ModelError, match=r"the llama.cpp server did not start: .+"), llama_server.serving(__file__):
        pass
    with pytest.raises(ModelError, match=r"neither a \.gguf file nor a language model"):
        llama_server.weights("minilm")
