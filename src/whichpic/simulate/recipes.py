"""Recipes: the stated settings of an evaluation or a training, one TOML file each. Called by cli, evaluate and learn.

They lie in recipes/ at the root of the repository, and in whichpic/recipes of an installed wheel. Nothing that a recipe
says is hard-coded elsewhere; an option of the command line overrides it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whichpic.errors import QueryError

TABLES: dict[str, tuple[str, ...]] = {
    "album": ("path", "world", "world_seed", "world_captions", "captions", "space", "split", "store"),
    "session": (
        "encoder", "asker", "chooser", "rewriter", "language", "belief", "chat", "llm", "rerank", "sampler", "deadline",
    ),
    "user": (
        "kind", "dialogues", "errors", "ignorance", "says_more", "evidence", "sure_yes", "sure_no", "chat", "answers",
        "feedback",
    ),
    "opening": ("kind",),
    "targets": ("n", "file", "folder", "captioned"),
    "play": ("questions", "stop", "not_found", "seed", "shown", "least_gain", "gain"),
    "protocol": (
        "kind", "dialogues", "documents", "captions", "space", "form", "opening", "turns", "base", "not_found", "pool",
        "split", "field", "published", "tokens", "texts",
    ),
    "score": ("k", "ties", "level", "paper"),
}  # fmt: skip
"""Every table and its keys; a key that is not here is an error, since a misspelt setting would silently not be set.

[session] chat: the model that rewrites, looks and asks, as --chat; llm: a second one for what needs no pictures; asker:
facts, pick, captions, pictures, parted by commas; rewriter: join, reconstruct, expand, slerp; rerank: so many of the best
pictures are looked at; sampler: which candidates the asker `pictures` looks at (cluster, interval, random, top); deadline:
seconds that a turn waits for models. [user] kind: facts, captions, replay, chat; chat: the model of a chat user, where it is
another than the session's; answers: of a chat user, options, or words (it sees no options, and its answer is folded into what
was said); feedback: none (questions are answered), own (a shown picture is marked, by what the user knows), target (by the
target's own vector: an oracle, for reproducing query-rewriting's paper). [score] paper: whose table is printed beside ours:
navigationir, query-rewriting.
"""
PAPERS = ("navigationir", "query-rewriting")
"""Whose tables there are, see evaluate.papers."""
_PATHS = ("path", "captions", "space", "store", "dialogues", "documents", "file", "folder")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings with a name. `about` is one line for people; `tables` are those of the file, {"play": {"seed": 0}, ...}."""

    name: str
    about: str
    path: Path
    tables: dict[str, dict[str, Any]]

    def get(self, table: str, key: str, default: Any = None) -> Any:
        """One setting, or the default where the recipe does not say it."""
        return self.tables.get(table, {}).get(key, default)


def list_recipes() -> list[str]:
    """The names of the recipes that come with whichpic, sorted."""
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.toml")})


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe that comes with whichpic, by its name, or any TOML file, by its path.

    Raises QueryError where there is none, where it is not TOML, or where it has a table or key that is not known.
    """
    path = _found(str(name_or_path))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"the recipe {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise QueryError(f"the recipe {path} is not TOML: {error}") from None
    about = str(content.pop("about", ""))
    for table, values in content.items():
        if table not in TABLES or not isinstance(values, dict):
            raise QueryError(f"the recipe {path} has '{table}'; known are about and the tables {', '.join(TABLES)}")
        for key in values:
            if key not in TABLES[table]:
                raise QueryError(f"the recipe {path} has '{key}' in [{table}]; known are: {', '.join(TABLES[table])}")
            if key in _PATHS and not isinstance(values[key], str):
                raise QueryError(f"the recipe {path}: [{table}] {key} is a path in quotes, not {values[key]!r}")
    paper = content.get("score", {}).get("paper", PAPERS[0])
    if paper not in PAPERS:
        raise QueryError(f"the recipe {path}: no paper's table is called {paper!r}; there are {', '.join(PAPERS)}")
    return Recipe(path.stem, about, path, content)


def _found(name: str) -> Path:
    path = Path(name).expanduser()
    if path.suffix == ".toml" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise QueryError(f"there is no recipe file {name}")
    for folder in _folders():
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    raise QueryError(f"no recipe is called '{name}'; there are: {', '.join(list_recipes())} (or give a .toml file)")


def _folders() -> list[Path]:
    here = Path(__file__).resolve()
    return [folder for folder in (here.parents[1] / "recipes", here.parents[3] / "recipes") if folder.is_dir()]
