"""Models that are talked with: opened when needed, replies that come in pieces, stop, and what goes wrong as one part."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from PIL import Image

from tests.chat.faulty import REASONS, STREAM_REASONS, faulty
from tests.support import drawn
from whichpic.chat.base import Decoding, Message
from whichpic.chat.scripted import Scripted
from whichpic.errors import ChatError, DecodeError
from whichpic.web.chat_log import MOST_PICTURES, Conversation, DecodingView, from_album, from_bytes, from_text
from whichpic.web.chats import AT_ONCE, Chats, Done, Failed, Loading, Part, Token, Writing, name_of
from whichpic.web.desk import Desk
from whichpic.web.pages.chat_settings import Chosen
from whichpic.web.pages.prose import Block, blocks, inline
from whichpic.web.shelf import Shelf

ASKED = [Message("user", "What is this?")]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


async def parts_of(writing: Writing) -> list[Part]:
    return [part async for part in writing]


def said(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Token))


def asked(chats: Chats, model: str = "", decoding: Decoding = Decoding()) -> list[Part]:
    async def work() -> list[Part]:
        return await parts_of(chats.write(model, lambda: ASKED, decoding))

    found: list[Part] = run(work())
    return found


def test_a_reply_comes_in_pieces_and_ends(desk: Desk) -> None:
    chats = Chats(["one"], desk, opened=[Scripted(["A dog on a beach."])])
    parts = asked(chats)
    assert said(parts) == "A dog on a beach."
    last = parts[-1]
    assert isinstance(last, Done) and last.finish == "stop" and last.tokens == 5


def test_models_have_names_for_people_and_ids_for_addresses(desk: Desk, tmp_path: Any) -> None:
    (tmp_path / "MiniCPM-V-2").mkdir()
    names = [
        "http://me:secret@host:8000/v1#qwen",
        "ollama:qwen2.5vl",
        str(tmp_path / "MiniCPM-V-2"),
        "ollama:qwen2.5vl",
    ]
    chats = Chats(names, desk)
    assert [each.name for each in chats.models.values()] == ["qwen (host:8000)", "ollama:qwen2.5vl", "MiniCPM-V-2"]
    assert list(chats.models) == ["qwen-host-8000", "ollama-qwen2-5vl", "minicpm-v-2"]
    assert [each.local for each in chats.models.values()] == [False, False, True]
    assert "secret" not in repr(chats.models) and str(tmp_path) not in repr(chats.models)
    assert name_of("http://127.0.0.1:8000/v1") == "127.0.0.1:8000"


def test_a_model_that_cannot_be_opened_costs_the_others_nothing(desk: Desk, tmp_path: Any) -> None:
    gone = str(tmp_path / "no such folder")
    chats = Chats([gone, "batch:" + gone, "other"], desk, opened=[None, None, Scripted(["Still here."])])
    first, second, third = chats.models
    failed = asked(chats, first)[-1]
    assert isinstance(failed, Failed) and chats[first].state == "failed" and chats[first].detail
    waiting = asked(chats, second)[-1]
    assert isinstance(waiting, Failed) and "batch" in waiting.detail
    assert said(asked(chats, third)) == "Still here."


def test_no_model_says_how_to_get_one(desk: Desk) -> None:
    with pytest.raises(ChatError, match="--chat MODEL"):
        Chats([], desk)[""]
    with pytest.raises(ChatError, match="there are: one"):
        Chats(["one"], desk)["two"]


@pytest.mark.parametrize(
    "fault", ["429 later", "500", "close", "html", "bad json", "empty choices", "401", *STREAM_REASONS]
)
def test_what_a_server_does_wrong_is_the_last_part(desk: Desk, fault: str) -> None:
    with faulty(fault, "a dog on a beach") as server:
        parts = asked(Chats([server.url], desk))
    last = parts[-1]
    assert isinstance(last, Failed) and last.reason == (REASONS | STREAM_REASONS)[fault]
    assert "\n" not in last.detail and last.detail
    if fault == "cut stream":
        assert said(parts).strip() == "a"


@pytest.mark.parametrize("fault", ["endless", "hang", "drip"])
def test_stop_ends_the_request_within_a_second(fault: str) -> None:
    desk = Desk(waiting=1)

    async def work(chats: Chats) -> tuple[list[Part], float]:
        writing = chats.write("", lambda: ASKED, Decoding())
        await asyncio.sleep(0.3)
        began = time.perf_counter()
        writing.stop()
        return await parts_of(writing), time.perf_counter() - began

    with faulty(fault, "a dog") as server:
        parts, seconds = run(work(Chats([server.url], desk)))
        assert isinstance(parts[-1], Done) and parts[-1].finish == "stopped"
        assert (parts[-1].tokens > 3) == (fault == "endless")
        assert server.left.wait(1.0)
    assert seconds < 1.0
    assert desk.beside(lambda: "free").result(1.0) == "free"  # the one thread there is
    desk.close()


def test_a_local_model_says_that_it_loads_and_writes_one_reply_at_a_time(desk: Desk) -> None:
    local = Loads()
    chats = Chats(["here"], desk, opened=[None])
    model = chats["here"]
    model.chat = local

    async def work() -> list[list[Part]]:
        both = [chats.write("here", lambda: ASKED, Decoding()) for _ in range(2)]
        return [await parts_of(each) for each in both]

    first, second = run(work())
    assert any(isinstance(part, Loading) for part in first + second)
    assert local.loads == 1 and local.most == 1 and model.state == "ready"
    assert said(first) == said(second) == "one two three"


class Loads(Scripted):
    """A model in this process, as far as a page can tell: it loads, and its pieces take a moment."""

    def __init__(self) -> None:
        super().__init__(lambda messages: "one two three")
        self.loads = self.now = self.most = 0

    def load(self) -> None:
        """Takes a moment."""
        time.sleep(0.05)
        self.loads += 1

    def stream(self, messages: Sequence[Message], **options: Any) -> Any:
        """Piece by piece, slowly."""
        self.now += 1
        self.most = max(self.most, self.now)
        for piece in super().stream(messages, **options):
            time.sleep(0.02)
            yield piece
        self.now -= 1


def test_beams_are_for_weights_in_this_process(desk: Desk) -> None:
    with faulty() as server:
        last = asked(Chats([server.url], desk), decoding=Decoding(beams=3))[-1]
    assert isinstance(last, Failed) and last.reason == "unsupported" and "beam search" in last.detail
    assert (
        said(asked(Chats(["here"], desk, opened=[Scripted(["in one piece"])]), decoding=Decoding(beams=3)))
        == "in one piece"
    )


def test_so_many_replies_at_once(desk: Desk) -> None:
    async def work(chats: Chats) -> None:
        held = [chats.write("", lambda: ASKED, Decoding()) for _ in range(AT_ONCE)]
        with pytest.raises(ChatError, match="being written already"):
            chats.write("", lambda: ASKED, Decoding())
        for each in held:
            each.stop()
        await asyncio.sleep(0.5)
        again = chats.write("", lambda: ASKED, Decoding())
        again.stop()

    with faulty("endless", "a dog") as server:
        run(work(Chats([server.url], desk)))


def test_each_model_goes_on_from_what_it_said_itself(shelf: Shelf) -> None:
    talk = Conversation(system="Be brief.")
    talk.add(from_album(shelf.first, next(iter(shelf.first.gallery.positions))))
    first = talk.ask("What is it?", [("a", "A"), ("b", "B")])
    first.answers[0].text, first.answers[1].text = "A dog.", "A cat."
    lost = talk.ask("Lost?", [("a", "A")])
    second = talk.ask("What colour?", [("a", "A"), ("b", "B")])
    assert lost.answers[0].text == ""  # what was never answered is not told
    for place, own in enumerate(("A dog.", "A cat.")):
        messages = talk.messages(second, second.answers[place])
        assert [each.role for each in messages] == ["system", "user", "assistant", "user"]
        assert messages[2].text == own and len(messages[1].pictures) == 1 and not messages[3].pictures


def test_a_talk_is_saved_in_the_layout_of_the_trade(shelf: Shelf) -> None:
    talk = Conversation()
    for picture in list(shelf.first.gallery.positions)[:2]:
        talk.add(from_album(shelf.first, picture))
    turn = talk.ask("Which <image> is larger?", [("a", "A"), ("b", "B")])
    turn.answers[0].text, turn.answers[1].text, turn.better = "The first.", "The second.", 1
    first, second = json.loads(talk.as_json())
    assert first["conversations"][0] == {"role": "user", "content": "<image_00><image_01>\nWhich < image> is larger?"}
    assert set(first["image"]) == {"<image_00>", "<image_01>"}
    assert (first["model"], first["better"], second["better"]) == ("A", [False], [True])
    assert "**Which <image> is larger?**" in talk.as_markdown() and "*B* (+):" in talk.as_markdown()


def test_pictures_come_under_limits(shelf: Shelf) -> None:
    taken = from_bytes(png(drawn("red")), "red.png")
    assert taken.src.startswith("data:image/jpeg;base64,") and isinstance(taken.open(), bytes)
    assert from_text(f"data:image/png;base64,{base64.b64encode(png(drawn('red'))).decode()}", "x").src
    began = time.perf_counter()
    with pytest.raises(DecodeError, match="9000 x 9000"):
        from_bytes(png(Image.new("1", (9000, 9000))), "bomb.png")
    with pytest.raises(DecodeError, match="bytes"):
        from_bytes(b"\xff" * 20_000_001, "large.jpg")
    assert time.perf_counter() - began < 2
    for odd in ("/etc/passwd", "http://127.0.0.1/x.png", "data:text/html,x", "file:///etc/passwd", "", "%%%"):
        with pytest.raises(DecodeError):
            from_text(odd, "odd")
    talk = Conversation()
    for number in range(MOST_PICTURES):
        talk.add(from_bytes(png(drawn("red", noise=number)), str(number)))
    with pytest.raises(ChatError, match="take one out"):
        talk.add(from_bytes(png(drawn("blue")), "one more"))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_the_form_says_how_replies_are_drawn() -> None:
    sampling = Chosen.of({"how": "sampling", "temperature": "0.9", "top_k": "", "seed": "7", "system": "x", "odd": 1})
    assert sampling.decoding() == DecodingView(temperature=0.9, top_p=0.8, top_k=100, seed=7)
    assert Chosen.of({"how": "greedy", "temperature": "0.9"}).decoding().temperature == 0
    assert Chosen.of({"how": "beams"}).decoding().beams == 3
    for odd in ({"how": "sampling", "temperature": "nan"}, {"max_tokens": "1e9"}, {"how": "beams", "beams": "'"}):
        with pytest.raises(ChatError) as error:
            Chosen.of(odd).decoding()
        assert "\n" not in str(error.value)


def test_what_a_model_writes_is_paragraphs_lists_and_code() -> None:
    text = "# Title\nOne **bold** `x`.\n\n- first\n- second\n\n1. one\n2) two\n```py\n<b>\n```\nend"
    assert blocks(text) == [
        Block("p", ("**Title**", "One **bold** `x`.")),
        Block("ul", ("first", "second")),
        Block("ol", ("one", "two")),
        Block("pre", ("<b>",)),
        Block("p", ("end",)),
    ]
    assert inline("a **b** `c` <i>") == [("", "a "), ("strong", "b"), ("", " "), ("code", "c"), ("", " <i>")]
    assert inline("**" * 2000) and blocks("") == []
