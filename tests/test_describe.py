"""Pictures described by a model: what is asked, kept, resumed, and what of it becomes captions of the album."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support import drawn_album
from whichpic import Album
from whichpic.album.described import NAME, Journal, read_described
from whichpic.chat.base import Decoding, Message, Reply
from whichpic.chat.scripted import Scripted
from whichpic.conversations import output_rows, training_rows
from whichpic.describe import USUAL, describe, folder_sources, instruction, sources
from whichpic.errors import CaptionError, ChatError, ChatPending, QueryError
from whichpic.settings import settings

SAID = {"scene": "The image shows a dog on a beach.", "objects": "A dog on a beach. Two balls.", "text": "none"}


def told(messages: Sequence[Message]) -> str:
    """What a helpful model says; it is asked for one dimension at a time."""
    for dimension, reply in SAID.items():
        if messages[-1].text == instruction(dimension, "en"):
            return reply
    return "The light is soft."


def stopped_after(*replies: str) -> Callable[[Sequence[Message]], str]:
    """A model that says so much, and then somebody presses Ctrl-C."""
    left = list(replies)

    def say(_: Sequence[Message]) -> str:
        if not left:
            raise KeyboardInterrupt
        return left.pop(0)

    return say


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Album]:
    monkeypatch.setenv("WHICHPIC_HOME", str(tmp_path / "home"))  # no weights there: indexing takes no time
    settings.cache_clear()
    opened = Album.open(drawn_album(tmp_path / "album", 4), encoder="toy")
    opened.index()
    yield opened
    opened.close()
    settings.cache_clear()


def journal(album: Album) -> Path:
    return album.store.home / NAME


def test_captions_of_a_model_become_the_albums(album: Album) -> None:
    report = describe(sources(album.store), Scripted(told), journal(album), dimensions=("scene", "objects", "text"))
    assert (report.captions, report.empty, report.skipped) == (8, 4, ())
    album.index()
    for texts in album.store.captions().values():
        assert texts == ("A dog on a beach.", "Two balls.")  # what was said before is not said twice
    line = json.loads(journal(album).read_text().splitlines()[0])
    assert line["model"] == "scripted" and line["dimension"] == "scene" and line["path"].endswith(".png")
    assert album.find("two balls")


def test_own_captions_stand_first_and_are_never_overwritten(album: Album) -> None:
    table = album.store.root / "captions.csv"
    table.write_text("image,caption\nsecond/0000.png,my own words\n")
    album.index()
    unlabelled = sources(album.store)
    assert len(unlabelled) == 3
    describe(sources(album.store, everything=True), Scripted(told), journal(album), dimensions=["scene"])
    album.index()
    captions = album.store.captions()
    mine = next(each.id for each in album.store.pictures() if "second/0000.png" in each.paths)
    assert captions[mine] == ("my own words", "A dog on a beach.")
    # What a model wrote does not make a picture a labelled one.
    assert {each.id for each in sources(album.store)} == {each.id for each in unlabelled}


def test_a_killed_run_goes_on(album: Album) -> None:
    few = Scripted(stopped_after("one dog.", "two dogs."))
    with pytest.raises(KeyboardInterrupt):
        describe(sources(album.store), few, journal(album), dimensions=["scene"], workers=1)
    with journal(album).open("a") as file:
        file.write('{"picture": "torn')
    chat = Scripted(told)
    report = describe(sources(album.store), chat, journal(album), dimensions=["scene"], workers=1)
    assert (report.kept, report.captions, len(chat.asked)) == (2, 2, 2)
    assert describe(sources(album.store), chat, journal(album), dimensions=["scene"]).kept == 4


def test_again_writes_anew_and_goes_on_where_it_was_stopped(album: Album) -> None:
    def run(chat: Scripted, *, again: bool = False) -> int:
        return describe(
            sources(album.store), chat, journal(album), dimensions=["scene"], workers=1, again=again
        ).captions

    assert run(Scripted(told)) == 4
    album.index()
    assert run(Scripted(told), again=True) == 4
    other = Scripted(stopped_after("a new one."), name="other")
    with pytest.raises(KeyboardInterrupt):
        run(other, again=True)
    captions = {each.picture: each.caption for each in read_described(journal(album))}
    assert sorted(captions.values()) == ["A dog on a beach."] * 3 + [
        "A new one."
    ]  # each stands until its successor is there
    assert run(Scripted(lambda _: "a new one.", name="other"), again=True) == 3
    assert {each.model for each in read_described(journal(album))} == {"other"}


def test_one_bad_picture_is_told_and_passed_by(album: Album) -> None:
    listed = sources(album.store)
    listed[0].file.write_bytes(b"not a picture any more")
    replies: list[str | Exception] = [ChatError("too long", "this picture is too much for it"), "a dog.", "a cat."]
    report = describe(listed, Scripted(replies), journal(album), dimensions=["scene"], workers=1)
    assert report.captions == 2
    assert [skip.path for skip in report.skipped] == [listed[0].name, listed[1].name]
    assert "too much" in report.skipped[1].reason
    assert describe(listed, Scripted(["a bird."]), journal(album), dimensions=["scene"], workers=1).captions == 1


def test_a_model_that_answers_nothing_any_more_ends_the_run(tmp_path: Path) -> None:
    listed = folder_sources(drawn_album(tmp_path / "album", 20))
    gone = Scripted([ChatError("unreachable", "no server at that address")] * 20)
    with pytest.raises(ChatError, match="no server at that address; 5 pictures in a row"):
        describe(listed, gone, tmp_path / "out.jsonl", dimensions=["scene"], workers=1)
    assert len(gone.asked) < 10
    no_key = Scripted([ChatError("refused", "the key is not accepted")])
    with pytest.raises(ChatError, match="the key"):
        describe(listed, no_key, tmp_path / "out.jsonl", dimensions=["scene"], workers=1)


def test_replies_that_a_batch_file_will_bring_are_all_asked_for_in_one_pass(album: Album) -> None:
    chat = Scripted([ChatPending("later")] * 8)
    report = describe(sources(album.store), chat, journal(album), dimensions=["scene", "mood"])
    assert (report.pending, report.captions, len(chat.asked), report.skipped) == (8, 0, 8, ())
    assert describe(sources(album.store), Scripted(told), journal(album), dimensions=["scene", "mood"]).captions == 8


class Many(Scripted):
    """A model in this process takes several conversations at a time."""

    def complete_many(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
    ) -> list[Reply]:
        return [self.complete(each)[0] for each in conversations]


def test_a_model_in_this_process_gets_batches(album: Album) -> None:
    report = describe(sources(album.store), Many(told), journal(album), dimensions=["scene", "text"], workers=3)
    assert (report.captions, report.empty) == (4, 4)
    spoilt = Many(["a dog.", ChatError("too long", "too many tokens"), "a cat.", "a bird.", "a fox.", "a cow."])
    report = describe(sources(album.store), spoilt, journal(album), dimensions=["mood"], workers=3)
    assert report.captions == 4 and not report.skipped


def test_a_model_learns_nothing_but_the_picture(album: Album) -> None:
    chat = Scripted(told)
    describe(sources(album.store), chat, journal(album), dimensions=USUAL)
    for messages in chat.asked:
        words = " ".join(message.text for message in messages)
        assert ".png" not in words and "first" not in words and "/" not in words
        (picture,) = messages[-1].pictures
        assert not getattr(picture, "filename", "") and not getattr(picture, "info", {})


def test_two_languages_and_prompts_of_ones_own(album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Scripted(lambda messages: "一只狗。" if "照片" in messages[-1].text else "A dog.")
    describe(sources(album.store), chat, journal(album), dimensions=["scene"], language="zh")
    own = tmp_path / "prompts" / "en"
    own.mkdir(parents=True)
    (own / "describe-birds.txt").write_text("Which birds are there?")
    monkeypatch.setenv("WHICHPIC_PROMPTS", str(own.parent))
    settings.cache_clear()
    try:
        describe(sources(album.store), chat, journal(album), dimensions=["birds"])
        assert chat.asked[-1] == (Message("user", "Which birds are there?", chat.asked[-1][0].pictures),)
        with pytest.raises(QueryError, match=r"no dimension 'fish'; there are scene.* birds "):
            describe(sources(album.store), chat, journal(album), dimensions=["fish"])
    finally:
        settings.cache_clear()
    album.index()
    assert set(album.store.captions().values()) == {("一只狗。", "A dog.")}


def test_conversations_are_in_the_layout_that_captioning_models_train_on(album: Album) -> None:
    describe(sources(album.store), Scripted(told), journal(album), dimensions=["scene", "objects"])
    described = read_described(journal(album))
    files = {each.id: each.paths[0] for each in album.store.pictures()}
    asked = {(name, "en"): instruction(name, "en") for name in ("scene", "objects")}
    rows = training_rows(described, files, asked)
    assert [row["id"] for row in rows] == ["0001", "0003", "0000", "0002"]
    first = rows[0]
    assert first["image"] == "first/0001.png"
    assert [turn["role"] for turn in first["conversations"]] == ["user", "assistant"] * 2
    assert first["conversations"][0]["content"] == f"<image>\n{instruction('scene', 'en')}"
    assert "<image>" not in first["conversations"][2]["content"]
    whole = output_rows(described, files, {"en": instruction("all", "en")})
    assert whole[0]["conversations"][1]["content"] == "A dog on a beach. Two balls."


def test_rows_of_the_published_files_have_the_same_keys(album: Album) -> None:
    published = Path(__file__).parents[2] / "shared" / "data" / "captioning" / "ds" / "output.json"
    if not published.is_file():
        pytest.skip("needs ../shared/data/captioning")
    describe(sources(album.store), Scripted(told), journal(album), dimensions=["all"])
    files = {each.id: each.paths[0] for each in album.store.pictures()}
    ours = output_rows(read_described(journal(album)), files, {"en": "What is this?"})
    for theirs in json.loads(published.read_text(encoding="utf-8")):
        assert theirs.keys() == ours[0].keys()
        assert [turn.keys() for turn in theirs["conversations"]] == [turn.keys() for turn in ours[0]["conversations"]]
        assert theirs["conversations"][0]["content"].startswith("<image>\n")


def test_the_same_names_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    with Journal(tmp_path / "said.jsonl") as book:
        from whichpic.album.described import Described

        for picture in ("a", "b"):
            book.write(Described(picture, "scene", "en", "A dog <image>.", "m"))
    rows = training_rows(
        read_described(tmp_path / "said.jsonl"), {"a": "x/1.jpg", "b": "y/1.jpg"}, {("scene", "en"): "?"}
    )
    assert [row["id"] for row in rows] == ["x/1", "y/1"]
    assert rows[0]["conversations"][1]["content"] == "A dog ."


def test_captions_move_with_the_store(album: Album, tmp_path: Path) -> None:
    describe(sources(album.store), Scripted(told), journal(album), dimensions=["scene"])
    root = album.store.root
    album.close()
    with Album.open(root, encoder="toy", store=tmp_path / "elsewhere") as moved:
        moved.index()
        assert (tmp_path / "elsewhere" / NAME).is_file()
        assert set(moved.store.captions().values()) == {("A dog on a beach.",)}
    assert not (root / ".whichpic" / NAME).exists()


def test_what_is_refused_in_a_line(album: Album, tmp_path: Path) -> None:
    blind = Scripted([])
    blind.can_see = False
    with pytest.raises(ChatError, match="does not see pictures"):
        describe(sources(album.store), blind, journal(album))
    journal(album).write_text("hello\n")
    with pytest.raises(CaptionError, match="line 1"):
        describe(sources(album.store), Scripted(told), journal(album))
    assert any("line 1" in skip.reason for skip in album.index().skipped)
