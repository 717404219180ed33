"""Many dialogues over processes, into one file: the same file for any number of workers. Called by cli and evaluate.

Every dialogue has its own seed, made from the run's seed and its id, so that nothing depends on who plays what when.
Results are written in the order of the targets; a run that was killed goes on where the file ends.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from whichpic.errors import AlbumError, ChatPending, QueryError, SessionError
from whichpic.simulate.dialogues import Dialogue, Writer
from whichpic.simulate.player import Chats, Place, Plan, Player

if TYPE_CHECKING:
    from whichpic.album.indexing import Progress
    from whichpic.chat.base import Chat
    from whichpic.search.gallery import Gallery
    from whichpic.simulate.users import Target

__all__ = ["Chats", "Place", "Plan", "Player", "one_thread", "simulate"]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "WHICHPIC_THREADS")


def simulate(
    place: Place,
    plan: Plan,
    targets: Sequence[Target],
    out: Path,
    header: Mapping[str, Any],
    *,
    workers: int = 0,
    gallery: Gallery | None = None,
    chat: Chat | None = None,
    user_chat: Chat | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Dialogue]:
    """Play the dialogues of all targets into a file, and give them back, those that were in the file before included.

    workers: processes; 0 plays in this one, on `gallery` where it is given, and with `chat` and `user_chat` (else those
    that the plan names). Raises SessionError where the file belongs to another run; Ctrl-C and a worker's death leave the
    file whole up to the last dialogue. Raises ChatPending where replies wait in a batch file: then every dialogue was
    played up to its next question to the model, and what is over is in the file as far as none before it waits.
    """
    from whichpic.album.indexing import Progress

    if workers and (chat is not None or user_chat is not None or plan.chats.local):
        name = plan.chats.local or "a Chat that is given"
        raise QueryError(
            f"{name} runs in this process and cannot be shared among workers: use --workers 0, or a server"
        )
    began = perf_counter()
    with Writer(out, header) as writer:
        done = list(writer.done)
        for dialogue, target in zip(done, targets, strict=False):
            if dialogue.id != target.id:
                raise SessionError(f"{out} holds dialogues about other targets ({dialogue.id}); give another --out")
        if len(done) > len(targets):
            raise SessionError(f"{out} holds {len(done)} dialogues, more than there are targets; give another --out")
        left = targets[len(done) :]
        before, waiting = len(done), Waiting()
        apart = _pool(place, plan, left, workers) if workers and left else None
        with closing(apart or _here(place, plan, left, gallery, chat, user_chat)) as results:
            for result in results:
                if isinstance(result, ChatPending):
                    waiting.add(result)
                elif not waiting.n:
                    # In the order of the targets: what is over behind one that waits is played again, from the same
                    # replies.
                    writer.write(result)
                    done.append(result)
                if on_progress is not None:
                    now = len(done) - before + waiting.n
                    on_progress(Progress("dialogues", now, len(left), 0, perf_counter() - began))
    if waiting.n:
        raise waiting.told(len(targets))
    return done


@dataclass
class Waiting:
    """How many dialogues wait for replies of a batch file, and what the last of them said about it."""

    n: int = 0
    last: str = ""

    def add(self, pending: ChatPending) -> None:
        """One more."""
        self.n, self.last = self.n + 1, str(pending)

    def told(self, targets: int) -> ChatPending:
        """The one error for all of them."""
        return ChatPending(f"{self.n} of {targets} dialogues wait for a model's reply: {self.last}")


def _here(
    place: Place,
    plan: Plan,
    targets: Sequence[Target],
    gallery: Gallery | None,
    chat: Chat | None,
    user_chat: Chat | None,
) -> Generator[Dialogue | ChatPending]:
    if targets:
        player = _opened(place, plan, gallery, chat, user_chat)
        for target in targets:
            yield _tried(player, target)


def _opened(
    place: Place,
    plan: Plan,
    gallery: Gallery | None = None,
    chat: Chat | None = None,
    user_chat: Chat | None = None,
) -> Player:
    looks = chat is not None or user_chat is not None or plan.chats != Chats()
    player = Player(place.open() if gallery is None else gallery, plan, chat=chat, user_chat=user_chat,
                    pictures=place.pictures() if looks else None)  # fmt: skip
    player.warm_up()
    return player


def _tried(player: Player, target: Target) -> Dialogue | ChatPending:
    """A dialogue, or what it waits for."""
    try:
        return player.play(target)
    except ChatPending as pending:
        return pending


def _pool(place: Place, plan: Plan, targets: Sequence[Target], workers: int) -> Generator[Dialogue | ChatPending]:
    """In the order of the targets, however they finish; only some are under way at a time."""
    import multiprocessing

    others = set(multiprocessing.active_children())
    with _one_thread_each():
        pool = ProcessPoolExecutor(min(workers, len(targets)), mp_context=multiprocessing.get_context("spawn"),
                                   initializer=_begin, initargs=(place, plan))  # fmt: skip
        waiting: deque[Future[Dialogue | ChatPending]] = deque()
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
        except (KeyboardInterrupt, GeneratorExit):
            # A worker may wait for a model that hangs; what it plays would not be written any more.
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
            raise
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
        _player = _opened(place, plan)
    except Exception as error:
        _failure = error


def _play(target: Target) -> Dialogue | ChatPending:
    if _failure is not None:
        raise _failure
    assert _player is not None
    return _tried(_player, target)


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
