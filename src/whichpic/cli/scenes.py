"""`whichpic scenes`: draw an album whose every fact is known, to try the conversation on and to measure it with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whichpic.cli.output import note, progress, quoted


def scenes(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the pictures go; made if it is not there.")],
    n: Annotated[int, typer.Option("-n", "--pictures", min=1, help="How many pictures.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Which world; the same seed draws the same pictures.")] = 0,
    side: Annotated[int, typer.Option("--side", min=64, max=2048, help="Width and height, in pixels.")] = 320,
) -> None:
    """Draw an album of simple scenes, with exact facts and captions in pictures.jsonl.

    Example: whichpic scenes ./drawn -n 200 --seed 0

    Pictures that are there are kept, so that a run that was stopped goes on; more of the same seed can be added later.
    """
    import time

    from whichpic.album.indexing import Progress
    from whichpic.simulate.scenes import write_album

    start = time.monotonic()
    with progress() as show:

        def drawn(done: int) -> None:
            if show is not None:
                show(Progress("drawing", done, n, 0, time.monotonic() - start))

        made = write_album(folder.expanduser(), n, seed, side=side, on_picture=drawn)
    kept = f", {n - made} were there" if made < n else ""
    print(f"{n} pictures in {folder} ({made} drawn{kept}), with their facts and captions in pictures.jsonl")
    note(f"now: whichpic index {quoted(folder)}")
