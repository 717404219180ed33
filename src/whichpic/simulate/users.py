"""Users who see only their target and what they are shown: from facts, from captions, or a replay. Called by play.

A user never sees vectors, scores or ranks. Errors and ignorance are drawn per question from the dialogue's own seed, so
that they do not depend on the order of anything: the same question gets the same slip, whoever asks it and when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from whichpic.dialogue.events import Question
from whichpic.dialogue.likelihood import COUNTS, NO, OTHER, YES
from whichpic.dialogue.naming import OPEN
from whichpic.dialogue.phrases import article, ask
from whichpic.errors import QueryError
from whichpic.simulate.entailment import SURE_NO, SURE_YES, Captions, Dense, Evidence, shows
from whichpic.simulate.openings import Opening, main_of, opening
from whichpic.simulate.remarks import remark, remarks
from whichpic.types import Fact
from whichpic.words import has_cjk, vocabulary

if TYPE_CHECKING:
    from whichpic.types import Encoder

Kind = Literal["facts", "captions", "replay"]
Describe = Callable[[str], Sequence[str]]
"""What can be seen in a picture that is shown, as sentences, by its id."""
_EVERYDAY = tuple(name for name in vocabulary().coco if name)
"""What a person may name who is mistaken: the 80 things of the COCO data set."""
_PEOPLE = ("none", "one", "two", "several")
_HELD = 0.5
"""A fact that is more probable than this is true for the facts user."""
_NEAR = 0.2
"""A shown picture is "close" to the target from this likeness on, for a question with "none of these"."""


@dataclass(frozen=True)
class Target:
    """The picture in the user's head, and all that the user knows of it.

    dialogue: recorded turns, the first of which opens. relevant: every right picture, where there are several.
    """

    id: str
    facts: tuple[Fact, ...] = ()
    captions: tuple[str, ...] = ()
    dialogue: tuple[str, ...] = ()
    relevant: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """An answer: an option's position, or None for "not sure". `words`: what is said beside it, to be heard as well."""

    option: int | None
    words: str = ""


@dataclass(frozen=True)
class UserSettings:
    """How a user is. errors: share of answers replaced by another option, uniformly; ignorance: share replaced by "not sure".

    says_more: a caption user whose answer is not among the options says it in words beside "something else". evidence,
    sure_yes, sure_no: of the caption user, see entailment. Raises QueryError for values that make no sense.
    """

    kind: Kind = "captions"
    errors: float = 0.0
    ignorance: float = 0.0
    says_more: bool = True
    evidence: Evidence = "both"
    sure_yes: float = SURE_YES
    sure_no: float = SURE_NO

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise QueryError(f"no user is called '{self.kind}'; there are {', '.join(get_args(Kind))}")
        if self.evidence not in get_args(Evidence):
            raise QueryError(f"no evidence is called '{self.evidence}'; there are {', '.join(get_args(Evidence))}")
        # Not a number fails every comparison.
        if not (min(self.errors, self.ignorance) >= 0 and self.errors + self.ignorance <= 1):
            raise QueryError(
                f"errors ({self.errors}) and ignorance ({self.ignorance}) are shares of the answers: each at least 0, "
                "together at most 1"
            )
        if not self.sure_no <= self.sure_yes:
            raise QueryError(f"sure_no ({self.sure_no}) has to lie below sure_yes ({self.sure_yes})")

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the header of a file of dialogues."""
        return asdict(self)


class User:
    """One person with one picture in mind, who remembers what was said already. Make it by `user`."""

    def __init__(
        self,
        said: str,
        truth: Callable[[Question, AbstractSet[str]], Reply],
        settings: UserSettings,
        seed: int,
        later: Sequence[str] = (),
    ) -> None:
        self._said, self._truth, self._settings, self._seed = said, truth, settings, seed
        self.later = tuple(later)
        """What a replayed user says at the turns after the opening, whatever is asked; () for the others."""
        self._told: set[str] = {mention.concept.name for mention in vocabulary().mentions(said)}
        self._given: dict[tuple[str, ...], Reply] = {}

    def opening(self) -> str:
        """What the user says first."""
        return self._said

    def answer(self, question: Question, shown: Sequence[str] = ()) -> Reply:
        """The user's reply, slips included. `shown` are the ids on the screen; none of today's users uses them.

        An open question is answered by something that was not said yet, or as before where it was asked before.
        """
        if question.source != "names":
            reply = self._slipped(question)
        elif question.key in self._given:
            return self._given[question.key]
        else:
            reply = self._given[question.key] = self._slipped(question)
        self._told |= _said_by(question, reply)
        return reply

    def _slipped(self, question: Question) -> Reply:
        reply = self._truth(question, self._told)
        if reply.option is None:
            return reply
        first, second = _chances(self._seed, question)
        if first < self._settings.ignorance:
            return Reply(None)
        if first < self._settings.ignorance + self._settings.errors and len(question.options) > 1:
            return self._mistaken(question, reply, second)
        return reply

    def _mistaken(self, question: Question, reply: Reply, chance: float) -> Reply:
        """Another option, uniformly; to an open question, a thing that is not there: by an option or in words, as the truth."""
        if question.source == "names" and reply.words:
            names = [name for name in _EVERYDAY if not self._is_there(name)]
            name = names[int(chance * len(names))]
            return Reply(reply.option, vocabulary().say(name, "zh") if has_cjk(question.text) else article(name))
        wrong = [option for option in range(len(question.options)) if option != reply.option]
        if question.source == "names":
            wrong = [option for option in wrong if not self._is_there(question.options[option].value)] or wrong
        return Reply(wrong[int(chance * len(wrong))])

    def _is_there(self, name: str) -> bool:
        return self._truth(ask("thing", (YES, NO), about=name, language="en"), self._told).option == 0


def user(
    settings: UserSettings,
    target: Target,
    *,
    seed: int,
    opens: Opening = "caption",
    language: str = "en",
    describe: Describe | None = None,
    encoder: Encoder | None = None,
) -> User:
    """The user of a kind. `describe` says what can be seen in shown pictures; `encoder` is needed for dense evidence.

    Raises QueryError where the target lacks what the kind needs, with the kind that would do.
    """
    said = opening(opens, target.facts, target.captions, target.dialogue, language)
    if settings.kind == "replay":
        if not target.dialogue:
            raise QueryError(f"nothing was recorded for {target.id}; a replay needs --dialogues with its dialogue")
        return User(said, lambda question, told: Reply(None), settings, seed, target.dialogue[1:])
    if settings.kind == "facts":
        if not target.facts:
            raise QueryError(f"nothing is known of {target.id}; use --user captions, or an album with facts")
        return User(said, lambda question, told: _by_facts(target, question, describe, told), settings, seed)
    if not target.captions:
        raise QueryError(f"{target.id} has no captions; give them with --captions, or use --user facts")
    dense = None
    if settings.evidence != "lexical":
        if encoder is None:
            raise QueryError('dense evidence needs a text encoder; use evidence = "lexical" without one')
        dense = Dense(encoder, sure_yes=settings.sure_yes, sure_no=settings.sure_no)
    captions = Captions(target.captions)

    def truth(question: Question, told: AbstractSet[str]) -> Reply:
        if question.source == "names":
            return _named(captions, question, told, settings)
        return _by_captions(target, captions, question, dense, settings, describe)

    return User(said, truth, settings, seed)


# ---- the facts user: everything is known, so what is no fact is not so


def _by_facts(target: Target, question: Question, describe: Describe | None, told: AbstractSet[str]) -> Reply:
    values = [option.value for option in question.options]
    facts = [fact for fact in target.facts if fact.p > _HELD]
    things = {name for fact in facts if fact.attribute in ("object", "label", "scene") for name in _kinds(fact.value)}
    match question.attribute:
        case _ if question.source == "names":
            left = [name for name in _facts_say(facts) if vocabulary().get(name) and told.isdisjoint(_kinds(name))]
            chips = [value for value in values if any(value in _kinds(name) for name in left)]
            if chips or not left:
                return _option(values, chips[0] if chips else OTHER)
            return Reply(_option(values, OTHER).option, _called(left[0], question))
        case "pick":
            return _picked(
                target, question, describe, lambda seen: _overlap(_concepts(_facts_say(facts)), _concepts(seen))
            )
        case "thing":
            return _option(values, YES if question.about in things else NO)
        case "count":
            counts = [
                int(f.detail.get("count", 1))
                for f in facts
                if f.attribute == "object" and question.about in _kinds(f.value)
            ]
            return _option(values, COUNTS[min(sum(counts), 3)])
        case "kind":
            main = main_of(target.facts)
            fitting = [value for value in values if value in _kinds(main)]
            return _option(
                values, next((value for value in (*fitting, *_told(facts, "kind")) if value in values), OTHER)
            )
        case _:
            values_told = _told(facts, _asked_for(question))
            return _option(values, next((value for value in values_told if value in values), OTHER))


def _told(facts: Sequence[Fact], attribute: str) -> list[str]:
    """The values of an attribute, most probable first."""
    return [fact.value for fact in sorted(facts, key=lambda fact: -fact.p) if fact.attribute == attribute]


def _facts_say(facts: Sequence[Fact]) -> tuple[str, ...]:
    return tuple(fact.value for fact in facts if fact.attribute in ("object", "label", "scene", "colour"))


# ---- the caption user: what the captions do not tell is not known


def _by_captions(
    target: Target,
    captions: Captions,
    question: Question,
    dense: Dense | None,
    settings: UserSettings,
    describe: Describe | None,
) -> Reply:
    values = [option.value for option in question.options]

    def other(name: str) -> Reply:
        """None of the options is right: a person says what is. A colour alone is no sentence: it stays with the option."""
        reply = _option(values, OTHER)
        said = "" if question.attribute.startswith("colour") else _called(name, question)
        return reply if reply.option is None or not settings.says_more else Reply(reply.option, said)

    match question.attribute:
        case "pick":
            return _picked(target, question, describe, lambda seen: _likeness(captions, seen, dense))
        case "thing":
            told = shows(captions, question.about, dense, settings.evidence)
            return Reply(None) if told is None else _option(values, YES if told else NO)
        case "count":
            number = captions.count(question.about)
            if number is None and shows(captions, question.about, dense, settings.evidence) is False:
                number = 0
            return Reply(None) if number is None else _option(values, COUNTS[number])
        case "people":
            number = captions.count("person")
            if number is None and shows(captions, "person", dense, settings.evidence) is False:
                number = 0
            return Reply(None) if number is None else _option(values, _PEOPLE[number])
        case "kind":
            fitting = [value for value in values if value in _kinds(captions.main)]
            return _option(values, fitting[0]) if fitting else other(captions.main) if captions.main else Reply(None)
        case "place":
            return _option(values, captions.place)
        case _:
            kind, _, thing = _asked_for(question).partition(" of ")
            told_values = captions.named(kind, thing)
            fitting = [value for value in told_values if value in values]
            return _option(values, fitting[0]) if fitting else other(told_values[0]) if told_values else Reply(None)


def _named(captions: Captions, question: Question, told: AbstractSet[str], settings: UserSettings) -> Reply:
    """To an open question: an option where captions name it, else a few words of one caption, about what was not told."""
    values = [option.value for option in question.options]
    found = remark(remarks(captions), question.attribute, told)
    new = [value for value in values if captions.said[value] and told.isdisjoint(_kinds(value))]
    if new:
        return _option(values, max(new, key=lambda value: captions.said[value]))
    if found is None or not settings.says_more:
        return Reply(None)
    return Reply(
        _option(values, OTHER).option, _called(found.name, question) if has_cjk(question.text) else found.words
    )


def _likeness(captions: Captions, seen: Sequence[str], dense: Dense | None) -> float:
    if dense is not None:
        return dense.nearest(", ".join(seen), captions.texts)
    return _overlap(_concepts(captions.texts), _concepts(seen))


# ---- shared


def _picked(
    target: Target, question: Question, describe: Describe | None, likeness: Callable[[Sequence[str]], float]
) -> Reply:
    """The target itself where it is shown, for a person knows it again; else the nearest; else none of these."""
    values = [option.value for option in question.options]
    if target.id in values:
        return Reply(values.index(target.id))
    if describe is None:
        return Reply(None)
    near = {value: likeness(tuple(describe(value))) for value in values if value != OTHER}
    best = max(near, key=lambda value: near[value], default=OTHER)
    return _option(values, best if best != OTHER and (near[best] >= _NEAR or OTHER not in values) else OTHER)


def _asked_for(question: Question) -> str:
    """The attribute that a fact would have: "colour", or "colour of dog" where it is asked of a thing."""
    if question.about and f" of {question.about}" not in question.attribute:
        return f"{question.attribute} of {question.about}"
    return question.attribute


def _called(name: str, question: Question) -> str:
    return vocabulary().say(name, "zh") if has_cjk(question.text) else article(name)


def _said_by(question: Question, reply: Reply) -> set[str]:
    """The things that an answer says are there, and its words."""
    said = {mention.concept.name for mention in vocabulary().mentions(reply.words) if not mention.negated}
    said |= {reply.words} if reply.words else set()
    value = "" if reply.option is None else question.options[reply.option].value
    if question.attribute == "thing" and value == YES:
        said.add(question.about)
    elif question.attribute in ("kind", "scene", *OPEN) and value != OTHER:
        said.add(value)
    return said


def _option(values: Sequence[str], value: str | None) -> Reply:
    return Reply(values.index(value) if value is not None and value in values else None)


def _kinds(name: str) -> tuple[str, ...]:
    return (name, *vocabulary().ancestors(name))


def _concepts(texts: Sequence[str]) -> frozenset[str]:
    found = [m.concept.name for text in texts for m in vocabulary().mentions(text) if not m.negated]
    return frozenset(kind for name in found for kind in _kinds(name))


def _overlap(some: frozenset[str], others: frozenset[str]) -> float:
    """Jaccard's index; 0 for two empty sets."""
    return len(some & others) / len(some | others) if some | others else 0.0


def dialogue_seed(seed: int, dialogue: str) -> int:
    """The seed of one dialogue, from the run's seed and the dialogue's id, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{dialogue}".encode("utf-8", "replace"), digest_size=4).digest())


def _chances(seed: int, question: Question) -> tuple[float, float]:
    """Two uniform numbers in [0, 1) that belong to this question in this dialogue, whenever it is asked."""
    text = "\0".join((str(seed), question.attribute, question.about, *sorted(question.pictures)))
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=14).digest()
    return int.from_bytes(digest[:7]) / 2**56, int.from_bytes(digest[7:]) / 2**56


def user_settings(plain: dict[str, Any]) -> UserSettings:
    """The settings of a recipe's [user] table. Raises QueryError where a value is of the wrong type."""
    for name, value in plain.items():
        wanted = type(getattr(UserSettings(), name))
        if not isinstance(value, wanted) and not (wanted is float and isinstance(value, int)):
            raise QueryError(f"[user] {name} is a {wanted.__name__}, not {value!r}")
    return UserSettings(**plain)
