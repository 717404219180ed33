"""An indexed album of drawn pictures, on a shelf, for everything below the pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import drawn_album
from whichpic.api import Album
from whichpic.encoders.toy import Toy
from whichpic.web.desk import Desk
from whichpic.web.shelf import Shelf
from whichpic.web.talks import Talks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 drawn pictures, indexed with the toy encoder."""
    folder = drawn_album(tmp_path_factory.mktemp("drawn") / "My album")
    with Album.open(folder, encoder=Toy()) as album:
        album.index()
    return folder


@pytest.fixture(scope="module")
def shelf(folder: Path) -> Iterator[Shelf]:
    """The album on a shelf."""
    shelf = Shelf.of([Album.open(folder, encoder=Toy())])
    yield shelf
    shelf.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Threads of one test."""
    desk = Desk()
    yield desk
    desk.close()


@pytest.fixture
def talks(shelf: Shelf, desk: Desk) -> Talks:
    """Sessions that ask from facts."""
    return Talks(shelf, desk, asker="facts,pick")
