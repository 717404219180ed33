"""What OpenAI-compatible servers understand, and how their answers are read. Called by remote and batch.

A server that is not in the table is asked for everything, and what it refuses is left out from then on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from whichpic.chat.base import Decoding, Message, Reply
from whichpic.chat.pictures import data_urls
from whichpic.chat.refusals import Refused, refusal
from whichpic.chat.structured import cleaned
from whichpic.errors import ChatError

if TYPE_CHECKING:
    from whichpic.chat.base import Schema

TOP = 20
"""First tokens that are asked for with their probabilities: the most that OpenAI and vLLM give."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A kind of server. key: the environment variable that its key is usually in.

    schema: "schema" (response_format json_schema), "strict" (the same, in OpenAI's strict form), "object" (any JSON).
    several: knows n. scores: gives prompt_logprobs. sampling: knows top_k and repetition_penalty.
    """

    address: str = ""
    key: str = ""
    schema: Literal["strict", "schema", "object"] = "schema"
    logprobs: bool = True
    seed: bool = True
    several: bool = True
    scores: bool = False
    sampling: bool = True
    most_tokens: str = "max_tokens"


PRESETS = {
    "openai": Preset(
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        schema="strict",
        sampling=False,
        most_tokens="max_completion_tokens",
    ),
    # Its older vision models know JSON objects only, and one reply at a time.
    "dashscope": Preset(
        "https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", schema="object", several=False
    ),
    "vllm": Preset("http://127.0.0.1:8000/v1", "VLLM_API_KEY", scores=True),
    "ollama": Preset("http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", several=False, sampling=False),
    "llamacpp": Preset("http://127.0.0.1:8080/v1", "LLAMA_API_KEY"),
}
ANY = Preset()
_ANSWERS = ("application/json", "text/plain", "application/octet-stream", "")


@dataclass(frozen=True)
class Heard:
    """One choice of an answer: the text, why it ended, and the likeliest first tokens where they were asked for."""

    text: str
    finish: str
    top: tuple[tuple[str, float], ...] = ()


def preset_of(address: str) -> Preset:
    """The kind of server at an address, as far as the address tells."""
    try:
        host, port = urlsplit(address).hostname or "", urlsplit(address).port
    except ValueError:
        return ANY
    if host == "api.openai.com":
        return PRESETS["openai"]
    if of_dashscope(host):
        return PRESETS["dashscope"]
    return PRESETS["ollama"] if port == 11434 else ANY


def of_dashscope(host: str) -> bool:
    """Whether a host is DashScope's, in any of its regions."""
    return host.endswith(".maas.aliyuncs.com") or (host.startswith("dashscope") and host.endswith(".aliyuncs.com"))


def written_messages(messages: Sequence[Message], *, budget: int, longest: int) -> list[dict[str, Any]]:
    """Messages as servers take them: pictures as data URLs before the text, all together within the budget (bytes)."""
    pictures = [picture for message in messages for picture in message.pictures]
    urls = iter(data_urls(pictures, budget=budget, longest=longest))
    plain: list[dict[str, Any]] = []
    for message in messages:
        content: Any = message.text
        if message.pictures:
            seen = [{"type": "image_url", "image_url": {"url": next(urls)}} for _ in message.pictures]
            content = [*seen, {"type": "text", "text": message.text}]
        plain.append({"role": message.role, "content": content})
    return plain


def written_request(
    preset: Preset,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    decoding: Decoding,
    *,
    schema: Schema | None = None,
    n: int = 1,
    first_tokens: bool = False,
    refused: Collection[str] = (),
) -> dict[str, Any]:
    """The body of a request, without the fields that the server has refused before. Raises ChatError("unsupported")."""
    if decoding.beams > 1:
        raise ChatError("unsupported", "a server has no beam search; use sampling, or weights in this process")
    most = preset.most_tokens
    if most in refused:
        most = "max_completion_tokens" if most == "max_tokens" else "max_tokens"
    whole: dict[str, Any] = {
        "model": model,
        "messages": merged(_without_system(messages) if "system" in refused else messages),
        "temperature": decoding.temperature,
        most: decoding.max_tokens,
    }
    if decoding.top_p != 1:
        whole["top_p"] = decoding.top_p
    if decoding.top_k and preset.sampling:
        whole["top_k"] = decoding.top_k
    if decoding.repetition_penalty != 1 and preset.sampling:
        whole["repetition_penalty"] = decoding.repetition_penalty
    if decoding.seed is not None and preset.seed:
        whole["seed"] = decoding.seed
    if decoding.stop:
        whole["stop"] = list(decoding.stop)
    if n > 1:
        whole["n"] = n
    if schema is not None:
        whole["response_format"] = _response_format(preset, schema)
    if first_tokens:
        whole |= {"logprobs": True, "top_logprobs": TOP}
    gone = {"top_logprobs", *refused} if "logprobs" in refused else refused
    return {name: value for name, value in whole.items() if name not in gone}


def merged(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with neighbours of one role as one: many chat templates want users and assistants to take turns."""
    found: list[dict[str, Any]] = []
    for each in messages:
        if found and found[-1]["role"] == each["role"]:
            found[-1]["content"] = _joined(found[-1]["content"], each["content"])
        else:
            found.append(dict(each))
    return found


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    parts = [[{"type": "text", "text": each}] if isinstance(each, str) else each for each in (first, second)]
    before, after = parts[0][-1], parts[1][0]
    if before["type"] == after["type"] == "text":
        together = "\n\n".join(filter(None, (before["text"], after["text"])))
        return [*parts[0][:-1], {"type": "text", "text": together}, *parts[1][1:]]
    return [*parts[0], *parts[1]]


def _response_format(preset: Preset, schema: Schema) -> dict[str, Any]:
    if preset.schema == "object":
        return {"type": "json_object"}
    name = re.sub(r"\W", "", schema.__name__, flags=re.ASCII)[:60] or "reply"
    wish = schema.model_json_schema()
    if preset.schema == "strict":
        return {"type": "json_schema", "json_schema": {"name": name, "schema": _strict(wish), "strict": True}}
    return {"type": "json_schema", "json_schema": {"name": name, "schema": wish}}


_LOOSE = {"default", "title", "minLength", "maxLength", "pattern", "format", "uniqueItems", "examples"}


def _strict(part: Any, *, named: bool = False) -> Any:
    """A JSON schema in OpenAI's strict form: every field required, none beside them, no bounds on texts."""
    if isinstance(part, list):
        return [_strict(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {
        key: _strict(value, named=key in ("properties", "$defs"))
        for key, value in part.items()
        if named or key not in _LOOSE
    }
    if not named and isinstance(kept.get("properties"), dict):
        kept |= {"additionalProperties": False, "required": list(kept["properties"])}
    return kept


def _without_system(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Some chat templates know no system message: it goes before the user's first words."""
    system = "\n\n".join(str(each["content"]) for each in messages if each["role"] == "system")
    rest = [dict(each) for each in messages if each["role"] != "system"]
    for each in rest:
        if system and each["role"] == "user":
            content = each["content"]
            if isinstance(content, str):
                each["content"] = f"{system}\n\n{content}"
            else:
                each["content"] = [{"type": "text", "text": system}, *content]
            break
    return rest


def read_json(kind: str, body: bytes, where: str) -> dict[str, Any]:
    """The object of an answer. Raises ChatError: not json, or the error that stands in it."""
    if not (kind in _ANSWERS or kind.endswith("json")) or body.lstrip()[:1] == b"<":
        raise ChatError(
            "not json", f"{where} answers with {kind or 'HTML'} instead of JSON; is it the server's API address?"
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ChatError("not json", f"what {where} answers is not JSON") from None
    if not isinstance(found, dict):
        raise ChatError("not json", f"{where} answers with JSON that is no reply")
    if found.get("error") and not found.get("choices"):
        raise _inner(found["error"], body, where)
    return found


def _inner(error: Any, body: bytes, where: str) -> Refused:
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return refusal(status, {}, body, where)


def read_choices(found: Mapping[str, Any], where: str, *, first_tokens: bool = False) -> list[Heard]:
    """The choices of an answer, in order. Raises ChatError: empty, refused, or not json where they are none."""
    choices = found.get("choices")
    if not isinstance(choices, list):
        raise ChatError("not json", f"{where} answers with JSON that is no reply")
    if not choices:
        raise ChatError("empty", f"{where} answers with no choice at all")
    return [_heard(each, where, first_tokens=first_tokens) for each in choices]


def _heard(choice: Any, where: str, *, first_tokens: bool) -> Heard:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise ChatError("not json", f"{where} answers with JSON that is no reply")
    content = message.get("content")
    if isinstance(content, list):  # parts, as some servers have it
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if content is not None and not isinstance(content, str):
        raise ChatError("not json", f"{where} answers with JSON that is no reply")
    finish = choice.get("finish_reason")
    if finish == "content_filter" or (message.get("refusal") and not content):
        raise ChatError("refused", f"{where} will not answer this")
    text = cleaned(content or "")
    top = _first_tokens(choice.get("logprobs")) if first_tokens else ()
    if not text and not top:
        raise ChatError(
            "empty", f"{where} answers with an empty reply" + (" (all tokens were thoughts)" * (finish == "length"))
        )
    return Heard(text, "length" if finish == "length" else "stop", top)


def _first_tokens(logprobs: Any) -> tuple[tuple[str, float], ...]:
    """The likeliest tokens where the first word stands: leading blanks are passed over."""
    places = logprobs.get("content") if isinstance(logprobs, dict) else None
    for place in places if isinstance(places, list) else ():
        if not isinstance(place, dict):
            return ()
        if not str(place.get("token", "")).replace("\u2581", " ").strip():
            continue
        top = place.get("top_logprobs")
        found = [(each.get("token"), each.get("logprob")) for each in top or () if isinstance(each, dict)]
        return tuple(
            (token, float(p))
            for token, p in found
            if isinstance(token, str) and isinstance(p, int | float) and not math.isnan(p)
        )
    return ()


def tokens(found: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens of the prompt and of the reply, 0 where the server does not say."""
    usage = found.get("usage")
    if not isinstance(usage, dict):
        return 0, 0
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    first, second = (
        max(int(each), 0) if isinstance(each, int | float) and math.isfinite(each) else 0 for each in counts
    )
    return first, second


def as_reply(heard: Heard, *, tokens_in: int, tokens_out: int, seconds: float) -> Reply:
    """What was heard, as a reply."""
    return Reply(heard.text, finish=heard.finish, tokens_in=tokens_in, tokens_out=tokens_out, seconds=seconds)
