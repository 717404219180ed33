"""`whichpic score`: figures by turn of our own dialogues, or of what others published; every setting is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whichpic.cli.output import as_json, note, printable, quoted
from whichpic.errors import AlbumError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from whichpic.evaluate.published import Published
    from whichpic.evaluate.scoring import Protocol

FilesArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE...", help="dialogues.jsonl, or files of a published protocol.")
]
RecipeOption = Annotated[
    str, typer.Option("--recipe", help="Settings by name (text-proxy, chatir, ...) or a .toml file.")
]
DataOption = Annotated[Path, typer.Option("--data", help="Folder of the files that a recipe names.")]
KindOption = Annotated[
    str,
    typer.Option(
        "--as",
        help="What the files are, where their content does not tell: whichpic, chatir, plugir, captions, "
        "navigationir, query-rewriting, merlin.",
    ),
]
FormOption = Annotated[
    str, typer.Option("--form", help="A round is added to the text (joined) or stands for it (replaced).")
]
TurnsOption = Annotated[int | None, typer.Option("--turns", help="Leave out later turns.")]
SplitOption = Annotated[str, typer.Option("--split", help="Split of a Karpathy file: test, ...")]
BaseOption = Annotated[int | None, typer.Option("--base", help="Rank of the first picture in a rank file: 0 or 1.")]
PoolOption = Annotated[
    int | None,
    typer.Option(
        "--pool", help="Pictures searched by a rank file; for captions, the size of the folds (COCO 1k: 1000)."
    ),
]
NotFoundOption = Annotated[
    list[int] | None, typer.Option("--not-found", help="A number that means not found in a rank file.")
]
RelevantOption = Annotated[
    str,
    typer.Option(
        "--relevant", help="Right pictures of query-rewriting's records: record (their relevant_images) or target."
    ),
]
DocumentsOption = Annotated[
    Path | None,
    typer.Option("--documents", help="Texts about the pictures: the text proxy, no picture needed."),
]
OpeningOption = Annotated[
    bool | None,
    typer.Option("--opening/--no-opening", help="Dialogues as documents: with their opening or without it."),
]
CaptionsOption = Annotated[
    Path | None, typer.Option("--captions", help="The captions that belong to a list of names (PlugIR).")
]
SpaceOption = Annotated[Path | None, typer.Option("--space", help="The pictures searched: a JSON list of paths.")]
AlbumOption = Annotated[
    Path | None, typer.Option("--album", help="An album that holds the pictures (or their captions).")
]
StoreOption = Annotated[Path | None, typer.Option("--store", help="Where the album's index is, if not in it.")]
EncoderOption = Annotated[str, typer.Option("--encoder", help="Encoder of the album or of the texts.")]
FieldOption = Annotated[str, typer.Option("--field", help="pictures, caption_vectors or caption_words of the album.")]
VectorsOption = Annotated[
    Path | None,
    typer.Option("--vectors", help="Pictures' vectors, .npy [pictures, dim], in the order of --space."),
]
QueryVectorsOption = Annotated[
    Path | None, typer.Option("--query-vectors", help="Texts' vectors, .npy [dialogues, turns, dim].")
]
DepthsOption = Annotated[str, typer.Option("-k", help="Depths, parted by commas; the table shows 10, or the largest.")]
TiesOption = Annotated[str, typer.Option("--ties", help="Rank among ties: mean, optimistic or pessimistic.")]
LevelOption = Annotated[float | None, typer.Option("--level", help="Of the intervals.")]
SamplesOption = Annotated[int, typer.Option("--samples", min=1, max=100_000, help="Of the bootstrap.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")]
CompareOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option("--compare", help="Two files: the second less the first, turn by turn, over the dialogues of both."),
]
BesideOption = Annotated[
    list[str] | None,
    typer.Option("--published", help="A published system to put beside: chatir, plugir, ... (list: all)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")]
LatexOption = Annotated[bool, typer.Option("--latex", help="Print LaTeX tables.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for summary.json, which `whichpic report` makes a page of."),
]


def score(
    files: FilesArgument = None,
    recipe: RecipeOption = "",
    data: DataOption = Path(),
    kind: KindOption = "",
    form: FormOption = "",
    turns: TurnsOption = None,
    split: SplitOption = "",
    base: BaseOption = None,
    pool: PoolOption = None,
    not_found: NotFoundOption = None,
    relevant: RelevantOption = "",
    documents: DocumentsOption = None,
    opening: OpeningOption = None,
    captions: CaptionsOption = None,
    space: SpaceOption = None,
    album: AlbumOption = None,
    store: StoreOption = None,
    encoder: EncoderOption = "",
    field: FieldOption = "",
    vectors: VectorsOption = None,
    query_vectors: QueryVectorsOption = None,
    k: DepthsOption = "",
    ties: TiesOption = "",
    level: LevelOption = None,
    samples: SamplesOption = 2000,
    seed: SeedOption = 0,
    compare: CompareOption = None,
    beside: BesideOption = None,
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    out: OutOption = None,
) -> None:
    """Score dialogues turn by turn: the current list's Recall beside Hits, ranks, BRI, harm and chance.

    Example: whichpic score dialogues.jsonl

    Published files are known by their content: ChatIR and PlugIR dialogues, Flickr30k and COCO captions, rank files of
    navigationir, records of query-rewriting, logs of MERLIN. Dialogues without ranks need something to search:

    Example: whichpic score ChatGPT_BLIP2.json --documents VisDial_v1.0_queries_val.json

    Example: whichpic score --recipe text-proxy --data DATA
    """
    given = dict(locals())  # the options that are a protocol's have its names
    if beside and "list" in beside:
        _list_published()
        return
    protocol, paths, stated = _stated(recipe, data, given)
    paths = [*compare] if compare else (files or paths)
    if not paths:
        raise QueryError("nothing to score: name dialogues.jsonl or a published file, or a --recipe with its --data")
    ks = _depths(k or stated.get("k") or "1,5,10")
    asked = {"ks": ks, "ties": ties or stated.get("ties", "mean"), "samples": samples, "seed": seed,
             "level": stated.get("level", 0.95) if level is None else level}  # fmt: skip
    summary = _summary(paths, protocol, asked, quiet=json)
    systems = _beside(summary, beside or stated.get("published", []))
    _write(summary, out)
    _print(summary, systems, json=json, markdown=markdown, latex=latex)


def _stated(recipe: str, data: Path, given: Mapping[str, Any]) -> tuple[Protocol, list[Path], dict[str, Any]]:
    """A recipe's protocol under the options that were given, the files it names, and what it says of the figures."""
    from dataclasses import fields, replace

    from whichpic.evaluate.scoring import Protocol, of_recipe
    from whichpic.simulate.recipes import load_recipe

    protocol = Protocol()
    paths: list[Path] = []
    figures: dict[str, Any] = {}
    if recipe:
        read = load_recipe(recipe)
        protocol, paths = of_recipe(read, data)
        figures = {**read.tables.get("score", {}), "published": read.get("protocol", "published", [])}
    names = {each.name for each in fields(Protocol)} - {"k"}
    options = {key: value for key, value in given.items() if key in names and value not in (None, "")}
    if "not_found" in options:
        options["not_found"] = tuple(options["not_found"])
    return replace(protocol, **options), paths, figures


def _depths(text: Any) -> tuple[int, ...]:
    parts = text if isinstance(text, list) else str(text).split(",")
    try:
        found = tuple(int(each) for each in parts)
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise QueryError(f"-k is '{text}'; expected depths like 10, or 1,5,10")
    return found


def _summary(paths: Sequence[Path], protocol: Protocol, asked: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    from dataclasses import replace

    from whichpic.evaluate.protocols.ranked import rank_changes
    from whichpic.evaluate.scoring import read_runs
    from whichpic.evaluate.summary import summarise

    ks = asked["ks"]
    k = 10 if 10 in ks else max(ks)
    runs = read_runs(paths, replace(protocol, k=k), on_progress=None if quiet else _counting())
    summary = summarise(runs, **asked)
    for run, told in zip(runs, summary["runs"], strict=True):
        told["changes"] = rank_changes(run.ranks, k=k, ties=asked["ties"]) if run.ranks.turns > 1 else None
    return summary


def _counting() -> Callable[[int, int], None]:
    """Progress for people who wait: a line every ten seconds."""
    import time

    last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 10:
            last = time.monotonic()
            note(f"  {done}/{total}")

    return show


def _beside(summary: Mapping[str, Any], names: str | Sequence[str]) -> list[Published]:
    """The published systems asked for; why one of them is no fair comparison goes into the warnings."""
    from whichpic.evaluate.published import not_comparable, published

    systems = [published(name) for name in ([names] if isinstance(names, str) else names)]
    for run in summary["runs"]:
        for system in systems:
            if why := not_comparable(system, run["settings"], run["pool"]):
                run["warnings"].append(f"{system.name} ({system.source}) was measured otherwise: {why}")
    return systems


def _source(system: Published) -> str:
    bri = "" if system.bri is None else f"; BRI {system.bri:.4f} at its last turn"
    return f"{system.id}: {system.name}; {system.source}; {system.corpus}, {system.pool or '?'} pictures{bri}. {system.note}"


def _list_published() -> None:
    from whichpic.evaluate.published import published_systems

    for system in published_systems():
        print(_source(system))


def _write(summary: Mapping[str, Any], folder: Path | None) -> None:
    import json

    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8", errors="replace")
    except OSError as error:
        raise AlbumError(f"{folder / 'summary.json'} cannot be written: {error.strerror or error}") from None
    note(f"summary in {folder / 'summary.json'}; a page of it: whichpic report {quoted(folder / 'summary.json')}")


def _print(summary: Mapping[str, Any], beside: Sequence[Published], *, json: bool, markdown: bool, latex: bool) -> None:
    from whichpic.evaluate import tables
    from whichpic.evaluate.printing import by_turn_table, comparison_table, paper_table, remarks, stated, to_text

    if json:
        as_json(summary)
        return
    k = summary["k"]
    render = tables.to_markdown if markdown else tables.to_latex if latex else to_text
    mark = "% " if latex else ""
    settings = [stated(run) for run in summary["runs"]]
    shared = [line for line in settings[0] if all(line in each for each in settings)]
    figures = [
        f"ties: {summary['ties']}",
        f"intervals: {summary['level']:.0%}, {summary['samples']} bootstrap samples of the dialogues, "
        f"seed {summary['seed']}",
    ]
    for number, run in enumerate(summary["runs"]):
        lines = [f"WARNING: {each}" for each in run["warnings"]]
        lines += [line for line in settings[number] if number == 0 or line not in shared]
        lines += figures if number == 0 else ["all else: as above"]
        print("\n" if number else "", end="")
        print("\n".join(mark + printable(line) for line in lines) + "\n")
        print(render(by_turn_table(run, k, beside)).rstrip() + "\n")
        if run["paper"]:
            print(render(paper_table(run["paper"])).rstrip() + "\n")
        below = [*remarks(run, k), *(_source(system) for system in beside)]
        print("\n".join(mark + printable(line) for line in below))
    for compared in summary["comparisons"]:
        if compared["metric"] in (f"recall@{k}", "bri"):
            print("\n" + render(comparison_table(compared)))
    for each in summary["incomparable"]:
        print(f"\n{mark}{printable(each['b'])} is not compared with {printable(each['a'])}: {printable(each['why'])}")
