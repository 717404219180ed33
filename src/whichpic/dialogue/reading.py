"""The asker `captions`: a language model reads a few captions that stand for the candidates, and asks. Called by asking.

PlugIR (Lee et al., ACL 2024): the best candidates are clustered, each cluster is represented by the caption that says most
about which candidate it belongs to, and the model asks what would tell them apart. Nothing has to be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from whichpic.chat.base import Decoding, Message
from whichpic.dialogue.judging import OnFault, answer_tables, ending, in_words, remaining, time_left, unsettled
from whichpic.dialogue.sampling import clusters
from whichpic.dialogue.sifting import Proposals, asked_texts, sift, told
from whichpic.errors import ChatError
from whichpic.prompts import listed, prompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.chat.base import Chat
    from whichpic.dialogue.belief import Belief
    from whichpic.dialogue.events import Question, Record
    from whichpic.dialogue.refining import Opener
    from whichpic.search.gallery import Gallery
    from whichpic.types import Floats, Rows

CLUSTERS = 10
_SHARE, _FEWEST, _MOST = 0.01, 50, 500
"""Candidates: one in a hundred pictures of the pool, within limits (PlugIR: 500 of 50,000, 200 of 5,000)."""
_ENOUGH = 0.4
"""Share of the deadline that has to be left for asking the model whether what was said answers its questions."""
_TRIES = 2


def captions(
    gallery: Gallery,
    belief: Belief,
    records: Sequence[Record],
    language: str,
    *,
    chat: Chat,
    pictures: Opener | None = None,
    deadline: float | None = None,
    n: int = 5,
    seed: int = 0,
    judged: int = 12,
    check: bool = True,
    on_fault: OnFault | None = None,
) -> list[Question]:
    """Questions of a model that has read one caption of each cluster of the best candidates; facts in words where none is.

    n questions are proposed in one reply, sifted, and (check) those dropped that what was said answers. Where `pictures`
    opens pictures and the chat sees, it answers up to three of them on the best `judged` candidates beforehand. deadline is
    for all of it, in seconds. on_fault is told of faults that cost no question. Raises ChatError, also where no question is
    left ("empty"), and ChatPending.
    """
    ends = ending(deadline)
    texts = read(gallery, belief, language)
    earlier = asked_texts(records)
    kept: Sequence[Question] = ()
    for attempt in range(_TRIES):
        filled = prompt("ask-captions", language, n=str(n), said=listed(told(records)),
                        captions=listed(texts, longest=300), asked=listed(earlier))  # fmt: skip
        decoding = Decoding(temperature=0.5, seed=seed + attempt, max_tokens=160 * n)
        messages = [Message("system", filled.system), Message("user", filled.user)]
        reply = chat.complete(messages, schema=Proposals, decoding=decoding, deadline=time_left(ends))[0]
        sifted = sift(reply.value.questions[: 2 * n], records, asker="captions", examples=filled.user, grounds=texts)
        kept = sifted.kept
        left = remaining(ends)
        if check and kept and (left is None or deadline is None or left > _ENOUGH * deadline):
            kept = unsettled(kept, records, chat, language=language, deadline=left, on_fault=on_fault)
        if kept:
            break
        earlier += [text for text, _ in sifted.dropped]
    if not kept:
        raise ChatError("empty", "the model proposed no question that is new and can be answered")
    if not judged or pictures is None or not chat.can_see:
        return list(kept)
    return answer_tables(
        gallery, belief, kept, chat, pictures=pictures, language=language, candidates=judged, deadline=remaining(ends),
        on_fault=on_fault,
    )  # fmt: skip


def read(gallery: Gallery, belief: Belief, language: str = "en") -> list[str]:
    """The captions that stand for the best candidates, one per cluster, those of the best candidates first.

    Raises ChatError("empty") where fewer than two candidates have captions or facts.
    """
    pool = int(belief.mask.sum())
    rows = belief.best(int(np.clip(round(_SHARE * pool), _FEWEST, _MOST)))
    words = {row: in_words(gallery, gallery.ids[row], language) for row in rows.tolist()}
    by_sight = bool(gallery.indexed.any())
    rows = np.array([row for row in rows.tolist() if words[row]], dtype=np.int64)
    vectors = gallery.vectors(rows) if by_sight else gallery.told_vectors(rows)
    has = np.linalg.norm(vectors, axis=1) > 0.5
    rows, vectors = rows[has], vectors[has]
    if len(rows) < 2:
        raise ChatError(
            "empty", "too few candidates have captions or facts to ask about; whichpic describe makes captions"
        )
    found = representatives(vectors, _spoken(gallery, rows, [words[row] for row in rows.tolist()]), CLUSTERS)
    return [words[row] for row in rows[found].tolist()]


def representatives(vectors: Floats, texts: Floats, m: int) -> Rows:
    """Positions of the members that stand for m clusters of candidates, in the order of the candidates.

    vectors: unit vectors of the candidates, [k, dim]; they are clustered. texts: unit vectors of their captions. In each
    cluster the member whose caption is least ambiguous: the lowest `entropy` over all candidates.
    """
    members, _ = clusters(vectors, m)
    unsure = entropy(texts @ vectors.T)
    found = [int(rows[np.argmin(unsure[rows])]) for c in range(m) if len(rows := np.flatnonzero(members == c))]
    return np.array(sorted(found), dtype=np.int64)


def entropy(similarities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Entropy of the softmax of every row, in nats, float64 [rows]: how little a caption says about which picture it is of."""
    raised = np.exp(similarities.astype(np.float64) - similarities.max(axis=1, keepdims=True))
    p = raised / raised.sum(axis=1, keepdims=True)
    found: NDArray[np.float64] = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)
    return found


def _spoken(gallery: Gallery, rows: Rows, words: Sequence[str]) -> Floats:
    """Unit vectors of what is said of the candidates: those of the album, and encoded where it has none."""
    vectors = gallery.told_vectors(rows).copy()
    missing = np.flatnonzero(np.linalg.norm(vectors, axis=1) < 0.5)
    if len(missing):
        vectors[missing] = gallery.encoder.encode_texts([words[k] for k in missing.tolist()])
    return vectors
