"""The model hub as a source of weights: huggingface_hub and its mirrors, or ModelScope by plain file addresses.

Called by getting, and by encoders to ask whether the hub answers. The ModelScope way follows the address pattern that
others use in public; it could not be tried where this was built.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from whichpic.errors import ModelError
from whichpic.models.files import OnProgress, copy_within, watching
from whichpic.models.table import Hub
from whichpic.settings import settings

_LIMIT = 8_000_000_000  # bytes of one file
_TRUE = {"1", "on", "yes", "true"}


def _variable(name: str, default: str) -> str:
    """An address from the environment. `set HF_ENDPOINT="https://…"` on Windows leaves the quotes in the value."""
    value = os.environ.get(name, "").strip().strip("'\"“”").strip().rstrip("/")
    return value or default


def endpoint() -> str:
    """The address of the hub: HF_ENDPOINT where it is set, or that of ModelScope where WHICHPIC_HUB says so."""
    if settings().hub.strip().lower() == "modelscope":
        domain = _variable("MODELSCOPE_DOMAIN", "www.modelscope.cn")
        return domain if "://" in domain else f"https://{domain}"
    return _variable("HF_ENDPOINT", "https://huggingface.co")


def offline() -> bool:
    """Whether the user said to stay away from the hub (WHICHPIC_OFFLINE, HF_HUB_OFFLINE)."""
    return settings().offline or os.environ.get("HF_HUB_OFFLINE", "").strip().lower() in _TRUE


def address(hub: Hub, path: str) -> str:
    """The plain address of one file."""
    if settings().hub.strip().lower() == "modelscope":
        # ModelScope numbers its own revisions; sha256 in the table or record says whether the file is the same.
        return f"{endpoint()}/models/{hub.repo}/resolve/master/{quote(path)}"
    return f"{endpoint()}/{hub.repo}/resolve/{hub.revision or 'main'}/{quote(path)}"


def answers(hub: Hub, *, seconds: float = 2.0) -> bool:
    """Whether the hub would give this repository's first file, asked by one HEAD request, once per process."""
    return not offline() and _answers(address(hub, hub.files[0].path), seconds)


@lru_cache(maxsize=16)
def _answers(url: str, seconds: float) -> bool:
    said: list[bool] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        with (
            contextlib.suppress(OSError, ValueError, HTTPException),
            urllib.request.urlopen(request, timeout=seconds) as reply,
        ):
            said.append(reply.status == 200 and "text/html" not in reply.headers.get("Content-Type", ""))

    # A name lookup knows no timeout of ours, so the whole question gets a thread and a deadline.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(said and said[0])


def fetch(hub: Hub, folder: Path, what: str, on_progress: OnProgress | None = None, *, advice: str = "") -> str | None:
    """Fetch a repository's files into `folder`, those already there and whole excepted. Returns the revision, if known.

    ModelError in one line where they cannot be had, with the page to fetch them from by hand, and `advice` on what to
    do with them then.
    """
    by_hand = f"HF_ENDPOINT may name a mirror; or fetch the files by hand from {hub.page}{advice}"
    folder.mkdir(parents=True, exist_ok=True)
    if offline():
        return _from_cache(hub, folder, by_hand)
    with watching(folder, what, hub.size, on_progress):
        if settings().hub.strip().lower() == "modelscope":
            _plain(hub, folder, by_hand)
            return None
        return _huggingface(hub, folder, by_hand)


def _huggingface(hub: Hub, folder: Path, by_hand: str) -> str | None:
    if "HF_ENDPOINT" in os.environ:
        os.environ["HF_ENDPOINT"] = endpoint()  # cleaned, before the library reads it at import
        # Mirrors copy files, not the chunk store behind them, which lies at other hosts.
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    revision = hub.revision
    try:
        with _quiet():
            if revision is None:
                url = hf_hub_url(hub.repo, hub.files[0].path, endpoint=endpoint())
                revision = get_hf_file_metadata(url, token=False, endpoint=endpoint(), timeout=20).commit_hash
            for file in hub.files:
                # No token: the files are public, and a mirror has no business knowing it.
                path = hf_hub_download(
                    hub.repo, file.path, revision=revision, local_dir=folder, endpoint=endpoint(), token=False
                )
                if Path(path) != folder / file.name:
                    (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
                    Path(path).replace(folder / file.name)
    except Exception as error:  # the library raises errors of three others below it
        if isinstance(error, MemoryError | RecursionError):
            raise
        raise ModelError(f"{hub.repo} could not be fetched from {endpoint()}: {_short(error)}; {by_hand}") from None
    return revision


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's own bars off the terminal while ours is there."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    with contextlib.suppress(Exception):
        disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            with contextlib.suppress(Exception):
                enable_progress_bars()


def _from_cache(hub: Hub, folder: Path, by_hand: str) -> str | None:
    """Offline: what another program fetched into the hub library's cache serves as well."""
    from huggingface_hub import try_to_load_from_cache

    for file in hub.files:
        found: Any = try_to_load_from_cache(hub.repo, file.path, revision=hub.revision)
        if not isinstance(found, str):
            raise ModelError(f"{hub.repo} would have to be fetched, but offline mode is set; {by_hand}")
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, folder / file.name)
    return hub.revision


def _plain(hub: Hub, folder: Path, by_hand: str) -> None:
    for file in hub.files:
        target = folder / file.name
        if target.is_file():
            continue
        part = target.with_name(f"{target.name}.part")
        url = address(hub, file.path)
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                expected = int(reply.headers.get("Content-Length") or 0)
                copy_within(reply, part, limit=file.size or expected or _LIMIT, what=url)
        except (OSError, HTTPException, ValueError) as error:
            raise ModelError(f"{hub.repo} could not be fetched: {_short(error)}; {by_hand}") from None
        if expected and part.stat().st_size != expected:
            raise ModelError(f"{url} broke off after {part.stat().st_size:,} of {expected:,} bytes; run it again")
        part.replace(target)


def _short(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [""])[0].strip()
    line = f"{type(error).__name__}: {line}" if line else type(error).__name__
    return line if len(line) <= 200 else line[:199] + "…"
