"""From stated settings (a recipe's tables) to what is played: the gallery, the targets, the plan, the header. Called by cli."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from whichpic.dialogue.choosing import chooser
from whichpic.dialogue.constants import REWRITERS, BeliefSettings, read_belief
from whichpic.dialogue.sampling import check
from whichpic.dialogue.session import Session
from whichpic.errors import QueryError
from whichpic.prompts import changed
from whichpic.simulate.chats import chats_of, check_rewriter, stated_chats
from whichpic.simulate.marking import ORACLE
from whichpic.simulate.openings import Opening
from whichpic.simulate.play import PlaySettings
from whichpic.simulate.player import Chats, Place, Plan
from whichpic.simulate.targets import (
    by_picture,
    choose,
    fingerprint,
    leaks,
    read_groups,
    read_recorded,
    read_texts,
    targets,
)
from whichpic.simulate.users import Target, UserSettings, user_settings

if TYPE_CHECKING:
    from whichpic.search.gallery import Gallery

Tables = Mapping[str, Mapping[str, Any]]
_OPENS: dict[str, Opening] = {"facts": "object", "captions": "caption", "replay": "dialogue", "chat": "caption"}
"""How a kind of user opens, unless it is stated."""
_PLAYED = ("questions", "stop", "shown", "least_gain", "gain")
_ASKING = ("asker", "chooser", "language", "rewriter", "sampler")
_WITH_MODELS = ("rerank", "sampler", "deadline")
"""Stated only where a model is there to be asked."""


@dataclass(frozen=True)
class Prepared:
    """A run that can begin: hand its parts to `parallel.simulate`. The header states everything that it depends on."""

    place: Place
    gallery: Gallery
    plan: Plan
    targets: tuple[Target, ...]
    header: dict[str, Any]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the figures must see first."""
        return tuple(self.header["warnings"])


def merged(*tables: Tables) -> dict[str, dict[str, Any]]:
    """Tables over each other, the later ones decide; None decides nothing."""
    result: dict[str, dict[str, Any]] = {}
    for each in tables:
        for table, values in each.items():
            kept = {key: value for key, value in values.items() if value is not None}
            result[table] = {**result.get(table, {}), **kept}
    return result


def place_of(tables: Tables) -> Place:
    """Where the gallery is. `path` may be `world:2000`. Raises QueryError where no album is named, or two."""
    album = tables.get("album", {})
    path, world = str(album.get("path", "")), _whole(album.get("world", 0), "[album] world")
    if path.startswith("world:"):
        number = path.removeprefix("world:")
        if not number.isdecimal() or not int(number):
            raise QueryError(f"'{path}' is no drawn world; it is world: and the number of pictures, as in world:2000")
        path, world = "", int(number)
    elif path:
        world = 0
    if not path and not world:
        raise QueryError("no album is named: give a folder, a data set of captions, or world:2000")
    encoder = str(tables.get("session", {}).get("encoder", "auto"))
    seed = _whole(album.get("world_seed", 0), "[album] world_seed")
    said = _whole(album.get("world_captions", 3), "[album] world_captions")
    return Place(path, encoder, album.get("store"), world, seed, said)


def prepare(tables: Tables, *, name: str, gallery: Gallery | None = None) -> Prepared:
    """Resolve the settings, open the album (unless it is given) and choose the targets.

    Raises QueryError for a setting that makes no sense, and what opening an album and reading captions raise.
    """
    place = place_of(tables)
    plan = _plan(tables)
    gallery = place.open() if gallery is None else gallery
    plan = replace(plan, belief=_belief(tables.get("session", {}).get("belief"), gallery.encoder.id))
    check_rewriter(_settled(gallery, plan).rewriter, plan.chats)
    if (
        plan.user.kind == "chat"
        and plan.opening == "caption"
        and not (gallery.captions or "captions" in tables.get("album", {}))
    ):
        plan = replace(plan, opening="described")  # nobody has said anything of these pictures: the model does
    known = _targets(tables, place, gallery, plan)
    speaks = plan.user.kind == "captions" or plan.opening == "caption"
    warnings = leaks(gallery, known) if speaks else ()
    if plan.user.feedback == "target":
        warnings = (ORACLE, *warnings)
    header = {
        "name": name,
        "settings": _stated(tables, place, plan, gallery, known),
        "album": gallery.version,
        "pictures": gallery.n,
        "encoder": gallery.encoder.id,
        "belief": _settled(gallery, plan).to_json(),
        "warnings": list(warnings),
    }
    return Prepared(place, gallery, plan, tuple(known), header)


def _stated(
    tables: Tables, place: Place, plan: Plan, gallery: Gallery, known: Sequence[Target]
) -> dict[str, dict[str, Any]]:
    """The resolved settings, defaults included. Files by their names alone: where they lie changes nothing."""
    play = plan.play
    files = _files(tables, "album", "captions", "space")
    album = {"path": Path(place.path).name} if place.path else _world(place)
    drawn = {"n": len(known), "fingerprint": fingerprint(known)}
    folder = tables.get("targets", {}).get("folder")
    return {
        "album": {**album, **files},
        "session": {
            "encoder": gallery.encoder.id,
            "asker": play.asker,
            "chooser": play.chooser,
            "rewriter": _settled(gallery, plan).rewriter,
            "language": play.language,
            **stated_chats(plan.chats, "system"),
            **({"prompts": own} if plan.chats != Chats() and (own := changed(play.language)) else {}),
            **({key: getattr(play, key) for key in _WITH_MODELS} if plan.chats.system else {}),
        },
        "user": {**plan.user.to_json(), **stated_chats(plan.chats, "user"), **_files(tables, "user", "dialogues")},
        "opening": {"kind": plan.opening},
        "targets": {**drawn, "folder": folder} if folder else drawn,
        "play": {**{key: getattr(play, key) for key in _PLAYED}, "not_found": "ranked", "seed": plan.seed},
        "score": dict(tables.get("score", {})),
    }


def _settled(gallery: Gallery, plan: Plan) -> BeliefSettings:
    """The constants that the session will have, its rewriter included."""
    return Session(gallery, settings=plan.belief, rewriter=plan.play.rewriter).settings


def _world(place: Place) -> dict[str, int]:
    return {"world": place.world, "world_seed": place.world_seed, "world_captions": place.world_captions}


def _files(tables: Tables, table: str, *keys: str) -> dict[str, str]:
    return {key: Path(tables[table][key]).name for key in keys if key in tables.get(table, {})}


def _plan(tables: Tables) -> Plan:
    session, wished = tables.get("session", {}), tables.get("play", {})
    if session.get("rewriter", "join") not in REWRITERS:
        raise QueryError(f"no rewriter is called '{session['rewriter']}'; there are {', '.join(REWRITERS)}")
    if wished.get("not_found", "ranked") != "ranked":
        raise QueryError("not_found is 'ranked': every picture of the album has a rank, by counting, however far down")
    for key in (*_PLAYED, "seed"):
        kind = type(getattr(PlaySettings(), key, 0))
        if not isinstance(wished.get(key, kind()), int | float if kind is float else kind):
            raise QueryError(f"[play] {key} is a {kind.__name__}, not {wished[key]!r}")
        if not math.isfinite(wished.get(key, 0) if kind is float else 0):
            raise QueryError(f"[play] {key} is {wished[key]}; expected a finite number")
    if session.get("language", "en") not in ("en", "zh"):
        raise QueryError(f"[session] language is {session['language']!r}; expected en or zh")
    asking: dict[str, Any] = {key: str(session[key]) for key in _ASKING if key in session}
    if "rerank" in session:
        asking["rerank"] = _whole(session["rerank"], "[session] rerank")
    if "deadline" in session:
        asking["deadline"] = _seconds(session["deadline"])
    chosen: dict[str, Any] = {**{key: wished[key] for key in _PLAYED if key in wished}, **asking}
    play = PlaySettings(**chosen)
    chooser(play.chooser)  # a wrong name is an error now, and not in the middle of a run
    check(play.sampler)
    about_user = {key: value for key, value in tables.get("user", {}).items() if key not in ("dialogues", "chat")}
    person = user_settings(about_user)
    opening = tables.get("opening", {}).get("kind", _OPENS[person.kind])
    if opening not in get_args(Opening):
        raise QueryError(f"no opening is called '{opening}'; there are {', '.join(get_args(Opening))}")
    return Plan(play, person, opening, wished.get("seed", 0), chats=chats_of(tables, play, person))


def _belief(wish: Any, encoder: str) -> BeliefSettings | None:
    """The constants: a table of those that differ from the encoder's, or a file (of `whichpic fit`); None: the encoder's."""
    if wish is None:
        return None
    if isinstance(wish, str):
        return read_belief(wish)
    if not isinstance(wish, dict):
        raise QueryError(f"[session] belief is {wish!r}; expected a table of constants, or the path of a JSON file")
    return BeliefSettings.of(wish, usual=BeliefSettings.fitted(encoder))


def _targets(tables: Tables, place: Place, gallery: Gallery, plan: Plan) -> list[Target]:
    album, wished = tables.get("album", {}), tables.get("targets", {})
    captions = recorded = None
    groups = read_groups(place.path, gallery) if place.path.endswith((".json", ".jsonl")) else {}
    if "captions" in album:
        captions = by_picture(gallery, read_texts(album["captions"], album.get("space"), gallery=gallery))
        if "space" not in album:
            groups = groups or read_groups(album["captions"], gallery)
    if "dialogues" in tables.get("user", {}):
        recorded = by_picture(gallery, read_recorded(tables["user"]["dialogues"]))
    ids = _listed(wished["file"]) if "file" in wished else ()
    among = _needed(plan.user, plan.opening, gallery, captions, recorded)
    chosen = choose(gallery, ids=ids, folder=str(wished.get("folder", "")),
                    n=_whole(wished.get("n", 0), "[targets] n"), seed=plan.seed, among=among, groups=groups)  # fmt: skip
    return targets(gallery, chosen, captions=captions, recorded=recorded, groups=groups)


def _needed(
    person: UserSettings,
    opening: Opening,
    gallery: Gallery,
    captions: Mapping[str, Sequence[str]] | None,
    recorded: Mapping[str, Sequence[str]] | None,
) -> Mapping[str, Sequence[str]] | None:
    """What a target needs to be known of it, for this kind of user."""
    if person.kind == "replay":
        if recorded is None:
            raise QueryError("a replay needs recorded dialogues: --dialogues FILE")
        return recorded
    if person.kind == "captions" or (person.kind == "chat" and opening == "caption"):
        return gallery.captions if captions is None else captions
    return None


def _listed(path: str | Path) -> tuple[str, ...]:
    """One id, path or file name per line."""
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"the targets {path} cannot be read: {error}") from None
    return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise QueryError(f"[session] deadline is {value!r}; expected seconds, above 0")
    return float(value)


def _whole(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise QueryError(f"{what} is a whole number, not {value!r}")
    return value
