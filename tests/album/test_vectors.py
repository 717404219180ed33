from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.album.making import album, content
from whichpic.album import catalogue, vectors
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import EncoderError

if TYPE_CHECKING:
    from whichpic.types import Floats


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = album(tmp_path / "album", 20)
    with Store.open(folder, create=True) as store:
        index(store, Toy(), batch=5)
    return folder


def only_file(root: Path) -> Path:
    (path,) = (root / ".whichpic" / "vectors").rglob("*.f32")
    return path


def test_what_lies_beyond_the_high_water_mark_is_written_over(root: Path) -> None:
    path = only_file(root)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\xff" * 1000)
    (root / "000/0.png").rename(root / "000/0.png.bak")
    with Store.open(root, create=True) as store:
        index(store, Toy())
        (root / "000/0.png.bak").rename(root / "000/0.png")
        index(store, Toy())
        found = store.vectors("toy-1")
        assert found is not None
        assert len(found.matrix) == 21
        assert np.isfinite(found.matrix).all()
    assert path.read_bytes()[: len(whole)] == whole


@pytest.mark.parametrize("damage", ["truncated", "flipped", "deleted", "emptied"])
def test_a_damaged_file_is_noticed_and_the_lost_rows_are_made_again(root: Path, damage: str) -> None:
    path = only_file(root)
    data = bytearray(path.read_bytes())
    with Store.open(root, create=True) as store:
        before = content(store)
        if damage == "truncated":
            path.write_bytes(data[: len(data) // 2])
        elif damage == "flipped":
            data[700] ^= 4
            path.write_bytes(data)
        elif damage == "deleted":
            path.unlink()
        else:
            path.write_bytes(b"")
        store.refresh()
        if damage == "truncated":  # a reader takes what is there
            found = store.vectors("toy-1")
            assert found is not None
            assert 0 < (found.rows >= 0).sum() < 20
        elif damage == "deleted":
            assert store.vectors("toy-1") is None
        report = index(store, Toy(), batch=5)
        assert report.encoded == {"truncated": 10, "flipped": 5, "deleted": 20, "emptied": 20}[damage]
        assert content(store) == before
        assert index(store, Toy()).encoded == 0


def test_a_file_with_many_dead_rows_is_compacted(root: Path) -> None:
    with Store.open(root, create=True) as store:
        old = store.vectors("toy-1")
        assert old is not None
        kept = old.matrix.copy()
        before = content(store)
        for number in range(5):
            (root / f"000/{number}.png").unlink()
        index(store, Toy())
        assert only_file(root).name == "toy-1.0.f32"  # a quarter is not past a quarter
        (root / "000/5.png").unlink()
        index(store, Toy())
        assert only_file(root).name == "toy-1.1.f32"
        now = store.vectors("toy-1")
        assert now is not None
        assert now.matrix.shape == (14, 64)
        assert content(store) == {key: value for key, value in before.items() if key in content(store)}
        assert np.array_equal(old.matrix, kept)  # somebody who still reads the old generation is not disturbed
        assert index(store, Toy()).encoded == 0


def test_files_that_nobody_names_are_swept(root: Path) -> None:
    stray = root / ".whichpic/vectors/toy-1.7.f32"
    stray.write_bytes(b"half a compaction")
    with Store.open(root, create=True) as store:
        index(store, Toy())
    assert not stray.exists()


class Odd(Toy):
    """An encoder that is broken in one way or another."""

    def __init__(self, identity: str, dim: int, shape: tuple[int, int] | None = None, fill: float = 0.5) -> None:
        self.id, self.dim, self.shape, self.fill = identity, dim, shape, fill

    def encode_pictures(self, pictures: object, sights: object = None) -> Floats:
        count = len(pictures)  # type: ignore[arg-type]
        return np.full(self.shape or (count, self.dim), self.fill, dtype=np.float32)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (Odd("toy-1", 32), "64"),
        (Odd("odd", 8, shape=(1, 8)), "shape"),
        (Odd("odd", 8, fill=float("nan")), "finite"),
        (Odd("odd", 8, fill=float("inf")), "finite"),
        (Odd("../../odd", 8), "file name"),
        (Odd("a/b", 8), "file name"),
        (Odd("", 8), "file name"),
    ],
)
def test_encoders_that_do_not_fit_are_refused_and_leave_nothing(root: Path, encoder: Odd, words: str) -> None:
    with Store.open(root, create=True) as store:
        before = content(store)
        with pytest.raises(EncoderError, match=words):
            index(store, encoder)
        assert content(store) == before
        assert store.encoders() == ["toy-1"]


def test_two_encoders_have_files_of_their_own_and_facts_are_made_once(root: Path) -> None:
    with Store.open(root, create=True) as store:
        before = content(store)
        report = index(store, Odd("odd", 8))
        assert (report.encoded, report.unchanged) == (20, 20)
        assert store.encoders() == ["odd", "toy-1"]
        assert content(store) == before
        (root / "000/0.png").unlink()
        index(store, Toy())
        found = store.vectors("odd")
        assert found is not None
        assert (found.rows >= 0).sum() == 19


def test_appending_needs_the_catalogue_to_count(tmp_path: Path) -> None:
    connection = catalogue.connect(tmp_path, write=True)
    with catalogue.transaction(connection):
        file = vectors.open_for(connection, tmp_path, "picture", "toy", 2)
    vectors.append(file, np.ones((3, 2), dtype=np.float32))  # ... and then the power fails
    again = vectors.get(connection, tmp_path, "picture", "toy")
    assert again is not None
    assert again.rows == 0
    crc = vectors.append(again, np.zeros((1, 2), dtype=np.float32))
    with catalogue.transaction(connection):
        final = vectors.commit(connection, again, ["a"], crc)
    assert final.matrix().tolist() == [[0, 0]]
    connection.close()
