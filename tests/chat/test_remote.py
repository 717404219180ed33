"""A chat behind a server: what is sent, what comes back, and what is left out for servers that know less."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from pydantic import BaseModel

from tests.chat.faulty import faulty
from whichpic.chat import Decoding, Message, open_chat
from whichpic.chat.base import cancel
from whichpic.chat.remote import Remote
from whichpic.chat.streaming import spoken
from whichpic.cli.chat import opened_chat
from whichpic.errors import ChatError
from whichpic.settings import settings

ASKED = [Message("system", "You help."), Message("user", "What is it?")]


class Asked(BaseModel):
    """What an asker wants."""

    question: str
    kind: Literal["yes/no", "open"] = "open"


def test_a_reply_with_its_tokens_and_its_time() -> None:
    with faulty(reply="a dog") as server:
        chat = open_chat(f"{server.url}#tiny")
        (reply,) = chat.complete(ASKED, decoding=Decoding(temperature=0.7, seed=3, max_tokens=40, stop=("\n",)))
        assert (reply.text, reply.finish, reply.tokens_in, reply.tokens_out) == ("a dog", "stop", 11, 5)
        assert reply.seconds > 0 and chat.usage.calls == 1 and chat.usage.tokens == 16
        sent = server.asked[0]
        assert sent["model"] == "tiny" and sent["messages"][1] == {"role": "user", "content": "What is it?"}
        assert (sent["temperature"], sent["seed"], sent["max_tokens"], sent["stop"]) == (0.7, 3, 40, ["\n"])


def test_the_only_model_of_a_server_need_not_be_named() -> None:
    with faulty() as server:
        chat = Remote(server.url)
        assert chat.describe.startswith("the model at 127.0.0.1")
        chat.complete(ASKED)
        assert server.asked[0]["model"] == "tiny" and "#tiny" in chat.id
    with faulty(models=["a", "b"]) as server, pytest.raises(ChatError, match="2 models"):
        Remote(server.url).complete(ASKED)


def test_who_waits_for_the_models_name_waits_no_longer_than_its_own_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes what is sent, and says nothing
        chat = Remote(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", retries=0)

        def patient() -> None:
            with pytest.raises(ChatError, match="no complete reply"):
                chat.complete(ASKED, deadline=3)

        thread = threading.Thread(target=patient)
        thread.start()
        time.sleep(0.2)
        began = time.monotonic()
        with pytest.raises(ChatError, match="no complete reply") as told:
            chat.complete(ASKED, deadline=0.3)
        assert told.value.reason == "timeout" and time.monotonic() - began < 2
        thread.join()


def test_pictures_go_as_data_urls_within_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "secret-name.png"
    Image.effect_noise((700, 400), 80).convert("RGB").save(path)
    with faulty() as server:
        chat = Remote(server.url, picture_bytes=60_000)
        chat.complete([Message("user", "Which is brighter?", (path, path.read_bytes()))])
        *urls, text = server.asked[0]["messages"][0]["content"]
        assert text == {"type": "text", "text": "Which is brighter?"}
        assert [len(each["image_url"]["url"]) <= 30_000 for each in urls] == [True, True]
        assert urls[0]["image_url"]["url"].startswith("data:image/jpeg;base64,")
        assert "secret" not in json.dumps(server.asked)


def test_an_object_is_held_to_its_schema_and_repaired_once() -> None:
    replies = iter(['Sure! {"query": 1}', '```json\n{"question": "Is it red?", "kind": "yes/no"}\n```'])
    with faulty(reply=lambda _: next(replies)) as server:
        chat = Remote(server.url)
        (reply,) = chat.complete(ASKED, schema=Asked)
        assert reply.value == Asked(question="Is it red?", kind="yes/no") and reply.repaired
        assert server.asked[0]["response_format"]["json_schema"]["schema"]["required"] == ["question"]
        again = server.asked[1]["messages"][-1]["content"]
        assert "question: Field required" in again and chat.usage.calls == 2


def test_a_server_without_schemas_is_told_in_words() -> None:
    with faulty(reply='{"question": "Is it red?"}', refuses=["response_format", "seed"]) as server:
        chat = Remote(server.url)
        for _ in range(2):
            assert chat.complete(ASKED, schema=Asked)[0].value.question == "Is it red?"
        assert len(server.asked) == 4  # each field is refused once, and that is remembered
        last = server.asked[-1]
        assert "response_format" not in last and "seed" not in last
        assert '"kind"' in last["messages"][-1]["content"] and last["messages"][-1]["content"].startswith("What is it?")


def test_a_field_that_was_renamed_is_sent_by_its_other_name() -> None:
    with faulty(refuses=["max_tokens"]) as server:
        Remote(server.url).complete(ASKED, decoding=Decoding(max_tokens=7))
        assert "max_tokens" not in server.asked[-1] and server.asked[-1]["max_completion_tokens"] == 7


@pytest.mark.parametrize("several", [True, False])
def test_n_replies_by_one_request_or_by_n(several: bool) -> None:
    with faulty(several=several) as server:
        chat = Remote(server.url)
        assert len(chat.complete(ASKED, n=3, decoding=Decoding(temperature=1.0, seed=5))) == 3
        assert len(server.asked) == (1 if several else 3)
        assert len({each["seed"] for each in server.asked}) == len(server.asked)
        chat.complete(ASKED, n=2)
        assert len(server.asked) == (2 if several else 5)


def test_no_more_requests_at_a_time_than_allowed() -> None:
    def slowly(_: dict[str, Any]) -> str:
        time.sleep(0.1)
        return "a dog"

    with faulty(reply=slowly, several=False) as server:
        Remote(server.url, concurrency=2, preset="ollama").complete(ASKED, n=5)
        assert len(server.asked) == 5 and server.at_once == 2


def test_choices_by_the_probabilities_of_the_first_token() -> None:
    top = {" Yes": -0.5, "yes": -2.0, "No": -2.5, "Maybe": -3.0}
    with faulty(top=top) as server:
        found = Remote(server.url).choose([Message("user", "Here is one.")], ["Red?", "Blue?"], ["yes", "no"])
        assert found.exact and found.mass.shape == (2, 2)
        assert found.mass[0].tolist() == pytest.approx([0.6065 + 0.1353, 0.0821], abs=1e-3)
        assert found.shares[0, 0] > 0.9
        assert server.asked[0]["top_logprobs"] == 20 and server.asked[0]["messages"][-1]["content"] in [
            f"Here is one.\n\n{each}?" for each in ("Red", "Blue")
        ]


@pytest.mark.parametrize("way", ["refused", "silent"])
def test_choices_by_one_word_where_there_are_no_probabilities(way: str) -> None:
    def word(body: dict[str, Any]) -> str:
        return '{"answer": "not sure"}' if "response_format" in body else "Not sure."

    with faulty(reply=word, refuses=["logprobs"] if way == "refused" else []) as server:
        found = Remote(server.url).choose([], ["Red?"], ["yes", "no", "not sure"])
        assert not found.exact and found.mass.tolist() == [[0, 0, 1]]
        last = server.asked[-1]
        wished = last["response_format"]["json_schema"]["schema"]
        assert wished["properties"]["answer"]["enum"] == ["yes", "no", "not sure"]
        assert last["messages"][-1]["content"].endswith("nothing else: yes, no, not sure")


def test_choices_that_begin_alike_are_not_told_by_their_first_token() -> None:
    with faulty(reply="red bus", top={"red": -0.1}) as server:
        found = Remote(server.url).choose([], ["Which?"], ["red car", "red bus"])
        assert not found.exact and found.mass.tolist() == [[0, 1]] and len(server.asked) == 1


def test_a_stream_comes_in_pieces_and_is_counted() -> None:
    with faulty(reply="a dog on grass") as server:
        chat = Remote(server.url)
        pieces = list(chat.stream(ASKED))
        assert len(pieces) == 4 and "".join(pieces).strip() == "a dog on grass"
        assert (chat.usage.calls, chat.usage.tokens_in, chat.usage.tokens_out) == (1, 11, 5)
        assert server.asked[0]["stream"] is True


def test_closing_a_stream_ends_the_request() -> None:
    with faulty("endless") as server:
        stream = Remote(server.url).stream(ASKED)
        assert next(iter(stream)) == "a "
        stream.close()
        assert server.left.wait(1)


def test_a_stream_can_be_closed_from_another_thread() -> None:
    with faulty("hang") as server:
        chat = Remote(server.url, concurrency=1)
        stream = chat.stream(ASKED)
        threading.Timer(0.2, stream.close).start()
        with pytest.raises(ChatError) as told:
            next(iter(stream))
        assert told.value.reason == "cancelled"
    with faulty("endless") as server:
        stream = Remote(server.url).stream(ASKED)
        next(stream)
        threading.Timer(0.2, stream.close).start()
        with pytest.raises(ChatError) as told:
            list(stream)
        assert told.value.reason == "cancelled" and server.left.wait(1)


def test_all_requests_of_a_call_are_cancelled() -> None:
    with faulty("hang", top={"yes": -0.1}) as server:
        chat = Remote(server.url, model="tiny", concurrency=3)
        thread = threading.Timer(0.5, chat.cancel)
        thread.start()
        began = time.monotonic()
        with pytest.raises(ChatError) as told:
            chat.choose(ASKED, ["red?", "blue?", "green?"], ["yes", "no"], deadline=5)
        assert told.value.reason == "cancelled" and time.monotonic() - began < 3 and server.at_once == 3
        thread.join()


def test_a_place_is_free_again_after_a_stream() -> None:
    with faulty(["endless", "cut stream"]) as server:
        chat = Remote(server.url, concurrency=1)
        stream = chat.stream(ASKED)
        next(stream)
        stream.close()
        with pytest.raises(ChatError):
            list(chat.stream(ASKED))
        assert chat.complete(ASKED, deadline=2)[0].text == "a dog"


def test_a_model_without_eyes_says_so_once(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 40), "red")
    with faulty(blind=True) as server:
        chat = Remote(server.url)
        assert chat.can_see
        for _ in range(2):
            with pytest.raises(ChatError, match="sees no pictures") as told:
                chat.complete([Message("user", "Hm?", (picture,))])
            assert told.value.reason == "unsupported"
        assert len(server.asked) == 1 and chat.can_see is False


def test_a_template_without_system_messages_gets_them_as_words() -> None:
    def no_system(body: dict[str, Any]) -> str:
        return body["messages"][0]["content"]  # type: ignore[no-any-return]

    with faulty(reply=no_system) as server:
        chat = Remote(server.url)
        chat._server.refused.add("system")
        assert chat.complete(ASKED)[0].text == "You help.\n\nWhat is it?"


def test_users_and_assistants_take_turns() -> None:
    picture = Image.new("RGB", (40, 40), "red")
    with faulty() as server:
        messages = [Message("user", "One.", (picture,)), Message("user", "Two.", (picture,)), Message("user", "Three.")]
        Remote(server.url).complete(messages)
        (sent,) = server.asked[0]["messages"]
        assert [each["type"] for each in sent["content"]] == ["image_url", "text", "image_url", "text"]
        assert sent["content"][-1]["text"] == "Two.\n\nThree."


@pytest.mark.parametrize("refuses", [(), ("system",)])
def test_whatever_is_asked_users_and_assistants_take_turns(refuses: tuple[str, ...]) -> None:
    """The server refuses what a strict template, such as Gemma's, refuses; so it does in all tests of this file."""
    picture = Image.new("RGB", (40, 40), "red")
    talk = [Message("system", "You help."), Message("user", "Look.", (picture,)), Message("user", "Which one?")]
    replies = iter(["none", '{"question": "Red?"}', *["yes"] * 9])
    with faulty(reply=lambda _: next(replies), refuses=refuses, several=False) as server:
        server.scores = [-0.5]
        chat = Remote(server.url, preset="vllm", concurrency=1)
        assert chat.complete(talk, schema=Asked)[0].repaired
        assert "".join(chat.stream(talk)).strip() == "yes"
        assert chat.choose(talk, ["Red?", "Blue?"], ["yes", "no"]).mass.tolist() == [[1, 0], [1, 0]]
        assert [each.tolist() for each in chat.logprobs(talk, ["red"])] == [[-0.5]]
        begun = [each["messages"][0]["role"] for each in server.asked[1:]]
        assert set(begun) == ({"user"} if refuses else {"system"})


def test_what_a_model_thinks_and_control_signs_are_not_part_of_its_reply() -> None:
    with faulty(reply="<think>hm, a cat?</think>\n\x1b[31ma dog\u202e\x00") as server:
        assert Remote(server.url).complete(ASKED)[0].text == "[31ma dog"


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["a ", "dog"], "a dog"),
        (["<", "3"], "<3"),
        (["\n<th", "ink>a cat", "?</thi", "nk>", "\n\n", "a ", "dog"], "a dog"),
        (["<think>never ", "ends"], ""),
        (["<t"], "<t"),
    ],
)
def test_a_stream_leaves_thoughts_out(pieces: list[str], said: str) -> None:
    assert "".join(spoken(pieces)) == said


def test_scores_of_replies_by_prompt_logprobs() -> None:
    with faulty() as server:
        with pytest.raises(ChatError, match="does not score") as told:
            Remote(server.url).logprobs(ASKED, ["a dog"])
        assert told.value.reason == "unsupported"
        chat = Remote(server.url, preset="vllm")
        assert chat.can_score
        with pytest.raises(ChatError, match="no prompt_logprobs"):
            chat.logprobs(ASKED, ["a dog"])
        server.scores = [-0.5, -1.25]
        assert [each.tolist() for each in chat.logprobs(ASKED, ["a dog", "a cat"])] == [[-0.5, -1.25]] * 2
        assert server.asked[-1]["messages"][-1]["role"] == "assistant" and server.asked[-1]["continue_final_message"]


def test_a_key_is_nowhere_but_in_its_header(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    canary = "sk-canary-1f0e"
    monkeypatch.setenv("WHICHPIC_CHAT_KEY", canary)
    settings.cache_clear()
    caplog.set_level(logging.DEBUG)
    try:
        with faulty(["401", ""], reply=f"the key is {canary}") as server:
            chat = open_chat(server.url, cache=tmp_path / "kept", retries=0)
            with pytest.raises(ChatError) as told:
                chat.complete(ASKED)
            chat.complete(ASKED)
            assert server.headers_seen[0]["authorization"] == f"Bearer {canary}"
            seen = [
                repr(chat),
                repr(chat.__dict__),
                str(told.value),
                repr(told.value),
                chat.id,
                chat.describe,
                caplog.text,
            ]
            assert canary not in "".join(seen) and canary not in json.dumps(server.asked)
            assert told.value.reason == "refused"
    finally:
        settings.cache_clear()


def test_an_error_that_repeats_the_key_is_told_without_it() -> None:
    with faulty("key") as server, pytest.raises(ChatError, match=r"Incorrect API key: \*\*\*") as told:
        Remote(server.url, key="sk-canary-2").complete(ASKED)
    assert told.value.reason == "refused" and "canary" not in str(told.value)


def test_a_stream_that_repeats_the_key_is_told_without_it() -> None:
    with faulty("key event") as server, pytest.raises(ChatError, match=r"Incorrect API key: \*\*\*") as told:
        list(Remote(server.url, key="sk-canary-2").stream(ASKED))
    assert told.value.reason == "server" and "canary" not in str(told.value)


def test_a_key_of_openai_goes_to_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-3")
    with faulty() as server:
        Remote(server.url).complete(ASKED)
        Remote(server.url, preset="openai", model="m").complete(ASKED)
        assert all("authorization" not in each for each in server.headers_seen)
    assert Remote(preset="openai", model="m")._server._key.header() == {"Authorization": "Bearer sk-canary-3"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "no chat is named"),
        ("http://", "no address"),
        ("http://user:pass@127.0.0.1:1/v1", "WHICHPIC_CHAT_KEY"),
        ("http://127.0.0.1:1/v1?key=1", "WHICHPIC_CHAT_KEY"),
        ("http://127.0.0.1:notaport/v1", "no address"),
    ],
)
def test_a_name_that_is_none_is_told_in_a_line(name: str, told: str) -> None:
    with pytest.raises(ChatError, match=told) as error:
        open_chat(name)
    assert error.value.reason == "asked wrongly" and "\n" not in str(error.value)


def test_options_of_local_weights_are_no_options_of_a_server() -> None:
    with pytest.raises(ChatError, match="--precision is for weights in this process"):
        open_chat("ollama:qwen3-vl", precision="int4")


def test_options_that_were_not_given_are_not_passed_on() -> None:
    assert opened_chat("none", precision="int4") is None and opened_chat("") is None
    chat = opened_chat("ollama:qwen3-vl", precision="auto")
    assert chat is not None and chat.describe == "qwen3-vl at 127.0.0.1:11434"
    with pytest.raises(ChatError, match="--allow-code is for weights"):
        opened_chat("ollama:qwen3-vl", allow_code="abc")


def test_proxies_are_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with faulty() as server:
        assert Remote(server.url).complete(ASKED)[0].text == "a dog"
        monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
        assert Remote("http://model.invalid:8000/v1", model="m").complete(ASKED)[0].text == "a dog"
        assert server.headers_seen[-1]["host"] == "model.invalid:8000"


def test_presets_have_their_addresses() -> None:
    assert open_chat("ollama:qwen3-vl").describe == "qwen3-vl at 127.0.0.1:11434"
    assert open_chat("dashscope:qwen-vl-max").id.startswith(
        "https://dashscope.aliyuncs.com/compatible-mode/v1#qwen-vl-max"
    )
    assert open_chat("vllm:http://gpu:9000/v1#llava").describe == "llava at gpu:9000"
    assert open_chat("http://gpu:9000#llava").id.startswith("http://gpu:9000/v1#llava")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("foo:bar", r"'foo' is no preset; there are openai, .*, batch:; or give a URL"),
        ("./nofolder", r"there is no folder of weights './nofolder'"),
        ("nofolder", "there is no folder of weights 'nofolder', and it is no id of a hub"),
    ],
)
def test_what_no_chat_can_be_is_told_before_what_is_not_installed(name: str, told: str) -> None:
    with pytest.raises(ChatError, match=told):
        open_chat(name)


@pytest.mark.parametrize("wrapped", [False, True])
def test_whatever_is_under_way_is_cancelled_from_another_thread(wrapped: bool, tmp_path: Path) -> None:
    with faulty(["hang", "hang"]) as server:
        chat = open_chat(
            f"{server.url}#tiny", llm=f"{server.url}#other" if wrapped else "", cache=tmp_path if wrapped else None
        )
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(chat.complete, [Message("user", text)]) for text in ("one", "two")]
            while len(server.asked) < 2:
                time.sleep(0.01)
            began = time.monotonic()
            cancel(chat)
            assert {getattr(call.exception(), "reason", "") for call in calls} == {"cancelled"}
            assert time.monotonic() - began < 2
        assert chat.complete([Message("user", "three")])[0].text == "a dog"
