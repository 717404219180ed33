"""The constants of the belief, all in one place. Read by belief, likelihood and choosing; written into session headers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from whichpic.errors import SessionError
from whichpic.settings import settings as user_settings

REWRITERS = ("join", "reconstruct", "expand", "slerp")
NEED_A_MODEL = ("reconstruct", "expand")
"""The rewriters that ask a chat."""
_TABLES = ("weights", "reply_weights", "eps", "answerable", "alphas")
_SHARES = ("eps", "answerable", "silent", "certain", "alpha", "alphas")
_POSITIVE = ("beta", "kappa", "reply_beta", "reply_kappa", "clip", "ceiling", "scale", "rerank")


@dataclass(frozen=True)
class BeliefSettings:
    """Fitted on dialogues by `whichpic fit`; `BeliefSettings.fitted(encoder)` reads what was fitted for an encoder.

    weights: of the fields, for what the user says; reply_weights: for what the user answers in words to a question that
    was put in words. kappa, reply_kappa: S sentences together count S / (1 + kappa (S - 1)), for what is said later is
    not independent. beta: sharpness of all evidence of texts; reply_beta: what is left of it once there are replies,
    which overlap with what was said. rewriter: what folds all that was said into one sentence; alpha: the share of that
    sentence where it is `join`'s, alphas: where it is another's, and that of a liked picture's caption ("caption"). rerank:
    weight of what a model said of the pictures that it looked at. clip: no sentence counts for less than
    -clip, and past +ceiling only its logarithm counts: a word that one caption in 100,000 has would otherwise outweigh
    all that is said later. eps: how often an answer is wrong, per source. silent, certain: probability of a "yes" where
    a detector saw nothing, and where it was sure. scale: sharpness of picture choices and of encoder answers, in standard
    deviations of the album's cosines. answerable: P(user can answer), by attribute. none_fits: below so many nats
    (`Belief.fits`) nothing in the album fits; None where that cannot be told well enough.
    """

    weights: dict[str, float] = field(default_factory=lambda: {"pictures": 1.0, "text_words": 0.3, "text_vectors": 1.0})
    reply_weights: dict[str, float] = field(
        default_factory=lambda: {"pictures": 0.5, "text_words": 0.1, "caption_vectors": 0.2, "text_vectors": 0.2}
    )
    beta: float = 1.5
    kappa: float = 0.15
    reply_beta: float = 1.0
    reply_kappa: float = 0.5
    rewriter: str = "join"
    alpha: float = 0.0
    alphas: dict[str, float] = field(
        default_factory=lambda: {"reconstruct": 0.25, "expand": 0.3, "slerp": 0.1, "caption": 0.2}
    )
    rerank: float = 1.0
    clip: float = 2.5
    ceiling: float = 10.0
    eps: dict[str, float] = field(
        default_factory=lambda: {"facts": 0.08, "encoder": 0.2, "pick": 0.15, "mark": 0.15, "names": 0.1, "chat": 0.2}
    )
    silent: float = 0.08
    certain: float = 0.97
    scale: float = 1.5
    answerable: dict[str, float] = field(
        default_factory=lambda: {
            "people": 0.9,
            "thing": 0.85,
            "scene": 0.85,
            "kind": 0.6,
            "place": 0.9,
            "count": 0.7,
            "colour": 0.5,
            "light": 0.6,
            "pick": 0.6,
            "main": 0.85,
            "weather": 0.7,
            "text": 0.7,
            "position": 0.7,
            "level": 0.6,
            "size": 0.6,
            "else": 0.8,
            "around": 0.65,
            "background": 0.45,
            "detail": 0.55,
            "asked": 0.7,
        }
    )
    none_fits: float | None = None

    @classmethod
    def fitted(cls, encoder: str) -> BeliefSettings:
        """What was fitted for an encoder (its id, or the name before the first dash); the defaults where nothing was.

        A file that `whichpic fit` wrote and WHICHPIC_BELIEF names goes before what comes with whichpic.
        """
        own = user_settings().belief
        if own is not None:
            return read_belief(own)
        return cls.of(_shipped().get(encoder.partition("-")[0], {}).get("settings", {}))

    @classmethod
    def of(cls, given: Mapping[str, Any], *, usual: BeliefSettings | None = None) -> BeliefSettings:
        """`usual` (the defaults) with what is given; of a table (weights, eps, ...) the entries that are given.

        Raises SessionError for a constant that there is not, or that is no finite number.
        """
        base = (usual or cls()).to_json()
        unknown = sorted(set(given) - set(base))
        if unknown:
            raise SessionError(f"the belief has no setting '{unknown[0]}'; known are: {', '.join(base)}")
        try:
            both = {key: {**base[key], **value} if isinstance(value, dict) else value for key, value in given.items()}
        except TypeError:
            raise SessionError("a constant of the belief that is one number was given as a table") from None
        return cls.from_json({**base, **both})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for the header of a session."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> BeliefSettings:
        """Settings as they were written. Raises SessionError where a name is unknown or a value makes no sense."""
        try:
            settings = cls(**plain)
            if settings.rewriter not in REWRITERS:
                raise TypeError(f"no rewriter is called {settings.rewriter!r}; there are {', '.join(REWRITERS)}")
            odd = [name for name in _TABLES if not isinstance(getattr(settings, name), dict)]
            if odd:
                raise TypeError(f"{odd[0]} is a table")
            flat = {name: value for name, value in vars(settings).items() if not isinstance(value, dict)}
            tables = {name: dict(value) for name, value in vars(settings).items() if isinstance(value, dict)}
            flat |= {f"{table}.{key}": value for table, each in tables.items() for key, value in each.items()}
        except (TypeError, AttributeError) as error:
            raise SessionError(f"the belief settings are not those of this version: {error}") from None
        for name, value in flat.items():
            if (name == "none_fits" and value is None) or name == "rewriter":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise SessionError(f"the belief's {name} is {value!r}; expected a finite number")
            if name.partition(".")[0] in _SHARES and not 0 <= value <= 1:
                raise SessionError(f"the belief's {name} is {value}; expected a share from 0 to 1")
            if name in _POSITIVE and value < 0:
                raise SessionError(f"the belief's {name} is {value}; expected a number from 0 on")
        return settings


def read_belief(path: str | Path) -> BeliefSettings:
    """The constants of a file: what `whichpic fit` wrote, or only those that differ. Raises SessionError."""
    try:
        content = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SessionError(f"the belief settings {path} cannot be read: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("settings", {}), dict):
        raise SessionError(f"the belief settings {path} are no JSON object of settings")
    return BeliefSettings.of(content.get("settings", content))


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Any]:
    """What `whichpic fit` found, by the encoder's name, with where it comes from."""
    path = Path(__file__).parents[1] / "data" / "belief.json"
    shipped: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return shipped
