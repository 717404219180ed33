"""`whichpic talk`: the conversation in a terminal. Works with piped input too: one line is one thing said."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whichpic.cli.chat import (
    AdapterOption,
    AllowCodeOption,
    AskerOption,
    ChatCacheOption,
    ChatOption,
    ChooserOption,
    DeadlineOption,
    FeedbackOption,
    LlmOption,
    PrecisionOption,
    RerankOption,
    RewriterOption,
    SamplerOption,
    opened_chat,
)
from whichpic.cli.index import EncoderOption, FolderArgument, StoreOption
from whichpic.cli.open import ensure_indexed, open_album
from whichpic.cli.output import filled, listing, note, printable, quoted, strip
from whichpic.cli.texts import HELP, TEXTS
from whichpic.cli.thinking import check_models, waited
from whichpic.errors import ChatPending, SessionError, WhichpicError

if TYPE_CHECKING:
    from whichpic.api import Album
    from whichpic.dialogue import Question, Session


def talk(
    album: FolderArgument,
    words: Annotated[list[str] | None, typer.Argument(help="The first thing to say.")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with a session: its id, 'last', or a file.")] = None,
    asker: AskerOption = "facts,pick",
    chooser: ChooserOption = "eig",
    language: Annotated[str, typer.Option(help="Language of the questions: auto, en or zh.")] = "auto",
    pictures: Annotated[bool, typer.Option(help="Show the pictures, where the terminal can.")] = True,
    k: Annotated[int, typer.Option("-k", min=1, help="How many to show.")] = 8,
    encoder: EncoderOption = "auto",
    store: StoreOption = None,
    chat: ChatOption = "",
    llm: LlmOption = "",
    rewriter: RewriterOption = "",
    rerank: RerankOption = 0,
    sampler: SamplerOption = "cluster",
    feedback: FeedbackOption = True,
    deadline: DeadlineOption = None,
    chat_cache: ChatCacheOption = None,
    adapter: AdapterOption = None,
    precision: PrecisionOption = "auto",
    allow_code: AllowCodeOption = None,
) -> None:
    """Find a picture by talking: say what you remember, look, answer a question, look again.

    Example: whichpic talk ~/Pictures a dog

    \b
    With a model: whichpic talk ~/Pictures a dog --chat ollama:qwen2.5vl \\
      --asker pictures --rewriter reconstruct --rerank 12
    """
    from whichpic.settings import settings

    model = opened_chat(chat, llm=llm, cache=chat_cache, adapter=adapter, precision=precision, allow_code=allow_code)
    check_models(model, rewriter=rewriter, rerank=rerank)

    language = language if language != "auto" else settings().language
    if language not in ("auto", "en", "zh"):
        raise SessionError(f"the language of questions is auto, en or zh, not '{language}'")
    with open_album(album, encoder=encoder, store=store) as opened:
        ensure_indexed(opened)
        if resume == "last":
            kept = opened.sessions()
            if not kept:
                raise SessionError(f"no session was kept for {album} yet")
            resume = str(kept[0])
        session = opened.session(resume, asker=asker, choose_by=chooser, language=language, chat=model, rewriter=rewriter,
                                 rerank=rerank, sampler=sampler, feedback=feedback, deadline=deadline)  # fmt: skip
        if session.note:
            note(session.note)
        said = [" ".join(words)] if words else []
        Conversation(opened, session, k=k, pictures=pictures).run(said)


class Conversation:
    """One session on a terminal. `run` reads lines; `line` does one of them."""

    def __init__(self, album: Album, session: Session, *, k: int = 8, pictures: bool = True) -> None:
        self.album = album
        self.session = session
        self.k = k
        self.pictures = pictures
        self._question: Question | None = None
        self._hint = False
        self._told = ""  # the trouble that was said last
        self._query = ""

    def run(self, first: Iterable[str] = (), lines: Iterable[str] | None = None, *, echo: bool | None = None) -> None:
        """Until the picture is found or the input ends. `lines` stands in for the keyboard."""
        echo = (lines is not None or not sys.stdin.isatty()) if echo is None else echo
        self._hint = not echo
        if not self.session.events:
            print(self._text("begin", total=self.session.gallery.n))
        else:
            self.turn()
        for line in first:
            print(f"> {line}")
            if not self.line(line):
                return
        for line in self._typed() if lines is None else lines:
            if echo:
                print(f"> {line}", flush=True)
            if not self.line(line):
                break
        if self.session.path is not None and self.session.events and self.session.chosen is None:
            album = quoted(self.album.store.root)
            note(f"kept; go on with: whichpic talk {album} --resume {self.session.id}")

    def line(self, line: str) -> bool:
        """One line of input. False where the conversation is over. An error is a line of output, and nothing changes."""
        line = line.strip()
        try:
            if line.startswith("/"):
                return self._command(line)
            if not line and self._question is None:
                return True
            self._said(line)
        except ChatPending:
            raise
        except WhichpicError as error:
            note(f"  {printable(str(error))}")
            return True
        from whichpic.dialogue import Answered

        last = self.session.events[-1]
        if isinstance(last, Answered) and last.option is None:
            self._others()  # "not sure" changes nothing, so the list is not shown again
        else:
            self.turn()
        return True

    def turn(self) -> None:
        """Show the pictures, then the question."""
        found = self.session.results(self.k)
        if not found:
            print("no picture passes the filters; /filter lifts them, /undo takes the last one back")
            return
        listing(found, self.album.store, pictures=self.pictures)
        self._refine([each.picture.id for each in found])
        if self.session.nothing_fits:
            print(self._text("nothing"))
        fitting, total = self.session.fitting, int(self.session.belief.mask.sum())
        print(self._text("among", fitting=fitting, total=total))
        self._ask(self._next(1)[:1])
        if self._hint and self._question is not None:
            # Once, and beneath the first question: before it there was nothing to answer.
            note(self._text("hint"))
            self._hint = False

    def _refine(self, before: list[str]) -> None:
        """Let the model add what it can, and show the list again where that changed it."""
        if self.session.models.chat is None:
            return
        from whichpic.dialogue import Said
        from whichpic.dialogue.constants import NEED_A_MODEL

        self._told = ""  # what went wrong in this turn is said, though it was the same in the last
        changed = waited(self.session, self.session.refine, self._text("thinking"))
        self._trouble()
        query = self.session.query
        own = {event.text for event in self.session.events if isinstance(event, Said)}
        if changed and query not in {self._query, *own} and self.session.settings.rewriter in NEED_A_MODEL:
            self._query = query
            print(self._text("query", query=printable(query)))
        found = self.session.results(self.k)
        if [each.picture.id for each in found] != before:
            listing(found, self.album.store, pictures=self.pictures)

    def _trouble(self) -> None:
        """Say once what went wrong with the model."""
        trouble = self.session.trouble
        if trouble and trouble != self._told:
            note(f"  {printable(trouble)}")
        self._told = trouble

    def _next(self, n: int) -> list[Question]:
        """The questions most worth asking; a model may have to be waited for."""
        ready = waited(self.session, lambda: self.session.questions(n), self._text("thinking"))
        self._trouble()
        return ready

    def _text(self, name: str, **values: object) -> str:
        """One of the texts, in the language of the questions."""
        return TEXTS[self.session.language_now][name].format(**values)

    def _said(self, line: str) -> None:
        from whichpic.dialogue.phrases import read

        question = self._question
        if question is None:
            self.session.say(line)
        elif line in ("", "?"):
            self.session.answer(None, question=question)
        elif line.isdecimal() and (0 < int(line) <= len(question.options) or read(question, line).option is None):
            self.session.answer(int(line) - 1, question=question)
        else:
            self.session.answer(line, question=question)

    def _ask(self, ready: list[Question]) -> None:
        """Put the first of the questions that are ready."""
        question = self._question = ready[0] if ready else None
        if question is None:
            return
        from whichpic.dialogue.phrases import NOT_SURE

        chinese = self.session.language_now == "zh"
        if self.pictures and question.source == "pick":
            strip(question.pictures, self.album.store)
        options = [f"[{n}] {self._option(question, n - 1)}" for n in range(1, len(question.options) + 1)]
        parts = [f"? {question.text}", *options, f"[?] {NOT_SURE[chinese]}"]
        print(filled(parts, "   ") if sys.stdout.isatty() else "   ".join(parts), flush=True)

    def _others(self) -> None:
        """The next question, and the two that are ready beside it."""
        ready = self._next(3)
        self._ask(ready)
        for number, question in enumerate(ready[1:], start=2):
            print("    " + self._text("or", number=number, question=question.text), flush=True)

    def _option(self, question: Question, position: int) -> str:
        option = question.options[position]
        if question.source != "pick" or option.value not in self.session.gallery.positions:
            return option.text
        picture = self.session.gallery.pictures[self.session.gallery.positions[option.value]]
        return printable(picture.paths[0]) if picture.paths else picture.id

    def _command(self, line: str) -> bool:
        name, _, rest = line[1:].partition(" ")
        session = self.session
        match name:
            case "quit" | "q" | "exit":
                return False
            case "help" | "h" | "?":
                print(HELP)
                return True
            case "why":
                self._why(self._pictures(rest)[0])
                return True
            case "save":
                print(f"saved: {self._save(Path(rest.strip() or f'{session.id}.jsonl').expanduser())}")
                return True
            case "ask":
                ready = self._next(3)
                number = _number(rest) if rest.strip() else 2
                if not 1 <= number <= len(ready):
                    raise SessionError(f"{len(ready)} questions are ready: /ask NUMBER")
                self._ask(ready[number - 1 : number])
                return True
            case "query" if not rest.strip():
                said = printable(session.query)
                print(self._text("query", query=said) if said else self._text("nothing said"))
                return True
            case "query":
                session.restate(rest)
            case "show":
                if rest.strip():
                    self.k = _number(rest)
            case "more" | "less" if self.album.store.captions_only:
                raise SessionError("this album has captions only: no picture is like another; say more in words")
            case "more":
                session.mark(more=self._pictures(rest))
            case "less":
                session.mark(less=self._pictures(rest))
            case "none":
                session.none()
            case "this":
                session.choose(self._pictures(rest)[0])
                self._found()
                return False
            case "undo":
                self._undo(rest)
            case "say":
                session.say(rest)
            case "like":
                if not rest.strip():
                    raise SessionError("say which picture: /like FILE")
                session.say_terms([self.album.term(rest.strip())])
            case "filter":
                session.filter(*_split(rest))
            case "branch":
                self.session = session.branch()
                print(f"a copy: {self.session.id}")
            case _:
                raise SessionError(f"there is no /{name}; /help lists what there is")
        self.turn()
        return True

    def _save(self, path: Path) -> Path:
        """The session as lines to go on with; as a page to look at, where the name ends in .html."""
        if path.suffix.lower() not in (".html", ".htm"):
            return self.session.save(path)
        from whichpic.web.exporting import write_page

        return write_page(self.album, self.session, path)

    def _pictures(self, numbers: str) -> list[str]:
        """The ids of pictures by their rank in the list."""
        shown = {str(each.rank): each.picture.id for each in self.session.results(self.k)}
        wanted = numbers.replace(",", " ").split()
        if not wanted:
            raise SessionError("say which picture, by its number in the list")
        found = []
        for each in wanted:
            if each not in shown:
                raise SessionError(f"there is no picture {each} in the list")
            found.append(shown[each])
        return found

    def _undo(self, rest: str) -> None:
        from whichpic.dialogue.events import not_undone

        times, there = _number(rest) if rest.strip() else 1, len(not_undone(self.session.records))
        if times > max(1, there):
            raise SessionError(f"there are only {there} to undo")
        for _ in range(times):
            self.session.undo()

    def _why(self, picture: str) -> None:
        for reason in self.session.why(picture):
            print(f"  {reason.sign:9s} {reason.value:+6.2f}  {printable(reason.what)}")

    def _found(self) -> None:
        chosen = self.session.chosen
        assert chosen is not None
        picture = self.session.gallery.pictures[self.session.gallery.positions[chosen]]
        turns = len(self.session.events) - 1
        known = picture.paths and not self.album.store.captions_only
        where = self.album.store.root / picture.paths[0] if known else chosen
        counted = f"{turns} 轮" if self.session.language_now == "zh" else f"{turns} turn{'s' if turns != 1 else ''}"
        print(self._text("found", turns=counted, where=printable(str(where))))

    def _typed(self) -> Iterator[str]:
        interactive = sys.stdin.isatty()
        if interactive:
            import contextlib

            with contextlib.suppress(ImportError):
                import readline  # noqa: F401  gives input() its editing and history
        while True:
            try:
                line = input("> " if interactive else "")
            except (EOFError, KeyboardInterrupt):
                print()
                return
            yield line


def _number(text: str) -> int:
    if not (text.strip().isdecimal() and int(text) > 0):
        raise SessionError(f"'{text.strip()}' is not a number from 1 on")
    return int(text)


def _split(text: str) -> list[str]:
    """Filters as a shell would read them, so that a value may have spaces: folder='my dogs'."""
    try:
        return shlex.split(text)
    except ValueError:
        raise SessionError(f"a quotation mark in {text} is not closed") from None
