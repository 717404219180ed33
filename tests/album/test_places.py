"""Where a store may be put, and that nothing but the store is ever deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.album.making import album
from whichpic import Album
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError, QueryError, SessionError


def indexed(root: Path, store: Path | None = None) -> Path:
    with Store.open(album(root, 4), store=store, create=True) as opened:
        index(opened, Toy())
        return opened.home


def test_a_folder_with_other_things_keeps_them_when_the_store_moves_on(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    mine = [papers / name for name in ("thesis.txt", "vectors/mine.f32", "thumbs/me.jpg", "sessions/notes.txt")]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    indexed(tmp_path / "album", papers)
    with Store.open(tmp_path / "album") as store:
        store.thumbnail(store.pictures()[0].id)
    with Store.open(tmp_path / "album", store=tmp_path / "elsewhere", create=True) as store:
        assert len(store.pictures()) == 4 and store.vectors("toy-1") is not None
    assert sorted(path for path in papers.rglob("*") if path.is_file()) == sorted(mine)


def test_a_store_that_is_moved_leaves_no_empty_folder(tmp_path: Path) -> None:
    home = indexed(tmp_path / "album")
    with Store.open(tmp_path / "album") as store:
        store.thumbnail(store.pictures()[0].id)
        store.sessions.mkdir()
        store.sessions.joinpath("one.jsonl").write_text("{}\n")
    with Store.open(tmp_path / "album", store=tmp_path / "elsewhere", create=True) as store:
        assert store.sessions.joinpath("one.jsonl").is_file()
    assert not home.exists()


def test_a_store_is_not_moved_into_itself(tmp_path: Path) -> None:
    home = indexed(tmp_path / "album")
    with pytest.raises(AlbumError, match="lies in the store"):
        Store.open(tmp_path / "album", store=home / "sessions", create=True)
    with Store.open(tmp_path / "album") as store:
        assert len(store.pictures()) == 4


def test_the_store_of_one_album_does_not_become_that_of_another(tmp_path: Path) -> None:
    indexed(tmp_path / "one", tmp_path / "shared")
    with pytest.raises(AlbumError, match="it is the store of the album"):
        Store.open(album(tmp_path / "two", 3), store=tmp_path / "shared", create=True)
    (tmp_path / "one").rename(tmp_path / "renamed")
    with Store.open(tmp_path / "renamed", store=tmp_path / "shared", create=True) as store:
        assert len(store.pictures()) == 4  # the same album under another name goes on with it


def test_an_album_is_indexed_in_the_store_that_it_was_opened_with(tmp_path: Path) -> None:
    shutil.copytree(indexed(tmp_path / "album"), tmp_path / "other")
    with Album.open(tmp_path / "album", encoder="toy", store=tmp_path / "other") as opened:
        opened.index()
        assert opened.store.home == tmp_path / "other"


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "x" * 300, "a\0b", ""])
def test_names_that_cannot_be_are_told_in_one_line(tmp_path: Path, name: str) -> None:
    indexed(tmp_path / "album")
    with Album.open(tmp_path / "album", encoder="toy") as opened:
        with pytest.raises(QueryError, match="is not a file"):
            opened.find(like=[name])
        with pytest.raises(SessionError, match="no session"):
            opened.session(name)
    if name:
        with pytest.raises(AlbumError):
            Album.open(name, encoder="toy")
