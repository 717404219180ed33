"""The options of every command that talks with a model, or holds sessions, and the one way to open it. Called by cli only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.base import Chat

ChatOption = Annotated[
    str,
    typer.Option(
        "--chat",
        envvar="WHICHPIC_CHAT",
        help="The model: a URL, openai:, dashscope:, vllm:, ollama: or llamacpp:MODEL, batch:FOLDER, a folder of weights, "
        "a hub id; or none.",
    ),
]
LlmOption = Annotated[
    str,
    typer.Option(
        "--llm",
        help="A second model for what needs no pictures (rewriting, questions from captions), named like --chat.",
    ),
]
ChatCacheOption = Annotated[
    Path | None, typer.Option("--chat-cache", help="A folder where replies are kept: nothing is asked twice.")
]
AdapterOption = Annotated[
    Path | None, typer.Option("--adapter", help="A LoRA adapter to lay over weights in this process.")
]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="Of weights in this process: auto, fp32, bf16, fp16, int8 or int4.")
]
AllowCodeOption = Annotated[
    str | None,
    typer.Option(
        "--allow-code",
        metavar="REVISION",
        help="Run the Python code that comes with the weights, of this revision only.",
    ),
]
AskerOption = Annotated[str, typer.Option(help="Who proposes questions: facts, pick; with a model captions, pictures.")]
ChooserOption = Annotated[str, typer.Option(help="Who chooses among them: eig, kl, first or random.")]
RewriterOption = Annotated[
    str,
    typer.Option(
        help="What folds all that was said into one query: join (default), slerp; with a model reconstruct, expand."
    ),
]
RerankOption = Annotated[int, typer.Option(min=0, help="How many of the best pictures the model looks at each turn.")]
SamplerOption = Annotated[
    str, typer.Option(help="Which candidates the asker 'pictures' sees: cluster, interval, random or top.")
]
FeedbackOption = Annotated[bool, typer.Option(help="The model describes the pictures that you like.")]
DeadlineOption = Annotated[
    float | None, typer.Option(min=0.1, help="Seconds that a turn waits for the model (WHICHPIC_DEADLINE, or 30).")
]


def opened_chat(
    name: str,
    *,
    llm: str = "",
    cache: Path | None = None,
    adapter: Path | None = None,
    precision: str = "auto",
    allow_code: str | None = None,
    **options: Any,
) -> Chat | None:
    """The Chat of --chat; None where there is none, or where it is "none". Raises ChatError, ExtraMissing and
    QueryError (prompts of one's own that are not there).

    Of the options, those that were not given are not passed on: a server knows nothing of a precision. Further options go
    to the kind of chat, as those of `open_chat`.
    """
    if name.strip().casefold() in ("", "none"):
        if llm:
            raise ChatError(
                "asked wrongly", "--llm is a second model beside --chat; give the first one, or use --chat alone"
            )
        return None
    from whichpic.chat import open_chat
    from whichpic.prompts import own_folder

    own_folder()  # else the first question would find out that it is not there
    given = {"adapter": adapter, "precision": None if precision == "auto" else precision, "allow_code": allow_code}
    return open_chat(
        name, llm=llm, cache=cache, **{key: value for key, value in given.items() if value is not None}, **options
    )
