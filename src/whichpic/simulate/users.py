"""Users who see only their target and what they are shown: from facts, captions, a replay or a model. Called by play.

A user never sees vectors, scores or ranks. Errors and ignorance are drawn per question from the dialogue's own seed, so
that they do not depend on the order of anything: the same question gets the same slip, whoever asks it and when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING

from whichpic.dialogue.events import Question
from whichpic.dialogue.likelihood import COUNTS, NO, OTHER, YES
from whichpic.dialogue.naming import OPEN
from whichpic.dialogue.phrases import article, ask
from whichpic.errors import QueryError
from whichpic.simulate.entailment import Captions, Dense, shows
from whichpic.simulate.marking import most_like
from whichpic.simulate.openings import Opening, main_of, opening
from whichpic.simulate.person import Describe, Reply, Target, UserSettings, dialogue_seed, user_settings
from whichpic.simulate.remarks import remark, remarks
from whichpic.words import has_cjk, vocabulary

if TYPE_CHECKING:
    from whichpic.simulate.looking_user import Eyes
    from whichpic.simulate.marking import Likeness
    from whichpic.types import Encoder, Fact

__all__ = ["Describe", "Reply", "Target", "User", "UserSettings", "dialogue_seed", "user", "user_settings"]

_EVERYDAY = tuple(name for name in vocabulary().coco if name)
"""What a person may name who is mistaken: the 80 things of the COCO data set."""
_PEOPLE = ("none", "one", "two", "several")
_HELD = 0.5
"""A fact that is more probable than this is true for the facts user."""
_NEAR = 0.2
"""A shown picture is "close" to the target from this likeness on, for a question with "none of these"."""


class User:
    """One person with one picture in mind, who remembers what was said already. Make it by `user`."""

    def __init__(
        self,
        said: str | Callable[[], str],
        truth: Callable[[Question, AbstractSet[str]], Reply],
        settings: UserSettings,
        seed: int,
        later: Sequence[str] = (),
        likes: Likeness | None = None,
    ) -> None:
        self._said, self._truth, self._settings, self._seed = said, truth, settings, seed
        self.later = tuple(later)
        """What a replayed user says at the turns after the opening, whatever is asked; () for the others."""
        self.likes = likes
        """By what a user who gives feedback chooses a shown picture; None for one who answers questions."""
        self._marked: set[str] = set()
        self._told: set[str] = _things_in(said) if isinstance(said, str) else set()
        self._given: dict[tuple[str, ...], Reply] = {}

    def opening(self) -> str:
        """What the user says first; a model may be asked for it."""
        said = self._said if isinstance(self._said, str) else self._said()
        self._told |= _things_in(said)
        return said

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

    def mark(self, shown: Sequence[str], target: str) -> str | None:
        """The shown picture that the user calls relevant now, none twice; None where nothing shown is like the target.

        Who sees the target itself would be done, so that it is never marked; but by query-rewriting's oracle it is.
        """
        assert self.likes is not None
        peeks = self._settings.feedback == "target"
        there = [picture for picture in shown if peeks or picture != target]
        liked = most_like(there, self._marked, self.likes, least=float("-inf") if peeks else 0.0)
        self._marked |= {liked} if liked else set()
        return liked

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
        if self._settings.kind == "chat":
            return name in self._told  # not worth asking a model of 80 things for one slip
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
    eyes: Eyes | None = None,
    likes: Likeness | None = None,
) -> User:
    """The user of a kind. `describe` says what can be seen in shown pictures; `encoder` is needed for dense evidence.

    eyes: how a chat user sees its target. likes: by what one who gives feedback chooses. Raises QueryError where the
    target lacks what the kind needs, with the kind that would do.
    """
    if settings.kind == "chat":
        if eyes is None:
            raise QueryError("a chat user needs a model that sees its target: --user chat --chat URL_OR_MODEL")
        first = None if opens == "described" else opening(opens, target.facts, target.captions, (), language)
        return User(partial(eyes.opening, first), eyes.answer, settings, seed, likes=likes)
    said = opening(opens, target.facts, target.captions, target.dialogue, language)
    if settings.kind == "replay":
        if not target.dialogue:
            raise QueryError(f"nothing was recorded for {target.id}; a replay needs --dialogues with its dialogue")
        return User(said, lambda question, told: Reply(None), settings, seed, target.dialogue[1:])
    if settings.kind == "facts":
        if not target.facts:
            raise QueryError(f"nothing is known of {target.id}; use --user captions, or an album with facts")
        return User(
            said, lambda question, told: _by_facts(target, question, describe, told), settings, seed, likes=likes
        )
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

    return User(said, truth, settings, seed, likes=likes)


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


def _things_in(said: str) -> set[str]:
    return {mention.concept.name for mention in vocabulary().mentions(said)}


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


def _chances(seed: int, question: Question) -> tuple[float, float]:
    """Two uniform numbers in [0, 1) that belong to this question in this dialogue, whenever it is asked."""
    text = "\0".join((str(seed), question.attribute, question.about, *sorted(question.pictures)))
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=14).digest()
    return int.from_bytes(digest[:7]) / 2**56, int.from_bytes(digest[7:]) / 2**56
