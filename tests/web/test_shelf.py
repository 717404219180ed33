"""Albums that are served: names, indexing in the background, and searching what is there already."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support import drawn, drawn_album
from whichpic.api import Album
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError
from whichpic.web.shelf import Shelf, opened

if TYPE_CHECKING:
    from whichpic.types import Floats, Sight


class Slow(Toy):
    """The toy encoder; `gate` holds every batch, `begun` counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.begun = 0

    def encode_pictures(self, pictures: Sequence[Image.Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        self.begun += 1
        assert self.gate.acquire(timeout=20)
        return super().encode_pictures(pictures, sights)


def waited(ready: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_names_are_made_of_folders_and_differ(tmp_path: Path) -> None:
    albums = [Album.open(drawn_album(tmp_path / each, 2), encoder=Toy()) for each in ("a/Trips 2024", "b/Trips 2024")]
    shelf = Shelf.of(albums)
    assert list(shelf.albums) == ["trips-2024", "trips-2024-2"] and shelf.first.title == "Trips 2024"
    with pytest.raises(AlbumError, match="there is no album 'x'; there are: trips-2024, trips-2024-2"):
        shelf["x"]
    shelf.close()


def test_an_album_is_searched_while_it_is_indexed_and_pausing_loses_nothing(tmp_path: Path) -> None:
    encoder = Slow()
    shelf = Shelf.of([Album.open(drawn_album(tmp_path / "album", 100), encoder=encoder)])
    album = shelf.first
    news: list[str] = []
    album.watch(lambda: news.append(album.indexing.state))
    assert not album.ready
    with pytest.raises(AlbumError):
        album.gallery  # noqa: B018
    album._next = 0.0
    album.start()
    encoder.gate.release()
    waited(lambda: encoder.begun == 2)  # so the first batch is kept
    album.pause()
    encoder.gate.release(2)
    waited(lambda: album.indexing.state == "paused")
    there = album.gallery.indexed.sum()
    assert 0 < there < 100, "what is there is searched"
    encoder.gate.release(20)
    album.start()
    waited(lambda: album.indexing.state == "idle")
    assert album.gallery.indexed.sum() == 100 and album.revision >= 2
    assert {"running", "paused", "idle"} <= set(news)
    shelf.close()


def test_new_pictures_are_found_without_a_restart(tmp_path: Path) -> None:
    folder = drawn_album(tmp_path / "album", 4)
    with opened([folder], encoder=Toy()).first.album as album:
        album.index()
    shelf = opened([folder], encoder=Toy())
    assert shelf.first.gallery.n == 4
    drawn("pink", noise=99).save(folder / "new.png")
    shelf.first.start()
    waited(lambda: shelf.first.indexing.state == "idle")
    assert shelf.first.gallery.n == 5
    shelf.close()


def test_what_goes_wrong_is_said_and_can_be_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    shelf = opened([folder], encoder=Toy())
    shelf.first.start()
    waited(lambda: shelf.first.indexing.state == "failed")
    assert shelf.first.indexing.error
    drawn("red").save(folder / "one.png")
    shelf.first.start()
    waited(lambda: shelf.first.indexing.state == "idle" and shelf.first.ready)
    shelf.close()


def test_a_pause_that_is_not_over_is_taken_back(tmp_path: Path) -> None:
    encoder = Slow()
    shelf = Shelf.of([Album.open(drawn_album(tmp_path / "album", 100), encoder=encoder)])
    album = shelf.first
    end = album.watch(lambda: [].pop())  # a page that fails costs the indexing nothing
    album.start()
    waited(lambda: encoder.begun)
    album.pause()
    album.start()
    encoder.gate.release(20)
    waited(lambda: album.indexing.state == "idle")
    assert album.gallery.indexed.sum() == 100
    end()
    shelf.close()


def test_what_goes_wrong_does_not_say_where_the_album_is(tmp_path: Path) -> None:
    folder = drawn_album(tmp_path / "secret" / "My album", 2)
    shelf = opened([folder], encoder=Toy())
    line = shelf.line(AlbumError(f"{folder}/a.png\nis no longer in {folder}; look at {Path.home() / 'x'}, and/or"))
    assert line == "My album/a.png is no longer in My album; look at ~/x, and/or"
    shelf.close()
