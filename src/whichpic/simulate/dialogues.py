"""The file dialogues.jsonl: what was said, asked, answered and shown, and the target's rank after every turn.

The first line is a header, every other line one dialogue, on the disk before the next one begins. Written by parallel;
read by evaluate, learn and cli. Two equal runs differ in `milliseconds` only.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from whichpic.album.lock import take
from whichpic.dialogue.events import Question
from whichpic.dialogue.likelihood import OTHER
from whichpic.errors import AlbumError, SessionError, StoreFull

FORMAT = 1
Ended = Literal["cap", "found", "nothing to ask", "user"]
Header = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One event and what followed from it. Turn 0 is the opening.

    kind: said, answered or marked. text: what was said; for an answer, question and answer as one line. marked: id of the
    picture that was called relevant, of those that the turn before had shown. question, option,
    words: as in Answered (`question` is its JSON; option None is "not sure"). shown: ids of the list, best first.
    better, ties: OTHER pictures that score strictly higher than, and the same as, the target. p_first, p_target:
    probability of the first picture shown and of the target, each with its near-duplicates. set_size, in_set: the 90 %
    credible set, and whether it held the target. fits: evidence that something here fits; fits_absent: the same with the
    target taken out of the album; nan where they are not known. entropy: of the belief, nats. gain: the most that the
    user's answer to any question that could be asked now can carry, nats; nan where it was not measured.
    milliseconds: of the system's own work (update, models, next question). tokens, calls: of models that the system asked,
    replies out of a cache or a file included; user_tokens, user_calls: of the user's model, for what it said at this turn.
    rewritten: all that was said so far as one sentence, where a model made one; captions: (id, caption) of liked pictures;
    looked: (id, p that it fits) of pictures that a model looked at. trouble: why the turn went on without.
    """

    kind: str
    text: str
    question: dict[str, Any] | None = None
    option: int | None = None
    words: str = ""
    shown: tuple[str, ...] = ()
    better: int = 0
    ties: int = 0
    p_first: float = 0.0
    p_target: float = 0.0
    set_size: int = 0
    in_set: bool = False
    fits: float = math.nan
    fits_absent: float = math.nan
    entropy: float = math.nan
    gain: float = math.nan
    milliseconds: float = 0.0
    tokens: int = 0
    calls: int = 0
    user_tokens: int = 0
    user_calls: int = 0
    rewritten: str = ""
    captions: tuple[tuple[str, str], ...] = ()
    looked: tuple[tuple[str, float], ...] = ()
    trouble: str = ""
    marked: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One session that is over, with its target. `relevant`: every right picture where there is more than the target.

    ended: cap (all questions were asked), found (the target was shown, under that stop rule), "nothing to ask" (no
    question was worth asking), user (the user had nothing more to say).
    """

    id: str
    target: str
    turns: tuple[Turn, ...]
    relevant: tuple[str, ...] = ()
    seed: int = 0
    ended: Ended = "cap"


def words_instead(question: Question, option: int | None, words: str) -> bool:
    """Whether words were said instead of the options of a model's question: they count with the question, as one text."""
    other = option is not None and question.options[option].value == OTHER
    return bool(words) and other and question.source in ("chat", "encoder")


def to_json(dialogue: Dialogue) -> dict[str, Any]:
    """A dialogue as plain JSON values; nan becomes null, and a turn leaves out what is empty."""
    plain = _plain(dialogue)
    plain["turns"] = [_plain(turn) for turn in dialogue.turns]
    return plain


def from_json(plain: Mapping[str, Any]) -> Dialogue:
    """The dialogue of plain JSON values. Raises SessionError where they are not one."""
    try:
        turns = tuple(_turn(turn) for turn in plain["turns"])
        if not turns:
            raise ValueError("a dialogue has at least one turn")
        return Dialogue(
            id=str(plain["id"]),
            target=str(plain["target"]),
            turns=turns,
            relevant=tuple(map(str, plain.get("relevant", ()))),
            seed=int(plain.get("seed", 0)),
            ended=plain.get("ended", "cap"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SessionError(f"not a dialogue: {str(plain)[:80]} ({error!r})") from None


def read_dialogues(path: str | Path) -> tuple[Header, list[Dialogue]]:
    """The header and the dialogues of a file. A last line that was not written to its end is left out.

    Raises SessionError where the file cannot be read, or is not one of dialogues.
    """
    header, dialogues, _ = _read(Path(path), unended=True)
    return header, dialogues


def write_dialogues(path: str | Path, header: Mapping[str, Any], dialogues: Sequence[Dialogue]) -> None:
    """A whole file at once, replacing what is there."""
    path = Path(path)
    path.unlink(missing_ok=True)
    with Writer(path, header) as writer:
        for dialogue in dialogues:
            writer.write(dialogue)


class Writer:
    """Appends dialogues to a file, each on the disk before `write` returns; goes on with a file of the same header.

    `done` are the dialogues that were there. Raises SessionError where the file belongs to another run, AlbumError or
    StoreFull where it cannot be written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.header: Header = {"whichpic_dialogues": FORMAT, **header}
        self.done: list[Dialogue] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            raise _unwritable(path, error) from None
        try:
            if not take(self._file.fileno()):
                raise AlbumError(f"another whichpic is writing {path}: wait until it is done, or give another --out")
            self._go_on()
        except BaseException:
            self._file.close()
            raise

    def _go_on(self) -> None:
        """Read what is there, and stand behind the last whole line of it."""
        if self.path.stat().st_size and not _torn_header(self.path):
            found, self.done, whole = _read(self.path)
            _same(self.path, found, self.header)
            self._cut(whole)
        else:
            self._cut(0)
            self._line(self.header)

    def _cut(self, length: int) -> None:
        try:
            self._file.truncate(length)
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def write(self, dialogue: Dialogue) -> None:
        """Append one dialogue and wait until it is on the disk."""
        self._line(to_json(dialogue))

    def _line(self, plain: Mapping[str, Any]) -> None:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._file.write(text.encode("utf-8", "replace"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_ALWAYS = {"id", "target", "turns", "kind", "text", "better", "ties"}


def _plain(value: Dialogue | Turn) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if isinstance(item, float):
            item = None if not math.isfinite(item) else item
        # Option 0 is an answer, and None is "not sure": these two must not look alike.
        if field.name in _ALWAYS or item not in (None, "", (), 0) or (field.name == "option" and item is not None):
            plain[field.name] = list(item) if isinstance(item, tuple) else item
    return plain


def _turn(plain: Mapping[str, Any]) -> Turn:
    values = {field.name: plain[field.name] for field in fields(Turn) if plain.get(field.name) is not None}
    values["shown"] = tuple(map(str, values.get("shown", ())))
    for name in ("better", "ties", "set_size", "tokens", "calls", "user_tokens", "user_calls"):
        values[name] = _count(name, values.get(name, 0))
    for name, kind in (("captions", str), ("looked", float)):
        values[name] = tuple((str(picture), kind(told)) for picture, told in values.get(name, ()))
    for name in ("p_first", "p_target", "milliseconds"):
        values[name] = float(values.get(name, 0.0))
    if not isinstance(values["text"], str) or not isinstance(values.get("question", {}), dict):
        raise TypeError("a turn has a text, and a question is an object")
    return Turn(**values)


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise ValueError(f"{name} is a whole number from 0 on")
    return value


def _read(path: Path, *, unended: bool = False) -> tuple[Header, list[Dialogue], int]:
    """Header, dialogues, and the number of bytes that hold them: a process may be killed while it writes a line.

    unended: a last line that is whole counts although it does not end, as other tools and editors leave it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SessionError(f"the dialogues {path} cannot be read: {error.strerror or error}") from None
    end = data.rfind(b"\n") + 1
    header: Header = {}
    dialogues: list[Dialogue] = []
    if unended and end and _whole_line(data[end:]):
        data, end = data + b"\n", len(data) + 1
    for number, line in enumerate(data[:end].split(b"\n")[:-1]):
        try:
            plain = json.loads(line)
        except (ValueError, RecursionError):
            raise SessionError(f"{path} is not a file of dialogues: line {number + 1} is not JSON") from None
        if number:
            try:
                dialogues.append(from_json(plain))
            except SessionError as error:
                raise SessionError(f"{path}, line {number + 1}: {error}") from None
        elif isinstance(plain, dict) and plain.get("whichpic_dialogues") == FORMAT:
            header = plain
        else:
            raise SessionError(
                f'{path} is not a file of dialogues: its first line should be {{"whichpic_dialogues": {FORMAT}, ...}}, '
                "as whichpic simulate writes it"
            )
    if not header:
        raise SessionError(f"{path} holds no dialogues; make some with: whichpic simulate")
    return header, dialogues, end


def _whole_line(tail: bytes) -> bool:
    """Whether a line without its end is a JSON object all the same; no beginning of one is."""
    try:
        return isinstance(json.loads(tail), dict)
    except (ValueError, RecursionError):
        return False


def _torn_header(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(1 << 20)
    return not first.endswith(b"\n") and first.startswith(b'{"whichpic_dialogues"')


def _same(path: Path, found: Header, wanted: Header) -> None:
    """Whether a file is of this run: compared as JSON values, since a header that was read has lists for tuples."""
    wanted = json.loads(json.dumps(wanted))
    differ = _differing(found, wanted)
    if not differ:
        return
    told = "; ".join(f"{key}: {_shown(before)}, now {_shown(now)}" for key, before, now in differ[:6])
    more = f"; and {len(differ) - 6} more" if len(differ) > 6 else ""
    raise SessionError(f"{path} holds dialogues of other settings ({told}{more}); give another --out, or delete it")


def _differing(found: Mapping[str, Any], wanted: Mapping[str, Any], under: str = "") -> list[tuple[str, Any, Any]]:
    """(key, before, now) of all that differs, at any depth, in the order of the new ones."""
    rows: list[tuple[str, Any, Any]] = []
    for key in dict.fromkeys((*wanted, *found)):
        before, now = found.get(key), wanted.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            rows += _differing(before, now, f"{under}{key} ")
        elif before != now:
            rows.append((f"{under}{key}", before, now))
    return rows


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)[:60]


def _unwritable(path: Path, error: OSError) -> AlbumError:
    kind = StoreFull if error.errno in (28, 27, 122) else AlbumError
    return kind(f"the dialogues cannot be written to {path}: {error.strerror or error}")
