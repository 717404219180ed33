"""Whatever a model's server does wrong, and wherever a turn asks it: the turn completes from facts, in time, and says so.

A conversation on an album of drawn pictures, a server on loopback that fails always, and one call site at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.chat.faulty import REASONS, REPLY_REASONS, faulty
from tests.support import drawn_album
from whichpic.api import Album
from whichpic.chat import open_chat
from whichpic.cli.talk import Conversation

DEADLINE = 0.8
SLACK = 2.0
"""Seconds for everything that is not the model: a list, a question from facts, a busy machine."""
FAULTS = ["429", "500", "hang", "cut body", "html", "empty choices", "bad json", "drip", "close", "redirect", "huge"]
SITES = {
    # what the session is told to use, what the user types, and what the reply to that line goes through
    "reconstruct": ({"rewriter": "reconstruct"}, ["red", "a round thing"]),
    "caption of a liked picture": ({"rewriter": "expand"}, ["red", "/more 1"]),
    "rerank": ({"rerank": 3}, ["red"]),
    "asker captions": ({"asker": "captions"}, ["red"]),
    "asker pictures": ({"asker": "pictures"}, ["red"]),
    "all at once": ({"rewriter": "reconstruct", "rerank": 3, "asker": "pictures,captions"}, ["red", "a round thing"]),
}


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    folder = drawn_album(tmp_path_factory.mktemp("album"), 20)
    with Album.open(folder, encoder="toy") as opened:
        opened.index()
        yield opened


def held(album: Album, site: str, url: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str, float]:
    """What stood on the terminal after the last line that was typed, and how long that line took."""
    options, lines = SITES[site]
    chat = open_chat(url, retries=1)
    session = album.session(keep=False, chat=chat, deadline=DEADLINE, **options)  # type: ignore[arg-type]
    conversation = Conversation(album, session, k=4, pictures=False)
    for line in lines[:-1]:
        conversation.line(line)
    capsys.readouterr()
    began = time.perf_counter()
    assert conversation.line(lines[-1])
    took = time.perf_counter() - began
    assert session.results(4) and session.question is not None
    out, trouble = capsys.readouterr()
    return out, trouble, took


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("site", SITES)
def test_a_turn_completes_from_facts_in_time_and_says_so(
    album: Album, site: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fault in REASONS
    with faulty(fault) as server:
        out, trouble, took = held(album, site, server.url, capsys)
    assert server.asked, "the model was never asked"
    assert took < DEADLINE + SLACK
    assert out.count(".png") >= 4 and "\n? " in out
    assert out.index(".png") < out.index("\n? ")
    assert trouble.count("asked from facts") == 1, trouble
    assert "Traceback" not in trouble and "127.0.0.1" not in out


@pytest.mark.parametrize("fault", REPLY_REASONS)
@pytest.mark.parametrize("site", ["asker captions", "asker pictures"])
def test_a_question_that_does_not_follow_its_schema_is_not_asked(
    album: Album, site: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with faulty(fault) as server:
        out, trouble, took = held(album, site, server.url, capsys)
    assert took < DEADLINE + SLACK and "\n? " in out
    assert trouble.count("asked from facts") == 1


@pytest.mark.parametrize("reply", ["", "{}", '{"question": 5}', "maybe, who knows", "yes" * 5000])
def test_an_odd_word_at_a_look_leaves_the_list_as_it_was(album: Album, reply: str) -> None:
    with faulty(reply=reply) as server:
        session = album.session(keep=False, chat=open_chat(server.url, retries=0), rerank=3, deadline=DEADLINE)
        session.say("red")
        before = [each.picture.id for each in session.results(20)]
        session.refine()
        assert [each.picture.id for each in session.results(20)] == before
