"""Drawing replies token by token: greedy, sampling, beams, stop texts. Called by local (Local).

A loop of our own and not transformers' generate: the prompt is read once for all draws, every draw has its own seeded
generator, and a reader who goes away stops it at the next token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Decoding
from whichpic.chat.local.running import Engine, State, fork, pick

if TYPE_CHECKING:
    from torch import Tensor

_APART = 1_000_003
"""Between the seeds of two draws, so that draw 2 of seed 0 is not draw 1 of seed 1."""


@dataclass
class Draw:
    """One reply as it grows. text: without what ends it. finish: "" while it runs, then "stop" or "length"."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finish: str = ""


Decode = Callable[[Sequence[int]], str]


def draws(
    engine: Engine,
    state: State,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    *,
    n: int,
    ends: frozenset[int],
    decode: Decode,
) -> Iterator[list[Draw]]:
    """n replies to each row of a state, after every token once; the draws of a row lie side by side.

    prompts: the tokens of each row, for the repetition penalty. The lists that come out are the same one, growing.
    """
    import torch

    state = fork(state, n)
    rows = [Draw() for _ in range(state.rows)]
    seen = [list(prompts[row // n]) for row in range(state.rows)]
    dice = [_generator(decoding, row % n) for row in range(state.rows)]
    for step in range(decoding.max_tokens):
        scores = _penalised(state.logits, seen, decoding.repetition_penalty)
        taken = scores.argmax(-1) if decoding.temperature <= 0 else _sampled(scores, decoding, dice)
        chosen = taken.tolist()
        for row, token in enumerate(chosen):
            if not rows[row].finish:
                _grow(rows[row], token, ends, decoding.stop, decode)
                seen[row].append(token)
        last = step + 1 == decoding.max_tokens
        for draw in rows if last else ():
            draw.finish = draw.finish or "length"
        yield rows
        if all(draw.finish for draw in rows):
            return
        state, _ = engine.go_on(state, torch.tensor(chosen, device=engine.device)[:, None])


def beams(
    engine: Engine,
    state: State,
    prompt: Sequence[int],
    decoding: Decoding,
    *,
    n: int,
    ends: frozenset[int],
    decode: Decode,
) -> list[Draw]:
    """The n best of a beam search over one row, by mean log-probability per token (length penalty 1), best first.

    They are of different texts, as far as the search found so many.
    """
    import torch

    width = max(decoding.beams, n)
    state = fork(state, width)
    sums = torch.full((width,), -1e9, device=engine.device)
    sums[0] = 0.0  # all beams are the same at first
    running: list[list[int]] = [[] for _ in range(width)]
    done: list[tuple[float, list[int], str]] = []
    for step in range(decoding.max_tokens):
        # The penalty is laid on log-probabilities here, as transformers does in a beam search.
        seen = [[*prompt, *beam] for beam in running]
        scores = _penalised(state.logits.log_softmax(-1), seen, decoding.repetition_penalty) + sums[:, None]
        words = scores.shape[1]
        best, flat = scores.flatten().topk(min(max(2, 1 + len(ends)) * width, scores.numel()))
        kept: list[tuple[float, int, int]] = []
        for rank, (total, place) in enumerate(zip(best.tolist(), flat.tolist(), strict=True)):
            beam, token = divmod(place, words)
            if token in ends:
                # What ends with one token or another is the same reply.
                if rank < width and all(tokens != running[beam] for _, tokens, _ in done):
                    done.append((total / (step + 1), running[beam], "stop"))
            elif len(kept) < width:
                kept.append((total, beam, token))
        done = sorted(done, key=lambda each: -each[0])[:width]
        if len(done) == width and done[-1][0] >= kept[0][0] / (step + 1):
            break
        running = [[*running[beam], token] for _, beam, token in kept]
        sums = torch.tensor([total for total, _, _ in kept], device=engine.device)
        if step + 1 == decoding.max_tokens:
            done += [
                (total / (step + 1), tokens, "length") for (total, _, _), tokens in zip(kept, running, strict=True)
            ]
            break
        state = pick(state, torch.tensor([beam for _, beam, _ in kept], device=engine.device))
        state, _ = engine.go_on(state, torch.tensor([[token] for _, _, token in kept], device=engine.device))
    out = []
    for _, tokens, finish in sorted(done, key=lambda each: -each[0]):
        draw = Draw(tokens, decode(tokens), finish)
        _cut(draw, decoding.stop)
        out.append(draw)
    # Other tokens may be the same text; copies come last.
    first = [draw for place, draw in enumerate(out) if all(draw.text != each.text for each in out[:place])]
    return [*first, *(draw for draw in out if not any(draw is each for each in first))][:n]


def settled(draw: Draw, stop: Sequence[str]) -> str:
    """The text of a reply that cannot change any more: without half a character or what may become a stop text."""
    if draw.finish:
        return draw.text
    text = draw.text.rstrip("�")
    held = max((size for each in stop for size in range(1, len(each)) if text.endswith(each[:size])), default=0)
    return text[: len(text) - held]


def _grow(draw: Draw, token: int, ends: frozenset[int], stop: Sequence[str], decode: Decode) -> None:
    if token in ends:
        draw.finish = "stop"
        return
    draw.tokens.append(token)
    draw.text = decode(draw.tokens)
    _cut(draw, stop)


def _cut(draw: Draw, stop: Sequence[str]) -> None:
    places = [place for each in stop if each and (place := draw.text.find(each)) >= 0]
    if places:
        draw.text, draw.finish = draw.text[: min(places)], "stop"


def _generator(decoding: Decoding, number: int) -> Any:
    import torch

    dice = torch.Generator()
    if decoding.seed is None:
        dice.seed()
    else:
        dice.manual_seed((decoding.seed * _APART + number) % 2**63)
    return dice


def _penalised(logits: Tensor, seen: Sequence[Sequence[int]], penalty: float) -> Tensor:
    """Words that were seen count less, by the rule of CTRL (arXiv 1909.05858, section 4.1)."""
    import torch

    if penalty == 1.0:
        return logits
    out = logits.clone()
    for row, tokens in enumerate(seen):
        if tokens:
            ids = torch.tensor(sorted(set(tokens)), device=logits.device)
            held = out[row, ids]
            out[row, ids] = torch.where(held < 0, held * penalty, held / penalty)
    return out


def _sampled(logits: Tensor, decoding: Decoding, dice: Sequence[Any]) -> Tensor:
    """One token per row: temperature, then the k likeliest, then the smallest set with mass top_p."""
    import torch

    scores = (logits / decoding.temperature).cpu()
    if 0 < decoding.top_k < scores.shape[-1]:
        scores[scores < scores.topk(decoding.top_k, dim=-1).values[:, -1:]] = -torch.inf
    shares = scores.softmax(-1)
    if decoding.top_p < 1.0:
        ordered, places = shares.sort(-1, descending=True)
        ordered[ordered.cumsum(-1) - ordered >= decoding.top_p] = 0.0
        shares = torch.zeros_like(shares).scatter_(-1, places, ordered)
    drawn = [torch.multinomial(row, 1, generator=die) for row, die in zip(shares, dice, strict=True)]
    return torch.cat(drawn)
