"""Replies with a structure: a schema for those who can, and one validated repair for those who cannot. Called by every Chat."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Choices, Message, Reply
from whichpic.errors import ChatError
from whichpic.prompts import prompt

if TYPE_CHECKING:
    from whichpic.chat.base import Schema

_LONGEST = 200_000
"""Characters of a reply that are kept, and looked through for JSON."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>\s*", re.DOTALL)


def validated(
    ask: Callable[[Sequence[Message]], Reply],
    messages: Sequence[Message],
    schema: Schema | None,
    *,
    first: Reply | None = None,
) -> Reply:
    """The reply with its validated `value`; one that does not follow the schema is sent back once, with what is wrong.

    first: the first reply, where it is there already. Raises ChatError("schema") or ChatError("not json") where the
    second one does not follow it either.
    """
    reply = ask(messages) if first is None else first
    if schema is None:
        return reply
    try:
        return replace(reply, value=_parsed(reply, schema))
    except ChatError as error:
        language = language_of(messages)
        wish = prompt("json-again", language, wrong=str(error), schema=written(schema)).user
        again = ask([*messages, Message("assistant", reply.text[:4000]), Message("user", wish)])
        return replace(
            again,
            value=_parsed(again, schema),
            repaired=True,
            tokens_in=reply.tokens_in + again.tokens_in,
            tokens_out=reply.tokens_out + again.tokens_out,
            seconds=reply.seconds + again.seconds,
        )


def with_schema(messages: Sequence[Message], schema: Schema) -> list[Message]:
    """The conversation, its last message saying what JSON is wanted: for those who are not held to a schema."""
    *before, last = messages
    text = prompt("json-reply", language_of(messages), text=last.text, schema=written(schema)).user
    return [*before, replace(last, text=text)]


def written(schema: Schema) -> str:
    """The JSON schema of a schema, as it stands in a prompt."""
    return json.dumps(schema.model_json_schema(), ensure_ascii=False)


def language_of(messages: Sequence[Message]) -> str:
    """The language of the last message, "en" or "zh": what is added to a conversation is said in it."""
    return "zh" if messages and any("\u4e00" <= each <= "\u9fff" for each in messages[-1].text) else "en"


def cleaned(text: str) -> str:
    """What a model said, as text: no control characters but tabs and line breaks, no thoughts before it, not endless."""
    return _CONTROL.sub("", _THOUGHT.sub("", text[: 2 * _LONGEST]))[:_LONGEST].strip()


def printable_part(text: str) -> str:
    """A piece of a stream without control characters; blanks at its ends belong to it."""
    return _CONTROL.sub("", text)


def parse(text: str, schema: Schema) -> Any:
    """The first JSON object in a text that follows the schema: models wrap it in words and in code fences.

    Its texts are without control characters, which JSON can spell out ("\\u001b") where a reply itself has none.
    Raises ChatError("not json") or ChatError("schema") with the first thing that is wrong.
    """
    from pydantic import ValidationError

    decoder = json.JSONDecoder()
    text = text[:_LONGEST]
    start = text.find("{")
    problem: ChatError | None = None
    for _ in range(20):
        if start < 0:
            break
        try:
            found, end = decoder.raw_decode(text, start)
            found = _printable(found)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        try:
            return schema.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the object"
            problem = problem or ChatError("schema", f"the reply does not follow the schema: {where}: {first['msg']}")
        start = text.find("{", end)
    raise problem or ChatError("not json", f"the reply is not JSON: {_short(text)}")


def one_of(messages: Sequence[Message], choices: Sequence[str | tuple[str, ...]]) -> list[Message]:
    """The conversation, its last message asking for one of the choices and nothing else."""
    *before, last = messages
    language = language_of(messages)
    listed = ("、" if language == "zh" else ", ").join(labels(choices))
    return [*before, replace(last, text=prompt("choose-one", language, question=last.text, choices=listed).user)]


def labels(choices: Sequence[str | tuple[str, ...]]) -> list[str]:
    """What each choice is called: its first spelling."""
    return [choice if isinstance(choice, str) else choice[0] for choice in choices]


def chosen(said: Sequence[str], choices: Sequence[str | tuple[str, ...]]) -> Choices:
    """Mass 1 for the choice that each reply begins with, 0 for all where it begins with none; marked as not exact."""
    import numpy as np

    mass = np.zeros((len(said), len(choices)))
    for row, text in enumerate(said):
        words = text.strip().strip("\"'*`.(").casefold()
        # The longest first: "not sure" before "no".
        found = max(
            ((len(spelling), column) for column, choice in enumerate(choices) for spelling in spellings(choice)
             if _begins(words, spelling.casefold())),
            default=None,
        )  # fmt: skip
        if found is not None:
            mass[row, found[1]] = 1.0
    return Choices(mass, exact=False)


def spellings(choice: str | tuple[str, ...]) -> tuple[str, ...]:
    """The ways in which a choice may be written: as given, in lower case, capitalised and in capitals."""
    given = (choice,) if isinstance(choice, str) else choice
    ways = [way for each in given for way in (each, each.lower(), each.capitalize(), each.upper())]
    return tuple(dict.fromkeys(ways))


def mass_of(top: Sequence[tuple[str, float]], choices: Sequence[str | tuple[str, ...]]) -> tuple[list[float], float]:
    """The mass of each choice by the likeliest first tokens, (text, log-probability), and the mass that cannot be told.

    A token counts for the choice that it spells, or that it is the beginning of ("um" of "umbrella"); one that could be
    the beginning of several choices cannot be told apart, and neither can a single letter that is no choice.
    """
    ways = [[way.casefold().strip() for way in spellings(choice)] for choice in choices]
    mass, unclear = [0.0] * len(choices), 0.0
    for text, logprob in top:
        token = text.replace("\u2581", " ").replace("\u0120", " ").strip().strip("\"'*`").casefold()
        if not token or not logprob <= 0.01:  # NaN, too
            continue
        share = math.exp(min(logprob, 0.0))
        whole = [column for column, each in enumerate(ways) if token.rstrip(".,!。，") in each]
        begun = [column for column, each in enumerate(ways) if any(way.startswith(token) for way in each)]
        if whole:
            mass[whole[0]] += share
        elif len(begun) == 1 and (len(token) > 1 or ord(token) > 0x2E80):
            mass[begun[0]] += share
        elif begun:
            unclear += share
    return mass, unclear


def distinct(choices: Sequence[str | tuple[str, ...]]) -> bool:
    """Whether the first word tells the choices apart: "red car" and "red bus" it does not."""
    firsts = [{way.casefold().split()[0] for way in spellings(choice) if way.split()} for choice in choices]
    return all(not firsts[i] & firsts[j] for i in range(len(firsts)) for j in range(i))


def _parsed(reply: Reply, schema: Schema) -> Any:
    try:
        return parse(reply.text, schema)
    except ChatError as error:
        if reply.finish != "length":
            raise
        raise ChatError(error.reason, f"{error}; it was cut at {reply.tokens_out or 'the most'} tokens") from None


def _begins(text: str, word: str) -> bool:
    follows = text[len(word) : len(word) + 1]
    return text.startswith(word) and not (follows.isalnum() and follows.isascii())


def _printable(value: Any) -> Any:
    """The same value, no text in it, and no name, with control characters or half a character."""
    match value:
        case str():
            return _CONTROL.sub("", value)
        case list():
            return [_printable(each) for each in value]
        case dict():
            return {_printable(name): _printable(each) for name, each in value.items()}
    return value


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line[:60]}…'" if len(line) > 60 else f"'{line}'"
