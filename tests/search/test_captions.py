"""BM25 over captions, checked against the formula worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whichpic.search.captions import Words


def test_bm25_by_hand() -> None:
    # Two documents of 3 and 5 words, mean 4; "dog" is in both, twice in the second; "cat" in the first only.
    words = Words(["a dog, cat", "the dog saw a Dog"], [0, 1], 2)
    idf_dog, idf_cat = math.log(1 + 0.5 / 2.5), math.log(1 + 1.5 / 1.5)

    def weight(times: int, length: int) -> float:
        return times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / 4))

    assert words.scores("dog") == pytest.approx([idf_dog * weight(1, 3), idf_dog * weight(2, 5)])
    assert words.scores("cat cat") == pytest.approx([2 * idf_cat * weight(1, 3), 0.0])
    assert words.scores("horse") == pytest.approx([0, 0])


def test_several_captions_count_by_the_best() -> None:
    one = Words(["a red car", "a dog", "a blue bird"], [0, 0, 1], 3)
    scores = one.scores("dog")
    assert scores[0] > 0 and scores[1] == 0 and scores[2] == 0


def test_chinese_captions_are_found_by_pairs_of_characters() -> None:
    words = Words(["一只长颈鹿在草地上", "海滩上的雨伞"], [0, 1], 2)
    assert np.argmax(words.scores("长颈鹿")) == 0
    assert np.argmax(words.scores("雨伞")) == 1
