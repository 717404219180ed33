"""`whichpic demo`: a sample album of real photographs, indexed, and a conversation in it. `make demo` calls it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whichpic.cli.index import EncoderOption
from whichpic.cli.output import note, quoted
from whichpic.errors import ModelError

if TYPE_CHECKING:
    from whichpic.api import Album
    from whichpic.cli.talk import Conversation
    from whichpic.dialogue import Question

TARGET = "coco/000000029984.jpg"
"""A beach: a green parasol and two folding chairs on the sand, people bathing behind. Described here by looking at it."""
OPENING = "a summer day by the water"
IN_IT = {"person", "umbrella", "chair", "sea", "beach", "water", "furniture"}
NOT_IN_IT = {
    "animal", "dog", "cat", "bird", "horse", "vehicle", "car", "truck", "bus", "train", "motorcycle", "airplane",
    "building", "house", "tower", "food", "fruit", "flower", "tree", "table", "bed", "sofa", "computer", "clothing",
    "art", "bicycle", "television", "book", "bottle", "cup", "tie", "hat", "sculpture", "electronics",
    "sports equipment", "surfboard", "kite", "mountain",
}  # fmt: skip
ANSWERS = {"people": "several", "place": "outdoors", "scene": "beach", "light": "day"}
WORDS = {
    "else": "a green parasol",
    "around": "two folding chairs",
    "background": "people in the waves",
    "detail": "a sandy beach",
}
"""Replies to questions that invite a few words."""
MOST_QUESTIONS = 6


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the sample album goes.")] = Path("sample-album"),
    encoder: EncoderOption = "names",
    typed: Annotated[
        bool | None, typer.Option("--typed/--recorded", help="Who talks: you, or a recorded user.")
    ] = None,
) -> None:
    """Fetch a sample album of real photographs, index it, and find one of them by talking.

    Example: whichpic demo sample-album --recorded
    """
    from whichpic import models
    from whichpic.cli.open import ensure_indexed, ensure_seer, fetching, open_album
    from whichpic.cli.output import progress
    from whichpic.cli.talk import Conversation

    typed = sys.stdin.isatty() and sys.stdout.isatty() if typed is None else typed
    note("1. a sample album of real photographs")
    with fetching() as fetched:
        album = models.get_sample_album(folder, on_progress=fetched)
    note("2. the models that look at them")
    with open_album(album, encoder=encoder) as opened:
        ensure_seer(opened)
        note("3. the index")
        with progress() as show:
            report = opened.index(on_progress=show)
        note(
            f"   {len(opened.store.pictures())} pictures, {report.encoded} of them looked at now, {report.seconds:.0f} s"
        )
        ensure_indexed(opened)
        conversation = Conversation(opened, opened.session(keep=typed, asker="facts,pick" if typed else "facts"), k=6)
        if typed:
            note(f"4. your turn. Think of one of the photographs in {album}/coco, and describe it\n")
            conversation.run()
        elif not any(TARGET in picture.paths for picture in opened.gallery.pictures):
            raise ModelError(
                f"{TARGET}, which the recorded user looks for, could not be fetched; see {album}/SOURCES.md"
            )
        else:
            note(f"4. a recorded user looks for {TARGET}\n")
            recorded(opened, conversation)
    print(f"\nnow with your own pictures:\n    {_program()} index ~/Pictures\n    {_program()} talk ~/Pictures")
    print(f"\nthe same in the browser:\n    {_program()} serve {quoted(album)}")


def recorded(album: Album, conversation: Conversation) -> None:
    """Plays a user who knows the target by heart, answers what is asked, and picks it once it is on the screen."""
    conversation.run([OPENING], lines=_user(album, conversation))
    begin = rank_of(album, conversation, turn=0)
    end = rank_of(album, conversation)
    total = album.gallery.n
    print(f"\nthe picture was at rank {begin} of {total} after the first sentence, and at rank {end} after the answers")


def _user(album: Album, conversation: Conversation) -> Iterator[str]:
    for _ in range(MOST_QUESTIONS):
        question = conversation.session.question
        if question is None or _on_screen(album, conversation):
            break
        yield answer(question, album)
    rank = _on_screen(album, conversation)
    if rank:
        yield f"/why {rank}"
        yield f"/this {rank}"


def _on_screen(album: Album, conversation: Conversation) -> int:
    """The target's place in the list that is shown, 0 where it is not there."""
    shown = conversation.session.results(conversation.k)
    return next((each.rank for each in shown if TARGET in each.picture.paths), 0)


def answer(question: Question, album: Album) -> str:
    """What the recorded user says to a question: only what can be seen in the target, else "?"."""
    values = [option.value for option in question.options]
    if question.source == "pick":
        return _pick(question, album)
    if question.attribute in WORDS:
        return WORDS[question.attribute]
    if question.attribute == "thing" and question.about in IN_IT | NOT_IN_IT:
        return "yes" if question.about in IN_IT else "no"
    wanted = ANSWERS.get(question.attribute, "")
    return question.options[values.index(wanted)].text if wanted in values else "?"


def _pick(question: Question, album: Album) -> str:
    shown = [option.value for option in question.options]
    target = next((p.id for p in album.gallery.pictures if TARGET in p.paths), "")
    return str(shown.index(target) + 1) if target in shown else "?"


def rank_of(album: Album, conversation: Conversation, *, turn: int | None = None) -> int:
    """The target's rank (1 is best) now, or after the first `turn` + 1 events."""
    from whichpic.dialogue import believe
    from whichpic.dialogue.events import effective

    session = conversation.session
    records = effective(session.records)
    belief = session.belief if turn is None else believe(session.gallery, records[: turn + 1], session.settings)
    position = next((k for k, picture in enumerate(session.gallery.pictures) if TARGET in picture.paths), None)
    return 0 if position is None else int((belief.log > belief.log[position]).sum()) + 1


def _program() -> str:
    """How this very program is called from the current folder."""
    program = Path(sys.argv[0])
    try:
        return str(program.relative_to(Path.cwd())) if program.is_absolute() else str(program)
    except ValueError:
        return "whichpic"
