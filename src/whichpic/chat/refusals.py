"""What a server says when it will not: the reason, the seconds to wait, and the field that it does not know.

Called by servers, connection, streaming and the files of a batch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

from whichpic.chat.structured import cleaned
from whichpic.errors import ChatError

_FIELDS: dict[str, tuple[str, ...]] = {
    "response_format": ("response_format", "json_schema", "json schema", "grammar", "structured output"),
    "logprobs": ("logprobs",),
    "seed": ("seed",),
    "n": ("'n'", '"n"', "`n`", "n > 1", "n must", "only n", "parameter n ", "param: n", "completions per"),
    "stream_options": ("stream_options", "include_usage"),
    "repetition_penalty": ("repetition_penalty",),
    "top_k": ("top_k",),
    "top_p": ("top_p",),
    "temperature": ("temperature",),
    "stop": ("'stop'", '"stop"', "`stop`"),
    "system": ("system role", "system message", "role 'system'", 'role "system"', "'system' role"),
}
_LONG = re.compile(
    r"context (length|size|window)|maximum context|too (long|many tokens)|exceeds? the (available )?context", re.I
)
_BLIND = re.compile(r"(image|vision|multimodal|image_url|mmproj)", re.I)


class Refused(ChatError):
    """A status that is an error. wait: seconds that the server asks to wait; said: its words, for `refused_field`."""

    def __init__(self, reason: str, message: str, *, wait: float = 0.0, said: str = "") -> None:
        super().__init__(reason, message)
        self.wait, self.said = wait, said


def refusal(status: int, headers: Mapping[str, str], body: bytes, where: str) -> Refused:
    """The error of a status that is not 200: its reason, and one line with the server's own words."""
    said = _server_words(body)
    tail = f": {said[:200]}" if said else ""
    wait = _retry_after(headers)
    low = said.casefold()
    if _LONG.search(said) and status in (400, 413, 422, 500):
        return Refused("too long", f"the conversation is longer than the model at {where} takes{tail}", said=said)
    match status:
        case 401 | 403:
            return Refused("refused", f"{where} refuses the key (WHICHPIC_CHAT_KEY) or the permission{tail}", said=said)
        case 402:
            return Refused("refused", f"{where} wants to be paid first{tail}", said=said)
        case 404 | 405:
            return Refused(
                "asked wrongly",
                f"{where} has no such model or address; most addresses end in /v1, and a model is named after #{tail}",
            )
        case 408:
            return Refused("timeout", f"{where} gave up waiting{tail}", wait=wait)
        case 413:
            return Refused("too long", f"the request is larger than {where} takes{tail}", said=said)
        case 429 if "insufficient_quota" in low or "arrearage" in low:
            return Refused("refused", f"the account at {where} is used up{tail}", said=said)
        case 429:
            return Refused("rate limit", f"{where} takes no more requests now{tail}", wait=wait)
        case _ if 300 <= status < 400:
            return Refused("asked wrongly", f"{where} points elsewhere (status {status}); give the address it has now")
        case _ if status < 500:
            return Refused("asked wrongly", f"{where} refuses the request (status {status}){tail}", said=said)
    return Refused("server", f"{where} failed (status {status}){tail}", wait=wait, said=said)


def refused_field(error: Refused, sent: Collection[str]) -> str:
    """The field that a server does not know, of those that were sent; "" where it names none."""
    said = error.said.casefold()
    for most, other in (("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")):
        if (
            most in sent
            and re.search(rf"\b{most}\b", said)
            and ("unsupported" in said or other in said or "extra" in said)
        ):
            return most
    for field, ways in _FIELDS.items():
        there = field in sent or (field == "system" and "messages" in sent)
        if there and any(way in said for way in ways):
            return field
    return ""


def blind(error: Refused) -> bool:
    """Whether a server says that its model sees no pictures."""
    return bool(_BLIND.search(error.said))


def _server_words(body: bytes) -> str:
    """What a server says about an error, on one line; nothing of an HTML page."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:2000].decode("utf-8", "replace")
        return "" if "<" in text else cleaned(" ".join(text.split()))[:500]
    error = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(error, dict):
        parts = [error.get(name) for name in ("message", "detail", "param", "type", "code")]
        error = " ".join(part if isinstance(part, str) else json.dumps(part) for part in parts if part)
    return cleaned(" ".join(str(error).split()))[:500]


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks to wait, 0 where it does not; a date counts from now."""
    said = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time())
    except (TypeError, ValueError):
        return 0.0
