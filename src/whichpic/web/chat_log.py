"""A talk about pictures as data: the pictures, what was asked, what each model answered. Called by pages/chat and api_ask.

Nothing of it is kept on disk: it lasts as long as its page, and its user may save it as JSON or Markdown.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from whichpic.chat.base import Decoding, Message
from whichpic.errors import ChatError, DecodeError, WhichpicError
from whichpic.web.chats import Done, Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from whichpic.web.shelf import Shelved

MOST_PICTURES = 8
MOST_TURNS = 40
LONGEST_QUESTION = 8_000
LONGEST_SYSTEM = 8_000
LONGEST_ANSWER = 200_000
SIDE = 1600
"""Pixels of the longer side that a model is shown at most."""
_MARK = "<image>"


class DecodingView(BaseModel):
    """How a reply is drawn. temperature 0 is greedy; beams above 1 is beam search, for weights in the server's process.

    seed: the same draws every time; null draws anew. top_k 0: all tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=1_000)] = 0
    repetition_penalty: Annotated[float, Field(ge=0.5, le=3, allow_inf_nan=False)] = 1.0
    max_tokens: Annotated[int, Field(ge=1, le=4_096)] = 512
    beams: Annotated[int, Field(ge=1, le=8)] = 1
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None

    @property
    def decoding(self) -> Decoding:
        """As a Chat takes it."""
        return Decoding(**self.model_dump())


@dataclass(frozen=True)
class Given:
    """A picture that is talked about. `src`: an address of ours or a data URL, for <img>; `open` reads it, in a thread."""

    key: str
    name: str
    alt: str
    src: str
    open: Callable[[], Image | bytes] = field(repr=False, compare=False)


def from_album(shelved: Shelved, picture: str) -> Given:
    """A picture of an album. Raises ChatError, AlbumError."""
    from whichpic.web.views import picture_view

    gallery = shelved.gallery
    if shelved.captions_only:
        raise ChatError("asked wrongly", f"{shelved.title} has captions only: there are no pictures to look at")
    if picture not in gallery.positions:
        raise ChatError("asked wrongly", f"{shelved.title} has no picture {picture[:80]}")
    view = picture_view(gallery, gallery.pictures[gallery.positions[picture]])
    src = f"/api/v1/albums/{shelved.name}/pictures/{picture}/thumbnail?side=320"
    store = shelved.album.store
    return Given(f"{shelved.name}/{picture}", view.name, view.alt, src, partial(_opened, store, picture))


def from_bytes(data: bytes, name: str) -> Given:
    """A picture that was handed in: made small and held in memory. Raises DecodeError, at once where it is too large."""
    from whichpic.web.api_uploads import picture_of

    image = picture_of(data, SIDE)
    held = _jpeg(image, 92)
    small = image.copy()
    small.thumbnail((320, 320))
    src = f"data:image/jpeg;base64,{base64.b64encode(_jpeg(small, 80)).decode('ascii')}"
    label = " ".join(name.split())[:120]
    return Given(f"upload/{id(held):x}", label, label, src, lambda: held)


def from_text(text: str, name: str) -> Given:
    """A picture that was handed in as base64 or as a data URL of it; never a path or an address. Raises DecodeError."""
    head, comma, body = text.partition(",")
    if head[:5].lower() == "data:" and not (comma and head.lower().endswith(";base64")):
        raise DecodeError("a data URL must hold base64 (data:image/jpeg;base64,...)")
    try:
        data = base64.b64decode("".join((body if head[:5].lower() == "data:" else text).split()), validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("expected base64 of a picture's file, or a data URL of it") from None
    return from_bytes(data, name)


@dataclass
class Answer:
    """What one model says to one question. finish: "", stop, length, stopped or failed; `detail` says why it failed."""

    model: str
    name: str
    text: str = ""
    finish: str = ""
    detail: str = ""
    again: bool = True
    seconds: float = 0.0
    tokens: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.finish)

    def end(self, part: Done | Failed) -> None:
        """Take the last part of a stream."""
        self.seconds, self.text = part.seconds, self.text.strip()
        if isinstance(part, Failed):
            self.finish, self.detail, self.again = "failed", part.detail, part.again
        else:
            self.finish, self.tokens = part.finish, part.tokens


@dataclass
class Turn:
    """One question, and an answer of each model that was asked. better: the position of the one that was voted for."""

    question: str
    answers: list[Answer]
    better: int | None = None
    blind: bool = False


@dataclass
class Conversation:
    """Pictures and turns. Each model goes on from what it said itself, as far as it said something."""

    pictures: list[Given] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    system: str = ""

    def add(self, picture: Given) -> None:
        """One more picture; one that is there stays as it is. Raises ChatError where there are enough."""
        if any(each.key == picture.key for each in self.pictures):
            return
        if len(self.pictures) >= MOST_PICTURES:
            raise ChatError("asked wrongly", f"{MOST_PICTURES} pictures are the most; take one out first")
        self.pictures.append(picture)

    def ask(self, question: str, models: Sequence[tuple[str, str]], *, blind: bool = False) -> Turn:
        """Begin a turn; models: the (id, name) of those that are asked. Raises ChatError."""
        turn = Turn(fitting(question), [Answer(id, name) for id, name in models], blind=blind)
        if len(self.turns) >= MOST_TURNS:
            raise ChatError("asked wrongly", f"{MOST_TURNS} questions are the most of one talk; clear it to begin anew")
        self.turns.append(turn)
        return turn

    def messages(self, turn: Turn, answer: Answer) -> list[Message]:
        """What the model of an answer is sent: reads the pictures, so in a thread. Raises ChatError."""
        texts: list[tuple[Literal["user", "assistant"], str]] = []
        for earlier in self.turns:
            if earlier is turn:
                break
            own = next((each for each in earlier.answers if each.model == answer.model and each.text), None)
            said = own or next((each for each in earlier.answers if each.text), None)
            if said is not None:
                texts += [("user", earlier.question), ("assistant", said.text)]
        texts.append(("user", turn.question))
        return messages_of(self.pictures, texts, self.system)

    def as_json(self) -> str:
        """The talk in the layout that LLaVA and MiniCPM-V are trained with, one row for each model."""
        models = dict.fromkeys((each.model, each.name) for turn in self.turns for each in turn.answers)
        rows = [self._row(number, id, name) for number, (id, name) in enumerate(models)]
        return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"

    def as_markdown(self) -> str:
        """The talk for people."""
        lines = [f"- {_line(each.name)}" for each in self.pictures]
        lines += ["", f"> {_line(self.system)}"] if self.system else []
        for turn in self.turns:
            lines += ["", f"**{_line(turn.question)}**"]
            for number, answer in enumerate(turn.answers):
                voted = " (+)" if turn.better == number and len(turn.answers) > 1 else ""
                lines += ["", f"*{_line(answer.name)}*{voted}:", "", answer.text or f"({_line(answer.detail)})"]
        return "\n".join(lines).strip() + "\n"

    def _row(self, number: int, model: str, name: str) -> dict[str, Any]:
        said: list[dict[str, str]] = []
        votes: list[bool | None] = []
        marks = _MARK if len(self.pictures) == 1 else "".join(f"<image_{k:02}>" for k in range(len(self.pictures)))
        for turn in self.turns:
            answer = next((each for each in turn.answers if each.model == model and each.text), None)
            if answer is None:
                continue
            # A mark inside a text would stand for a picture that there is not.
            question = turn.question.replace("<image", "< image")
            said += [
                {"role": "user", "content": question if said or not marks else f"{marks}\n{question}"},
                {"role": "assistant", "content": answer.text.replace("<image", "< image")},
            ]
            votes.append(None if turn.better is None else turn.answers[turn.better] is answer)
        names = [each.name for each in self.pictures]
        image: Any = names[0] if len(names) == 1 else {f"<image_{k:02}>": each for k, each in enumerate(names)}
        row: dict[str, Any] = {"id": f"{number:04}", "image": image, "conversations": said, "model": name}
        if self.system:
            row["system"] = self.system
        return {**row, "better": votes} if any(vote is not None for vote in votes) else row


def fitting(question: str) -> str:
    """A question as it is asked. Raises ChatError where there is none, or too much of it."""
    question = question.strip()
    if not question:
        raise ChatError("asked wrongly", "there is no question")
    if len(question) > LONGEST_QUESTION:
        raise ChatError("asked wrongly", f"{len(question):,} characters; a question has up to {LONGEST_QUESTION:,}")
    return question


def messages_of(
    pictures: Sequence[Given], texts: Sequence[tuple[Literal["user", "assistant"], str]], system: str = ""
) -> list[Message]:
    """Messages whose first one of the user has the pictures. Raises ChatError where one can no longer be read."""
    seen: list[Any] = []
    for each in pictures:
        try:
            seen.append(each.open())
        except WhichpicError as error:
            line = " ".join(str(error).split())
            raise ChatError("asked wrongly", f"the picture {each.name} cannot be read: {line}") from None
    found = [Message("system", system)] if system.strip() else []
    for number, (role, text) in enumerate(texts):
        found.append(Message(role, text, () if number else tuple(seen)))
    return found


def _opened(store: Any, picture: str) -> Image:
    image: Image = store.image(picture, side=SIDE)
    return image


def _jpeg(image: Image, quality: int) -> bytes:
    image.info = {}  # Pillow writes the comment of the file that a picture came from into the next one
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def _line(text: str) -> str:
    return " ".join(text.split())
