"""The word order of a Chinese sentence turned into the English one, word by word, without a model. Called by words.

It reads lists of words and imports nothing of ours. What it does not know how to turn, it leaves as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_BREAK = re.compile(r"[,.;:!?()\[\]\"\n，。；：！？（）、]")
_POSTPOSITIONS = {
    "上", "上面", "里", "里边", "中", "内", "下", "下面", "底下", "旁", "旁边", "边上", "附近", "周围", "前", "前面",
    "后", "后面", "背后", "之间", "中间", "中央",
}  # fmt: skip
_PREPOSITIONS = ("on", "in", "at", "under", "next to", "near", "around", "in front of", "behind", "between")
_PUT = {"placed", "hanging", "parked", "sitting", "standing", "lying", "walking", "flying"}
"""What is said of a thing after its place: 桌上摆着花瓶, a vase placed on the table."""
_HOW_MANY = ("a", "two", "three", "four", "five", "six", "several", "many", "some", "a group of", "a pair of")
_GIVING = ("with", "without", "no", "not")


def english_order(words: Sequence[str], said: Sequence[str]) -> Iterator[str]:
    """The English of each word (`said`, "" for none) in English order: a modifier after its noun, "in" before its place.

    穿 红 衣服 的 女人 -> woman wearing red clothing; 桌 上 摆着 花瓶 -> vase placed on table; 在 海滩 上 -> on beach.
    """
    moved = list(said)
    _move_prepositions(words, moved)
    first = 0
    for k in range(len(words) + 1):
        if k == len(words) or _BREAK.match(words[k]):
            yield from filter(None, (*_turned(words[first:k], moved[first:k]), *moved[k : k + 1]))
            first = k + 1


def _move_prepositions(words: Sequence[str], said: list[str]) -> None:
    """Put the English for the word after a place (在 海滩 上, at beach on) where English has it (on beach)."""
    for k, word in enumerate(words):
        begins = k == 0 or bool(_BREAK.match(words[k - 1]))
        if (word in _POSTPOSITIONS and words[k + 1 : k + 2] == ["有"]) or (word == "有" and begins):
            said[k] = ""
        if word != "在":
            continue
        for j in range(k + 1, len(words)):
            if words[j] == "在" or _BREAK.match(words[j]):
                break
            if words[j] in _POSTPOSITIONS:
                said[k], said[j] = said[j], ""
                break
        after = next((each for each in said[k + 1 :] if each), "").split()
        if said[k] == "at" and after and (after[0].endswith("ing") or after[0] in _PREPOSITIONS):
            said[k] = ""


def _turned(words: Sequence[str], said: list[str]) -> list[str]:
    """One clause. Only its first modifier is moved: with several, what belongs to what cannot be told word by word."""
    if said and said[0] in _HOW_MANY and " ".join(said[1:2]).endswith("ing"):
        return [said[0], *_turned(words[1:], said[1:])]  # 一个 | 穿红衣服的女人
    for k in range(1, len(words) - 1):
        placed = words[k - 1] in _POSTPOSITIONS and bool(said[k - 1])
        before = next((word for word in said[:k] if word), "").split()
        if words[k] == "的" and before and "在" not in words[k + 1 :]:
            if placed:
                return [*said[k + 1 :], said[k - 1], *said[: k - 1]]
            if before[0].endswith("ing") or before[0] in (*_GIVING, *_PREPOSITIONS):
                return [*said[k + 1 :], *said[:k]]
        if placed and said[k] in _PUT and any(said[k + 1 :]):
            return [*said[k + 1 :], said[k], said[k - 1], *said[: k - 1]]
    return said
