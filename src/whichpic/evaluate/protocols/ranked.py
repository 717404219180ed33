"""Rank files of others: navigationir's records and lists, MERLIN's logs. Each is read into a Run; nothing is searched.

Called by the protocols' front door. Who counts from 0 and who from 1 is stated, never guessed; a target that was not
found has no rank, whatever number the file wrote for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from whichpic.errors import QueryError, SessionError
from whichpic.evaluate.protocols.files import field, load, named, need, records, whole
from whichpic.evaluate.ranks import Ranks, Ties
from whichpic.evaluate.run import Run

NOT_FOUND = (-1, 10000, 50000)
"""What navigationir's scripts write for a target that was not retrieved: a flag, or the depth of the search."""

_OLD = ("rank_old", "old_rank", "rank_before", "initial_rank", "rank0")
_NEW = ("rank_new", "new_rank", "rank_after", "final_rank", "rank1")
_LISTS = ("ranks", "rank_list", "rankings", "image_rankings", "rank", "target_ranks", "rank_history")
_NAMES = ("id", "img", "image", "target", "target_image", "target_path", "target_image_path", "image_path")
_TEXTS = (("caption", "old_caption", "query", "original_query"), ("question", "response"), ("answer",))
_NAVIGATIONIR_POOL = 50_000
_MERLIN_POOL = 1_000


@dataclass(frozen=True, slots=True)
class Counting:
    """How a file counts. base: the rank of the first picture, 0 or 1. pool: pictures searched.

    not_found: numbers that mean "not retrieved". depth: how many pictures were retrieved where such a number does not
    say it itself; None: all of the pool, so that a target that was not found is the last.
    """

    base: int
    pool: int
    not_found: Collection[int] = ()
    depth: int | None = None

    def place(self, rank: int) -> tuple[int, int]:
        """(better, ties) of a rank as written. One that was not found lies anywhere behind what was retrieved."""
        if rank in self.not_found:
            depth = rank if 0 < rank < self.pool else self.depth
            if depth is None or depth >= self.pool:
                return self.pool - 1, 0
            return depth, self.pool - depth - 1
        better = rank - self.base
        if not 0 <= better < self.pool:
            raise SessionError(
                f"a rank of {rank} does not fit {self.pool} pictures counted from {self.base}; "
                "say how many were searched (--pool) and where counting begins (--base)"
            )
        return better, 0


def read_navigationir(
    path: Path,
    *,
    base: int | None = None,
    pool: int | None = None,
    not_found: Collection[int] | None = None,
    turns: int | None = None,
    content: Any = None,
) -> Run:
    """navigationir's rank files, as a Run of two turns (before and after one question) or as many as the lists have.

    Layout (assumed from its description; the original files were not at hand): records, as JSON or JSON lines, with
    `rank_old` and `rank_new`, or with a list `ranks`; or a bare list of ranks per dialogue. Both count from 0 there;
    base must be given for bare lists, which do not say whose they are. not_found: the numbers that mean it, by default
    -1, 10000 and 50000; 10000 is a rank where a file has ranks beyond it. pool: 50,000 by default, its search space.
    Raises SessionError.
    """
    content = load(path) if content is None else content
    found = bare_ranks(content)
    bare = found is not None
    if found is None:
        rows = records(path, content)
        found = [_both(row, path, number) for number, row in enumerate(rows)]
        names = [str(field(row, _NAMES) or field(row, _TEXTS[0]) or number) for number, row in enumerate(rows)]
        texts = tuple(_said(row, len(ranks)) for row, ranks in zip(rows, found, strict=True))
    else:
        names = [str(number) for number in range(len(found))]
        texts = ()
    if bare and base is None:
        raise SessionError(f"{path} holds bare ranks: does the first picture have rank 0 or 1? (--base 0 or --base 1)")
    ranks_of = [[whole(each, path, number) for each in ranks] for number, ranks in enumerate(found)]
    counting = Counting(
        base=base or 0,
        pool=pool or _NAVIGATIONIR_POOL,
        not_found=_meaning_none(ranks_of, not_found, pool or _NAVIGATIONIR_POOL),
    )
    return _run("navigationir", path, ranks_of, names, counting, texts, turns, {})


def read_merlin(
    paths: Sequence[Path], *, base: int = 1, pool: int | None = None, turns: int | None = None, name: str = ""
) -> Run:
    """MERLIN's chat logs as one Run: turn 0 the query, then its rounds.

    Layout (its four public logs, seen): one JSON object per file with `target_vid`, `initial_rank`, `topk_candidates`,
    and `round1` to `round5`, each with `question`, `answer`, `reranked_topk` and `target_rank`. Ranks count from 1.
    pool: 1,000 by default, the MSR-VTT-1k that those logs are of. Raises SessionError.
    """
    found: list[list[int]] = []
    names: list[str] = []
    texts: list[tuple[str, ...]] = []
    shown: list[tuple[tuple[str, ...], ...]] = []
    for path in paths:
        for number, log in enumerate(records(path, _one_log(load(path)))):
            rounds = _rounds(log)
            names.append(str(need(log, ("target_vid", "target", "video_id", "target_id"), path, number)))
            first = need(log, ("initial_rank", "rank"), path, number)
            later = [need(each, ("target_rank", "rank"), path, number) for each in rounds]
            found.append([whole(each, path, number) for each in (first, *later)])
            opening = field(log, ("query", "initial_query", "caption"))
            texts.append((str(opening or ""), *(_question_and_answer(each) for each in rounds)))
            lists = [
                field(log, ("topk_candidates", "topk")),
                *(field(each, ("reranked_topk", "topk")) for each in rounds),
            ]
            shown.append(tuple(tuple(map(str, each or ()))[:10] for each in lists))
    counting = Counting(base=base, pool=pool or _MERLIN_POOL, not_found=(-1,))
    run = _run(name or "merlin", paths[0], found, names, counting, tuple(texts), turns, {"corpus": "MSR-VTT"})
    length = run.ranks.turns
    return Run(name=run.name, ranks=run.ranks, settings=run.settings, texts=run.texts, targets=run.targets,
               shown=tuple(each[:length] for each in shown))  # fmt: skip


def rank_changes(ranks: Ranks, *, k: int = 10, ties: Ties = "mean") -> dict[str, float | None]:
    """What became of the first list by the last turn: median rank before and after, and shares of all dialogues.

    better, same, worse: the target's rank against turn 0. entered, left: among those whose target was outside the
    first k at turn 0, the share that ended inside; and the reverse, among those that began inside; None where there are none.
    """
    rank = ranks.rank(ties)
    first, last = rank[:, 0], rank[:, -1]
    outside = first > k
    return {
        "median_before": float(np.median(first)),
        "median_after": float(np.median(last)),
        "better": float((last < first).mean()),
        "same": float((last == first).mean()),
        "worse": float((last > first).mean()),
        "entered": float((last[outside] <= k).mean()) if outside.any() else None,
        "left": float((last[~outside] > k).mean()) if not outside.all() else None,
    }


def _run(
    name: str,
    path: Path,
    ranks: Sequence[Sequence[int]],
    names: Sequence[str],
    counting: Counting,
    texts: tuple[tuple[str, ...], ...],
    turns: int | None,
    settings: Mapping[str, Any],
) -> Run:
    lost = sum(rank in counting.not_found for each in ranks for rank in each)
    try:
        places = [[counting.place(rank) for rank in each] for each in ranks]
        counted = Ranks.carried(places, pool=counting.pool, ids=named(names), turns=turns)
    except (QueryError, SessionError) as error:
        raise SessionError(f"{path}: {error}") from None
    return Run(
        name=name,
        ranks=counted,
        settings={
            "protocol": name,
            "file": path.name,
            "ranks counted from": counting.base,
            "ties": "not recorded; none are assumed",
            "turns": counted.turns,
            "stop": "as played; a dialogue that ended keeps its last rank",
            "never found": f"{lost} ranks, each anywhere behind what was retrieved (or last, where that was all)",
            **settings,
        },
        texts=tuple(each[: counted.turns] for each in texts),
        targets=tuple(names),
    )


def bare_ranks(content: Any) -> list[list[Any]] | None:
    """A list of ranks, or of lists of ranks, or such lists by name; None for records."""
    if isinstance(content, dict) and content and all(isinstance(value, list) for value in content.values()):
        columns = {key: field(content, names) for key, names in (("old", _OLD), ("new", _NEW))}
        if columns["old"] and columns["new"] and len(columns["old"]) == len(columns["new"]):
            return [[old, new] for old, new in zip(columns["old"], columns["new"], strict=True)]
        content = list(content.values())
    if not isinstance(content, list) or not content:
        return None
    if all(isinstance(each, int | float) for each in content):
        return [[each] for each in content]
    if all(isinstance(each, list) and each and not isinstance(each[0], dict | list | str) for each in content):
        return content
    return None


def _both(row: Mapping[str, Any], path: Path, number: int) -> list[Any]:
    ranks = field(row, _LISTS)
    if isinstance(ranks, list) and ranks:
        return ranks
    return [need(row, _OLD, path, number), need(row, _NEW, path, number)]


def _said(row: Mapping[str, Any], length: int) -> tuple[str, ...]:
    opening, question, answer = (field(row, names) for names in _TEXTS)
    rounds = [opening if isinstance(opening, str) else ""]
    if isinstance(question, str):
        rounds.append(f"{question} {answer if isinstance(answer, str) else ''}".strip())
    return tuple((rounds + [""] * length)[:length])


def _meaning_none(ranks: Sequence[Sequence[int]], given: Collection[int] | None, pool: int) -> tuple[int, ...]:
    if given is not None:
        return tuple(given)
    largest = max((rank for each in ranks for rank in each if rank < pool), default=0)
    return tuple(number for number in NOT_FOUND if number < 0 or number >= largest)


def _one_log(content: Any) -> Any:
    return [content] if isinstance(content, dict) and "initial_rank" in content else content


def _rounds(log: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rounds of a log in their order, whether each has a key of its own or all are in a list."""
    listed = field(log, ("rounds",))
    if isinstance(listed, list):
        return [each for each in listed if isinstance(each, dict)]
    keys = [key for key in log if key.lower().startswith("round") and key[5:].strip("_ ").isdigit()]
    return [log[key] for key in sorted(keys, key=lambda key: int(key[5:].strip("_ "))) if isinstance(log[key], dict)]


def _question_and_answer(turn: Mapping[str, Any]) -> str:
    return " ".join(str(field(turn, (name,)) or "") for name in ("question", "answer")).strip()
