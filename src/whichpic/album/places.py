"""Where the store of an album is: in the album (beside a data set's file), in the user's data folder, or where `--store`
put it.

Called by store.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from whichpic.errors import AlbumError

FOLDER = ".whichpic"
# SQLite's WAL needs memory that all processes share, which these file systems do not give.
_REMOTE = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "9p", "vboxsf", "prl_fs", "davfs"),
    *("fuse.sshfs", "fuse.rclone", "fuse.gvfsd-fuse", "fuse.s3fs", "fuse.glusterfs", "fuse.cephfs", "lustre", "beegfs"),
}


def album_root(folder: str | os.PathLike[str]) -> Path:
    """The album's folder, or the file of a data set of captions, absolute.

    Raises AlbumError where there is no such folder or file, or it may not be read.
    """
    from whichpic.album.datasets import ENDINGS

    try:
        root = Path(os.path.realpath(Path(folder).expanduser()))
        if not root.exists():
            raise AlbumError(f"no such folder: {folder}")
        if root.is_file() and root.suffix.lower() in ENDINGS:
            with root.open("rb"):
                return root
        if not root.is_dir():
            known = ", ".join(ENDINGS)
            raise AlbumError(
                f"not a folder: {folder} (an album is a folder of pictures, or a data set of captions: {known})"
            )
        with os.scandir(root):
            pass
    except OSError as error:
        raise AlbumError(f"cannot read {folder}: {error.strerror or error}") from error
    except (ValueError, RuntimeError) as error:  # a NUL in the name, or a ~ of nobody
        raise AlbumError(f"no such folder: {folder!r} ({error})") from None
    return root


def find(root: Path) -> Path | None:
    """The folder that holds the album's catalogue, or None where it was never indexed.

    Raises AlbumError where it was put on a disk that is not there now.
    """
    from whichpic.album.catalogue import NAME

    pointed = _pointed(root)
    if pointed and not pointed.parent.exists():
        raise AlbumError(
            f"the store of {root} is {pointed}, which is not there: attach that disk, or choose with --store"
        )
    # The one at home before the one in the album: it is there because the album's could not be written.
    for place in (pointed, _far(root), own(root)):
        if place and (place / NAME).is_file():
            return place
    return None


def own(root: Path) -> Path:
    """The store's usual place: in the album's folder, or beside the file of a data set."""
    return root.with_name(root.name + FOLDER) if root.is_file() else root / FOLDER


def choose(root: Path, wanted: Path | None) -> Path:
    """The folder to write the store to, made if need be; a store that lies elsewhere is moved to `wanted`.

    Without a wish: where it is; else in the album; else, if the album is read-only or on a network share, in the user's
    data folder. Raises AlbumError where none of them can be written.
    """
    pointed = _pointed(root)
    present = None if wanted and pointed and not pointed.parent.exists() else find(root)
    if wanted is None and present is None:
        wanted = pointed  # it was deleted there, to begin anew
    if wanted is not None:
        place = Path(os.path.realpath(wanted.expanduser()))
        if place == root:
            raise AlbumError(f"--store {wanted}: name a folder other than the album itself")
        if present is not None and place != present and place.is_relative_to(present):
            raise AlbumError(
                f"--store {wanted}: it lies in the store {present} that is to be moved; name another folder"
            )
        if owner := _owner(place, root):
            raise AlbumError(f"--store {wanted}: it is the store of the album {owner}; name a folder of its own")
        _make(place)
        _move(present, place)
        _point(root, place)
        return place
    if present is not None and _writable(present):
        return present
    if present is None and not is_remote(root) and _writable(own(root)):
        return own(root)
    far = _far(root)
    _make(far)
    _move(present, far, keep=True)
    return far


def is_remote(folder: Path) -> bool:
    """True where the folder is known to be on a network share (read from /proc; elsewhere False)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        mount = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])
        if folder.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, after.split()[0]
    return kind in _REMOTE


def _stores() -> Path:
    from whichpic.settings import settings

    return settings().home / "stores"


def _far(root: Path) -> Path:
    """The album's place in the user's data folder: its name, for people, and a hash of its whole path."""
    name = re.sub(r"[^\w.-]+", "_", root.name)[:40] or "album"
    return _stores() / f"{name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"


def _pointer(root: Path) -> Path:
    return _far(root).with_name(_far(root).name + ".json")


def _pointed(root: Path) -> Path | None:
    try:
        return Path(json.loads(_pointer(root).read_text(encoding="utf-8"))["store"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _owner(place: Path, root: Path) -> Path | None:
    """Another album whose store is at `place`: to index a second album there would be to forget the first."""
    from whichpic.album.catalogue import NAME

    if not (place / NAME).is_file():
        return None
    for path in _stores().glob("*.json"):
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            album = Path(known["album"])
            if Path(known["store"]) == place and album != root and album.exists():
                return album
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _point(root: Path, place: Path) -> None:
    """Remember where the store of the album is."""
    path = _pointer(root)
    try:
        if place == own(root):
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"album": str(root), "store": str(place)}) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise AlbumError(f"cannot remember the store in {path}: {error.strerror or error}") from error


def _make(place: Path) -> None:
    if not _writable(place):
        raise AlbumError(f"cannot write to {place}: choose another folder with --store FOLDER (or WHICHPIC_HOME)")


def _writable(place: Path) -> bool:
    """True where a file can be made in the folder, which is made if need be."""
    probe = place / f".probe-{os.getpid()}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def _move(present: Path | None, place: Path, *, keep: bool = False) -> None:
    """Bring the content of a store to an empty place; the catalogue last, since a store is where its catalogue is."""
    from whichpic.album.catalogue import NAME
    from whichpic.album.lock import writer_lock

    if present is None or present == place or (place / NAME).exists():
        return
    if keep:  # what is left behind is read-only: nobody writes to it, and it cannot be tidied
        _copy(present, place)
        return
    with writer_lock(present):
        _copy(present, place)
    _clear(present)


def _clear(home: Path) -> None:
    """Delete a store that was moved, and nothing else: the user may have named a folder that holds other things."""
    from whichpic.album import catalogue, lock, vectors
    from whichpic.album.described import NAME as DESCRIBED

    for path in vectors.files_in(home):
        path.unlink(missing_ok=True)
    for path in (*(home / "thumbs").glob("??/*-*.jpg"), *(home / "sessions").glob("*.jsonl")):
        if path.suffix == ".jsonl" or re.fullmatch(r"[0-9a-f]{32}-\d+\.jpg", path.name):
            path.unlink(missing_ok=True)
    for name in (DESCRIBED, catalogue.NAME, f"{catalogue.NAME}-wal", f"{catalogue.NAME}-shm", lock.NAME):
        (home / name).unlink(missing_ok=True)
    inner = (*reversed(vectors.folders(home)), *(home / "thumbs").glob("??"))
    for folder in (*inner, home / "thumbs", home / "sessions", home):
        with suppress(OSError):  # not there, or not empty
            folder.rmdir()


def _copy(present: Path, place: Path) -> None:
    """Copy all but the thumbnails, without their permissions: the old place may have been read-only."""
    from whichpic.album.catalogue import NAME, clear_errors, copy
    from whichpic.album.described import NAME as DESCRIBED
    from whichpic.album.vectors import files_in

    with clear_errors(place):
        written = [*sorted((present / "sessions").glob("*.jsonl")), *present.glob(DESCRIBED)]
        for path in files_in(present) + written:
            target = place / path.relative_to(present)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        fresh = place / f"{NAME}.new"
        fresh.unlink(missing_ok=True)
        copy(present, fresh)
        fresh.replace(place / NAME)
