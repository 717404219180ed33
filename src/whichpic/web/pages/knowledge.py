"""What is known of a picture and why it is where it is, as lists and small bars. Called by viewer and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whichpic.dialogue.phrases import option_text
from whichpic.errors import AlbumError
from whichpic.web import views
from whichpic.web.pages.elements import el, heading
from whichpic.web.texts import texts
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.web.pages.conversation import Page
    from whichpic.web.pages.frame import Say

LIKELY = 0.3
"""From this probability on a fact is told; the others are folded."""
FULL = 4.0
"""Nats that fill a bar, unless a reason has more."""
_ORDER = ("object", "label", "scene", "people", "main", "kind", "colour", "light", "place", "weather", "text")
_SIGNS = {"+ strong": "strong", "+ weak": "weak", "- against": "against", ". neutral": "neutral"}


async def known(page: Page, picture: str) -> tuple[views.PictureDetail, list[views.ReasonView], list[str]]:
    """All that is known of a picture, why it is where it is, and the ids of those that are much like it.

    Raises AlbumError where it is not in the album (any more).
    """
    talk = page.talk
    gallery = talk.session.gallery if talk else page.album.gallery
    at = gallery.positions.get(picture)
    if at is None:
        raise AlbumError(page.say("viewer.gone"))
    detail = views.detail_of(gallery, gallery.pictures[at])
    begun = talk is not None and page.state is not None and page.state.turns
    why = await page.site.desk.list(talk.why, picture) if talk is not None and begun else []
    alike = (gallery.groups == gallery.groups[at]).nonzero()[0].tolist()
    return detail, why, [gallery.ids[each] for each in alike if each != at]


def when(taken: str | None) -> str:
    """A date of a camera's clock, for people."""
    return (taken or "")[:16].replace("T", " ")


def fact_name(attribute: str, say: Say) -> str:
    """What a fact is about, for people: "colour of dog" -> "Colour: dog"."""
    plain, of, thing = attribute.partition(" of ")
    name = _text(f"fact.{plain}", plain, say)
    return f"{name}: {vocabulary().say(thing, say.language)}" if of else name


def fact_value(attribute: str, value: str, say: Say) -> str:
    """The value of a fact, for people."""
    if attribute in ("object", "label"):
        return vocabulary().say(value, say.language)
    return option_text(value, attribute, say.language)


def draw_facts(page: Page, facts: Sequence[views.FactView]) -> None:
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


def _list(facts: Sequence[views.FactView], say: Say) -> None:
    by: dict[str, list[views.FactView]] = {}
    for fact in sorted(facts, key=lambda fact: _ORDER.index(fact.attribute) if fact.attribute in _ORDER else 99):
        by.setdefault(fact.attribute, []).append(fact)
    with el("dl", cls="facts"):
        for attribute, each in by.items():
            el("dt", fact_name(attribute, say))
            with el("dd"), el("ul"):
                for fact in each:
                    with el("li"):
                        el("span", fact_value(attribute, fact.value, say))
                        source = _text(f"fact.source.{fact.source}", fact.source, say)
                        el("span", f"{fact.p * 100:.0f} % · {source}", cls="soft small number")


def draw_why(page: Page, reasons: Sequence[views.ReasonView]) -> None:
    """What each event does for a picture, as signed bars."""
    say = page.say
    if not reasons:
        return
    heading(3, say("viewer.why"))
    most = max([FULL, *(abs(each.value) for each in reasons if each.value is not None)])
    with el("ul", cls="why"):
        for each in reasons:
            part = 1.0 if each.value is None else abs(each.value) / most
            against = each.value is None or each.value < 0
            with el("li", cls="minus" if against else "", style=f"--part:{part:.3f}"):
                el("span", reason_text(each, say))
                el("span", say(f"why.{_SIGNS.get(each.sign, 'neutral')}"), cls="number small")
    el("p", say("viewer.why.note"), cls="soft small")


def reason_text(reason: views.ReasonView, say: Say) -> str:
    """What an event was, in the page's language; what the user said stays as it was said."""
    match reason.kind:
        case "marked":
            key = "both" if reason.more and reason.less else "more" if reason.more else "less"
        case "filtered out" | "denied" | "together" | "hinted" | "looked at" | "ruled out":
            key = reason.kind.replace(" ", "_")
        case _:
            return reason.text
    return say(f"why.{key}", text=reason.text, more=reason.more, less=reason.less)


def _text(key: str, usual: str, say: Say) -> str:
    return say(key) if key in texts(say.language) else usual
