"""What commands print: lists of pictures, progress, JSON, and pictures in terminals that can show them. Called by cli only.

Standard output carries results; notes and progress go to standard error, so that pipes stay clean.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from whichpic.album.indexing import Progress
    from whichpic.album.store import Store
    from whichpic.dialogue import Shown


def note(text: str) -> None:
    """A line for the person, on standard error; on a terminal, broken between words but not inside a command."""
    if sys.stderr.isatty():
        text = "\n".join(filled(_words(line), " ") for line in text.split("\n"))
    print(text, file=sys.stderr, flush=True)


def _words(line: str) -> list[str]:
    said, there, command = line.partition(": whichpic ")
    return [*f"{said}:".split(" "), f"whichpic {command}"] if there else line.split(" ")


def filled(parts: Sequence[str], between: str) -> str:
    """Parts in lines that fit the terminal, later lines indented; no part is broken."""
    import shutil

    from rich.cells import cell_len

    columns = shutil.get_terminal_size().columns
    lines = [parts[0]]
    for part in parts[1:]:
        if cell_len(lines[-1] + between + part) < columns:
            lines[-1] += between + part
        else:
            lines.append(f"    {part}")
    return "\n".join(lines)


def printable(text: str) -> str:
    """A name as it may go to a terminal: line breaks, escape sequences and reversals of direction are written out."""

    def odd(character: str) -> bool:
        return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _BIDI

    return "".join(each.encode("unicode_escape").decode() if odd(each) else each for each in text)


_BIDI = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def quoted(path: Path | str) -> str:
    """A path as it has to be typed into a shell."""
    return shlex.quote(str(path))


def as_json(value: Any) -> None:
    """A value as one JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2), flush=True)


def plain(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """A list of pictures as JSON values."""
    return [
        {
            "rank": each.rank,
            "p": round(each.p, 6),
            "id": each.picture.id,
            "path": each.picture.paths[0] if each.picture.paths else "",
            "paths": list(each.picture.paths),
            "alike": [path for twin in each.alike for path in twin.paths],
        }
        for each in shown
    ]


def percent(p: float) -> str:
    """A probability in four characters: "12 %", "<1 %"."""
    return " <1 %" if p < 0.01 else f"{100 * p:3.0f} %"


def listing(shown: Sequence[Shown], store: Store, *, pictures: bool = True) -> None:
    """The list: rank, probability and path of each picture, and the pictures themselves where the terminal shows them.

    Of an album that has captions only, the first caption stands in for the picture.
    """
    if pictures:
        strip([each.picture.id for each in shown], store)
    for each in shown:
        path = each.picture.paths[0] if each.picture.paths else each.picture.id
        alike = f"  (+{len(each.alike)} alike)" if each.alike else ""
        said = f"  {printable(store.captions().get(each.picture.id, ('',))[0][:100])}" if store.captions_only else ""
        print(f"{each.rank:3d}  {percent(each.p)}  {printable(path)}{alike}{said}")
    sys.stdout.flush()


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[Progress], None] | None]:
    """A progress display with rate and time left on a terminal, and a line now and then elsewhere."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bars() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[rate]}"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
        tasks: dict[str, Any] = {}
        counting: Any = None  # the bar of a phase whose end is not known

        def show(now: Any) -> None:
            nonlocal counting
            if now.phase not in tasks:
                if counting is not None:  # its bar would go to and fro for ever
                    bars.remove_task(counting)
                    counting = None
                tasks[now.phase] = bars.add_task(now.phase, total=now.total or None, rate="")
                counting = None if now.total else tasks[now.phase]
            rate = f"{now.done / now.seconds:5.0f}/s" if now.seconds > 0.5 else ""
            skipped = f"  {now.skipped} skipped" if now.skipped else ""
            bars.update(tasks[now.phase], completed=now.done, total=now.total or None, rate=rate + skipped)

        yield show
        if counting is not None:
            bars.remove_task(counting)  # nothing came after it: there was nothing to do


def _lines() -> Callable[[Progress], None]:
    phase, seconds = "", 0.0

    def show(now: Progress) -> None:
        nonlocal phase, seconds
        if not now.total:
            return
        finished = now.done >= now.total
        if now.phase == phase and now.seconds - seconds < 10 and not finished:
            return
        phase, seconds = now.phase, now.seconds
        rate = now.done / now.seconds if now.seconds > 0 else 0.0
        # The first pictures are read before the clock has seen any work: a rate from them would promise too much.
        left = f", {(now.total - now.done) / rate:.0f} s left" if rate and not finished else ""
        note(
            f"  {now.phase}: {now.done}/{now.total}"
            + (f", {rate:.0f}/s{left}" if now.seconds > 3 or finished else "")
            + (f", {now.skipped} skipped" if now.skipped else "")
        )

    return show


def strip(ids: Sequence[str], store: Store, *, most: int = 6) -> None:
    """The first pictures (by id) in one row, where the terminal can show pictures; nothing elsewhere."""
    how = "none" if store.captions_only else picture_terminal()
    if how == "none" or not ids:
        return
    try:
        files = [store.thumbnail(picture) for picture in ids[:most]]
        image = _row(files)
    except Exception:
        # A picture that cannot be drawn must never stand in the way of the list.
        return
    sys.stdout.write({"kitty": _kitty, "iterm": _iterm, "blocks": _blocks}[how](image))
    sys.stdout.flush()


def picture_terminal() -> str:
    """How this terminal shows pictures: kitty, iterm, blocks (coloured half blocks) or none. WHICHPIC_PICTURES decides."""
    wish = os.environ.get("WHICHPIC_PICTURES", "")
    if wish in ("kitty", "iterm", "blocks", "none"):
        return wish
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return "none"
    program, term = os.environ.get("TERM_PROGRAM", ""), os.environ.get("TERM", "")
    if os.environ.get("TMUX") is None:
        if "kitty" in term or "ghostty" in term or os.environ.get("KITTY_WINDOW_ID") or program == "ghostty":
            return "kitty"
        if program in ("iTerm.app", "WezTerm", "vscode", "mintty"):
            return "iterm"
    return "blocks" if os.environ.get("COLORTERM", "") in ("truecolor", "24bit") else "none"


_SIDE, _GAP = 240, 16  # of the squares in a row, in pixels


def _row(files: Sequence[Path]) -> Any:
    """The thumbnails side by side, each fitted into a square."""
    from PIL import Image, ImageOps

    row = Image.new("RGB", (len(files) * (_SIDE + _GAP) - _GAP, _SIDE), "black")
    for position, file in enumerate(files):
        with Image.open(file, formats=("JPEG", "WEBP", "PNG")) as opened:
            picture = ImageOps.contain(opened.convert("RGB"), (_SIDE, _SIDE))
        left = position * (_SIDE + _GAP) + (_SIDE - picture.width) // 2
        row.paste(picture, (left, (_SIDE - picture.height) // 2))
    return row


def _kitty(image: Any) -> str:
    data = base64.b64encode(_png(image)).decode()
    parts = [data[start : start + 4096] for start in range(0, len(data), 4096)]
    text = ""
    for number, part in enumerate(parts):
        control = "a=T,f=100,q=2," if number == 0 else ""
        text += f"\x1b_G{control}m={int(number + 1 < len(parts))};{part}\x1b\\"
    return text + "\n"


def _iterm(image: Any) -> str:
    png = _png(image)
    return f"\x1b]1337;File=inline=1;size={len(png)};height=10:{base64.b64encode(png).decode()}\a\n"


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _blocks(image: Any) -> str:
    """Two pixels per character: the upper half block in the colour of one over the colour of the other; then the numbers."""
    import shutil

    import numpy as np
    from PIL import Image

    # 26 columns a picture: a single one would fill the whole screen otherwise.
    columns = min(shutil.get_terminal_size().columns - 1, round(26 * image.width / image.height))
    lines = max(4, round(columns * image.height / image.width / 2))
    pixels = np.asarray(image.resize((columns, 2 * lines), Image.Resampling.LANCZOS)).astype(int)
    text = ""
    for line in range(lines):
        for column in range(columns):
            (r, g, b), (x, y, z) = pixels[2 * line, column], pixels[2 * line + 1, column]
            text += f"\x1b[38;2;{r};{g};{b};48;2;{x};{y};{z}m\u2580"
        text += "\x1b[0m\n"
    # Coarse as they are, nobody can tell otherwise which line of the list is which picture.
    numbers = ""
    for position in range(round((image.width + _GAP) / (_SIDE + _GAP))):
        middle = round((position * (_SIDE + _GAP) + _SIDE / 2) * columns / image.width)
        numbers = numbers.ljust(middle) + str(position + 1)
    return f"{text}{numbers}\n"
