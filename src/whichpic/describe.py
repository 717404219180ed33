"""Describes pictures with a Chat, along several dimensions, resumably. Called by cli and people; beside api.

What is written lies in a journal (`album.described`), one line per caption; `Album.index` makes captions of it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from whichpic.album.described import DIMENSIONS, NAME, Described, Journal, ever_written, sentences
from whichpic.chat.base import Decoding, Message, cancel
from whichpic.errors import AlbumError, ChatError, ChatPending, DecodeError, QueryError
from whichpic.types import Skip

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.album.indexing import Progress
    from whichpic.album.store import Store
    from whichpic.chat.base import Chat, Reply
    from whichpic.prompts import Prompt

USUAL = tuple(dimension for dimension in DIMENSIONS if dimension != "all")
"""The dimensions that are described where none are named; "all" is one long description of everything."""
_SIDE = 1600  # pixels of the longer side that a model gets at most; a Chat scales down further
_IN_A_ROW = 5
"""So many pictures one after the other without any answer: the model is out of order, not the pictures."""
_HOPELESS = ("refused", "unsupported", "cancelled")
_FAREWELL = 1.0  # seconds that requests have to end in once they are cancelled


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that is to be described: its id in the album, where it lies, and its name for people."""

    id: str
    file: Path
    name: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. captions: written now; empty: there was nothing to say; kept: were there already; pending: wait
    for a batch file, and told says which. outdated: of those kept, written by another prompt than that of now. skipped:
    pictures that could not be described, and why.
    """

    captions: int = 0
    empty: int = 0
    kept: int = 0
    outdated: int = 0
    pending: int = 0
    skipped: tuple[Skip, ...] = ()
    tokens: int = 0
    seconds: float = 0.0
    told: str = ""


def sources(store: Store, *, everything: bool = False) -> list[Source]:
    """The pictures of an indexed album that have no caption of the user's; with `everything`, all of them.

    Raises AlbumError for an album that has captions only: there is nothing to look at.
    """
    if store.captions_only:
        raise AlbumError(f"{store.root} has captions only: there is no picture to describe")
    written = ever_written(store.home / NAME)
    captions = store.captions()
    found = []
    for picture in store.pictures():
        # By sentences: what was said twice was left out of a caption. Ever: the album may hold what has a successor.
        by_model = "\n".join(written.get(picture.id, ()))
        own = [text for text in captions.get(picture.id, ()) if any(each not in by_model for each in sentences(text))]
        if picture.paths and (everything or not own):
            found.append(Source(picture.id, store.root / picture.paths[0], picture.paths[0]))
    return found


def folder_sources(folder: Path, *, leave_out: Path | None = None) -> list[Source]:
    """The pictures of a folder that is no album, by the same ids as an album would give them. Raises AlbumError."""
    from whichpic.album.decode import read_bytes
    from whichpic.album.scan import scan

    found: dict[str, Source] = {}
    for path in scan(folder, leave_out=leave_out).files:
        with suppress(OSError, DecodeError):  # what cannot be read now is told by `index`
            data, _ = read_bytes(folder / path)
            picture = hashlib.sha256(data).hexdigest()[:32]
            found.setdefault(picture, Source(picture, folder / path, path))
    if not found:
        raise AlbumError(f"no pictures in {folder}: give a folder with JPEG, PNG, ... files")
    return sorted(found.values(), key=lambda each: each.name)


def readable(pictures: Sequence[Source], limit: int) -> list[Source]:
    """The first pictures, as far as `limit` of them can be read; those before that cannot are still there, to be told."""
    from whichpic.album.decode import decode

    count = 0
    for place, source in enumerate(pictures):
        with suppress(DecodeError, OSError):
            decode(source.file, side=64)
            count += 1
        if count == limit:
            return list(pictures[: place + 1])
    return list(pictures)


def describe(
    pictures: Sequence[Source],
    chat: Chat,
    journal: Path,
    *,
    dimensions: Sequence[str] = USUAL,
    language: str = "en",
    again: bool = False,
    workers: int = 4,
    decoding: Decoding | None = None,
    deadline: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Have a model describe pictures, each along each dimension; what the journal holds already is kept.

    A dimension is a prompt describe-NAME, of whichpic's or the user's. A picture that fails is told in the report, and
    tried again by the next run. again: all are written anew, each standing until its successor is there; a run that
    was stopped goes on. workers: requests at the same time (a Chat with `complete_many` gets them in batches).
    decoding: greedy where None. deadline: seconds for each request.
    Raises ChatError where the model cannot see, or answers nothing any more; QueryError for a dimension without a
    prompt; DecodeError never. Replies that a batch file will bring are counted, and no ChatPending is raised.
    """
    prompts = asked_for(chat, dimensions, language)
    wanted = tuple(prompts)
    with Journal(journal) as book:
        for dimension in wanted:
            done = book.done(dimension, language)
            open_still = any(source.id not in done for source in pictures)
            if again and not (open_still and book.redoing(dimension, language) == chat.id):
                book.redo(dimension, language, chat.id)
        run = _Run(chat, book, prompts, language, decoding, deadline, on_progress)
        return run.all(pictures, max(1, workers))


def asked_for(chat: Chat, dimensions: Sequence[str], language: str) -> dict[str, Prompt]:
    """What a model would be asked, by dimension; raises as `describe` does, before anything is looked at or asked."""
    from whichpic.prompts import at_hand, prompt

    if not chat.can_see:
        raise ChatError("unsupported", f"{chat.describe} does not see pictures: give a vision-language model")
    mine = [name.removeprefix("describe-") for name in at_hand(language) if name.startswith("describe-")]
    there = [*DIMENSIONS, *(name for name in mine if name not in DIMENSIONS)]
    wanted = tuple(dict.fromkeys(dimensions))
    unknown = next((dimension for dimension in wanted if dimension not in there), None)
    if unknown is not None or not wanted:
        wrong = "no dimension to describe" if unknown is None else f"there is no dimension '{unknown}'"
        raise QueryError(
            f"{wrong}; there are {', '.join(there)} (one of yours is a prompt describe-NAME in WHICHPIC_PROMPTS)"
        )
    return {dimension: prompt(f"describe-{dimension}", language) for dimension in wanted}


def instruction(dimension: str, language: str) -> str:
    """What the model is asked for a dimension, without the system message: the user's turn of a conversation."""
    from whichpic.prompts import prompt

    return prompt(f"describe-{dimension}", language).user


@dataclass(slots=True)
class _Task:
    """One picture and the dimensions that are open."""

    source: Source
    dimensions: list[str]


@dataclass(slots=True)
class _Run:
    chat: Chat
    book: Journal
    prompts: dict[str, Prompt]
    language: str
    decoding: Decoding | None
    deadline: float | None
    on_progress: Callable[[Progress], None] | None
    captions: int = 0
    empty: int = 0
    pending: int = 0
    tokens: int = 0
    told: str = ""
    skipped: list[Skip] = field(default_factory=list)
    silent: int = 0
    began: float = field(default_factory=perf_counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self, pictures: Sequence[Source], workers: int) -> Report:
        done = {dimension: self.book.done(dimension, self.language) for dimension in self.prompts}
        tasks = [_Task(each, [name for name in self.prompts if each.id not in done[name]]) for each in pictures]
        kept = sum(len(self.prompts) - len(task.dimensions) for task in tasks)
        outdated = sum(
            self._outdated(task.source, name) for task in tasks for name in self.prompts if name not in task.dimensions
        )
        tasks = [task for task in tasks if task.dimensions]
        many = getattr(self.chat, "complete_many", None)
        rounds = self._batches(tasks, many, workers) if many is not None else self._threads(tasks, workers)
        finished = 0
        with closing(rounds):
            for count in rounds:
                finished += count
                self._tell(finished, len(tasks))
        return Report(self.captions, self.empty, kept, outdated, self.pending, tuple(self.skipped), self.tokens,
                      perf_counter() - self.began, self.told)  # fmt: skip

    def _outdated(self, source: Source, dimension: str) -> bool:
        """Whether a caption that is kept was written by another prompt than that of now."""
        kept = self.book.held.get((source.id, dimension, self.language))
        return kept is not None and kept.prompt not in ("", _digest(self.prompts[dimension]))

    def _threads(self, tasks: Sequence[_Task], workers: int) -> Generator[int]:
        """Describe pictures side by side; how many more are finished, each time."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix="describe")
        waiting: set[Future[None]] = set()
        patient = True
        try:
            for task in tasks:
                waiting.add(pool.submit(self._one, task))
                if len(waiting) >= 2 * workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield self._over(done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield self._over(done)
        except (KeyboardInterrupt, GeneratorExit):
            patient = False
            cancel(self.chat)
            raise
        finally:
            pool.shutdown(wait=patient, cancel_futures=True)
            wait([each for each in waiting if not each.cancelled()], timeout=_FAREWELL)

    @staticmethod
    def _over(done: set[Future[None]]) -> int:
        for each in done:
            each.result()
        return len(done)

    def _one(self, task: _Task) -> None:
        image = self._image(task.source)
        if image is None:
            return
        answered, fault = False, None
        for dimension in task.dimensions:
            try:
                messages = self._messages(dimension, image)
                (reply,) = self.chat.complete(messages, decoding=self._decoding(dimension), deadline=self.deadline)
            except ChatPending as later:
                with self.lock:
                    self.pending, self.told = self.pending + 1, str(later)
                answered = True
            except ChatError as error:
                fault = error
                if error.reason in _HOPELESS:
                    raise
            else:
                answered = True
                self._take(task.source, dimension, reply)
        self._count(task.source, answered, fault)

    def _batches(self, tasks: Sequence[_Task], many: Callable[..., list[Reply]], workers: int) -> Generator[int]:
        """Describe pictures in batches, for a model in this process; how many more are finished, each time."""
        for start in range(0, len(tasks), workers):
            part = [(task, self._image(task.source)) for task in tasks[start : start + workers]]
            for dimension in self.prompts:
                asked = [
                    (task.source, image) for task, image in part if image is not None and dimension in task.dimensions
                ]
                if not asked:
                    continue
                try:
                    conversations = [self._messages(dimension, image) for _, image in asked]
                    replies = many(conversations, decoding=self._decoding(dimension), deadline=self.deadline)
                except ChatError:
                    for source, _ in asked:  # one of them spoils the batch: which one?
                        self._one(_Task(source, [dimension]))
                    continue
                for (source, _), reply in zip(asked, replies, strict=True):
                    self._take(source, dimension, reply)
                self.silent = 0
            yield len(part)

    def _messages(self, dimension: str, image: Image) -> list[Message]:
        asked = self.prompts[dimension]
        system = [Message("system", asked.system)] if asked.system else []
        return [*system, Message("user", asked.user, (image,))]

    def _decoding(self, dimension: str) -> Decoding:
        return self.decoding or Decoding(max_tokens=512 if dimension == "all" else 160)

    def _image(self, source: Source) -> Image | None:
        from PIL import Image

        from whichpic.album.decode import decode

        try:
            seen = decode(source.file, side=_SIDE).image
            # Pixels alone: names of files and EXIF are no business of the model's, and may hold orders.
            return Image.frombytes(seen.mode, seen.size, seen.tobytes())
        except (DecodeError, OSError) as error:
            with self.lock:
                self.skipped.append(Skip(source.name, str(error)))
            return None

    def _take(self, source: Source, dimension: str, reply: Reply) -> None:
        from whichpic.cleaning import clean

        longest = 1500 if dimension == "all" else 400
        caption = clean(reply.text, cut=reply.finish == "length", longest=longest, words=dimension == "text",
                        language=self.language)  # fmt: skip
        digest = _digest(self.prompts[dimension])
        self.book.write(Described(source.id, dimension, self.language, caption, self.chat.id, digest, path=source.name))
        with self.lock:
            self.captions += bool(caption)
            self.empty += not caption
            self.tokens += reply.tokens_in + reply.tokens_out

    def _count(self, source: Source, answered: bool, fault: ChatError | None) -> None:
        """Keep what went wrong with a picture; end the run where nothing is answered any more."""
        with self.lock:
            if fault is not None:
                self.skipped.append(Skip(source.name, str(fault)))
            self.silent = 0 if answered or fault is None or not fault.again else self.silent + 1
            if fault is not None and self.silent >= _IN_A_ROW:
                raise ChatError(
                    fault.reason,
                    f"{fault}; {self.silent} pictures in a row had no answer. What was described is kept, and the same"
                    " command goes on from there",
                )

    def _tell(self, done: int, total: int) -> None:
        from whichpic.album.indexing import Progress

        if self.on_progress:
            self.on_progress(Progress("describe", done, total, len(self.skipped), perf_counter() - self.began))


def _digest(asked: Prompt) -> str:
    return hashlib.sha256(f"{asked.system}\n{asked.user}".encode()).hexdigest()[:12]
