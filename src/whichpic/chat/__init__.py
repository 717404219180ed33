"""Chat models: which there are, and how one is opened by name. Called by cli, dialogue, simulate and describe.

`open_chat` is the one factory. base says what a Chat is; remote is any OpenAI-compatible server, local is transformers in
this process, batch is files for a machine that reaches the model, paired is two models, scripted says what it is told.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Choices, Decoding, Message, Reply, Usage
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.base import Chat

__all__ = ["Choices", "Decoding", "Message", "Reply", "Usage", "open_chat", "runs_elsewhere"]

_NAMES = (
    "a URL (http://host:8000/v1#model), openai:MODEL, dashscope:MODEL, vllm:MODEL, ollama:MODEL, llamacpp:, "
    "batch:FOLDER, a folder of weights, or the id of a model on the hub"
)
_ELSEWHERE = ("http", "https", "openai", "dashscope", "vllm", "ollama", "llamacpp", "batch")
_LOCAL_ONLY = {"adapter": "--adapter", "precision": "--precision", "allow_code": "--allow-code"}


def open_chat(name: str, *, llm: str = "", cache: str | Path | None = None, **options: Any) -> Chat:
    """The Chat of a name; nothing is loaded or asked before its first call.

    http://host:port/v1 or http://host:port/v1#model: an OpenAI-compatible server; openai:MODEL, dashscope:MODEL,
    vllm:MODEL, ollama:MODEL, llamacpp:MODEL (MODEL may be empty where the server has one): the same with its usual address;
    vllm:http://host:port/v1#model: a preset at another address; batch:FOLDER or batch:FOLDER#model: requests into a file,
    replies out of another; anything else: a folder of weights, or the id of a model on the hub, for transformers.

    llm: a second model, for conversations without pictures; two sets of weights in this process share its memory, and the
    adapter, code of its own and the key are the first one's. cache: a folder where replies are kept. options go to the kind:
    `chat.remote.Remote` (key, deadline, retries, ...), `chat.batch.Batch`, `chat.local.open_local` (precision, adapter,
    allow_code, ...). Raises ChatError and ExtraMissing.
    """
    name, llm = name.strip(), llm.strip()
    if llm and llm != name:
        return _paired(name, llm, cache, options)
    kind, _, rest = name.partition(":")
    if not name:
        raise ChatError("asked wrongly", f"no chat is named; expected {_NAMES}")
    match kind.lower():
        case "batch":
            from whichpic.chat.batch import Batch

            folder, _, model = rest.partition("#")
            _no_local(name, options)
            return Batch(folder, model=model, **options)
        case "http" | "https":
            from whichpic.chat.remote import Remote

            address, _, model = name.partition("#")
            _no_local(name, options)
            chat: Chat = Remote(address, model=model, **options)
        case "openai" | "dashscope" | "vllm" | "ollama" | "llamacpp":
            from whichpic.chat.remote import Remote

            there = rest.lower().startswith(("http://", "https://"))
            address, _, model = rest.partition("#") if there else ("", "", rest)
            _no_local(name, options)
            chat = Remote(address, model=model, preset=kind.lower(), **options)
        case _:
            _may_be_here(name)
            from whichpic.chat.local import open_local

            chat = open_local(name, **options)
    if cache is None:
        return chat
    from whichpic.chat.cache import Cached

    return Cached(chat, cache)


def runs_elsewhere(name: str) -> bool:
    """Whether the model of a name runs on a server or through files, and not in this process."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind.strip().lower() in _ELSEWHERE


def _may_be_here(name: str) -> None:
    """Raises ChatError for what is no folder and cannot be an id: before a word about what is not installed."""
    if os.path.lexists(Path(name).expanduser()) or name.lower().endswith(".gguf"):
        return
    kind, colon, _ = name.partition(":")
    if colon and len(kind) > 1 and "/" not in kind:  # one letter is a drive
        presets = ", ".join(_ELSEWHERE[2:])
        raise ChatError(
            "asked wrongly",
            f"'{kind}' is no preset; there are {presets}:; or give a URL, a folder of weights, a hub id",
        )
    if not re.fullmatch(r"\w[\w.-]*/[\w.-]+", name):
        raise ChatError("unsupported", f"there is no folder of weights '{name}', and it is no id of a hub (owner/name)")


def _paired(name: str, llm: str, cache: str | Path | None, options: dict[str, Any]) -> Chat:
    from whichpic.chat.paired import Paired

    both_here = not runs_elsewhere(name) and not runs_elsewhere(llm)
    first = {**options, "beside": [llm]} if both_here else options
    second = {key: value for key, value in options.items() if key not in _LOCAL_ONLY and key != "key"}
    if not runs_elsewhere(llm):
        second |= {key: value for key, value in options.items() if key == "precision"}
        second |= {"beside": [name]} if both_here else {}
    if runs_elsewhere(name):
        first = {key: value for key, value in first.items() if key != "precision"}
    return Paired(open_chat(name, cache=cache, **first), open_chat(llm, cache=cache, **second))


def _no_local(name: str, options: dict[str, Any]) -> None:
    for option, said in _LOCAL_ONLY.items():
        if option in options:
            raise ChatError("asked wrongly", f"{said} is for weights in this process; {name} runs elsewhere")
