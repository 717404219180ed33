from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.album.making import picture
from whichpic.album.decode import decode
from whichpic.errors import DecodeError


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_every_format_is_read(kind: str) -> None:
    decoded = decode(encoded(picture(1), kind))
    assert (decoded.format, decoded.width, decoded.height) == (kind, 40, 30)
    assert decoded.image.mode == "RGB"
    difference = np.asarray(decoded.image, dtype=float) - np.asarray(picture(1), dtype=float)
    assert np.abs(difference).mean() < 12


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_of_phones_is_read_where_the_extra_is_installed(orientation: int) -> None:
    pytest.importorskip("pillow_heif", reason="needs the extra 'heif'").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x0110] = "Phone 5"
    decoded = decode(encoded(picture(1), "HEIF", exif=exif.tobytes()))
    assert (decoded.format, decoded.camera) == ("HEIF", "Phone 5")
    assert (decoded.width, decoded.height) == ((40, 30) if orientation == 1 else (30, 40))
    upright = picture(1) if orientation == 1 else picture(1).transpose(Image.Transpose.ROTATE_270)
    assert np.abs(np.asarray(decoded.image, dtype=float) - np.asarray(upright, dtype=float)).mean() < 12


def test_path_and_bytes_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture(2).save(path)
    assert decode(path).image.tobytes() == decode(path.read_bytes()).image.tobytes()


def test_a_large_jpeg_is_decoded_smaller_and_its_full_size_told() -> None:
    decoded = decode(encoded(picture(3, width=3000, height=2000), "JPEG"))
    assert (decoded.width, decoded.height) == (3000, 2000)
    assert decoded.image.size == (640, 427)


def test_a_long_strip_keeps_something_to_see() -> None:
    assert min(decode(encoded(picture(3, width=4000, height=400), "PNG")).image.size) == 224
    assert max(decode(encoded(picture(3, width=9000, height=60), "PNG")).image.size) == 2560


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = Image.new("RGB", (48, 32), "blue")
    upright.paste("red", (0, 0, 24, 16))  # red: top left
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what a camera held that way would have stored
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(encoded(stored, kind, exif=exif))
    assert (decoded.width, decoded.height) == decoded.image.size == (48, 32)
    red, _, blue = decoded.image.getpixel((6, 4))  # type: ignore[misc]
    assert red > 200
    assert blue < 60


def test_exif_tells_date_camera_and_place() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker Inc.", "Model 5\0junk"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 18:30:00"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 36.0)})
    decoded = decode(encoded(picture(1), "JPEG", exif=exif))
    assert decoded.taken == "2024-05-01T18:30:00"
    assert decoded.camera == "Maker Inc. Model 5"
    assert decoded.latitude == pytest.approx(-33.857)
    assert decoded.longitude == pytest.approx(151.21)


@pytest.mark.parametrize("date", ["0000:00:00 00:00:00", "2024:13:45 99:00:00", "yesterday", "    :  :     :  :  "])
def test_dates_that_are_none_are_left_out(date: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = date
    assert decode(encoded(picture(1), "JPEG", exif=exif)).taken is None


def test_hostile_exif_does_not_matter() -> None:
    plain = encoded(picture(1), "JPEG")
    for seed in range(40):
        noise = np.random.default_rng(seed).bytes(400)
        payload = b"Exif\0\0II*\0\x08\0\0\0" + noise
        segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
        assert decode(plain[:2] + segment + plain[2:]).width == 40


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    for data in (encoded(clear, "PNG"), encoded(clear, "WEBP", lossless=True), encoded(palette, "PNG", transparency=0)):
        assert decode(data).image.getpixel((4, 4)) == (255, 255, 255)
    assert decode(encoded(clear.convert("LA"), "PNG")).image.getpixel((4, 4)) == (255, 255, 255)


def test_unusual_modes_become_rgb() -> None:
    deep = Image.fromarray(np.full((8, 8), 32768, dtype=np.uint16))
    floats = Image.fromarray(np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8))
    assert decode(encoded(deep, "PNG")).image.getpixel((0, 0)) == (127, 127, 127)
    assert decode(encoded(floats, "TIFF")).image.getextrema() == ((0, 255),) * 3
    assert decode(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")).image.getpixel((4, 4))[0] > 200  # type: ignore[index]
    assert decode(encoded(Image.new("1", (8, 8), 1), "PNG")).image.getpixel((4, 4)) == (255, 255, 255)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    for kind, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert decode(data).image.getpixel((8, 8)) == (255, 0, 0), kind


def test_what_is_not_a_picture_is_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="empty"):
        decode(b"")
    with pytest.raises(DecodeError, match="not a picture"):
        decode(b"%PDF-1.7 something else")
    with pytest.raises(DecodeError, match="No such file"):
        decode(tmp_path / "absent.jpg")
    with pytest.raises(DecodeError, match="truncated"):
        decode(encoded(picture(1), "JPEG")[:-200])
    with pytest.raises(DecodeError, match="truncated"):
        decode(encoded(picture(1, width=300, height=300), "PNG")[:-20000])


def test_a_small_file_that_becomes_huge_is_refused() -> None:
    bomb = encoded(Image.new("1", (9000, 9000)), "PNG", optimize=True)
    assert len(bomb) < 20_000
    with pytest.raises(DecodeError, match="9000 x 9000"):
        decode(bomb)


def test_a_jpeg_counts_as_it_is_decoded() -> None:
    data = encoded(Image.new("RGB", (4000, 3000)), "JPEG")  # decoded at 1/4: 0.75 million pixels
    assert decode(data, max_pixels=3_000_000).width == 4000
    with pytest.raises(DecodeError, match="states"):
        decode(data, max_pixels=2_999_999)
    with pytest.raises(DecodeError, match="decodes to"):
        decode(data, side=3999, max_pixels=4_000_000)


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    data = encoded(picture(1), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    with pytest.raises(DecodeError, match="scans"):
        decode(data[:-2] + data[scan:-2] * 200 + data[-2:])


def test_megabytes_of_text_in_a_png_are_refused() -> None:
    chunk = b"zTXtkey\0\0" + zlib.compress(bytes(64 * 2**20))
    framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = encoded(picture(1), "PNG")
    with pytest.raises(DecodeError):
        decode(data[:33] + framed + data[33:])


def test_many_threads_leave_the_warning_filters_as_they_were() -> None:
    before = list(warnings.filters)
    data = encoded(picture(1), "PNG")
    threads = [threading.Thread(target=lambda: [decode(data) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
