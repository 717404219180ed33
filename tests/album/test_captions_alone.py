"""An album of captions alone, from its file to a conversation, without a picture; and facts that a data set states."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.album.making import album as pictures_album
from whichpic import Album
from whichpic.album import indexing
from whichpic.album.datasets import read_dataset
from whichpic.album.store import Store
from whichpic.dialogue import Session
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError, CaptionError, QueryError
from whichpic.search.gallery import Gallery

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
THINGS = ("dog", "cat", "car", "boat", "bird")


def entries(n: int = 30) -> list[dict[str, Any]]:
    """Pictures that only words are known of; each has a colour and a thing, and says so twice."""
    return [
        {
            "id": f"val/{number:04d}.jpg",
            "captions": [
                f"a {COLOURS[number % 6]} {THINGS[number % 5]}",
                f"number {number}, {COLOURS[number % 6]} all over",
            ],
        }
        for number in range(n)
    ]


def write(path: Path, lines: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "said.jsonl", entries())


def opened(path: Path, **options: Any) -> Album:
    album = Album.open(path, encoder=Toy())
    album.index(**options)
    return album


def test_pictures_are_found_by_what_is_said_of_them(file: Path) -> None:
    with opened(file) as album:
        assert album.store.captions_only and album.store.home == file.with_name("said.jsonl.whichpic")
        found = album.find("a purple boat", k=3)
        assert found[0].picture.id in {f"val/{number:04d}.jpg" for number in range(30) if number % 6 == 4}
        assert set(album.gallery.evidence("red")) >= {"caption_words", "caption_vectors"}
        assert "pictures" not in album.gallery.evidence("red")
        assert not album.gallery.indexed.any() and album.gallery.cosines == (0.0, 1.0)
        assert len(album.find("red", where=["folder=val"], k=50)) == 30


def test_a_conversation_works_without_pictures(file: Path) -> None:
    with opened(file) as album:
        session = album.session()
        session.say("something red")
        shown = session.results(5)
        assert session.question is None, "nothing but captions is known, and pictures cannot be picked from"
        session.mark(more=[shown[0].picture.id])
        session.say("a dog")
        assert session.belief.p.sum() == pytest.approx(1)
        assert [reason.n for reason in session.why(shown[0].picture.id)][:1] == [0]
        path = session.path
        session.choose(shown[0].picture.id)
    with Album.open(file, encoder=Toy()) as album:
        again = album.session(resume=path)
        assert again.chosen == shown[0].picture.id and not again.note


def test_no_picture_file_is_looked_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(file) as album:
        touched: list[str] = []
        stat = os.stat

        def watched(path: Any, *rest: Any, **options: Any) -> os.stat_result:
            touched.append(str(path))
            return stat(path, *rest, **options)

        monkeypatch.setattr(os, "stat", watched)
        picture = album.store.pictures()[0]
        for look in (
            lambda: album.store.image(picture.id),
            lambda: album.store.thumbnail(picture.id),
            lambda: album.store.absolute(picture),
        ):
            with pytest.raises(AlbumError, match="has captions only: there is no picture to show"):
                look()
        for like in ("val/0001.jpg", file.with_name("x.jpg")):
            with pytest.raises(QueryError, match="has captions only: describe the picture in words"):
                album.find(like=[like])
        assert not [path for path in touched if path.endswith(".jpg")]


def test_the_same_gallery_in_memory(file: Path, tmp_path: Path) -> None:
    class Counting(Toy):
        texts = 0

        def encode_texts(self, texts: Sequence[str]) -> Any:
            self.texts += len(texts)
            return super().encode_texts(texts)

    encoder = Counting()
    cache = tmp_path / "cache"
    memory = Gallery.of_captions(read_dataset(file), encoder, cache=cache)
    assert encoder.texts == 60 + 30, "every caption, and the captions of each picture as one text"
    Gallery.of_captions(read_dataset(file), encoder, cache=cache)
    assert encoder.texts == 90, "the second time, the vectors come from the cache"
    assert len(list(cache.iterdir())) == 2
    for kept in cache.iterdir():
        kept.write_bytes(b"damaged")
    again = Gallery.of_captions(read_dataset(file), encoder, cache=cache)
    assert encoder.texts == 180 and again.version == memory.version
    with opened(file) as album:
        stored = album.gallery
        assert stored.ids == memory.ids and stored.captions == memory.captions
        for text in ("a red dog", "boat", "nothing of this"):
            for name, z in stored.evidence(text).items():
                np.testing.assert_array_equal(z, memory.evidence(text)[name])
    session = Session(memory)
    session.say("a red dog")
    assert len(session.results(3)) == 3


def test_only_what_is_new_is_encoded(file: Path) -> None:
    with opened(file) as album:
        version = album.store.version
        assert album.index().unchanged == 30 and album.store.version == version
        lines = entries(31)[1:]
        lines[0]["captions"] = ["a white elephant"]
        write(file, lines)
        spoken: list[str] = []

        class Listening(Toy):
            def encode_texts(self, texts: Sequence[str]) -> Any:
                spoken.extend(texts)
                return super().encode_texts(texts)

        album.encoder = Listening()
        report = album.index()
        assert (report.added, report.removed, report.unchanged, report.captions) == (1, 1, 29, 59)
        new = entries(31)[30]["captions"]
        assert sorted(spoken) == sorted(["a white elephant", *new, ", ".join(new)])
        assert album.store.version != version
        assert album.find("elephant")[0].picture.id == "val/0001.jpg"


def test_a_file_that_became_senseless_changes_nothing(file: Path) -> None:
    with opened(file) as album:
        version = album.store.version
        file.write_text("{", encoding="utf-8")
        with pytest.raises(CaptionError, match="line 1: not JSON"):
            album.index()
        assert album.store.version == version and len(album.find("red")) == 12


def test_what_was_encoded_before_an_interruption_is_kept(tmp_path: Path) -> None:
    file = write(tmp_path / "many.jsonl", entries(300))

    class Dying(Toy):
        left = 2

        def encode_texts(self, texts: Sequence[str]) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().encode_texts(texts)

    with Store.open(file, create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            indexing.index(store, Dying())
        found = store.caption_vectors("toy-1")
        assert found is not None and len(found.rows) == 512
        told: list[int] = []
        report = indexing.index(store, Toy(), on_progress=lambda now: told.append(now.total))
        assert report.captions == 600 and max(told) == 88 + 300, (
            "the rest, and the captions of each picture as one text"
        )
        found = store.caption_vectors("toy-1")
        assert found is not None and len(found.rows) == 600


def test_how_a_file_is_read_is_remembered(tmp_path: Path) -> None:
    images = [
        {"filename": f"{n}.jpg", "split": "test" if n % 3 else "val", "sentences": [{"raw": f"number {n}"}]}
        for n in range(6)
    ]
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"images": images}), encoding="utf-8")
    with opened(file, split="test") as album:
        assert album.gallery.n == 4
        assert album.index().unchanged == 4, "the split is that of the last time"
        report = album.index(split="all")
        assert (report.added, report.unchanged, album.gallery.n) == (2, 4, 6)
        with pytest.raises(CaptionError, match="no split 'dev'; there are: test, val"):
            album.index(split="dev")
        assert album.index().unchanged == 6


def test_a_pair_of_files_is_one_album(tmp_path: Path) -> None:
    names, texts = tmp_path / "names.json", tmp_path / "texts.json"
    names.write_text(json.dumps(["1.jpg", "2.jpg"]), encoding="utf-8")
    texts.write_text(json.dumps([{"caption": ["a dog"]}, {"caption": ["a cat"]}]), encoding="utf-8")
    with opened(names, captions=texts) as album:
        assert album.find("a cat")[0].picture.id == "2.jpg"
        texts.write_text(json.dumps([["a dog"], ["a blue whale"]]), encoding="utf-8")
        album.index()
        assert album.find("whale")[0].picture.id == "2.jpg"


def test_a_file_that_is_no_data_set_gets_no_store(tmp_path: Path) -> None:
    for name, content in (("notes.txt", "bread, butter"), ("config.json", '{"a": 1}'), ("log.jsonl", "[]\n")):
        file = tmp_path / name
        file.write_text(content.replace(",", ""), encoding="utf-8")
        with pytest.raises(CaptionError):
            Album.open(file, encoder=Toy())
    assert not list(tmp_path.glob("*.whichpic"))
    with pytest.raises(AlbumError, match="not a folder"):
        Album.open(write(tmp_path / "x.jpg", []), encoder=Toy())


def test_the_store_moves_where_it_is_told_to(file: Path, tmp_path: Path) -> None:
    opened(file).close()
    with Store.open(file, store=tmp_path / "elsewhere", create=True) as store:
        assert store.home == tmp_path / "elsewhere" and len(store.pictures()) == 30
    assert not file.with_name("said.jsonl.whichpic").exists()
    with Album.open(file, encoder=Toy()) as album:
        assert album.store.home == tmp_path / "elsewhere" and len(album.find("red")) == 12


def test_facts_of_a_data_set_are_asked_about(tmp_path: Path) -> None:
    lines = entries(40)
    for number, line in enumerate(lines):
        thing = THINGS[number % 5]
        line["facts"] = [{"attribute": "object", "value": thing, "p": 1, "source": "drawn", "detail": {"count": 1}}]
    with opened(write(tmp_path / "world.jsonl", lines)) as album:
        session = album.session(keep=False)
        session.say("red")
        assert "facts" in {question.source for question in session.questions(50)}
        assert album.facts("val/0003.jpg")[0].value == "boat"
        assert len(album.find(where=["has=boat"], k=50)) == 8


def test_facts_that_lie_in_an_album_stand_in_place_of_what_was_inferred(tmp_path: Path) -> None:
    root = pictures_album(tmp_path / "album", 3)
    exact = {"attribute": "object", "value": "dog", "p": 1.0, "source": "drawn", "detail": {"count": 3}}
    stated = write(root / "pictures.jsonl", [{"id": "1", "file": "000/1.png", "captions": ["3 dogs"], "facts": [exact]},
                                             {"id": "9", "captions": ["gone"], "facts": []}])  # fmt: skip
    with opened(root) as album:
        held = {fact.attribute: fact for fact in album.facts("000/1.png")}
        assert held["object"].source == "drawn" and set(held) == {"object", "orientation"}
        assert "colour" in {fact.attribute for fact in album.facts("000/2.png")}
        assert list(album.gallery.captions.values()) == [("3 dogs",)]
        assert [skip.reason for skip in album.store.skipped()] == ["1 of 2 names are not of pictures in this album"]
        assert album.index().encoded == 0, "what is stated is no reason to look at a picture again"
        stated.unlink()
        album.index()
        assert "colour" in {fact.attribute for fact in album.facts("000/1.png")}


def test_frames_of_clips_are_spoken_of_together(tmp_path: Path) -> None:
    root = pictures_album(tmp_path / "album", 3)
    (root / "000" / "0.png").rename(root / "video7_0001.png")
    (root / "000" / "1.png").rename(root / "video7_0002.png")
    (root / "000").rename(root / "video8")
    clips = {
        "videos": [{"video_id": "video7"}, {"video_id": "video8"}],
        "sentences": [{"video_id": "video7", "caption": "a man sings"}, {"video_id": "video8", "caption": "x"}],
    }
    captions = tmp_path / "MSRVTT.json"
    captions.write_text(json.dumps(clips), encoding="utf-8")
    with opened(root, captions=captions) as album:
        assert album.store.captions()[album.find(where=["folder=video8"])[0].picture.id] == ("x",)
        found = {each.picture.paths[0] for each in album.find("a man sings", k=2)}
        assert found == {"video7_0001.png", "video7_0002.png"}
