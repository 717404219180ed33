"""`whichpic ask`: a question about pictures to any model, and a small chat about them."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whichpic.cli.chat import AdapterOption, AllowCodeOption, ChatCacheOption, ChatOption, PrecisionOption, opened_chat
from whichpic.cli.output import as_json, note, printable
from whichpic.errors import ChatError, QueryError

if TYPE_CHECKING:
    from whichpic.chat.base import Chat, Decoding, Message, Reply

_SERVERS = ("http", "https", "openai", "dashscope", "vllm", "ollama", "llamacpp")
_LONGEST = 200_000  # characters of one answer
_HELP = "/again  answer once more   /picture FILE  another picture   /system TEXT  how to answer   /clear  begin anew   /quit"


def ask(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[PICTURE]... [QUESTION]", help="Pictures, then the question; without one: a chat."),
    ],
    chat: ChatOption = "",
    system: Annotated[str | None, typer.Option(help="How to answer: a system message.")] = None,
    history: Annotated[
        Path | None, typer.Option(help="A JSON file with earlier turns; the new ones are added to it.")
    ] = None,
    beams: Annotated[int, typer.Option(min=1, max=16, help="Beam search (models in this process).")] = 1,
    temperature: Annotated[float, typer.Option(min=0.0, max=5.0, help="0: always the likeliest word.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Draw from so much of the probability.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from so many words; 0: all.")] = 0,
    repetition_penalty: Annotated[float, typer.Option(min=0.1, max=5.0, help="Above 1: fewer repetitions.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Length of an answer, at most.")] = 512,
    seed: Annotated[int | None, typer.Option(help="Draws are the same for the same seed, where the model can.")] = None,
    deadline: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds for one answer; else 120, without limit in this process.")
    ] = None,
    chat_cache: ChatCacheOption = None,
    precision: PrecisionOption = "auto",
    adapter: AdapterOption = None,
    allow_code: AllowCodeOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Ask a model about pictures; without a question, talk with it.

    Example: whichpic ask photo.jpg "What is it?" --chat ollama:qwen2.5vl

    Several pictures: whichpic ask a.jpg b.jpg "What differs?" --chat vllm:

    --beams or --temperature choose how the answer is drawn. In a chat, type /again, /picture FILE or /quit.
    """
    from whichpic.chat.base import Decoding

    pictures, question = _parted(words)
    model = open_model(chat, cache=chat_cache, precision=precision, adapter=adapter, allow_code=allow_code)
    seed = 0 if seed is None and not temperature else seed
    decoding = Decoding(temperature=temperature, top_p=top_p, top_k=top_k, max_tokens=max_tokens, beams=beams,
                        repetition_penalty=repetition_penalty, seed=seed)  # fmt: skip
    talk = _Talk(model, decoding, deadline, pictures, system if system is not None else _system(question), json)
    if history is not None:
        talk.turns = _earlier(history)
    if question:
        talk.say(question)
        _keep(history, talk.turns)
    elif json:
        raise QueryError('--json answers one question: whichpic ask photo.jpg "What is this?" --json')
    else:
        _interactive(talk, history)


def open_model(name: str, *, workers: int = 0, **options: Any) -> Chat:
    """The Chat of --chat, with the options of `opened_chat`; there has to be one. Raises QueryError where there is none.

    workers: requests that a server gets at the same time; 0: its usual number.
    """
    if workers and name.partition(":")[0].lower() in _SERVERS:
        options["concurrency"] = workers
    chat = opened_chat(name, **options)
    if chat is None:
        raise QueryError(
            "no model to ask: give --chat ollama:qwen2.5vl, --chat http://localhost:8000/v1, --chat FOLDER of weights,"
            " or set WHICHPIC_CHAT"
        )
    return chat


def _parted(words: Sequence[str]) -> tuple[list[Path], str]:
    """The pictures and the question: what is no file can only be the last word, the question."""
    pictures, question = [], ""
    for number, word in enumerate(words, 1):
        path = Path(word).expanduser() if word.startswith("~") else Path(word)
        if _is_file(path):
            pictures.append(path)
        elif number == len(words) and not _like_a_file(word):
            question = word.strip()
        else:
            raise QueryError(
                f"{printable(word)} is not a file; give pictures, and the question last, in quotation marks"
            )
    return pictures, question


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a question may be longer than any name
        return False


def _like_a_file(word: str) -> bool:
    from whichpic.album.decode import EXTENSIONS

    return " " not in word and Path(word).suffix.lower() in EXTENSIONS


def _system(question: str) -> str:
    from whichpic.prompts import prompt

    chinese = any("\u4e00" <= character <= "\u9fff" for character in question)
    return prompt("ask-system", "zh" if chinese else "en", question="").system


@dataclass
class _Talk:
    """A conversation about pictures: what was said so far, and how it goes on."""

    chat: Chat
    decoding: Decoding
    deadline: float | None
    pictures: list[Path]
    system: str
    json: bool = False
    turns: list[dict[str, str]] = field(default_factory=list)

    def messages(self) -> list[Message]:
        """All that was said, the pictures with the first question."""
        from whichpic.chat.base import Message

        found = [Message("system", self.system)] if self.system else []
        for number, turn in enumerate(self.turns):
            role: Any = turn["role"]
            found.append(Message(role, turn["content"], tuple(self.pictures) if number == 0 else ()))
        return found

    def say(self, text: str) -> None:
        """Ask, print the answer, and keep both; where no answer comes, nothing is kept."""
        self.turns.append({"role": "user", "content": text})
        try:
            answer = self._answer()
        except BaseException:
            self.turns.pop()
            raise
        self.turns.append({"role": "assistant", "content": answer})

    def again(self) -> None:
        """The last question once more, drawn anew."""
        if len(self.turns) < 2:
            raise QueryError("there is no answer yet to give again")
        question = self.turns[-2]["content"]
        before, self.turns = self.turns, self.turns[:-2]
        kept = self.decoding
        # What is likeliest stays likeliest: another answer has to be drawn.
        self.decoding = replace(kept, temperature=kept.temperature or 0.7, seed=None, beams=1)
        try:
            self.say(question)
        except BaseException:
            self.turns = before
            raise
        finally:
            self.decoding = kept

    def _answer(self) -> str:
        if self.json or self.decoding.beams > 1:
            (reply,) = self.chat.complete(self.messages(), decoding=self.decoding, deadline=self.deadline)
            if self.json:
                _as_json(reply, self.chat)
            else:
                print(shown(reply.text[:_LONGEST]))
            return reply.text[:_LONGEST]
        return _streamed(self.chat.stream(self.messages(), decoding=self.decoding, deadline=self.deadline))


def _streamed(pieces: Iterator[str]) -> str:
    """Print an answer while it comes; the whole of it."""
    whole = ""
    try:
        for piece in pieces:
            whole += piece
            sys.stdout.write(shown(piece))
            sys.stdout.flush()
            if len(whole) > _LONGEST:
                note(f"\nthe answer was cut at {_LONGEST} characters")
                break
    finally:
        if close := getattr(pieces, "close", None):
            close()
        if whole and not whole.endswith("\n"):
            print(flush=True)
    if not whole.strip():
        raise ChatError("empty", "the model said nothing")
    return whole


def shown(text: str) -> str:
    """What a model said, fit for a terminal: line breaks stay, everything that could move the cursor is written out."""
    return "\n".join(printable(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n"))


def _as_json(reply: Reply, chat: Chat) -> None:
    as_json({"answer": reply.text[:_LONGEST], "finish": reply.finish, "tokens_in": reply.tokens_in,
             "tokens_out": reply.tokens_out, "seconds": round(reply.seconds, 3), "cached": reply.cached,
             "model": chat.id})  # fmt: skip


def _interactive(talk: _Talk, history: Path | None) -> None:
    """Questions from standard input until its end or /quit."""
    note(f"{talk.chat.describe}; {len(talk.pictures)} pictures. {_HELP}")
    while True:
        if sys.stdin.isatty():
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line or line.strip() == "/quit":
            return
        try:
            _turn(talk, line.strip())
        except (ChatError, QueryError) as error:
            note(f"whichpic: {printable(str(error))}")
        else:
            _keep(history, talk.turns)


def _turn(talk: _Talk, line: str) -> None:
    order, _, rest = line.partition(" ")
    if not line:
        return
    if order == "/again":
        talk.again()
    elif order == "/picture":
        path = Path(rest.strip()).expanduser()
        if not _is_file(path):
            raise QueryError(f"{rest.strip() or 'nothing'} is not a file; give a picture")
        talk.pictures.append(path)
        note(f"{len(talk.pictures)} pictures")
    elif order == "/system":
        talk.system = rest.strip()
    elif order == "/clear":
        talk.turns.clear()
    elif order.startswith("/"):
        note(_HELP)
    else:
        talk.say(line)


def _earlier(path: Path) -> list[dict[str, str]]:
    """The turns of a history file: [{"role", "content"}, ...] or [[question, answer], ...]; none where it is not there."""
    if not path.exists():
        return []
    try:
        held = jsonlib.loads(path.read_text(encoding="utf-8"))
        turns: list[dict[str, str]] = []
        for each in held:
            if isinstance(each, dict):
                turns.append({"role": str(each["role"]), "content": str(each["content"])})
            else:
                question, answer = each
                turns += [{"role": "user", "content": str(question)}, {"role": "assistant", "content": str(answer)}]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise QueryError(
            f"the history {path} cannot be read ({error}); expected a JSON list of role and content, user and assistant"
            " in turn"
        ) from None
    if (
        any(turn["role"] != ("assistant" if number % 2 else "user") for number, turn in enumerate(turns))
        or len(turns) % 2
    ):
        raise QueryError(f"the history {path} has to be user and assistant in turn, and end with the assistant")
    return turns


def _keep(path: Path | None, turns: Sequence[dict[str, str]]) -> None:
    if path is None or not turns:
        return
    fresh = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh.write_text(
        jsonlib.dumps(list(turns), ensure_ascii=False, indent=2) + "\n", encoding="utf-8", errors="replace"
    )
    fresh.replace(path)
