"""Descriptions as conversations about pictures, in the layout that LLaVA and MiniCPM-V are trained with. Called by cli.

Two files: what models learn from, and what a captioning model is compared by.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from whichpic.album.described import sentences, together
from whichpic.errors import AlbumError

if TYPE_CHECKING:
    from whichpic.album.described import Described

TRAINING = "conversations.json"
OUTPUT = "output.json"
_MARK = "<image>"


def training_rows(
    described: Sequence[Described], files: Mapping[str, str], asked: Mapping[tuple[str, str], str]
) -> list[dict[str, Any]]:
    """One row per picture: {"id", "image", "conversations": [{"role", "content"}, ...]}, a question for each description.

    files: path of each picture, by its id, as it stands in "image" (relative to the folder of the pictures). asked: what
    the model was asked, by dimension and language. Only the first question has the mark of the picture, as those
    systems' loaders want it.
    """
    return [
        _row(name, files[picture], [(asked[(each.dimension, each.language)], each.caption) for each in said])
        for picture, name, said in _by_picture(described, files)
    ]


def output_rows(
    described: Sequence[Described], files: Mapping[str, str], asked: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row per picture and language with its whole description, in the layout of a captioning model's `output.json`.

    The whole description is that of the dimension "all", or else all others put together, each sentence once. asked: the
    question for it, by language. A picture that was described in two languages has two rows of one id.
    """
    rows = []
    for picture, name, said in _by_picture(described, files):
        for language in dict.fromkeys(each.language for each in said):
            mine = [each for each in said if each.language == language]
            whole = [each for each in mine if each.dimension == "all"] or mine
            parts = dict.fromkeys(_ended(part, language) for each in whole for part in sentences(each.caption))
            rows.append(_row(name, files[picture], [(asked[language], together(parts))]))
    return rows


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A JSON document, all of it or nothing. Raises AlbumError where it cannot be written."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(rows, ensure_ascii=False, indent=4) + "\n", encoding="utf-8", errors="replace")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise AlbumError(f"cannot write {path}: {error.strerror or error}") from None


def _by_picture(described: Sequence[Described], files: Mapping[str, str]) -> list[tuple[str, str, list[Described]]]:
    """(picture id, name, what was said of it), by path; what is not in `files`, or was said of nothing, is left out."""
    said: dict[str, list[Described]] = {}
    for each in described:
        if each.caption and each.picture in files:
            said.setdefault(each.picture, []).append(each)
    stems = [PurePosixPath(files[picture]).stem for picture in said]
    twice = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()
    rows = []
    for picture in sorted(said, key=lambda each: files[each]):
        path = PurePosixPath(files[picture])
        # The systems take the file's stem; two folders may have the same.
        name = str(path.with_suffix("")) if path.stem in twice else path.stem
        rows.append((picture, name, said[picture]))
    return rows


def _row(name: str, file: str, turns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    conversation: list[dict[str, str]] = []
    for number, (question, answer) in enumerate(turns):
        # A mark inside a text would stand for a picture that there is not.
        question, answer = question.replace(_MARK, ""), answer.replace(_MARK, "")
        conversation.append({"role": "user", "content": question if number else f"{_MARK}\n{question}"})
        conversation.append({"role": "assistant", "content": answer})
    return {"id": name, "image": file, "conversations": conversation}


def _ended(sentence: str, language: str) -> str:
    return sentence if sentence[-1] in '.!?。！？"”' else f"{sentence}{'。' if language == 'zh' else '.'}"
