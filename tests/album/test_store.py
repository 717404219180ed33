from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from tests.album.making import album, content, permissions_bind, save
from whichpic.album import catalogue, places
from whichpic.album.indexing import index
from whichpic.album.lock import writer_lock
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    root = album(tmp_path / "album", 12)
    with Store.open(root, create=True) as store:
        index(store, Toy())
    return root


def test_what_is_known_can_be_read(indexed: Path) -> None:
    with Store.open(indexed) as store:
        pictures = store.pictures()
        assert [each.id for each in pictures] == sorted(each.id for each in pictures)
        assert {path for each in pictures for path in each.paths} == {
            path.relative_to(indexed).as_posix() for path in indexed.rglob("*.png")
        }
        assert store.encoders() == ["toy-1"]
        assert store.vectors("other") is None
        assert store.caption_vectors("toy-1") is None
        vectors = store.vectors("toy-1")
        assert vectors is not None
        assert sorted(vectors.rows) == list(range(12))
        assert vectors.matrix.dtype == np.float32
        assert not vectors.matrix.flags.writeable
        image = store.image(pictures[0].id)
        assert np.allclose(vectors.matrix[vectors.rows[0]], Toy().encode_pictures([image])[0], atol=1e-5)


def test_files_are_where_the_picture_says(indexed: Path) -> None:
    with Store.open(indexed) as store:
        first = store.pictures()[0]
        assert store.absolute(first) == indexed / first.paths[0]
        (indexed / first.paths[0]).unlink()
        with pytest.raises(AlbumError, match="index the album again"):
            store.absolute(first)
        with pytest.raises(AlbumError, match="no picture"):
            store.image("0" * 32)


def test_thumbnails_are_made_once_and_may_be_deleted(indexed: Path) -> None:
    with Store.open(indexed) as store:
        path = store.thumbnail(store.pictures()[0].id, 16)
        assert path.read_bytes()[:2] == b"\xff\xd8"
        path.unlink()
        assert store.thumbnail(store.pictures()[0].id, 16) == path
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        with pytest.raises(AlbumError):
            store.thumbnail("../../etc/passwd")


def test_errors_are_one_line(tmp_path: Path, indexed: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "bare").mkdir()
    for folder, words in (("absent", "no such folder"), ("file", "not a folder"), ("bare", "whichpic index")):
        with pytest.raises(AlbumError, match=words) as caught:
            Store.open(tmp_path / folder)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "bare" / ".whichpic").exists()
    path = indexed / ".whichpic" / catalogue.NAME
    path.write_bytes(b"no catalogue at all, but long enough to be looked at" * 100)
    with pytest.raises(AlbumError, match="damaged"):
        Store.open(indexed)


def test_a_newer_schema_is_refused(indexed: Path) -> None:
    with sqlite3.connect(indexed / ".whichpic" / catalogue.NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for create in (False, True):
        with pytest.raises(AlbumError, match="newer whichpic"):
            Store.open(indexed, create=create)


def test_one_writer_many_readers(indexed: Path) -> None:
    with Store.open(indexed, create=True) as store, writer_lock(store.home):
        with pytest.raises(AlbumError, match=f"another whichpic .*process {os.getpid()}"):
            index(store, Toy())
        with Store.open(indexed) as reader:
            assert len(reader.pictures()) == 12


def test_reading_goes_on_while_a_writer_writes(indexed: Path) -> None:
    with Store.open(indexed) as reader:
        before, version = reader.pictures(), reader.version
        writer = catalogue.connect(reader.home, write=True)
        with catalogue.transaction(writer):
            writer.execute("DELETE FROM files")
            with Store.open(indexed) as second:
                assert second.pictures() == before
        writer.close()
        assert reader.pictures() == before  # what was loaded stays
        reader.refresh()
        assert reader.pictures() == []
        assert reader.version == version  # nobody counted that change


def test_the_version_changes_with_what_ranking_depends_on(indexed: Path) -> None:
    with Store.open(indexed, create=True) as store:
        version = store.version
        index(store, Toy())
        assert store.version == version
        save(indexed / "new.png", 99)
        index(store, Toy())
        assert store.version != version


def test_a_store_elsewhere_is_found_again(tmp_path: Path, indexed: Path) -> None:
    with Store.open(indexed) as store:
        before = content(store)
        store.sessions.mkdir()
        (store.sessions / "a.jsonl").write_text("{}\n")
    with Store.open(indexed, store=tmp_path / "there", create=True) as store:
        assert store.home == tmp_path / "there"
        assert content(store) == before
        assert index(store, Toy()).encoded == 0
        assert (store.sessions / "a.jsonl").exists()
    assert not (indexed / ".whichpic").exists()
    for create in (False, True):
        with Store.open(indexed, create=create) as store:
            assert store.home == tmp_path / "there"
    with Store.open(indexed, store=indexed / ".whichpic", create=True) as store:
        assert content(store) == before
    with Store.open(indexed) as store:
        assert store.home == indexed / ".whichpic"


def test_an_album_that_cannot_be_written_has_its_store_at_home(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = album(tmp_path / "album", 3)
    (root / ".whichpic").write_text("a file where the folder would be: nothing can be written there")
    with Store.open(root, create=True) as store:
        assert store.home.parent == home / "stores"
        assert store.home.name.startswith("album-")
        assert index(store, Toy()).added == 3
    with Store.open(root) as store:
        assert len(store.pictures()) == 3
    monkeypatch.setattr(places, "_REMOTE", {_kind_of(tmp_path)})
    shared = album(tmp_path / "shared", 3)
    with Store.open(shared, create=True) as store:
        assert store.home.parent == home / "stores"


@pytest.mark.skipif(not permissions_bind(), reason="root may write everything")
def test_a_store_in_an_album_that_became_read_only_moves_home(indexed: Path, home: Path) -> None:
    (indexed / ".whichpic").chmod(0o555)
    try:
        with Store.open(indexed) as store:
            before = content(store)
        with Store.open(indexed, create=True) as store:
            assert store.home.parent == home / "stores"
            assert index(store, Toy()).encoded == 0
            assert content(store) == before
    finally:
        (indexed / ".whichpic").chmod(0o755)
    with Store.open(indexed) as store:
        assert store.home.parent == home / "stores"


def test_a_store_on_a_disk_that_is_not_there_is_missed(tmp_path: Path, indexed: Path) -> None:
    with Store.open(indexed, store=tmp_path / "disk" / "store", create=True):
        pass
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    for create in (False, True):
        with pytest.raises(AlbumError, match="attach that disk"):
            Store.open(indexed, create=create)
    (tmp_path / "unplugged").rename(tmp_path / "disk")
    with Store.open(indexed) as store:
        assert len(store.pictures()) == 12


def _kind_of(folder: Path) -> str:
    """The type of the file system that the folder is on, so that it can be taken for a network share."""
    mounts = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    fitting = [
        (fields.split()[4], rest.split()[0]) for fields, rest in mounts if folder.is_relative_to(fields.split()[4])
    ]
    return max(fitting, key=lambda pair: len(pair[0]))[1]


def test_a_hundred_thousand_pictures_open_quickly(tmp_path: Path) -> None:
    import time

    root = tmp_path / "album"
    root.mkdir()
    with Store.open(root, create=True) as store:
        connection = catalogue.connect(store.home, write=True)
        ids = [f"{i:032x}" for i in range(100_000)]
        with catalogue.transaction(connection):
            rows = ((each, 640, 480, "JPEG", None, None, None, None, i) for i, each in enumerate(ids))
            connection.executemany("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            files = ((f"{i % 100}/{i}.jpg", each, 1, 1, None) for i, each in enumerate(ids))
            connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?)", files)
        connection.close()
    began = time.perf_counter()
    with Store.open(root) as store:
        assert time.perf_counter() - began < 0.2
        assert len(store.pictures()) == 100_000
    assert time.perf_counter() - began < 5
