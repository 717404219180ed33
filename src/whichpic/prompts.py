"""The prompts: one text file each, in English and Chinese, that a user can replace. Called by dialogue, simulate and describe.

They lie in whichpic/data/prompts/en and zh; a file of the same name below WHICHPIC_PROMPTS goes before them. What is
above a line of three dashes is the system message, what is below it is the user's; $name is filled in.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from whichpic.errors import QueryError
from whichpic.settings import settings

LANGUAGES = ("en", "zh")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]+")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that was filled in: the system message ("" for none) and the user's."""

    system: str
    user: str


def prompt(name: str, language: str = "en", **values: str) -> Prompt:
    """A prompt by its name, filled in. Values are put in as they are: pass what users and models said through `quoted`.

    Raises QueryError where there is no such prompt, or where its file asks for something that is not given.
    """
    system, user = _read(name, language if language in LANGUAGES else "en", own_folder())
    try:
        return Prompt(*(string.Template(part).substitute(values) for part in (system, user)))
    except (KeyError, ValueError) as error:
        given = ", ".join(f"${each}" for each in values)
        raise QueryError(f"the prompt {name} ({language}) cannot be filled in: {error}; there are {given}") from None


def names() -> list[str]:
    """The names of all prompts, sorted."""
    return sorted({path.stem for path in shipped().glob("en/*.txt")})


def at_hand(language: str) -> list[str]:
    """The names of all prompts of a language, those of the user's own included, sorted."""
    own = own_folder()
    return sorted({*names(), *({path.stem for path in (own / language).glob("*.txt")} if own else ())})


def own_folder() -> Path | None:
    """The folder of the user's own prompts, None where there is none. Raises QueryError where it is named and not there."""
    own = settings().prompts
    if own is not None and not (own := own.expanduser()).is_dir():
        raise QueryError(
            f"WHICHPIC_PROMPTS is {own}, which is no folder; make it with: whichpic prompts --copy {shlex.quote(str(own))}"
        )
    return own


def shipped() -> Path:
    """The folder of the prompts that come with whichpic, with one folder per language."""
    return Path(__file__).parent / "data" / "prompts"


def changed(language: str) -> str:
    """A digest of the user's own prompts of a language, "" where there are none: with others a model says something else."""
    own = own_folder()
    mine = [] if own is None else [name for name in names() if (own / language / f"{name}.txt").is_file()]
    read = [f"{name}\0{above}\0{below}" for name in mine for above, below in [_read(name, language, own)]]
    return hashlib.sha256("\0".join(read).encode()).hexdigest()[:12] if read else ""


def quoted(text: str, *, longest: int = 600) -> str:
    """A text as content: on one line, without control characters, in quotation marks that it cannot close.

    What a picture, a caption or a model says may try to give orders; between the marks it is something that was said.
    """
    text = text[: 4 * longest]  # before anything else: a model may say megabytes
    line = " ".join(_CONTROL.sub(" ", text).replace('"', "'").replace("“", "'").replace("”", "'").split())
    return f'"{line[:longest]}…"' if len(line) > longest else f'"{line}"'


def listed(texts: Sequence[str], *, longest: int = 600) -> str:
    """Texts as content, one numbered line each."""
    return "\n".join(f"{number}. {quoted(text, longest=longest)}" for number, text in enumerate(texts, start=1))


@lru_cache(maxsize=256)
def _read(name: str, language: str, own: Path | None) -> tuple[str, str]:
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise QueryError(f"no prompt is called '{name}'; there are {', '.join(names())}")
    for folder in (own, shipped()):
        path = None if folder is None else folder / language / f"{name}.txt"
        if path is not None and path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise QueryError(f"the prompt {path} cannot be read: {error}") from None
            above, dashes, below = text.partition("\n---\n")
            return (above.strip(), below.strip()) if dashes else ("", text.strip())
    raise QueryError(f"no prompt is called '{name}'; there are {', '.join(names())}")
