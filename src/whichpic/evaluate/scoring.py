"""From files to Runs: says what a file is, reads it, and ranks what has no ranks yet. Called by `whichpic score`.

Everything that a protocol leaves open is a field of `Protocol`, so that a recipe or an option can state it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from whichpic.errors import QueryError, SessionError
from whichpic.evaluate.leaks import leak_warnings
from whichpic.evaluate.protocols import captioned, files, ours, ranked, recorded, rewriting
from whichpic.evaluate.protocols.recorded import Form, Recorded
from whichpic.evaluate.proxy import Texts, Tokens, rank_words
from whichpic.evaluate.run import Run

if TYPE_CHECKING:
    from whichpic.search.gallery import Gallery
    from whichpic.simulate.recipes import Recipe

Kind = Literal["whichpic", "chatir", "plugir", "captions", "navigationir", "query-rewriting", "merlin"]
KINDS: tuple[Kind, ...] = ("whichpic", "chatir", "plugir", "captions", "navigationir", "query-rewriting", "merlin")
RECORDED = ("chatir", "plugir", "captions")
"""Kinds that hold texts without ranks: something has to search for them."""

_NEEDS = (
    "holds dialogues without ranks: say what is searched, texts (--documents FILE), an album (--album ALBUM) "
    "or vectors (--vectors FILE.npy --space FILE.json)"
)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What is scored and how; "" and None are what the kind of file says.

    kind: one of KINDS. form: joined or replaced, see `Recorded.queries`. space: the list of pictures searched.
    documents: a data set of texts to search instead of pictures (of our own dialogues: what they searched, to be looked
    through for leaks); opening: whether a dialogue's opening is one of them.
    captions: the list that belongs to PlugIR's list of names. queries: for captions, each or the first of a picture.
    album, store, encoder, field: an album to search. vectors, query_vectors: .npy files, and the texts' encoder.
    turns: cut after as many. base, pool, not_found: how a rank file counts; pool also the size of COCO's folds.
    split: of a Karpathy file. tokens, texts: see `rank_words`. relevant: see `read_rewriting`. k: of recall and F1.
    """

    kind: str = ""
    form: str = ""
    space: Path | None = None
    documents: Path | None = None
    opening: bool = False
    captions: Path | None = None
    queries: str = ""
    album: Path | None = None
    store: Path | None = None
    encoder: str = "auto"
    field: str = ""
    vectors: Path | None = None
    query_vectors: Path | None = None
    turns: int | None = None
    base: int | None = None
    pool: int | None = None
    not_found: tuple[int, ...] | None = None
    split: str = ""
    tokens: str = "words"
    texts: str = "joined"
    relevant: str = "record"
    k: int = 10

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[str, ...]] = {
            "kind": ("", *KINDS), "form": ("", "joined", "replaced"), "tokens": ("words", "ascii"),
            "texts": ("joined", "best"), "queries": ("", "each", "first"), "relevant": ("record", "target"),
            "field": ("", "pictures", "caption_words", "caption_vectors"),
        }  # fmt: skip
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                known = ", ".join(each for each in values if each)
                raise QueryError(f"{name} is '{getattr(self, name)}'; known are: {known}")
        if self.base not in (None, 0, 1):
            raise QueryError(f"base is {self.base}; ranks are counted from 0 or from 1")
        for name in ("turns", "pool"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise QueryError(f"{name} is {value}; it has to be at least 1")


def of_recipe(recipe: Recipe, data: Path) -> tuple[Protocol, list[Path]]:
    """The protocol that a recipe states, its files found below the folder `data`, and the files to score.

    Raises QueryError for a value of the wrong kind, and for a file that is not there.
    """
    table = dict(recipe.tables.get("protocol", {}))
    given = table.pop("dialogues", [])
    names = [given] if isinstance(given, str) else list(given)
    table.pop("published", None)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in ("documents", "captions", "space"):
            values[key] = _below(data, value, recipe)
        elif key == "opening":
            values[key] = value in (True, "with")
        elif key == "not_found":
            values[key] = tuple(value) if isinstance(value, list) else (value,)
        else:
            values[key] = value
    if encoder := recipe.get("session", "encoder"):
        values["encoder"] = encoder
    if album := recipe.get("album", "path"):
        values["album"] = Path(album).expanduser()
    wrong = sorted(set(values) - {field.name for field in fields(Protocol)})
    if wrong:
        raise QueryError(f"the recipe {recipe.name} has '{wrong[0]}' in [protocol], which is not for scoring")
    return Protocol(**values), [_below(data, name, recipe) for name in names]


def _below(data: Path, name: Any, recipe: Recipe) -> Path:
    path = data / str(name)
    if not path.exists():
        raise QueryError(f"the recipe {recipe.name} reads {name}, which is not in {data}; name its folder: --data DIR")
    return path


def read_runs(
    paths: Sequence[Path], protocol: Protocol, *, on_progress: Callable[[int, int], None] | None = None
) -> list[Run]:
    """A Run of every file, their names made distinct; a folder stands for the files in it, MERLIN's logs for one Run.

    Raises SessionError, CaptionError, QueryError or EncoderError, each with one line.
    """
    logs: list[Path] = []
    runs: list[Run] = []
    galleries: dict[str, Gallery] = {}
    for path in _files(paths):
        kind, content = (protocol.kind, None) if protocol.kind else recognise(path, captions=protocol.captions)
        if kind == "merlin":
            logs.append(path)
        elif kind in RECORDED:
            runs.append(_searched(path, replace(protocol, kind=kind), content, galleries, on_progress))
        else:
            run = _recorded(path, replace(protocol, kind=kind), content)
            leaks = _leaks(run, protocol) if kind == "whichpic" else ()
            runs.append(replace(run, name=path.stem, warnings=(*leaks, *run.warnings)))
    if logs:
        name = logs[0].parent.name if len(logs) > 1 else logs[0].stem
        base = 1 if protocol.base is None else protocol.base
        runs.append(ranked.read_merlin(logs, base=base, pool=protocol.pool, turns=protocol.turns, name=name))
    if not runs:
        raise SessionError("nothing to score: name dialogues, or files of a published protocol")
    return [replace(run, name=name) for run, name in zip(runs, files.named([run.name for run in runs]), strict=True)]


def recognise(path: Path, *, captions: Path | None = None) -> tuple[str, Any]:
    """What a file is, one of KINDS, by its content, and the content, so that it is read once.

    captions: the captions that belong to a list of names. Raises SessionError.
    """
    from whichpic.album.datasets import companion_of

    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return "captions", None
    content = files.load(path)
    first = content[0] if isinstance(content, list) and content else content
    if isinstance(first, dict) and "whichpic_dialogues" in first:
        return "whichpic", None
    if isinstance(first, dict) and "whichpic_report" in first:
        raise SessionError(f"{path} is a summary already; make a page of it with: whichpic report")
    if isinstance(first, str):
        if captions is None and companion_of(path) is None:
            raise SessionError(
                f"{path} is a list of names: name it with --space where dialogues search it, or name the captions that "
                "belong to it with --captions"
            )
        return "captions", None
    if ranked.bare_ranks(content) is not None:
        return "navigationir", content
    if isinstance(content, dict) and ({"images", "annotations", "videos", "sentences"} & set(content)):
        return "captions", None
    if kind := _kind_of(files.records(path, content)[0]):
        if kind == "chatir" and recorded.looks_rewritten(recorded.read_recorded(path, content=content)):
            kind = "plugir"
        return kind, content
    raise SessionError(f"{path}: no layout that is known; say what it is with --as ({', '.join(KINDS)})")


def _kind_of(record: Mapping[str, Any]) -> str:
    def has(*names: str) -> bool:
        return files.field(record, names) is not None

    if has("image_rankings"):
        return "query-rewriting"
    if has("initial_rank") and (has("target_vid") or has("round1") or has("rounds")):
        return "merlin"
    if has("rank_old", "old_rank") or has("ranks", "rank_list", "rank_history"):
        return "navigationir"
    if has(*recorded.DIALOG):
        return "chatir"
    return "captions" if has("caption", "captions", "sentences") else ""


def _recorded(path: Path, protocol: Protocol, content: Any) -> Run:
    """A file that has ranks of its own."""
    if protocol.kind == "whichpic":
        return ours.read_ours(path, turns=protocol.turns)
    if protocol.kind == "navigationir":
        return ranked.read_navigationir(path, base=protocol.base, pool=protocol.pool, not_found=protocol.not_found,
                                        turns=protocol.turns, content=content)  # fmt: skip
    relevant: rewriting.Relevant = "target" if protocol.relevant == "target" else "record"
    return rewriting.read_rewriting(path, base=protocol.base or 0, pool=protocol.pool, k=protocol.k, relevant=relevant,
                                    turns=protocol.turns, content=content)  # fmt: skip


def _leaks(run: Run, protocol: Protocol) -> tuple[str, ...]:
    """What our dialogues share with the texts that they searched, where those are named."""
    from whichpic.album.datasets import read_dataset

    if protocol.documents is None:
        return ()
    documents = read_dataset(protocol.documents, opening=protocol.opening, captions=protocol.captions)
    return leak_warnings(run.texts, run.targets, documents.captions)


def _searched(
    path: Path,
    protocol: Protocol,
    content: Any,
    galleries: dict[str, Gallery],
    on_progress: Callable[[int, int], None] | None,
) -> Run:
    """A file of texts, ranked over what the protocol names."""
    from whichpic.album.datasets import read_dataset

    tokens: Tokens = "ascii" if protocol.tokens == "ascii" else "words"
    texts: Texts = "best" if protocol.texts == "best" else "joined"
    split = protocol.split or None
    if protocol.kind == "captions":
        dataset = read_dataset(path, split=split, captions=protocol.captions)
        fold = protocol.pool if protocol.pool not in (None, len(dataset.pictures)) else None
        seen = protocol.album is not None or protocol.vectors is not None
        queries = protocol.queries or ("each" if seen else "first")
        asked = captioned.caption_queries(dataset, queries="first" if queries == "first" else "each", fold=fold)
        settings = _stated(path, protocol, "joined", f"captions; {queries} of a picture is a query")
        if fold is not None:
            settings["folds"] = f"{len(dataset.pictures) // fold} of {fold} pictures, searched apart"
        if not seen:
            return rank_words(path.stem, asked, captioned.others(dataset), texts=texts, words=tokens,
                              settings=settings, on_progress=on_progress)  # fmt: skip
        return _over_vectors(path, protocol, asked, dataset.pictures, settings, galleries, on_progress, partly=True)
    dialogues = recorded.read_recorded(path, turns=protocol.turns, content=content)
    form: Form = "replaced" if (protocol.form or ("replaced" if protocol.kind == "plugir" else "")) == "replaced" else (
        "joined"
    )  # fmt: skip
    space = None if protocol.space is None else recorded.read_space(protocol.space)
    if space is not None:
        recorded.within(dialogues, {name: at for at, name in enumerate(space)}, str(protocol.space))
    settings = _stated(path, protocol, form, "")
    if protocol.documents is not None:
        documents = read_dataset(protocol.documents, opening=protocol.opening, captions=protocol.captions, split=split)
        settings["opening among the documents"] = "yes" if protocol.opening else "no"
        return rank_words(path.stem, dialogues, documents, form=form, texts=texts, words=tokens, settings=settings,
                          on_progress=on_progress)  # fmt: skip
    return _over_vectors(path, replace(protocol, form=form), dialogues, space, settings, galleries, on_progress)


def _over_vectors(
    path: Path,
    protocol: Protocol,
    dialogues: Sequence[Recorded],
    space: Sequence[str] | None,
    settings: Mapping[str, Any],
    galleries: dict[str, Gallery],
    on_progress: Callable[[int, int], None] | None,
    *,
    partly: bool = False,
) -> Run:
    """Ranks over an album or a file of vectors. partly: where the album lacks pictures of the space, those that it has
    are looked for among all of the album, with a warning."""
    from whichpic.evaluate.searching import rank_gallery, rank_vectors, read_vectors

    form: Form = "replaced" if protocol.form == "replaced" else "joined"
    if protocol.album is not None:
        if str(protocol.album) not in galleries:
            from whichpic.api import Album

            with Album.open(protocol.album, encoder=protocol.encoder, store=protocol.store) as album:
                galleries[str(protocol.album)] = album.gallery
        gallery = galleries[str(protocol.album)]
        warnings: tuple[str, ...] = ()
        if partly and space is not None and (kept := _in_album(dialogues, gallery)) != tuple(dialogues):
            warnings = (f"{len(dialogues) - len(kept)} of {len(dialogues)} captions are of pictures that are not in the "
                        f"album; the others are looked for among all of its {gallery.n} pictures",)  # fmt: skip
            dialogues, space = kept, None
        run = rank_gallery(path.stem, dialogues, gallery, space=space, field=protocol.field, form=form,
                           settings={**settings, "album": protocol.album.name}, on_progress=on_progress)  # fmt: skip
        return replace(run, warnings=(*warnings, *run.warnings))
    if protocol.vectors is None:
        raise QueryError(f"{path} {_NEEDS}")
    if space is None:
        raise QueryError("the rows of --vectors need names: --space FILE.json, a list of pictures in the same order")
    stated = {**settings, "searched by": f"dot product over {protocol.vectors.name}"}
    encoder = None
    if protocol.query_vectors is None:
        from whichpic.encoders import open_encoder

        encoder = open_encoder(protocol.encoder)
        stated["encoder"] = encoder.id
    queries = None if protocol.query_vectors is None else read_vectors(protocol.query_vectors)
    vectors = read_vectors(protocol.vectors)
    if vectors.ndim != 2:
        raise QueryError(f"{protocol.vectors} has {vectors.ndim} axes; expected [pictures, dim]")
    return rank_vectors(path.stem, dialogues, space, vectors, encoder=encoder, queries=queries, form=form,
                        settings=stated, on_progress=on_progress)  # fmt: skip


def _in_album(dialogues: Sequence[Recorded], gallery: Gallery) -> tuple[Recorded, ...]:
    """The dialogues whose target the album has; none of its folds hold any more. Raises SessionError for none at all."""
    known = {path: position for position, picture in enumerate(gallery.pictures) for path in picture.paths}
    found = recorded.looked_up([dialogue.target for dialogue in dialogues], known | gallery.positions)
    there = tuple(each for each, position in zip(dialogues, found, strict=True) if position is not None)
    if not there:
        raise SessionError(f"none of the pictures is in the album (first: {dialogues[0].target})")
    return there if len(there) == len(dialogues) else tuple(replace(each, rows=None) for each in there)


def _stated(path: Path, protocol: Protocol, form: Form, opening: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"protocol": protocol.kind, "file": path.name, "form": form}
    if opening:
        settings["opening"] = opening
    if protocol.turns:
        settings["cap"] = f"{protocol.turns} turns"
    return settings


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in (".json", ".jsonl"))
            if not inside:
                raise SessionError(f"{path} holds no .json or .jsonl file to score")
            found += inside
        elif not path.exists():
            raise SessionError(f"there is no file {path}")
        else:
            found.append(path)
    return found
