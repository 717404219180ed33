"""`whichpic report`: one page that shows what was measured, to read, to cite and to paste from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whichpic.cli.output import as_json, note, printable
from whichpic.errors import QueryError, SessionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.evaluate.published import Published
    from whichpic.evaluate.run import Run
    from whichpic.evaluate.worse import Looks


def report(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="dialogues.jsonl, or summary.json of whichpic score --out.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write; else reports/ and the first file's name.")] = None,
    album: Annotated[
        Path | None,
        typer.Option(help="The album (or data set of captions) that was searched: what it shows goes into the page."),
    ] = None,
    store: Annotated[Path | None, typer.Option("--store", help="Where the album's index is, if not in it.")] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option("--published", help="A published system to name (none: nobody); else all of the same pool."),
    ] = None,
    language: Annotated[str, typer.Option(help="Of the page's own words: en or zh.")] = "en",
    k: Annotated[str, typer.Option("-k", help="Depths for dialogues, parted by commas.")] = "1,5,10",
    ties: Annotated[str, typer.Option(help="Rank among ties: mean, optimistic or pessimistic.")] = "mean",
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    samples: Annotated[int, typer.Option(min=1, max=100_000, help="Of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Make one page of dialogues: curves with intervals, harm, calibration, cost, and what got worse.

    Example: whichpic report dialogues.jsonl --album ~/Pictures

    Example: whichpic report eig.jsonl random.jsonl --out reports/choosers

    The page needs no network and no scripts. Beside it: summary.json (every figure) and, where dialogues were given,
    rows.parquet (one row per dialogue and turn; without the extra 'lab', rows.csv).
    """
    from whichpic.evaluate.report import write_report

    if language not in ("en", "zh"):
        raise QueryError(f"--language is en or zh, not '{printable(language)}'")
    summary, runs = _summary(files, k, ties, level, samples, seed)
    folder = out or Path("reports") / _named(files[0])
    page = write_report(
        summary, folder, runs=runs, published=_published(beside), pictures=_looks(album, store, summary),
        language="zh" if language == "zh" else "en",
    )  # fmt: skip
    written = sorted(each.name for each in folder.iterdir() if each.name.startswith(("index.", "summary.", "rows.")))
    if json:
        as_json({"page": str(page), "folder": str(folder), "files": written})
        return
    print(page)
    if "rows.csv" in written:
        note("rows.csv, and not rows.parquet, which needs the extra 'lab': pip install 'whichpic[lab]'")
    elif not runs:
        note("no rows: a summary holds no single dialogues; give the dialogues.jsonl for them")


def _named(file: Path) -> str:
    """What a report is called after its first file; a summary.json is called after its folder."""
    name = file.resolve().parent.name if file.stem == "summary" else file.stem
    return name or "report"


def _summary(
    files: Sequence[Path], k: str, ties: str, level: float, samples: int, seed: int
) -> tuple[dict[str, Any], list[Run]]:
    """One summary of all files, and the runs of those that hold dialogues."""
    from whichpic.evaluate.protocols.ours import read_ours
    from whichpic.evaluate.report import joined, may_be_summary, read_summary
    from whichpic.evaluate.summary import summarise

    if ties not in ("mean", "optimistic", "pessimistic"):
        raise QueryError(f"--ties is mean, optimistic or pessimistic, not '{printable(ties)}'")
    if not 0 < level < 1:
        raise QueryError(f"--level lies between 0 and 1, not {level:g}")
    made = [file for file in files if may_be_summary(file)]
    runs = _renamed([(file, read_ours(file)) for file in files if file not in made])
    summaries = [read_summary(file) for file in made]
    if runs:
        summaries.insert(0, summarise(runs, ks=_depths(k), ties=ties, level=level, samples=samples, seed=seed))  # type: ignore[arg-type]
    return joined(summaries), runs


def _depths(k: str) -> list[int]:
    parts = [each.strip() for each in k.split(",")]
    if not all(each.isascii() and each.isdigit() and int(each) > 0 for each in parts):
        raise QueryError(f"-k is a list of depths like 1,5,10, not '{printable(k)}'")
    return [int(each) for each in parts]


def _renamed(runs: Sequence[tuple[Path, Run]]) -> list[Run]:
    """Runs of one name are called after their files, or those after their folders."""
    from dataclasses import replace

    for called in (lambda file, run: run.name, lambda file, run: file.stem, lambda file, run: str(file)):
        names = [called(file, run) for file, run in runs]
        if len(set(names)) == len(names):
            return [replace(run, name=name) for name, (_, run) in zip(names, runs, strict=True)]
    raise SessionError("one file was given twice; every run on a page needs dialogues of its own")


def _published(names: Sequence[str] | None) -> Sequence[Published] | None:
    from whichpic.evaluate.published import published

    if names is None:
        return None
    return [published(name) for name in names if name != "none"]


def _looks(album: Path | None, store: Path | None, summary: dict[str, Any]) -> Looks | None:
    """What can be shown of pictures; those of the drawn world need no album, since they can be drawn again."""
    from whichpic.evaluate.report import looks_of, looks_of_world

    if album is not None:
        return looks_of(album.expanduser(), store=store)
    drawn = any(
        str(each.get("target") or "").startswith("drawn-") for run in summary["runs"] for each in run.get("worse") or ()
    )
    return looks_of_world() if drawn else None
