"""Chat models: which there are, and how one is opened by name. Called by cli, dialogue, simulate and describe.

`open_chat` is the one factory. base says what a Chat is; remote is any OpenAI-compatible server, local is transformers in
this process, batch is files for a machine that reaches the model, scripted says what it is told.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Choices, Decoding, Message, Reply, Usage
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.base import Chat

__all__ = ["Choices", "Decoding", "Message", "Reply", "Usage", "open_chat"]


def open_chat(name: str, *, cache: str | Path | None = None, **options: Any) -> Chat:
    """The Chat of a name; nothing is loaded or asked before its first call.

    http://host:port/v1 or http://host:port/v1#model: an OpenAI-compatible server; openai:MODEL, dashscope:MODEL,
    vllm:MODEL, ollama:MODEL, llamacpp:MODEL (MODEL may be empty where the server has one): the same with its usual address;
    batch:FOLDER: requests into a file, replies out of another; anything else: a folder of weights, or the id of a model on
    the hub, for transformers. cache: a folder where replies are kept. options go to the kind: `chat.remote.Remote`,
    `chat.local.open_local` (precision, adapter, allow_code, ...). Raises ChatError and ExtraMissing.
    """
    raise ChatError("unsupported", f"no chat is called '{name}'")
