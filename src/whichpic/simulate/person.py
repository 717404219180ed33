"""What a simulated user is: the target with all that is known of it, the settings, the reply. Called by all of simulate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from whichpic.errors import QueryError
from whichpic.simulate.entailment import SURE_NO, SURE_YES, Evidence
from whichpic.types import Fact

Kind = Literal["facts", "captions", "replay", "chat"]
Answers = Literal["options", "words"]
Feedback = Literal["none", "own", "target"]
Describe = Callable[[str], Sequence[str]]
"""What can be seen in a picture that is shown, as sentences, by its id."""


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
    """An answer: an option's position, or None for "not sure". `words`: what is said beside it, to be heard as well.

    free: the words answer the question itself, by somebody who saw no options.
    """

    option: int | None
    words: str = ""
    free: bool = False


@dataclass(frozen=True)
class UserSettings:
    """How a user is. errors: share of answers replaced by another option, uniformly; ignorance: share replaced by "not sure".

    kind: facts, captions, replay, or chat (a vision-language model that sees the target). feedback: none answers
    questions; own and target mark one shown picture a turn as "more like this" instead: own by what the user knows,
    target by the target's own vector, which no user knows (for reproducing query-rewriting's paper alone). answers: of a
    chat user: options, or words (of a model's question it sees no options; question and answer are heard as one text).
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
    answers: Answers = "options"
    feedback: Feedback = "none"

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise QueryError(f"no user is called '{self.kind}'; there are {', '.join(get_args(Kind))}")
        if self.evidence not in get_args(Evidence):
            raise QueryError(f"no evidence is called '{self.evidence}'; there are {', '.join(get_args(Evidence))}")
        if self.feedback not in get_args(Feedback):
            raise QueryError(f"no feedback is called '{self.feedback}'; there are {', '.join(get_args(Feedback))}")
        if self.answers not in get_args(Answers) or (self.answers == "words" and self.kind != "chat"):
            raise QueryError(
                f"answers is '{self.answers}'; a chat user's are {' or '.join(get_args(Answers))}, others' options"
            )
        if self.answers == "words" and (self.errors or self.ignorance):
            raise QueryError(
                'errors and ignorance replace one option by another; with answers = "words" there are none'
            )
        if self.feedback != "none" and self.kind == "replay":
            raise QueryError("a replay says what was recorded and marks nothing; use another user for feedback")
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


def dialogue_seed(seed: int, dialogue: str) -> int:
    """The seed of one dialogue, from the run's seed and the dialogue's id, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{dialogue}".encode("utf-8", "replace"), digest_size=4).digest())


def user_settings(plain: dict[str, Any]) -> UserSettings:
    """The settings of a recipe's [user] table. Raises QueryError where a value is of the wrong type."""
    for name, value in plain.items():
        wanted = type(getattr(UserSettings(), name))
        if not isinstance(value, wanted) and not (wanted is float and isinstance(value, int)):
            raise QueryError(f"[user] {name} is a {wanted.__name__}, not {value!r}")
    return UserSettings(**plain)
