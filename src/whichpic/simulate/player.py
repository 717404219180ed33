"""Where dialogues are played and by whom: the gallery, its pictures, the models. Called by parallel and prepare.

Everything here is opened by name, so that a worker process can open it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.chat import runs_elsewhere
from whichpic.errors import QueryError
from whichpic.simulate.openings import Opening
from whichpic.simulate.play import PlaySettings, play
from whichpic.simulate.users import Target, UserSettings, dialogue_seed, user

if TYPE_CHECKING:
    from whichpic.chat.base import Chat
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.dialogue.refining import Opener
    from whichpic.search.gallery import Gallery
    from whichpic.simulate.dialogues import Dialogue
    from whichpic.simulate.looking_user import Eyes
    from whichpic.simulate.marking import Likeness
    from whichpic.types import Encoder

_SEEN = 8
"""So many things are named when a shown picture is described."""
_SIDE = 640
"""Pixels of a picture of a drawn world, where a model is to look at it."""


@dataclass(frozen=True)
class Place:
    """Where the gallery is: an album (a folder, or a data set of captions), or a drawn world of so many pictures."""

    path: str = ""
    encoder: str = "auto"
    store: str | None = None
    world: int = 0
    world_seed: int = 0
    world_captions: int = 3

    def open(self) -> Gallery:
        """The gallery, ready to be scored. Raises AlbumError, EncoderError or ModelError."""
        if self.world:
            from whichpic.encoders import open_encoder
            from whichpic.simulate.scenes import world

            encoder = None if self.encoder in ("auto", "toy") else open_encoder(self.encoder)
            return world(self.world, self.world_seed, encoder, captions=self.world_captions)
        from whichpic.api import Album

        return Album.open(self.path, encoder=self.encoder, store=self.store).gallery

    def pictures(self) -> Opener | None:
        """What opens a picture by its id, for a model to look at; None for a data set of captions, which has none.

        A picture of a drawn world is drawn. Opening a picture raises AlbumError or DecodeError.
        """
        if self.world:
            from whichpic.simulate.drawing import draw
            from whichpic.simulate.scenes import scene

            return lambda picture: draw(scene(self.world_seed, int(picture.rpartition("-")[2])), _SIDE)
        if Path(self.path).expanduser().is_file():
            return None
        from whichpic.album.store import Store

        store = Store.open(Path(self.path).expanduser(), store=None if self.store is None else Path(self.store))
        return store.image


@dataclass(frozen=True)
class Chats:
    """The models of a run, by the names that `open_chat` takes. system: of the session; user: of a chat user, "" the same.

    llm: of the session, for what needs no pictures. cache: a folder where replies are kept. options: of weights in this
    process (adapter, precision, allow_code).
    """

    system: str = ""
    user: str = ""
    llm: str = ""
    cache: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def local(self) -> str:
        """The first of the models that runs in this process, "" for none."""
        return next((name for name in (self.system, self.llm, self.user) if name and not runs_elsewhere(name)), "")

    def open(self) -> tuple[Chat | None, Chat | None]:
        """The system's Chat and the user's; one object where they are one model, so that weights are loaded once.

        Two models in this process share its memory. An adapter and code of its own are the system's alone.
        """
        if self.user in ("", self.system) and not self.llm:
            return (chat := self._opened(self.system, dict(self.options))), chat
        here = [name for name in dict.fromkeys((self.system, self.llm, self.user)) if name and not runs_elsewhere(name)]
        own = {} if self.llm else _beside(here, self.system)  # a pair knows of each other
        system = self._opened(self.system, {**dict(self.options), **own}, llm=self.llm)
        if self.user in ("", self.system):
            looks = getattr(system, "looks", system)
            return system, looks
        users: dict[str, Any] = {key: value for key, value in self.options if key == "precision"}
        return system, self._opened(self.user, {**users, **_beside(here, self.user)})

    def _opened(self, name: str, options: Mapping[str, Any], *, llm: str = "") -> Chat | None:
        if not name:
            return None
        from whichpic.chat import open_chat

        cache = None if name.startswith("batch:") else self.cache
        given = {} if runs_elsewhere(name) and (not llm or runs_elsewhere(llm)) else options
        return open_chat(name, llm=llm, cache=cache, **given)


def _beside(here: Sequence[str], name: str) -> dict[str, list[str]]:
    """The other models in this process, for one that is to leave them room."""
    others = [each for each in here if each != name]
    return {"beside": others} if others and name in here else {}


@dataclass(frozen=True)
class Plan:
    """Everything that a dialogue depends on beside its target and the gallery."""

    play: PlaySettings = field(default_factory=PlaySettings)
    user: UserSettings = field(default_factory=UserSettings)
    opening: Opening = "caption"
    seed: int = 0
    belief: BeliefSettings | None = None
    chats: Chats = field(default_factory=Chats)


class Player:
    """A gallery with the settings of a run, ready to play one target after another.

    chat, user_chat: instead of those that the plan names (user_chat None: the same). pictures: opens a picture by its
    id; needed where a model looks.
    """

    def __init__(
        self,
        gallery: Gallery,
        plan: Plan,
        *,
        chat: Chat | None = None,
        user_chat: Chat | None = None,
        pictures: Opener | None = None,
    ) -> None:
        self.gallery, self.plan, self.pictures = gallery, plan, pictures
        opened = plan.chats.open() if chat is None and user_chat is None else (chat, user_chat or chat)
        self.chat = opened[0]
        self.user_chat = opened[1] if plan.user.kind == "chat" else None
        if plan.user.kind == "chat":
            _can_see(self.user_chat, pictures)
        self._encoder: Encoder | None = None
        reads = plan.user.kind == "captions" or (plan.user.kind == "chat" and plan.user.feedback == "own")
        if reads and plan.user.evidence != "lexical":
            from whichpic.encoders import open_encoder

            # The user's own reading does not change with the system's encoder, so that systems can be compared.
            self._encoder = gallery.encoder if gallery.encoder.id.startswith("names-") else open_encoder("names")

    def play(self, target: Target) -> Dialogue:
        """One dialogue; the same for the same target, whatever was played before. Raises ChatPending and a user's ChatError."""
        plan = self.plan
        seed = dialogue_seed(plan.seed, target.id)
        eyes = self._eyes(target)
        person = user(plan.user, target, seed=seed, opens=plan.opening, language=plan.play.language,
                      describe=self.describe, encoder=self._encoder, eyes=eyes, likes=self._likes(target, eyes))  # fmt: skip
        return play(self.gallery, person, target.id, plan.play, belief=plan.belief, seed=seed, relevant=target.relevant,
                    slips=(plan.user.errors, plan.user.ignorance), chat=self.chat, user_chat=self.user_chat,
                    pictures=self.pictures)  # fmt: skip

    def _eyes(self, target: Target) -> Eyes | None:
        if self.user_chat is None or self.pictures is None:
            return None
        from whichpic.simulate.looking_user import Eyes

        return Eyes(self.user_chat, self.pictures(target.id), target=target.id, language=self.plan.play.language,
                    describe=self.describe, answers=self.plan.user.answers)  # fmt: skip

    def _likes(self, target: Target, eyes: Eyes | None) -> Likeness | None:
        """By what a user who gives feedback chooses a picture; None for one who does not."""
        from whichpic.simulate.entailment import Dense
        from whichpic.simulate.marking import by_words, oracle

        person = self.plan.user
        if person.feedback == "none":
            return None
        if person.feedback == "target":
            return oracle(self.gallery, target.id)
        dense = None if self._encoder is None else Dense(self._encoder)
        if person.kind == "captions":
            return by_words(target.captions, self.describe, dense)
        if eyes is None:
            return by_words([fact.value for fact in target.facts if fact.p > 0.5], self.describe, None)
        # Looked at once, and only when something is to be marked.
        look: list[Likeness] = []

        def likeness(picture: str) -> float:
            if not look:
                look.append(by_words((*target.captions[:1], eyes.describe()), self.describe, dense))
            return look[0](picture)

        return likeness

    def describe(self, picture: str) -> tuple[str, ...]:
        """What can be seen in a picture, for a user to whom it is shown: its captions, else the surest of its facts."""
        captions = tuple(self.gallery.captions.get(picture, ()))
        if captions:
            return captions
        told = [fact for fact in self.gallery.facts_of(picture) if fact.attribute in ("object", "label", "scene")]
        sure = sorted((fact for fact in told if fact.p >= 0.3), key=lambda fact: -fact.p)
        return tuple(dict.fromkeys(fact.value for fact in sure))[:_SEEN]

    def warm_up(self) -> None:
        """Make what is made once (columns of facts, the encoder's basis), so that no dialogue's milliseconds hold it."""
        from whichpic.dialogue.session import Session

        session = Session(self.gallery, settings=self.plan.belief)
        session.say("a dog")
        session.results(1)
        session.questions(1)


def _can_see(chat: Chat | None, pictures: Opener | None) -> None:
    if chat is None:
        raise QueryError("a chat user needs a model that sees its target: --user chat --chat URL_OR_MODEL")
    if not chat.can_see:
        raise QueryError(
            f"{chat.describe} cannot look at pictures, and a chat user sees its target: give another --chat"
        )
    if pictures is None:
        raise QueryError("a chat user sees its target, and this album has captions only: use --user captions")
