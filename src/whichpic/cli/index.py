"""`whichpic index` and `whichpic show`: make an album searchable, and say what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whichpic.cli.open import open_album
from whichpic.cli.output import as_json, note, progress

if TYPE_CHECKING:
    from whichpic.album.indexing import Report

FolderArgument = Annotated[Path, typer.Argument(metavar="ALBUM", help="A folder of pictures.")]
EncoderOption = Annotated[
    str, typer.Option("--encoder", help="Encoder: auto, names, toy, a model of `models list`, onnx:FOLDER.")
]
StoreOption = Annotated[Path | None, typer.Option("--store", help="Where the index is kept, if not in the album.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def index(
    album: FolderArgument,
    encoder: EncoderOption = "auto",
    captions: Annotated[Path | None, typer.Option(help="A captions file: CSV, Flickr30k or COCO JSON.")] = None,
    image_column: Annotated[str | None, typer.Option(help="Column of a CSV that names the picture.")] = None,
    caption_column: Annotated[str | None, typer.Option(help="Column of a CSV that holds the caption.")] = None,
    store: StoreOption = None,
    threads: Annotated[int, typer.Option(help="Threads for decoding; 0: one per core.")] = 0,
    json: JsonOption = False,
) -> None:
    """Make a folder of pictures searchable; run it again after any change.

    Example: whichpic index ~/Pictures

    Only what is new or changed is looked at. Ctrl-C, or even a crash, keeps what was done.
    """
    with open_album(album, encoder=encoder, store=store, quiet=json) as opened:
        if not json:
            note(f"index of {opened.store.root} in {opened.store.home}")
        with progress(json) as show:
            report = opened.index(on_progress=show, captions=captions, image_column=image_column,
                                  caption_column=caption_column, threads=threads)  # fmt: skip
        if json:
            as_json(_plain(report))
        else:
            _say(report, album, len(opened.store.pictures()))


def _plain(report: Report) -> dict[str, object]:
    numbers = ("added", "changed", "moved", "copied", "removed", "unchanged", "encoded", "captions", "seconds")
    plain: dict[str, object] = {name: getattr(report, name) for name in numbers}
    plain["skipped"] = [{"path": skip.path, "reason": skip.reason} for skip in report.skipped]
    return plain


def _say(report: Report, album: Path, pictures: int) -> None:
    did = {"added": report.added, "changed": report.changed, "moved": report.moved, "copied": report.copied,
           "removed": report.removed, "unchanged": report.unchanged}  # fmt: skip
    what = ", ".join(f"{count} {name}" for name, count in did.items() if count) or "nothing to do"
    captions = f", {report.captions} captions" if report.captions else ""
    print(f"{pictures} pictures{captions} ({what}) in {report.seconds:.1f} s")
    for skip in report.skipped[:5]:
        note(f"  skipped {skip.path}: {skip.reason}")
    if len(report.skipped) > 5:
        note(f"  ... {len(report.skipped)} skipped in all; see them with: whichpic show {album} --skipped")
    print(f"now: whichpic talk {album}")


def show(
    album: FolderArgument,
    skipped: Annotated[bool, typer.Option("--skipped", help="List the files that were skipped, and why.")] = False,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="List pictures that are nearly the same.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """What an album holds: pictures, captions, skipped files, near-duplicates.

    Example: whichpic show ~/Pictures --duplicates
    """
    from whichpic.album.duplicates import groups
    from whichpic.album.store import Store

    with Store.open(album.expanduser(), store=store) as opened:
        pictures = opened.pictures()
        paths = {picture.id: picture.paths[0] if picture.paths else picture.id for picture in pictures}
        alike = [[paths[each] for each in group] for group in groups(pictures)] if duplicates or json else []
        skips = opened.skipped()
        if json:
            as_json({"pictures": len(pictures), "encoders": opened.encoders(), "store": str(opened.home),
                     "captions": sum(len(texts) for texts in opened.captions().values()), "duplicates": alike,
                     "skipped": [{"path": skip.path, "reason": skip.reason} for skip in skips]})  # fmt: skip
            return
        if skipped:
            for skip in skips:
                print(f"{skip.path}: {skip.reason}")
        if duplicates:
            for group in alike:
                print("  ".join(group))
        if not (skipped or duplicates):
            captions = sum(len(texts) for texts in opened.captions().values())
            files = sum(len(picture.paths) for picture in pictures)
            print(f"{len(pictures)} pictures in {files} files, {captions} captions, {len(skips)} files skipped")
            print(f"encoders: {', '.join(opened.encoders()) or 'none yet'}")
            print(f"index: {opened.home}")
