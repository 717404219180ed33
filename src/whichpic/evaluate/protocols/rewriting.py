"""query-rewriting's records as a Run: several right pictures, each turn a rewritten query. Called by the front door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from whichpic.errors import SessionError
from whichpic.evaluate.protocols.files import field, named, need, records, whole
from whichpic.evaluate.protocols.ranked import Counting
from whichpic.evaluate.ranks import Ranks
from whichpic.evaluate.run import Run

Relevant = Literal["record", "target"]
_DEPTH = 30_000  # pictures that its scripts retrieve
_TARGET = ("target_image_path", "target_image", "target", "target_path", "img", "image")
_ORACLE = (
    "oracle: in query-rewriting's protocol the simulated user's feedback is chosen by the cosine to the target's own "
    "vector, which no user knows; these figures are upper bounds"
)


def read_rewriting(
    path: Path,
    *,
    base: int = 0,
    pool: int | None = None,
    depth: int = _DEPTH,
    k: int = 10,
    relevant: Relevant = "record",
    turns: int | None = None,
    content: Any = None,
) -> Run:
    """query-rewriting's records: the target's rank by turn, and how many right pictures were among the first k shown.

    Layout (assumed from its description; the original files were not at hand): JSON lines with `original_query`,
    `refined_query` (a text or a list), `target_image_path`, `image_rankings` (a rank per turn, from 0; -1: not among
    the 30,000 retrieved), `retrieved_images` (a list of up to 50 per turn), `captions` and `relevant_images`.
    relevant: record takes `relevant_images` and the target for the right pictures, target the target alone: some
    versions of its scripts wrote there what the simulated user had picked, which is not what was looked for.
    pool: pictures searched; must be given. Raises SessionError.
    """
    if not pool:
        raise SessionError(f"{path}: how many pictures did query-rewriting search? (--pool 31783 for all of Flickr30k)")
    rows = records(path, content)
    ranks = [_ranks(row, path, number) for number, row in enumerate(rows)]
    length = min(max(map(len, ranks)), turns or 1 << 30)
    counting = Counting(base=base, pool=pool, not_found=(-1,), depth=min(depth, pool))
    targets = [_target(row, path, number) for number, row in enumerate(rows)]
    right = [_right(row, target, relevant) for row, target in zip(rows, targets, strict=True)]
    lists = [_lists(row, path, number) for number, row in enumerate(rows)]
    found, seen = (np.zeros((len(rows), length), np.int64) for _ in range(2))
    for at, (meant, shown) in enumerate(zip(right, lists, strict=True)):
        union: set[str] = set()
        for turn in range(length):
            union.update(shown[turn][:k] if turn < len(shown) else ())
            found[at, turn], seen[at, turn] = len(union & meant), len(union)
    try:
        places = [[counting.place(rank) for rank in each] for each in ranks]
    except SessionError as error:
        raise SessionError(f"{path}: {error}") from None
    lost = sum(rank == -1 for each in ranks for rank in each)
    return Run(
        name="query-rewriting",
        ranks=Ranks.carried(places, pool=pool, ids=named(targets), turns=length),
        settings={"file": path.name, "turns": length, **_stated(base, min(depth, pool), k, relevant, lost)},
        texts=tuple(_texts(row, length) for row in rows),
        targets=tuple(targets),
        shown=tuple(tuple(tuple(each[:10]) for each in shown[:length]) for shown in lists),
        relevant=np.array([len(meant) for meant in right], np.int64),
        found=found,
        seen=seen,
        warnings=(_ORACLE,),
    )


def _stated(base: int, depth: int, k: int, relevant: Relevant, lost: int) -> dict[str, Any]:
    return {
        "protocol": "query-rewriting",
        "ranks counted from": base,
        "ties": "not recorded; none are assumed",
        "stop": "as played: the target among the first 10, or a rank worse than the last; the last rank is kept",
        "never found": f"{lost} ranks, each anywhere behind the {depth:,} retrieved",
        "right pictures": "relevant_images and the target" if relevant == "record" else "the target alone",
        "recall and F1 of": f"the first {k} of each turn",
    }


def _ranks(row: Mapping[str, Any], path: Path, number: int) -> list[int]:
    ranks = need(row, ("image_rankings", "rankings", "ranks"), path, number)
    if not isinstance(ranks, list) or not ranks:
        raise SessionError(f"{path}: record {number + 1} has no rank by turn in image_rankings")
    return [whole(each, path, number) for each in ranks]


def _target(row: Mapping[str, Any], path: Path, number: int) -> str:
    target = need(row, _TARGET, path, number)
    return str(target[0] if isinstance(target, list) and target else target)


def _right(row: Mapping[str, Any], target: str, relevant: Relevant) -> set[str]:
    also = field(row, _TARGET)
    targets = {target, *(map(str, also) if isinstance(also, list) else ())}
    listed = field(row, ("relevant_images", "relevant")) if relevant == "record" else None
    return targets | {str(each) for each in _flat(listed)}


def _flat(listed: Any) -> Sequence[Any]:
    if isinstance(listed, str):
        return [listed]
    return [one for each in listed or () for one in (each if isinstance(each, list) else [each])]


def _lists(row: Mapping[str, Any], path: Path, number: int) -> list[list[str]]:
    lists = field(row, ("retrieved_images", "retrieved")) or []
    if not isinstance(lists, list) or not all(isinstance(each, list) for each in lists):
        raise SessionError(f"{path}: record {number + 1}: retrieved_images should be a list of pictures for each turn")
    return [[str(one) for one in each] for each in lists]


def _texts(row: Mapping[str, Any], length: int) -> tuple[str, ...]:
    first = str(field(row, ("original_query", "query")) or "")
    refined = field(row, ("refined_queries", "refined_query", "final_query"))
    later = [str(each) for each in (refined if isinstance(refined, list) else [refined]) if each]
    captions = [str(each) for each in _flat(field(row, ("captions",)))]
    # Where only the last query was kept, what was said at the turns between is the chosen picture's caption.
    between = later if len(later) != 1 else [*captions[: max(length - 2, 0)], *later]
    return tuple(([first, *between] + [""] * length)[:length])
