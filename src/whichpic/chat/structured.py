"""Replies with a structure: a schema for those who can, and one validated repair for those who cannot. Called by every Chat."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Choices, Message, Reply
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.base import Schema

_LONGEST = 200_000
"""Characters of a reply that are looked through for JSON."""


def validated(ask: Callable[[Sequence[Message]], Reply], messages: Sequence[Message], schema: Schema | None) -> Reply:
    """The reply with its validated `value`; one that does not follow the schema is sent back once, with what is wrong.

    Raises ChatError("schema") where the second one does not either.
    """
    reply = ask(messages)
    if schema is None:
        return reply
    try:
        return replace(reply, value=parse(reply.text, schema))
    except ChatError as error:
        wish = json.dumps(schema.model_json_schema(), ensure_ascii=False)
        again = ask(
            [
                *messages,
                Message("assistant", reply.text[:4000]),
                Message(
                    "user", f"That was not what was asked for: {error}. Reply with JSON alone, of this schema: {wish}"
                ),
            ]
        )
        return replace(
            again,
            value=parse(again.text, schema),
            repaired=True,
            tokens_in=reply.tokens_in + again.tokens_in,
            tokens_out=reply.tokens_out + again.tokens_out,
            seconds=reply.seconds + again.seconds,
        )


def parse(text: str, schema: Schema) -> Any:
    """The first JSON object in a text that follows the schema: models wrap it in words and in code fences.

    Raises ChatError("not json") or ChatError("schema") with the first thing that is wrong.
    """
    from pydantic import ValidationError

    found = None
    decoder = json.JSONDecoder()
    text = text[:_LONGEST]
    start = text.find("{")
    problem: ChatError | None = None
    for _ in range(20):
        if start < 0:
            break
        try:
            found, end = decoder.raw_decode(text, start)
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


def _begins(text: str, word: str) -> bool:
    return text.startswith(word) and not text[len(word) : len(word) + 1].isalnum()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line[:60]}…'" if len(line) > 60 else f"'{line}'"
