"""What a text states: things, colours, numbers and plain words, each with its place and whether it is denied. For denoise.

Things are the vocabulary's, in English and Chinese; what is beyond the vocabulary counts by its stem, and words that only
hold a sentence together count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from whichpic.words import Mention, has_cjk, vocabulary

_WORD = re.compile(r"[^\W_\u3400-\u9fff]+(?:['’][^\W\d_\u3400-\u9fff]+)?")
_HAN = re.compile(r"[\u3400-\u9fff]+")
BREAK = re.compile(r"[,.;:!?()\"\n，。；：！？、（）]")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


FREE = _set(
    """
    a an the this that these those some any all both each every one ones it its it's he his him she her hers
    they their them there here i me my we our you your of in on at to by for from with into onto near next
    beside behind under over above below between among around along across through against inside outside
    within upon off out up down as than and or but nor so then while when where who whom whose which what how
    why is are was were be been being am has have had having do does did can could may might will would shall
    should must no not never without nobody nothing none neither cannot except minus n't picture pictures
    photo photos photograph image images shot scene scenes view show shows showing shown depict depicts
    depicting feature features featuring include includes including contain contains containing visible see
    seen appear appears look looks looking like thing things something kind kinds type sort color colour
    colors colours colored coloured yes yeah also very too just only really maybe perhaps other others another
    else more most many much few several lot lots wearing wears wear holding holds hold main time times tell answer item items
    besides position there's that's
    people's object objects
    """
)
"""Words that state nothing by themselves. That something is worn or held is nearly always left to a "with" or an "in"."""
_WEATHER = re.compile(
    r"\b(sunny|cloudy|rainy|snowy|clear|bright|nice|beautiful|overcast|foggy|windy|hot|cold)\s+$", re.I
)
"""A sunny day says sunny; whether it is day was not the point."""
_DENY = _set("no not never without neither nor cannot")
_BE = _set("is are was were be being looks appears")
_IRREGULAR = {"sat": "sit", "stood": "stand", "ran": "run", "ate": "eat", "rode": "ride", "lying": "lie", "laid": "lie",
              "flew": "fly", "flown": "fly", "swam": "swim", "drove": "drive", "made": "make", "took": "take"}  # fmt: skip
_NUMBERS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
            "ten": "10", "couple": "2", "pair": "2"}  # fmt: skip
_ZH_NUMBERS = {
    "两": "2",
    "二": "2",
    "三": "3",
    "四": "4",
    "五": "5",
    "六": "6",
    "七": "7",
    "八": "8",
    "九": "9",
    "十": "10",
}
_ZH_NUMBER = re.compile(r"([两二三四五六七八九十])(?=[个只条位名辆张头匹座棵艘架把台朵群])")
_CLOSE = re.compile(r"\s*(and|or)?\s*[的色和个只条位名辆张头匹座棵艘架把台朵群]*\s*", re.IGNORECASE)
"""What may stand between a colour or a number and its thing."""
_ZH_FREE = re.compile(
    r"没有|没看到|看不到|不是|一个|一只|一条|一辆|一张|一些|旁边|上面|下面|里面|后面|前面|还有|以及|画面|照片|图片|图里|那张|这张|看起来|看到|穿着|戴着|拿着|颜色"
    r"|[的了在有是个只条张辆位名头匹座棵艘架把台朵一和与跟及或里上下中边着被把吗呢吧也都很还这那它他她们不没无穿戴拿色]"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a text states. name: a concept, a number in digits, or a stem; kind: what it is (thing, scene, colour,
    light, place, number, word). of: the thing that a colour or a number is said of. text[start:end] is where it stands,
    with the words that deny it where it is denied.
    """

    name: str
    kind: str
    start: int
    end: int
    surface: str
    negated: bool = False
    of: str = ""

    @property
    def shown(self) -> str:
        """As people would write it."""
        return self.surface if not self.of or self.negated else f"{self.surface} {self.of}"


def claims(text: str) -> tuple[Claim, ...]:
    """What a text states, in order of place."""
    said = vocabulary().mentions(text)
    mentions = [each for each in said if each.negated or text[each.start : each.end].lower() not in FREE]
    taken = [(min(each.clause, each.start) if each.negated else each.start, each.end) for each in mentions]
    found = [_of_mention(text, each, span) for each, span in zip(mentions, taken, strict=True)]
    found += _words(text, taken)
    if has_cjk(text):
        found += _runs(text, [*taken, *((claim.start, claim.end) for claim in found)])
    found = [each for each in found if not (each.name == "day" and _WEATHER.search(text[: each.start]))]
    found.sort(key=lambda claim: claim.start)
    return tuple(_bound(text, found, at) for at in range(len(found)))


def stems(text: str) -> frozenset[str]:
    """The stems of all words of a text, those in names of things too."""
    return frozenset(stem(match.group()) for match in _WORD.finditer(text))


def stem(word: str) -> str:
    """A word without its ending: running, runs and run are one; what comes out need be no word."""
    word = word.lower().replace("’", "'").partition("'")[0]
    word = _IRREGULAR.get(word, word)
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    for ending in ("ing", "ed", "ly", "es", "s"):
        left = word[: -len(ending)]
        if not word.endswith(ending) or len(left) < 3 or not re.search(r"[aeiouy]", left):
            continue
        if ending == "s" and word.endswith(("ss", "us", "is")):
            continue
        word = left
        break
    if len(word) > 3 and word[-1] in "ey":
        word = word[:-1]
    return word[:-1] if len(word) > 2 and word[-1] == word[-2] and word[-1] not in "aeiou" else word


def segments(text: str) -> list[tuple[int, int]]:
    """Where a text can be cut: its clauses, each with the word that joins it to what is before, as (start, end)."""
    cuts = {0, len(text)}
    cuts |= {match.end() for match in BREAK.finditer(text)}
    cuts |= {match.start() for match in _JOINS.finditer(text)}
    ordered = sorted(cuts)
    return [(a, b) for a, b in pairwise(ordered) if text[a:b].strip()]


_JOINS = re.compile(
    r"\b(with|in|on|at|near|next to|beside|behind|under|over|above|below|between|while|who|that|which|and|but|by|from|inside"
    r"|outside|along|against|wearing|holding|carrying|in front of|without)\b|和|与|以及|还有|旁边|在(?!一起)",
    re.IGNORECASE,
)


def kin(one: str, other: str) -> bool:
    """Whether two concepts are the same, or one a kind of the other."""
    return one == other or one in vocabulary().ancestors(other) or other in vocabulary().ancestors(one)


def _of_mention(text: str, mention: Mention, span: tuple[int, int]) -> Claim:
    start, end = span
    return Claim(mention.concept.name, mention.concept.kind, start, end, text[start:end], mention.negated)


def _words(text: str, taken: Sequence[tuple[int, int]]) -> list[Claim]:
    """Numbers and plain words beside the things that are named."""
    found: list[Claim] = []
    denied: int | None = None
    last = 0
    for match in _WORD.finditer(text):
        word, start = match.group().lower().replace("’", "'"), match.start()
        if BREAK.search(text[last:start]):
            denied = None
        last = match.end()
        if any(a <= start < b for a, b in taken):
            denied = None
        elif word in _DENY or word.endswith("n't"):
            denied = start
        elif word in _NUMBERS or (word.isdigit() and word not in ("0", "1")):
            found.append(Claim(_NUMBERS.get(word, word), "number", start, match.end(), match.group()))
        elif word not in FREE and word.partition("'")[0] not in FREE and not (len(word) == 1 or word in ("0", "1")):
            begins = start if denied is None else denied
            surface = text[begins : match.end()]
            found.append(Claim(stem(word), "word", begins, match.end(), surface, denied is not None))
            denied = None
    return found


def _runs(text: str, taken: Sequence[tuple[int, int]]) -> list[Claim]:
    """Chinese numbers, and runs of characters that are in no name and do more than hold a sentence together."""
    found = [Claim(_ZH_NUMBERS[match[1]], "number", match.start(), match.end(), match[1])
             for match in _ZH_NUMBER.finditer(text) if not any(a <= match.start() < b for a, b in taken)]  # fmt: skip
    hidden = list(text)
    for a, b in [*taken, *((claim.start, claim.end) for claim in found)]:
        hidden[a:b] = " " * (b - a)
    plain = _ZH_FREE.sub(lambda match: " " * len(match.group()), "".join(hidden))
    found += [Claim(match.group(), "word", match.start(), match.end(), match.group()) for match in _HAN.finditer(plain)]
    return found


def _bound(text: str, found: Sequence[Claim], at: int) -> Claim:
    """A colour or a number with the thing that it is said of: the one it stands before, or "the car is red"."""
    claim = found[at]
    if claim.kind not in ("colour", "number") or claim.negated:
        return claim
    end = claim.end
    for after in found[at + 1 : at + 4]:
        between = text[end : after.start]
        if BREAK.search(between) or not re.fullmatch(
            r"\s*(and|or)?\s*[的色和个只条位名辆张头匹座棵艘架把台朵群]*\s*", between, re.I
        ):
            break
        if after.kind in ("thing", "scene") and not after.negated:
            return replace(claim, of=after.name)
        end = after.end
    before = found[at - 1] if at else None
    if before is not None and before.kind == "thing" and claim.kind == "colour":
        between = text[before.end : claim.start].strip()
        if between.lower() in _BE or between in ("是", "的颜色是"):
            return replace(claim, of=before.name)
    return claim
