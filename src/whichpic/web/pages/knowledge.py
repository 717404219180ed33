"""What is known of a picture and why it is where it is, as lists and small bars. Called by viewer and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whichpic.dialogue.phrases import option_text
from whichpic.web.pages.elements import el, heading
from whichpic.web.texts import texts
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.web.pages.conversation import Page
    from whichpic.web.pages.frame import Say
    from whichpic.web.views import FactView, ReasonView

LIKELY = 0.3
FULL = 4.0
"""Nats that fill a bar, unless a reason has more."""
_SIGNS = {"+ strong": "strong", "+ weak": "weak", "- against": "against", ". neutral": "neutral"}


def when(taken: str | None) -> str:
    """A date of a camera's clock for people."""
    return (taken or "")[:16].replace("T", " ")


def fact_name(attribute: str, say: Say) -> str:
    """What a fact is about, for people: "colour of dog" -> "colour: dog"."""
    plain, of, thing = attribute.partition(" of ")
    key = f"fact.{plain}"
    name = say(key) if key in texts(say.language) else plain
    return f"{name}: {vocabulary().say(thing, say.language)}" if of else name


def fact_value(attribute: str, value: str, say: Say) -> str:
    """The value of a fact, for people."""
    if attribute in ("object", "label"):
        return vocabulary().say(value, "zh") if say.language == "zh" else value
    return option_text(value, attribute, say.language)


def draw_facts(page: Page, facts: Sequence[FactView]) -> None:
    """Facts by what they are about, likely ones first and the others folded."""
    say = page.say
    if not facts:
        return
    heading(3, say("viewer.facts"))
    likely = [fact for fact in facts if fact.p >= LIKELY]
    rest = [fact for fact in facts if fact.p < LIKELY]
    _list(likely, say)
    if rest:
        with el("details"):
            el("summary", say("viewer.unlikely", n=len(rest)))
            _list(rest, say)


def _list(facts: Sequence[FactView], say: Say) -> None:
    by: dict[str, list[FactView]] = {}
    for fact in facts:
        by.setdefault(fact.attribute, []).append(fact)
    with el("dl", cls="facts"):
        for attribute, each in by.items():
            el("dt", fact_name(attribute, say))
            with el("dd"), el("ul"):
                for fact in each:
                    with el("li", title=say("viewer.source", source=fact.source)):
                        el("span", fact_value(attribute, fact.value, say))
                        el("span", f" {fact.p * 100:.0f} %", cls="soft small number")
                        el("span", f" {fact.source}", cls="soft small")


def draw_why(page: Page, reasons: Sequence[ReasonView]) -> None:
    """What each event does for a picture, as signed bars."""
    say = page.say
    if not reasons:
        return
    heading(3, say("viewer.why"))
    most = max([FULL, *(abs(each.value) for each in reasons if each.value is not None)])
    with el("ul", cls="why"):
        for each in reasons:
            part = 1.0 if each.value is None else abs(each.value) / most
            with el("li", cls="minus" if each.value is None or each.value < 0 else "", style=f"--part:{part:.3f}"):
                el("span", reason_text(each, say))
                el("span", say(f"why.{_SIGNS.get(each.sign, 'neutral')}"), cls="number small")
    el("p", say("viewer.why.note"), cls="soft small")


def reason_text(reason: ReasonView, say: Say) -> str:
    """What an event was, in the page's language; what the user said stays as it was said."""
    if say.language == "en":
        return reason.what
    if reason.value is None:
        return say("why.filtered")
    return reason.what
