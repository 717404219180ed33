"""A vision-language model for drawn pictures that needs no weights: it knows every scene again, and answers from its facts.

`drawn(folder)` draws and indexes an album; `Seer(folder).chat()` is a Chat that looks at its pictures, however they were
scaled or coded on their way, and follows whichpic's own prompts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whichpic.api import Album
from whichpic.chat.base import Message
from whichpic.chat.pictures import load_picture
from whichpic.chat.scripted import Scripted
from whichpic.simulate.scenes import Scene, scene, write_album

if TYPE_CHECKING:
    from whichpic.chat.base import PictureLike

_SIDE = 24


def drawn(folder: Path, n: int = 24, *, side: int = 96) -> Path:
    """An album of n drawn scenes, indexed with the toy encoder."""
    write_album(folder, n, side=side)
    with Album.open(folder, encoder="toy") as album:
        album.index()
    return folder


class Seer:
    """The scenes of a drawn album, known by how their pictures look."""

    def __init__(self, folder: Path) -> None:
        self.scenes: list[Scene] = []
        looks = []
        for line in (folder / "pictures.jsonl").read_text(encoding="utf-8").splitlines():
            file = folder / json.loads(line)["file"]
            self.scenes.append(scene(0, int(file.stem.rpartition("-")[2])))
            looks.append(_look(file))
        self._looks = np.stack(looks)

    def chat(self) -> Scripted:
        """A Chat that says what is true of the pictures it is shown."""
        return Scripted(self.reply, name="seer")

    def seen(self, picture: PictureLike) -> Scene:
        """The scene that a picture shows."""
        return self.scenes[int(((self._looks - _look(picture)) ** 2).sum(axis=1).argmin())]

    def reply(self, messages: Sequence[Message]) -> str:
        """What is said to whichpic's prompts: a question about several pictures, an answer about one, a caption, a sentence."""
        last = messages[-1].text
        shown = [self.seen(picture) for message in messages for picture in message.pictures]
        if "candidates" in last and len(shown) > 1:
            return self._question(shown, last)
        if shown and "The question:" in last:
            return self._answer(shown[0], last.partition("The question:")[2])
        if shown:
            main = shown[0].items[0]
            return f"a {main.colour} {main.thing} in the {shown[0].place}"
        quoted = re.findall(r'"([^"]*)"', last)
        return ", ".join(text.rstrip(".") for text in quoted) or "nothing"

    def _question(self, shown: Sequence[Scene], asked: str) -> str:
        """The first of four questions that was not asked yet and that tells these scenes apart."""
        for text, about, truth in _ABOUT:
            values = list(dict.fromkeys(truth(each) for each in shown))
            if text not in asked and len(values) > 1:
                options = [{"answer": value, "says": about.format(value)} for value in values[:4]]
                return json.dumps({"shared": "a scene", "differs": text, "question": text, "options": options})
        return "I have nothing more to ask."

    def _answer(self, shown: Scene, asked: str) -> str:
        truth: str = next((truth(shown) for text, _, truth in _ABOUT if text in asked), "")
        for letter, text in re.findall(r'^([A-Z])\. "(.*)"$', asked, re.MULTILINE):
            if text == truth:
                return str(letter)
        return truth or "not sure"


_ABOUT: tuple[tuple[str, str, Callable[[Scene], str]], ...] = (
    ("What is the biggest thing?", "a picture of a {}", lambda each: each.items[0].thing),
    ("Where is it?", "a picture in the {}", lambda each: each.place),
    ("Which hue does the biggest thing have?", "something {}", lambda each: each.items[0].colour),
    ("How bright is it outside?", "a picture by {}", lambda each: each.light),
)
"""A question, what its answer says of a picture, and the truth."""


def _look(picture: PictureLike) -> np.ndarray:
    small = load_picture(picture).resize((_SIDE, _SIDE))
    return np.asarray(small, dtype=np.float64).reshape(-1)
