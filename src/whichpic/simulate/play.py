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

from whichpic.dialogue.events import Question
from whichpic.dialogue.likelihood import answer_likelihood
from whichpic.dialogue.phrases import NOT_SURE
from whichpic.dialogue.session import Session
from whichpic.errors import QueryError
from whichpic.simulate.dialogues import Dialogue, Ended, Turn
from whichpic.simulate.users import Reply, User

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.search.gallery import Gallery

    Distribution = NDArray[np.float64]

Stop = Literal["never", "found"]
_EVERY = 1_000_000
_DIGITS = 9
"""Significant digits of what is recorded: what lies below is the arithmetic of one machine."""


@dataclass(frozen=True)
class PlaySettings:
    """How dialogues are played. questions: the cap. shown: length of the list that the user sees.

    stop: "never" goes on to the cap, also when the target is shown (for figures by turn); "found" ends there, as a person
    would. Either way a dialogue ends where no question is worth asking. gain: measure at every turn what the best
    question could tell (slow; for `bound`). Raises QueryError for values that make no sense.
    """

    questions: int = 5
    stop: Stop = "never"
    shown: int = 10
    asker: str = "facts,pick"
    chooser: str = "eig"
    language: str = "en"
    gain: bool = False

    def __post_init__(self) -> None:
        if self.stop not in get_args(Stop):
            raise QueryError(f"no stop rule is called '{self.stop}'; there are {', '.join(get_args(Stop))}")
        if self.questions < 0 or self.shown < 1:
            raise QueryError(f"questions ({self.questions}) is at least 0, shown ({self.shown}) at least 1")

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
) -> Dialogue:
    """The dialogue of one user about one picture (its id). Raises QueryError where the album has no such picture."""
    if target not in gallery.positions:
        raise QueryError(f"the album has no picture {target}; a target has to be in the album that is searched")
    session = Session(gallery, settings=belief, asker=settings.asker, choose_by=settings.chooser,
                      language=settings.language, name="simulated", seed=seed)  # fmt: skip
    watch = _Watch(session, gallery.positions[target], settings)
    text = user.opening()
    question = watch.after(partial(session.say, text), "said", text, asks=not user.later and settings.questions > 0)
    ended: Ended = "cap"
    for number in range(settings.questions):
        if settings.stop == "found" and watch.found:
            ended = "found"
            break
        if user.later or question is None:
            if number >= len(user.later):
                ended = "user" if user.later else "nothing to ask"
                break
            said = user.later[number]
            watch.after(partial(_replayed, session, said), "said", said, asks=False)
        else:
            reply, asked = user.answer(question, watch.shown), question
            more = number + 1 < settings.questions
            question = watch.after(partial(_heard, session, asked, reply), "answered", _line(asked, reply, settings.language),
                                   asks=more, question=asked, reply=reply)  # fmt: skip
    return Dialogue(target, target, tuple(watch.turns), tuple(relevant), seed, ended)


def bound(dialogue: Dialogue, k: int = 10, *, whole: bool = True) -> float:
    """The fewest questions after which the target can be expected among the k first, by what their answers can carry.

    After the opening the belief has an entropy H; k pictures hold ln k of it, so H - ln k nats have to come from answers,
    and no answer brings more than its own entropy. The largest of each state of the dialogue are added up; past its end
    the last one is taken to go on. whole: questions come in whole numbers.
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
        asked += need / gains[-1] if gains[-1] > 0 else math.inf
    return math.ceil(asked - 1e-9) if whole and math.isfinite(asked) else asked


class _Watch:
    """Times the session's work and writes down what followed from each event."""

    def __init__(self, session: Session, target: int, settings: PlaySettings) -> None:
        self.session, self.target, self.settings = session, target, settings
        self.turns: list[Turn] = []
        self.shown: tuple[str, ...] = ()
        self.found = False

    def after(
        self,
        event: Callable[[], None],
        kind: str,
        text: str,
        *,
        asks: bool,
        question: Question | None = None,
        reply: Reply | None = None,
    ) -> Question | None:
        """Let the event happen, record the turn, and give the question that comes next (None where none is asked).

        Timed is what a person would wait for: the update, the list, and the next question where there is one.
        """
        began = perf_counter()
        event()
        results = self.session.results(self.settings.shown)
        following = self.session.question if asks else None
        milliseconds = 1000 * (perf_counter() - began)
        belief, gallery = self.session.belief, self.session.gallery
        self.shown = tuple(each.picture.id for each in results)
        listed = {picture.id for each in results for picture in (each.picture, *each.alike)}
        self.found = gallery.ids[self.target] in listed
        better, ties = _rank(belief, self.target)
        credible = belief.credible(0.9)
        group = gallery.groups == gallery.groups[self.target]
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
                fits=_rounded(float(getattr(belief, "fits", math.nan))),
                entropy=_rounded(_entropy(belief.p)),
                gain=_rounded(self._gain()) if asks and self.settings.gain else math.nan,
                milliseconds=round(milliseconds, 3),
            )
        )
        return following

    def _gain(self) -> float:
        """The most that a truthful answer to any proposed question can carry: the largest entropy of an answer, nats.

        As the belief expects it, over the whole album, without the slips that the belief allows for. No answer tells more
        of the picture than its own entropy.
        """
        session, p = self.session, self.session.belief.p
        usual = session.settings
        exact = replace(usual, eps=dict.fromkeys(usual.eps, 0.0), silent=0.0, certain=1.0)
        expected = [
            p @ answer_likelihood(session.gallery, question, exact).astype(np.float64)
            for question in session.questions(_EVERY)
        ]
        return max((_entropy(answer / answer.sum()) for answer in expected), default=0.0)


def _heard(session: Session, question: Question, reply: Reply) -> None:
    """One answer, as the session hears it: the option first, then what was said beside it."""
    session.answer(reply.option, question=question)
    if reply.words:
        session.say(reply.words)


def _replayed(session: Session, said: str) -> None:
    """One recorded turn, as the session hears it: a question with what was replied to it, or words of the user's own."""
    asked, mark, words = said.partition("?")
    if mark and words.strip():
        session.reply(f"{asked.strip()}?", words)
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
