"""A model's forward passes over prompts: the cache of a prefix, forks of it, deadlines. Called by local.decoding and scoring.

Everything here is per request; the model itself is never changed, so a request that is given up leaves nothing behind.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from whichpic.errors import ChatError

if TYPE_CHECKING:
    from torch import Tensor

    from whichpic.chat.local.families import Arrays, Family
    from whichpic.chat.local.inputs import Prompt


@dataclass(frozen=True)
class State:
    """Where a batch stands: its cache, what the model says of the next token (float32 [rows, words]), and its lengths.

    mask: int64 [rows, tokens so far], 0 where padding lies. following: int64 [rows], the position of the next token.
    """

    cache: Any
    logits: Tensor
    mask: Tensor
    following: Tensor

    @property
    def rows(self) -> int:
        """How many conversations run side by side."""
        return int(self.mask.shape[0])


class Engine:
    """A loaded model with its family. `until` of the thread is the moment after which every forward pass gives up."""

    def __init__(self, model: Any, family: Family, *, pad: int) -> None:
        import torch

        self.model = model
        self.family = family
        self.device = next(model.parameters()).device
        self.dtype = next((each.dtype for each in model.parameters() if each.is_floating_point()), torch.float32)
        self._pad = pad
        self._now = threading.local()
        # A look at the clock before every layer: a long prompt must not outlast a deadline by minutes.
        for module in model.modules():
            if isinstance(module, torch.nn.ModuleList):
                for layer in module:
                    layer.register_forward_pre_hook(self._watch)

    @contextmanager
    def until(self, moment: float | None) -> Iterator[None]:
        """Forward passes of this thread raise ChatError("timeout") once perf_counter() is past `moment`."""
        before = getattr(self._now, "until", None)
        self._now.until = moment
        try:
            yield
        finally:
            self._now.until = before

    def _watch(self, *_: Any) -> None:
        moment = getattr(self._now, "until", None)
        if moment is not None and perf_counter() > moment:
            raise ChatError("timeout", "the model did not answer in time")

    def prefill(self, prompts: Sequence[Prompt]) -> State:
        """Read prompts of any lengths, padded on the left; pictures are encoded here, once."""
        import numpy as np
        import torch

        self._watch()
        length = max(len(prompt) for prompt in prompts)
        gaps = [length - len(prompt) for prompt in prompts]
        ids = np.full((len(prompts), length), self._pad, dtype=np.int64)
        mask = np.zeros((len(prompts), length), dtype=np.int64)
        positions = np.zeros((*prompts[0].positions.shape[:-1], len(prompts), length), dtype=np.int64)
        extra: Arrays = {name: np.zeros_like(ids) for name in prompts[0].per_token}
        for row, (prompt, gap) in enumerate(zip(prompts, gaps, strict=True)):
            ids[row, gap:], mask[row, gap:] = prompt.ids, 1
            positions[..., row, gap:] = prompt.positions
            for name, values in prompt.per_token.items():
                extra[name][row, gap:] = values
        arrays = self.family.join([prompt.arrays for prompt in prompts if prompt.arrays]) if any(
            prompt.arrays for prompt in prompts
        ) else {}  # fmt: skip
        tensors = {name: torch.from_numpy(values).to(self.device) for name, values in {**extra, **arrays}.items()}
        tensors = {name: each.to(self.dtype) if each.is_floating_point() else each for name, each in tensors.items()}
        taken = torch.from_numpy(mask).to(self.device)
        with torch.inference_mode():
            out = self.model(
                input_ids=torch.from_numpy(ids).to(self.device),
                attention_mask=taken,
                position_ids=torch.from_numpy(positions).to(self.device),
                use_cache=True,
                logits_to_keep=1,
                **tensors,
            )
        following = torch.tensor([prompt.following for prompt in prompts], device=self.device)
        return State(out.past_key_values, out.logits[:, -1].float(), taken, following)

    def go_on(self, state: State, tokens: Tensor, *, mask: Tensor | None = None, keep: int = 1) -> tuple[State, Tensor]:
        """Read int64 [rows, more] after a state, which may not be used again; `fork` it first where it must.

        mask: 0 where padding lies among the new tokens, on either side. keep: how many of the last places to give logits
        of, 0 for all. Returns the state behind the last token, and the float32 logits [rows, kept, words].
        """
        import torch

        self._watch()
        new = torch.ones_like(tokens) if mask is None else mask
        positions = state.following[:, None] + (new.cumsum(1) - 1).clamp(min=0)
        following = state.following + new.sum(1)
        if self.family.positions is not None:
            positions = positions.expand(3, *positions.shape)
        whole = torch.cat([state.mask, new], dim=1)
        with torch.inference_mode():
            out = self.model(
                input_ids=tokens,
                attention_mask=whole,
                position_ids=positions,
                past_key_values=state.cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        logits = out.logits.float()
        return State(out.past_key_values, logits[:, -1], whole, following), logits


def fork(state: State, copies: int = 1) -> State:
    """A state that can be read on without changing the other; every row `copies` times, copies side by side."""
    if copies == 1:
        return replace(state, cache=_copied(state.cache))
    import torch

    rows = torch.arange(state.rows, device=state.mask.device).repeat_interleave(copies)
    return pick(state, rows)


def pick(state: State, rows: Tensor) -> State:
    """The rows of a state in another order, some perhaps twice, some not at all."""
    cache = _copied(state.cache)
    for layer in cache.layers:
        # Layers of linear attention know their rows by another name.
        (layer.batch_select_indices if hasattr(layer, "batch_select_indices") else layer.reorder_cache)(rows)
    return State(cache, state.logits[rows], state.mask[rows], state.following[rows])


def _copied(cache: Any) -> Any:
    """A cache that grows apart from the other: layers make new tensors, but linear attention writes into its own."""
    mine = copy.copy(cache)
    mine.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in mine.layers:
        for name in ("conv_states", "recurrent_states", "has_previous_state"):
            states = getattr(layer, name, None)
            if isinstance(states, dict):
                own = {key: each.clone() if hasattr(each, "clone") else each for key, each in states.items()}
                setattr(layer, name, own)
    return mine
