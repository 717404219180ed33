"""Fits the belief's constants on dialogues whose target is known. Called by cli/fit and benchmarks.

What texts weigh is fitted by maximum likelihood of the target at every turn, with a penalty on dialogues that end worse
than they began; sharpness by the coverage of the 90 % set; what answers are worth by how often they were right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.dialogue.belief import believe
from whichpic.dialogue.constants import BeliefSettings
from whichpic.dialogue.events import Record, Said
from whichpic.errors import ExtraMissing, QueryError
from whichpic.evaluate.fitting_answers import fit_answers
from whichpic.evaluate.fitting_models import fit_models
from whichpic.evaluate.replaying import Told, halves, replay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.evaluate.replaying import Heard
    from whichpic.evaluate.run import Run
    from whichpic.search.gallery import Gallery

    Doubles = NDArray[np.float64]

HARM = 2.5
"""Weight of the penalty: the log rank that a dialogue loses from its first turn to its last, against one nat a turn."""
_HARD, _EASY = 150, 150
"""Competitors of each target: those that score best, and some of the others, which count for all of those."""
_RIDGE = 1e-3


@dataclass(frozen=True)
class Features:
    """The fields' scores of each dialogue's sentences, for its target (first) and its competitors.

    own, replies: float32 [dialogues, turns, candidates, fields], summed over the sentences heard so far. own_count,
    reply_count: int64 [dialogues, turns]. offset: float64 [candidates], the log of how many pictures each stands for.
    """

    fields: tuple[str, ...]
    own: NDArray[np.float32]
    replies: NDArray[np.float32]
    own_count: NDArray[np.int64]
    reply_count: NDArray[np.int64]
    offset: Doubles


def fitted(
    gallery: Gallery,
    dialogues: Sequence[Heard],
    start: BeliefSettings,
    *,
    what: str = "both",
    harm: float = HARM,
    seed: int = 0,
    told: Told | None = None,
) -> BeliefSettings:
    """The constants fitted on these dialogues: of texts, of answers, of models, or of all that the dialogues tell of.

    Raises QueryError and ExtraMissing.
    """
    if what not in ("texts", "answers", "models", "both"):
        raise QueryError(f"there is nothing called '{what}' to fit; there are texts, answers, models and both")
    settings = start
    if what in ("answers", "both"):
        settings = fit_answers(gallery, dialogues, settings)
    if what in ("texts", "both"):
        settings = fit_texts(gallery, dialogues, settings, harm=harm, seed=seed, told=told)
    if what in ("models", "both"):
        settings = fit_models(gallery, dialogues, settings)
    return settings


def cross_fitted(
    gallery: Gallery,
    dialogues: Sequence[Heard],
    start: BeliefSettings,
    *,
    what: str = "both",
    harm: float = HARM,
    seed: int = 0,
    told: Told | None = None,
) -> Run:
    """All dialogues replayed with constants that were fitted on the half of the pictures that theirs is not in."""
    first, second = halves(dialogues, seed)
    by_id: dict[str, BeliefSettings] = {}
    for learn, read in ((first, second), (second, first)):
        settings = fitted(gallery, learn, start, what=what, harm=harm, seed=seed, told=told)
        by_id |= {dialogue.id: settings for dialogue in read}
    settings_of = [by_id[dialogue.id] for dialogue in dialogues]
    return replay(gallery, dialogues, settings_of, name="cross-fitted", told=told)


def fit_texts(
    gallery: Gallery,
    dialogues: Sequence[Heard],
    start: BeliefSettings,
    *,
    harm: float = HARM,
    seed: int = 0,
    told: Told | None = None,
) -> BeliefSettings:
    """weights, reply_weights, kappa, reply_kappa, beta and reply_beta from what was said; the rest stays as in `start`.

    What the dialogues do not tell (no replies, one sentence each, a field that the album lacks) stays as it was, too.
    Raises QueryError for fewer than 20 dialogues, ExtraMissing without scipy.
    """
    if len(dialogues) < 20:
        raise QueryError(f"{len(dialogues)} dialogues are too few to fit anything on; give at least 20")
    features = gather(gallery, dialogues, start, seed=seed, told=told)
    fitted = _optimised(features, start, harm)
    return _sharpened(gallery, dialogues, fitted)


def gather(
    gallery: Gallery,
    dialogues: Sequence[Heard],
    start: BeliefSettings,
    *,
    seed: int = 0,
    told: Told | None = None,
) -> Features:
    """The features of the sentences; competitors are those that score best with the weights of `start`."""
    rng = np.random.default_rng(seed)
    turns = max(len(dialogue.turns) for dialogue in dialogues)
    fields = tuple(gallery.evidence("a picture"))
    hard = min(_HARD, (gallery.n - 1) // 2)
    easy = min(_EASY, gallery.n - 1 - hard)
    shape = (len(dialogues), turns, 1 + hard + easy, len(fields))
    own, replies = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    counts = np.zeros((2, len(dialogues), turns), np.int64)
    for row, dialogue in enumerate(dialogues):
        target = gallery.positions[dialogue.target]
        heard = [[event for event in turn if isinstance(event, Said) and event.text] for turn in dialogue.turns]
        scores = [[(event, gallery.evidence(event.text)) for event in turn] for turn in heard]
        rough = np.zeros(gallery.n)
        for event, z in (each for turn in scores for each in turn):
            weights = start.reply_weights if event.asked else start.weights
            rough += sum((weights.get(name, 0.0) * z[name] for name in fields), np.zeros(gallery.n))
        chosen = _competitors(rough, target, hard, easy, rng)
        for turn in range(turns):
            for event, z in scores[turn] if turn < len(scores) else ():
                kind = int(bool(event.asked))
                (own, replies)[kind][row, turn:] += np.stack([z[name][chosen] for name in fields], axis=-1)
                counts[kind, row, turn:] += 1
        if told is not None:
            told("hear", row + 1, len(dialogues))
    offset = np.zeros(shape[2])
    offset[1 + hard :] = np.log((gallery.n - 1 - hard) / max(easy, 1))
    return Features(fields, own, replies, counts[0], counts[1], offset)


def _competitors(rough: Doubles, target: int, hard: int, easy: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rough = rough.copy()
    rough[target] = -np.inf
    order = np.argpartition(-rough, hard - 1)
    others = order[hard:]
    drawn = rng.choice(others[others != target], easy, replace=False)
    return np.concatenate([[target], order[:hard], drawn]).astype(np.int64)


class _Objective:
    """Loss and gradient over (weights, reply weights, log kappa, log reply_kappa, log of the opening's extra sharpness)."""

    def __init__(self, features: Features, start: BeliefSettings, harm: float) -> None:
        self.x, self.harm = features, harm
        self.f = len(features.fields)
        self.replied = bool(features.reply_count.max())
        self.several = bool(features.own_count.max() > 1)
        self.beta = start.beta
        first = [start.weights.get(name, 0.0) * start.beta for name in features.fields]
        later = [start.reply_weights.get(name, 0.0) * start.beta for name in features.fields]
        self.start = np.array([*first, *later, np.log(start.kappa), np.log(start.reply_kappa), 0.0])
        # What the data cannot tell has no gradient and so stays.
        self.free = np.ones(len(self.start), np.bool_)
        self.free[self.f : 2 * self.f] = self.replied
        self.free[2 * self.f] = self.several
        self.free[2 * self.f + 1] = bool(features.reply_count.max() > 1)
        self.free[2 * self.f + 2] = self.replied

    def __call__(self, theta: Doubles) -> tuple[float, Doubles]:
        x, f = self.x, self.f
        w, v = theta[:f], theta[f : 2 * f]
        kappa, reply_kappa, extra = np.exp(theta[2 * f :])
        later = np.maximum(x.own_count - 1, 0), np.maximum(x.reply_count - 1, 0)
        share = [1 / (1 + k * n) for k, n in zip((kappa, reply_kappa), later, strict=True)]
        said = (x.own @ w.astype(np.float32)).astype(np.float64)
        told = (x.replies @ v.astype(np.float32)).astype(np.float64)
        alone = np.where(x.reply_count == 0, extra if self.replied else 1.0, 1.0)
        mixed = share[0][..., None] * said + share[1][..., None] * told
        logs = alone[..., None] * mixed
        loss, slope = self._loss(logs)
        loss += _RIDGE * float(w @ w + v @ v)
        scaled = slope * alone[..., None]
        gradient = np.zeros_like(theta)
        gradient[:f] = self._against(scaled * share[0][..., None], x.own) + 2 * _RIDGE * w
        gradient[f : 2 * f] = self._against(scaled * share[1][..., None], x.replies) + 2 * _RIDGE * v
        for at, (k, part, n, s) in enumerate(
            ((kappa, said, later[0], share[0]), (reply_kappa, told, later[1], share[1]))
        ):
            gradient[2 * f + at] = -float((scaled * part * (n * s**2)[..., None]).sum()) * k
        opening = (x.reply_count == 0)[..., None]
        gradient[2 * f + 2] = float((slope * mixed * opening).sum()) * extra
        return loss, np.where(self.free, gradient, 0.0)

    def _against(self, slope: Doubles, values: NDArray[np.float32]) -> Doubles:
        return np.asarray(slope.reshape(-1).astype(np.float32) @ values.reshape(-1, self.f), dtype=np.float64)

    def _loss(self, logs: Doubles) -> tuple[float, Doubles]:
        """Mean over dialogues and turns of -log p(target), and the penalty on log rank lost; with its slope in `logs`."""
        counted = logs + self.x.offset
        top = counted.max(axis=2, keepdims=True)
        raised = np.exp(counted - top)
        total = raised.sum(axis=2, keepdims=True)
        nll = np.log(total[..., 0]) + top[..., 0] - counted[..., 0]
        slope = raised / total
        slope[..., 0] -= 1
        slope /= nll.size
        loss = float(nll.mean())
        if self.harm and logs.shape[1] > 1:
            first, by_first = _log_rank(logs[:, 0], self.x.offset)
            last, by_last = _log_rank(logs[:, -1], self.x.offset)
            worse = (last > first)[:, None] * (self.harm / len(logs))
            loss += self.harm * float(np.maximum(last - first, 0).mean())
            slope[:, 0] -= worse * by_first
            slope[:, -1] += worse * by_last
        return loss, slope


def _log_rank(logs: Doubles, offset: Doubles) -> tuple[Doubles, Doubles]:
    """A smooth log rank of the first column, ln(1 + sum of sigmoids of 2 (other - target)), and its slope."""
    ahead = 1 / (1 + np.exp(-2 * (logs[:, 1:] - logs[:, :1])))
    many = np.exp(offset[1:])
    rank = 1 + (ahead * many).sum(axis=1)
    slope = np.zeros_like(logs)
    slope[:, 1:] = 2 * ahead * (1 - ahead) * many / rank[:, None]
    slope[:, 0] = -slope[:, 1:].sum(axis=1)
    return np.log(rank), slope


def _optimised(features: Features, start: BeliefSettings, harm: float) -> BeliefSettings:
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise ExtraMissing("fitting", "lab") from None
    objective = _Objective(features, start, harm)
    bounds = [(None, None)] * (2 * objective.f) + [(np.log(1e-3), np.log(10.0))] * 2 + [(-1.0, 1.0)]
    found = minimize(objective, objective.start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    theta, f = np.asarray(found.x), objective.f
    # beta stays what it was; the weights carry the scale, the opening's extra sharpness included.
    extra = float(np.exp(theta[-1])) if objective.replied else 1.0
    scale = extra / start.beta
    weights = dict(zip(features.fields, (round(float(w) * scale, 4) for w in theta[:f]), strict=True))
    replies = dict(zip(features.fields, (round(float(v) * scale, 4) for v in theta[f : 2 * f]), strict=True))
    settings = replace(start, weights={**start.weights, **weights}, kappa=round(float(np.exp(theta[2 * f])), 4))
    if objective.replied:
        settings = replace(settings, reply_weights={**start.reply_weights, **replies}, reply_beta=round(1 / extra, 4),
                           reply_kappa=round(float(np.exp(theta[2 * f + 1])), 4))  # fmt: skip
    return settings


@dataclass(frozen=True, slots=True)
class _State:
    """One moment of a dialogue: what its sentences come to, and what everything else does; float32 [pictures] each."""

    texts: NDArray[np.float32]
    rest: NDArray[np.float32]
    target: int
    own: int
    replies: int


def _sharpened(
    gallery: Gallery, dialogues: Sequence[Heard], settings: BeliefSettings, *, level: float = 0.9
) -> BeliefSettings:
    """Sharpness by coverage: the set that claims 90 % holds 90 % of the targets.

    After one sentence (beta, as the scale of the weights), after several (kappa) and after replies (reply_beta).
    """
    states = [state for dialogue in dialogues for state in _states(gallery, dialogue, settings)]
    once = _temperature([state for state in states if not state.replies and state.own == 1], level)
    several = [state for state in states if not state.replies and state.own > 1]
    replied = [state for state in states if state.replies]
    kappa = settings.kappa
    if len(several) >= 20:
        more = float(np.mean([state.own for state in several])) - 1
        kept = _temperature(several, level) / once / (1 + kappa * more)
        kappa = round(float(np.clip((1 / kept - 1) / more, 0.0, 10.0)), 4)
    fields = set(gallery.evidence("a picture"))  # what the album lacks keeps the weight it had
    weights, replies = (
        {name: round(weight * once, 4) if name in fields else weight for name, weight in table.items()}
        for table in (settings.weights, settings.reply_weights)
    )
    settings = replace(settings, weights=weights, kappa=kappa)
    if not replied:
        return settings
    reply_beta = round(settings.reply_beta * _temperature(replied, level) / once, 4)
    return replace(settings, reply_weights=replies, reply_beta=reply_beta)


def _states(gallery: Gallery, dialogue: Heard, settings: BeliefSettings) -> list[_State]:
    states: list[_State] = []
    records: list[Record] = []
    target = gallery.positions[dialogue.target]
    for turn in dialogue.turns:
        records += [Record(len(records) + k, event) for k, event in enumerate(turn)]
        parts = {True: np.zeros(gallery.n), False: np.zeros(gallery.n)}
        for part in believe(gallery, records, settings).parts:
            parts[part.kind in ("said", "together")] += part.values
        said = [record.event for record in records if isinstance(record.event, Said)]
        replies = sum(1 for event in said if event.asked)
        texts, rest = parts[True].astype(np.float32), parts[False].astype(np.float32)
        states.append(_State(texts, rest, target, len(said) - replies, replies))
    return states


def _temperature(states: Sequence[_State], level: float) -> float:
    """What the sentences have to be multiplied by for the `level` sets to hold that share of the targets."""
    low, high = 0.2, 5.0
    if not states:
        return 1.0
    for _ in range(12):
        middle = float(np.sqrt(low * high))
        held = np.mean([_holds(middle * state.texts + state.rest, state.target, level) for state in states])
        low, high = (middle, high) if held > level else (low, middle)
    return float(np.sqrt(low * high))


def _holds(log: NDArray[np.float32], target: int, level: float) -> bool:
    """Whether the smallest set of `level` holds the target: what is more probable than it sums to less than that."""
    p = np.exp(log - log.max())
    return bool(p[p > p[target]].sum() < level * p.sum())


def none_fits(fits: Doubles | None, absent: Doubles | None) -> dict[str, Any]:
    """How well "nothing here fits" can be told: AUROC by turn, and the threshold that 5 % of true searches fall below.

    fits, absent: `Belief.fits` with the target in the album and without it, float64 [dialogues, turns]. The threshold is
    None, and nothing is said to the user, where the AUROC is not above 0.7 at every turn.
    """
    from whichpic.evaluate.calibration import auroc

    if fits is None or absent is None:
        return {"auroc": [], "threshold": None, "told_when_absent": None}
    by_turn = [round(auroc(fits[:, turn], absent[:, turn]), 4) for turn in range(fits.shape[1])]
    good = min(by_turn) > 0.7
    threshold = round(float(np.quantile(fits, 0.05)), 4) if good else None
    said = float((absent < threshold).mean()) if threshold is not None else None
    return {"auroc": by_turn, "threshold": threshold, "told_when_absent": said}


def changed(before: BeliefSettings, after: BeliefSettings) -> Mapping[str, Any]:
    """The constants that differ, for a file of settings."""
    old, new = before.to_json(), after.to_json()
    return {name: value for name, value in new.items() if value != old[name]}
