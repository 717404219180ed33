"""Asking the askers, within a deadline: where models fail, facts propose. Called by session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from whichpic.dialogue.asking import JUDGED, Asker, askers
from whichpic.dialogue.refining import trouble
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.events import Question, Record
    from whichpic.dialogue.judging import OnFault
    from whichpic.dialogue.refining import Models
    from whichpic.search.gallery import Gallery

Propose = Callable[[str, float], "list[Question]"]
"""The proposals of askers by their names, with so many seconds to make them."""
WITHOUT = "facts,pick"
"""The askers that need no model: they ask where those that do fail, or have nothing to ask."""

UNCHECKED = "its question is asked, and its answers were not compared"
"""What is said where a model asked and then failed at a step that costs no question."""


def asks_a_model(names: str) -> bool:
    """Whether one of the askers of a comma-separated list needs a model."""
    return not {name.strip() for name in names.split(",")} <= {*WITHOUT.split(","), ""}


def built(
    names: str,
    models: Models,
    *,
    seconds: float,
    seed: int = 0,
    choose_by: str = "eig",
    on_fault: OnFault | None = None,
) -> tuple[Asker, ...]:
    """The askers of a comma-separated list of names. Raises QueryError for a name that there is not, or without its chat.

    choose_by: the chooser. `first` compares nothing, so that no candidate is looked at for it beforehand.
    """
    return askers(
        names, chat=models.chat, pictures=models.pictures, sampler=models.sampler, deadline=seconds, seed=seed,
        judged=0 if choose_by == "first" else JUDGED, on_fault=on_fault,
    )  # fmt: skip


def proposing(
    gallery: Gallery, belief: Belief, records: Sequence[Record], models: Models, *, language: str, seed: int,
    choose_by: str = "eig", on_fault: OnFault | None = None,
) -> Propose:  # fmt: skip
    """What asks the askers of a session in its state of now. on_fault: told of faults that cost a step, but no question."""

    def propose(names: str, seconds: float) -> list[Question]:
        each = built(names, models, seconds=seconds, seed=seed, choose_by=choose_by, on_fault=on_fault)
        return [question for ask in each for question in ask(gallery, belief, records, language)]

    return propose


def proposed(names: str, propose: Propose, *, seconds: float) -> tuple[list[Question], str]:
    """What the askers propose within so many seconds, and one line where a model failed. Raises ChatPending.

    Of the time that is left every asker of a model gets an equal share.
    """
    if not asks_a_model(names):
        return propose(names, seconds), ""
    ends = perf_counter() + seconds
    found: list[Question] = []
    failed = ""
    each = names.split(",")
    ahead = sum(map(asks_a_model, each))
    for name in each:
        share = (ends - perf_counter()) / max(ahead, 1)
        ahead -= asks_a_model(name)
        try:
            if asks_a_model(name) and share <= 0:
                raise ChatError("timeout", "no time is left")
            found += propose(name, share)
        except ChatError as error:
            failed = failed or trouble(error)
    return found or propose(WITHOUT, seconds), failed
