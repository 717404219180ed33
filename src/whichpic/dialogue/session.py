"""A session: a header and an ordered list of events, and what follows from them. Called by cli, web and simulate.

The belief, the pictures to show and the questions are computed from the records; nothing else is state. Every event is
appended to the session's file, and on the disk, before the call returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from whichpic.dialogue.belief import Belief, believe
from whichpic.dialogue.choosing import chooser, worth_asking
from whichpic.dialogue.constants import BeliefSettings
from whichpic.dialogue.events import (
    Chosen,
    Event,
    Filtered,
    Marked,
    Noted,
    Question,
    Record,
    Said,
    Term,
    Undo,
    effective,
    not_undone,
    to_json,
)
from whichpic.dialogue.keeping import changed_since, fresh_id, header_of, read_session, save, write_lines
from whichpic.dialogue.phrases import heard
from whichpic.dialogue.proposing import UNCHECKED, WITHOUT, asks_a_model, built, proposed, proposing
from whichpic.dialogue.refining import Models, Opener, query_of, refined, trouble
from whichpic.dialogue.rewriting import joined
from whichpic.dialogue.showing import Reason, Shown, listed, reasons
from whichpic.errors import ChatError, SessionError
from whichpic.settings import settings as user_settings
from whichpic.words import has_cjk

if TYPE_CHECKING:
    from whichpic.chat.base import Chat
    from whichpic.search.gallery import Gallery

LEAST_GAIN = 0.01
"""A question that is worth less (in nats, discounted) is not asked, unless a session says otherwise."""


class Session:
    """One search for one picture. Make it by `Album.session()`; `Session.resume` reads one again."""

    def __init__(
        self,
        gallery: Gallery,
        *,
        folder: Path | None = None,
        settings: BeliefSettings | None = None,
        asker: str = "facts,pick",
        choose_by: str = "eig",
        language: str = "auto",
        name: str = "",
        seed: int = 0,
        least_gain: float = LEAST_GAIN,
        chat: Chat | None = None,
        rewriter: str = "",
        rerank: int = 0,
        feedback: bool = True,
        sampler: str = "cluster",
        deadline: float | None = None,
        pictures: Opener | None = None,
    ) -> None:
        """chat: what rewrites, captions, looks and asks; without one all of it is done without a model.

        rewriter: join, reconstruct, expand or slerp; "" is that of the settings. rerank: how many of the best pictures the
        chat looks at after an event. feedback: liked pictures are captioned. sampler: how askers pick the pictures they
        look at. deadline: seconds that a turn waits for models, `settings().deadline` where None. pictures: opens a picture
        by its id; without it nothing is looked at. Raises QueryError for a name that there is not.
        """
        self.gallery = gallery
        self.settings = settings or BeliefSettings.fitted(gallery.encoder.id)
        if rewriter and rewriter != self.settings.rewriter:
            self.settings = BeliefSettings.of({"rewriter": rewriter}, usual=self.settings)
        self.records: list[Record] = []
        self.id = name or fresh_id()
        self.folder = folder
        self.asker, self.choose_by, self.language = asker, choose_by, language
        self.seed, self.least_gain = seed, least_gain  # of the choosers `random` and `eig`
        self.models = Models(
            chat=chat, rerank=rerank, feedback=feedback, sampler=sampler, pictures=pictures,
            seconds=user_settings().deadline if deadline is None else deadline,
        )  # fmt: skip
        self._spent = 0.0  # seconds that models have had in this turn
        built(asker, self.models, seconds=0.0)  # a wrong name is an error now and not at the first question
        chooser(choose_by)
        self.note = ""
        self.trouble = ""
        """One line for people where a model failed in this turn; "" where none did. Cleared at the next event."""
        self._belief: Belief | None = None
        self._questions: list[Question] | None = None
        self._shown_last: tuple[str, ...] = ()

    # ---- what the user does

    def say(self, text: str) -> None:
        """Describe the picture. Raises SessionError for an empty text."""
        if not text.strip():
            raise SessionError("there is nothing in what was said; describe the picture in a few words")
        self._add(Said.of(text.strip()))

    def reply(self, asked: str, words: str) -> None:
        """What the user answers in words to a question that was put in words, without options.

        Question and answer count as one text. Raises SessionError for an empty question or answer.
        """
        if not asked.strip() or not words.strip():
            raise SessionError("a reply needs the question and what was said to it")
        self._add(Said.of(words.strip(), asked=asked.strip()))

    def restate(self, text: str) -> None:
        """The query anew: these words stand instead of all that was said in words before. Raises SessionError if empty."""
        if not text.strip():
            raise SessionError("there is nothing in the query; describe the picture in a few words, or undo")
        self._add(Said((Term(text=text.strip()),), instead=True))

    def say_terms(self, terms: Sequence[Term]) -> None:
        """A weighted mix of texts and pictures, for and against."""
        if not any(term.text or term.picture or term.vector for term in terms):
            raise SessionError("a query needs at least one text or picture")
        self._add(Said(tuple(terms)))

    def answer(self, answer: int | str | None, *, question: Question | None = None) -> None:
        """Answer the current question (or another that was proposed): an option's position, free words, or None.

        None is "not sure". Free words that mean no option become a Said; what they say beyond an option, too.
        """
        question = question or self.question
        if question is None:
            raise SessionError("there is no question to answer; say more, or mark a picture")
        for event in heard(question, answer):
            self._add(event)

    def mark(self, *, more: Sequence[str] = (), less: Sequence[str] = ()) -> None:
        """More, or less, like these pictures (ids), among those that were shown last."""
        for picture in (*more, *less):
            self._position(picture)
        shown = tuple(dict.fromkeys((*self._shown(), *more, *less)))
        self._add(Marked(shown, tuple(more), tuple(less)))

    def none(self) -> None:
        """It is none of those that were shown last. Raises SessionError where nothing was."""
        shown = self._shown()
        if not shown:
            raise SessionError("nothing is shown that could be ruled out")
        self._add(Marked(shown, less=shown))

    def choose(self, picture: str) -> None:
        """This is it. The session ends; undo opens it again."""
        self._position(picture)
        self._add(Chosen(picture))

    def filter(self, *conditions: str, instead: bool = False) -> None:
        """Conditions that must hold beside those before, or instead of them; none lifts the filters. Raises QueryError."""
        self.gallery.passing(tuple(conditions))  # an odd condition is an error now
        self._add(Filtered(tuple(conditions), instead))

    def undo(self) -> None:
        """Take the last event back. Raises SessionError where there is none."""
        if not not_undone(self.records):
            raise SessionError("there is nothing to undo")
        self._add(Undo())

    def back(self, n: int) -> None:
        """Undo all that came after record n (`Record.n`), -1 for everything. Raises SessionError where it does not count."""
        left = [record.n for record in not_undone(self.records)]
        if n != -1 and n not in left:
            raise SessionError(f"there is no event {n} to go back to")
        for _ in range(len(left) - (left.index(n) + 1 if n != -1 else 0)):
            self._add(Undo())

    def refine(self, deadline: float | None = None) -> bool:
        """Ask the chat for what it can add to the last event: a sentence, captions of liked pictures, looks at the best.

        What it said is recorded as one Noted. True where the list may have changed. A ChatError is told in `trouble`, and
        the turn goes on without; ChatPending goes up. deadline: seconds for all of it; None is what the turn has left.
        """
        counted = effective(self.records)
        if self.models.chat is None or not counted or self.chosen is not None:
            return False
        began = perf_counter()
        # A question that a model asks comes after this, and needs its part of the turn.
        seconds = self._left() * (0.6 if asks_a_model(self.asker) else 1.0) if deadline is None else deadline
        try:
            note, failed = refined(self.gallery, counted, self.settings, self.models,
                                   language=self.language_now, seconds=seconds)  # fmt: skip
        finally:
            self._spent += perf_counter() - began
        self.trouble = self.trouble or failed
        if note is None:
            return False
        self._keep(note)
        return True

    def hurry(self, why: str) -> None:
        """Ask no model any more in this turn; `trouble` says why."""
        self.trouble, self._spent, self._questions = why, self.models.seconds, None

    # ---- what follows

    @property
    def events(self) -> list[Event]:
        """The events that still count, in their order."""
        return [record.event for record in effective(self.records) if not isinstance(record.event, Undo | Noted)]

    @property
    def query(self) -> str:
        """What is looked for, as one sentence: the rewriter's where there is one, else all that was said, joined."""
        return query_of(effective(self.records))

    @property
    def chosen(self) -> str | None:
        """The picture that the user found, or None while the session goes on."""
        last = self.events[-1:]
        return last[0].picture if last and isinstance(last[0], Chosen) else None

    @property
    def belief(self) -> Belief:
        """The belief after the events."""
        if self._belief is None:
            self._belief = believe(self.gallery, effective(self.records), self.settings)
        return self._belief

    def results(self, k: int = 12) -> list[Shown]:
        """The k most probable pictures, near-duplicates collapsed into the best of them. Remembers them as shown.

        `p` of a picture that stands for near-duplicates is that of all of them. Raises SessionError for k below 1.
        """
        if k < 1:
            raise SessionError(f"a list has at least one picture, not {k}")
        shown = listed(self.gallery, self.belief, k)
        self._shown_last = tuple(each.picture.id for each in shown)
        return shown

    @property
    def fitting(self) -> int:
        """How many pictures it takes to hold the target with a probability of 90 %."""
        return len(self.belief.credible(0.9))

    @property
    def nothing_fits(self) -> bool:
        """Whether the best picture fits so badly that what is looked for is probably not here.

        Never true before something was said, nor where the encoder's constants cannot tell it well enough (`none_fits`).
        """
        least = self.settings.none_fits
        return least is not None and bool(self.belief.parts) and self.belief.fits < least

    @property
    def question(self) -> Question | None:
        """The question to ask now, or None where none is worth asking."""
        return next(iter(self.questions(1)), None)

    def questions(self, n: int = 3) -> list[Question]:
        """The n questions most worth asking, best first: the others are ready when the user is not sure."""
        if self._questions is None:
            self._questions = self._ranked_questions() if self.chosen is None else []
        return self._questions[:n]

    def why(self, picture: str) -> list[Reason]:
        """What each event does for a picture, above the average of the pictures that pass the filters.

        The values of two pictures differ, in sum, by exactly the difference of their log beliefs; a picture that the
        filters leave out has minus infinity.
        """
        return reasons(self.belief, self._position(picture))

    # ---- keeping

    @property
    def header(self) -> dict[str, Any]:
        """The first line of its file."""
        return header_of(self.id, self.gallery, self.settings)

    @property
    def path(self) -> Path | None:
        """The session's file, or None where it is not kept."""
        return None if self.folder is None else self.folder / f"{self.id}.jsonl"

    def branch(self, n: int | None = None) -> Session:
        """A copy that goes on by itself, from the end of record n (`back`), or from here."""
        branch = self._copy(folder=self.folder, name="")
        if branch.path is not None and self.records:
            write_lines(branch.path, [branch.header, *(to_json(record) for record in branch.records)])
        if n is not None:
            branch.back(n)
        return branch

    def twin(self) -> Session:
        """A copy in the same state that is not kept: models may be asked in it while the session itself goes on."""
        return self._copy(folder=None, name=self.id)

    def take(self, twin: Session) -> bool:
        """Take over what a twin has from models. False, and nothing changes, where the session has gone on meanwhile."""
        own = len(self.records)
        if self.records != twin.records[:own] or not all(isinstance(r.event, Noted) for r in twin.records[own:]):
            return False
        for record in twin.records[own:]:
            assert isinstance(record.event, Noted)
            self._keep(record.event)
        self.trouble, self._spent, self._questions = twin.trouble, twin._spent, twin._questions
        return True

    def move(self, gallery: Gallery) -> None:
        """Go on over another state of the album. Raises SessionError where an event does not fit it; nothing changes then."""
        belief = believe(gallery, effective(self.records), self.settings)
        self.gallery, self._belief, self._questions = gallery, belief, None
        self._shown_last = tuple(picture for picture in self._shown_last if picture in gallery.positions)

    def _copy(self, *, folder: Path | None, name: str) -> Session:
        twin = copy(self)
        twin.id, twin.folder, twin.note = name or fresh_id(), folder, ""
        twin.records, twin._questions = list(self.records), None
        return twin

    def save(self, path: Path) -> Path:
        """Write the session to a file of its own. Raises SessionError where that is not possible."""
        return save(path, self.path, [self.header, *(to_json(record) for record in self.records)])

    @classmethod
    def resume(cls, gallery: Gallery, path: Path, *, folder: Path | None = None, **options: Any) -> Session:
        """Read a session again. It goes on in `folder` (its own file, where that is the same).

        Raises SessionError where the file is no session, or holds the vector of a picture from outside the album that
        another encoder made. Another encoder, or an album that has changed since, is said in `note`.
        """
        header, records, whole = read_session(path)
        settings = BeliefSettings.from_json(header["settings"])
        other = options.pop("rewriter", "") or settings.rewriter
        session = cls(gallery, folder=folder, name=str(header["id"]), settings=settings, **options)
        session.records = records
        session.note = changed_since(header, gallery, wished=other)
        if session.path is not None and (not whole or not session.path.exists()):
            write_lines(session.path, [session.header, *(to_json(record) for record in records)])
        session.belief  # noqa: B018  an event that no longer fits the album is an error now
        return session

    # ---- inside

    def _add(self, event: Event | Undo) -> None:
        if self.chosen is not None and not isinstance(event, Undo):
            raise SessionError("this session has ended with a picture found; undo to go on")
        self._keep(event)
        self.trouble, self._spent = "", 0.0

    def _keep(self, event: Event | Undo | Noted) -> None:
        n = self.records[-1].n + 1 if self.records else 0
        shown = () if isinstance(event, Noted) else self._shown_last
        record = Record(n, event, shown, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", joined(self.events, event))
        kept = [*self.records, record]
        belief = believe(self.gallery, effective(kept), self.settings)
        if self.path is not None:
            more = self.records and self.path.exists()
            lines = [to_json(record)] if more else [self.header, *(to_json(each) for each in kept)]
            write_lines(self.path, lines, mode="a")
        self.records, self._belief, self._questions = kept, belief, None

    def _position(self, picture: str) -> int:
        if picture not in self.gallery.positions:
            raise SessionError(f"the album has no picture {picture}")
        return self.gallery.positions[picture]

    def _shown(self) -> tuple[str, ...]:
        return self._shown_last or tuple(each.picture.id for each in self.results())

    def _left(self) -> float:
        return max(self.models.seconds - self._spent, 0.0)

    def _ranked_questions(self) -> list[Question]:
        faults: list[ChatError] = []
        propose = proposing(self.gallery, self.belief, effective(self.records), self.models, language=self.language_now,
                            seed=self.seed, choose_by=self.choose_by, on_fault=faults.append)  # fmt: skip
        began = perf_counter()
        questions, failed = proposed(self.asker, propose, seconds=self._left())
        self._spent += perf_counter() - began
        self.trouble = self.trouble or failed or (trouble(faults[0], UNCHECKED) if faults else "")
        worth = partial(worth_asking, self.gallery, self.belief, self.settings, choose_by=self.choose_by,
                        seed=self.seed, least_gain=self.least_gain)  # fmt: skip
        if not (found := worth(questions)) and asks_a_model(self.asker):
            found = worth(propose(WITHOUT, self._left()))  # what a model asks may tell nothing
        return found

    @property
    def language_now(self) -> str:
        """The language of the questions: "en" or "zh"; where it is "auto", that of what was said last."""
        said = [each.text for each in self.events if isinstance(each, Said) and each.text]
        own = "zh" if said and has_cjk(said[-1]) else "en"
        return own if self.language == "auto" else self.language
