"""p(event | picture): how likely an answer, a mark or a denial would be if a picture were the target. Called by belief.

Every likelihood is mixed with chance, p = (1 - eps) p_source + eps / options, so that one wrong answer removes nobody.
Arrays run over the n pictures of the gallery; `rows` restricts them to some.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.events import Marked, Question
from whichpic.dialogue.naming import naming_likelihood
from whichpic.errors import SessionError
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.search.gallery import Gallery
    from whichpic.types import Floats, Rows

    Logs = NDArray[np.float64]

OTHER = "other"
"""The value of an option that means "none of the others"."""
YES, NO = "yes", "no"
COUNTS = ("0", "1", "2", "3+")
_FLOOR = 0.05
"""What a fact about one of many values leaves to each of the others, where eps has no "value"."""
_MISCOUNT = 0.15
"""How often a detector's count is off, where eps has no "count"."""
_IMPOSSIBLE = 1e-9
OVERLOOKED = 1e-4
"""How often "none of these" is said though it is there. Not fitted: so small that others are shown also where the belief was
sure, for that is what is asked for; who has overlooked it says undo, or more."""
_CLIP = 4.0
"""Standard deviations that a statement's fit counts up to, either way."""
_BAR, _TOP = 0.6, 0.99
"""A "no", and "something else", fit as well as so much of what the best hundredth of the album fits the other options:
a statement that few pictures fit must be fitted better before it is a yes (docs/askers.md)."""


def answer_likelihood(
    gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows | None = None
) -> Floats:
    """p(option | picture), float32 [n or len(rows), options]; every row sums to 1.

    Raises SessionError for a source that is not known, and for a question without options.
    """
    if not question.options:
        raise SessionError(f'the question "{question.text}" has no options')
    rows = np.arange(gallery.n, dtype=np.int64) if rows is None else rows
    match question.source:
        case "facts":
            p = _by_facts(gallery, question, settings, rows)
        case "encoder":
            p = _by_encoder(gallery, question, settings, rows)
        case "names":
            p = _by_naming(gallery, question, settings, rows)
        case "pick":
            p = _by_pick(gallery, question, settings, rows)
        case "chat":
            return _by_chat(gallery, question, settings, rows)
        case other:
            raise SessionError(f"nothing here scores answers of the source '{other}'")
    eps = settings.eps.get(question.attribute, settings.eps.get(question.source, 0.2))
    mixed: Floats = ((1 - eps) * p + eps / len(question.options)).astype(np.float32)
    return mixed


def denial_likelihood(gallery: Gallery, thing: str, settings: BeliefSettings) -> Floats:
    """p("there is no such thing" | picture), float32 [n]: what a "no" to the question would be worth.

    A colour, a light or a place is denied just so: "not red", "not indoors".
    """
    concept = vocabulary().get(thing)
    is_thing = concept is None or concept.kind in ("thing", "scene")
    there = gallery.facts.thing(thing) if is_thing or concept is None else gallery.facts.p(concept.kind, thing)
    eps = settings.eps.get("facts", 0.1)
    p: Floats = ((1 - eps) * (1 - _yes(there, settings)) + eps / 2).astype(np.float32)
    return p


def mark_likelihood(gallery: Gallery, event: Marked, settings: BeliefSettings) -> Logs:
    """log p(marks | picture), float64 [n]: softmax over the shown pictures of s * cos (Cox et al. 2000, PicHunter).

    A picture that has no vector says nothing, neither as one that is shown nor as the one that is looked for. Less like all
    that is shown means that it is none of them, nor of their near-duplicates: nothing is said of the others.
    """
    if event.none:
        groups = gallery.groups
        shown = [groups[gallery.positions[picture]] for picture in event.shown if picture in gallery.positions]
        return np.where(np.isin(groups, shown), math.log(OVERLOOKED), math.log(1 - OVERLOOKED))
    known = [picture for picture in dict.fromkeys(event.shown) if _comparable(gallery, picture)]
    total = np.zeros(gallery.n, dtype=np.float64)
    if len(known) < 2:
        return total
    eps = settings.eps.get("mark", 0.15)
    sharp = _sharpness(gallery, settings) * _cosines(gallery, known)
    for marked, sign in ((event.more, 1.0), (event.less, -1.0)):
        chosen = [known.index(picture) for picture in marked if picture in known]
        if chosen:
            p = _softmax(sign * sharp)
            p[:, ~gallery.indexed] = 1 / len(known)
            total += safe_log((1 - eps) * p[chosen] + eps / len(known)).sum(axis=0)
    return total


def safe_log(p: Floats) -> Logs:
    """The logarithm as float64, finite whatever the settings are: an eps of 0 could say that something is impossible."""
    logs: Logs = np.log(np.maximum(p.astype(np.float64), _IMPOSSIBLE))
    return logs


def _by_facts(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    facts = gallery.facts
    values = [option.value for option in question.options]
    if question.attribute == "thing":
        yes = _yes(facts.thing(question.about)[rows], settings)
        agreeing = values.count(YES)
        each = {True: yes / max(agreeing, 1), False: (1 - yes) / max(len(values) - agreeing, 1)}
        return np.stack([each[value == YES] for value in values], axis=1)
    if question.attribute == "count":
        yes = _yes(facts.thing(question.about)[rows], settings)
        return _counted(facts.count(question.about)[rows], yes, values, settings.eps.get("count", _MISCOUNT))
    known = list(dict.fromkeys(value for value in values if value != OTHER))
    stated = question.attribute != "kind" or facts.known.get("kind", 0) >= facts.n
    column = (lambda value: facts.p(question.attribute, value)) if stated else facts.thing
    stacked = np.zeros((len(values), len(rows)), dtype=np.float64)
    for value in known:
        p_value, places = column(value)[rows], [k for k, other in enumerate(values) if other == value]
        stacked[places] = p_value / len(places)
    others = [k for k, value in enumerate(values) if value == OTHER]
    stacked[others] = np.maximum(0, 1 - stacked.sum(axis=0)) / max(len(others), 1)
    untold = ~facts.tells(question.attribute)[rows]
    if question.about and others:
        # A picture without the thing is answered by "another, or there is none".
        stacked[:, untold] = 0.0
        stacked[others[0], untold] = 1.0
    stacked += max(settings.eps.get("value", _FLOOR), _IMPOSSIBLE)
    # A picture of which the attribute is not known says nothing about the answer.
    if not (question.about and others):
        stacked[:, untold] = 1.0
    p: Floats = (stacked / stacked.sum(axis=0)).T
    return p


def _yes(p: Floats, settings: BeliefSettings) -> Floats:
    yes: Floats = (settings.silent + (settings.certain - settings.silent) * p).astype(np.float32)
    return yes


def _counted(counts: Rows, yes: Floats, values: list[str], miscount: float) -> Floats:
    """Where the detector counted, that number, give or take; where it saw none, "none" as far as a "no" goes."""
    p = np.full((len(counts), len(values)), 1 / len(values), dtype=np.float32)
    for value in COUNTS[1:] if len(values) > 1 else ():
        if value in values:
            seen = counts == int(value) if value != "3+" else counts >= 3
            p[seen] = miscount / (len(values) - 1)
            p[seen, values.index(value)] = 1 - miscount
    if "0" in values and len(values) > 1:
        unseen = counts == 0
        p[unseen] = (yes[unseen] / (len(values) - 1))[:, None]
        p[unseen, values.index("0")] = 1 - yes[unseen]
    return p


def _by_naming(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    """Of an open question; its last column is what "something else" and every option that is no thing share."""
    values = [option.value for option in question.options]
    names = list(dict.fromkeys(value for value in values if value != OTHER))
    named = naming_likelihood(gallery, names, settings, rows)
    columns = [named[:, names.index(value) if value != OTHER else -1] / values.count(value) for value in values]
    stacked = np.stack(columns, axis=1)
    p: Floats = stacked / np.maximum(stacked.sum(axis=1, keepdims=True), _IMPOSSIBLE)
    return p


def _by_encoder(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    # Centred and scaled per option over the album: a raw softmax would measure how popular the option is.
    stated = [option.value for option in question.options if option.value not in (NO, OTHER)]
    fits = {value: _fit(gallery, value, settings) for value in stated}
    bars = [_BAR * max(float(np.quantile(fit, _TOP)), 0) for fit in fits.values()]
    bar = np.full(len(rows), np.mean(bars) if bars else 0, dtype=np.float32)
    z = [fits[option.value][rows] if option.value in fits else bar for option in question.options]
    return _softmax(settings.scale * np.stack(z)).T


def _fit(gallery: Gallery, value: str, settings: BeliefSettings) -> Floats:
    """How well each picture fits an option's statement, in standard deviations over the album, float32 [n].

    All fields count, with the weights of what a user says; a denial is the opposite of what it denies, since no encoder
    understands "no".
    """
    denied = [mention.concept.name for mention in vocabulary().mentions(value) if mention.negated]

    def made() -> Floats:
        total = np.zeros(gallery.n, dtype=np.float64)
        for name, z in gallery.evidence(", ".join(denied) or value).items():
            total += settings.weights.get(name, 0.0) * z
        spread = float(total.std())
        fit: Floats = np.clip((total - total.mean()) / max(spread, _IMPOSSIBLE), -_CLIP, _CLIP).astype(np.float32)
        return -fit if denied else fit

    return gallery.kept(("fit", value, repr(settings)), made)


def _by_chat(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    """As a model judged the pictures that it looked at, and by the encoder elsewhere; each with the errors of its source."""
    options = len(question.options)
    eps = np.full((len(rows), 1), settings.eps.get("encoder", 0.2))
    p = _by_encoder(gallery, question, settings, rows).astype(np.float64)
    for picture, judged in question.told:
        at = np.flatnonzero(rows == gallery.positions.get(picture, -1))
        total = sum(judged)
        # One that has left the album, or a table that was made for other options, says nothing.
        if len(at) and len(judged) == options and total > 0 and min(judged) >= 0:
            p[at], eps[at] = np.array(judged) / total, settings.eps.get("chat", 0.2)
    mixed: Floats = ((1 - eps) * p + eps / options).astype(np.float32)
    return mixed


def _by_pick(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    usual, spread = gallery.cosines
    cosines = np.full((len(question.options), len(rows)), usual, dtype=np.float32)
    shown = []
    for place, option in enumerate(question.options):
        if option.value == OTHER:
            # "None of these" is as near as a picture one standard deviation above the usual.
            cosines[place] = usual + spread
        elif _comparable(gallery, option.value):
            shown.append(place)  # one that has left the album since stays at the usual
    if shown:
        cosines[shown] = _cosines(gallery, [question.options[place].value for place in shown], rows)
    p = _softmax(_sharpness(gallery, settings) * cosines)
    p[:, ~gallery.indexed[rows]] = 1 / len(question.options)
    return p.T


def _comparable(gallery: Gallery, picture: str) -> bool:
    position = gallery.positions.get(picture)
    return position is not None and bool(gallery.indexed[position])


def _cosines(gallery: Gallery, shown: list[str], rows: Rows | None = None) -> Floats:
    """Cosines of the shown pictures with all pictures, or those of `rows`, float32 [shown, n or len(rows)]."""
    positions = np.array([gallery.positions[picture] for picture in shown], dtype=np.int64)
    return gallery.index.scores(gallery.vectors(positions), rows)


def _sharpness(gallery: Gallery, settings: BeliefSettings) -> float:
    return settings.scale / gallery.cosines[1]


def _softmax(scores: Floats) -> Floats:
    """Over the first axis: the pictures lie side by side, which is many times faster for an album of them."""
    raised = np.exp(scores - scores.max(axis=0))
    p: Floats = raised / raised.sum(axis=0)
    return p
