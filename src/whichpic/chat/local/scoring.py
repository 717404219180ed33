"""How likely given replies are: choices after shared prefixes, and log-probabilities of whole replies. Called by local (Local).

The shared prefix is read once, pictures included; every question goes on from its cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from whichpic.chat.local.running import Engine, State, fork
from whichpic.chat.structured import spellings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.local.inputs import Prompt

_ROOM = 16384
"""Tokens of cache that side-by-side questions may take together."""
_NUMBERS = 2**27
"""Logits that are held at a time."""


def common(prompts: Sequence[Prompt]) -> int:
    """How many first tokens all prompts share; at least one of each is left over."""
    import numpy as np

    shortest = min(len(prompt) for prompt in prompts) - 1
    same = np.ones(shortest, dtype=bool)
    for prompt in prompts[1:]:
        same &= prompt.ids[:shortest] == prompts[0].ids[:shortest]
    return shortest if same.all() else int(np.argmin(same))


def masses(
    engine: Engine,
    prompts: Sequence[Prompt],
    choices: Sequence[str | tuple[str, ...]],
    tokens_of: Callable[[str], list[int]],
) -> NDArray[np.float64]:
    """The probability of each choice as the beginning of the reply to each prompt, float64 [prompts, choices].

    Summed over the first tokens of a choice's spellings; where two choices begin with one token, over whole spellings.
    """
    import numpy as np

    sequences = [_sequences(choice, tokens_of) for choice in choices]
    firsts = [{sequence[0] for sequence in each} for each in sequences]
    apart = all(not firsts[i] & firsts[j] for i in range(len(firsts)) for j in range(i))
    shared = common(prompts)
    prefix = engine.prefill([prompts[0].first(shared)]) if shared else None
    mass = np.zeros((len(prompts), len(choices)))
    rows = max(1, min(16, _ROOM // max(shared, 1)))
    if prefix is not None and not may_pad(prefix, max(map(len, prompts))):
        rows = 1
    for start in range(0, len(prompts), rows):
        several = prompts[start : start + rows]
        state = engine.prefill(several) if prefix is None else _questions(engine, prefix, several, shared)
        if apart:
            shares = state.logits.softmax(-1)
            for column, ids in enumerate(firsts):
                mass[start : start + len(several), column] = shares[:, sorted(ids)].sum(-1).tolist()
        else:
            for row in range(len(several)):
                mass[start + row] = _whole(engine, _one(state, row), sequences)
    return mass


def logprobs(
    engine: Engine, prefix: State, replies: Sequence[Sequence[int]], *, words: int
) -> list[NDArray[np.float32]]:
    """Log-probability of every token of each reply after a prefix of one row, float32 [tokens] each."""
    import numpy as np
    import torch

    out: list[NDArray[np.float32]] = [np.zeros(0, dtype=np.float32) for _ in replies]
    order = sorted((row for row in range(len(replies)) if replies[row]), key=lambda row: len(replies[row]))
    start = 0
    while start < len(order):
        longest = max(len(replies[row]) for row in order[start : start + 16])
        fit = min(16, _ROOM // max(prefix.mask.shape[1] + longest, 1), _NUMBERS // max(longest * words, 1))
        several = order[start : start + max(1, fit)]
        start += len(several)
        longest = max(len(replies[row]) for row in several)
        ids = torch.zeros((len(several), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(several):
            ids[place, : len(replies[row])] = torch.tensor(replies[row])
            mask[place, : len(replies[row])] = 1
        ids, mask = ids.to(engine.device), mask.to(engine.device)
        rows = fork(prefix, len(several))
        logits = rows.logits[:, None]
        if longest > 1:
            _, more = engine.go_on(rows, ids[:, :-1], mask=mask[:, :-1], keep=0)
            logits = torch.cat([logits, more], dim=1)
        taken = logits.gather(-1, ids[..., None])[..., 0] - logits.logsumexp(-1)
        for place, row in enumerate(several):
            out[row] = taken[place, : len(replies[row])].cpu().numpy().astype(np.float32)
    return out


def may_pad(state: State, tokens: int) -> bool:
    """Whether padding between a prefix and what follows it, up to so many tokens in all, leaves the rest as it was.

    Linear attention reads it as any token, and in a sliding window it takes the place of one.
    """
    for layer in state.cache.layers:
        if hasattr(layer, "conv_states"):
            return False
        if getattr(layer, "is_sliding", False) and tokens > int(getattr(layer, "sliding_window", 0) or 0):
            return False
    return True


def _questions(engine: Engine, prefix: State, prompts: Sequence[Prompt], shared: int) -> State:
    """The states behind the questions, side by side; shorter ones are padded on the left, after the prefix."""
    import torch

    longest = max(len(prompt) for prompt in prompts) - shared
    ids = torch.zeros((len(prompts), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        rest = torch.from_numpy(prompt.ids[shared:])
        ids[row, longest - len(rest) :], mask[row, longest - len(rest) :] = rest, 1
    state, _ = engine.go_on(fork(prefix, len(prompts)), ids.to(engine.device), mask=mask.to(engine.device))
    return state


def _one(state: State, row: int) -> State:
    import torch

    from whichpic.chat.local.running import pick

    return pick(state, torch.tensor([row], device=state.mask.device))


def _whole(engine: Engine, state: State, sequences: Sequence[Sequence[tuple[int, ...]]]) -> list[float]:
    """The mass of each choice over whole spellings; what belongs to a longer spelling of another choice is taken off."""
    import math

    flat = [sequence for each in sequences for sequence in each]
    scored = logprobs(engine, state, flat, words=state.logits.shape[-1])
    p = {sequence: math.exp(float(each.sum())) for sequence, each in zip(flat, scored, strict=True)}
    out = []
    for own in sequences:
        # "red" already holds "red car" of its own choice, and must not hold "red bus" of another.
        short = [each for each in own if not any(other != each and each[: len(other)] == other for other in own)]
        others = {each for more in sequences if more is not own for each in more}
        taken = sum(p[each] for each in short)
        longer = [each for each in others if any(each != mine and each[: len(mine)] == mine for mine in short)]
        taken -= sum(p[each] for each in longer if not any(o != each and each[: len(o)] == o for o in longer))
        out.append(max(taken, 0.0))
    return out


def _sequences(choice: str | tuple[str, ...], tokens_of: Callable[[str], list[int]]) -> list[tuple[int, ...]]:
    """The token sequences of a choice's spellings, with a space before them and without."""
    pairs = [(tuple(tokens_of(way)), tuple(tokens_of(f" {way}"))) for way in spellings(choice)]
    # Some tokenizers write the space as a token of its own, which every choice would begin with. LLaMA 2's is another one
    # than that of " " alone: what follows it is the choice without a space.
    found = dict.fromkeys(
        each for plain, spaced in pairs for each in (plain, *([spaced] if spaced[1:] != plain else []))
    )
    bare = {tuple(tokens_of(" ")), ()}
    whole = [each for each in found if each and each not in bare and each[:1] not in bare]
    return whole or [each for each in found if each]
