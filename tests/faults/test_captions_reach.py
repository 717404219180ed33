"""Captions files from strangers: names that point out of the album reach nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.album.making import album, permissions_bind, save
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy

NAMES = [
    *("../../x.jpg", "../x.jpg", "a/../../x.jpg", "..\\x.jpg", "/etc/passwd", "//server/share/x.jpg"),
    *(
        "\\\\server\\share\\x.jpg",
        "C:\\x.jpg",
        "file:///etc/passwd",
        "x.jpg\0.png",
        "~/x.jpg",
        "%2e%2e/x.jpg",
        ". ./x.jpg",
    ),
]


@pytest.mark.parametrize("layout", ["json", "csv"])
def test_names_that_leave_the_album_reach_nothing(tmp_path: Path, layout: str) -> None:
    root = album(tmp_path / "deep" / "album", 2)
    save(tmp_path / "x.jpg", 50)
    save(tmp_path / "deep" / "x.jpg", 51)
    if layout == "json":
        images = [{"id": i, "file_name": name} for i, name in enumerate([*NAMES, "0.png"])]
        notes = [{"image_id": i, "caption": "words"} for i in range(len(images))]
        (root / "captions_all.json").write_text(json.dumps({"images": images, "annotations": notes}))
    else:
        lines = [f'"{name}",words' for name in [*NAMES, "0.png"]]
        (root / "captions.csv").write_text("image,caption\n" + "\n".join(lines) + "\n")
    opened: list[str] = []
    real = os.open

    def watched(path: str, *rest: int) -> int:
        opened.append(os.fspath(path))
        return real(path, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", watched)
        with Store.open(root, create=True) as store:
            report = index(store, Toy(), threads=1)
            assert report.captions == 1
            assert [each.paths for each in store.pictures() if each.id in store.captions()] == [("000/0.png",)]
    assert report.skipped
    assert all(Path(path).is_relative_to(root) for path in opened)


@pytest.mark.skipif(not permissions_bind(), reason="root may read everything")
def test_files_that_may_not_be_read_are_skipped_until_they_may(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 3)
    (root / "000/1.png").chmod(0)
    with Store.open(root, create=True) as store:
        (skip,) = index(store, Toy()).skipped
        assert "Permission" in skip.reason
        (root / "000/1.png").chmod(0o644)
        assert index(store, Toy()).added == 1
