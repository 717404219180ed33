"""The asker `pictures`: a vision-language model looks at a few candidates side by side, and asks. Called by asking.

navigationir: five pictures, taken from the best candidates by one of four samplers; the model names what they share and
what tells them apart, and asks one question that can be answered by sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from whichpic.chat.base import Decoding, Message
from whichpic.dialogue.judging import OnFault, answer_tables, ending, remaining, time_left
from whichpic.dialogue.sampling import sample
from whichpic.dialogue.sifting import Answers, Proposal, asked_texts, clean, sift, told
from whichpic.errors import ChatError, WhichpicError
from whichpic.prompts import listed, prompt, quoted

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.chat.base import Chat, PictureLike, Reply
    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.events import Question, Record
    from whichpic.dialogue.refining import Opener
    from whichpic.search.gallery import Gallery

LOOKED_AT = 5
_TRIES = 2
_TILE = 384  # pixels
_GAP = 8


def pictures(
    gallery: Gallery,
    belief: Belief,
    records: Sequence[Record],
    language: str,
    *,
    chat: Chat,
    pictures: Opener | None = None,
    deadline: float | None = None,
    n: int = 3,
    seed: int = 0,
    sampler: str = "cluster",
    judged: int = 12,
    on_fault: OnFault | None = None,
) -> list[Question]:
    """Questions of a model that has looked at five of the best candidates; `Question.pictures` says at which.

    n questions are drawn (temperature .9, top_p .9) about the same five; earlier ones are in the prompt. Then the model
    answers up to three of them on the best `judged` candidates (0: on none). A chat that takes one picture at a time sees
    them on one sheet, numbered (`note` says so). deadline is for all of it, in seconds. on_fault is told of faults that
    cost no question. Raises ChatError, also where the chat cannot see, where there are no pictures, and where no question
    is left ("empty"); and ChatPending.
    """
    ends = ending(deadline)
    if not chat.can_see:
        raise ChatError(
            "unsupported", f"{chat.describe} cannot see pictures; use --asker captions, or a model that can"
        )
    if pictures is None:
        raise ChatError("unsupported", "this album has no pictures to look at; use --asker captions")
    names, seen = _sampled(gallery, belief, pictures, sampler, seed=1000 * seed + len(records))
    several = chat.can_see_several
    looked_at = tuple(seen) if several else (contact_sheet(seen),)
    earlier = asked_texts(records)
    kept: Sequence[Question] = ()
    for attempt in range(_TRIES):
        filled = prompt("ask-pictures" if several else "ask-sheet", language, k=str(len(seen)),
                        said=listed(told(records)), asked=listed(earlier))  # fmt: skip
        messages = [Message("system", filled.system), Message("user", filled.user, looked_at)]
        drawn = [reply.value for reply in _drawn(chat, messages, n, seed + attempt, ends)]
        proposals = [_with_options(chat, each, looked_at, language, ends, on_fault) for each in drawn]
        sifted = sift(proposals, records, asker="pictures", pictures=names)
        kept = sifted.kept
        if kept:
            break
        earlier += [text for text, _ in sifted.dropped]
    if not kept:
        raise ChatError("empty", "the model proposed no question that is new and can be answered")
    if not judged:
        return list(kept)
    return answer_tables(
        gallery, belief, kept, chat, pictures=pictures, language=language, candidates=judged, deadline=remaining(ends),
        on_fault=on_fault,
    )  # fmt: skip


def note(chat: Chat) -> str:
    """What people should know of how this chat looks at several pictures; "" where there is nothing to say."""
    if not chat.can_see or chat.can_see_several:
        return ""
    return f"{chat.describe} sees one picture at a time: candidates are put before it on one numbered sheet"


def contact_sheet(seen: Sequence[PictureLike]) -> Image:
    """The pictures in rows of three on one RGB picture, each with its number at the top left."""
    from PIL import Image as Images
    from PIL import ImageDraw, ImageFont, ImageOps

    from whichpic.chat.pictures import load_picture

    across = min(3, len(seen))
    down = -(-len(seen) // across)
    step = _TILE + _GAP
    sheet = Images.new("RGB", (across * step + _GAP, down * step + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(36)
    for k, each in enumerate(seen):
        tile = ImageOps.contain(load_picture(each), (_TILE, _TILE))
        left, top = _GAP + (k % across) * step, _GAP + (k // across) * step
        sheet.paste(tile, (left, top))
        pen.rectangle((left, top, left + 44, top + 44), fill="white")
        pen.text((left + 22, top + 22), str(k + 1), fill="black", font=font, anchor="mm")
    return sheet


def _sampled(
    gallery: Gallery, belief: Belief, opened: Opener, sampler: str, *, seed: int
) -> tuple[tuple[str, ...], list[PictureLike]]:
    """Ids of the pictures to look at, one of each near-duplicate group, and the pictures themselves."""
    rows = belief.best(100)
    # Pictures that nothing has encoded are clustered by what their captions say, or else taken in their order.
    vectors = gallery.vectors(rows) if gallery.indexed.any() else gallery.told_vectors(rows)
    has = np.linalg.norm(vectors, axis=1) > 0.5
    if has.any():
        rows, vectors = rows[has], vectors[has]
    else:
        sampler = "top" if sampler == "cluster" else sampler
    _, firsts = np.unique(gallery.groups[rows], return_index=True)
    rows, vectors = rows[np.sort(firsts)], vectors[np.sort(firsts)]
    found = rows[sample(sampler, vectors, LOOKED_AT, seed=seed)] if len(rows) else rows
    names, seen = [], []
    for position in found.tolist():
        try:
            seen.append(opened(gallery.ids[position]))
        except (WhichpicError, OSError):
            continue  # a file that has gone since the album was indexed
        names.append(gallery.ids[position])
    if len(seen) < 2:
        raise ChatError("unsupported", "fewer than two candidates can be looked at; use --asker captions")
    return tuple(names), seen


def _drawn(chat: Chat, messages: Sequence[Message], n: int, seed: int, ends: float | None) -> list[Reply]:
    """n replies, or one without chance where a drawn one was not as asked for."""
    drawn = (
        Decoding(temperature=0.9, top_p=0.9, seed=seed, max_tokens=400)
        if n > 1
        else Decoding(seed=seed, max_tokens=400)
    )
    try:
        return chat.complete(messages, schema=Proposal, n=n, decoding=drawn, deadline=time_left(ends))
    except ChatError as error:
        if n == 1 or error.reason not in ("schema", "not json"):
            raise
    return chat.complete(messages, schema=Proposal, decoding=Decoding(max_tokens=400), deadline=time_left(ends))


def _with_options(
    chat: Chat,
    proposal: Proposal,
    looked_at: tuple[PictureLike, ...],
    language: str,
    ends: float | None,
    on_fault: OnFault | None,
) -> Proposal:
    """The proposal, with answers that the model is asked for where it gave none: one that was trained to ask gives none."""
    if proposal.options or not clean(proposal.question):
        return proposal
    filled = prompt("ask-options", language, question=quoted(clean(proposal.question)))
    messages = [Message("system", filled.system), Message("user", filled.user, looked_at)]
    try:
        reply = chat.complete(messages, schema=Answers, decoding=Decoding(max_tokens=300), deadline=time_left(ends))[0]
    except ChatError as error:
        if on_fault is not None:
            on_fault(error)
        return proposal
    return proposal.model_copy(update={"options": reply.value.options})
