"""Where weights lie on this machine, what is known of them, and whether they are what they should be.

A model is the folder <home>/models/<name>: its files and record.json, put there whole or not at all.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from whichpic.errors import ModelError
from whichpic.models.files import read_json, sha256_of, write_json
from whichpic.models.table import Model, find
from whichpic.settings import settings

RECORD = "record.json"


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found of one file."""

    file: str
    ok: bool
    finding: str


def root() -> Path:
    """The folder that holds all models."""
    return settings().home / "models"


def recorded(folder: Path) -> dict[str, tuple[str, int]]:
    """File name -> (sha256, bytes) as the record in a model's folder states; empty where there is no sound record."""
    files = read_json(folder / RECORD).get("files")
    if not isinstance(files, dict):
        return {}
    try:
        return {str(name): (str(entry["sha256"]), int(entry["size"])) for name, entry in files.items()}
    except (TypeError, KeyError, ValueError, OverflowError):
        return {}


def _fault(model: Model, folder: Path) -> str | None:
    """Why a folder cannot serve as this model, at the price of a few stat calls; None where it can."""
    known = recorded(folder)
    if not known:
        return "not here"
    for file in model.files:
        if file.name not in known:
            return f"incomplete ({file.name} is missing)"
        sha256, size = known[file.name]
        if file.sha256 is not None and file.sha256 != sha256:
            return f"of another version ({file.name} differs from the table)"
        try:
            found = (folder / file.name).stat().st_size
        except OSError:
            return f"incomplete ({file.name} is missing)"
        if found != size:
            return f"damaged ({file.name} has {found:,} bytes instead of {size:,})"
    return None


def have(name: str) -> bool:
    """Whether a model's files are here, with the sizes that were recorded."""
    return _fault(find(name), root() / name) is None


def locate(name: str) -> Path:
    """The folder with a model's files. ModelError with the one command that gets them, where they are not."""
    folder = root() / name
    fault = _fault(find(name), folder)
    if fault:
        raise ModelError(f"the weights of '{name}' are {fault}; get them with: whichpic models get {name}")
    return folder


def check(name: str) -> list[Checked]:
    """Read every file of a model and compare it with its record and with the table. One result per file."""
    model, folder = find(name), root() / name
    known = recorded(folder)
    results = []
    for file in model.files:
        path = folder / file.name
        if file.name not in known or not path.is_file():
            results.append(Checked(file.name, False, "missing"))
            continue
        actual = sha256_of(path)
        expected = file.sha256 or known[file.name][0]
        if actual != expected:
            results.append(Checked(file.name, False, f"changed: sha256 {actual[:12]}…, expected {expected[:12]}…"))
        elif file.sha256:
            results.append(Checked(file.name, True, "as the table states"))
        else:
            results.append(Checked(file.name, True, "as recorded when it was fetched"))
    return results


def verify(model: Model, folder: Path, before: Mapping[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """Hash what was fetched; compare with the table, else with what was recorded the first time. Returns the hashes."""
    found = {}
    for file in model.files:
        path = folder / file.name
        if not path.is_file():
            raise ModelError(f"'{model.name}' came without {file.name}; nothing was kept ({model.sources[0].page})")
        if impostor := _impostor(path):
            raise ModelError(f"{file.name} of '{model.name}' is {impostor}; nothing was kept ({model.sources[0].page})")
        sha256 = sha256_of(path)
        first = before.get(file.name, (None, 0))[0]
        expected, by = (file.sha256, "the table") if file.sha256 else (first, "the first download")
        if expected is not None and sha256 != expected:
            raise ModelError(
                f"{file.name} of '{model.name}' is not what {by} states (sha256 {sha256[:12]}…, expected "
                f"{expected[:12]}…); nothing was kept. If you trust the change, delete {root() / model.name} and "
                "get it again"
            )
        found[file.name] = (sha256, path.stat().st_size)
    return found


def _impostor(path: Path) -> str | None:
    """What came in the place of a file that has no hash to be known by, else recorded for good; None where it may be it."""
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "a web page instead: a mirror, a proxy or a login answered"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS and not the file itself: fetch it with git lfs pull"
    return None


def write_record(
    model: Model, folder: Path, files: Mapping[str, tuple[str, int]], *, origin: str, revision: str | None
) -> None:
    """Write the record, the last file of a model's folder."""
    write_json(
        folder / RECORD,
        {
            "name": model.name,
            "origin": origin,
            "revision": revision,
            "pinned": model.pinned,
            "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "licence": model.licence,
            "files": {name: {"sha256": sha256, "size": size} for name, (sha256, size) in files.items()},
        },
    )
