"""Where the target stands, by counting and never by sorting: how many pictures score higher, how many the same.

Called by whoever scores dialogues; every metric starts from these two counts, so that ties are never arbitrary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from whichpic.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Floats, Rows

Ties = Literal["optimistic", "pessimistic", "mean"]
_BLOCK_BYTES = 16 << 20  # scores in memory at a time: what a processor's last cache holds


@dataclass(frozen=True)
class Ranks:
    """The target's place after every turn of every dialogue.

    better, ties: int64 [dialogues, turns], pictures that score strictly higher than the target, and OTHER pictures
    that score the same. pool: pictures searched. ids: one per dialogue, distinct. played: bool [dialogues, turns],
    False where the dialogue had ended before that turn; the last played counts are carried there, so a by-turn figure
    is over all dialogues at every turn.

    A target that was not among the `depth` pictures retrieved has no magic rank: it is anywhere in the rest, which
    is better = depth, ties = pool - depth - 1. Raises QueryError where the arrays contradict each other.
    """

    better: Rows
    ties: Rows
    pool: int
    ids: tuple[str, ...]
    played: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = self.better.shape
        if len(shape) != 2 or not shape[0] or not shape[1]:
            raise QueryError(f"ranks of shape {shape}: expected [dialogues, turns], at least one of each")
        if self.ties.shape != shape or self.played.shape != shape or len(self.ids) != shape[0]:
            raise QueryError(f"ranks of {shape} dialogues x turns: ties, played and ids must have as many")
        if len(set(self.ids)) != len(self.ids):
            twice = next(name for k, name in enumerate(self.ids) if name in self.ids[:k])
            raise QueryError(f"two dialogues are called {twice!r}; give every dialogue an id of its own")
        if int(self.better.min()) < 0 or int(self.ties.min()) < 0 or int((self.better + self.ties).max()) >= self.pool:
            raise QueryError(f"counts outside a pool of {self.pool}: better and ties leave room for the target itself")
        if not self.played[:, 0].all() or bool((self.played[:, 1:] & ~self.played[:, :-1]).any()):
            raise QueryError("a dialogue is played from turn 0 without a gap; after its end it stays ended")

    @classmethod
    def carried(
        cls,
        dialogues: Sequence[Sequence[tuple[int, int]]],
        *,
        pool: int,
        ids: Sequence[str],
        turns: int | None = None,
    ) -> Ranks:
        """Ranks of dialogues of different lengths, each a list of (better, ties) by turn.

        The last of a shorter dialogue is carried to `turns` (default: the longest), and marked as not played there;
        a longer one is cut. Raises QueryError for a dialogue without a turn.
        """
        if not dialogues or not all(dialogues):
            raise QueryError("a dialogue without a single turn cannot be ranked; leave it out")
        length = turns or max(len(dialogue) for dialogue in dialogues)
        places = [[dialogue[min(t, len(dialogue) - 1)] for t in range(length)] for dialogue in dialogues]
        counts = np.array(places, dtype=np.int64)
        played = np.arange(length) < np.array([[len(dialogue)] for dialogue in dialogues])
        return cls(counts[:, :, 0], counts[:, :, 1], pool, tuple(ids), played)

    @property
    def turns(self) -> int:
        """How many turns there are, turn 0 included."""
        return int(self.better.shape[1])

    def rank(self, ties: Ties = "mean") -> NDArray[np.float64]:
        """1-based rank, float64 [dialogues, turns].

        optimistic: before all that score the same, better + 1. pessimistic: after them, better + 1 + ties.
        mean: its expectation over a random order of them, better + 1 + ties / 2; it need not be a whole number.
        """
        share = {"optimistic": 0.0, "pessimistic": 1.0, "mean": 0.5}.get(ties)
        if share is None:
            raise QueryError(f"no rule for ties is called {ties!r}: optimistic, pessimistic or mean")
        return self.better + 1.0 + share * self.ties

    def take(self, rows: Sequence[int] | Rows) -> Ranks:
        """Some of the dialogues, by position, in the order given."""
        at = np.asarray(rows, dtype=np.int64)
        return Ranks(self.better[at], self.ties[at], self.pool, tuple(self.ids[k] for k in at), self.played[at])


def count_ranks(scores: NDArray[np.floating], target: int) -> tuple[int, int]:
    """How many of `scores` [n] are higher than that of the target, and how many OTHERS equal it: (better, ties).

    A picture that was filtered out scores -inf. Raises QueryError for a score that is not a number.
    """
    own = scores[target]
    better = int(np.count_nonzero(scores > own))
    ties = int(np.count_nonzero(scores == own)) - 1
    if ties < 0 or bool(np.isnan(scores).any()):
        raise QueryError("a score is not a number; ranks need finite scores (or -inf for what is filtered out)")
    return better, ties


def rank_by_counting(
    queries: Floats, corpus: Floats, targets: Sequence[int] | Rows, *, block: int | None = None
) -> tuple[Rows, Rows]:
    """better and ties, int64 [queries] each, of targets in a corpus searched by dot product.

    queries: float32 [queries, dim]. corpus: float32 [n, dim], may be memory-mapped. targets: the row of each query's
    target. block: queries multiplied at a time, by default as many as make 16 MB of scores. The target's own score is
    taken out of the same product, since another kernel may round differently and make a tie of nothing, or nothing of
    a tie. O(queries * n * dim), no sort. Raises QueryError for shapes that do not fit and for vectors that are not
    finite.
    """
    at = np.asarray(targets, dtype=np.int64)
    n = len(corpus)
    if queries.ndim != 2 or corpus.ndim != 2 or queries.shape[1] != corpus.shape[1] or at.shape != (len(queries),):
        raise QueryError(
            f"queries {queries.shape}, corpus {corpus.shape}, targets {at.shape}: expected [q, dim], [n, dim], [q]"
        )
    if len(at) and not 0 <= int(at.min()) <= int(at.max()) < n:
        raise QueryError(f"a target's row lies outside the corpus of {n} vectors")
    # A sum keeps what is not finite, without a second array as large as the corpus.
    if not np.isfinite(queries.sum(dtype=np.float64) + corpus.sum(dtype=np.float64)):
        raise QueryError("a vector holds a number that is not finite; index the album again")
    size = block or max(1, min(512, _BLOCK_BYTES // (4 * max(n, 1))))
    better, ties = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
    for start in range(0, len(at), size):
        rows = slice(start, start + size)
        better[rows], ties[rows] = count_rows(queries[rows] @ corpus.T, at[rows])
    return better, ties


def count_rows(scores: NDArray[np.floating], targets: Rows) -> tuple[Rows, Rows]:
    """better and ties, int64 [rows] each, of one target per row of finite scores [rows, n]."""
    better, ties = np.empty(len(targets), np.int64), np.empty(len(targets), np.int64)
    for k, (row, target) in enumerate(zip(scores, targets, strict=True)):
        own = row[target]
        better[k] = np.count_nonzero(row > own)
        ties[k] = np.count_nonzero(row == own) - 1
    return better, ties
