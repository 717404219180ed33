"""Is a rewritten sentence true to what was said? Checks it against the events, and mends it. Called by rewriting, belief.

A rewriter may not lose what was stated, denials included, and may not add anything. What it adds is cut, what it loses is
appended in the user's own words; no model does either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from whichpic.dialogue.claims import BREAK, FREE, Claim, claims, kin, segments, stems
from whichpic.dialogue.events import Answered, Said, Term
from whichpic.dialogue.likelihood import NO, OTHER, YES
from whichpic.words import has_cjk, vocabulary

LONGEST = 120
"""Words (of Chinese: characters) of a rewritten sentence, where a rewriter says no other number."""
_LEAD = re.compile(
    r"\s*(?:(?P<no>no|nope|not really|not at all)|(?P<yes>yes|yeah|yep|yup|right|sure|correct|indeed|of course))\b"
    r"(?=\s*(?:$|[,.;!]|it\b|there\b|i\b|they\b|he\b|she\b))|\s*(?:(?P<zh_no>没有|没|不是|不|无)|(?P<zh_yes>有的?|是的?|对))(?=$|[，。,.、；])",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\b(not sure|unsure|can'?t (tell|say|see)|cannot (tell|say|see)|don'?t (know|remember)|no idea|hard to (tell|say))\b"
    r"|不知道|不确定|不清楚|看不出|不记得|说不准",
    re.IGNORECASE,
)
ASKS_FOR = re.compile(
    r"\s*(is|are|was|were) there\b|\s*(can|do|does|did|could) (you|it|the \w+) (see|show|have)\b|.*有", re.IGNORECASE
)
"""A question for a thing, whose "no" denies it."""
_BESIDES = re.compile(
    r"\b(other|else|besides|another|more|apart from|only|all|both|just)\b|其他|别的|还有|除了|都", re.IGNORECASE
)
_THINGS = ("thing", "scene")
_ONE_OF = ("place", "light")
"""Kinds of which a picture has one: indoors or outdoors, day or night."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence after the check. lost, invented: what the sentence, as it came, left out and added. repaired: it was
    changed. ok: as it stands here it loses and adds nothing, and it came with half of what was said at least; where not,
    it is not to be used."""

    sentence: str
    lost: tuple[str, ...] = ()
    invented: tuple[str, ...] = ()
    repaired: bool = False
    ok: bool = True


@dataclass(frozen=True)
class Stated:
    """What the events state. needed: must be kept, each with the words to say it by; denied: may not be stated; allowed:
    may be stated besides; words: the stems of all that was said, and `text` all of it."""

    needed: tuple[tuple[Claim, str], ...] = ()
    denied: tuple[Claim, ...] = ()
    allowed: tuple[Claim, ...] = ()
    words: frozenset[str] = field(default_factory=frozenset)
    text: str = ""


def check(
    sentence: str,
    said: Iterable[Said | str],
    *,
    hints: Sequence[str] = (),
    settled: Sequence[Answered] = (),
    longest: int = LONGEST,
) -> Checked:
    """Whether a sentence states what was said and nothing else; mended where it does not and can be.

    said: in their order; what a later one denies, an earlier one no longer states. hints: texts that it may take from and
    need not (the caption of a picture that was liked). settled: answers that facts have scored; it may state them, and may
    not state what they deny. longest: in words; a sentence that would be longer is not ok.
    """
    heard = tuple(each if isinstance(each, Said) else Said.of(each) for each in said)
    known = stated(heard, settled=settled, hints=hints)
    lost, invented = _differences(sentence, known)
    if not lost and not invented:
        return Checked(sentence, ok=_usable(sentence, known, longest))
    mended = _cut(sentence, known)
    missing = _differences(mended, known)[0]
    phrases = list(dict.fromkeys(phrase for claim, phrase in known.needed if claim in missing))
    phrases = [each for each in phrases if not any(each != other and each in other for other in phrases)]
    mended = mended.strip(" ,;.，。；、")
    whole = any(mended.lower() in phrase.lower() for phrase in phrases)
    mended = ("，" if has_cjk(mended) else ", ").join(part for part in ("" if whole else mended, *phrases) if part)
    still = _differences(mended, known)
    return Checked(
        mended,
        tuple(dict.fromkeys(each.shown for each in lost)),
        tuple(dict.fromkeys(each.shown for each in invented)),
        mended != sentence,
        2 * len(lost) <= len(known.needed) and not still[0] and not still[1] and _usable(mended, known, longest),
    )


def agreeing(caption: str, said: Iterable[Said | str], *, settled: Sequence[Answered] = ()) -> str:
    """The parts of a caption that do not contradict what was said and answered; "" where nothing is left.

    A contradiction is a thing that was denied, a denial of a thing that was stated, another colour or number of the same
    thing, indoors where outdoors was said. What is merely more is none.
    """
    heard = tuple(each if isinstance(each, Said) else Said.of(each) for each in said)
    known = stated(heard, settled=settled)
    told = [claim for claim, _ in known.needed] + list(known.allowed)
    kept = []
    for start, end in segments(caption):
        part = caption[start:end]
        inside = [claim for claim in claims(caption) if start <= claim.start < end]
        if inside and not any(_against(claim, told, known.denied) for claim in inside):
            kept.append(part)
    return "".join(kept).strip(" ,;.，。；、") if kept else ""


def stated(said: Sequence[Said], *, settled: Sequence[Answered] = (), hints: Sequence[str] = ()) -> Stated:
    """What was said and answered, as claims."""
    needed: list[tuple[Claim, str]] = []
    denied: list[Claim] = []
    allowed: list[Claim] = []
    texts: list[str] = []
    for event in said:
        known = [claim for claim, _ in needed if not claim.negated]
        fresh, refused, aside = _of_reply(event, known) if event.asked else (_phrases(event.text), [], [])
        # What is said last counts: who says "no dog, a cat" after "a dog" takes the dog back.
        for claim, _ in fresh:
            needed = [pair for pair in needed if not _takes_back(claim, pair[0])]
            denied = [each for each in denied if not _takes_back(claim, each) and not _is_again(claim, each)]
        needed += fresh
        denied += [claim for claim, _ in fresh if claim.negated] + refused
        allowed += aside
        texts.append(event.text if not event.asked or fresh or aside else "")
    for answered in settled:
        yes, no = _of_answer(answered)
        allowed += yes
        denied += no
    texts += hints
    for hint in hints:
        allowed += claims(hint)
    whole = " ".join(texts)
    return Stated(tuple(needed), tuple(denied), tuple(allowed), stems(whole), whole)


def _phrases(text: str) -> list[tuple[Claim, str]]:
    """The claims of a text, each with the part of the text that says it."""
    parts = segments(text)
    found = []
    for claim in claims(text):
        a, b = next(((a, b) for a, b in parts if a <= claim.start < b), (0, len(text)))
        own = text[min(a, claim.start) : max(b, claim.end)] if not claim.negated else claim.surface
        found.append((claim, own.strip(" ,;.，。；、")))
    return found


def _of_reply(event: Said, known: Sequence[Claim]) -> tuple[list[tuple[Claim, str]], list[Claim], list[Claim]]:
    """What a reply to a question states (with words for it), what it denies, and what it leaves open but was spoken of.

    known: what was stated before; a "no" to a question that speaks of it denies something else about it.
    """
    words = ", ".join(term.text for term in event.terms if term.text and term.weight > 0)
    more, mark, last = words.rpartition("?")
    if mark and last.strip():  # a question in two sentences, as recorded dialogues have them
        return _of_reply(replace(event, terms=(Term(text=last.strip()),), asked=f"{event.asked} {more}?"), known)
    asked = claims(event.asked)
    if _UNSURE.search(words):
        return [], [], []
    lead = _LEAD.match(words)
    rest = _phrases(words[lead.end() :] if lead else words)
    named = [claim for claim in asked if claim.kind != "word" and not claim.negated]
    if lead is not None and (lead["no"] or lead["zh_no"]):
        fresh, refused, aside = _refused(event.asked, asked, known)
        return fresh + rest, refused, aside
    if lead is not None:
        said = [(claim, claim.shown if claim.kind != "thing" else claim.surface) for claim in named]
        return said + rest, [], list(asked)
    things = [claim for claim in named if claim.kind == "thing"]
    owned = [claim for claim in things if not claim.surface.endswith(("'s", "’s", "s'"))]  # the girl's phone
    about = next(iter(owned or things), None)
    if about is not None:
        thing = re.sub(r"['’]s?$", "", about.surface)
        rest = [(replace(claim, of=about.name), f"{phrase} {thing}") if _loose(claim) else (claim, phrase)
                for claim, phrase in rest]  # fmt: skip
    return rest, [], list(asked)


def _refused(
    question: str, asked: Sequence[Claim], known: Sequence[Claim]
) -> tuple[list[tuple[Claim, str]], list[Claim], list[Claim]]:
    """What a "no" to a question denies: the one new thing that it asked for, and every colour, number or word of it."""
    if _BESIDES.search(question):  # no other vehicles than the buses: the buses are there
        return [], [], [claim for claim in asked if claim.kind != "word"]
    old = [claim for claim in asked if any(kin(claim.name, each.name) and claim.kind == each.kind for each in known)]
    new = [claim for claim in asked if claim not in old and not claim.negated]
    things = [replace(claim, negated=True) for claim in new if claim.kind in _THINGS]
    language = "zh" if has_cjk(question) else "en"
    absent = things[:1] if len(things) == 1 and ASKS_FOR.match(question) and not _qualities(new) else []
    words = [replace(claim, negated=True) for claim in new if claim.kind == "word"]
    return [(claim, _no(claim, language)) for claim in absent], [*things, *_qualities(new), *words], old


def _qualities(found: Sequence[Claim]) -> list[Claim]:
    return [claim for claim in found if claim.kind not in (*_THINGS, "word")]


def _no(claim: Claim, language: str) -> str:
    name = vocabulary().say(claim.name, language)
    return f"没有{name}" if language == "zh" else f"no {'people' if name == 'person' else name}"


def _loose(claim: Claim) -> bool:
    return claim.kind in ("colour", "number") and not claim.of and not claim.negated


def _of_answer(answered: Answered) -> tuple[list[Claim], list[Claim]]:
    """What an answer by option states and denies."""
    question = answered.question
    if answered.option is None or not 0 <= answered.option < len(question.options):
        return [], []
    value, about = question.options[answered.option].value, question.about
    if value == OTHER or question.source == "pick":
        return [], []
    if question.attribute == "thing" and value in (YES, NO):
        thing = Claim(about, "thing", 0, 0, about, negated=value == NO)
        return ([], [thing]) if value == NO else ([thing], [])
    if question.attribute in ("count", "people"):
        number = {"none": "0", "one": "1", "two": "2"}.get(value, value)
        thing = Claim(about or "person", "thing", 0, 0, about or "person")
        if number == "0":
            return [], [replace(thing, negated=True)]
        count = [Claim(number, "number", 0, 0, number, of=thing.name)] if number.isdigit() else []
        return [thing, *count], []
    found = list(claims(value))
    if question.attribute.startswith("colour of"):
        found = [replace(claim, of=about) if claim.kind == "colour" else claim for claim in found]
    return [each for each in found if not each.negated], [each for each in found if each.negated]


def _takes_back(later: Claim, earlier: Claim) -> bool:
    if later.negated == earlier.negated:
        return False
    positive, negative = (earlier, later) if later.negated else (later, earlier)
    return _covers(negative.name, positive.name)


def _is_again(claim: Claim, refused: Claim) -> bool:
    """Whether a colour or a number that was refused is stated after all."""
    return not claim.negated and not refused.negated and (claim.name, claim.kind) == (refused.name, refused.kind)


def _covers(kind: str, name: str) -> bool:
    """Whether a name is this kind of thing: a dog is an animal."""
    return kind == name or kind in vocabulary().ancestors(name)


def _differences(sentence: str, known: Stated) -> tuple[list[Claim], list[Claim]]:
    """What a sentence lost of what was stated, and what it states that nobody did."""
    found = claims(sentence)
    words = stems(sentence)
    lost = [claim for claim, _ in known.needed if not _kept(claim, found, sentence, words)]
    return lost, [claim for claim in found if not _allowed(claim, known)]


def _kept(claim: Claim, found: Sequence[Claim], sentence: str, words: frozenset[str]) -> bool:
    if claim.kind == "word" and not claim.negated:
        if has_cjk(claim.name):
            return all(char in sentence for char in claim.name)
        return claim.name in words
    for other in found:
        if other.negated != claim.negated:
            continue
        if claim.negated and _covers(other.name, claim.name):
            return True
        # A closer word for the same thing says it too; whether it may be closer is the other half of the check.
        if not claim.negated and _covers(claim.name, other.name) and _same_of(claim, other):
            return True
    own = stems(claim.surface)
    denied = any(other.negated and _covers(other.name, claim.name) for other in found)
    return not claim.negated and not claim.of and bool(own) and own <= words and not denied


def _same_of(claim: Claim, other: Claim) -> bool:
    return not claim.of or not other.of or kin(claim.of, other.of)


def _allowed(claim: Claim, known: Stated) -> bool:
    """Whether what a sentence states was stated."""
    told = [each for each, _ in known.needed] + list(known.allowed)
    if claim.negated:
        return any(each.negated and _covers(each.name, claim.name) for each in (*told, *known.denied))
    if any(each.negated and _covers(each.name, claim.name) for each in known.denied):
        return False
    if any(not each.negated and each.name == claim.name and each.kind == claim.kind for each in known.denied):
        return False
    if claim.kind == "word":
        if has_cjk(claim.name):
            return all(char in known.text for char in claim.name)
        return claim.name in known.words
    positive = [each for each in told if not each.negated]
    if claim.kind in ("colour", "number"):
        same = [each for each in positive if each.kind == claim.kind and each.name == claim.name]
        return any(_same_of(each, claim) for each in same)
    if any(_covers(claim.name, each.name) for each in positive):
        return True
    own = stems(claim.surface)
    return bool(own) and own <= known.words and not any(each.negated and kin(each.name, claim.name) for each in told)


def _against(claim: Claim, told: Sequence[Claim], denied: Sequence[Claim]) -> bool:
    """Whether a claim of a caption contradicts what was stated or denied."""
    if claim.negated:
        return any(not each.negated and _covers(claim.name, each.name) for each in told)
    if any(_covers(each.name, claim.name) for each in (*denied, *told) if each.negated):
        return True
    if any(not each.negated and (each.name, each.kind) == (claim.name, claim.kind) for each in denied):
        return True
    if claim.kind in _ONE_OF:
        same = {each.name for each in told if each.kind == claim.kind and not each.negated}
        return bool(same) and claim.name not in same
    if claim.kind in ("colour", "number") and claim.of:
        same = {each.name for each in told if each.kind == claim.kind and each.of and kin(each.of, claim.of)}
        return bool(same) and claim.name not in same
    return False


def _cut(sentence: str, known: Stated) -> str:
    """The sentence without what nobody stated: whole clauses where nothing else is in them, else the words alone."""
    found = claims(sentence)
    wrong = [claim for claim in found if not _allowed(claim, known)]
    if not wrong:
        return sentence
    kept = []
    for start, end in segments(sentence):
        inside = [claim for claim in found if start <= claim.start < end]
        odd = [claim for claim in inside if claim in wrong]
        if not odd:
            kept.append(sentence[start:end])
        # Without its "not", the rest of a clause would say the opposite.
        elif len(odd) < len(inside) and not any(claim.negated for claim in odd):
            part, at = "", start
            for claim in odd:
                part += sentence[at : max(at, claim.start)]
                at = max(at, claim.end)
            kept.append(_tidy(part + sentence[at:end]))
        elif BREAK.fullmatch(sentence[start:end].rstrip()[-1:]):
            kept.append(sentence[start:end].rstrip()[-1:])  # what follows stays apart from what was before
    return _tidy("".join(kept))


def _tidy(text: str) -> str:
    """Without words that lead nowhere at the end, and without doubled spaces and commas."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;，。；])", r"\1", text)
    text = re.sub(r"([,;，；、])\s*(?=[,.;，。；、])", "", text)
    text = re.sub(r"(?<!\d),(?=\S)", ", ", text)
    lead = text[: len(text) - len(text.lstrip())]
    body = text.strip()
    tail = re.search(r"[,.;，。；、]?$", body)
    ending = tail.group() if tail else ""
    body = body[: len(body) - len(ending)].rstrip()
    while (
        (last := re.search(r"\s*\b([^\W\d_]+)$", body)) and last.group(1).lower() in FREE and not has_cjk(last.group(1))
    ):
        body = body[: last.start()]
    return f"{lead}{body}{ending} " if body else ""


def _usable(sentence: str, known: Stated, longest: int) -> bool:
    """Whether a sentence is neither empty nor too long, and in the user's own script."""
    length = sum(1 for _ in re.finditer(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+", sentence))
    own = BREAK.sub("", known.text).strip()
    return 0 < length <= longest and (not own or has_cjk(sentence) == has_cjk(own))
