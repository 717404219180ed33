"""`whichpic simulate`: many sessions with simulated users, as a file of dialogues that `whichpic score` reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whichpic.cli.chat import AllowCodeOption, ChatCacheOption
from whichpic.cli.index import StoreOption
from whichpic.cli.output import as_json, note, printable, progress, quoted
from whichpic.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whichpic.simulate.dialogues import Dialogue
    from whichpic.simulate.prepare import Prepared


def simulate(
    album: Annotated[
        str | None, typer.Argument(metavar="ALBUM", help="A folder, a data set of captions, or world:2000 (drawn).")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Settings by name (real-photos, navigationir, query-rewriting, ...) or a TOML file."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The file to write; one that is there is gone on with.")] = Path(
        "dialogues.jsonl"
    ),
    user: Annotated[
        str | None, typer.Option(help="facts, captions, replay, or chat: a model that sees its target.")
    ] = None,
    captions: Annotated[Path | None, typer.Option(help="What caption users know; not in the album.")] = None,
    space: Annotated[Path | None, typer.Option(help="The list of names that belongs to PlugIR's captions.")] = None,
    dialogues: Annotated[Path | None, typer.Option(help="Recorded dialogues, for --user replay.")] = None,
    errors: Annotated[float | None, typer.Option(help="Share of wrong answers.")] = None,
    ignorance: Annotated[float | None, typer.Option(help="Share of answers that are 'not sure'.")] = None,
    opening: Annotated[
        str | None, typer.Option(help="What is said first: caption, object, dialogue or described.")
    ] = None,
    targets: Annotated[str | None, typer.Option(help="How many targets, or a file with one id or path a line.")] = None,
    questions: Annotated[int | None, typer.Option(help="Questions in a dialogue.")] = None,
    stop: Annotated[
        str | None, typer.Option(help="never, found (the target is shown) or sure (shown, ties too).")
    ] = None,
    shown: Annotated[int | None, typer.Option(help="Pictures in the list.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Encoder of the album.")] = None,
    asker: Annotated[
        str | None,
        typer.Option(help="Who asks: facts, pick, captions, pictures, or several: facts,pick."),
    ] = None,
    chooser: Annotated[str | None, typer.Option(help="Who picks one: eig, kl, first or random.")] = None,
    chat: Annotated[
        str | None,
        typer.Option(
            help="The model: a URL, openai:MODEL, ..., batch:FOLDER, a folder of weights, a hub id; else WHICHPIC_CHAT."
        ),
    ] = None,
    llm: Annotated[
        str | None, typer.Option(help="A second model of the session, for what needs no pictures, named like --chat.")
    ] = None,
    user_chat: Annotated[str | None, typer.Option(help="The model of --user chat, if it is another one.")] = None,
    rewriter: Annotated[
        str | None, typer.Option(help="What makes one sentence of all: join, reconstruct, expand or slerp.")
    ] = None,
    rerank: Annotated[int | None, typer.Option(help="So many of the best pictures are looked at by the model.")] = None,
    sampler: Annotated[
        str | None, typer.Option(help="What the asker `pictures` looks at: cluster, interval, random or top.")
    ] = None,
    feedback: Annotated[
        str | None,
        typer.Option(help="Mark pictures instead of answering: own (by what users know) or target (an oracle)."),
    ] = None,
    deadline: Annotated[float | None, typer.Option(help="Seconds that a turn waits for models; else 600.")] = None,
    chat_cache: ChatCacheOption = None,
    adapter: Annotated[Path | None, typer.Option(help="A LoRA adapter for weights in this process.")] = None,
    precision: Annotated[str, typer.Option(help="Of weights in this process: auto, bf16, int8, int4, ...")] = "auto",
    allow_code: AllowCodeOption = None,
    language: Annotated[str | None, typer.Option(help="Language of the dialogue: en or zh.")] = None,
    belief: Annotated[Path | None, typer.Option(help="Constants of the belief, a JSON file.")] = None,
    compare: Annotated[
        str | None, typer.Option(help="One file per way of asking: eig,kl,first,random (choosers), pick (asker).")
    ] = None,
    gain: Annotated[
        bool | None, typer.Option("--gain/--no-gain", help="Record what the best question could tell.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of targets, slips and whatever else is drawn.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0: in this one. The result is the same.")] = 0,
    store: StoreOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Let simulated users look for pictures, and write down what was said, asked, shown, and the target's rank.

    Example: whichpic simulate world:500 --user facts --targets 50 --questions 8

    Example: whichpic simulate ~/Pictures --recipe navigationir --chat vllm:

    Options override the recipe. Ctrl-C, or even a crash, keeps what was played; the same command goes on from there.
    With --chat batch:FOLDER the model's requests go into a file, and it ends with exit code 4 while replies are missing:
    answer them with whichpic batch FOLDER --chat ... where the model can be reached, and run the same command again.
    """
    given = dict(locals())  # by the names of the options
    from whichpic.simulate.parallel import one_thread

    one_thread()
    from whichpic.simulate.prepare import merged
    from whichpic.simulate.recipes import load_recipe

    stated = load_recipe(recipe) if recipe else None
    options = _tables(given)
    tables = merged(stated.tables if stated else {}, options)
    name = stated.name if stated else Path(album or "world").name
    played = []
    gallery = None
    for way in _ways(compare):
        this = merged(tables, {"session": _asking(way)})
        prepared = _prepared(this, f"{name} {way}".strip(), gallery)
        gallery = prepared.gallery
        path = out.with_name(f"{out.stem}.{way}{out.suffix}") if way else out
        played.append((path, prepared, _run(prepared, path, workers, json)))
    if json:
        as_json([_plain(path, prepared, done) for path, prepared, done in played])
        return
    for path, prepared, done in played:
        _say(path, prepared, done)
    note(f"figures with intervals: whichpic score {' '.join(quoted(path) for path, _, _ in played)}")


_OPTIONS: dict[str, tuple[str, ...]] = {
    "session": (
        "encoder",
        "asker",
        "chooser",
        "language",
        "belief",
        "chat",
        "llm",
        "rewriter",
        "rerank",
        "sampler",
        "deadline",
    ),
    "play": ("questions", "stop", "shown", "gain", "seed"),
}
"""Options that are settings of the same name."""


def _tables(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The options of the command line as tables of a recipe; None where one was not given."""
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    targets = plain["targets"]
    number, file = (int(targets), None) if targets and targets.isdecimal() else (None, targets)
    precision = None if plain["precision"] == "auto" else plain["precision"]
    return {
        **{table: {name: plain[name] for name in names} for table, names in _OPTIONS.items()},
        "album": {"path": plain["album"], **{name: plain[name] for name in ("captions", "space", "store")}},
        "user": {"kind": plain["user"], "chat": plain["user_chat"],
                 **{name: plain[name] for name in ("errors", "ignorance", "dialogues", "feedback")}},
        "opening": {"kind": plain["opening"]},
        "targets": {"n": number, "file": file},
        "models": {"cache": plain["chat_cache"], "adapter": plain["adapter"], "precision": precision,
                   "allow_code": plain["allow_code"]},
    }  # fmt: skip


def _ways(compare: str | None) -> list[str]:
    """The words of --compare; all of them are known before the first of them is played."""
    from whichpic.dialogue.choosing import chooser

    ways = [way.strip() for way in compare.split(",") if way.strip()] if compare else [""]
    for way in ways:
        if way not in ("", "pick"):
            chooser(way)
    return ways


def _asking(way: str) -> dict[str, str]:
    """What one word of --compare means: a chooser over the recipe's askers, or the asker `pick` alone."""
    return {"asker": "pick", "chooser": "eig"} if way == "pick" else {"chooser": way} if way else {}


def _prepared(tables: dict[str, dict[str, Any]], name: str, gallery: Any) -> Prepared:
    from whichpic.cli.open import open_album
    from whichpic.simulate.prepare import place_of, prepare

    place = place_of(tables)
    if gallery is None and not place.world:
        store = None if place.store is None else Path(place.store)
        with open_album(Path(place.path), encoder=place.encoder, store=store) as opened:
            # Never indexed here: what is measured must not depend on who measures it first.
            gallery = opened.gallery
    prepared = prepare(tables, name=name, gallery=gallery)
    for warning in prepared.warnings:
        note(f"warning: {warning}")
    return prepared


def _run(prepared: Prepared, path: Path, workers: int, quiet: bool) -> list[Dialogue]:
    from whichpic.simulate.parallel import simulate as play_all

    if workers < 0:
        raise QueryError(f"--workers is at least 0, not {workers}")
    with progress(quiet) as show:
        return play_all(prepared.place, prepared.plan, prepared.targets, path, prepared.header,
                        workers=workers, gallery=prepared.gallery, on_progress=show)  # fmt: skip


def _recall(done: Sequence[Dialogue], turn: int, k: int = 10) -> float:
    """Share of targets among the first k, a tie counted as its expectation; a dialogue that is over keeps its last list."""
    total = 0.0
    for dialogue in done:
        now = dialogue.turns[min(turn, len(dialogue.turns) - 1)]
        total += min(1.0, max(0.0, (k - now.better) / (now.ties + 1)))
    return total / len(done)


def _say(path: Path, prepared: Prepared, done: Sequence[Dialogue]) -> None:
    turns = max(len(dialogue.turns) for dialogue in done)
    print(f"{printable(prepared.header['name'])}: {len(done)} dialogues among {prepared.gallery.n} pictures, in {path}")
    print("  turn       " + "".join(f"{turn:6d}" for turn in range(turns)))
    print("  Recall@10  " + "".join(f"{100 * _recall(done, turn):6.1f}" for turn in range(turns)))
    if paper := _paper(path):
        from whichpic.evaluate.printing import paper_table, to_text

        print(to_text(paper_table(paper)))
    troubles = [turn.trouble for dialogue in done for turn in dialogue.turns if turn.trouble]
    if troubles:
        played = sum(len(dialogue.turns) for dialogue in done)
        note(
            f"warning: {len(troubles)} of {played} turns went on without the model; the first: {printable(troubles[0])}"
        )


def _paper(path: Path) -> dict[str, Any] | None:
    """The table of the paper that a recipe follows, of what was played."""
    from whichpic.evaluate.papers import paper_of
    from whichpic.evaluate.protocols.ours import read_ours

    return paper_of(read_ours(path))


def _plain(path: Path, prepared: Prepared, done: Sequence[Dialogue]) -> dict[str, Any]:
    turns = max(len(dialogue.turns) for dialogue in done)
    recall = [_recall(done, turn) for turn in range(turns)]
    plain = {"file": str(path), **prepared.header, "dialogues": len(done), "recall@10": recall}
    return {**plain, "paper": paper} if (paper := _paper(path)) else plain
