"""`whichpic fit`: the belief's constants, fitted on dialogues about an album and read on those that were held out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whichpic.cli.index import EncoderOption, FolderArgument, JsonOption, StoreOption
from whichpic.cli.open import open_album
from whichpic.cli.output import as_json, note, progress, quoted

if TYPE_CHECKING:
    from whichpic.dialogue import BeliefSettings
    from whichpic.evaluate.replaying import Told
    from whichpic.evaluate.run import Run


def fit(
    album: FolderArgument,
    dialogues: Annotated[
        Path,
        typer.Argument(metavar="DIALOGUES", help="dialogues.jsonl, ChatIR dialogues, or captions of the pictures."),
    ],
    out: Annotated[Path, typer.Option(help="The file of constants, with where they come from.")] = Path("belief.json"),
    own_words: Annotated[
        bool, typer.Option("--own-words", help="Every text is a sentence of the user's own (captions of a picture).")
    ] = False,
    what: Annotated[
        str,
        typer.Option(
            help="texts (what sentences weigh), answers (how often they err), models (looks, sentences), or both (all)"
        ),
    ] = "both",
    start: Annotated[Path | None, typer.Option("--from", help="Begin with the constants of this file.")] = None,
    harm: Annotated[
        float | None, typer.Option(min=0, help="Weight of the penalty on dialogues that end worse.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the halves and of the competitors.")] = 0,
    encoder: EncoderOption = "auto",
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Fit the constants of the belief on dialogues whose target is known, and check them on the half held out.

    Example: whichpic fit ~/Pictures dialogues.jsonl --out belief.json

    The figures printed are of dialogues that the constants had not seen: fitted on one half of the pictures, read on the
    other, both ways round. The file holds constants fitted on all. Use it: WHICHPIC_BELIEF=belief.json whichpic talk ...
    or whichpic simulate ... --belief belief.json. Needs the extra lab.
    """
    from whichpic.dialogue import BeliefSettings
    from whichpic.dialogue.constants import read_belief
    from whichpic.evaluate.fitting import HARM, changed, cross_fitted, fitted, none_fits
    from whichpic.evaluate.replaying import Remembering, read_heard, rewriter_of
    from whichpic.search.gallery import Gallery

    with open_album(album, encoder=encoder, store=store, quiet=json) as opened:
        gallery = Gallery.of(opened.store, Remembering(opened.encoder))
        harm = HARM if harm is None else harm
        heard = read_heard(dialogues, gallery, own_words=own_words)
        before = read_belief(start) if start else BeliefSettings.fitted(gallery.encoder.id)
        chosen = before.rewriter
        before = BeliefSettings.of({"rewriter": rewriter_of(dialogues)}, usual=before)
        if not json:
            note(f"{len(heard)} dialogues; fitting on each half and reading the other, then on all")
        with _progress(json) as told:
            run = cross_fitted(gallery, heard, before, what=what, harm=harm, seed=seed, told=told)
            after = fitted(gallery, heard, before, what=what, harm=harm, seed=seed, told=told)
        none = none_fits(run.fits, run.fits_absent)
        # Who rewrites is the user's choice, and no constant: a file of constants turns no model on.
        after = BeliefSettings.of({"rewriter": chosen}, usual=_with_none(after, none))
        figures = _figures(run, none)
        content = {
            "settings": changed(BeliefSettings(), after),
            "provenance": {"encoder": gallery.encoder.id, "album": opened.store.root.name, "pictures": gallery.n,
                           "dialogues": dialogues.name, "n": len(heard), "what": what, "harm": harm, "seed": seed,
                           "held_out": figures},
        }  # fmt: skip
    _write(out, content)
    if json:
        as_json(content)
        return
    _print(figures)
    note(f"constants of all {len(heard)} dialogues: {quoted(out)}")


@contextmanager
def _progress(quiet: bool) -> Iterator[Told | None]:
    """A line now and then, or bars: fitting thousands of dialogues takes minutes."""
    from time import perf_counter

    from whichpic.album.indexing import Progress

    stages: list[tuple[str, float]] = []
    with progress(quiet) as show:

        def told(what: str, done: int, total: int) -> None:
            if done == 1 or not stages:
                stages.append((what, perf_counter()))
            if show is not None:
                show(Progress(f"{len(stages)}. {what}", done, total, 0, perf_counter() - stages[-1][1]))

        yield None if show is None else told


def _with_none(settings: BeliefSettings, none: dict[str, Any]) -> BeliefSettings:
    from dataclasses import replace

    return replace(settings, none_fits=none["threshold"])


def _figures(run: Run, none: dict[str, Any]) -> dict[str, Any]:
    from whichpic.evaluate.calibration import coverage, ece, ece_floor
    from whichpic.evaluate.metrics import bri, harm, recall_at

    rank, worst = run.ranks.rank("mean"), harm(run.ranks.rank("mean"))
    assert run.confidence is not None and run.in_set is not None
    turns = range(run.ranks.turns)
    return {
        "recall@10": [round(float(each), 4) for each in recall_at(rank, 10)],
        "bri": round(float(bri(rank)[-1]), 4),
        "lost": [round(float(each), 4) for each in worst.lost],
        "ended_worse": round(float(worst.ended_worse), 4),
        "found_then_lost": round(float(worst.found_then_lost), 4),
        "ece": [round(float(ece(run.confidence[:, turn], run.right[:, turn])), 4) for turn in turns],
        "ece_by_chance": [round(ece_floor(run.confidence[:, turn]), 4) for turn in turns],
        "coverage": [round(float(each), 4) for each in coverage(run.in_set)],
        "nothing_fits": none,
    }


def _write(out: Path, content: dict[str, Any]) -> None:
    import json

    from whichpic.errors import AlbumError

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise AlbumError(f"the constants cannot be written to {out}: {error.strerror}") from None


def _print(figures: dict[str, Any]) -> None:
    print(
        "held out:\n| turn | Recall@10 | ECE | by chance | coverage | nothing fits, AUROC |\n|---|---|---|---|---|---|"
    )
    held_out = [figures[name] for name in ("recall@10", "ece", "ece_by_chance", "coverage")]
    rows = zip(*held_out, figures["nothing_fits"]["auroc"], strict=True)
    for turn, (recall, off, chance, held, told) in enumerate(rows):
        print(f"| {turn} | {100 * recall:.1f} | {off:.3f} | {chance:.3f} | {100 * held:.1f} | {told:.3f} |")
    lost = max(figures["lost"], default=0.0)
    print(f"\nBRI {figures['bri']:.3f}")
    print(f"top-10 targets lost from a turn to the next, at most: {100 * lost:.1f} %")
    print(f"dialogues that end worse than they began: {100 * figures['ended_worse']:.1f} %")
    print(f"targets found, then lost: {100 * figures['found_then_lost']:.1f} %")
    if figures["nothing_fits"]["threshold"] is None:
        print('"nothing here fits" is not shown with these constants: its AUROC is not above 0.7 at every turn')
