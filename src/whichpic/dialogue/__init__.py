"""The conversation: events, the belief they lead to, questions, and the session that holds them. Called by cli and web."""

from whichpic.dialogue.belief import Belief, believe
from whichpic.dialogue.constants import BeliefSettings
from whichpic.dialogue.events import Answered, Chosen, Event, Filtered, Marked, Option, Question, Said, Term
from whichpic.dialogue.session import Session
from whichpic.dialogue.showing import Shown

__all__ = [
    "Answered",
    "Belief",
    "BeliefSettings",
    "Chosen",
    "Event",
    "Filtered",
    "Marked",
    "Option",
    "Question",
    "Said",
    "Session",
    "Shown",
    "Term",
    "believe",
]
