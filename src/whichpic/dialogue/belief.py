"""The belief: log-probabilities over the pictures, a pure function of (gallery, events, settings). Called by session.

    log b(i) = beta_T * E_T(i) + sum over answers, marks and denials of log p(event | i);  filters are a mask

The formula and its reasons are in the design, section 2. Every summand is kept as a Part, so that each picture's place
can be explained event by event; the parts add up to the log belief exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from whichpic.dialogue.constants import BeliefSettings
from whichpic.dialogue.denoise import agreeing
from whichpic.dialogue.events import Answered, Filtered, Marked, Record, Said, Term
from whichpic.dialogue.likelihood import answer_likelihood, denial_likelihood, mark_likelihood, safe_log
from whichpic.dialogue.rewriting import SLERP, denied_thing, heard_and_settled, rewritten, slerp
from whichpic.errors import SessionError
from whichpic.search.base import top
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.search.gallery import Gallery
    from whichpic.types import Floats, Rows

    Logs = NDArray[np.float64]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """What one record adds to the log belief: `values` float64 [n]. `n` is the record's number, -1 for all together.

    what: its words. more, less: how many pictures it names, for and against.
    """

    n: int
    kind: Literal["said", "denied", "together", "hinted", "looked at", "answered", "marked", "ruled out"]
    what: str
    values: Logs
    more: int = 0
    less: int = 0


@dataclass(frozen=True)
class Belief:
    """Log-probabilities over the pictures, not normalised, and the parts they are the sum of."""

    parts: tuple[Part, ...]
    mask: Mask

    @cached_property
    def log(self) -> Logs:
        """The sum of the parts, float64 [n]; -inf where a filter excludes the picture."""
        total = np.zeros(len(self.mask), dtype=np.float64)
        for part in self.parts:
            total += part.values
        total[~self.mask] = -np.inf
        return _locked(total)

    @property
    def fits(self) -> float:
        """How much better the best picture fits than an average one, in nats: small where nothing here fits.

        It is not a probability: a softmax over the album cannot say "none of these".
        """
        return self.fits_without(-1)

    def fits_without(self, position: int) -> float:
        """`fits` as if the album did not have the picture at this position: what it would be if nothing fitted."""
        mask = self.mask.copy()
        if position >= 0:
            mask[position] = False
        if not mask.any():
            return 0.0
        log = self.log[mask]
        return float(log.max() - log.mean())

    @cached_property
    def p(self) -> Logs:
        """Probabilities, float64 [n], summing to 1; all 0 where the filters leave nothing."""
        if not self.mask.any():
            return _locked(np.zeros(len(self.mask)))
        raised = np.exp(self.log - self.log.max())
        return _locked(raised / raised.sum())

    def best(self, k: int) -> Rows:
        """Positions of the k most probable pictures, best first."""
        return top(self.log, k)

    def credible(self, level: float = 0.9) -> Rows:
        """The smallest set of pictures that holds the target with probability `level`, most probable first."""
        k = 64
        while True:
            best = self.best(k)
            held = np.cumsum(self.p[best])
            if len(best) < k or (len(held) and held[-1] >= level):
                return best[: int(np.searchsorted(held, level)) + 1]
            k *= 4


def believe(gallery: Gallery, records: Sequence[Record], settings: BeliefSettings) -> Belief:
    """The belief after the records that still count. Raises QueryError or SessionError where one does not fit."""
    parts = [*_said(gallery, records, settings), *_hinted(gallery, records, settings)]
    parts += _looked_at(gallery, records, settings)
    mask = np.ones(gallery.n, dtype=np.bool_)
    for record in records:
        event = record.event
        if isinstance(event, Answered) and event.option is not None:
            if not 0 <= event.option < len(event.question.options):
                raise SessionError(f'the question "{event.question.text}" has no option {event.option + 1}')
            label = f"{event.question.text} {event.question.options[event.option].text}"
            parts.append(Part(record.n, "answered", label, _kept(gallery, event, settings)))
        elif isinstance(event, Marked):
            kind: Literal["marked", "ruled out"] = "ruled out" if event.none else "marked"
            values = _kept(gallery, event, settings)
            parts.append(Part(record.n, kind, "", values, more=len(event.more), less=len(event.less)))
        elif isinstance(event, Filtered):
            anew = event.instead or not event.conditions
            mask = (np.ones_like(mask) if anew else mask) & gallery.passing(event.conditions)
    mask.flags.writeable = False
    return Belief(tuple(parts), mask)


def _kept(gallery: Gallery, event: Answered | Marked, settings: BeliefSettings) -> Logs:
    """log p(event | picture), float64 [n]; made at the turn of the event, and only looked up at the later ones."""

    def made() -> Logs:
        if isinstance(event, Marked):
            return mark_likelihood(gallery, event, settings)
        return safe_log(answer_likelihood(gallery, event.question, settings)[:, event.option])

    return gallery.kept((event, repr(settings)), made)


def _locked(logs: Logs) -> Logs:
    """The array, no longer to be written to: a belief is a value."""
    logs.flags.writeable = False
    return logs


def _said(gallery: Gallery, records: Sequence[Record], settings: BeliefSettings) -> list[Part]:
    """The text evidence E_T, tempered, as one part per sentence and one for all of them rewritten as one."""
    said = [(record, record.event) for record in records if isinstance(record.event, Said)]
    parts: list[Part] = []
    heard: list[tuple[Record, Said, Floats]] = []
    for record, event in said:
        evidence, denials = said_evidence(gallery, event, settings)
        for what, values in denials:
            parts.append(Part(record.n, "denied", what, _locked(safe_log(values))))
        if evidence is not None:
            heard.append((record, event, evidence))
    if not heard:
        return parts
    replies = sum(1 for _, event, _ in heard if event.asked)
    own = len(heard) - replies
    share = {
        False: 1 / (1 + settings.kappa * max(own - 1, 0)),
        True: 1 / (1 + settings.reply_kappa * max(replies - 1, 0)),
    }
    beta = settings.beta * (settings.reply_beta if replies and own else 1.0)
    # Only what was said in words is in the rewritten sentence: a picture keeps all of its weight.
    worded = [(record, event) for record, event, _ in heard if event.text]
    sentence, together, alpha = _together(gallery, records, worded, settings)
    for record, event, evidence in heard:
        weight = beta * share[bool(event.asked)] * (1 - alpha if event.text else 1.0)
        parts.append(Part(record.n, "said", _words_of(event), _locked(weight * evidence.astype(np.float64))))
    if together is not None:
        weight = beta * alpha * sum(share[bool(event.asked)] for _, event in worded)
        parts.append(Part(-1, "together", sentence, _locked(weight * together.astype(np.float64))))
    return parts


def _together(
    gallery: Gallery, records: Sequence[Record], worded: Sequence[tuple[Record, Said]], settings: BeliefSettings
) -> tuple[str, Floats | None, float]:
    """All that was said as one: the sentence, its evidence (None where there is none) and its share.

    The rewriter's where it has heard everything, that of `join` where not.
    """
    if not worded:
        return "", None, 0.0
    if settings.rewriter == "slerp":
        if len(worded) < 2:
            return "", None, 0.0
        fields = gallery.vector_evidence(walked(gallery, [event for _, event in worded]))
        walk = _bounded(_weighted(gallery, fields, settings.weights), settings)
        return "the vectors of all that was said", walk, settings.alphas.get("slerp", 0.0)
    sentence = rewritten(records)
    alpha = settings.alphas.get(settings.rewriter, settings.alpha)
    if settings.rewriter == "join" or not sentence:
        sentence, alpha = worded[-1][0].rewritten if len(worded) > 1 else "", settings.alpha
    if not sentence or not alpha:
        return "", None, 0.0
    together = said_evidence(gallery, Said.of(sentence), settings)[0]
    return sentence, together, 0.0 if together is None else alpha


def walked(gallery: Gallery, said: Sequence[Said]) -> Floats:
    """The query vector after all sentences, float32 [dim]: every one turns it towards itself (MERLIN). Denials are left out."""
    vector: Floats | None = None
    for event in said:
        text = without_denials(event.text)[0]
        if text:
            fresh = gallery.text_vector(text)
            vector = fresh if vector is None else slerp(vector, fresh, SLERP)
    return gallery.text_vector(said[-1].text) if vector is None else vector


def _hinted(gallery: Gallery, records: Sequence[Record], settings: BeliefSettings) -> list[Part]:
    """Captions of liked pictures, where no rewriter has them in its sentence: an event enters by one channel only."""
    weight = settings.beta * settings.alphas.get("caption", 0.0)
    if not weight:
        return []
    merged = -1  # up to this record
    if settings.rewriter == "expand" and rewritten(records):
        merged = max(k for k, record in enumerate(records) if record.noted and record.noted.rewritten)
    later = records[merged + 1 :]
    told = [(record.n, text) for record in later if record.noted for _, text in record.noted.captions]
    if not told:
        return []
    said, settled = heard_and_settled(record.event for record in records)
    parts = []
    for n, caption in told:
        text = agreeing(caption, said, settled=settled)
        evidence = said_evidence(gallery, Said.of(text), settings)[0] if text else None
        if evidence is not None:
            # However many were liked, together they count as one.
            values = weight / len(told) * evidence.astype(np.float64)
            parts.append(Part(n, "hinted", text, _locked(values)))
    return parts


def _looked_at(gallery: Gallery, records: Sequence[Record], settings: BeliefSettings) -> list[Part]:
    """What a model said of pictures that it looked at: log-odds above the mean of those looked at together.

    A picture that was not looked at gets 0, as an average one of those: that all of twelve are a "no" says nothing against
    them and for the rest, but one "yes" among them is raised, and the eleven fall below the rest. Of several looks at a
    picture the last one counts, for each has heard all that was said before. p is mixed with chance as an answer's is.
    """
    last = {picture: record.n for record in records if record.noted for picture, _ in record.noted.reranked}
    parts = []
    eps = settings.eps.get("chat", 0.2)
    for record in records:
        looked = [pair for pair in (record.noted.reranked if record.noted else ()) if pair[0] in gallery.positions]
        if not looked or not settings.rerank:
            continue
        p = (1 - eps) * np.array([p for _, p in looked]) + eps / 2
        odds = np.log(np.maximum(p, 1e-9) / np.maximum(1 - p, 1e-9))
        odds = np.clip(odds - odds.mean(), -settings.clip, settings.clip)
        values = np.zeros(gallery.n, dtype=np.float64)
        for (picture, _), each in zip(looked, odds.tolist(), strict=True):
            if last[picture] == record.n:
                values[gallery.positions[picture]] = settings.rerank * each
        if not values.any():
            continue
        parts.append(Part(record.n, "looked at", "", _locked(values), more=len(looked)))
    return parts


def _words_of(event: Said) -> str:
    return f"{event.asked} " * bool(event.asked) + ", ".join(str(term) for term in event.terms)


def said_evidence(
    gallery: Gallery, event: Said, settings: BeliefSettings
) -> tuple[Floats | None, list[tuple[str, Floats]]]:
    """Evidence of one sentence, float32 [n], clipped below, and what it denies ("no dog") as (name, likelihood [n]).

    None where nothing but a denial was said. What is denied is scored by the facts and not given to the encoder, which
    does not understand "no".
    """
    if event.asked:
        return _reply(gallery, event, settings)
    total = np.zeros(gallery.n, dtype=np.float32)
    denials: list[tuple[str, Floats]] = []
    heard = False
    for term in event.terms:
        if not math.isfinite(term.weight):
            raise SessionError(f"the weight of '{term}' is not a finite number")
        text = term.text
        if text and term.weight > 0 and gallery.facts.known:
            text, denied = without_denials(text)
            denials += [(name, denial_likelihood(gallery, name, settings)) for name in denied]
        if text or not term.text:
            total += term.weight * _term(gallery, term, text, settings)
            heard = True
    return (_bounded(total, settings) if heard else None), denials


def _reply(gallery: Gallery, event: Said, settings: BeliefSettings) -> tuple[Floats | None, list[tuple[str, Floats]]]:
    """A reply counts as one text with its question, unless it only denies what was asked for and facts can score that."""
    denied = denied_thing(event.asked, ", ".join(term.text for term in event.terms)) if gallery.facts.known else None
    if denied is not None:
        return None, [(denied, denial_likelihood(gallery, denied, settings))]
    fields = gallery.evidence(event.text)
    return _bounded(_weighted(gallery, fields, settings.reply_weights), settings), []


def _bounded(total: Floats, settings: BeliefSettings) -> Floats:
    # Continuous and rising, so that no two pictures change places.
    over = np.log1p(np.maximum(total - settings.ceiling, 0))
    bounded: Floats = np.clip(total, -settings.clip, settings.ceiling) + over
    return bounded


def _term(gallery: Gallery, term: Term, text: str, settings: BeliefSettings) -> Floats:
    if text:
        return _weighted(gallery, gallery.evidence(text), settings.weights)
    if term.vector:
        try:
            vector = term.floats()
        except ValueError:
            raise SessionError(f"the recorded vector of the picture {term.name} is damaged") from None
        if vector.shape != (gallery.encoder.dim,) or not np.isfinite(vector).all():
            raise SessionError(f"the picture {term.name} was encoded by another encoder than {gallery.encoder.id}")
    elif term.picture in gallery.positions:
        vector = gallery.picture_vector(gallery.positions[term.picture])
    else:
        raise SessionError(f"the album no longer has the picture {term.picture or term.name}")
    z = gallery.kept(("like", term.vector, term.picture), lambda: gallery.likeness(vector))
    like: Floats = np.float32(settings.weights.get("pictures", 1.0)) * z
    return like


def _weighted(gallery: Gallery, fields: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    weighted: Floats = np.zeros(gallery.n, dtype=np.float32)
    for name, z in fields.items():
        weighted += weights.get(name, 0.0) * z
    return weighted


def without_denials(text: str) -> tuple[str, tuple[str, ...]]:
    """A sentence without what it denies, and the names of what it denies ("a beach, no people" -> "a beach", person)."""
    denied = [mention for mention in vocabulary().mentions(text) if mention.negated]
    if not denied:
        return text, ()
    left, cut = "", 0
    for mention in denied:
        left += text[cut : min(mention.clause, mention.start)] if mention.clause >= cut else ""
        cut = mention.end
    left = (left + text[cut:]).strip(" ,;.，。；、")
    return left, tuple(dict.fromkeys(mention.concept.name for mention in denied))
