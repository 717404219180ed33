"""Waiting for a model on a terminal: a status line while it thinks, and Ctrl-C to go on without it. Called by talk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from whichpic.errors import SessionError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from whichpic.dialogue import Session

T = TypeVar("T")

STOPPED = "stopped waiting for the model; asked from facts"


def waited(session: Session, ask: Callable[[], T], text: str) -> T:
    """What `ask` gives. Ctrl-C while it runs: the model is asked nothing more in this turn, and `ask` runs without it."""
    if session.models.chat is None:
        return ask()
    try:
        with _status(text):
            return ask()
    except KeyboardInterrupt:
        from whichpic.chat.base import cancel

        cancel(session.models.chat)  # of looks side by side, others may wait still, and hold the end of the program
        session.hurry(STOPPED)
        return ask()


def check_models(chat: object | None, *, rewriter: str, rerank: int) -> None:
    """Raises SessionError, in one line, where something was asked for that needs a model and there is none."""
    if chat is not None:
        return
    from whichpic.dialogue.constants import NEED_A_MODEL

    needs = f"the rewriter '{rewriter}'" if rewriter in NEED_A_MODEL else f"--rerank {rerank}" if rerank else ""
    if needs:
        raise SessionError(f"{needs} needs a model: say which one with --chat URL_OR_MODEL")


def _status(text: str) -> AbstractContextManager[Any]:
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(text)
