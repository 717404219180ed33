"""Pictures of a message in every form they may come in, and those that are refused."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support import drawn
from whichpic.chat.pictures import data_url, fingerprint, load_picture
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.base import PictureLike


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def test_one_picture_in_every_form(tmp_path: Path) -> None:
    image = drawn("red")
    content = png(image)
    path = tmp_path / "red.png"
    path.write_bytes(content)
    code = base64.b64encode(content).decode()
    forms: list[PictureLike] = [path, str(path), content, code, f"data:image/png;base64,{code}", image]
    assert {load_picture(form).tobytes() for form in forms} == {image.tobytes()}
    assert len({fingerprint(form) for form in forms[:-1]}) == 1
    assert fingerprint(image) == fingerprint(image.copy()) != fingerprint(drawn("blue"))


def test_what_is_seen_through_is_white_and_a_large_picture_is_made_smaller() -> None:
    clear = Image.new("RGBA", (400, 100), (0, 0, 0, 0))
    assert load_picture(clear).getpixel((0, 0)) == (255, 255, 255)
    assert load_picture(clear, longest=40).size == (40, 10)
    assert load_picture(Image.new("L", (9, 3000)), longest=300).size == (1, 300)


def test_a_data_url_fits_its_budget_and_carries_no_place() -> None:
    image = Image.effect_noise((600, 400), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "at home, secret"
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", exif=exif)
    large, small = data_url(buffer.getvalue()), data_url(buffer.getvalue(), budget=20_000)
    assert len(small) <= 20_000 < len(large)
    assert load_picture(large).size == (600, 400) and max(load_picture(small).size) < 600
    assert b"secret" in buffer.getvalue() and b"secret" not in base64.b64decode(large.partition(",")[2])


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        ("http://127.0.0.1/secret.png", "nothing is fetched"),
        ("HTTPS://example.org/a.jpg", "nothing is fetched"),
        ("file:///etc/passwd", "nothing is fetched"),
        ("ftp://example.org/a.jpg", "nothing is fetched"),
        ("nowhere.jpg", "there is no picture 'nowhere.jpg'"),
        ("data:text/html,<b>", "must hold base64"),
        ("data:image/png;base64,AAA", "damaged"),
        (b"not a picture", "cannot be read"),
        (b"", "the file is empty"),
        (Path("/dev"), "cannot be read"),
        (base64.b64encode(b"no picture at all, but long enough to be taken for one" * 2).decode(), "cannot be read"),
        (7, "a int is no picture"),
    ],
)
def test_what_is_no_picture_is_told_in_a_line(picture: Any, told: str) -> None:
    for use in (load_picture, data_url):
        with pytest.raises(ChatError, match=told) as error:
            use(picture)
        assert error.value.reason == "asked wrongly" and len(str(error.value)) < 300


def test_nothing_that_a_file_says_beside_its_pixels_is_sent() -> None:
    said = drawn("red").getexif()
    said[270] = "SECRET street"
    buffer = io.BytesIO()
    drawn("red").save(buffer, format="JPEG", comment=b"SECRET street", exif=said, icc_profile=b"SECRET" * 30)
    for picture in (buffer.getvalue(), Image.open(buffer)):
        assert b"SECRET" not in base64.b64decode(data_url(picture).partition(",")[2])


def test_a_palette_is_part_of_a_picture() -> None:
    red, green = Image.new("P", (4, 4)), Image.new("P", (4, 4))
    red.putpalette([255, 0, 0])
    green.putpalette([0, 255, 0])
    assert fingerprint(red) != fingerprint(green)


def test_a_picture_that_ends_too_early_is_told_in_a_line() -> None:
    whole = png(Image.effect_noise((64, 64), 50))
    for read in (load_picture, fingerprint, data_url):
        with pytest.raises(ChatError, match=r"the picture cannot be read: .*truncated"):
            read(Image.open(io.BytesIO(whole[:1500])))


def test_a_budget_that_nothing_fits() -> None:
    with pytest.raises(ChatError, match="no picture fits"):
        data_url(drawn("red"), budget=100)
