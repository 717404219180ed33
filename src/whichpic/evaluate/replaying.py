"""Dialogues as events, heard again by the belief: what fitting learns from and is checked on. Called by fitting and cli.

No question is asked here: every turn's events are given, and the belief after each of them is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whichpic.dialogue.belief import believe
from whichpic.dialogue.events import Answered, Event, Marked, Noted, Record, Said, question_from_json
from whichpic.dialogue.rewriting import join
from whichpic.errors import QueryError, SessionError
from whichpic.evaluate.ranks import Ranks, count_ranks
from whichpic.evaluate.run import Run

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.dialogue.constants import BeliefSettings
    from whichpic.search.gallery import Gallery
    from whichpic.simulate.dialogues import Dialogue
    from whichpic.types import Encoder, Floats, Sight


Told = Callable[[str, int, int], None]
"""Hears what is being done, how many dialogues are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One dialogue as its events, a list for each turn, the picture that was meant, and what models noted at each turn."""

    id: str
    target: str
    turns: tuple[tuple[Event, ...], ...]
    notes: tuple[Noted | None, ...] = ()

    def records(self, turn: int, *, start: int) -> list[Record]:
        """The records of one turn as its session had them, numbered from `start`, the note beside the last of them."""
        said = [event.text for before in self.turns[:turn] for event in before if isinstance(event, Said)]
        records = []
        for k, event in enumerate(self.turns[turn]):
            before, said = said, [*said, event.text] if isinstance(event, Said) else said
            records.append(Record(start + k, event, rewritten=join(said) if before and said is not before else ""))
        note = self.notes[turn] if turn < len(self.notes) else None
        if note is not None and records:
            records[-1] = replace(records[-1], noted=replace(note, of=records[-1].n))
        return records


def read_heard(path: Path, gallery: Gallery, *, own_words: bool = False) -> list[Heard]:
    """The dialogues of a file whose targets are in the gallery: ours (dialogues.jsonl), ChatIR's, or captions of pictures.

    own_words: every text of a data set of captions is a sentence of the user's own, one a turn.
    Raises SessionError or CaptionError where the file is none of these, QueryError where no target is in the gallery.
    """
    from whichpic.simulate.dialogues import read_dialogues
    from whichpic.simulate.targets import by_picture, read_texts

    try:
        _, dialogues = read_dialogues(path)
        found = [_ours(dialogue) for dialogue in dialogues]
    except SessionError:
        texts = by_picture(gallery, read_texts(path))
        event = Said.of if own_words else Said.recorded
        found = [
            Heard(target, target, tuple((event(text),) for text in said if text.strip()))
            for target, said in sorted(texts.items())
        ]
    kept = [each for each in found if each.target in gallery.positions and each.turns]
    if not kept:
        raise QueryError(f"{path}: no dialogue is about a picture of this album; give dialogues about its pictures")
    return kept


def rewriter_of(path: Path) -> str:
    """The rewriter that dialogues of ours were held with; "join" for files of others."""
    from whichpic.simulate.dialogues import read_dialogues

    try:
        header, _ = read_dialogues(path)
    except SessionError:
        return "join"
    belief = header.get("belief")
    return str(belief.get("rewriter", "join")) if isinstance(belief, dict) else "join"


def _ours(dialogue: Dialogue) -> Heard:
    from whichpic.simulate.dialogues import words_instead

    turns: list[tuple[Event, ...]] = []
    shown: tuple[str, ...] = ()
    for turn in dialogue.turns:
        before, shown = shown, turn.shown
        if turn.marked:
            turns.append((Marked(before, (turn.marked,)),))
            continue
        if turn.question is None:
            turns.append((Said.recorded(turn.text),))
            continue
        question = question_from_json(turn.question)
        if words_instead(question, turn.option, turn.words):
            turns.append((Said.of(turn.words, asked=question.text),))
            continue
        answered = Answered(question, turn.option, turn.words)
        turns.append((answered, Said.of(turn.words)) if turn.words else (answered,))
    notes = [Noted(0, turn.rewritten, turn.captions, turn.looked) for turn in dialogue.turns]
    told = tuple(note if note != Noted(0) else None for note in notes)
    return Heard(dialogue.id, dialogue.target, tuple(turns), told)


def halves(dialogues: Sequence[Heard], seed: int = 0) -> tuple[list[Heard], list[Heard]]:
    """Two halves by chance, no picture in both: constants are fitted on one and read on the other."""
    targets = sorted({each.target for each in dialogues})
    order = np.random.default_rng(seed).permutation(len(targets))
    first = {targets[at] for at in order[: len(targets) // 2]}
    return [each for each in dialogues if each.target in first], [
        each for each in dialogues if each.target not in first
    ]


def replay(
    gallery: Gallery,
    dialogues: Sequence[Heard],
    settings: BeliefSettings | Sequence[BeliefSettings],
    *,
    name: str = "replay",
    told: Told | None = None,
) -> Run:
    """The belief after every turn of every dialogue, as a Run. settings: one for all, or one for each dialogue.

    The list is the whole album, no near-duplicates collapsed; the 90 % set is that of `Belief.credible`.
    """
    each = list(settings) if isinstance(settings, Sequence) else [settings] * len(dialogues)
    length = max(len(dialogue.turns) for dialogue in dialogues)
    shape = (len(dialogues), length)
    places: list[list[tuple[int, int]]] = []
    confidence, fits, absent = (np.zeros(shape) for _ in range(3))
    size, held = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    for row, (dialogue, own) in enumerate(zip(dialogues, each, strict=True)):
        target = gallery.positions[dialogue.target]
        records: list[Record] = []
        places.append([])
        for turn in range(length):
            if turn < len(dialogue.turns):
                records += dialogue.records(turn, start=len(records))
                belief = believe(gallery, records, own)
                credible = belief.credible(0.9)
                places[-1].append(count_ranks(belief.log, target))
                now = (float(belief.p.max()), belief.fits, belief.fits_without(target))
                inside = bool((credible == target).any())
            confidence[row, turn], fits[row, turn], absent[row, turn] = now
            size[row, turn], held[row, turn] = len(credible), inside
        if told is not None:
            told("read", row + 1, len(dialogues))
    ids = [dialogue.id for dialogue in dialogues]
    return Run(
        name=name,
        ranks=Ranks.carried(places, pool=gallery.n, ids=ids, turns=length),
        settings={"protocol": "replay of recorded events", "encoder": gallery.encoder.id, "album": gallery.version},
        texts=tuple(tuple(_text(turn) for turn in dialogue.turns) for dialogue in dialogues),
        targets=tuple(dialogue.target for dialogue in dialogues),
        confidence=confidence,
        set_size=size,
        in_set=held,
        fits=fits,
        fits_absent=absent,
    )


def _text(events: Iterable[Event]) -> str:
    return ", ".join(event.text for event in events if isinstance(event, Said)) or "an answer"


class Remembering:
    """An encoder that keeps the vectors of the texts it has seen: fitting hears the same sentences several times."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.id, self.dim, self.describe = encoder.id, encoder.dim, encoder.describe
        self._seen: dict[str, Floats] = {}

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """As the encoder does, each text once."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._seen]
        self._seen.update(zip(fresh, self._encoder.encode_texts(fresh), strict=True))
        return np.stack([self._seen[text] for text in texts]) if texts else self._encoder.encode_texts(texts)

    def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None) -> Floats:
        """As the encoder does."""
        return self._encoder.encode_pictures(pictures, sights)
