"""Which models a run needs, and how its header names them: no folder, no user name, no key. Called by prepare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from whichpic.dialogue.asking import askers
from whichpic.dialogue.constants import NEED_A_MODEL
from whichpic.errors import QueryError
from whichpic.settings import settings
from whichpic.simulate.player import Chats

if TYPE_CHECKING:
    from whichpic.simulate.play import PlaySettings
    from whichpic.simulate.users import UserSettings

_ASKERS = ("captions", "pictures")
"""Those that ask a model."""
_OPTIONS = ("adapter", "precision", "allow_code")


def chats_of(tables: Mapping[str, Mapping[str, Any]], play: PlaySettings, person: UserSettings) -> Chats:
    """The models that the settings name; where they need one and name none, that of WHICHPIC_CHAT.

    Raises QueryError where a model is needed and there is none: a fallback that was measured would not be what was asked for.
    """
    session, about_user = tables.get("session", {}), tables.get("user", {})
    system, users = (str(table.get("chat") or "").strip() for table in (session, about_user))
    names = [name.strip() for name in play.asker.split(",") if name.strip()]
    askers(",".join(name for name in names if name not in _ASKERS))  # a wrong name is an error now
    needs = [f"the asker {name}" for name in names if name in _ASKERS]
    needs += [f"the rewriter {play.rewriter}"] if play.rewriter in NEED_A_MODEL else []
    needs += ["rerank"] if play.rerank else []
    if needs and not system:
        system = settings().chat or _missing(needs[0])
    if person.kind == "chat" and not (users or system):
        users = settings().chat or _missing("a chat user, who looks at its target,")
    llm = str(session.get("llm") or "").strip()
    if llm and not system:
        raise QueryError("[session] llm is a second model beside [session] chat; give the first one, or chat alone")
    models = tables.get("models", {})
    options = tuple((key, str(models[key])) for key in _OPTIONS if models.get(key))
    return Chats(system, users if person.kind == "chat" else "", llm, models.get("cache"), options)


def check_rewriter(rewriter: str, chats: Chats) -> None:
    """Raises QueryError where the belief's constants name a rewriter that asks a model, and there is none."""
    if rewriter in NEED_A_MODEL and not chats.system:
        _missing(f"the rewriter {rewriter}, which the belief's constants name,")


def stated_chats(chats: Chats, whose: Literal["system", "user"]) -> dict[str, str]:
    """The model of the session or of the user as a header states it; {} where there is none of its own."""
    name = chats.system if whose == "system" else chats.user
    stated = {"chat": called(name)} if name else {}
    if whose == "system" and chats.llm:
        stated["llm"] = called(chats.llm)
    if whose == "system" and stated:
        stated |= {key: Path(value).name for key, value in chats.options}
    return stated


def called(name: str) -> str:
    """A model's name without what changes nothing or is nobody's business: folders, user names and keys of an address.

    Replies out of batch files are the model's that gave them: batch:FOLDER#model is called batch#model.
    """
    kind, _, rest = name.partition(":")
    if kind == "batch":
        _, mark, model = rest.partition("#")
        return f"batch{mark}{model}"
    if "://" in name:
        address = re.sub(r"//[^/@#]*@", "//", name)
        return re.sub(r"\?[^#]*", "", address)
    path = Path(name).expanduser()
    return path.name if path.is_absolute() or path.exists() else name


def _missing(what: str) -> str:
    raise QueryError(f"{what} needs a model: --chat URL_OR_MODEL (or WHICHPIC_CHAT)")
