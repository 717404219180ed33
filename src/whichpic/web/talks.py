"""The sessions that are open: each with its lock, its questions and those who watch it. Called by api, pages and mcp.

A Talk is a Session that several may use at once. What is done gives a new State at once; what models add, and the
questions, come later, to all who watch. A talk that nobody holds any more is read again from its file when asked for.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, assert_never

from whichpic.dialogue import Session, Term
from whichpic.dialogue.events import to_json
from whichpic.errors import SessionError, WhichpicError
from whichpic.web.desk import Desk
from whichpic.web.kept import Kept, read_kept
from whichpic.web.views import (
    MOST_SHOWN,
    Answer,
    Back,
    Choose,
    Doing,
    Like,
    Mark,
    Narrow,
    NothingFits,
    ReasonView,
    Restate,
    Say,
    State,
    TakeBack,
    asked_of,
    question_id,
    reason_views,
    state_of,
)

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.dialogue import Question
    from whichpic.web.shelf import Shelf, Shelved

    Watcher = Callable[[State], None]

log = logging.getLogger(__name__)

LIST = 24
"""Pictures of a list, unless more are asked for."""
QUESTIONS = 3
MOST_OPEN = 512
"""Sessions that are held in memory at once."""
MOST_KEPT = 20_000
"""Session files of one album; beyond it none is begun."""
_ID = re.compile(r"[\w-]{1,80}")


class Talk:
    """One session that is open. Every method may be called from any thread."""

    def __init__(self, shelved: Shelved, session: Session, desk: Desk, *, k: int = LIST) -> None:
        self.shelved = shelved
        self.session = session
        self.id = session.id
        self._desk = desk
        self._k = k
        self._lock = threading.RLock()
        self._offered: list[Question] = []
        self._asking = False
        self._asked = -1  # for which state of the records questions were, or are being, made
        self._done = 0  # counts what was done
        self._revision = 0
        self._trouble = ""
        self._state: State | None = None
        self._watchers: list[Watcher] = []

    @property
    def state(self) -> State:
        """The session as it stands."""
        with self._lock:
            if self._state is None:
                self._state = self._view()
            return self._state

    def do(self, doing: Doing) -> State:
        """What the user does, and the list after it. Raises SessionError, QueryError; nothing changes then."""
        with self._lock:
            self._newest()
            self._apply(doing)
        return self._did()

    def look_like(self, image: Image, name: str, weight: float = 1.0) -> State:
        """A picture from outside the album as (a part of) the query. Raises SessionError for an album of captions."""
        if self.shelved.captions_only:
            raise SessionError("this album has captions only: describe the picture in words")
        with self._lock:
            self._newest()
            vector = self.session.gallery.encode_picture(image)
            self.session.say_terms([Term.of_vector(vector, name[:200] or "a picture", weight)])
        return self._did()

    def show(self, k: int) -> State:
        """A list of k pictures from now on."""
        with self._lock:
            self._k = max(1, min(k, MOST_SHOWN))
            state = self._renewed()
        self._tell(state)
        return state

    def ask(self) -> None:
        """Have the questions of this turn made, unless they are there or on their way; watchers are told."""
        with self._lock:
            if self._asked == self._done:
                return
            self._asked = self._done
            self._asking = True
            mark, twin = self._done, self.session.twin()
            state = self._renewed(same_list=True)
        self._tell(state)

        def work() -> None:
            self._think(twin, mark)

        if twin.models.chat is None:
            self._desk.later(work)
        else:
            self._desk.beside(work)

    def why(self, picture: str) -> list[ReasonView]:
        """Why a picture is where it is, event by event. Raises SessionError for one that the list does not know yet."""
        with self._lock:
            return reason_views(self.session, picture)

    def records(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Header and records, as the session's file has them."""
        with self._lock:
            return self.session.header, [to_json(record) for record in self.session.records]

    def hurry(self, why: str) -> State:
        """Wait for no model any more in this turn: the question is made without one. `trouble` says why."""
        with self._lock:
            if not self._asking:
                return self.state
            self._done += 1  # what is being thought comes too late now
            self.session.hurry(why)
            state = self._renewed()
        self.ask()
        return state

    def watch(self, changed: Watcher) -> Callable[[], None]:
        """Call `changed`, from any thread, with every new state; gives back what ends it."""
        with self._lock:
            self._watchers.append(changed)

        def end() -> None:
            with self._lock:
                if changed in self._watchers:
                    self._watchers.remove(changed)

        return end

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    def grown(self) -> None:
        """The album has: the list is made anew over what it holds now."""
        with self._lock:
            if not self._newest():
                return
            self._done += 1
            self._asking = False  # what is being thought is of the list before; a question that is out still stands
            state = self._renewed()
        self._tell(state)

    # ---- inside

    def _apply(self, doing: Doing) -> None:
        session = self.session
        match doing:
            case Say():
                session.say(doing.text)
            case Restate():
                session.restate(doing.text)
            case Answer():
                self._answer(doing)
            case Mark():
                if not (doing.more or doing.less):
                    raise SessionError("name at least one picture to mark")
                session.mark(more=doing.more, less=doing.less)
            case Like():
                session.say_terms([Term(picture=self._here(doing.picture), weight=doing.weight)])
            case NothingFits():
                session.none()
            case Choose():
                session.choose(self._here(doing.picture))
            case Narrow():
                self._narrow(doing.conditions)
            case Back():
                session.back(doing.n)
            case TakeBack():
                session.undo()
            case _:
                assert_never(doing)

    def _answer(self, doing: Answer) -> None:
        question = next((each for each in self._offered if question_id(each) == doing.question), None)
        if question is None:
            raise SessionError("that question is no longer open; answer the one that is asked now")
        if doing.option is not None and doing.words:
            raise SessionError("answer by an option or in words, not both")
        words = (doing.words or "").strip()
        self.session.answer(words or doing.option, question=question)

    def _narrow(self, conditions: list[str]) -> None:
        """All conditions that hold from now on: a session adds them up, so that others are lifted first."""
        self.session.gallery.passing(tuple(conditions))  # an odd one is an error before anything changes
        held = self.state.filters
        if held and conditions[: len(held)] != held:
            self.session.filter()
            held = []
        if new := conditions[len(held) :]:
            self.session.filter(*new)
        elif not conditions and not held:
            self.session.filter()

    def _here(self, picture: str) -> str:
        if picture not in self.session.gallery.positions:
            raise SessionError(f"the album has no picture {picture}")
        return picture

    def _newest(self) -> bool:
        """Go on over what the album holds now, where that is more than before."""
        if not self.shelved.ready or self.session.gallery is self.shelved.gallery:
            return False
        try:
            self.session.move(self.shelved.gallery)
        except WhichpicError as error:  # a picture that was marked has gone: the list stays that of before
            self.session.note = " ".join(str(error).split())
            return False
        return True

    def _did(self) -> State:
        with self._lock:
            self._done += 1
            self._offered, self._asking, self._trouble = [], False, ""
            state = self._renewed()
        self._tell(state)
        return state

    def _think(self, twin: Session, mark: int) -> None:
        trouble = ""
        questions: list[Question] = []
        try:
            if self._done != mark:
                return
            if twin.refine() and not self._took(twin, mark):
                return
            questions = twin.questions(QUESTIONS)
        except WhichpicError as error:
            trouble = " ".join(str(error).split())
        except Exception:
            log.exception("no question could be made")
            trouble = "no question could be made; go on with words and marks"
        with self._lock:
            if self._done != mark:
                return
            held = len(self.session.records)
            self.session.take(twin)
            self._offered, self._asking, self._trouble = questions, False, trouble
            state = self._renewed(same_list=len(self.session.records) == held)
        self._tell(state)

    def _took(self, twin: Session, mark: int) -> bool:
        """Whether the session has what models said, and shows it; False where it has gone on meanwhile."""
        with self._lock:
            if self._done != mark or not self.session.take(twin):
                return False
            state = self._renewed()
        self._tell(state)
        return True

    def _renewed(self, *, same_list: bool = False) -> State:
        self._revision += 1
        if same_list and self._state is not None:
            self._state = asked_of(self._state, self.session, revision=self._revision, questions=self._offered,
                                   asking=self._asking, trouble=self._trouble)  # fmt: skip
        else:
            self._state = self._view()
        return self._state

    def _view(self) -> State:
        return state_of(self.session, album=self.shelved.name, revision=self._revision, k=self._k,
                        questions=self._offered, asking=self._asking, trouble=self._trouble)  # fmt: skip

    def _tell(self, state: State) -> None:
        for changed in list(self._watchers):
            try:
                changed(state)
            except Exception:  # a page that has gone must not cost the others their list
                log.exception("a watcher of a session failed")


class Talks:
    """All sessions of a shelf. options are those of `Session`: asker, chat, rewriter, rerank, ..."""

    def __init__(self, shelf: Shelf, desk: Desk, *, most: int = MOST_OPEN, **options: Any) -> None:
        self.shelf = shelf
        self.desk = desk
        self.options = options
        self._most = most
        self._open: OrderedDict[tuple[str, str], Talk] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, album: str, *, language: str = "auto") -> Talk:
        """A new session; its file is written with the first thing that is done. Raises AlbumError, SessionError."""
        shelved = self.shelf[album]
        store = shelved.album.store
        if store.sessions.is_dir() and sum(1 for _ in os.scandir(store.sessions)) >= MOST_KEPT:
            raise SessionError(f"{shelved.title} keeps {MOST_KEPT:,} sessions already; remove old ones")
        session = Session(shelved.gallery, folder=store.sessions, **self._options(shelved, language))
        return self._hold(Talk(shelved, session, self.desk))

    def get(self, album: str, id: str, *, language: str = "auto") -> Talk:
        """A session by its id: one that is open, else from its file. Raises AlbumError, SessionError."""
        shelved = self.shelf[album]
        with self._lock:
            talk = self._open.get((album, id))
            if talk is not None:
                self._open.move_to_end((album, id))
                return talk
        path = shelved.album.store.sessions / f"{id}.jsonl"
        if not _ID.fullmatch(id) or not path.is_file():
            raise SessionError(f"{shelved.title} has no session '{id[:80]}'")
        options = self._options(shelved, language)
        session = Session.resume(shelved.gallery, path, folder=path.parent, **options)
        return self._hold(Talk(shelved, session, self.desk))

    def branch(self, talk: Talk, n: int | None = None) -> Talk:
        """A copy of a session that goes on by itself, from record n or from its end. Raises SessionError."""
        with talk._lock:
            return self._hold(Talk(talk.shelved, talk.session.branch(n), self.desk))

    def kept(self, album: str, most: int = 50) -> list[Kept]:
        """The sessions that were kept, newest first."""
        return [found for path in self.shelf[album].album.sessions()[:most] if (found := read_kept(path)) is not None]

    def remove(self, album: str, id: str) -> None:
        """Delete a session for good. Raises AlbumError, SessionError: not there, open somewhere, or not to be deleted."""
        shelved = self.shelf[album]
        path = shelved.album.store.sessions / f"{id}.jsonl"
        with self._lock:
            held = self._open.get((album, id))
            if held is not None and held.watched:
                raise SessionError("this session is open in a page: close it there first")
            if not _ID.fullmatch(id) or not path.is_file():
                raise SessionError(f"{shelved.title} has no session '{id[:80]}'")
            try:
                path.unlink()
            except OSError as error:
                raise SessionError(f"the session cannot be deleted: {error.strerror or error}") from None
            self._open.pop((album, id), None)

    def grown(self, album: str) -> None:
        """The album has: sessions that are watched go on over what it holds now."""
        with self._lock:
            talks = [talk for (name, _), talk in self._open.items() if name == album and talk.watched]
        for talk in talks:
            self.desk.list_soon(talk.grown)

    def _options(self, shelved: Shelved, language: str) -> dict[str, Any]:
        pictures = None if shelved.captions_only else shelved.album.store.image
        return {"pictures": pictures, **self.options, "language": language}

    def _hold(self, talk: Talk) -> Talk:
        with self._lock:
            # Two who open one session get one talk, or each would write over what the other does not know.
            held = self._open.setdefault((talk.shelved.name, talk.id), talk)
            if len(self._open) > self._most:
                idle = next((key for key, each in self._open.items() if not each.watched and each is not held), None)
                if idle is None:
                    del self._open[(talk.shelved.name, talk.id)]
                    raise SessionError(f"{self._most} sessions are open already; come back a little later")
                del self._open[idle]
            return held
