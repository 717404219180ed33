"""`whichpic index` and `whichpic show`: make an album searchable, and say what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whichpic.cli.open import ensure_seer, open_album
from whichpic.cli.output import as_json, note, printable, progress, quoted
from whichpic.errors import AlbumError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.album.indexing import Report
    from whichpic.types import Picture

FolderArgument = Annotated[
    Path, typer.Argument(metavar="ALBUM", help="A folder of pictures, or a data set of captions: .json, .jsonl, .csv.")
]
EncoderOption = Annotated[
    str,
    typer.Option(
        "--encoder", help="Encoder: auto, names, toy, a model of `models list`, onnx:FOLDER, chatir, torch:FOLDER."
    ),
]
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Where the index is kept, if not in (beside) the album.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def index(
    album: FolderArgument,
    encoder: EncoderOption = "auto",
    captions: Annotated[
        Path | None,
        typer.Option(help="A captions file: Flickr30k, CSV, COCO, Karpathy, MSR-VTT, JSONL; see docs/data-sets.md."),
    ] = None,
    image_column: Annotated[str | None, typer.Option(help="Column of a CSV that names the picture.")] = None,
    caption_column: Annotated[str | None, typer.Option(help="Column of a CSV that holds the caption.")] = None,
    split: Annotated[str | None, typer.Option(help="Of a data set: train, val, test, ...; or all.")] = None,
    opening: Annotated[
        bool | None, typer.Option("--opening/--no-opening", help="Of ChatIR dialogues: with the first caption, or not.")
    ] = None,
    store: StoreOption = None,
    threads: Annotated[int, typer.Option(help="Threads for decoding; 0: one per core.")] = 0,
    json: JsonOption = False,
) -> None:
    """Make a folder of pictures, or a data set of captions, searchable; run it again after any change.

    Example: whichpic index ~/Pictures

    A data set of captions, without pictures: whichpic index captions_val2017.json. Only what is new or changed is
    looked at. Ctrl-C, or even a crash, keeps what was done.
    """
    with open_album(album, encoder=encoder, store=store, quiet=json) as opened:
        if not json:
            note(f"index of {opened.store.root} in {opened.store.home}")
            ensure_seer(opened)
        with progress(json) as show:
            report = opened.index(on_progress=show, captions=captions, image_column=image_column,
                                  caption_column=caption_column, split=split, opening=opening, threads=threads)  # fmt: skip
        if json:
            as_json(_plain(report))
        else:
            _say(report, album, len(opened.store.pictures()))
        if not opened.store.pictures():
            raise AlbumError(
                f"no picture of {album} could be read; the reasons: whichpic show {quoted(album)} --skipped"
            )


def _plain(report: Report) -> dict[str, object]:
    numbers = ("added", "changed", "moved", "copied", "removed", "unchanged", "encoded", "captions", "seconds")
    plain: dict[str, object] = {name: getattr(report, name) for name in numbers}
    plain["skipped"] = [{"path": skip.path, "reason": skip.reason} for skip in report.skipped]
    return plain


def _say(report: Report, album: Path, pictures: int) -> None:
    did = {"added": report.added, "changed": report.changed, "moved": report.moved, "copied": report.copied,
           "removed": report.removed, "unchanged": report.unchanged}  # fmt: skip
    again = report.encoded - report.added - report.changed  # with an encoder that is new to the album
    did["encoded anew"] = max(again, 0)
    what = ", ".join(f"{count} {name}" for name, count in did.items() if count) or "nothing to do"
    captions = f", {report.captions} captions" if report.captions else ""
    print(f"{pictures} pictures{captions} ({what}) in {report.seconds:.1f} s")
    for skip in report.skipped[:5]:
        note(f"  skipped {printable(skip.path)}: {printable(skip.reason)}")
    if len(report.skipped) > 5:
        note(f"  ... {len(report.skipped)} skipped in all; see them with: whichpic show {quoted(album)} --skipped")
    if pictures:
        print(f"now: whichpic talk {quoted(album)}")


def show(
    album: FolderArgument,
    skipped: Annotated[bool, typer.Option("--skipped", help="List the files that were skipped, and why.")] = False,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="List files that are the same, or nearly.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """What an album holds: pictures, captions, skipped files, near-duplicates.

    Example: whichpic show ~/Pictures --duplicates
    """
    from whichpic.album.store import Store

    with Store.open(album.expanduser(), store=store and store.expanduser()) as opened:
        pictures = opened.pictures()
        if duplicates and opened.captions_only:
            raise AlbumError(f"{album} has captions only: there are no pictures to compare")
        alike = _alike(pictures) if duplicates or json else []
        skips = opened.skipped()
        if json:
            as_json({"pictures": len(pictures), "encoders": opened.encoders(), "store": str(opened.home),
                     "captions": sum(len(texts) for texts in opened.captions().values()),
                     "described": _described(opened.home), "duplicates": alike,
                     "skipped": [{"path": skip.path, "reason": skip.reason} for skip in skips]})  # fmt: skip
            return
        if skipped:
            for skip in skips:
                print(f"{printable(skip.path)}: {printable(skip.reason)}")
            if not skips:
                note("no file was skipped")
        if duplicates:
            for group in alike:
                print("  ".join(quoted(printable(path)) for path in group))
            if not alike:
                note("no two files are the same, or nearly")
        if not (skipped or duplicates):
            captions = sum(len(texts) for texts in opened.captions().values())
            files = sum(len(picture.paths) for picture in pictures)
            held = "known by their captions only" if opened.captions_only else f"in {files} files"
            print(f"{len(pictures)} pictures {held}, {captions} captions, {len(skips)} files skipped")
            by_model: dict[str, int] = {}
            for model, count in _described(opened.home).items():
                by_model[_name(model)] = by_model.get(_name(model), 0) + count
            for name, count in by_model.items():
                print(f"captions by {printable(name)}: {count}")
            print(f"encoders: {', '.join(opened.encoders()) or 'none yet'}")
            print(f"index: {opened.home}")


def _described(home: Path) -> dict[str, int]:
    """How many captions each model wrote."""
    from collections import Counter

    from whichpic.album.described import NAME, read_described

    return dict(Counter(each.model for each in read_described(home / NAME) if each.caption))


def _name(model: str) -> str:
    """The name of a model for people, out of the id of a Chat: without its address, revision and sizes."""
    if " + " in model:
        return " + ".join(map(_name, model.split(" + ")))
    plain = model.partition(";")[0]
    if plain.startswith("local:"):
        return plain.removeprefix("local:").partition("@")[0]
    address, sharp, name = plain.partition("#")
    return name if sharp and name else address.partition("://")[2] or address


def _alike(pictures: Sequence[Picture]) -> list[list[str]]:
    """Groups of files that hold the same picture or nearly the same, copies included."""
    from whichpic.album.duplicates import groups

    paths = {picture.id: list(picture.paths) or [picture.id] for picture in pictures}
    near = [[path for each in group for path in paths.pop(each)] for group in groups(pictures)]
    return near + [files for files in paths.values() if len(files) > 1]
