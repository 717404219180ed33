"""The reading of free-word answers, in English and Chinese: which option they mean, if any. Called by session.

Nothing here knows an album. People hedge (好像没有吧, "I think so"), count in their own way (三四个人, "a man and two
girls"), point (第二张, "the last one"), and say more than was asked; what says something else is handed back as `rest`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from whichpic.dialogue.events import Question
from whichpic.dialogue.likelihood import COUNTS, NO, OTHER, YES
from whichpic.words import Mention, has_cjk, tokens, vocabulary

_UNSURE = re.compile(
    r"\?*|skip|pass|(i'?m )?(not|un)( so| quite| really| too)? ?(sure|certain)( .*)?|dunno|no (idea|clue)"
    r"|who knows|hard to (say|tell)"
    r"|(i )?(really )?(do not|don'?t|can'?t|cannot|could not|couldn'?t) (really )?(know|remember|recall|tell|say)[^,]*"
    r"|i forg[eo]t.*|maybe|perhaps|possibly"
    r"|(我|真|有点|也|都|还|完全)*(不(太|是很|怎么|大)?(知道|确定|清楚|记得|晓得|好说|敢说|肯定|一定)|记不|想不起|说不(好|准|清|上来|定)"
    r"|忘|没(什么|有)?印象|印象不|没(注意|留意|数|看清|在意)|看不清|跳过|下一[个题]|都有可能|随便)[^,，]*|也许|可能|或许"
)
"""Not sure, as a whole answer or up to a comma; what follows the comma may be a guess: 不记得了，好像有."""
_HEDGE = re.compile(
    r"(well|um+|uh|oh|hmm+|i'?m (pretty |quite |fairly )?sure|i (think|guess|believe|suppose)|probably|definitely|certainly"
    r"|surely|most likely|likely|perhaps|maybe|possibly|it seems|seems|apparently|actually|mostly)\b[ ,]*"
    r"|我?(好像|应该|可能|大概|也许|似乎|估计|貌似|觉得|想|记得|感觉|印象[中里]|肯定|当然|确实|的确|绝对|图里|照片里|画面里|主要|这个|那倒?|呃|哦)"
)
"""What people put before an answer without changing it; taken off as often as it comes."""
_PARTICLES = re.compile(r"([吧啊呀哦噢呢嘛哈啦哇诶滴的了]|左右|i think|i guess|i believe)+$")
"""What Chinese, and some English, puts after it."""
_SURELY = re.compile(
    r"(probably|definitely|certainly|surely|of course|most likely|likely|我?(肯定|当然|确实|的确|绝对))"
)
"""Hedges that are a yes when nothing follows; "maybe" alone is not one."""

_YES = re.compile(
    r"(y(es|eah|ep|up)?|sure|right|correct|true|so|indeed|of course|i do|(there|it|that) (is|are|was|were|does|did|has|had)"
    r"( one| some| indeed)?|i see (one|some|it))|(都?是?有|是|对|嗯|恩|没错|正确|在)+"
)
"""A yes and nothing else."""
_NO = re.compile(
    r"n(o|ope|ah|one|ot|ot really|ever)?"
    r"|(i )?(do not|don'?t|did not|didn'?t) (think|believe)( so| there (is|are|was|were)( one| any)?)?"
    r"|not that i (know|remember|recall|see).*|i (do not|don'?t|did not|didn'?t|cannot|can'?t) see (one|any|it|that)"
    r"|(there|it|that) (isn'?t|aren'?t|wasn'?t|weren'?t|doesn'?t|didn'?t|hasn'?t"
    r"|(is|are|was|were|does|has) (not|no|none))( one| any)?"
    r"|(并|都|完全|根本)*(没有?|木有|没得|不是|不在|不对|不存在|不|无|否|没(看|见|发现|拍)[到见]?过?|看不[到见]|不见)"
)
"""A no and nothing else."""
_NONE_OF = re.compile(
    r"(none|neither|nothing|no one)( of (them|these|those)| else| more)?|that'?s (all|it)|(something|anything|somewhere) else"
    r"|(an)?other( one| colou?r| place)?|else"
    r"|(以上)?(都|哪[张个种]都)(不(是|像|对|太像|算)|没有)|(是?(其[他它]|别的|另外的?)(颜色|地方|东西|种类)?)|没有?(别|其[他它])的了?|就这些了?|没有一[张个种].*|一[张个种]都不.*|不是这[些几].*"
)
"""None of the options, where one of them says so."""
_FILLER = {"there", "is", "are", "it", "was", "were", "has", "i", "see", "one", "none", "a", "the", "in", "does", "do", "not",
           "think", "so", "isn", "t", "aren", "definitely", "of", "course"}  # fmt: skip
"""Words that may follow a yes or a no without saying more."""

_DIGITS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10, "零": 0,
           "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
           "ten": 10, "zero": 0}  # fmt: skip
_MANY = re.compile(
    r"\b(many|several|lots?|few|crowds?|groups?|bunch|dozens?|plenty|some|more than (two|2))\b"
    r"|[很许好挺蛮]多|好几|不少|一大?[群堆伙帮]|几十|十几|数不清|一家[三四五六]口|一大?家子|人山人海|大量|几[个只位条名人]|多人|人[很挺特别非常好]*多|不止[两2]|以上|或更多"
)
"""Three or more, without a number."""
_PAIR = re.compile(
    r"\b(a |the )?(couple|pair)\b|\bboth\b|一对(情侣|夫妻|夫妇|恋人)?|(情侣|夫妻|夫妇)(俩|两[个人口]+)?|俩人?|双人"
)
"""Two, without a number; counted apart, since "a couple and a child" are three."""
_MORE_THAN_ONE = re.compile(r"more than (one|1)\b|不止(一|1)|一个以上")
"""Two, or more: no option says that, and "one" would be wrong."""
_ALONE = re.compile(r"\b(alone|single)\b|单人|独自")
"""One, without a number."""
_NUMBER = re.compile(
    r"\d+|\b(an?|one|two|three|four|five|six|seven|eight|nine|ten|zero)\b"
    r"|(?<!第)[一二两三四五六七八九十零](?![起样些边直下点般定])"
)
"""A number; 第一 is a place in a row, and 一起, 一样, 一边 count nothing."""
_NOT_ONE = re.compile(r"(连?[一半][个只条位辆张]?.{0,3}[都也](没有?|不见)|no ?(one|body)|零个?|zero|0|无人|没人).*")
"""None, as the count of something: 一个都没有."""

_ORDINALS = (r"first|1st|第[一1]|^[一1][号张个]?$|number (1|one)", r"second|2nd|第[二2]|^[二2][号张个]?$|number (2|two)",
             r"third|3rd|第[三3]|^[三3][号张个]?$|number (3|three)", r"fourth|4th|第[四4]|^[四4][号张个]?$|number (4|four)",
             r"fifth|5th|第[五5]|^[五5][号张个]?$|number (5|five)")  # fmt: skip
_HINTS = {
    "indoors": re.compile(
        r"里面|里头|屋|家里|房间|\binside\b|\bin (a|the|my|our|their) (house|home|room)\b|\bat home\b"
    ),
    "outdoors": re.compile(r"外[面边头]?$|露天|野外|\b(out|outside|outdoor)\b"),
}
"""How people name a place without a name that the vocabulary has."""


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
    plain = _plain(words)
    first, rest = _split(plain)
    if _UNSURE.fullmatch(plain) or (_UNSURE.fullmatch(_core(plain)) and not _SURELY.fullmatch(plain)):
        return Reading(unsure=True)
    if rest and _UNSURE.fullmatch(first):
        later = read(question, rest)
        if later.option is not None:
            return later  # 不记得了，好像有: the better guess is what comes after
        return Reading(unsure=True, rest=rest if vocabulary().mentions(rest) else "")  # not "sorry"
    texts = [option.text.lower() for option in question.options]
    values = [option.value for option in question.options]
    for known in (texts, values):
        if plain in known:
            return Reading(option=known.index(plain))
    if YES in values:
        return _yes_or_no(question, words.strip(), values)
    if "one" in values or COUNTS[1] in values:
        return _number(question, words.strip(), values)
    if OTHER in values and (_NONE_OF.fullmatch(plain) or _NONE_OF.fullmatch(_core(plain)) or _bare(plain) == NO):
        return Reading(option=values.index(OTHER))
    if question.source == "names":
        return _name_given(plain, words.strip(), values)
    if question.attribute == "pick":
        return _pointed(plain, values) or Reading(rest=words.strip())
    if _bare(plain):
        # Not an answer to "which", and nothing that a picture could be found by.
        return Reading()
    named = _named(plain, values)
    if named is None and question.attribute.startswith("colour") and OTHER in values and _only_colours(plain):
        return Reading(option=values.index(OTHER))
    return named or Reading(rest=words.strip())


def _plain(words: str) -> str:
    return unicodedata.normalize("NFKC", words).replace("’", "'").strip(" .!?。~…").lower()


def _core(plain: str) -> str:
    """The words without the hedges before them and the particles behind them: 好像没有吧 -> 没有."""
    while match := _HEDGE.match(plain):
        plain = plain[match.end() :]
    return _PARTICLES.sub("", plain).strip(" ,")


def _split(plain: str) -> tuple[str, str]:
    parts = re.split(r"[,，;；。]+|(?<=[\u4e00-\u9fff]) +", plain, maxsplit=1)
    return parts[0].strip(), parts[1].strip() if len(parts) > 1 else ""


def _bare(plain: str) -> str | None:
    """YES or NO, where the words are nothing else."""
    core = _core(plain)
    if _YES.fullmatch(core) or _YES.fullmatch(plain) or (not core and plain) or _SURELY.fullmatch(plain):
        return YES
    return NO if _NO.fullmatch(core) or _NO.fullmatch(plain) else None


def _yes_or_no(question: Question, words: str, values: list[str]) -> Reading:
    plain = _plain(words)
    lead, rest = _split(plain)
    bare = _bare(lead)
    if bare:
        return Reading(option=values.index(bare), rest=rest if _says_more(rest, question.about) else "")
    found = vocabulary().mentions(words)
    of_it = [m for m in found if question.about in (m.concept.name, *vocabulary().ancestors(m.concept.name))]
    same = [m for m in of_it if m.concept.name == question.about]
    if same and (len(found) == len(same) or len(tokens(words)) <= (6 if has_cjk(words) else 4)):
        others = words if len(found) == len(same) else words[: same[0].clause] + words[same[0].end :]
        more = "" if len(found) == len(same) else others.strip(" ,，.。")
        return Reading(option=values.index(NO if same[0].negated else YES), rest=more)
    if of_it and not same and not of_it[0].negated and len(found) == len(of_it):
        return Reading(option=values.index(YES), rest=words)  # 有只金毛: there is a dog, and of which kind
    if any(m.concept.kind == "thing" for m in found):
        return Reading(rest=words)
    return _begins(plain, values, bool(found)) or Reading(rest=words)


def _says_more(rest: str, about: str) -> bool:
    """Whether what follows "yes" or "no" says anything: "no, I see none" and "yes, a dog" do not."""
    if all(word in _FILLER for word in tokens(rest)):
        return False
    return [mention.concept.name for mention in vocabulary().mentions(rest)] != [about] or len(tokens(rest)) > 2


def _begins(plain: str, values: list[str], more: bool) -> Reading | None:
    """A yes or no that goes on ("yes a brown one", 有一只棕色的), where it names no other thing."""
    core = _core(plain)
    if has_cjk(core):
        match = re.match(r"是?有((一|两|三|几|好几)?[个只条位辆张])?|(一|两|三|几|好几)[个只条位辆张]", core)
        if _NOT_ONE.fullmatch(core) or (re.match(r"(没|不|无)", core) and len(core) <= 8 and not more):
            return Reading(option=values.index(NO))
        return Reading(option=values.index(YES), rest=core[match.end() :] if more else "") if match else None
    first, _, tail = core.partition(" ")
    for value in (YES, NO):
        if _bare(first) == value and first not in ("so", "right", "true"):
            said = [word for word in tokens(tail) if word not in _FILLER]
            return Reading(option=values.index(value), rest=tail if said else "")
    if not more and _NUMBER.match(core):
        return Reading(option=values.index(YES))
    return None


def _number(question: Question, words: str, values: list[str]) -> Reading:
    plain = _plain(words)
    wanted = question.about or "person"
    found = vocabulary().mentions(plain)
    kin = [m for m in found if wanted in (m.concept.name, *vocabulary().ancestors(m.concept.name))]
    if found and not kin and not all(m.concept.kind != "thing" for m in found):
        return Reading(rest=words)
    more = any(mention.concept.name != wanted for mention in found)
    if _bare(plain) == NO or _NOT_ONE.fullmatch(_core(plain)) or (kin and all(m.negated for m in kin)):
        name = "none"
        more = False
    elif _MORE_THAN_ONE.search(plain):
        return Reading(unsure=True)
    else:
        name = _how_many(plain, found, kin)
    if name == "range":
        return Reading(unsure=True)
    for value in (name, {"none": "0", "one": "1", "two": "2", "several": "3+"}.get(name, "")):
        if value and value in values:
            return Reading(option=values.index(value), rest=words if more else "")
    return Reading() if _bare(plain) or name == "none" else Reading(rest=words)


def _how_many(plain: str, found: Sequence[Mention], kin: Sequence[Mention]) -> str:
    """none, one, two, several, "range" for one or two, or "" where no number is said. Numbers of other things are not."""
    if _MANY.search(plain):
        return "several"
    total, heard = 0, False
    for _ in _PAIR.finditer(plain):
        total, heard = total + 2, True
    left = _PAIR.sub(lambda match: " " * len(match.group()), plain)
    numbers: list[tuple[int, int]] = []
    for match in _NUMBER.finditer(left):
        after = next((m for m in found if m.start >= match.start()), None)
        word = match.group()
        if (after is not None and after not in kin) or (word in ("a", "an") and after is None):
            continue
        numbers.append((match.start(), int(word) if word.isdigit() else _DIGITS[word]))
    k = 0
    while k < len(numbers):
        here, value = numbers[k]
        between = left[here : numbers[k + 1][0]] if k + 1 < len(numbers) else ""
        if k + 1 < len(numbers) and (len(between) == 1 or re.search(r"\b(or|to)\b|[-~或到]", between)):
            value = numbers[k + 1][1]
            if value == 2:
                return "range"
            k += 1
        total, heard, k = total + value, True, k + 1
    if not heard:
        return "one" if _ALONE.search(plain) else ""
    return ("none", "one", "two", "several")[min(total, 3)]


def _pointed(plain: str, values: list[str]) -> Reading | None:
    pictures = [position for position, value in enumerate(values) if value != OTHER]
    if re.search(r"\blast\b|最后", plain):
        return Reading(option=pictures[-1])
    for position, pattern in zip(pictures, _ORDINALS, strict=False):
        if re.search(pattern, plain):
            return Reading(option=position)
    return None


def _only_colours(plain: str) -> bool:
    """Whether colours are all that is said: no sentence that a picture could be found by."""
    found = vocabulary().mentions(plain)
    return bool(found) and all(mention.concept.kind == "colour" and not mention.negated for mention in found)


def _name_given(plain: str, words: str, values: list[str]) -> Reading:
    """What is said to an open question: an option by its bare name; else words to be heard, and the question is answered."""
    if _bare(plain):
        return Reading()
    found = [mention.concept for mention in vocabulary().mentions(plain) if not mention.negated]
    named = {name for concept in found for name in (concept.name, *concept.isa)}
    fitting = [position for position, value in enumerate(values) if value in named]
    if len(fitting) == 1 and len(found) == 1 and found[0].name == values[fitting[0]] and _is_bare(plain):
        return Reading(option=fitting[0])
    # Words that name an option and more are heard as words: by the option as well they would count twice.
    return Reading(option=values.index(OTHER) if OTHER in values and not fitting else None, unsure=True, rest=words)


def _is_bare(plain: str) -> bool:
    """Whether a name is all that is said, but for an article or a number: "a dog", 一只狗."""
    said = vocabulary().mentions(plain)
    around = plain[: said[0].start] + plain[said[0].end :]
    return not [word for word in tokens(around) if word not in _FILLER and not _NUMBER.fullmatch(word)] or (
        has_cjk(plain) and len(around.strip()) <= 2
    )


def _named(plain: str, values: list[str]) -> Reading | None:
    found = [mention.concept for mention in vocabulary().mentions(plain) if not mention.negated]
    named = {concept.name for concept in found}
    named |= {kind for name in named for kind in vocabulary().ancestors(name)}
    fitting = [position for position, value in enumerate(values) if value in named]
    if len(fitting) != 1 and not _denies(plain):
        fitting = [k for k, value in enumerate(values) if value in _HINTS and _HINTS[value].search(_core(plain))]
        fitting = fitting or [k for k, value in enumerate(values) if any(value == each.place for each in found)]
    return Reading(option=fitting[0]) if len(fitting) == 1 else None


def _denies(plain: str) -> bool:
    """Whether anything is denied: "not dark" is no vote for dark."""
    return bool(re.search(r"\b(not|no|never|without)\b|n't|[不没无]", plain))
