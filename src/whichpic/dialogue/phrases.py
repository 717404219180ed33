"""The wording of questions and options, in English and Chinese, and the reading of free-word answers. Called by asking.

Nothing here knows an album; `read` maps free words to an option where they mean one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from whichpic.dialogue.events import Option, Question
from whichpic.dialogue.likelihood import COUNTS, NO, OTHER, YES
from whichpic.words import has_cjk, tokens, vocabulary

_TEXTS = {
    "thing": ("Does it show {thing}?", "图里有{thing}吗？"),
    "count": ("How many can you see: {thing}?", "图里有多少{thing}？"),
    "people": ("How many people are in it?", "图里有几个人？"),
    "kind": ("What is it mainly a picture of?", "主要拍的是什么？"),
    "scene": ("What kind of place does it show?", "是什么样的地方？"),
    "place": ("Is it indoors or outdoors?", "是室内还是室外？"),
    "light": ("What is the light like?", "光线怎么样？"),
    "colour": ("Which colour stands out?", "哪种颜色最显眼？"),
    "pick": ("Which of these is closest to it?", "哪一张最接近？"),
}
_OPTIONS = {
    YES: ("yes", "有"),
    NO: ("no", "没有"),
    OTHER: ("something else", "都不是"),
    "none": ("nobody", "没有人"),
    "one": ("one", "一个"),
    "two": ("two", "两个"),
    "several": ("three or more", "三个以上"),
    "1": ("one", "一个"),
    "2": ("two", "两个"),
    "3+": ("three or more", "三个以上"),
}
NOT_SURE = ("not sure", "不确定")
_YES = {
    "yes",
    "y",
    "yeah",
    "yep",
    "yup",
    "sure",
    "right",
    "correct",
    "true",
    "有",
    "是",
    "是的",
    "对",
    "嗯",
    "有的",
    "对的",
}
_NO = {"no", "n", "nope", "nah", "none", "not", "没有", "没", "不是", "不", "否", "无", "没有的"}
_UNSURE = re.compile(
    r"^(\?+|skip|pass|not sure|unsure|dunno|no idea|(i )?(do not|don'?t|can'?t|cannot) (know|remember|recall|tell|say).*"
    r"|maybe|不知道|不确定|不清楚|不记得.*|记不.*|忘了.*|跳过|说不好)[.!。！]*$",
    re.IGNORECASE,
)
_NUMBERS = {
    "0": "none", "zero": "none", "nobody": "none", "none": "none", "没有人": "none", "没人": "none", "零": "none",
    "1": "one", "one": "one", "a": "one", "single": "one", "一": "one", "一个": "one", "1个": "one",
    "2": "two", "two": "two", "both": "two", "couple": "two", "pair": "two", "两": "two", "两个": "two", "二": "two",
    "many": "several", "several": "several", "more": "several", "group": "several", "crowd": "several", "few": "several",
    "很多": "several", "许多": "several", "好几个": "several", "几个": "several", "三个": "several", "三": "several",
}  # fmt: skip
_MASS = {
    "clothing", "food", "furniture", "fruit", "water", "snow", "sand", "grass", "bread", "rice", "broccoli", "corn",
    "art", "jewelry", "jewellery", "sports equipment", "kitchenware", "electronics", "text", "soup", "meat", "coffee",
    "ice cream", "lingerie", "wool", "velvet", "toilet paper", "seafood", "cutlery", "tableware", "luggage", "underwear",
    "ice", "fire", "sky", "hay", "wood", "footwear", "swimwear", "machinery", "equipment", "headwear", "sea", "produce",
    "vegetation",
}  # fmt: skip


def article(name: str) -> str:
    """An English noun with its indefinite article, where it takes one: a dog, an umbrella, scissors, food."""
    if name in ("sea", "sky"):
        return f"the {name}"
    last = name.split()[-1]
    if name in _MASS or last in _MASS or (last.endswith("s") and not last.endswith(("ss", "us", "is"))):
        return name
    sounds_like_a_vowel = name[0] in "aeio" or (name[0] == "u" and not name.startswith(("uni", "use", "uten", "uku")))
    return f"an {name}" if sounds_like_a_vowel else f"a {name}"


def ask(attribute: str, values: tuple[str, ...], *, language: str, about: str = "", source: str = "facts",
        asker: str = "facts", pictures: tuple[str, ...] = ()) -> Question:  # fmt: skip
    """The question about an attribute, worded in "en" or "zh"."""
    which = 1 if language == "zh" else 0
    thing = vocabulary().say(about, language) if about else ""
    text = _TEXTS[attribute][which].format(thing=thing if which else article(thing) if attribute == "thing" else thing)
    options = tuple(
        Option(value, _option_text(value, attribute, position, which)) for position, value in enumerate(values)
    )
    return Question(text, options, attribute, about, source, asker, pictures)


def _option_text(value: str, attribute: str, position: int, which: int) -> str:
    if attribute == "pick" and value != OTHER:
        return str(position + 1)
    if attribute == "pick":
        return ("none of these", "都不像")[which]
    if value in _OPTIONS:
        return _OPTIONS[value][which]
    return vocabulary().say(value, "zh" if which else "en")


@dataclass(frozen=True, slots=True)
class Reading:
    """What free words mean for a question: an option's position, "not sure", or (neither) something of their own.

    `rest` is what they say beyond the option: "yes, a brown one" -> option yes, rest "a brown one". With neither and no
    rest, they mean nothing here ("yes" to "which colour?").
    """

    option: int | None = None
    unsure: bool = False
    rest: str = ""


def read(question: Question, words: str) -> Reading:
    """Maps free words to an option where they mean one."""
    plain = words.strip().strip(".!。！").lower()
    if not plain or _UNSURE.match(plain):
        return Reading(unsure=True)
    texts = [option.text.lower() for option in question.options]
    values = [option.value for option in question.options]
    if plain in texts:
        return Reading(option=texts.index(plain))
    if plain in values:
        return Reading(option=values.index(plain))
    if YES in values:
        return _yes_or_no(question, words.strip(), values)
    if "one" in values or COUNTS[0] in values:
        return _number(plain, values)
    if plain in _YES | _NO:
        # Not an answer to "which", and nothing that a picture could be found by.
        return Reading()
    named = {mention.concept.name for mention in vocabulary().mentions(plain) if not mention.negated}
    named |= {kind for name in named for kind in vocabulary().ancestors(name)}
    fitting = [position for position, value in enumerate(values) if value in named]
    return Reading(option=fitting[0]) if len(fitting) == 1 else Reading(rest=words.strip())


def _yes_or_no(question: Question, words: str, values: list[str]) -> Reading:
    named = {mention.concept.name: mention.negated for mention in vocabulary().mentions(words)}
    if question.about in named and len(tokens(words)) <= 4:
        return Reading(option=values.index(NO if named[question.about] else YES))
    lead, _, rest = words.replace("，", ",").partition(",")
    head = lead.strip(" .!。！").lower()
    first, _, tail = head.partition(" ")
    for said, value in ((_YES, YES), (_NO, NO)):
        if head in said:
            return Reading(option=values.index(value), rest=rest.strip())
        if first in said and not has_cjk(head):
            # "yes there is", "no I see none" repeat the answer; "yes a brown one" says more.
            more = tail if len([word for word in tokens(tail) if word not in _FILLER]) else ""
            return Reading(option=values.index(value), rest=", ".join(filter(None, (more, rest.strip()))))
    return Reading(rest=words)


_FILLER = {"there", "is", "are", "it", "was", "were", "has", "i", "see", "one", "none", "a", "the", "in", "does", "do", "not",
           "think", "so", "isn", "t", "aren", "definitely", "of", "course"}  # fmt: skip


def _number(plain: str, values: list[str]) -> Reading:
    for word in (plain, *plain.split()):
        name = _NUMBERS.get(word, "several" if word.isdigit() and int(word) > 2 else "")
        for value in (name, {"one": "1", "two": "2", "several": "3+"}.get(name, "")):
            if value and value in values:
                return Reading(option=values.index(value))
    return Reading() if plain in _YES | _NO else Reading(rest=plain)
