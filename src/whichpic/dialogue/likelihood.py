"""p(event | picture): how likely an answer, a mark or a denial would be if a picture were the target. Called by belief.

Every likelihood is mixed with chance, p = (1 - eps) p_source + eps / options, so that one wrong answer removes nobody.
Arrays run over the n pictures of the gallery; `rows` restricts them to some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.events import Marked, Question
from whichpic.errors import SessionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.dialogue.belief import BeliefSettings
    from whichpic.search.gallery import Gallery
    from whichpic.types import Floats, Rows

    Logs = NDArray[np.float64]

OTHER = "other"
"""The value of an option that means "none of the others"."""
YES, NO = "yes", "no"
COUNTS = ("1", "2", "3+")
_FLOOR = 0.05
_MISCOUNT = 0.15


def answer_likelihood(
    gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows | None = None
) -> Floats:
    """p(option | picture), float32 [n or len(rows), options]; every row sums to 1.

    Raises SessionError for a source that is not known.
    """
    rows = np.arange(gallery.n, dtype=np.int64) if rows is None else rows
    match question.source:
        case "facts":
            p = _by_facts(gallery, question, settings, rows)
        case "encoder":
            p = _by_encoder(gallery, question, settings, rows)
        case "pick":
            p = _by_pick(gallery, question, settings, rows)
        case other:
            raise SessionError(f"nothing here scores answers of the source '{other}'")
    eps = settings.eps.get(question.source, 0.2)
    mixed: Floats = ((1 - eps) * p + eps / len(question.options)).astype(np.float32)
    return mixed


def denial_likelihood(gallery: Gallery, thing: str, settings: BeliefSettings) -> Floats:
    """p("there is no such thing" | picture), float32 [n]: what a "no" to the question would be worth."""
    eps = settings.eps.get("facts", 0.1)
    p: Floats = ((1 - eps) * (1 - _yes(gallery.facts.thing(thing), settings)) + eps / 2).astype(np.float32)
    return p


def mark_likelihood(gallery: Gallery, event: Marked, settings: BeliefSettings) -> Logs:
    """log p(marks | picture), float64 [n]: softmax over the shown pictures of s * cos (Cox et al. 2000, PicHunter)."""
    known = [picture for picture in event.shown if picture in gallery.positions]
    total = np.zeros(gallery.n, dtype=np.float64)
    eps = settings.eps.get("mark", 0.15)
    cosines = _cosines(gallery, known)
    for marked, sign in ((event.more, 1.0), (event.less, -1.0)):
        p = _softmax(sign * _sharpness(gallery, settings) * cosines)
        for picture in marked:
            if picture in known:
                total += np.log((1 - eps) * p[:, known.index(picture)] + eps / len(known))
    return total


def _by_facts(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    facts = gallery.facts
    values = [option.value for option in question.options]
    if question.attribute == "thing":
        yes = _yes(facts.thing(question.about)[rows], settings)
        return np.stack([yes if value == YES else 1 - yes for value in values], axis=1)
    if question.attribute == "count":
        return _counted(facts.count(question.about)[rows], values)
    known = [value for value in values if value != OTHER]
    column = facts.thing if question.attribute == "kind" else lambda value: facts.p(question.attribute, value)
    stacked = np.stack([column(value)[rows] for value in known], axis=1).astype(np.float64)
    if OTHER in values:
        stacked = np.concatenate([stacked, np.maximum(0, 1 - stacked.sum(axis=1, keepdims=True))], axis=1)
        stacked = stacked[:, [[*known, OTHER].index(value) for value in values]]
    raised = stacked + _FLOOR
    # A picture of which the attribute is not known says nothing about the answer.
    raised[~facts.tells(question.attribute)[rows]] = 1.0
    p: Floats = raised / raised.sum(axis=1, keepdims=True)
    return p


def _yes(p: Floats, settings: BeliefSettings) -> Floats:
    yes: Floats = (settings.silent + (settings.certain - settings.silent) * p).astype(np.float32)
    return yes


def _counted(counts: Rows, values: list[str]) -> Floats:
    p = np.full((len(counts), len(values)), 1 / len(values))
    for position, value in enumerate(COUNTS):
        seen = counts == int(value[0]) if value != "3+" else counts >= 3
        p[seen] = _MISCOUNT / (len(values) - 1)
        p[seen, values.index(COUNTS[position])] = 1 - _MISCOUNT
    counted: Floats = p.astype(np.float32)
    return counted


def _by_encoder(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    # Centred and scaled per option over the album: a raw softmax would measure how popular the option is.
    texts = [option.value for option in question.options]
    z = np.stack([gallery.evidence(text)["pictures"][rows] for text in texts], axis=1)
    return _softmax(settings.scale * z)


def _by_pick(gallery: Gallery, question: Question, settings: BeliefSettings, rows: Rows) -> Floats:
    shown = [option.value for option in question.options if option.value != OTHER]
    cosines = _cosines(gallery, shown)[rows]
    if len(shown) < len(question.options):
        # "None of these" is as near as a picture one standard deviation above the usual.
        usual, spread = gallery.cosines
        column = [option.value for option in question.options].index(OTHER)
        cosines = np.insert(cosines, column, usual + spread, axis=1)
    return _softmax(_sharpness(gallery, settings) * cosines)


def _cosines(gallery: Gallery, shown: list[str]) -> Floats:
    positions = np.array([gallery.positions[picture] for picture in shown], dtype=np.int64)
    cosines: Floats = gallery.index.scores(gallery.vectors(positions)).T
    return cosines


def _sharpness(gallery: Gallery, settings: BeliefSettings) -> float:
    return settings.scale / max(gallery.cosines[1], 1e-6)


def _softmax(scores: Floats) -> Floats:
    raised = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float64))
    p: Floats = raised / raised.sum(axis=1, keepdims=True)
    return p
