"""A user that is a vision-language model: it sees its target, the question and its options. Called by player.

It never sees the session: no list, no score, no rank, no other question than the one that is asked. What it says is data:
cut to a few words on one line. A model that fails is an error of the run, for a silent "not sure" would be a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from whichpic.chat.base import Decoding, Message
from whichpic.dialogue.answers import read
from whichpic.dialogue.likelihood import OTHER
from whichpic.errors import ChatError
from whichpic.prompts import listed, prompt, quoted
from whichpic.simulate.person import Reply

if TYPE_CHECKING:
    from whichpic.chat.base import Chat, PictureLike
    from whichpic.dialogue.events import Question
    from whichpic.simulate.person import Answers, Describe

_MODELS = ("pictures", "captions")
"""Askers whose questions can do without their options; those of facts are scored by an option alone."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTER = re.compile(r"\W*([A-Z])(?:\W*$|[).:,\]\n．。：，、）])|\W*([a-z])\W*$")
"""A letter by itself or before a mark: "A", "(b)", "C: a red one"; "A man" is words."""
_WORDS = 60
"""Characters of what is said beside the options; in English about ten words."""
_SENTENCE = 200
_ANSWER = Decoding(max_tokens=24)
_OPENING = Decoding(max_tokens=64)


class Eyes:
    """One person's look at one picture. `describe` says what shown pictures hold, for a question that shows some.

    answers: "options" or "words", see UserSettings.
    """

    def __init__(
        self,
        chat: Chat,
        picture: PictureLike,
        *,
        target: str,
        language: str = "en",
        describe: Describe | None = None,
        answers: Answers = "options",
    ) -> None:
        self.chat, self.picture, self.target, self.language = chat, picture, target, language
        self._describe, self._answers = describe, answers
        self._said: list[str] = []

    def opening(self, said: str | None = None) -> str:
        """What is said first, and remembered; None: the model's own short sentence. Raises ChatError, also for none."""
        said = self.describe() if said is None else said
        self._said = [said]
        return said

    def describe(self) -> str:
        """The picture in one short sentence of the model's. Raises ChatError and ChatPending."""
        if sentence := self._ask("open-as-user", _OPENING)[:_SENTENCE].strip():
            return sentence
        raise ChatError("empty", _failed(f"{self.chat.describe} described the picture by nothing"))

    def answer(self, question: Question, told: AbstractSet[str]) -> Reply:
        """An option, "not sure", or a few words beside the options. Raises ChatError and ChatPending."""
        values = [option.value for option in question.options]
        if self.target in question.pictures and self.target in values:
            return Reply(values.index(self.target))  # a person knows it again
        if self._answers == "words" and question.asker in _MODELS:
            return self._free(question)
        options = self._options(question)
        lines = "\n".join(f"{letter}. {quoted(text)}" for letter, text in zip(_LETTERS, options, strict=False))
        said = self._ask("answer-as-user", _ANSWER, question=quoted(question.text), options=lines,
                         said=self._told())  # fmt: skip
        reply = _understood(question, options, said)
        option = "" if reply.option is None else options[reply.option]
        if heard := ": ".join(part for part in (option, reply.words) if part):
            self._said.append(f"{question.text} {heard}")
        return reply

    def _free(self, question: Question) -> Reply:
        """The answer in a few words of the model's own."""
        words = self._ask("reply-as-user", _ANSWER, question=quoted(question.text), said=self._told())
        unsure = not words or read(question, words[: 2 * _WORDS]).unsure
        if unsure or not (short := _shortened(words)):
            return Reply(None)
        self._said.append(f"{question.text} {short}")
        return Reply(None, short, free=True)

    def _told(self) -> str:
        return listed(self._said[-8:]) or "-"

    def _options(self, question: Question) -> list[str]:
        """The options in words: a picture that is shown is told by what can be seen in it."""
        return [
            ", ".join(self._describe(option.value)) or option.text
            if self._describe is not None and option.value in question.pictures
            else option.text
            for option in question.options
        ]

    def _ask(self, name: str, decoding: Decoding, **values: str) -> str:
        filled = prompt(name, self.language, **values)
        messages = [Message("system", filled.system)] if filled.system else []
        messages.append(Message("user", filled.user, (self.picture,)))
        try:
            reply = self.chat.complete(messages, decoding=decoding)[0]
        except ChatError as error:
            raise ChatError(error.reason, _failed(str(error))) from None
        return quoted(reply.text, longest=1000)[1:-1].strip(" '\"`")


def _understood(question: Question, options: Sequence[str], said: str) -> Reply:
    """What the model's words mean: a letter, an option in words, "not sure", or something of its own."""
    found = _LETTER.match(said)
    if found is not None:
        place = _LETTERS.index((found[1] or found[2]).upper())
        return Reply(place if place < len(options) else None)
    same = [k for k, text in enumerate(options) if text.casefold() == said.strip(" .。").casefold()]
    if same:
        return Reply(same[0])
    reading = read(question, said[: 2 * _WORDS]) if said else None
    if reading is None or reading.unsure:
        return Reply(None)
    values = [option.value for option in question.options]
    option = reading.option if reading.option is not None else values.index(OTHER) if OTHER in values else None
    return Reply(option, _shortened(reading.rest))


def _shortened(words: str) -> str:
    """A few words: up to the end of the first sentence, and no longer than a person's answer."""
    first = re.split(r"[.!?;。！？；](?:\s|$)", words, maxsplit=1)[0].strip(" ,，'\"")
    return first if len(first) <= _WORDS else first[:_WORDS].rpartition(" ")[0] or first[:_WORDS]


def _failed(why: str) -> str:
    return f"the simulated user's model failed: {why}; what was played is kept, and the same command goes on from there"
