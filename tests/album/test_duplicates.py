from __future__ import annotations

import time

import numpy as np
from PIL import Image

from tests.album.making import picture
from whichpic.album.duplicates import groups, perceptual_hash
from whichpic.types import Picture


def numbered(hashes: list[int | None]) -> list[Picture]:
    return [Picture(id=f"{i:06d}", phash=value) for i, value in enumerate(hashes)]


def distance(a: int | None, b: int | None) -> int:
    assert a is not None
    assert b is not None
    return (a ^ b).bit_count()


def test_a_scaled_copy_is_near_and_another_picture_is_far() -> None:
    large = picture(1, width=400, height=300)
    assert distance(perceptual_hash(large), perceptual_hash(large.resize((200, 150)))) <= 4
    others = [perceptual_hash(picture(n, width=400, height=300)) for n in range(2, 60)]
    assert min(distance(perceptual_hash(large), other) for other in others) > 10


def test_flat_pictures_have_no_hash() -> None:
    for colour in ("white", "black", (120, 30, 30)):
        assert perceptual_hash(Image.new("RGB", (64, 64), colour)) is None
    assert perceptual_hash(Image.linear_gradient("L").convert("RGB")) is None
    assert groups(numbered([None, None, None])) == []


def test_groups_are_linked_by_small_steps_and_sorted() -> None:
    base = 0xDEADBEEF12345678
    pictures = numbered([base, 0, base ^ 0b1111, base ^ 0xFF, (1 << 64) - 1, base ^ 0b11111 << 40])
    assert groups(pictures) == [("000000", "000002", "000003")]
    assert groups(list(reversed(pictures))) == groups(pictures)
    assert groups(pictures, distance=0) == []


def test_groups_equal_those_of_comparing_all_pairs() -> None:
    random = np.random.default_rng(0)
    seeds = random.integers(0, 1 << 63, size=60)
    hashes = [int(random.choice(seeds)) ^ sum(1 << int(b) for b in random.integers(0, 64, 3)) for _ in range(400)]
    near = {(i, j) for i in range(400) for j in range(400) if (hashes[i] ^ hashes[j]).bit_count() <= 4}
    found = groups(numbered(list(hashes)))
    together = {(int(a), int(b)) for group in found for a in group for b in group}
    assert near <= together | {(i, i) for i in range(400)}


def test_a_hundred_thousand_pictures_take_seconds() -> None:
    random = np.random.default_rng(0)
    hashes = [int(value) for value in random.integers(0, 1 << 63, size=100_000)]
    hashes[50_000] = hashes[7] ^ 0b101
    began = time.perf_counter()
    assert groups(numbered(list(hashes))) == [("000007", "050000")]
    assert time.perf_counter() - began < 10
