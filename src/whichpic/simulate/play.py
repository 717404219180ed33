"""One dialogue, played: a session that talks with a simulated user while the target's rank is watched. Called by parallel.

The session knows nothing of the target, and the user nothing of the session; only this file sees both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from whichpic.dialogue.events import Noted, Question, Said, effective
from whichpic.dialogue.likelihood import answer_likelihood
from whichpic.dialogue.phrases import NOT_SURE
from whichpic.dialogue.session import LEAST_GAIN, Session
from whichpic.errors import QueryError
from whichpic.simulate.dialogues import Dialogue, Ended, Turn, words_instead
from whichpic.simulate.users import Reply, User

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.chat.base import Chat
    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.dialogue.refining import Opener
    from whichpic.dialogue.showing import Shown
    from whichpic.search.gallery import Gallery

    Distribution = NDArray[np.float64]

Stop = Literal["never", "found", "sure"]
_EVERY = 1_000_000
_DIGITS = 9
"""Significant digits of what is recorded: what lies below is the arithmetic of one machine."""


@dataclass(frozen=True)
class PlaySettings:
    """How dialogues are played. questions: the cap, also of rounds of feedback. shown: length of the list that users see.

    stop: "never" goes on to the cap, also when the target is shown (for figures by turn); "found" ends there, as a person
    would; "sure" where the target is in the list even with every tie against it. Either way a dialogue ends where no
    question is worth asking to the chooser `eig`: least_gain, nats; below 0 it goes on while there is any, as a person
    does who does not see the picture. gain: measure at every turn what the best question could tell (slow; for `bound`).
    rewriter ("": the belief's), rerank, sampler: as in Session. deadline: seconds that a turn waits for models; long, for
    what is measured should not depend on how busy a machine was. Raises QueryError for values that make no sense.
    """

    questions: int = 5
    stop: Stop = "never"
    shown: int = 10
    asker: str = "facts,pick"
    chooser: str = "eig"
    language: str = "en"
    least_gain: float = LEAST_GAIN
    gain: bool = False
    rewriter: str = ""
    rerank: int = 0
    sampler: str = "cluster"
    deadline: float = 600.0

    def __post_init__(self) -> None:
        if self.stop not in get_args(Stop):
            raise QueryError(f"no stop rule is called '{self.stop}'; there are {', '.join(get_args(Stop))}")
        if self.questions < 0 or self.shown < 1:
            raise QueryError(f"questions ({self.questions}) is at least 0, shown ({self.shown}) at least 1")
        if self.rerank < 0 or not self.deadline > 0:
            raise QueryError(f"rerank ({self.rerank}) is at least 0, deadline ({self.deadline}) above 0 seconds")

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the header of a file of dialogues."""
        return asdict(self)


def play(
    gallery: Gallery,
    user: User,
    target: str,
    settings: PlaySettings,
    *,
    belief: BeliefSettings | None = None,
    seed: int = 0,
    relevant: Sequence[str] = (),
    slips: tuple[float, float] = (0.0, 0.0),
    chat: Chat | None = None,
    user_chat: Chat | None = None,
    pictures: Opener | None = None,
) -> Dialogue:
    """The dialogue of one user about one picture (its id). Raises QueryError where the album has no such picture.

    slips: the user's shares of wrong answers and of "not sure", which what an answer can carry (`gain`) has to know.
    chat: the system's model, user_chat: the user's (they may be one), pictures: opens a picture by its id, for the system.
    A model of the system that fails is told in the turn's `trouble`; ChatPending and the user's ChatError go up.
    """
    if target not in gallery.positions:
        raise QueryError(f"the album has no picture {target}; a target has to be in the album that is searched")
    session = Session(gallery, settings=belief, asker=settings.asker, choose_by=settings.chooser,
                      language=settings.language, name="simulated", seed=seed, least_gain=settings.least_gain, chat=chat,
                      rewriter=settings.rewriter, rerank=settings.rerank, sampler=settings.sampler,
                      deadline=settings.deadline, pictures=pictures)  # fmt: skip
    watch = _Watch(session, gallery.positions[target], settings, slips, user_chat)
    text = user.opening()
    asks = not user.later and user.likes is None
    question = watch.after(partial(session.say, text), "said", text, asks=asks and settings.questions > 0)
    ended: Ended = "cap"
    for number in range(settings.questions):
        if (settings.stop == "found" and watch.found) or (settings.stop == "sure" and watch.sure):
            ended = "found"
            break
        if user.likes is not None:
            liked = user.mark(watch.shown, target)
            if liked is None:
                ended = "user"
                break
            text = f"more like {liked}"
            watch.after(partial(session.mark, more=[liked]), "marked", text, asks=False, marked=liked)
        elif user.later or question is None:
            if number >= len(user.later):
                ended = "user" if user.later else "nothing to ask"
                break
            said = user.later[number]
            watch.after(partial(_replayed, session, said), "said", said, asks=False)
        else:
            reply, asked = user.answer(question, watch.shown), question
            more = number + 1 < settings.questions
            if reply.free:  # question and answer are one text, as in a recorded dialogue
                text = f"{asked.text} {reply.words}"
                question = watch.after(partial(session.reply, asked.text, reply.words), "said", text, asks=more)
                continue
            question = watch.after(partial(_heard, session, asked, reply), "answered", _line(asked, reply, settings.language),
                                   asks=more, question=asked, reply=reply)  # fmt: skip
    return Dialogue(target, target, tuple(watch.turns), tuple(relevant), seed, ended)


def bound(dialogue: Dialogue, k: int = 10, *, whole: bool = False) -> float:
    """So many questions at least, by what answers can carry, until the target is surely among the k first.

    After the opening the belief has the entropy H. Who is sure of k pictures has ln k of it left, so that H - ln k nats
    have to come from answers, and no answer brings more than the `gain` of its turn: the largest that any question which
    could be asked there has. These are added up along the dialogue until they suffice, the last one as a fraction; past
    the dialogue's end its largest gain is taken to go on. The mean over dialogues bounds the mean number of turns until at
    most k pictures fit (the target's rank is at most k with every tie against it), where H is that of a belief that is
    calibrated, as in an album in which nothing is known yet; whole: the next whole number, which one lucky answer beats.
    Raises QueryError where the dialogue was played without `gain`.
    """
    gains = [turn.gain for turn in dialogue.turns if math.isfinite(turn.gain)]
    need = dialogue.turns[0].entropy - math.log(k)
    if not gains or not math.isfinite(need):
        raise QueryError(f"the dialogue {dialogue.id} was played without gain; set gain = true in [play]")
    asked = 0.0
    for gain in gains:
        if need <= 0:
            break
        step = min(1.0, need / gain) if gain > 0 else math.inf
        asked, need = asked + step, need - gain
    if need > 0:
        asked += need / max(gains) if max(gains) > 0 else math.inf
    return math.ceil(asked - 1e-9) if whole and math.isfinite(asked) else asked


def turns_to(dialogue: Dialogue, k: int = 10, *, surely: bool = True, never: float = math.inf) -> float:
    """The first turn at which the target is among the k first; `never` where there is none.

    surely: with every tie against it, as `bound` counts; else where it was in the list that was shown.
    """
    for number, turn in enumerate(dialogue.turns):
        if turn.better + turn.ties < k if surely else dialogue.target in turn.shown[:k]:
            return number
    return never


class _Watch:
    """Times the session's work and writes down what followed from each event."""

    def __init__(
        self,
        session: Session,
        target: int,
        settings: PlaySettings,
        slips: tuple[float, float],
        user_chat: Chat | None = None,
    ) -> None:
        self.session, self.target, self.settings, self.slips = session, target, settings, slips
        self.chat, self.user_chat = session.models.chat, user_chat
        self.told = _spent(user_chat)
        """What the user's model had cost at the end of the last turn."""
        self.turns: list[Turn] = []
        self.shown: tuple[str, ...] = ()
        self.found = self.sure = False

    def after(
        self,
        event: Callable[[], None],
        kind: str,
        text: str,
        *,
        asks: bool,
        question: Question | None = None,
        reply: Reply | None = None,
        marked: str = "",
    ) -> Question | None:
        """Let the event happen, record the turn, and give the question that comes next (None where none is asked).

        Timed is what a person would wait for: the update, what models add, the list, and the next question where there is
        one. A model's cost is counted by what its Chat has counted: before the event only the user was speaking.
        """
        spoken, before, began = _spent(self.user_chat), _spent(self.chat), perf_counter()
        event()
        if self.chat is not None:
            self.session.refine()
        results = self.session.results(self.settings.shown)
        following = self.session.question if asks else None
        milliseconds = 1000 * (perf_counter() - began)
        cost, said = _less(_spent(self.chat), before), _less(spoken, self.told)
        self.told = _spent(self.user_chat)
        belief, gallery = self.session.belief, self.session.gallery
        better, ties = _rank(belief, self.target)
        self._look(results, better + ties)
        credible = belief.credible(0.9)
        group = gallery.groups == gallery.groups[self.target]
        note = self._noted()
        self.turns.append(
            Turn(
                kind,
                text,
                question=None if question is None else asdict(question),
                option=None if reply is None else reply.option,
                words="" if reply is None else reply.words,
                shown=self.shown,
                better=better,
                ties=ties,
                p_first=_rounded(results[0].p if results else 0.0),
                p_target=_rounded(float(belief.p[group].sum())),
                set_size=len(credible),
                in_set=bool((credible == self.target).any()),
                fits=_rounded(belief.fits),
                fits_absent=_rounded(belief.fits_without(self.target)),
                entropy=_rounded(_entropy(belief.p)),
                gain=_rounded(self._gain()) if asks and self.settings.gain else math.nan,
                milliseconds=round(milliseconds, 3),
                calls=cost[0],
                tokens=cost[1],
                user_calls=said[0],
                user_tokens=said[1],
                rewritten=note.rewritten,
                captions=note.captions,
                looked=note.reranked,
                trouble=self.session.trouble,
                marked=marked,
            )
        )
        return following

    def _look(self, results: Sequence[Shown], behind: int) -> None:
        """What is on the screen, and whether the target is; `behind`: how many may be before it, ties against it."""
        self.shown = tuple(each.picture.id for each in results)
        listed = {picture.id for each in results for picture in (each.picture, *each.alike)}
        self.found = self.session.gallery.ids[self.target] in listed
        self.sure = behind < self.settings.shown

    def _noted(self) -> Noted:
        """What models said at this turn, and was used."""
        last = effective(self.session.records)[-1:]
        return (last[0].noted if last else None) or Noted(0)

    def _gain(self) -> float:
        """The most that the user's answer to any question proposed now can carry, in nats, as the belief expects it.

        A true answer tells no more of the picture than its own entropy. Slips are a channel behind it, which keeps
        H(heard) - H(heard | true) of that, and nothing of an answer that is "not sure".
        """
        session, p = self.session, self.session.belief.p
        usual = session.settings
        nothing = dict.fromkeys((*usual.eps, "value", "count"), 0.0)
        exact = replace(usual, eps=nothing, silent=0.0, certain=1.0)
        told = [
            _told(p @ answer_likelihood(session.gallery, question, exact).astype(np.float64), *self.slips)
            for question in session.questions(_EVERY)
        ]
        return max(told, default=0.0)


def _told(expected: Distribution, errors: float, ignorance: float) -> float:
    """What is heard of a true answer with these probabilities, in nats, where a wrong one is any of the others."""
    expected, options = expected / expected.sum(), len(expected)
    sure = 1 - ignorance
    if options < 2 or sure <= 0:
        return 0.0
    wrong = errors / sure
    heard = (1 - wrong) * expected + wrong * (1 - expected) / (options - 1)
    lost = _entropy(np.array([1 - wrong, *[wrong / (options - 1)] * (options - 1)]))
    return sure * max(0.0, _entropy(heard) - lost)


def _spent(chat: Chat | None) -> tuple[int, int]:
    """Replies that a chat has given so far, those out of a cache or a file included, and their tokens.

    So counted, a run that is gone on with costs what it would have cost in one piece.
    """
    return (0, 0) if chat is None else (chat.usage.calls + chat.usage.cached, chat.usage.tokens)


def _less(now: tuple[int, int], before: tuple[int, int]) -> tuple[int, int]:
    return now[0] - before[0], now[1] - before[1]


def _heard(session: Session, question: Question, reply: Reply) -> None:
    """One answer, as the session hears it: the option first, then what was said beside it.

    Words instead of the options of a model's question are heard with that question, as where a person types them.
    """
    if words_instead(question, reply.option, reply.words):
        session.reply(question.text, reply.words)
        return
    session.answer(reply.option, question=question)
    if reply.words:
        session.say(reply.words)


def _replayed(session: Session, said: str) -> None:
    """One recorded turn, as the session hears it: a question with what was replied to it, or words of the user's own."""
    turn = Said.recorded(said)
    if turn.asked:
        session.reply(turn.asked, turn.terms[0].text)
    else:
        session.say(said)


def _line(question: Question, reply: Reply, language: str) -> str:
    answer = NOT_SURE[language == "zh"] if reply.option is None else question.options[reply.option].text
    return f"{question.text} {answer}" + (f": {reply.words}" if reply.words else "")


def _rank(belief: Belief, target: int) -> tuple[int, int]:
    """How many other pictures score strictly higher than the target, and how many the same."""
    log = belief.log
    return int((log > log[target]).sum()), int((log == log[target]).sum()) - 1


def _entropy(p: Distribution) -> float:
    held = p[p > 0]
    return float(-(held * np.log(held)).sum())


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
