"""`whichpic batch`: on the machine that reaches a model, answer what another machine wrote down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from whichpic.cli.chat import (
    AdapterOption,
    AllowCodeOption,
    ChatCacheOption,
    ChatOption,
    LlmOption,
    PrecisionOption,
    opened_chat,
)
from whichpic.cli.index import JsonOption
from whichpic.cli.output import as_json, note, progress, quoted
from whichpic.errors import ChatError


def batch(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder that another command wrote requests into.")
    ],
    chat: ChatOption = "",
    llm: LlmOption = "",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Requests at a time.")] = 4,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds for each request.")] = 300.0,
    cache: ChatCacheOption = None,
    adapter: AdapterOption = None,
    precision: PrecisionOption = "auto",
    allow_code: AllowCodeOption = None,
    json: JsonOption = False,
) -> None:
    """Answer what another command wrote with --chat batch:FOLDER.

    Example: whichpic batch requests --chat ollama:qwen3-vl

    What is answered stays answered: stopped, or with faults of the server, the same command goes on where it was. Then
    the first command, run again, finds the replies. The files are those of OpenAI's Batch API: requests.jsonl can be sent
    there as it is, and its output, put into the folder as replies-1.jsonl, is read like any other.
    """
    from whichpic.chat.batch import answer_batch

    with_limits: dict[str, Any] = (
        {"deadline": deadline, "idle": deadline, "concurrency": workers}
        if all(map(_is_server, (chat, llm or chat)))
        else {}
    )
    opened = opened_chat(
        chat, llm=llm, cache=cache, adapter=adapter, precision=precision, allow_code=allow_code, **with_limits
    )
    if opened is None:
        raise ChatError("asked wrongly", "no model is named that could answer; expected --chat, or WHICHPIC_CHAT")
    with progress(json) as show:
        done = answer_batch(folder, opened, workers=workers, deadline=deadline, on_progress=show)
    if json:
        as_json({"answered": done.answered, "failed": done.failed, "left": done.left, "before": done.before,
                 "tokens_in": opened.usage.tokens_in, "tokens_out": opened.usage.tokens_out})  # fmt: skip
        return
    if not (done.answered or done.failed or done.left):
        print(f"nothing left to answer: {done.before} were before")
        return
    print(f"{done.answered} answered, {done.before} were before, {done.failed} cannot be, {done.left} left")
    if done.left:
        note(f"try those again: whichpic batch {quoted(folder)} --chat {quoted(chat)}")


def _is_server(name: str) -> bool:
    from whichpic.chat.servers import PRESETS

    return name.partition(":")[0].lower() in ("http", "https", *PRESETS)
