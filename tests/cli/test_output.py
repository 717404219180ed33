"""Pictures in terminals: which way is chosen, and that what is written is whole."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.support import drawn
from whichpic.cli import output


@pytest.fixture
def row(tmp_path: Path) -> Image.Image:
    files = []
    for number, colour in enumerate(("red", "green", "blue")):
        files.append(tmp_path / f"{number}.jpg")
        drawn(colour, noise=number, size=(90, 60 + 30 * number)).save(files[-1])
    made: Image.Image = output._row(files)
    return made


@pytest.mark.parametrize("way", ["kitty", "iterm", "blocks", "none"])
def test_the_user_may_decide(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICHPIC_PICTURES", way)
    assert output.picture_terminal() == way


def test_pipes_get_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHICHPIC_PICTURES", raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert output.picture_terminal() == "none"  # standard output is no terminal here


def test_the_row_holds_every_picture_side_by_side(row: Image.Image) -> None:
    assert row.size == (3 * 256 - 16, 240)
    for number, channel in enumerate((0, 1, 2)):
        pixel = row.getpixel((number * 256 + 120, 120))
        assert isinstance(pixel, tuple) and max(pixel) == pixel[channel]


def test_kitty_gets_a_whole_png_in_pieces(row: Image.Image) -> None:
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", output._kitty(row))
    assert all(len(data) <= 4096 for _, data in pieces)
    assert [control.endswith("m=1") for control, _ in pieces] == [True] * (len(pieces) - 1) + [False]
    assert Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces)))).size == row.size


def test_iterm_gets_a_whole_png(row: Image.Image) -> None:
    match = re.search(r"size=(\d+);height=10:([^\a]+)\a", output._iterm(row))
    assert match is not None
    png = base64.b64decode(match[2])
    assert len(png) == int(match[1]) and Image.open(io.BytesIO(png)).size == row.size


def test_blocks_are_two_pixels_high_end_each_line_in_plain_and_are_numbered(row: Image.Image) -> None:
    *lines, numbers = output._blocks(row).splitlines()
    assert numbers.split() == ["1", "2", "3"]
    assert len({line.count("\u2580") for line in lines}) == 1
    assert all(line.endswith("\x1b[0m") for line in lines)
