"""Many dialogues over processes, into one file: the same file for any number of workers. Called by cli and evaluate.

Every dialogue has its own seed, made from the run's seed and its id, so that nothing depends on who plays what when.
Results are written in the order of the targets; a run that was killed goes on where the file ends.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from whichpic.errors import AlbumError, SessionError
from whichpic.simulate.dialogues import Dialogue, Writer
from whichpic.simulate.openings import Opening
from whichpic.simulate.play import PlaySettings, play
from whichpic.simulate.users import Target, UserSettings, dialogue_seed, user

if TYPE_CHECKING:
    from whichpic.album.indexing import Progress
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.search.gallery import Gallery
    from whichpic.types import Encoder

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "WHICHPIC_THREADS")
_SEEN = 8
"""So many things are named when a shown picture is described."""


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


@dataclass(frozen=True)
class Plan:
    """Everything that a dialogue depends on beside its target and the gallery."""

    play: PlaySettings = field(default_factory=PlaySettings)
    user: UserSettings = field(default_factory=UserSettings)
    opening: Opening = "caption"
    seed: int = 0
    belief: BeliefSettings | None = None


def simulate(
    place: Place,
    plan: Plan,
    targets: Sequence[Target],
    out: Path,
    header: Mapping[str, Any],
    *,
    workers: int = 0,
    gallery: Gallery | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Dialogue]:
    """Play the dialogues of all targets into a file, and give them back, those that were in the file before included.

    workers: processes; 0 plays in this one, on `gallery` where it is given. Raises SessionError where the file belongs
    to another run; Ctrl-C and a worker's death leave the file whole up to the last dialogue.
    """
    from whichpic.album.indexing import Progress

    began = perf_counter()
    with Writer(out, header) as writer:
        done = list(writer.done)
        for dialogue, target in zip(done, targets, strict=False):
            if dialogue.id != target.id:
                raise SessionError(f"{out} holds dialogues about other targets ({dialogue.id}); give another --out")
        if len(done) > len(targets):
            raise SessionError(f"{out} holds {len(done)} dialogues, more than there are targets; give another --out")
        left = targets[len(done) :]
        before = len(done)
        played = _pool(place, plan, left, workers) if workers and left else _here(place, plan, left, gallery)
        for dialogue in played:
            writer.write(dialogue)
            done.append(dialogue)
            if on_progress is not None:
                on_progress(Progress("dialogues", len(done) - before, len(left), 0, perf_counter() - began))
    return done


class Player:
    """A gallery with the settings of a run, ready to play one target after another."""

    def __init__(self, gallery: Gallery, plan: Plan) -> None:
        self.gallery, self.plan = gallery, plan
        self._encoder: Encoder | None = None
        if plan.user.kind == "captions" and plan.user.evidence != "lexical":
            from whichpic.encoders import open_encoder

            # The user's own reading does not change with the system's encoder, so that systems can be compared.
            self._encoder = gallery.encoder if gallery.encoder.id.startswith("names-") else open_encoder("names")

    def play(self, target: Target) -> Dialogue:
        """One dialogue; the same for the same target, whatever was played before."""
        plan = self.plan
        seed = dialogue_seed(plan.seed, target.id)
        person = user(plan.user, target, seed=seed, opens=plan.opening, language=plan.play.language,
                      describe=self.describe, encoder=self._encoder)  # fmt: skip
        return play(self.gallery, person, target.id, plan.play, belief=plan.belief, seed=seed,
                    relevant=target.relevant, slips=(plan.user.errors, plan.user.ignorance))  # fmt: skip

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

        session = Session(self.gallery, settings=self.plan.belief, asker=self.plan.play.asker)
        session.say("a dog")
        session.results(1)
        session.questions(1)


def _here(place: Place, plan: Plan, targets: Sequence[Target], gallery: Gallery | None) -> Iterator[Dialogue]:
    if targets:
        player = Player(place.open() if gallery is None else gallery, plan)
        player.warm_up()
        yield from map(player.play, targets)


def _pool(place: Place, plan: Plan, targets: Sequence[Target], workers: int) -> Iterator[Dialogue]:
    """In the order of the targets, however they finish; only some are under way at a time."""
    import multiprocessing

    with _one_thread_each():
        pool = ProcessPoolExecutor(min(workers, len(targets)), mp_context=multiprocessing.get_context("spawn"),
                                   initializer=_begin, initargs=(place, plan))  # fmt: skip
        waiting: deque[Future[Dialogue]] = deque()
        try:
            for target in targets:
                waiting.append(pool.submit(_play, target))
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise AlbumError(
                "a worker process ended before its work was done (out of memory?); what was played is kept, and the same "
                "command goes on from there; --workers 0 plays in one process and shows what is wrong"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_player: Player | None = None
_failure: Exception | None = None


def _begin(place: Place, plan: Plan) -> None:
    """In a worker: open the gallery once. What goes wrong is kept for the first task, since a pool would only say "broken"."""
    global _player, _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _player = Player(place.open(), plan)
        _player.warm_up()
    except Exception as error:
        _failure = error


def _play(target: Target) -> Dialogue:
    if _failure is not None:
        raise _failure
    assert _player is not None
    return _player.play(target)


def _end_with_parent() -> None:
    """A parent that was killed cannot tell its workers; they would wait for tasks for ever."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers share the cores among themselves; and sums are added in the same order for any number of them."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    one_thread()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def one_thread() -> None:
    """One thread for arithmetic in this process and those it starts; only before numpy is first imported."""
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
