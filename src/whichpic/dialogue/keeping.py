"""The file of a session: a header and one line per record, on the disk before anything goes on. Called by session."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.dialogue.events import Record, from_json
from whichpic.errors import AlbumError, SessionError, StoreFull

if TYPE_CHECKING:
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.search.gallery import Gallery

FORMAT = 1


def write_lines(path: Path, lines: Sequence[dict[str, Any]], *, mode: str = "w") -> None:
    """Write lines ("a": append them) and wait until they are on the disk. Raises StoreFull, AlbumError.

    Appending makes the folder, and none above it: the album of a disk that was taken away must not come back as an
    empty folder.
    """
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    try:
        path.parent.mkdir(parents=mode == "w", exist_ok=True)
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        kind = StoreFull if error.errno in (28, 27, 122) else AlbumError
        raise kind(f"the session cannot be kept in {path.parent}: {error.strerror}") from None


def read_session(path: Path) -> tuple[dict[str, Any], list[Record], bool]:
    """Header, records, and whether the last line is whole: a process may have been killed while it wrote it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SessionError(f"the session {path} cannot be read: {error}") from None
    records: list[Record] = []
    header: dict[str, Any] = {}
    for number, line in enumerate(lines):
        try:
            plain = json.loads(line)
        except ValueError:
            if number == len(lines) - 1 and number:
                return header, records, False
            raise SessionError(f"{path} is not a session: line {number + 1} is not JSON") from None
        if number:
            records.append(from_json(plain))
        else:
            header = plain if isinstance(plain, dict) else {}
            if header.get("whichpic_session") != FORMAT or not {"id", "settings"} <= header.keys():
                raise SessionError(f"{path} is not a session of this version of whichpic")
    if not header:
        raise SessionError(f"{path} is empty, not a session")
    return header, records, True


def fresh_id() -> str:
    """The id of a new session: when it began (UTC), and what no other has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def header_of(id: str, gallery: Gallery, settings: BeliefSettings) -> dict[str, Any]:
    """The first line of a session's file."""
    return {
        "whichpic_session": FORMAT,
        "id": id,
        "album_version": gallery.version,
        "encoder": gallery.encoder.id,
        "settings": settings.to_json(),
    }


def save(path: Path, own: Path | None, lines: Sequence[dict[str, Any]]) -> Path:
    """Write a session to another file: as its own has it, where there is one. Raises SessionError."""
    try:
        if own is not None and own.exists():
            shutil.copyfile(own, path)
        else:
            write_lines(path, lines)
        return path
    except (OSError, AlbumError) as error:
        why = (error.strerror or error) if isinstance(error, OSError) else error
        raise SessionError(f"the session cannot be written to {path}: {why}") from None


def changed_since(header: Mapping[str, Any], gallery: Gallery, *, wished: str) -> str:
    """What a person should know who goes on with a session: what is not as it was when it began; "" where nothing is.

    wished: the rewriter that was asked for now; a session goes on with its own.
    """
    own = str(header["settings"].get("rewriter", "join"))
    if header.get("encoder") != gallery.encoder.id:
        return (
            f"this session was held with the encoder {header.get('encoder')}; it goes on with {gallery.encoder.id}, "
            "so the list may differ from what was shown"
        )
    if header.get("album_version") != gallery.version:
        return "the album has changed since this session began; the list may differ from what was shown"
    return f"this session was begun with the rewriter {own}, and goes on with it" if wished != own else ""
