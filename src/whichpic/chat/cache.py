"""Keeps replies on disk, so that nothing is asked of a model twice. Called by `open_chat`; `request_key` by batch too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from whichpic.chat.base import Decoding, Message
from whichpic.chat.pictures import fingerprint

if TYPE_CHECKING:
    from whichpic.chat.base import Schema


def request_key(
    chat_id: str,
    messages: Sequence[Message],
    schema: Schema | None = None,
    n: int = 1,
    decoding: Decoding = Decoding(),
    *,
    method: str = "complete",
    extra: object = None,
) -> str:
    """SHA-256 in hex of everything that a reply depends on; pictures count by their content.

    extra: what a method takes beside the conversation (the choices), as JSON values. Raises ChatError("asked wrongly")
    for a picture that cannot be read.
    """
    whole = {
        "form": 1,
        "method": method,
        "chat": chat_id,
        "messages": [[each.role, each.text, [fingerprint(picture) for picture in each.pictures]] for each in messages],
        "schema": None if schema is None else schema.model_json_schema(),
        "n": n,
        "decoding": asdict(decoding),
        "extra": extra,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
