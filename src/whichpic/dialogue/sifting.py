"""From what a model proposes to questions that can be asked: cleaned, and none that is known, repeated or unanswerable.

Called by looking and reading; asking uses `asked` and `settled` for its own questions. What a model says is data: it is
validated and capped, and addresses, control characters and markup are taken out. It is never run, opened or fetched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from whichpic.dialogue.events import Answered, Question, Record, Said
from whichpic.dialogue.likelihood import NO, OTHER, YES
from whichpic.dialogue.naming import OPEN
from whichpic.dialogue.phrases import proposed
from whichpic.words import has_cjk, tokens, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

_FEW = 8
"""Of a thing with so few kinds nobody says which: who said "a phone" is not asked for a mobile phone."""
MOST_OPTIONS = 5
_LONGEST = {"question": 160, "answer": 60, "says": 200}
"""Characters; of Chinese about a third of it."""
_ALIKE = 0.8
"""Two texts are the same question when their words overlap so much (Jaccard)."""

_ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]*://|\bwww\.|\bdata:[a-z]+/)\S*"
    r"|(?<![\w/])(?:~|\.{1,2})?/[\w.-]+(?:/[\w.-]*)*|\b[a-z]:\\\S*|\\\\\S+|\S+@\S+\.\w+",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"<[^<>]{0,200}>|[*`#|\[\]{}<>]+")
_TWO = re.compile(
    r"[?？].*\w.*[?？]|[,;]? (and|or|also) (what|which|how|where|who|when|why|is|are|does|do|did|can|was|were)\b"
    r"|(并且|而且|以及|还有|同时|另外).{0,12}(什么|哪|几个?|多少|怎么?样?)",
    re.IGNORECASE,
)
"""Two questions in one: whoever answers "yes" has answered one of them."""
_BEYOND = re.compile(
    r"\b((what|which|kind of|type of|brand of|model of) (camera|lens)|(camera|lens) (angle|model|brand|type|settings?|used|was)"
    r"|focal|aperture|shutter speed|exif|metadata|resolution|megapixels?|pixels?|file ?(name|size|type)|filenames?|url"
    r"|website|photographer|copyright|watermark|what year|which year|what date|which date|when was|portrait or"
    r" landscape|orientation|password|prompt|instructions?|system message)\b"
    r"|\b(which|what|how many) (of (the|these|those) )?(\w+ )?(pictures?|images?|photo(graph)?s?|candidates?|captions?)\b"
    r"|\b(first|second|third|fourth|fifth|last) (picture|image|photo|caption|candidate)|\b(picture|image|photo|caption|tile) \d"
    r"|\b(these|those|all|the (five|other|\d+)) (five )?(pictures|images|photos|captions|candidates)\b"
    r"|'s (name|age|job|profession|nationality)\b|\bname of the (person|man|woman|child|boy|girl|photographer)|\bhow old\b"
    r"|叫什么名字|多大年纪|几岁|相机|镜头|光圈|快门|焦距|像素|分辨率|文件名|网址|哪一?年|几几年|拍摄(日期|时间|者|设备)|什么时候拍|横(幅|版|拍)|竖(幅|版|拍)|水印"
    r"|哪一?[张幅]|第[一二三四五\d]+[张幅]|这(些|几张|五张|五幅)|(图片|图像|照片) ?\d|提示词|指令|密码",
    re.IGNORECASE,
)
"""What nobody can say of a picture that they remember, or what only who sees all candidates could mean."""
_YES = re.compile(r"(yes|yeah|true|有的?|是的?|对)", re.IGNORECASE)
_NO = re.compile(r"(no|none|not|nope|false|没有?|不是|不|无|否)", re.IGNORECASE)
_OTHER = re.compile(
    r"(something|anything|someone|somewhere) else|(none|neither|other|others|another)( of (these|them|the above))?|other.{0,20}"
    r"|其[他它].{0,6}|别的|以上都不是|都不是",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"(not sure|unsure|unknown|unclear|can'?t tell|cannot tell|maybe|n/?a|不确定|不知道|看不清|不清楚|说不准)",
    re.IGNORECASE,
)
_EXISTS = re.compile(
    r"^(is|are|was|were) there (?P<a>.+)"
    r"|^(does|do|did) (it|the (picture|image|photo)) (show|have|include|contain|feature) (?P<b>.+)"
    r"|^(can|do|did) you (see|remember) (?P<c>.+)|^(图[里中]|照片[里中]|画面[里中])?(是不是)?有(没有)?(?P<d>.+?)[吗么]?$",
    re.IGNORECASE,
)
_EMPTY = frozenset(
    (
        "a", "an", "the", "is", "are", "was", "were", "be", "been", "there", "it", "its", "this", "that", "does", "do", "did",
        "show", "shows", "have", "has", "you", "can", "see", "of", "in", "on", "at", "to", "with", "any", "some", "or", "and",
        "picture", "image", "photo", "scene", "visible", "main", "what", "which", "kind", "type",
        "图里", "图中", "里有", "有没", "没有", "有吗", "什么", "么样",
    )
)  # fmt: skip
"""Words that do not make one question another."""


def clean(text: str, longest: int = 400) -> str:
    """A text of a model on one line: no control or invisible characters, addresses, paths, markup or quotation marks."""
    text = unicodedata.normalize("NFC", text[: 8 * longest])
    text = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in text)
    text = " ".join(_ADDRESS.sub(" ", _MARKUP.sub(" ", text)).split()).strip(" \"'“”‘’「」")
    return text[:longest].rstrip()


def _line(value: object) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    if not isinstance(value, str | int | float):
        raise ValueError("a text was expected")
    return str(value)[:2000]


Line = Annotated[str, BeforeValidator(_line)]


class Answer(BaseModel):
    """A short answer, and what it says of the picture as a caption would."""

    answer: Line
    says: Line = ""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"answer": value}


class Answers(BaseModel):
    """The answers to one question."""

    options: list[Answer]


class Proposal(BaseModel):
    """One question with its answers, and what it was made of: what the pictures share, and what tells them apart."""

    shared: Line = ""
    differs: Line = ""
    question: Line
    options: list[Answer] = Field(default_factory=list)


class Proposals(BaseModel):
    """Several questions in one reply."""

    questions: list[Proposal]


@dataclass(frozen=True, slots=True)
class Sifted:
    """The questions that are left, in their order, and those that were dropped, as (question, reason)."""

    kept: tuple[Question, ...]
    dropped: tuple[tuple[str, str], ...] = ()


def sift(
    proposals: Sequence[Proposal],
    records: Sequence[Record],
    *,
    asker: str,
    pictures: tuple[str, ...] = (),
    examples: str = "",
    grounds: Sequence[str] = (),
) -> Sifted:
    """Questions that can be asked now, of what a model proposed.

    Dropped are: no question, too long, two questions in one, unanswerable (of cameras, dates, files, or of the candidates
    themselves), few options (fewer than two different ones), copied (an example of the prompt, of nothing that the model had
    read: small models say it back), repeated, known. pictures: what the model had looked at. examples: the prompt's text;
    grounds: what it had read.
    """
    kept: list[Question] = []
    dropped: list[tuple[str, str]] = []
    before, texts = asked(records), asked_texts(records)
    known, said = settled(records), [_content(text) for text in told(records)]
    read = frozenset(word for text in (*grounds, *told(records)) for word in _content(text))
    for proposal in proposals[:50]:
        raw, text = proposal.question, _asking(proposal.question)
        options = _options(proposal, text) if text else []
        reason = (
            _odd(raw, text, proposal)
            or ("few options" if len(options) < 2 else "")
            or ("copied" if text in examples and not read & _content(text) else "")
            or ("repeated" if _repeated(text, options, texts, [*before, *kept]) else "")
            or ("known" if _answered(text, options, known, said) else "")
        )
        if reason:
            dropped.append((text or clean(raw, 80), reason))
            continue
        kept.append(proposed(text, options, asker=asker, pictures=pictures))
        texts.append(text)
    return Sifted(tuple(kept), tuple(dropped))


def asked(records: Sequence[Record]) -> list[Question]:
    """The questions that were answered, "not sure" included."""
    return [record.event.question for record in records if isinstance(record.event, Answered)]


def asked_texts(records: Sequence[Record]) -> list[str]:
    """The texts of all questions so far, in their order: those of `asked`, and those that got a reply in words."""
    texts = []
    for record in records:
        match record.event:
            case Answered(question=question):
                texts.append(question.text)
            case Said(asked=text) if text:
                texts.append(text)
    return texts


def told(records: Sequence[Record]) -> list[str]:
    """What the user has said and answered so far, one text each, in the order in which it came."""
    lines = []
    for record in records:
        event = record.event
        if isinstance(event, Said) and event.text:
            lines.append(event.text)
        elif isinstance(event, Answered) and event.option is not None:
            option = event.question.options[event.option]
            sayable = event.question.attribute == "asked" and option.value not in (NO, OTHER)
            lines.append(option.value if sayable else f"{event.question.text} {option.text}")
    return lines


def settled(records: Sequence[Record]) -> set[str]:
    """Things that what was said and answered already settles, either way, by their names in the vocabulary."""
    words = vocabulary()
    known: set[str] = set()
    for record in records:
        if isinstance(record.event, Said):
            for mention in words.mentions(record.event.text):
                known |= {mention.concept.name, *words.ancestors(mention.concept.name)}
                narrower = words.descendants(mention.concept.name)
                known |= set(narrower) if mention.negated or len(narrower) <= _FEW else set()
        elif isinstance(record.event, Answered) and record.event.option is not None:
            known |= _settled_by(record.event.question, record.event.option)
    return known


def _settled_by(question: Question, option: int) -> set[str]:
    words = vocabulary()
    value = question.options[option].value
    if question.attribute == "thing":
        related = words.ancestors(question.about) if value == YES else words.descendants(question.about)
        return {question.about, *related}
    if question.attribute in ("kind", "scene", *OPEN) and value != OTHER:
        return {value, *words.ancestors(value)}
    if question.attribute == "people":
        return {"person", *words.descendants("person")} if value == "none" else {"person"}
    if question.attribute == "asked" and value not in (NO, OTHER):
        named = [mention.concept.name for mention in words.mentions(value) if not mention.negated]
        return {each for name in named for each in (name, *words.ancestors(name))}
    return set()


def _asking(raw: str) -> str:
    """The first question of a text: weak models go on and answer it themselves."""
    text = clean(raw)
    text = re.sub(r"^(question|q|问题?)\s*\d*\s*[:：.]\s*|^\d+[.):、]\s*", "", text, flags=re.IGNORECASE)
    head, mark, _ = re.split(r"([?？])", text + "?", maxsplit=1)[:3]
    head = head.strip(" ,.;，。；")
    return head + ("？" if has_cjk(head) else "?") if len(tokens(head)) > 1 and mark else ""


def _odd(raw: str, text: str, proposal: Proposal) -> str:
    """What is wrong with a question by itself, "" where nothing is."""
    everything = " ".join([clean(raw), *(f"{clean(each.answer)} {clean(each.says)}" for each in proposal.options)])
    if not text:
        return "no question"
    share = 3 if has_cjk(text) else 1
    answers = [clean(each.answer) for each in proposal.options]
    if len(text) > _LONGEST["question"] // share or any(len(each) > _LONGEST["answer"] for each in answers):
        return "too long"
    if _TWO.search(clean(raw)):
        return "two questions"
    if _ADDRESS.search(_MARKUP.sub(" ", raw)) or _BEYOND.search(everything):
        return "unanswerable"
    return ""


def _options(proposal: Proposal, text: str) -> list[tuple[str, str]]:
    """(short answer, what it says of the picture) of every different option; a "no" says NO, "something else" OTHER."""
    given = [(clean(each.answer), clean(each.says, _LONGEST["says"])) for each in proposal.options[: 2 * MOST_OPTIONS]]
    given = [
        (answer.strip(" .。"), says)
        for answer, says in given
        if answer.strip(" .。") and not _UNSURE.fullmatch(answer.strip(" .。"))
    ]
    is_pair = any(_YES.fullmatch(_lead(answer)) for answer, _ in given)
    found: list[tuple[str, str]] = []
    for answer, says in given:
        if is_pair and _NO.fullmatch(_lead(answer)):
            value = says if says and not _denies(says) else NO
        elif is_pair and _YES.fullmatch(_lead(answer)):
            value = says if len(tokens(says)) > 1 else _statement(text)
        elif _OTHER.fullmatch(answer):
            # "none" of a count says what the picture shows; "none of these" does not.
            value = says if len(tokens(says)) > 1 and not _denies(says) and not _OTHER.fullmatch(says) else OTHER
        else:
            value = says or answer
        alike = [each for each in found if _same(each[0], answer) or _same(each[1], value)]
        if value and not alike:
            found.append((answer, value))
    return found[:MOST_OPTIONS]


def _lead(answer: str) -> str:
    return re.split(r"[,，;. ]", answer, maxsplit=1)[0]


def _statement(text: str) -> str:
    """What a "yes" says where the model did not: "Is there a red umbrella?" -> "a red umbrella"; "" where that is unclear."""
    match = _EXISTS.match(text.rstrip("?？ "))
    return next((each for each in match.groupdict().values() if each), "") if match else ""


def _denies(text: str) -> bool:
    return any(mention.negated for mention in vocabulary().mentions(text)) or bool(
        re.search(r"\b(no|not|without|none|nobody|never)\b|n't\b|没|不|无", text, re.IGNORECASE)
    )


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold() or (one not in (NO, OTHER) and _content(one) == _content(other) != set())


def _repeated(text: str, options: Sequence[tuple[str, str]], texts: Sequence[str], before: Sequence[Question]) -> bool:
    words, values = _content(text), _values(value for _, value in options)
    if any(text.casefold() == other.casefold() or _overlap(words, _content(other)) >= _ALIKE for other in texts):
        return True
    earlier = [question for question in before if question.attribute == "asked"]
    return len(values) > 1 and any(_values(option.value for option in each.options) == values for each in earlier)


def _values(values: Iterable[str]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(_content(value)) for value in values if value not in (NO, OTHER))


def _answered(text: str, options: Sequence[tuple[str, str]], known: set[str], said: Sequence[set[str]]) -> bool:
    """Whether what was said holds the answer: exactly one option's statement, or everything that a yes/no question names."""
    statements = [_content(value) for _, value in options if value not in (NO, OTHER)]
    # One word may have been said of anything: "red" of an umbrella does not answer what colour the car is.
    held = [words for words in statements if len(words) > 1 and any(words <= sentence for sentence in said)]
    if len(held) == 1:
        return True
    if not any(_YES.fullmatch(_lead(answer)) for answer, _ in options):
        return False
    found = vocabulary().mentions(text)
    left = text
    for mention in reversed(found):
        left = left[: mention.start] + " " + left[mention.end :]
    # "Is the dog asleep?" asks more than whether there is a dog.
    return bool(found) and not _content(left) and all(mention.concept.name in known for mention in found)


def _content(text: str) -> set[str]:
    """The words that carry a text's meaning, singular and plural alike."""
    words = (word for word in tokens(text) if word not in _EMPTY)
    return {word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words}


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)
