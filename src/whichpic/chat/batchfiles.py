"""The files of a batch: JSON lines that may end in a torn one, read while others write. Called by batch and answering."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

from whichpic.album.lock import take
from whichpic.chat.refusals import refusal
from whichpic.errors import AlbumError, ChatError

REQUESTS, CHOICES, REPLIES = "requests.jsonl", "choices.jsonl", "replies.jsonl"
_OWN = b'{"custom_id": "'


class Requests:
    """The ids of the requests in a folder, in their order. Only what was added since the last look is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self.places: dict[str, tuple[Path, int]] = {}

    def look(self) -> dict[str, tuple[Path, int]]:
        """Where each request begins: its file and the byte. A line that is not whole yet is not counted."""
        for path in sorted(self._folder.glob("requests*.jsonl")):
            with path.open("rb") as file:
                place = file.seek(self._read.get(path, 0))
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break
                    if key := _id_of(raw):
                        self.places.setdefault(key, (path, place))
                    place += len(raw)
                self._read[path] = place
        return self.places


def _id_of(raw: bytes) -> str:
    """The id of a request. From the beginning of the line, where ours have it: a line may hold megabytes of pictures."""
    if raw.startswith(_OWN):
        return raw[len(_OWN) : raw.index(b'"', len(_OWN))].decode("utf-8", "replace")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("custom_id", "")) if isinstance(found, dict) else ""


def body_of(line: Mapping[str, Any]) -> dict[str, Any] | ChatError:
    """The answer in a line of a file of replies, or what it says went wrong."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict) and isinstance(response.get("body"), dict):
        status = response.get("status_code", 200)
        if status == 200:
            return dict(response["body"])
        return refusal(
            status if isinstance(status, int) else 500, {}, json.dumps(response["body"]).encode(), "the batch"
        )
    said = error.get("message") if isinstance(error, dict) else None
    reason = error.get("code") if isinstance(error, dict) else None
    return ChatError(
        reason if reason in _REASONS else "server", str(said or "the batch brought no reply to this")[:300]
    )


_REASONS = ("refused", "schema", "too long", "unsupported", "asked wrongly", "not json", "empty")


def take_in(replies: dict[str, Mapping[str, Any]], line: Mapping[str, Any]) -> None:
    """A reply goes before an error; a fault that may pass is no reply: the request waits on."""
    key = line.get("custom_id")
    if not isinstance(key, str):
        return
    body = body_of(line)
    if isinstance(body, ChatError) and (key in replies or body.reason in ("rate limit", "server", "timeout")):
        return
    replies[key] = line


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON lines file; a line that is torn or is no object is passed over."""
    try:
        with path.open("rb") as file:
            for raw in file:
                try:
                    found = json.loads(raw)
                except (ValueError, RecursionError):
                    continue
                if isinstance(found, dict):
                    yield found
    except OSError as error:
        raise AlbumError(f"{path} cannot be read: {error.strerror or error}") from None


def append(path: Path, given: Sequence[Mapping[str, Any]]) -> None:
    """Write whole lines at the end of a file; what a killed process left of one is cut off first."""
    with path.open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(sum(len(raw) for raw in file if raw.endswith(b"\n")))
        file.write(b"".join(json.dumps(line).encode() + b"\n" for line in given))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """One writer at a time, of all processes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise AlbumError(f"cannot write to {folder}: {error.strerror or error}") from None
    try:
        while not take(descriptor):
            sleep(0.01)
        yield
    finally:
        os.close(descriptor)
