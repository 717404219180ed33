"""Words of English and Chinese: how a text is cut, which things it names, and how they are called.

Captions are indexed by `tokens`; facts, questions, filters and the `names` encoder all speak
the concepts of `vocabulary()`, which the bundled models' labels are part of.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from whichpic.chinese import english_order

Kind = Literal["thing", "colour", "light", "place", "orientation", "scene"]

# Han with its extensions, kana, Hangul: scripts in which words are not set apart by spaces (or, Hangul, inflect).
_CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_HAS_CJK = re.compile(f"[{_CJK}]")
_RUNS = re.compile(f"([{_CJK}]+)|([^\\W_{_CJK}]+)")
_ASCII_RUNS = re.compile(r"[a-z0-9]+")
_ACCENTS = re.compile(r"[\u0300-\u036f]")
_WORDS = re.compile(f"[^\\W_{_CJK}]+(?:['’][^\\W_{_CJK}]+)?")
_BREAK = re.compile(r"[,.;:!?()\[\]\"\n，。；：！？（）]")

_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "mice": "mouse", "geese": "goose",
    "feet": "foot", "teeth": "tooth", "oxen": "ox", "leaves": "leaf", "calves": "calf", "wolves": "wolf",
    "fungi": "fungus", "loaves": "loaf", "dice": "die", "cacti": "cactus",
}  # fmt: skip
_NEGATORS = {"no", "not", "without", "never", "nor", "neither", "cannot", "minus", "except"}
# What may stand between "not" and the thing denied; any other of these ends the reach of the denial.
_ENDS_DENIAL = {
    "only", "but", "just", "in", "on", "at", "by", "near", "under", "behind", "beside", "between", "over", "above",
    "below", "with", "next", "from", "into", "while", "when", "because", "except", "sure", "longer", "matter", "more",
    "less", "than", "and", "that", "which", "who", "where", "to",
}  # fmt: skip
_HAVING = {"wearing", "holding", "carrying", "having", "showing", "seeing", "anything", "including", "being"}
_ARTICLES = {"a", "an", "the", "some", "one", "two", "three", "his", "her", "their", "its", "with"}
_BEFORE_DENIAL = {"there", "is", "are", "was", "were", "but", "and", "with", "has", "have", "had", "does", "do", "did"}
_AFTER_A_NOUN = {"and", "or", "in", "on", "at", "with", "is", "are", "of", "next", "near", "beside", "by", "under"}
_LONGEST_PHRASE = 5  # English words
_FARTHEST_DENIAL = 5  # words between "not" and what it denies

_ZH_NEGATORS = {
    "没有", "没", "不是", "不", "无", "不要", "看不到", "看不见", "没看到", "没看见", "没见到", "没见", "没拍到",
    "不见", "未", "别", "并非", "不在", "不带", "不含",
}  # fmt: skip
_ZH_BETWEEN = {
    "任何", "什么", "一个", "一只", "一条", "一辆", "一", "个", "只", "条", "辆", "位", "名", "是", "有", "太", "很",
    "看到", "看见", "其他", "别的", "出现", "那么", "这么", "在", "穿", "穿着", "戴", "戴着", "拿着",
    "带", "带着", "大", "小", "几个", "半个",
}  # fmt: skip
_ZH_OR = {"和", "或", "或者", "与", "及", "以及", "跟", "、", "也"}
# 一个人也没有: "even one person there is not"; the denial comes after the thing.
_ZH_EVEN = {"也", "都"}
_ZH_ONE = {"一", "一个", "一只", "一条", "一辆", "一张", "一座", "一位", "一名", "一匹", "一头", "一棵", "一朵", "一艘", "一架",
           "一把", "一台", "半个", "连", "连个"}  # fmt: skip
_PUNCTUATION = {"，": ",", "。": ".", "、": ",", "；": ";", "：": ":", "！": "!", "？": "?"}


def has_cjk(text: str) -> bool:
    """Whether a text holds Chinese characters, kana or Hangul."""
    return _HAS_CJK.search(text) is not None


def tokens(text: str) -> list[str]:
    """The words of a text for matching, in order, with repetition.

    Lower-case runs of letters and digits without their accents ("Café" -> "cafe"); for an ASCII text exactly the
    runs of [a-z0-9]. A run of CJK characters is cut into overlapping pairs ("长颈鹿" -> "长颈", "颈鹿"), a lone one
    stands for itself.
    """
    if text.isascii():
        return _ASCII_RUNS.findall(text.lower())
    folded = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold())))
    found: list[str] = []
    for match in _RUNS.finditer(folded):
        run = match.group()
        if match.group(1) and len(run) > 1:
            found += [run[k : k + 2] for k in range(len(run) - 1)]
        else:
            found.append(run)
    return found


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing that can be said of a picture, under its everyday English name, which no other concept has.

    zh: Chinese names, best first. isa: every kind that it is of, most specific first (beagle: dog, pet, animal).
    place: "indoors" or "outdoors" where the thing tells.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()
    isa: tuple[str, ...] = ()
    place: str | None = None
    kind: Kind = "thing"


@dataclass(frozen=True, slots=True)
class Mention:
    """A concept named in text[start:end]. `clause` is where the words that deny it begin, or `start` if none do.

    Words that deny it and come after it (一个人也没有) are part of text[start:end].
    """

    concept: Concept
    start: int
    end: int
    negated: bool = False
    clause: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a text: the concepts it may name (the likeliest first), or a plain word, never both."""

    start: int
    end: int
    word: str
    may: tuple[Concept, ...] = ()


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The vocabulary that comes with whichpic, read once."""
    path = Path(__file__).parent / "data" / "vocabulary.json"
    return Vocabulary(json.loads(path.read_text(encoding="utf-8")))


class Vocabulary:
    """The concepts, the labels of the bundled models in their order, and the words of both languages that name them.

    imagenet: the concept of each of the 1000 ImageNet classes; several classes may be one concept.
    coco: the concept of each of the detector's 90 classes, None for those that do not exist.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        """`data` is the content of a vocabulary file (version 1)."""
        self.concepts: tuple[Concept, ...] = tuple(_concept(row) for row in data["concepts"])
        self.imagenet: tuple[str, ...] = tuple(data["imagenet"])
        self.coco: tuple[str | None, ...] = tuple(data["coco"])
        self._chinese: dict[str, str] = data["chinese"]
        self._by_name = {concept.name: concept for concept in self.concepts}
        self._kinds: dict[str, list[str]] = {}
        self._english: dict[str, list[Concept]] = {}
        self._zh: dict[str, list[Concept]] = {}
        for concept in self.concepts:
            for kind in concept.isa:
                self._kinds.setdefault(kind, []).append(concept.name)
            for surface in (concept.name, *concept.synonyms):
                self._english.setdefault(" ".join(_plain(word) for word in _WORDS.findall(surface)), []).append(concept)
            for surface in concept.zh:
                self._zh.setdefault(surface.lower(), []).append(concept)
        self._zh_starts = {surface[0] for surface in (*self._zh, *self._chinese)}
        self._zh_longest = max(len(surface) for surface in (*self._zh, *self._chinese))

    def get(self, name: str) -> Concept | None:
        """The concept of this name; a synonym or a Chinese name is not one."""
        return self._by_name.get(name)

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Every kind that the concept is of, most specific first; () for a name that is not in the vocabulary."""
        concept = self._by_name.get(name)
        return concept.isa if concept else ()

    def descendants(self, name: str) -> tuple[str, ...]:
        """Every concept that is of this kind, in the vocabulary's order."""
        return tuple(self._kinds.get(name, ()))

    def say(self, name: str, language: str) -> str:
        """How a concept is called in "en" or "zh"; a name that is not in the vocabulary is given back as it is."""
        concept = self._by_name.get(name)
        return concept.zh[0] if concept and concept.zh and language == "zh" else name

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """The concepts that a text names, in either language, in order of place, and whether it denies them.

        The longest match wins; English plurals count. "no dog", "isn't red", "without people or cars", 没有狗 and
        不是红色 deny. Of several meanings (mouse, crane) the one akin to the other things named is taken.
        """
        lines = [self._english_pieces(text)] + ([list(self._chinese_pieces(text))] if has_cjk(text) else [])
        sure = {kind for line in lines for piece in line if len(piece.may) == 1 for kind in piece.may[0].isa}
        found = [*_english_mentions(text, lines[0], sure, self._by_name["person"])]
        for line in lines[1:]:
            found += _chinese_mentions(line, sure)
        return tuple(sorted(found, key=lambda mention: mention.start))

    def to_english(self, text: str) -> str:
        """A text with its Chinese words replaced by English ones, roughly in their order; English stays as it is.

        Things are given their English names, frequent verbs, places and numbers are translated, the rest is dropped. A
        word that names a thing more closely than the concept does (雪山 for the concept alp) keeps its own English.
        """
        if not has_cjk(text):
            return text
        pieces = list(self._chinese_pieces(text))
        sure = {kind for piece in pieces if len(piece.may) == 1 for kind in piece.may[0].isa}
        said = [
            self._chinese.get(piece.word) or _choose(piece.may, sure).name if piece.may else self._say_word(piece.word)
            for piece in pieces
        ]
        english = " ".join(english_order([piece.word for piece in pieces], said))
        return re.sub(r" +([,.;:!?])", r"\1", english).strip(" ,")

    def _say_word(self, word: str) -> str:
        if word in _PUNCTUATION:
            return _PUNCTUATION[word]
        return self._chinese.get(word, "" if has_cjk(word) else word)

    def _english_pieces(self, text: str) -> list[_Piece]:
        words = [(match.start(), match.end(), match.group().lower()) for match in _WORDS.finditer(text)]
        pieces: list[_Piece] = []
        k = 0
        while k < len(words):
            length, may = self._longest([_plain(word) for _, _, word in words[k : k + _LONGEST_PHRASE]])
            stretch = words[k : k + length]
            if len(may) > 1 and may[0].kind == "colour" and _is_noun(words, k, text):
                may = may[1:]
            pieces.append(_Piece(stretch[0][0], stretch[-1][1], stretch[-1][2], may))
            k += length
        return pieces

    def _longest(self, phrase: Sequence[str]) -> tuple[int, tuple[Concept, ...]]:
        for length in range(len(phrase), 0, -1):
            head = [*phrase[: length - 1]]
            for last in _singulars(phrase[length - 1]):
                may = self._english.get(" ".join([*head, last]))
                if may and last != phrase[length - 1]:
                    may = [concept for concept in may if concept.kind != "colour"] or None
                if may:
                    # A concept's own name outranks another's synonym.
                    return length, tuple(sorted(may, key=lambda concept: concept.name != " ".join([*head, last])))
        return 1, ()

    def _chinese_pieces(self, text: str) -> Iterator[_Piece]:
        """Concepts, known words and single other characters of a text; a run of other letters is one word."""
        lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
        k = 0
        while k < len(text):
            for length in range(min(self._zh_longest, len(text) - k), 0, -1) if lower[k] in self._zh_starts else ():
                surface = lower[k : k + length]
                if surface in self._zh or surface in self._chinese:
                    yield _Piece(k, k + length, surface, tuple(self._zh.get(surface, ())))
                    k += length
                    break
            else:
                match = _WORDS.match(text, k)
                end = match.end() if match else k + 1
                if not text[k].isspace():
                    yield _Piece(k, end, text[k:end])
                k = end


def _concept(row: dict[str, Any]) -> Concept:
    return Concept(
        name=row["name"],
        synonyms=tuple(row["synonyms"]),
        zh=tuple(row["zh"]),
        isa=tuple(row["isa"]),
        place=row["place"],
        kind=row["kind"],
    )


def _plain(word: str) -> str:
    """A word without its accents and what follows its apostrophe ("dog's" -> "dog"); "isn't" becomes "not"."""
    word = word.lower().replace("’", "'")
    if word.endswith("n't"):
        return "not"
    word = word.partition("'")[0]
    return word if word.isascii() else "".join(tokens(word)) or word


def _singulars(word: str) -> Iterator[str]:
    """The word, and what it may be the plural of."""
    yield word
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    elif word.endswith("men"):
        yield word[:-2] + "an"
    elif word.endswith("s") and len(word) > 3:
        if word.endswith("ies"):
            yield word[:-3] + "y"
        if word.endswith("ves"):
            yield from (word[:-3] + "f", word[:-3] + "fe")
        if word.endswith("es"):
            yield word[:-2]
        if not word.endswith("ss"):
            yield word[:-1]


def _is_noun(words: Sequence[tuple[int, int, str]], k: int, text: str) -> bool:
    """Whether a word that may be a colour or a thing ("an orange on a plate") is the thing here."""
    if k == 0 or words[k - 1][2] not in _ARTICLES:
        return False
    return (
        k + 1 == len(words)
        or words[k + 1][2] in _AFTER_A_NOUN - {"and", "or"}
        or bool(_BREAK.search(text[words[k][1] : words[k + 1][0]]))
    )


def _choose(may: Sequence[Concept], sure: set[str]) -> Concept:
    """Of several things, the one of a kind with the others that are named; else the first."""
    if may[0].kind != "thing":
        return may[0]
    return max(may, key=lambda concept: len(sure.intersection(concept.isa)))


def _english_mentions(text: str, pieces: Sequence[_Piece], sure: set[str], nobody: Concept) -> Iterator[Mention]:
    denial: int | None = None  # where the words that deny begin
    since = 0
    before: Concept | None = None  # the concept that was denied last
    for k, piece in enumerate(pieces):
        word = _plain(piece.word)
        if k and _BREAK.search(text[pieces[k - 1].end : piece.start]):
            denial = None
        if piece.may:
            concept = _choose(piece.may, sure)
            yield _mention(concept, piece, denial)
            before, since = concept, 0
        elif word in ("nobody", "noone"):
            yield _mention(nobody, piece, piece.start)
        elif word == "one" and k and _plain(pieces[k - 1].word) == "no":
            yield _mention(nobody, piece, pieces[k - 1].start)
            denial = None
        elif word in _NEGATORS:
            denial, since, before = _backed_up(text, pieces, k), 0, None
        elif denial is not None:
            since += 1
            if before is None or before.kind != "thing":
                ends = word in _ENDS_DENIAL or (word.endswith("ing") and word not in _HAVING)
            else:
                # "no people or cars" and "no cats and dogs" go on; "no people and a red car" does not.
                after = _plain(pieces[k + 1].word) if k + 1 < len(pieces) and not pieces[k + 1].may else ""
                ends = word not in ("or", "and", "any", "a", "an") or (word == "and" and after in _ARTICLES)
            if ends or since > _FARTHEST_DENIAL:
                denial = None


def _mention(concept: Concept, piece: _Piece, denial: int | None) -> Mention:
    return Mention(concept, piece.start, piece.end, denial is not None, piece.start if denial is None else denial)


def _backed_up(text: str, pieces: Sequence[_Piece], k: int) -> int:
    """Where "there are no ..." begins, so that a sentence can be read without it."""
    while k and not pieces[k - 1].may and pieces[k - 1].word.lower() in _BEFORE_DENIAL:
        if _BREAK.search(text[pieces[k - 1].end : pieces[k].start]):
            break
        k -= 1
    return pieces[k].start


def _chinese_mentions(pieces: Sequence[_Piece], sure: set[str]) -> Iterator[Mention]:
    denial: int | None = None
    before: Concept | None = None
    for k, piece in enumerate(pieces):
        after = _denied_after(pieces, k)
        if piece.may and after is not None:
            first, end = after
            yield Mention(_choose(piece.may, sure), piece.start, end, True, first)
        elif piece.may:
            concept = _choose(piece.may, sure)
            yield _mention(concept, piece, denial)
            before = concept
        elif piece.word in _ZH_NEGATORS:
            denial, before = None if _denied_after(pieces, k - 2) else piece.start, None
        elif before is not None and before.kind == "thing":
            denial = denial if piece.word in _ZH_OR else None
        elif piece.word not in _ZH_BETWEEN and piece.word not in _ZH_OR and piece.word != "的":
            denial = None


def _denied_after(pieces: Sequence[_Piece], k: int) -> tuple[int, int] | None:
    """Where 一个人也没有 begins and ends, if the thing at k is denied by what follows it."""
    if k < 0 or not pieces[k].may or [piece.word in _ZH_EVEN for piece in pieces[k + 1 : k + 2]] != [True]:
        return None
    if k + 2 >= len(pieces) or pieces[k + 2].word not in _ZH_NEGATORS:
        return None
    first = k
    while first and (pieces[first - 1].word in _ZH_ONE or pieces[first - 1].word in _ZH_BETWEEN):
        first -= 1
    last = k + 3 == len(pieces) or pieces[k + 3].word == "的" or bool(_BREAK.match(pieces[k + 3].word))
    even = any(piece.word in _ZH_ONE for piece in pieces[first:k])
    return (pieces[first].start, pieces[k + 2].end) if last or even else None
