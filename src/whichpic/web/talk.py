"""One session that is open: its lock, its questions, and those who watch it. Called by talks, and with what that gives.

A Talk is a Session that several may use at once. What is done gives a new State at once; what models add, and the
questions, come later, to all who watch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, assert_never

from whichpic.dialogue import Session, Term
from whichpic.errors import SessionError, WhichpicError
from whichpic.web.desk import Desk
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
    question_id,
    question_view,
    reason_views,
    state_of,
)

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.dialogue import Question
    from whichpic.web.shelf import Shelved

    Watcher = Callable[[State], None]

log = logging.getLogger(__name__)

LIST = 24
"""Pictures of a list, unless more are asked for."""
QUESTIONS = 3


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
        self._used = time.monotonic()

    @property
    def idle(self) -> float:
        """Seconds since something was done."""
        return time.monotonic() - self._used

    def used(self) -> None:
        """Somebody has it in hand."""
        self._used = time.monotonic()

    @property
    def state(self) -> State:
        """The session as it stands."""
        with self._lock:
            if self._state is None:
                self._state = self._view()
            return self._state

    def do(self, doing: Doing) -> State:
        """What the user does, and the list after it. Raises SessionError, QueryError; nothing changes then."""
        return self._did(lambda: self._apply(doing))

    def look_like(self, image: Image, name: str, weight: float = 1.0) -> State:
        """A picture from outside the album as (a part of) the query. Raises SessionError for an album of captions."""
        if self.shelved.captions_only:
            raise SessionError("this album has captions only: describe the picture in words")
        vector = self.shelved.gallery.encode_picture(image)
        return self._did(lambda: self.session.say_terms([Term.of_vector(vector, name[:200] or "a picture", weight)]))

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

    def twin(self) -> Session:
        """The session as it stands, to be looked at while this one goes on."""
        with self._lock:
            return self.session.twin()

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
            self._done += 1  # what is being thought is of the list before; a question that is out still stands
            asking, self._asking = self._asking, False
            state = self._renewed()
        if asking:
            self.ask()  # who waits for a question is not told that none comes
        else:
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
        """All conditions that hold from now on; what is new is said alone, as a person would."""
        held = self.state.filters
        more = bool(held) and len(conditions) > len(held) and conditions[: len(held)] == held
        new = conditions[len(held) :] if more else conditions
        self.session.filter(*new, instead=bool(held and new) and not more)

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
            self.session.note = self.shelved.line(error)
            return False
        return True

    def _did(self, work: Callable[[], None]) -> State:
        """Do it over the newest list. What failed half-way (a disk that is full) is shown as far as it came."""
        with self._lock:
            moved, before = self._newest(), self.session.records
            try:
                work()
            except WhichpicError:
                if moved or self.session.records is not before:
                    self._tell(self._changed())
                raise
            state = self._changed()
        self._tell(state)
        return state

    def _changed(self) -> State:
        self.used()
        self._done += 1
        self._offered, self._asking, self._trouble = [], False, ""
        return self._renewed()

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
            trouble = self.shelved.line(error)
        except Exception:
            log.exception("no question could be made")
            trouble = "no question could be made; go on with words and marks"
        with self._lock:
            if self._done != mark:
                return
            if not trouble:  # what models said is in the session by now: what is taken are their troubles and questions
                self.session.take(twin)
            self._offered, self._asking, self._trouble = questions, False, trouble
            state = self._renewed(same_list=True)
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
            fresh = {"questions": [question_view(self.session.gallery, each) for each in self._offered]}
            self._state = self._state.model_copy(update={**fresh, **self._now()})
        else:
            self._state = self._view()
        return self._state

    def _view(self) -> State:
        return state_of(self.session, album=self.shelved.name, k=self._k, questions=self._offered, **self._now())

    def _now(self) -> dict[str, Any]:
        session, line = self.session, self.shelved.line
        return {
            "revision": self._revision, "asking": self._asking,
            "trouble": line(self._trouble or session.trouble), "note": line(session.note),
        }  # fmt: skip

    def _tell(self, state: State) -> None:
        for changed in list(self._watchers):
            try:
                changed(state)
            except Exception:  # a page that has gone must not cost the others their list
                log.exception("a watcher of a session failed")
