"""Messages and pictures as tokens, positions and arrays. Called by local (Local), for every family alike.

The chat template writes the text, the family says what stands for a picture; what users, captions and models said cannot
write a special token: it is broken up first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Message
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from types import FrameType

    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.local.families import Arrays, Family, Parts, Seen

_PATIENCE = 5.0
"""Seconds for the text of one conversation; templates take a millisecond."""


@dataclass(frozen=True)
class Prompt:
    """A conversation as a model takes it: ids int64 [tokens], positions int64 [tokens] or [3, tokens].

    arrays: of the pictures. per_token: more arrays [tokens] that the family's model wants.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    arrays: Arrays
    per_token: Arrays

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def following(self) -> int:
        """The position of the token after the last; with M-RoPE it is not the number of tokens."""
        return int(self.positions.max()) + 1 if len(self.ids) else 0

    def first(self, tokens: int) -> Prompt:
        """The prompt cut after so many tokens; all pictures must lie in what is kept."""
        kept = {name: values[:tokens] for name, values in self.per_token.items()}
        return Prompt(self.ids[:tokens], self.positions[..., :tokens], self.arrays, kept)


def look(family: Family, parts: Parts, messages: Sequence[Message]) -> Seen | None:
    """The pictures of a conversation, decoded and made into arrays once. Raises ChatError where the model cannot see them."""
    from whichpic.chat.local.families import Seen
    from whichpic.chat.pictures import load_picture

    pictures = [picture for message in messages for picture in message.pictures]
    if not pictures:
        return None
    if family.look is None:
        raise ChatError("unsupported", f"{parts.config.get('model_type')} reads text alone and cannot see pictures")
    if len(pictures) > 1 and not family.several:
        raise ChatError("unsupported", f"{family.name} takes one picture; {len(pictures)} were given")
    if not family.by_message:
        return family.look(parts, [load_picture(picture) for picture in pictures])
    each = [family.look(parts, [load_picture(p) for p in message.pictures]) for message in messages if message.pictures]
    return Seen(tuple(text for seen in each for text in seen.texts), family.join([seen.arrays for seen in each]))


def prompt_of(family: Family, parts: Parts, messages: Sequence[Message], seen: Seen | None) -> Prompt:
    """The tokens of a conversation, ready for the assistant's reply. seen: of `look`. Raises ChatError."""
    import numpy as np

    text = rendered(family, parts, messages)
    if seen is not None:
        pieces = text.split(family.placeholder)
        text = pieces[0] + "".join(sign + piece for sign, piece in zip(seen.texts, pieces[1:], strict=True))
    bos = parts.tokenizer.bos_token
    ids = np.array(
        parts.tokenizer(text, add_special_tokens=not (bos and text.startswith(bos)))["input_ids"], dtype=np.int64
    )
    arrays = {} if seen is None else dict(seen.arrays)
    counted = np.arange(len(ids), dtype=np.int64)
    positions = counted if family.positions is None else family.positions(parts, ids, arrays)
    return Prompt(ids, positions, arrays, {} if family.per_token is None else family.per_token(parts, ids))


def rendered(family: Family, parts: Parts, messages: Sequence[Message]) -> str:
    """The text of a conversation by the chat template, up to where the assistant's reply begins.

    Neighbours of one role become one message, since many templates insist on turns; a system message goes into the
    user's where the template knows none.
    """
    told = _turns(messages)
    wanted = sum(len(turn.pictures) for turn in told)
    problem: object = "there is none"
    # A language model's own template, beside weights that see, prints a list of parts as Python does: the next is tried.
    for template in filter(None, (parts.template, parts.tokenizer.chat_template, family.template)):
        if isinstance(template, dict):
            template = template.get("default") or next(iter(template.values()))
        for turns in (told, _without_system(told)):
            chat = [{"role": turn.role, "content": _content(family, parts, turn)} for turn in turns]
            try:
                with _within(_PATIENCE):
                    text = str(
                        parts.tokenizer.apply_chat_template(
                            chat,
                            chat_template=template,
                            tokenize=False,
                            add_generation_prompt=True,
                            enable_thinking=False,
                        )
                    )
            except ChatError:
                raise
            except Exception as error:  # jinja's errors, and whatever a template raises
                problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
                continue
            if family.look is None or (text.count(family.placeholder) == wanted and "{'type': 'text'" not in text):
                return text
            problem = f"it writes {text.count(family.placeholder)} pictures, and {wanted} were given"
    raise ChatError("unsupported", f"the chat template of these weights cannot write this conversation: {problem}")


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Ends a template that never would: what comes with weights is a program, and its loops may nest.

    By tracing, and not in a thread, which nobody could end. Looked at are the lines of templates, and calls elsewhere.
    """
    until, before = monotonic() + seconds, sys.gettrace()

    def watch(frame: FrameType, event: str, _: object) -> Any:
        if monotonic() > until:
            raise ChatError("unsupported", f"the chat template of these weights does not end within {seconds:g} s")
        return watch if frame.f_code.co_filename == "<template>" else None

    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)


def harmless(parts: Parts, text: str) -> str:
    """A text in which no special token is spelt out: "<image>" becomes "< image>"."""
    special = getattr(parts.tokenizer, "_whichpic_special", None)
    if special is None:
        words = {str(token) for token in parts.tokenizer.get_added_vocab()} | set(parts.tokenizer.all_special_tokens)
        # Gemma has tokens for blank lines and runs of blanks, which mean nothing special.
        told = [word for word in sorted(words, key=len, reverse=True) if len(word) > 1 and word.strip(" \n\r\t\u2581")]
        listed = "|".join(map(re.escape, told))
        special = parts.tokenizer._whichpic_special = re.compile(listed) if listed else re.compile(r"(?!)")
    return str(special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text))


def tokens_of(parts: Parts, text: str) -> list[int]:
    """The tokens of a piece of a reply, without any that mark a beginning or an end."""
    return [int(each) for each in parts.tokenizer(harmless(parts, text), add_special_tokens=False)["input_ids"]]


def _content(family: Family, parts: Parts, turn: Message) -> str | list[dict[str, Any]]:
    text = harmless(parts, turn.text)
    if family.look is None:
        return text
    sign = family.placeholder  # in some layouts no special token
    text = text.replace(sign, f"{sign[0]} {sign[1:]}").replace("{'type'", "{ 'type'")
    return [*({"type": "image"} for _ in turn.pictures), {"type": "text", "text": text}]


def _turns(messages: Sequence[Message]) -> list[Message]:
    if not messages:
        raise ChatError("asked wrongly", "there is no message")
    turns: list[Message] = []
    for message in messages:
        if turns and turns[-1].role == message.role:
            last = turns.pop()
            text = "\n".join(text for text in (last.text, message.text) if text)
            message = Message(message.role, text, (*last.pictures, *message.pictures))
        turns.append(message)
    return turns


def _without_system(turns: Sequence[Message]) -> list[Message]:
    system = "\n".join(turn.text for turn in turns if turn.role == "system")
    rest = [turn for turn in turns if turn.role != "system"]
    if rest and system:
        rest[0] = Message(rest[0].role, f"{system}\n\n{rest[0].text}", rest[0].pictures)
    return _turns(rest)
