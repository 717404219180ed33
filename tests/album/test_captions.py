from __future__ import annotations

import json
from pathlib import Path

import pytest

from whichpic.album.captions import attach, find_caption_files, read_captions
from whichpic.errors import CaptionError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_bars_of_flickr30k(tmp_path: Path) -> None:
    path = write(
        tmp_path / "results.csv",
        "image_name| comment_number| comment\n"
        '1.jpg| 0| A man says "stop , please .\n'
        "1.jpg| 1| One, two | three\n"
        "2.jpg| 4   The line that lacks a bar .\n"
        "\n"
        "3.jpg| 0|   \n",
    )
    assert read_captions(path) == [
        ("1.jpg", 'A man says "stop , please .'),
        ("1.jpg", "One, two | three"),
        ("2.jpg", "The line that lacks a bar ."),
    ]


@pytest.mark.parametrize(
    "header", ["image,caption", "image_name,comment", "file_name,captions", "\ufeffImage , Caption", "image;caption"]
)
def test_commas_and_quotation_marks(tmp_path: Path, header: str) -> None:
    mark = ";" if ";" in header else ","
    path = write(tmp_path / "a.csv", f'{header}\n1.jpg{mark}"A dog, two cats\nand ""a"" bird"\n2.jpg{mark}一只狗\n')
    assert read_captions(path) == [("1.jpg", 'A dog, two cats and "a" bird'), ("2.jpg", "一只狗")]


def test_three_columns_with_commas(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "image_name,comment_number,comment\n1.jpg,0,A dog\n1.jpg,1,Two dogs\n")
    assert read_captions(path) == [("1.jpg", "A dog"), ("1.jpg", "Two dogs")]


def test_columns_by_name_and_the_error_that_names_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "photo,words,image_id\n1.jpg,A dog,7\n")
    assert read_captions(path, image_column="photo", caption_column="words") == [("1.jpg", "A dog")]
    with pytest.raises(
        CaptionError, match=r"no column that names its pictures; its columns are: photo, words, image_id"
    ):
        read_captions(path)
    with pytest.raises(CaptionError, match=r"no column 'said'; its columns are: photo, words, image_id"):
        read_captions(path, image_column="photo", caption_column="said")


def test_coco_json(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 7, "file_name": "000000000007.jpg"}, {"id": 8, "file_name": "8.jpg"}],
        "annotations": [
            {"image_id": 8, "id": 1, "caption": "A cat."},
            {"image_id": 7, "id": 2, "caption": "A dog\n "},
            {"image_id": 99, "id": 3, "caption": "Nobody's"},
        ],
    }
    path = write(tmp_path / "captions_val2017.json", json.dumps(content))
    assert read_captions(path) == [("8.jpg", "A cat."), ("000000000007.jpg", "A dog")]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"annotations": 3}', '{"images": [], "annotations": [{"bbox": 1}]}', "[" * 100_000, "\0"]
)
def test_json_that_is_something_else(tmp_path: Path, text: str) -> None:
    with pytest.raises(CaptionError):
        read_captions(write(tmp_path / "a.json", text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CaptionError, match="cannot read"):
        read_captions(tmp_path / "absent.csv")
    (tmp_path / "gbk.csv").write_bytes("image,caption\n1.jpg,一只狗\n".encode("gbk"))
    with pytest.raises(CaptionError, match="UTF-8"):
        read_captions(tmp_path / "gbk.csv")


def test_files_are_found_where_the_data_sets_put_them(tmp_path: Path) -> None:
    flickr = write(tmp_path / "flickr30k/results.csv", "image_name| comment_number| comment\n")
    (tmp_path / "flickr30k/images").mkdir()
    assert find_caption_files(tmp_path / "flickr30k/images") == [flickr]
    assert find_caption_files(tmp_path / "flickr30k") == [flickr]

    table = write(tmp_path / "playground/data/mscoco/images_captions.csv", "image,caption\n")
    (tmp_path / "playground/data/mscoco/val2017").mkdir()
    assert find_caption_files(tmp_path / "playground/data/mscoco/val2017") == [table]
    assert find_caption_files(tmp_path) == [flickr, table]

    for name in ("captions_val2017", "captions_train2017", "instances_val2017"):
        write(tmp_path / f"coco/annotations/{name}.json", "{}")
    (tmp_path / "coco/val2017").mkdir()
    assert find_caption_files(tmp_path / "coco/val2017") == [tmp_path / "coco/annotations/captions_val2017.json"]


def test_other_tables_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "album/prices.csv", "item,price\n")
    write(tmp_path / "somebody.csv", "image,caption\n")
    assert find_caption_files(tmp_path / "album") == []


PATHS = {"2021/a.jpg": "A", "2022/a.jpg": "B", "b.jpg": "C", "copy/b.jpg": "C", "sub/deep/c.jpg": "D"}


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("b.jpg", "C"),
        ("./b.jpg", "C"),
        ("c.jpg", "D"),
        ("deep/c.jpg", "D"),
        ("sub\\deep\\c.jpg", "D"),
        ("val2017/b.jpg", "C"),
        ("data/val2017/b.jpg", "C"),
        ("2021/a.jpg", "A"),
        ("a.jpg", None),
        ("other/b.jpg", None),
        ("eep/c.jpg", None),
        ("../../b.jpg", None),
        ("sub/../b.jpg", None),
        ("/data/val2017/b.jpg", None),
        ("C:\\b.jpg", None),
        ("\\\\server\\share\\b.jpg", None),
        ("b.jpg\0.png", None),
        ("..", None),
    ],
)
def test_a_name_reaches_only_pictures_of_the_album(name: str, picture: str | None) -> None:
    pairs, reasons = attach([(name, "words")], PATHS, Path("/data/val2017"))
    assert pairs == ([(picture, "words")] if picture else [])
    assert bool(reasons) == (picture is None)


def test_many_bad_names_are_told_in_few_words() -> None:
    bad = [(f"../{i}.jpg", "x") for i in range(1000)] + [(f"{i}.jpg", "x") for i in range(500)]
    _, reasons = attach(bad, PATHS, Path("/album"))
    assert len(reasons) == 22
    assert reasons[-2:] == ["980 more names of this kind", "500 of 1500 names are not of pictures in this album"]
