"""The probability of a given reply, token by token, by vLLM's prompt_logprobs. Called by remote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whichpic.errors import ChatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def reply_logprobs(
    ask: Callable[[Mapping[str, Any]], dict[str, Any]],
    prefix: Sequence[Mapping[str, Any]],
    reply: str,
    begin: int,
    where: str,
) -> NDArray[np.float32]:
    """Log-probability of each token of a reply that is laid behind the prefix as if the model had said it, float32 [tokens].

    ask: sends a request with these fields; begin: tokens of the prefix with the head of the reply, which the server counts.
    Raises ChatError("unsupported") where the server gives no prompt_logprobs.
    """
    import numpy as np

    laid = [*prefix, {"role": "assistant", "content": reply}]
    found = ask(
        {"messages": laid, "prompt_logprobs": 1, "add_generation_prompt": False, "continue_final_message": True}
    )
    places = found.get("prompt_logprobs")
    if not isinstance(places, list) or begin <= 0 or len(places) <= begin:
        raise ChatError("unsupported", f"{where} gives no prompt_logprobs; vLLM does")
    try:
        # The token that stands in the prompt comes first, the likeliest one after it.
        values = [float(next(iter(place.values()))["logprob"]) for place in places[begin:]]
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError):
        raise ChatError("not json", f"{where} answers with prompt_logprobs that cannot be read") from None
    return np.array(values, dtype=np.float32)
