"""Stores that something else has damaged, albums with names that are no text, encoders that return nonsense."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.album.making import album
from whichpic import Album
from whichpic.album import vectors
from whichpic.album.indexing import Report, index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError, EncoderError


class Other(Toy):
    id = "other-1"


def indexed(root: Path, *encoders: Toy) -> Report:
    with Store.open(root, create=True) as store:
        return [index(store, encoder) for encoder in encoders][-1]


def unlink(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    os.truncate(path, 600)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [unlink, shorten, flip])
def test_the_vectors_of_an_encoder_that_is_not_in_use_may_be_lost(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    root = album(tmp_path / "album", 12)
    indexed(root, Toy(), Other())
    harm(root / ".whichpic/vectors/other-1.0.f32")
    for path in sorted(root.rglob("*.png"))[:6]:
        path.unlink()
    assert indexed(root, Toy()).removed == 6
    assert indexed(root, Other()).encoded == 6  # none of the damaged rows was copied as if it were whole
    with Store.open(root) as store:
        one, two = store.vectors("toy-1"), store.vectors("other-1")
        assert one is not None and two is not None
        assert np.array_equal(one.matrix[one.rows], two.matrix[two.rows])


def test_a_folder_in_the_place_of_the_vectors_is_told_in_one_line(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 4)
    indexed(root, Toy())
    path = root / ".whichpic/vectors/toy-1.0.f32"
    path.unlink()
    path.mkdir()
    with Store.open(root) as store, pytest.raises(AlbumError, match="cannot use the store"):
        store.vectors("toy-1")


def test_a_damaged_catalogue_is_told_in_one_line_that_spares_the_sessions(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 20)
    indexed(root, Toy())
    home, dice = root / ".whichpic", random.Random(1)
    whole = (home / "catalogue.sqlite").read_bytes()
    session = home / "sessions" / "one.jsonl"
    session.parent.mkdir(exist_ok=True)
    session.write_text("{}\n")
    told = []
    for _ in range(60):
        content = bytearray(whole)
        at, count = dice.randrange(100, len(whole) - 600), dice.choice((1, 20, 500))
        content[at : at + count] = dice.randbytes(count)
        for path in home.glob("catalogue*"):
            path.unlink()
        (home / "catalogue.sqlite").write_bytes(content)
        try:
            with Store.open(root) as store:
                store.pictures(), store.facts(), store.captions(), store.skipped(), store.vectors("toy-1")
            indexed(root, Toy())
        except AlbumError as error:
            told.append(str(error))
    assert told and all("\n" not in line for line in told)
    assert any("is damaged" in line and f"delete {home / 'catalogue.sqlite'} and index again" in line for line in told)
    (home / "catalogue.sqlite").unlink()
    assert indexed(root, Toy()).encoded == 20 and session.is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_not_utf_8_may_lead_to_an_album_and_to_captions(tmp_path: Path) -> None:
    root = album(Path(os.fsdecode(os.fsencode(tmp_path) + b'/\xff %20?#\n"q"')), 3)
    (root / os.fsdecode(b"c\xfe.csv")).write_text("image,caption\n0.png,a red dog\n../x.png,a cat\n")
    for _ in range(2):
        with Album.open(root, encoder="toy") as opened:
            report = opened.index()
            assert report.captions == 1 and len(opened.find("red")) == 3
            assert [skip.reason.partition(":")[0] for skip in report.skipped] == ["../x.png"]
            report.skipped[0].path.encode()


@pytest.mark.parametrize("found", [[["a"] * 64], [[1.0], [1.0, 2.0]], object(), [[1e300] * 64], [[float("nan")] * 64]])
def test_what_is_no_vector_is_refused(found: Any) -> None:
    with pytest.raises(EncoderError, match="encoder odd returned"):
        vectors.checked(found, 1, "odd", 64)


@pytest.mark.parametrize(("name", "dim"), [("x" * 300, 64), ("odd", 0), ("odd", -1), ("odd", 64.0)])
def test_an_encoder_that_cannot_be_is_refused_before_anything_is_read(tmp_path: Path, name: str, dim: int) -> None:
    odd = type("Odd", (Toy,), {"id": name, "dim": dim})()
    with pytest.raises(EncoderError) as refused:
        indexed(album(tmp_path / "album", 1), odd)
    assert len(str(refused.value)) < 300
