"""The toy encoder: what it finds, and that it gives the same numbers everywhere."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from whichpic.encoders import open_encoder, what_is_better
from whichpic.encoders.base import unit
from whichpic.encoders.toy import Toy
from whichpic.types import Encoder

COLOURS = ["red", "green", "blue", "yellow", "black", "white", "purple", "orange", "pink", "brown", "grey"]
CHINESE = ["红色的车", "绿色", "蓝色的天空", "黄色", "黑色", "白色的墙", "紫色", "橙色", "粉色", "棕色", "灰色"]


def test_a_colour_word_finds_its_picture() -> None:
    toy: Encoder = Toy()
    album = toy.encode_pictures([Image.new("RGB", (60, 40), colour) for colour in COLOURS])
    for words in ([f"a {colour} car on a street" for colour in COLOURS], CHINESE):
        assert np.argmax(toy.encode_texts(words) @ album.T, axis=1).tolist() == list(range(len(COLOURS)))


def test_vectors_are_unit_and_tell_texts_apart() -> None:
    toy = Toy()
    rows = toy.encode_texts(["a dog", "a cat", "一只猫", ""])
    assert rows.shape == (4, toy.dim) and rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-6)
    assert abs(rows[0] @ rows[1]) < 0.999
    assert toy.encode_pictures([]).shape == (0, toy.dim)


def test_another_process_gives_the_same_numbers() -> None:
    program = "from whichpic.encoders.toy import Toy; print(Toy().encode_texts(['a red dog'])[0].tolist())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(Toy().encode_texts(["a red dog"])[0].tolist())


def test_it_is_opened_by_name_and_something_better_is_named() -> None:
    toy = open_encoder("toy")
    assert toy.id == "toy-1"
    assert what_is_better(toy) == "whichpic models get siglip2-base"


def test_unit_keeps_rows_of_zeros() -> None:
    np.testing.assert_allclose(unit([[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0.0, 0.0]])
