"""Relevance feedback of simulated users: which shown picture is most like the target. Called by users and parallel.

A user judges by what it knows: its own words beside what can be seen in the shown pictures. The published protocol of
query-rewriting looks at the target's own vector instead, which no user knows: that is `oracle`, and never the default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from whichpic.errors import QueryError
from whichpic.words import vocabulary

if TYPE_CHECKING:
    from whichpic.search.gallery import Gallery
    from whichpic.simulate.entailment import Dense

Likeness = Callable[[str], float]
"""How like the target a shown picture (its id) is; larger is more."""
ORACLE = (
    "oracle: the user's feedback is chosen by the cosine to the target's own vector, which no user knows; these figures "
    "are upper bounds"
)


def most_like(
    shown: Sequence[str], marked: AbstractSet[str], likeness: Likeness, *, least: float = float("-inf")
) -> str | None:
    """The shown picture that is most like the target and was not marked before, ties by place in the list; None for none.

    query-rewriting takes the nearest five and the first unvisited of them, and the last again when all five were
    visited; here an unvisited one is found as long as there is any.
    """
    left = [(likeness(picture), -place, picture) for place, picture in enumerate(shown) if picture not in marked]
    near = [each for each in left if each[0] > least]
    return max(near)[2] if near else None


def by_words(texts: Sequence[str], describe: Callable[[str], Sequence[str]], dense: Dense | None) -> Likeness:
    """Likeness of what a user would say of its target to what can be seen in another picture.

    By the text encoder's cosine where there is one, else by the things that both name (Jaccard).
    """
    own = _concepts(texts)

    def likeness(picture: str) -> float:
        seen = tuple(describe(picture))
        if not seen:
            return 0.0
        if dense is not None:
            return dense.nearest(", ".join(seen), texts)
        others = _concepts(seen)
        return len(own & others) / len(own | others) if own | others else 0.0

    return likeness


def oracle(gallery: Gallery, target: str) -> Likeness:
    """Cosine to the target's own vector: query-rewriting's simulated user, which peeks. Raises QueryError without vectors."""
    import numpy as np

    position = gallery.positions[target]
    if not gallery.indexed[position]:
        raise QueryError(f'feedback = "target" needs the target\'s vector, and {target} has none; use feedback = "own"')
    cosines = gallery.index.scores(gallery.picture_vector(position))
    known = np.where(gallery.indexed, cosines, -np.inf)
    return lambda picture: float(known[gallery.positions[picture]])


def _concepts(texts: Sequence[str]) -> frozenset[str]:
    words = vocabulary()
    named = {mention.concept.name for text in texts for mention in words.mentions(text) if not mention.negated}
    return frozenset(named.union(*(words.ancestors(name) for name in named)))
