from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.album.making import permissions_bind
from whichpic.album.scan import scan
from whichpic.errors import AlbumError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_pictures_are_found_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path / "a.JPG", tmp_path / "b/c/d/e.webp", tmp_path / "notes.txt", tmp_path / "旅行/图.png")
    assert sorted(scan(tmp_path).files) == ["a.JPG", "b/c/d/e.webp", "旅行/图.png"]


def test_hidden_things_and_the_store_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path / ".whichpic/thumbs/a.jpg", tmp_path / ".b.jpg", tmp_path / "store/thumbs/c.jpg", tmp_path / "d.jpg")
    assert sorted(scan(tmp_path, leave_out=tmp_path / "store").files) == ["d.jpg"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path / "real/a.jpg")
    (tmp_path / "again").symlink_to(tmp_path / "real")
    (tmp_path / "real/up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    found = scan(tmp_path)
    assert sorted(found.files) == ["real/a.jpg"]
    assert [skip.path for skip in found.skipped] == ["self.jpg"]


def test_links_that_leave_the_album_are_not_followed(tmp_path: Path) -> None:
    album, outside = tmp_path / "album", tmp_path / "outside"
    touch(album / "a.jpg", outside / "secret.jpg")
    (album / "folder").symlink_to(outside)
    (album / "b.jpg").symlink_to(outside / "secret.jpg")
    (album / "inside.jpg").symlink_to(album / "a.jpg")
    (album / "gone.jpg").symlink_to(album / "nothing.jpg")
    found = scan(album)
    assert sorted(found.files) == ["a.jpg", "inside.jpg"]
    reasons = {skip.path: skip.reason for skip in found.skipped}
    assert "leaves the album" in reasons["folder"]
    assert "leaves the album" in reasons["b.jpg"]
    assert "leads nowhere" in reasons["gone.jpg"]


def test_a_pipe_called_jpg_and_a_name_that_is_no_text_are_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    descriptor = os.open(os.fsencode(tmp_path) + b"/\xb0\xa1.jpg", os.O_CREAT | os.O_WRONLY)
    os.close(descriptor)
    reasons = {skip.path: skip.reason for skip in scan(tmp_path).skipped}
    assert reasons == {"pipe.jpg": "not a regular file", "\\xb0\\xa1.jpg": "its name is not valid UTF-8: rename it"}


@pytest.mark.skipif(not permissions_bind(), reason="root may read everything")
def test_a_closed_folder_is_reported(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "closed/b.jpg")
    (tmp_path / "closed").chmod(0)
    try:
        found = scan(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert sorted(found.files) == ["a.jpg"]
    assert found.closed == ["closed"]


def test_a_folder_that_has_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AlbumError, match="cannot list"):
        scan(tmp_path / "gone")
