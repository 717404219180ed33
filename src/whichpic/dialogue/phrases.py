"""The wording of questions and options, in English and Chinese. Called by asking and sifting; answers reads the replies.

Nothing here knows an album. A concept's name is made for telling concepts apart ("orange fruit"); here it is said as
people say it ("an orange").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from whichpic.dialogue.answers import Reading
from whichpic.dialogue.answers import read as read_plain
from whichpic.dialogue.events import Answered, Option, Question, Said
from whichpic.dialogue.likelihood import NO, OTHER, YES
from whichpic.dialogue.naming import OPEN
from whichpic.dialogue.wording import wording
from whichpic.errors import SessionError
from whichpic.words import has_cjk, tokens, vocabulary

__all__ = ["NOT_SURE", "Reading", "article", "ask", "heard", "option_text", "plural", "proposed", "read"]

_TEXTS = {
    "thing": ("Does it show {thing}?", "图里有{thing}吗？"),
    "count": ("How many {thing} can you see?", "图里有几{measure}{thing}？"),
    "people": ("How many people are in it?", "图里有几个人？"),
    "kind": ("What is it mainly a picture of?", "主要拍的是什么？"),
    "scene": ("What kind of place does it show?", "是在什么样的地方？"),
    "place": ("Is it indoors or outdoors?", "是室内还是室外？"),
    "light": ("Was it taken by day or by night?", "是白天还是晚上拍的？"),
    "colour": ("Which colour stands out?", "哪种颜色最显眼？"),
    "pick": ("Which of these is closest to it?", "下面哪一张最像？"),
    "weather": ("What is the weather like?", "天气怎么样？"),
    "text": ("Which word is written in it?", "图里写着什么字？"),
    "main": ("What is the main thing in it?", "最主要的东西是什么？"),
    "else": ("What else is in it? A few words will do.", "图里还有什么？说几个词就行。"),
    "around": ("What is around {the}?", "{thing}的周围有什么？"),
    "background": ("What can be seen in the background?", "背景里看得到什么？"),
    "detail": ("What other detail do you remember?", "还记得什么别的细节？"),
    "colour of": ("What colour is {the}?", "{thing}是什么颜色的？"),
    "size of": ("How big is {the} in the picture?", "{thing}在图里有多大？"),
    "position of": ("On which side is {the}?", "{thing}在图的哪一边？"),
    "level of": ("How high up is {the}?", "{thing}在图的上面还是下面？"),
}
_WITH_DUSK = ("Is it day, evening or night?", "是白天、傍晚还是夜晚？")
_WORN = ("What colour does {the} wear?", "{thing}穿什么颜色的衣服？")
_SITE = "是在{thing}里吗？"
"""For rooms: 图里有厨房吗 would ask for a kitchen among other things."""
_SITE_OPTIONS = {YES: "是", NO: "不是"}
_NO_WORD = ("no word at all", "没有字")
_OTHER_OR_NONE = ("another, or there is none", "别的，或者没有")
"""For a question about a thing that some candidates do not hold: its options still leave nothing out."""
_OPTIONS = {
    "dusk": ("in the evening", "傍晚"),
    "clear": ("clear", "晴"),
    "cloudy": ("cloudy", "多云"),
    "rainy": ("rain", "下雨"),
    "snowy": ("snow is falling", "下雪"),
    "small": ("small", "小"),
    "large": ("large", "大"),
    "left": ("on the left", "左边"),
    "middle": ("in the middle", "中间"),
    "right": ("on the right", "右边"),
    "top": ("at the top", "上面"),
    "bottom": ("at the bottom", "下面"),
    YES: ("yes", "有"),
    NO: ("no", "没有"),
    OTHER: ("something else", "都不是"),
    "none": ("nobody", "没有人"),
    "one": ("one", "一个"),
    "two": ("two", "两个"),
    "several": ("three or more", "三个或更多"),
    "0": ("none", "没有"),
    "1": ("one", "一{measure}"),
    "2": ("two", "两{measure}"),
    "3+": ("three or more", "三{measure}或更多"),
}
NOT_SURE = ("not sure", "不确定")


def article(name: str) -> str:
    """An English noun with its article, where it takes one: a dog, an umbrella, the sea, scissors, food."""
    lists = wording()
    if name in lists.the_only_one:
        return f"the {name}"
    last = name.partition(" of ")[0].partition(" (")[0].split()[-1]
    several = last.endswith("s") and not last.endswith(("ss", "us", "is", "gas"))
    mass = several or name in lists.without_article or last in lists.without_article or last in lists.pairs
    if mass and name not in lists.with_article:
        return name
    vowel = name[0] in "aeio" or (name[0] == "u" and not name.startswith(("uni", "use", "uten", "uku")))
    return f"an {name}" if (vowel and not name.startswith("one")) or name.startswith("hour") else f"a {name}"


def plural(name: str) -> str:
    """An English noun as it is counted: dogs, pairs of skis, pieces of broccoli."""
    head, _, last = name.rpartition(" ")
    lists = wording()
    if last in lists.plurals:
        last = lists.plurals[last]
    elif article(name) == name:
        return f"pairs of {name}" if name in lists.pairs else name if name.endswith("s") else f"pieces of {name}"
    elif last.endswith(("s", "x", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        last = f"{last[:-1]}ies"
    else:
        last += "s"
    return f"{head} {last}".strip()


def ask(attribute: str, values: tuple[str, ...], *, language: str, about: str = "", source: str = "facts",
        asker: str = "facts", pictures: tuple[str, ...] = ()) -> Question:  # fmt: skip
    """The question about an attribute, worded in "en" or "zh"."""
    chinese = language == "zh"
    detail = attribute.removesuffix(about).strip() if about and attribute.endswith(f" of {about}") else ""
    text = (_WITH_DUSK if "dusk" in values else _TEXTS[detail or attribute])[chinese]
    if detail == "colour of" and "person" in (about, *vocabulary().ancestors(about)):
        text = _WORN[chinese]
    site = chinese and attribute == "thing" and _is_site(about)
    if site:
        text = _SITE
    thing = _called(about, language) if about else ""
    the = f"the {thing}"
    if not chinese and about:
        thing = plural(thing) if attribute == "count" else article(thing)
    measure = _measure(about)
    options = tuple(
        Option(value, _option_text(value, attribute, position, language).format(measure=measure))
        for position, value in enumerate(values)
    )
    if site:
        options = tuple(Option(option.value, _SITE_OPTIONS.get(option.value, option.text)) for option in options)
    return Question(
        text.format(thing=thing, the=the, measure=measure), options, attribute, about, source, asker, pictures
    )


def option_text(value: str, attribute: str, language: str) -> str:
    """A value as the option of a question about an attribute says it: people "none" -> "nobody", 没有人."""
    return _option_text(value, attribute, 0, language).format(measure="个")


def proposed(text: str, options: Sequence[tuple[str, str]], *, asker: str, pictures: tuple[str, ...] = ()) -> Question:
    """A question that a model worded: options are (short answer, what it says of the picture).

    "Something else" is added, unless the answers are yes and no, are numbers, or hold it already. pictures: what the model
    looked at.
    """
    values = [value for _, value in options]
    closed = {OTHER, NO} & set(values) or any(_is_yes(answer) for answer, _ in options) or _HOW_MANY.search(text)
    other = () if closed else (Option(OTHER, _OPTIONS[OTHER][has_cjk(text)]),)
    about = next((mention.concept.name for mention in vocabulary().mentions(text)), "")
    given = tuple(Option(value, answer) for answer, value in options)
    return Question(text, (*given, *other), "asked", about, "encoder", asker, pictures)


def read(question: Question, words: str) -> Reading:
    """What free words mean for a question; those of a model are answered in the words of their options."""
    if question.attribute != "asked":
        return read_plain(question, words)
    plain = words.strip(" .!?。！？").casefold()
    texts = [option.text.casefold() for option in question.options]
    if plain in texts:
        return Reading(option=texts.index(plain))
    pair = {next((k for k, text in enumerate(texts) if match(text)), -1): value for value, match in _PAIR.items()}
    if -1 not in pair and len(pair) == 2:
        closed = (Option(pair.get(0, OTHER), texts[0]), Option(pair.get(1, OTHER), texts[1]))
        return read_plain(replace(question, options=closed, attribute="thing"), words)
    bare = read_plain(question, words)
    if bare.option is not None or bare.unsure or not bare.rest:
        return bare
    said = set(tokens(plain))
    named = [set(tokens(option.text)) - _SMALL for option in question.options]
    fitting = [k for k, each in enumerate(named) if each and each <= said and question.options[k].value != OTHER]
    if len(fitting) == 1 and not _DENIES.search(plain):
        more = said - named[fitting[0]] - _SMALL - set(tokens(question.text))
        # Who says more than the option is heard in full, and by one channel only.
        return Reading(rest=words.strip()) if more and not has_cjk(plain) else Reading(option=fitting[0])
    return bare


def _is_yes(answer: str) -> bool:
    return re.match(r"(yes|有|是)(?![\w])|有的$|是的$", answer.casefold()) is not None


def _is_no(answer: str) -> bool:
    return re.match(r"no(?![\w])|没|不|无|否", answer.casefold()) is not None


_PAIR = {YES: _is_yes, NO: _is_no}
_SMALL = {"a", "an", "the", "it", "is", "are", "was", "were", "in", "on", "at", "of", "with", "there", "i", "think", "its", "s",
          "they", "he", "she", "some", "and", "to", "that", "this", "one"}  # fmt: skip
_HOW_MANY = re.compile(r"\bhow many\b|多少|几[个只条位辆张名匹头棵朵把件座]", re.IGNORECASE)
_DENIES = re.compile(r"\b(not|no|never|without|neither)\b|n't|[不没无]")


def _is_site(name: str) -> bool:
    concept = vocabulary().get(name)
    return concept is not None and concept.kind == "scene" and "room" in concept.isa


def _measure(name: str) -> str:
    """The Chinese measure word of a thing, or of what it is a kind of; 个 is never wrong."""
    measures = wording().measures
    return next((measures[kind] for kind in (name, *vocabulary().ancestors(name)) if kind in measures), "个")


def _called(name: str, language: str) -> str:
    return vocabulary().say(name, "zh") if language == "zh" else wording().called.get(name, name)


def _option_text(value: str, attribute: str, position: int, language: str) -> str:
    chinese = language == "zh"
    if attribute == "pick" and value != OTHER:
        return str(position + 1)
    if attribute == "pick":
        return ("none of these", "都不像")[chinese]
    if value == OTHER and " of " in attribute:
        return _OTHER_OR_NONE[chinese]
    if attribute.startswith("size of ") and value == "middle":
        return ("medium-sized", "中等")[chinese]
    if attribute == "text":
        return _NO_WORD[chinese] if value == "none" else _OPTIONS[OTHER][chinese] if value == OTHER else value
    if value in _OPTIONS:
        return _OPTIONS[value][chinese]
    called = _called(value, language)
    return article(called) if attribute in ("kind", "scene", "main", *OPEN) and not chinese else called


def heard(question: Question, answer: int | str | None) -> tuple[Answered | Said, ...]:
    """The events that an answer to a question is: an option's position, free words, or None for "not sure".

    Free words that mean no option are a Said; what they say beyond an option, too. Raises SessionError.
    """
    if not isinstance(answer, str):
        if answer is not None and not 0 <= answer < len(question.options):
            raise SessionError(f"the question has options 1 to {len(question.options)}, not {answer + 1}")
        return (Answered(question, answer),)
    reading = read(question, answer)
    rest = reading.rest.strip()
    if reading.option is not None or reading.unsure:
        answered = Answered(question, reading.option, answer.strip())
        return (answered, Said.of(rest)) if rest else (answered,)
    if not rest:
        options = ", ".join(option.text for option in question.options)
        raise SessionError(f"'{answer.strip()}' does not answer \"{question.text}\"; choose one of: {options}")
    # A model's question is about anything: only with it do the words say what they are about.
    return (Said.of(rest, asked=question.text if question.source in ("chat", "encoder") else ""),)
