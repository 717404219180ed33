"""Text in pictures, captions, EXIF and names that orders the model about, and a model that obeys: it stays content.

Everything that whichpic does with a model is done in a process that notes what Python opens, connects to and starts.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from tests.faults.orders import CANARY, CARRIERS, KINDS, Obeying, injected_album, replies
from whichpic import Album
from whichpic.album.described import NAME, read_described
from whichpic.chat.pictures import data_url
from whichpic.chat.scripted import Scripted
from whichpic.chat.structured import parse
from whichpic.cleaning import clean
from whichpic.cli.ask import shown
from whichpic.conversations import output_rows
from whichpic.describe import USUAL, describe, sources
from whichpic.dialogue.belief import said_evidence
from whichpic.dialogue.events import Said
from whichpic.errors import ChatError
from whichpic.prompts import listed, quoted

CHILD = """
import json, os, sys
noted = []

def hook(event, details):
    if event in ("open", "os.open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.symlink",
                 "shutil.rmtree", "exec", "compile", "import", "sqlite3.connect"):
        text = repr(details)[:2000]
        if {canary!r} in text:
            noted.append([event, text])
    elif event.split(".")[0] in ("socket", "subprocess", "urllib", "webbrowser", "ftplib", "smtplib", "http") or event in (
        "os.system", "os.exec", "os.fork", "os.forkpty", "os.spawn", "os.posix_spawn", "pty.spawn"):
        noted.append([event, repr(details)[:500]])

from tests.faults.test_injection import everything
from pathlib import Path
import numpy, PIL.Image, whichpic.dialogue.session, whichpic.dialogue.judging, concurrent.futures.thread
sys.addaudithook(hook)
told = everything(Path(sys.argv[1]))
kept = list(noted)
try:
    open("/tmp/{canary}/id_rsa")  # the hook is awake
except OSError:
    told["awake"] = len(noted) - len(kept)
noted = kept
print(json.dumps([noted, told]))
"""


def everything(root: Path) -> dict[str, object]:
    """Index, describe, look, ask and talk, with a model that obeys; what a person would have seen of it."""
    kinds = injected_album(root)
    chat = Obeying(kinds)
    seen: list[str] = []
    with Album.open(root, encoder="toy") as album:
        album.index()
        report = describe(sources(album.store, everything=True), chat, album.store.home / NAME, dimensions=USUAL[:5])
        album.index()
        described = len(chat.asked)
        seen += [text for texts in album.store.captions().values() for text in texts[-1:]]
        for asker, rewriter in (("pictures", "reconstruct"), ("captions", "expand"), ("captions,facts,pick", "slerp")):
            session = album.session(chat=chat, asker=asker, rewriter=rewriter, rerank=12, keep=False, deadline=20.0)
            session.say("a red card")
            session.refine()
            for _ in range(2):
                seen += [each for question in session.questions() for each in
                         (question.text, *(option.text for option in question.options))]  # fmt: skip
                if question := session.question:
                    session.answer(0, question=question)
                    session.refine()
            first = [each.picture.id for each in session.results(6)]
            session.mark(more=first[:2])
            session.refine()
            seen += [session.query, session.trouble]
            assert len(session.results(12)) == 12
        seen += ["".join(chat.stream([])), chat({"image": root / "said" / "5.png", "question": "What is it?"})]
    return {
        "captions": report.captions,
        "skipped": len(report.skipped),
        "described": described,
        "talked": len(chat.asked) - described,
        "seen": [shown(each) for each in seen],
    }


def test_nothing_is_opened_connected_to_or_run(tmp_path: Path) -> None:
    child = CHILD.replace("{canary!r}", repr(CANARY)).replace("{canary}", CANARY)
    done = subprocess.run(
        [sys.executable, "-c", child, str(tmp_path / "album")], capture_output=True, text=True,
        env={**os.environ, "WHICHPIC_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}, timeout=100, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    noted, told = json.loads(done.stdout.splitlines()[-1])
    # Names of the album's own files hold orders, too: those are opened where they lie.
    own = f"{tmp_path}/album"
    assert [each for each in noted if own not in each[1]] == []
    assert not Path(f"/tmp/{CANARY}.owned").exists()
    assert told["awake"] == 1
    assert told["captions"] > 50 and told["described"] == 500 and told["talked"] > 15
    assert not any(control in each for each in told["seen"] for control in ("\x1b", "\x07", "\u202e", "\x00"))
    assert max(map(len, told["seen"])) < 500_000


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> tuple[Album, dict[str, str]]:
    root = tmp_path_factory.mktemp("injected") / "album"
    kinds = injected_album(root)
    opened = Album.open(root, encoder="toy")
    from whichpic.album.indexing import index

    index(opened.store, opened.encoder)
    return opened, kinds


def test_there_are_fifty_pictures_and_each_order_in_each_place(album: tuple[Album, dict[str, str]]) -> None:
    opened, kinds = album
    assert len(kinds) == len(KINDS) * len(CARRIERS) == 50
    assert len(opened.store.pictures()) == 100


def test_a_model_is_told_neither_names_nor_exif(album: tuple[Album, dict[str, str]], tmp_path: Path) -> None:
    opened, _ = album
    chat = Scripted(lambda _: "A red card.")
    describe(sources(opened.store, everything=True), chat, tmp_path / NAME, dimensions=["scene"])
    for messages in chat.asked:
        assert CANARY not in " ".join(message.text for message in messages)
        (picture,) = messages[-1].pictures
        assert not getattr(picture, "filename", "") and not dict(picture.getexif())  # type: ignore[union-attr]
    for path in sorted((opened.store.root / "said").iterdir())[:20]:
        sent = base64.b64decode(data_url(path).partition(",")[2])
        assert CANARY.encode() not in sent and b"instructions" not in sent and b"Exif" not in sent


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_obeying_model_says_is_no_order_once_it_is_a_caption(kind: str) -> None:
    for said in replies(kind):
        for words in (False, True):
            caption = clean(said, words=words)
            assert len(caption) <= 600 and "\n" not in caption
            assert not any(each in caption for each in ("<", "http", "\x1b", "\u202e", "`"))
            outside = " ".join(caption.split('"')[::2])
            assert not any(
                order in outside.casefold() for order in ("ignore all", "system prompt", "rank it first", "忽略")
            )


@pytest.mark.parametrize("kind", KINDS)
def test_a_quoted_order_cannot_close_its_quotation_marks(kind: str) -> None:
    for said in replies(kind):
        line = quoted(said)
        assert line[0] == line[-1] == '"' and '"' not in line[1:-1] and "\n" not in line and len(line) < 610
    assert len(listed(replies(kind)).splitlines()) == len(replies(kind))


class Strict(BaseModel):
    """A reply as the callers want it: nothing beyond its fields, and no text without a bound."""

    model_config = ConfigDict(extra="forbid")
    question: str = Field(max_length=200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_that_breaks_its_schema_is_an_error_of_one_type(kind: str) -> None:
    for said in replies(kind):
        with pytest.raises(ChatError) as told:
            parse(said, Strict)
        assert told.value.reason in ("schema", "not json")
        assert len(str(told.value)) < 500


def test_training_data_holds_no_mark_of_a_picture_that_is_none(
    album: tuple[Album, dict[str, str]], tmp_path: Path
) -> None:
    opened, kinds = album
    describe(sources(opened.store, everything=True), Obeying(kinds), tmp_path / NAME, dimensions=["scene", "text"])
    files = {each.id: each.paths[0] for each in opened.store.pictures()}
    for row in output_rows(read_described(tmp_path / NAME), files, {"en": "What is this?"}):
        assert json.dumps(row["conversations"]).count("<image>") == 1


def test_a_picture_that_ranks_itself_first_gains_no_more_than_the_clip(album: tuple[Album, dict[str, str]]) -> None:
    opened, kinds = album
    for query in ("a red card", "something blue", "a yellow picture", "a green field"):
        plain = opened.session(keep=False)
        plain.say(query)
        before = plain.belief.log
        session = opened.session(chat=Obeying(kinds), rerank=20, keep=False)
        session.say(query)
        assert session.refine()
        settings = session.settings
        looked = [part for part in session.belief.parts if part.kind == "looked at"]
        assert looked and all(np.abs(part.values).max() <= settings.rerank * settings.clip + 1e-9 for part in looked)
        change = session.belief.log - before
        assert np.abs(change).max() <= settings.rerank * settings.clip + 1e-9
        assert np.count_nonzero(change) <= 20 + 2  # and those that are near-duplicates of them


def test_captions_that_order_move_no_picture_further_than_the_clip(album: tuple[Album, dict[str, str]]) -> None:
    opened, _ = album
    gallery = opened.gallery
    settings = opened.session(keep=False).settings
    captions = opened.store.captions()
    ordered = np.array([gallery.positions[each.id] for each in opened.store.pictures() if each.id in captions])
    assert len(ordered) == len(KINDS)
    for query in ("a red card", "a dog on a beach", "two people"):
        evidence, _ = said_evidence(gallery, Said.of(query), settings)
        assert evidence is not None and evidence.min() >= -settings.clip - 1e-6
        # No word of the query stands in an order: what is left is how much the pictures themselves look alike.
        assert float(evidence[ordered].max()) <= max(float(evidence.max()), settings.clip)
