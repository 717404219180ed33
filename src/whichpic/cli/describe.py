"""`whichpic describe`: captions by a model for pictures that have none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whichpic.cli.ask import open_model
from whichpic.cli.chat import AdapterOption, AllowCodeOption, ChatCacheOption, ChatOption, PrecisionOption
from whichpic.cli.index import EncoderOption, JsonOption, StoreOption
from whichpic.cli.output import as_json, note, printable, progress
from whichpic.errors import ChatError, ChatPending, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whichpic.chat.base import Chat
    from whichpic.describe import Report, Source


def describe(
    album: Annotated[Path, typer.Argument(metavar="ALBUM|FOLDER", help="A folder of pictures, indexed or not.")],
    chat: ChatOption = "",
    dimensions: Annotated[
        str, typer.Option(help="What is described: scene, objects, attributes, relations, text, mood, all.")
    ] = "scene,objects,attributes,relations,text,mood",
    language: Annotated[str, typer.Option(help="Language of the captions: en or zh.")] = "en",
    out: Annotated[
        Path | None, typer.Option(help="A folder for conversations.json (training data) and output.json.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Also pictures that have captions of yours.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Write all captions anew.")] = False,
    album_too: Annotated[
        bool, typer.Option("--index/--no-index", help="Make captions of the album, or only write to --out.")
    ] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="So many pictures only.")] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Requests at a time; the batch of a model in this process.")
    ] = 4,
    deadline: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds for one request; else 120, without limit in this process.")
    ] = None,
    chat_cache: ChatCacheOption = None,
    precision: PrecisionOption = "auto",
    adapter: AdapterOption = None,
    allow_code: AllowCodeOption = None,
    encoder: EncoderOption = "auto",
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Have a model write captions of pictures. They become the album's, beside yours.

    Example: whichpic describe ~/Pictures --chat ollama:qwen2.5vl

    Ctrl-C, or even a crash, keeps what was written; the same command goes on from there. The prompts are files:
    whichpic prompts --copy FOLDER. Where the model runs elsewhere: --chat batch:FOLDER, then whichpic batch FOLDER there.
    """
    from whichpic.describe import asked_for
    from whichpic.prompts import LANGUAGES

    if language not in LANGUAGES:
        raise QueryError(f"--language is {' or '.join(LANGUAGES)}, not '{language}'")
    if not album_too and out is None:
        raise QueryError("--no-index writes captions nowhere without --out FOLDER")
    model = open_model(chat, cache=chat_cache, precision=precision, adapter=adapter, allow_code=allow_code,
                       workers=workers)  # fmt: skip
    wanted = [each.strip() for each in dimensions.split(",") if each.strip()]
    asked_for(model, wanted, language)

    def work(pictures: Sequence[Source], journal: Path) -> Report:
        from whichpic.describe import describe, readable

        pictures = pictures if limit is None else readable(pictures, limit)
        if not json:
            note(f"{model.describe} describes {len(pictures)} pictures ({', '.join(wanted)}) into {journal}")
        with progress(json) as show:
            return describe(pictures, model, journal, dimensions=wanted, language=language, again=again,
                            workers=workers, deadline=deadline, on_progress=show)  # fmt: skip

    if album_too:
        report = _into_album(album, model, encoder, store, everything, out, work, json)
    else:
        assert out is not None
        report = _into_folder(album, out, work)
    _say(report, model, json)


def _into_album(
    album: Path, model: Chat, encoder: str, store: Path | None, everything: bool, out: Path | None,
    work: Callable[[Sequence[Source], Path], Report], quiet: bool,
) -> Report:  # fmt: skip
    from whichpic.album.described import NAME
    from whichpic.chat.base import reach
    from whichpic.cli.open import ensure_indexed, open_album
    from whichpic.describe import sources

    with open_album(album, encoder=encoder, store=store, quiet=quiet) as opened:
        if opened.encoder.id not in opened.store.encoders() and not opened.store.captions_only:
            reach(model)
            ensure_indexed(opened, quiet=quiet)
        pictures = sources(opened.store, everything=everything)
        journal = opened.store.home / NAME
        files = {picture.id: picture.paths[0] for picture in opened.store.pictures() if picture.paths}

        def keep() -> None:
            if journal.is_file():
                with progress(quiet) as show:
                    opened.index(on_progress=show)
                if out is not None:
                    _conversations(out, journal, files)

        try:
            report = work(pictures, journal)
        except ChatError:
            keep()  # the model gave up half way: what it wrote is worth finding
            raise
        keep()
    return report


def _into_folder(folder: Path, out: Path, work: Callable[[Sequence[Source], Path], Report]) -> Report:
    from whichpic.album.described import NAME
    from whichpic.album.places import album_root
    from whichpic.describe import folder_sources

    root = album_root(folder)
    pictures = folder_sources(root, leave_out=out)
    journal = out.expanduser() / NAME
    try:
        return work(pictures, journal)
    finally:
        if journal.is_file():
            _conversations(out, journal, {each.id: each.name for each in pictures})


def _conversations(out: Path, journal: Path, files: dict[str, str]) -> None:
    from whichpic.album.described import read_described
    from whichpic.conversations import OUTPUT, TRAINING, output_rows, training_rows, write_rows
    from whichpic.describe import instruction

    out = out.expanduser()
    described = read_described(journal)
    asked: dict[tuple[str, str], str] = {}
    gone = set()
    for key in {(each.dimension, each.language) for each in described if each.caption}:
        try:
            asked[key] = instruction(*key)
        except QueryError:  # a dimension of the user's own, whose prompt is not there now
            gone.add(key)
    whole = {language: instruction("all", language) for _, language in (*asked, *gone)}
    rows = training_rows([each for each in described if (each.dimension, each.language) not in gone], files, asked)
    write_rows(out / TRAINING, rows)
    write_rows(out / OUTPUT, output_rows(described, files, whole))
    note(f"{len(rows)} conversations: {out / TRAINING}, {out / OUTPUT}")
    for dimension in sorted({printable(dimension) for dimension, _ in gone}):
        note(
            f"left out of {TRAINING}: {dimension}, whose prompt describe-{dimension} is not in WHICHPIC_PROMPTS any more"
        )


def _say(report: Report, model: Chat, json: bool) -> None:
    if json:
        as_json({"captions": report.captions, "empty": report.empty, "kept": report.kept,
                 "outdated": report.outdated, "pending": report.pending,
                 "skipped": [{"path": skip.path, "reason": skip.reason} for skip in report.skipped],
                 "tokens": report.tokens, "seconds": round(report.seconds, 3), "model": model.id})  # fmt: skip
    else:
        did = {"written": report.captions, "nothing to say": report.empty, "there already": report.kept,
               "still to come": report.pending}  # fmt: skip
        what = ", ".join(f"{count} {name}" for name, count in did.items() if count) or "nothing to do"
        print(f"captions by {printable(model.describe)}: {what}; {report.tokens} tokens, {report.seconds:.1f} s")
        if report.outdated:
            note(
                f"{report.outdated} of those there were written by other prompts than those of now; --again writes them anew"
            )
        if report.empty:
            note("where there was nothing to say, the same command does not ask again; --again does")
        for skip in report.skipped[:5]:
            note(f"  skipped {printable(skip.path)}: {printable(skip.reason)}")
        if len(report.skipped) > 5:
            note(f"  ... {len(report.skipped)} skipped in all; the same command tries them again")
    if report.pending:
        raise ChatPending(f"{report.pending} captions wait for their replies: {report.told}")
