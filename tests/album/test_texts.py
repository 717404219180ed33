"""All captions of a picture as one text: one vector more per picture, made again only where the text is another."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.album.making import album as pictures_album
from whichpic.album import catalogue, vectors
from whichpic.album.captioning import joined
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy

SAID = {"a": ["a red dog", "it runs"], "b": ["a blue boat"], "c": ["green", "two trees", "a hill"], "d": []}


class Listening(Toy):
    """Remembers what it was asked to encode; interrupted once it was asked `left` times."""

    def __init__(self, left: int = 1000) -> None:
        self.spoken: list[str] = []
        self.left = left

    def encode_texts(self, texts: Sequence[str]) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.spoken.extend(texts)
        return super().encode_texts(texts)


def write(file: Path, said: Mapping[str, Sequence[str]]) -> Path:
    lines = [json.dumps({"id": name, "captions": texts}) + "\n" for name, texts in said.items()]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def indexed(file: Path, encoder: Toy | None = None) -> Listening:
    """Index the file; the encoder, which knows what it had to encode."""
    listening = encoder if isinstance(encoder, Listening) else Listening()
    with Store.open(file, create=True) as store:
        index(store, encoder or listening)
    return listening


def kept(file: Path, encoder: str = Toy.id) -> dict[str, Any]:
    """The vector of each picture's text by its id; None where it has none."""
    with Store.open(file) as store:
        found = store.text_vectors(encoder)
        assert found is not None
        return {
            picture.id: None if row < 0 else found.matrix[row].copy()
            for picture, row in zip(store.pictures(), found.rows, strict=True)
        }


def assert_right(file: Path, said: Mapping[str, Sequence[str]]) -> None:
    """Every picture has the vector of what is said of it, and the table has no other."""
    found = kept(file)
    assert {name: vector is not None for name, vector in found.items()} == {n: bool(each) for n, each in said.items()}
    for name, texts in said.items():
        if texts:
            np.testing.assert_allclose(found[name], Toy().encode_texts([joined(texts)])[0], atol=1e-6)
    with Store.open(file) as store, sqlite3.connect(store.home / catalogue.NAME) as connection:
        (rows,) = connection.execute("SELECT COUNT(*) FROM text_vectors").fetchone()
        assert rows == len({joined(texts) for texts in said.values() if texts})
    connection.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "said.jsonl", SAID)


def test_several_captions_are_one_text_and_a_single_one_is_not_encoded_twice(file: Path) -> None:
    encoder = indexed(file)
    captions = [text for texts in SAID.values() for text in texts]
    assert sorted(encoder.spoken) == sorted([*captions, "a red dog, it runs", "green, two trees, a hill"])
    assert_right(file, SAID)
    assert not indexed(file).spoken
    with Store.open(file) as store:
        assert store.text_vectors("other") is None
        found = store.text_vectors(Toy.id)
        assert found is not None and isinstance(found.matrix, np.memmap) and not found.matrix.flags.writeable
        assert found.rows.dtype == np.int64 and found.rows[3] == -1


@pytest.mark.parametrize(
    ("change", "encoded"),
    [
        ({"a": ["it runs", "a red dog"]}, ["it runs, a red dog"]),
        ({"a": ["a red dog", "it runs", "fast"]}, ["fast", "a red dog, it runs, fast"]),
        ({"a": ["a red dog"]}, []),
        ({"a": []}, []),
        ({"b": ["a red dog", "it runs"]}, []),
        ({"b": ["a blue boat", "far out"]}, ["far out", "a blue boat, far out"]),
        ({"d": ["a blue boat"]}, ["a blue boat"]),
        ({"0": ["before all others"]}, ["before all others"]),
    ],
)  # fmt: skip
def test_only_another_text_is_encoded_again(file: Path, change: dict[str, list[str]], encoded: list[str]) -> None:
    indexed(file)
    with Store.open(file) as store:
        version = store.version
    now = dict(sorted({**SAID, **change}.items()))
    write(file, now)
    spoken = indexed(file).spoken
    both = sorted([*encoded, *(["a red dog", "it runs"] if change == {"b": ["a red dog", "it runs"]} else [])])
    assert sorted(spoken) == both, "captions belong to their picture, but a text is known by what it says"
    assert_right(file, now)
    with Store.open(file) as store:
        assert store.version != version


def test_pictures_that_went_leave_no_text_behind(file: Path) -> None:
    indexed(file)
    less = {name: texts for name, texts in SAID.items() if name != "c"}
    write(file, less)
    assert not indexed(file).spoken
    assert_right(file, less)


def test_an_interrupted_run_goes_on_with_the_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from whichpic.settings import settings

    monkeypatch.setenv("WHICHPIC_THREADS", "1")  # so that it is known what was committed
    settings.cache_clear()
    said = {f"{n:03d}": [f"number {n}", f"red {n}"] if n % 3 else [f"alone {n}"] for n in range(600)}
    file = write(tmp_path / "many.jsonl", said)
    with pytest.raises(KeyboardInterrupt):
        indexed(file, Listening(left=5))
    with Store.open(file) as store:
        captions, texts = store.caption_vectors(Toy.id), store.text_vectors(Toy.id)
        assert captions is not None and len(captions.rows) == 1000
        assert texts is not None and (texts.rows >= 0).sum() == 200 + 256
    again = indexed(file)
    assert len(again.spoken) == 400 - 256 and all(", " in text for text in again.spoken)
    assert_right(file, said)


def test_vectors_do_not_depend_on_the_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from whichpic.settings import settings

    said = {f"{n:04d}": [f"number {n}", f"red {n}"] for n in range(700)}
    matrices = []
    for threads in ("1", "2"):
        monkeypatch.setenv("WHICHPIC_THREADS", threads)
        settings.cache_clear()
        file = write(tmp_path / f"{threads}.jsonl", said)
        indexed(file)
        with Store.open(file) as store:
            captions, texts = store.caption_vectors(Toy.id), store.text_vectors(Toy.id)
            assert captions is not None and texts is not None
            matrices.append((captions.matrix.copy(), captions.rows, texts.matrix.copy(), texts.rows))
    for one, other in zip(*matrices, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_album_from_before_there_were_texts(file: Path) -> None:
    indexed(file)
    with Store.open(file) as store:
        home = store.home
    with sqlite3.connect(home / catalogue.NAME) as connection:
        for statement in (
            "DROP TABLE texts", "DROP TABLE text_vectors",
            "DELETE FROM vector_files WHERE kind = 'text'", "DELETE FROM batches WHERE kind = 'text'",
            "PRAGMA user_version = 2",
        ):  # fmt: skip
            connection.execute(statement)
    connection.close()
    with Store.open(file) as store:  # it is read as it is, and lacks the field
        assert store.text_vectors(Toy.id) is None and store.caption_vectors(Toy.id) is not None
    assert sorted(indexed(file).spoken) == ["a red dog, it runs", "green, two trees, a hill"]
    assert_right(file, SAID)


@pytest.mark.parametrize("damage", ["flipped", "emptied", "deleted"])
def test_a_damaged_file_of_texts_is_made_again(file: Path, damage: str) -> None:
    indexed(file)
    (path,) = file.with_name("said.jsonl.whichpic").rglob("texts/*.f32")
    data = bytearray(path.read_bytes())
    data[7] ^= 4
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(data if damage == "flipped" else b"")
    spoken = indexed(file).spoken
    assert set(spoken) <= {"a red dog, it runs", "green, two trees, a hill"}
    assert_right(file, SAID)


def test_many_dead_rows_are_compacted(tmp_path: Path) -> None:
    said = {f"{n:02d}": [f"number {n}", "red"] for n in range(20)}
    file = write(tmp_path / "said.jsonl", said)
    indexed(file)
    less = dict(list(said.items())[12:])
    write(file, less)
    assert not indexed(file).spoken
    (path,) = file.with_name("said.jsonl.whichpic").rglob("texts/*.f32")
    assert path.name == "toy-1.1.f32" and path.stat().st_size == 8 * Toy.dim * 4
    assert_right(file, less)


def test_each_encoder_has_texts_of_its_own(file: Path) -> None:
    class Other(Listening):
        id = "other-1"

    indexed(file)
    assert len(indexed(file, Other()).spoken) == 8
    write(file, {**SAID, "b": ["a boat", "blue"]})
    indexed(file)
    assert kept(file, "other-1")["b"] is None, "what stood for another text is not taken for this one"
    assert kept(file, "other-1")["a"] is not None


def test_pictures_with_captions_have_them_too_and_move_with_the_store(tmp_path: Path) -> None:
    root = pictures_album(tmp_path / "album", 3)
    (root / "captions.csv").write_text("image,caption\n0.png,a red dog\n0.png,a dog\n1.png,blue\n", encoding="utf-8")
    indexed(root)
    with Store.open(root, store=tmp_path / "there", create=True) as store:
        found = store.text_vectors(Toy.id)
        assert found is not None and not (root / ".whichpic").exists()
        by_path = dict(zip((picture.paths[0] for picture in store.pictures()), found.rows, strict=True))
        assert by_path["000/2.png"] == -1
        for path, text in (("000/0.png", "a red dog, a dog"), ("000/1.png", "blue")):
            np.testing.assert_allclose(found.matrix[by_path[path]], Toy().encode_texts([text])[0], atol=1e-6)
        (root / "captions.csv").unlink()
        index(store, Toy())
        found = store.text_vectors(Toy.id)
        assert found is None or (found.rows < 0).all()
        assert not (tmp_path / "there" / vectors.FOLDER / "texts" / "toy-1.0.f32").exists()
