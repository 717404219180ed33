"""`whichpic import` and `whichpic export`: vectors that were made elsewhere into an album, and an album's vectors out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whichpic.cli.index import EncoderOption, FolderArgument, JsonOption, StoreOption
from whichpic.cli.open import ensure_seer, open_album
from whichpic.cli.output import as_json, note, printable, progress, quoted

if TYPE_CHECKING:
    from whichpic.album.exchange import Imported
    from whichpic.api import Album


def import_(
    album: FolderArgument,
    faiss: Annotated[Path | None, typer.Option(help="A FAISS index; a flat one needs no FAISS.")] = None,
    ids: Annotated[
        Path | None, typer.Option(help="The name of each row: .json or .pickle with a list, {row: name}, {name: row}.")
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option(help="The vectors: .npy, or .pickle with an array, a list of rows, {name: row}.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="The folder from which relative names begin.")] = None,
    encoder: EncoderOption = "auto",
    encoder_id: Annotated[
        str | None, typer.Option(help="The id of the encoder that made them, where it is not on this machine.")
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Take over vectors that were made elsewhere. Such are navigationir's: an index of ChatIR's BLIP.

    \b
    Example: whichpic import ~/unlabeled2017 --encoder chatir \\
      --faiss blip_faiss.index --ids id2image.pickle

    With --embeddings blip_image_embedding.pickle both are compared first. Pickles are read, never run. The pictures are
    then looked at for facts, and not encoded again.
    """
    from whichpic.album.exchange import Elsewhere, import_vectors
    from whichpic.encoders import of_id
    from whichpic.errors import EncoderError

    def path(given: Path | None) -> Path | None:
        return given and given.expanduser()

    with _opened(album, encoder, encoder_id, store, quiet=json) as opened:
        made_by = opened.encoder if encoder_id is None else of_id(encoder_id) or encoder_id
        done = import_vectors(
            opened.store,
            encoder=made_by,
            index=path(faiss),
            names=path(ids),
            embeddings=path(embeddings),
            images=path(images),
        )
        if isinstance(made_by, str):
            opened.encoder = Elsewhere(made_by, done.dim)
        else:
            opened.encoder = made_by
        if not json:
            ensure_seer(opened)
        try:
            with progress(json) as show:
                report = opened.index(on_progress=show)
        except EncoderError:
            if not isinstance(made_by, str):
                raise
            note(f"captions are not encoded: {encoder_id} is not on this machine")
            report = None
        if json:
            as_json({"rows": done.rows, "dim": done.dim, "pictures": done.pictures, "absent": done.absent,
                     "without": done.without, "scaled": done.scaled, "encoder": opened.encoder.id,
                     "encoded": report.encoded if report else 0})  # fmt: skip
        else:
            _say(done, album, opened.encoder.id)


def _opened(album: Path, encoder: str, encoder_id: str | None, store: Path | None, *, quiet: bool) -> Album:
    from whichpic.album.exchange import Elsewhere
    from whichpic.api import Album

    if encoder_id is None:
        return open_album(album, encoder=encoder, store=store, quiet=quiet)
    return Album.open(album, encoder=Elsewhere(encoder_id, 0), store=store)


def _say(done: Imported, album: Path, encoder: str) -> None:
    print(f"{done.pictures} pictures have their vectors of {encoder} now ({done.rows} rows of {done.dim} numbers)")
    if done.absent:
        examples = ", ".join(printable(name) for name in done.examples)
        note(f"{done.absent} names are of no file in {album}: {examples}{', ...' if done.absent > 3 else ''}")
    if done.without:
        note(f"{done.without} files had no vector and were encoded")
    if done.scaled:
        note(f"{done.scaled} vectors were not of length 1 and were scaled")


def export(
    album: FolderArgument,
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("exported"),
    encoder: Annotated[
        str | None, typer.Option(help="Whose vectors, where the album has those of several: an id, or its beginning.")
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write an album's vectors as a FAISS index, with their names. Neither FAISS nor torch is needed.

    Example: whichpic export ~/Pictures --out exported

    faiss.index for faiss.read_index, embeddings.npy for numpy.load, id2image.json with the path of each row, and
    export.json with the encoder's id. whichpic import reads them again.
    """
    from whichpic.album.exchange import ABOUT, ARRAY, INDEX, NAMES, export_index
    from whichpic.album.store import Store

    out = out.expanduser()
    with Store.open(album.expanduser(), store=store and store.expanduser()) as opened:
        name, rows = export_index(opened, out, encoder=encoder)
    if json:
        as_json({"encoder": name, "rows": rows, "out": str(out)})
        return
    print(f"{rows} vectors of {name} in {quoted(out)}: {INDEX}, {ARRAY}, {NAMES}, {ABOUT}")
