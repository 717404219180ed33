"""`whichpic prompts`: what models are asked, to read and to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whichpic.cli.output import as_json, note, printable, quoted
from whichpic.errors import QueryError


def prompts(
    show: Annotated[str | None, typer.Option("--show", metavar="NAME", help="Print one prompt.")] = None,
    copy: Annotated[
        Path | None, typer.Option("--copy", metavar="FOLDER", help="Copy all prompts there, for editing.")
    ] = None,
    language: Annotated[str, typer.Option(help="Which to show: en or zh.")] = "en",
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List what models are asked, show it, or copy it for editing.

    Example: whichpic prompts --show describe-scene

    To change one: whichpic prompts --copy my-prompts, edit a file there, and set WHICHPIC_PROMPTS=my-prompts. What is above
    the line --- is the system message, what is below it the question; $name is filled in.
    """
    from whichpic.prompts import LANGUAGES, names

    if language not in LANGUAGES:
        raise QueryError(f"--language is {' or '.join(LANGUAGES)}, not '{language}'")
    if show is not None:
        path = _file(show, language)
        print(path.read_text(encoding="utf-8").rstrip("\n"))
        note(f"from {path}")
    elif copy is not None:
        _copy(copy.expanduser())
    elif json:
        as_json([{"name": name, "language": each, "own": _own(name, each)} for each in LANGUAGES for name in names()])
    else:
        for name in names():
            yours = "  (yours)" if _own(name, language) else ""
            print(f"{name:22s} {printable(_first_line(_file(name, language)))[:90]}{yours}")
        note("one of them: whichpic prompts --show NAME; to change them: whichpic prompts --copy FOLDER")


def _file(name: str, language: str) -> Path:
    """The file that a prompt is read from. Raises QueryError where there is none."""
    from whichpic.prompts import names, own_folder, shipped

    own = own_folder()
    plain = name if name.replace("-", "").isalnum() else ""
    for folder in (own, shipped()):
        if folder is not None and plain and (path := folder / language / f"{plain}.txt").is_file():
            return path
    raise QueryError(f"no prompt is called '{printable(name)}'; there are {', '.join(names())}")


def _own(name: str, language: str) -> bool:
    from whichpic.prompts import own_folder

    own = own_folder()
    return own is not None and (own / language / f"{name}.txt").is_file()


def _first_line(path: Path) -> str:
    above, _, below = path.read_text(encoding="utf-8").rpartition("\n---\n")
    # Where the question is the user's own, the system message says more.
    asked = (above if above and below.strip().startswith("$") else below).strip()
    return asked.splitlines()[0] if asked else ""


def _copy(folder: Path) -> None:
    from whichpic.prompts import LANGUAGES, shipped

    copied = kept = 0
    for language in LANGUAGES:
        for path in sorted((shipped() / language).glob("*.txt")):
            target = folder / language / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            # What was edited before is worth more than what can be had again.
            if target.exists():
                kept += 1
                continue
            target.write_bytes(path.read_bytes())
            copied += 1
    there = f", {kept} were there already and are kept" if kept else ""
    print(f"{copied} prompts copied to {folder}{there}")
    note(f"after editing: export WHICHPIC_PROMPTS={quoted(folder)}; a file that you delete is whichpic's own again")
