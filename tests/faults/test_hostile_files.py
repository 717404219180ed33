"""Two thousand files that are not what they say: each is indexed or skipped with a reason, and nothing hangs."""

from __future__ import annotations

import io
import random
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.album.making import picture
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy

KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "TIFF": "tif", "BMP": "bmp", "AVIF": "avif"}
SECOND = picture(3, width=64, height=48)
EACH = 285  # times seven formats, and a few made by hand


def originals() -> dict[str, list[bytes]]:
    """Small pictures of each format, plain and in their more unusual forms."""
    exif = Image.Exif()
    exif[0x0110] = "Model"
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0), 3: "E", 4: (4.0, 5.0, 6.0)})
    forms: dict[str, list[dict[str, Any]]] = {
        "JPEG": [{"exif": exif}, {"progressive": True}, {"quality": 20, "subsampling": 0}],
        "PNG": [{"exif": exif}, {"save_all": True, "append_images": [SECOND]}],
        "WEBP": [{"exif": exif}, {"lossless": True}, {"save_all": True, "append_images": [SECOND]}],
        "GIF": [{}, {"save_all": True, "append_images": [SECOND]}],
        "TIFF": [{"exif": exif}] + [{"compression": name} for name in ("tiff_lzw", "jpeg", "tiff_deflate", "packbits")],
        "BMP": [{}],
        "AVIF": [{"exif": exif}],
    }
    found: dict[str, list[bytes]] = {}
    for kind, options in forms.items():
        for number, option in enumerate(options):
            out = io.BytesIO()
            picture(number, width=64, height=48).save(out, kind, **option)
            found.setdefault(kind, []).append(out.getvalue())
    return found


def mutated(data: bytes, numbers: random.Random) -> bytes:
    """One of the ways in which a file goes wrong, or is made to."""
    way = numbers.randrange(8)
    out = bytearray(data)
    if way == 0:  # cut off
        return data[: numbers.randrange(len(data))]
    if way == 1:  # a few bits anywhere
        for _ in range(numbers.randrange(1, 20)):
            out[numbers.randrange(len(out))] ^= 1 << numbers.randrange(8)
    elif way == 2:  # a few bytes of the header
        for _ in range(numbers.randrange(1, 8)):
            out[numbers.randrange(min(len(out), 100))] = numbers.choice(
                [0, 1, 0x7F, 0x80, 0xFF, numbers.randrange(256)]
            )
    elif way == 3:  # large numbers in the header
        at = numbers.randrange(min(len(out) - 4, 200))
        out[at : at + 4] = struct.pack(numbers.choice("<>") + "I", numbers.choice([0, 0xFFFFFFFF, 0x7FFFFFFF, 65535]))
    elif way == 4:  # a hole
        at = numbers.randrange(len(out))
        out[at : at + numbers.randrange(1, 200)] = bytes(numbers.randrange(200))
    elif way == 5:  # a piece twice
        at, size = numbers.randrange(len(out)), numbers.randrange(1, 300)
        out[at:at] = out[at : at + size]
    elif way == 6:  # two files in one
        at = numbers.randrange(len(out))
        out[at:] = numbers.randbytes(numbers.randrange(1, 400))
    else:  # something in front
        return numbers.randbytes(numbers.randrange(1, 20)) + data
    return bytes(out)


def test_two_thousand_mutated_files(tmp_path: Path) -> None:
    numbers = random.Random(2024)
    wanted: set[str] = set()
    for kind, samples in originals().items():
        for number in range(EACH):
            ending = KINDS[kind] if numbers.random() < 0.8 else numbers.choice(list(KINDS.values()))
            path = tmp_path / kind / f"{number}.{ending}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(mutated(numbers.choice(samples), numbers))
            wanted.add(path.relative_to(tmp_path).as_posix())
    by_hand = [
        b"",
        b"\0" * 1000,
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBP",
        b"II*\0",
    ]
    for number, data in enumerate(by_hand):
        (tmp_path / f"{number}.jpg").write_bytes(data)
        wanted.add(f"{number}.jpg")
    assert len(wanted) >= 2000
    began = time.perf_counter()
    with Store.open(tmp_path, create=True) as store:
        report = index(store, Toy(), threads=2)
        indexed = {path for each in store.pictures() for path in each.paths}
        reasons = {skip.path: skip.reason for skip in store.skipped()}
    assert indexed | set(reasons) == wanted
    assert not indexed & set(reasons)
    assert all(reason.strip() and "\n" not in reason for reason in reasons.values())
    assert len(report.skipped) == len(reasons) > 300
    assert len(indexed) > 300
    assert time.perf_counter() - began < 100


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header states a size that its data does not have."""
    import zlib

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def huge() -> dict[str, bytes]:
    """Small files that state enormous sizes, one of each format whose header is easily written."""
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG", optimize=True)
    tiff = io.BytesIO()
    Image.new("1", (9000, 9000)).save(tiff, "TIFF", compression="group4")
    jpeg = bytearray(originals()["JPEG"][1])
    at = jpeg.index(b"\xff\xc2") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65000, 65000)
    gif = bytearray(originals()["GIF"][0])
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(originals()["BMP"][0])
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    return {
        "bomb.png": bomb.getvalue(),
        "bomb.tif": tiff.getvalue(),
        "stated.png": png_of(100_000, 100_000),
        "stated.jpg": bytes(jpeg),
        "stated.gif": bytes(gif),
        "stated.bmp": bytes(bmp),
    }


@pytest.mark.parametrize("name", ["bomb.png", "bomb.tif", "stated.png", "stated.jpg", "stated.gif", "stated.bmp"])
def test_a_small_file_that_would_be_huge_is_skipped_without_being_decoded(tmp_path: Path, name: str) -> None:
    import resource

    data = huge()[name]
    assert len(data) < 50_000
    (tmp_path / name).write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Store.open(tmp_path, create=True) as store:
        (skip,) = index(store, Toy()).skipped
    assert "too large" in skip.reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_wrong_endings_do_not_matter(tmp_path: Path) -> None:
    for number, ending in enumerate(KINDS.values()):
        picture(number).save(tmp_path / f"{number}.{ending}", "PNG")
    with Store.open(tmp_path, create=True) as store:
        assert index(store, Toy()).added == len(KINDS)
        assert {each.format for each in store.pictures()} == {"PNG"}
