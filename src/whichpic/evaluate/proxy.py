"""Ranks recorded dialogues without any picture: a text's place among texts about the pictures (BM25). Called by cli.

A document is other text about the same picture. The proxy tells how much the words of a dialogue narrow down, on any
machine and to the digit; it says nothing about how well an encoder sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from whichpic.errors import QueryError
from whichpic.evaluate.leaks import leak_warnings
from whichpic.evaluate.protocols.recorded import Form, Recorded, corpus_of, within
from whichpic.evaluate.ranks import Ranks, count_ranks
from whichpic.evaluate.run import Run
from whichpic.search.base import top

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.album.datasets import DataSet
    from whichpic.types import Floats

    Scorer = Callable[[str], Floats]

Tokens = Literal["words", "ascii"]
Texts = Literal["joined", "best"]
_SHOWN = 10
_WORST = 40
"""Dialogues whose lists are kept, those that got worse most: a report shows 20 of them."""


def rank_words(
    name: str,
    dialogues: Sequence[Recorded],
    documents: DataSet,
    *,
    form: Form = "joined",
    texts: Texts = "joined",
    words: Tokens = "words",
    settings: Mapping[str, Any] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Every dialogue's target among the documents, by BM25 (k1 1.2, b .75), as a Run with its leak warnings.

    form: see `Recorded.queries`. texts: the texts of a picture are one document (joined), or each is its own and the
    best counts. words: how a text is cut: as albums do, accents folded and Chinese in pairs (words), or into the runs
    of [a-z0-9] after lower-casing, as the figures of the field were made (ascii).
    Raises SessionError where a target is not among the documents.
    """
    from whichpic.search.captions import Words

    cut = _ascii if words == "ascii" else str
    ids = documents.pictures
    owned = [
        (cut(text), position)
        for position, picture in enumerate(ids)
        for text in _documents(documents.captions.get(picture, ()), texts)
    ]
    bm25 = Words([text for text, _ in owned], [position for _, position in owned], len(ids))
    stated: dict[str, Any] = {
        "searched by": "BM25 over texts about the pictures (text proxy)",
        "documents": documents.name,
        "documents of a picture": "joined as one" if texts == "joined" else "apart, the best counts",
        "cut into": "runs of [a-z0-9]" if words == "ascii" else "words",
    }
    return rank_texts(
        name, dialogues, ids, lambda text: bm25.scores(cut(text)), form=form, settings={**(settings or {}), **stated},
        warnings=_leaks(dialogues, documents), on_progress=on_progress,
    )  # fmt: skip


def rank_texts(
    name: str,
    dialogues: Sequence[Recorded],
    ids: Sequence[str],
    scores: Scorer,
    *,
    form: Form = "joined",
    settings: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    known_as: Mapping[str, int] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Every dialogue's target under any scorer of one text over all pictures, float32 [n], as a Run.

    ids: the pictures, in the scorer's order. known_as: other names of theirs, name -> position. Of several right
    pictures the best placed counts, and the others are not held against it; found and seen are of the first 10.
    """
    positions = dict(known_as) if known_as is not None else {picture: k for k, picture in enumerate(ids)}
    targets = within(dialogues, positions, "the search space")
    right = [_right(dialogue, target, positions) for dialogue, target in zip(dialogues, targets, strict=True)]
    counts: list[list[tuple[int, int]]] = []
    several = any(len(each) > 1 for each in right)
    found: list[list[int]] = []
    seen: list[list[int]] = []
    for number, (dialogue, meant) in enumerate(zip(dialogues, right, strict=True)):
        rows = dialogue.rows or (0, len(ids))
        places: list[tuple[int, int]] = []
        union: set[int] = set()
        have: list[tuple[int, int]] = []
        for text in dialogue.queries(form):
            each = scores(text)[rows[0] : rows[1]]
            places.append(_place(each, [position - rows[0] for position in meant]))
            if several:
                union.update((top(each, _SHOWN) + rows[0]).tolist())
                have.append((len(union.intersection(meant)), len(union)))
        counts.append(places)
        found.append([one for one, _ in have])
        seen.append([one for _, one in have])
        if on_progress is not None:
            on_progress(number + 1, len(dialogues))
    ranks = Ranks.carried(counts, pool=pool_of(dialogues, len(ids)), ids=[dialogue.id for dialogue in dialogues])
    return Run(
        name=name,
        ranks=ranks,
        settings=stated_settings(dialogues, ids, form, settings),
        texts=tuple(dialogue.rounds for dialogue in dialogues),
        targets=tuple(ids[target] for target in targets),
        shown=worst_shown(dialogues, ranks, ids, scores, form),
        relevant=np.array([len(each) for each in right], np.int64) if several else None,
        found=_filled(found, ranks.turns) if several else None,
        seen=_filled(seen, ranks.turns) if several else None,
        warnings=tuple(warnings),
    )


def pool_of(dialogues: Sequence[Recorded], n: int) -> int:
    """Pictures searched: all, or as many as every fold has. Raises QueryError where folds differ in size."""
    sizes = {each.rows[1] - each.rows[0] if each.rows else n for each in dialogues}
    if len(sizes) != 1:
        raise QueryError(f"folds of {min(sizes)} and {max(sizes)} pictures cannot be one run; give folds of one size")
    return sizes.pop()


def stated_settings(
    dialogues: Sequence[Recorded], ids: Sequence[str], form: Form, settings: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What a reader must know of any recorded dialogues that are ranked over all pictures."""
    turns = max(len(dialogue.rounds) for dialogue in dialogues)
    stated = dict(settings or {})
    general = {
        "corpus": corpus_of(ids),
        "opening": "the first text of each dialogue",
        "turns": turns,
        "query": "all rounds so far, joined by a comma" if form == "joined" else "the round's text alone",
        "stop": "never: every round is searched",
        "never found": "cannot be: every picture is ranked",
    }
    if turns == 1:
        general = {key: value for key, value in general.items() if key not in ("query", "stop")}
    return stated | {key: value for key, value in general.items() if key not in stated}


def worst_shown(
    dialogues: Sequence[Recorded], ranks: Ranks, ids: Sequence[str], scores: Scorer, form: Form
) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The first 10 pictures by turn, for the dialogues that got worse most; () by turn for the others."""
    rank = ranks.rank("mean")
    change = np.log(rank[:, -1]) - np.log(rank[:, 0])
    worst = {int(row) for row in top(change.astype(np.float32), _WORST) if change[row] > 0}
    shown: list[tuple[tuple[str, ...], ...]] = []
    for row, dialogue in enumerate(dialogues):
        if row not in worst:
            shown.append(((),) * len(dialogue.rounds))
            continue
        first, last = dialogue.rows or (0, len(ids))
        best = [top(scores(text)[first:last], _SHOWN) + first for text in dialogue.queries(form)]
        shown.append(tuple(tuple(ids[position] for position in each) for each in best))
    return tuple(shown)


def _place(scores: Floats, meant: Sequence[int]) -> tuple[int, int]:
    if len(meant) == 1:
        return count_ranks(scores, meant[0])
    rest = np.ones(len(scores), np.bool_)
    best = meant[int(np.argmax(scores[list(meant)]))]
    rest[[position for position in meant if position != best]] = False
    return count_ranks(scores[rest], int(rest[:best].sum()))


def _right(dialogue: Recorded, target: int, positions: Mapping[str, int]) -> tuple[int, ...]:
    known = {positions[name] for name in dialogue.relevant if name in positions}
    return tuple(sorted({target, *known}))


def _filled(values: Sequence[Sequence[int]], turns: int) -> NDArray[np.int64]:
    return np.array([[each[min(t, len(each) - 1)] for t in range(turns)] for each in values], dtype=np.int64)


def _documents(captions: Sequence[str], texts: Texts) -> Sequence[str]:
    # A picture of which nothing is said is searched all the same, and never found.
    return [" ".join(captions)] if texts == "joined" else captions


def _ascii(text: str) -> str:
    return re.sub("[^a-z0-9]+", " ", text.lower())


def _leaks(dialogues: Sequence[Recorded], documents: DataSet) -> tuple[str, ...]:
    rounds = [dialogue.rounds for dialogue in dialogues]
    return leak_warnings(rounds, [dialogue.target for dialogue in dialogues], documents.captions)
