"""The constants of the belief, all in one place. Read by belief, likelihood and choosing; written into session headers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from whichpic.errors import SessionError


@dataclass(frozen=True)
class BeliefSettings:
    """Sensible defaults, not yet fitted on dialogues; docs/belief.md says what was read off data.

    weights: of the fields. beta, kappa: beta_T = beta / (1 + kappa T), T = number of sentences said minus one, because
    evidence of later turns is not independent. alpha: share of the rewritten sentence. clip: no sentence counts for less
    than -clip, and past +ceiling only its logarithm counts: a word that one caption in 100,000 has would otherwise
    outweigh all that is said later. eps: how often an answer is wrong, per source. silent, certain: probability of a
    "yes" where a detector saw nothing, and where it was sure. scale: sharpness of picture choices and of encoder
    answers, in standard deviations of the album's cosines. answerable: P(user can answer), by attribute.
    """

    weights: dict[str, float] = field(
        default_factory=lambda: {"pictures": 1.0, "caption_words": 0.5, "caption_vectors": 0.8}
    )
    beta: float = 1.5
    kappa: float = 0.15
    alpha: float = 0.3
    clip: float = 2.5
    ceiling: float = 10.0
    eps: dict[str, float] = field(default_factory=lambda: {"facts": 0.08, "encoder": 0.2, "pick": 0.15, "mark": 0.15})
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
        }
    )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for the header of a session."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> BeliefSettings:
        """The settings of a header. Raises SessionError where a name is unknown."""
        try:
            settings = cls(**plain)
            values = [settings.beta, settings.kappa, settings.alpha, settings.clip, settings.silent, settings.certain]
            values += [settings.ceiling, settings.scale, *settings.weights.values(), *settings.eps.values()]
            if not all(map(math.isfinite, [*values, *settings.answerable.values()])):
                raise TypeError("a setting is not a finite number")
        except (TypeError, AttributeError) as error:
            raise SessionError(f"the session was written with other belief settings: {error}") from None
        return settings
