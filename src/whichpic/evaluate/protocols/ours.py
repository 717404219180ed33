"""Our own dialogues.jsonl as a Run. Called by the protocols' front door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import QueryError, SessionError
from whichpic.evaluate.ranks import Ranks
from whichpic.evaluate.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.simulate.dialogues import Dialogue, Turn
    from whichpic.types import Rows

_STATED = ("encoder", "album", "belief")


def read_ours(path: Path, *, turns: int | None = None) -> Run:
    """The dialogues of `whichpic simulate` as a Run; what was recorded of a turn is carried on after a dialogue's end.

    turns: cut longer dialogues. Costs are not carried: nothing is paid after the end. Raises SessionError.
    """
    from whichpic.simulate.dialogues import read_dialogues

    header, dialogues = read_dialogues(path)
    if not dialogues:
        raise SessionError(f"{path} holds a header and no dialogue; go on with: whichpic simulate")
    length = min(max(len(dialogue.turns) for dialogue in dialogues), turns or 1 << 30)
    places = [[(turn.better, turn.ties) for turn in dialogue.turns] for dialogue in dialogues]
    pool = header.get("pictures")
    if not isinstance(pool, int):
        raise SessionError(f"{path} does not say how many pictures were searched: its first line lacks 'pictures'")
    try:
        ranks = Ranks.carried(places, pool=pool, ids=[dialogue.id for dialogue in dialogues], turns=length)
    except (QueryError, OverflowError) as error:
        raise SessionError(f"{path}: {error}") from None

    def carried(value: Callable[[Turn], float]) -> NDArray[np.float64]:
        return np.array([[value(at) for at in _filled(each, length)] for each in dialogues], dtype=np.float64)

    def spent(value: Callable[[Turn], float]) -> NDArray[np.float64]:
        return np.where(ranks.played, carried(value), 0.0)

    fits, absent = carried(lambda turn: turn.fits), carried(lambda turn: turn.fits_absent)
    relevant, found, seen = _several(dialogues, length)
    return Run(
        name=str(header.get("name") or path.stem),
        ranks=ranks,
        settings=_settings(header, length),
        texts=tuple(tuple(turn.text for turn in dialogue.turns[:length]) for dialogue in dialogues),
        targets=tuple(dialogue.target for dialogue in dialogues),
        shown=tuple(tuple(turn.shown for turn in dialogue.turns[:length]) for dialogue in dialogues),
        confidence=carried(lambda turn: turn.p_first),
        set_size=carried(lambda turn: turn.set_size).astype(np.int64),
        in_set=carried(lambda turn: turn.in_set).astype(np.bool_),
        fits=fits if np.isfinite(fits).all() else None,
        fits_absent=absent if np.isfinite(absent).all() else None,
        milliseconds=spent(lambda turn: turn.milliseconds),
        tokens=spent(lambda turn: turn.tokens),
        calls=spent(lambda turn: turn.calls),
        warnings=tuple(map(str, header.get("warnings") or ())),
        relevant=relevant,
        found=found,
        seen=seen,
        wanted=() if relevant is None else tuple(_right(each) for each in dialogues),
    )


def _filled(dialogue: Dialogue, length: int) -> Sequence[Turn]:
    played = dialogue.turns[:length]
    return (*played, *([played[-1]] * (length - len(played))))


def _settings(header: dict[str, Any], length: int) -> dict[str, Any]:
    stated = {key: value for key, value in header.items() if key in _STATED}
    resolved = header.get("settings")
    settings = resolved if isinstance(resolved, dict) else {}
    return {"protocol": "whichpic simulate", **settings, **stated, "turns": length}


def _right(dialogue: Dialogue) -> frozenset[str]:
    return frozenset({dialogue.target, *dialogue.relevant})


def _several(dialogues: Sequence[Dialogue], length: int) -> tuple[Rows | None, Rows | None, Rows | None]:
    """relevant, found and seen, where some dialogue has more than one right picture; else None."""
    if not any(len(dialogue.relevant) > 1 for dialogue in dialogues):
        return None, None, None
    found, seen = (np.zeros((len(dialogues), length), np.int64) for _ in range(2))
    relevant = np.ones(len(dialogues), np.int64)
    for row, dialogue in enumerate(dialogues):
        right = _right(dialogue)
        relevant[row] = len(right)
        shown: set[str] = set()
        for t, turn in enumerate(_filled(dialogue, length)):
            shown.update(turn.shown)
            found[row, t], seen[row, t] = len(shown & right), len(shown)
    return relevant, found, seen
