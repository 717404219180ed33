"""A report as a folder: index.html (one page that needs nothing else), summary.json, and rows of every dialogue and turn.

Called by the command `report`, and by people: write_report(summarise(runs), "reports/mine", runs=runs).
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.errors import AlbumError, SessionError, StoreFull, WhichpicError
from whichpic.evaluate.layout import is_summary
from whichpic.evaluate.pages import page
from whichpic.evaluate.published import comparable_systems
from whichpic.evaluate.worse import Look

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.evaluate.published import Published
    from whichpic.evaluate.run import Run
    from whichpic.evaluate.tables import Language
    from whichpic.evaluate.worse import Looks

_SIDE = 128  # pixels of an embedded picture


def write_report(
    summary: Mapping[str, Any],
    folder: str | Path,
    *,
    runs: Sequence[Run] = (),
    published: Sequence[Published] | None = None,
    pictures: Looks | None = None,
    language: Language = "en",
) -> Path:
    """Write the report of a summary into a folder, and give back its page. The same input gives the same bytes.

    summary: as `summary.summarise` makes it. runs: those it was made of; with them rows.parquet is written (without
    pyarrow, rows.csv). published: systems to name; drawn where pool and corpus are the same (default: all those).
    pictures: what can be seen of a picture by its id. Raises AlbumError or StoreFull where the folder cannot be written.
    """
    folder = Path(folder)
    if published is None:
        published = _comparable(summary)
    rows = _rows(runs) if runs else {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in ("rows.parquet", "rows.csv"):
            (folder / stale).unlink(missing_ok=True)
        table = _write_rows(rows, folder) if rows else None
        name = table.name if table else ""
        html = page(summary, published=published, pictures=pictures, language=language, rows=name)
        (folder / "summary.json").write_text(as_text(summary), encoding="utf-8", errors="replace", newline="\n")
        (folder / "index.html").write_text(html, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        kind = StoreFull if error.errno in (28, 27, 122) else AlbumError
        raise kind(f"the report cannot be written to {folder}: {error.strerror or error}") from None
    return folder / "index.html"


def _comparable(summary: Mapping[str, Any]) -> tuple[Published, ...]:
    found = [
        system
        for run in summary.get("runs") or ()
        for system in comparable_systems(run.get("settings") or {}, int(run.get("pool") or 0))
    ]
    return tuple({system.id: system for system in found}.values())


def as_text(summary: Mapping[str, Any]) -> str:
    """A summary as JSON, which has neither infinity nor "not a number"."""

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, Mapping):
            return {str(key): plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    return json.dumps(plain(summary), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def read_summary(path: str | Path) -> dict[str, Any]:
    """A summary.json. Raises SessionError where it is none."""
    path = Path(path)
    try:
        summary = json.loads(path.read_bytes())
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        summary = None
    if not is_summary(summary):
        raise SessionError(f'{path} is no summary: it should be a JSON object with "whichpic_report": 1 and runs, '
                           "as whichpic score --out writes it")  # fmt: skip
    return dict(summary)


def may_be_summary(path: str | Path) -> bool:
    """Whether a file looks like a summary.json, and not like dialogues; one that cannot be read is none."""
    try:
        with Path(path).open("rb") as file:
            begin = file.read(200)
    except OSError:
        return False
    return b'"whichpic_dialogues"' not in begin and (b'"whichpic_report"' in begin or Path(path).suffix == ".json")


def joined(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several summaries as one. Runs of different summaries are not compared: that takes their dialogues.

    Raises SessionError where two runs have one name, or the summaries read K, ties or intervals differently.
    """
    first = dict(summaries[0])
    for other in summaries[1:]:
        for key in ("k", "ties", "level"):
            if other.get(key) != first.get(key):
                raise SessionError(
                    f"the summaries cannot stand on one page: {key} is {first.get(key)} and {other.get(key)}"
                )
    for part in ("runs", "comparisons", "incomparable"):
        first[part] = [each for summary in summaries for each in summary.get(part) or ()]
    names = [run["name"] for run in first["runs"]]
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None:
        raise SessionError(f"two runs are called {twice!r}; give every run a name of its own")
    return first


# -- rows ---------------------------------------------------------------------------------------------------------


def _rows(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """One row per dialogue and turn; rank is 1-based, and ties count by half."""
    rows: dict[str, list[Any]] = {}
    for run in runs:
        n, turns = run.ranks.better.shape
        rank = run.ranks.rank("mean")
        every = {
            "run": [run.name] * (n * turns),
            "dialogue": [name for name in run.ranks.ids for _ in range(turns)],
            "target": [name for name in run.targets or [""] * n for _ in range(turns)],
            "turn": list(range(turns)) * n,
            "text": [said[t] if t < len(said) else "" for said in run.texts or [()] * n for t in range(turns)],
            "played": run.ranks.played.ravel().tolist(),
            "better": run.ranks.better.ravel().tolist(),
            "ties": run.ranks.ties.ravel().tolist(),
            "rank": rank.ravel().tolist(),
        }
        for name in ("confidence", "set_size", "in_set", "fits", "milliseconds", "tokens", "calls"):
            values = getattr(run, name)
            every[name] = [None] * (n * turns) if values is None else values.ravel().tolist()
        for name, column in every.items():
            rows.setdefault(name, []).extend(column)
    return {name: column for name, column in rows.items() if any(value is not None for value in column)}


def _write_rows(rows: Mapping[str, list[Any]], folder: Path) -> Path:
    try:
        pyarrow, parquet = (import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
    except ImportError:
        return _write_csv(rows, folder / "rows.csv")
    path = folder / "rows.parquet"
    texts = {"run", "dialogue", "target", "text"}
    clean = {name: [_encodable(each) for each in column] if name in texts else column for name, column in rows.items()}
    parquet.write_table(pyarrow.table(clean), path)
    return path


def _write_csv(rows: Mapping[str, list[Any]], path: Path) -> Path:
    import csv

    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))
    return path


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


# -- pictures -----------------------------------------------------------------------------------------------------


def looks_of(album: str | Path, *, store: str | Path | None = None) -> Looks:
    """What can be seen of an album's pictures, for `write_report`: thumbnails, or captions where it has no more.

    album: a folder that was indexed (`store`: where its index is, if not in it), or a data set of captions, as a file,
    which need not be indexed. Raises AlbumError or CaptionError where it cannot be read.
    """
    from whichpic.album.store import Store

    album = Path(album)
    if album.is_file():
        return _looks_of_captions(album)
    opened = Store.open(album, store=None if store is None else Path(store))
    known = {picture.id: picture for picture in opened.pictures()}
    captions = opened.captions()

    def look(picture: str) -> Look | None:
        if picture not in known:
            return None
        said = captions.get(picture) or ("",)
        name = known[picture].paths[0] if known[picture].paths else picture
        return Look(name, said[0], _jpeg(lambda: opened.thumbnail(picture, _SIDE).read_bytes()))

    return look


def _looks_of_captions(file: Path) -> Looks:
    from whichpic.album.datasets import read_dataset
    from whichpic.album.decode import decode

    content = read_dataset(file)
    known = set(content.pictures)

    def look(picture: str) -> Look | None:
        if picture not in known:
            return None
        path = content.files.get(picture)
        seen = None
        if path:
            seen = _jpeg(lambda: _encoded(decode(file.parent / path, side=_SIDE).image))
        return Look(picture, (content.captions.get(picture) or ("",))[0], seen)

    return look


def _jpeg(made: Callable[[], bytes]) -> bytes | None:
    """The bytes; None where the file was moved since, or cannot be read."""
    try:
        return made()
    except (OSError, WhichpicError):
        return None


def _encoded(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def looks_of_world() -> Looks:
    """What can be seen of the drawn world's pictures: their ids say which they are, and they are drawn again."""
    import re

    from whichpic.simulate import drawing, scenes

    def look(picture: str) -> Look | None:
        match = re.fullmatch(r"drawn-(\d{1,18})-(\d{6,9})", picture)
        if match is None or int(match[2]) >= scenes.capacity():
            return None
        seen = scenes.scene(int(match[1]), int(match[2]))
        return Look(picture, scenes.captions_of(seen, 1)[0], _encoded(drawing.draw(seen, side=_SIDE)))

    return look
