"""Models in this process, by transformers: `open_local` and the Chat it gives. Called by chat.open_chat.

families says what is known and how it is fed, pixels makes arrays of pictures, loading brings weights here, precision
fits them into memory, inputs makes prompts of messages, running reads them, decoding draws replies, scoring weighs them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from whichpic.chat.base import Choices, Decoding, Message, Reply, Usage, answer
from whichpic.errors import ChatError, ExtraMissing, WhichpicError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whichpic.chat.base import Schema
    from whichpic.chat.local.decoding import Draw
    from whichpic.chat.local.families import Parts
    from whichpic.chat.local.inputs import Prompt
    from whichpic.chat.local.loading import Located
    from whichpic.chat.local.running import Engine

__all__ = ["Local", "open_local"]

_ENDS = ("<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_utterance>", "<end_of_turn>", "<|end|>", "</s>")
"""Special tokens that end a reply in one family or another, whatever the generation config forgets."""


def open_local(
    name_or_path: str | Path,
    *,
    precision: str = "auto",
    adapter: str | Path | None = None,
    allow_code: str | None = None,
    device: str | None = None,
    attention: str = "auto",
    beside: Sequence[str | Path] = (),
    deadline: float | None = None,
) -> Local:
    """The Chat of a folder of weights, or of an id on the hub; the weights are loaded at its first call.

    precision: auto, fp32, bf16, fp16, int8 or int4 (nf4); auto is what fits beside the models that are named in `beside`
    (the captioner and the language model share a card; each is opened with the other beside it). adapter: a folder with
    a LoRA of peft. allow_code: the revision whose own code may run. device: cuda, cuda:1, mps, cpu; None: the best there
    is. attention: auto, flash, sdpa or eager. deadline: seconds of a call that names none; None: as long as it takes.
    Raises ChatError, and ExtraMissing without torch and transformers.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("transformers") is None:
        raise ExtraMissing("a model in this process (torch, transformers)", "local")
    from whichpic.chat.local import loading
    from whichpic.chat.local import precision as precisions

    located = loading.locate(name_or_path, allow_code=allow_code)
    others = [loading.locate(each, allow_code=None) for each in beside]
    device = device or _best_device()
    sizes = [precisions.measure(each.name, each.folder, each.config) for each in (located, *others)]
    taken = precisions.choose(sizes, device, precision)
    folder = None if adapter is None else Path(adapter).expanduser()
    return Local(located, precision=taken, adapter=folder, device=device, attention=attention, deadline=deadline)


class Local:
    """A model in this process, as a Chat. One call at a time uses it; the others wait, within their deadlines.

    A call with a deadline does not wait longer for the weights either: they go on loading, and a later call has them.
    """

    def __init__(
        self,
        located: Located,
        *,
        precision: str,
        adapter: Path | None = None,
        device: str = "cpu",
        attention: str = "auto",
        deadline: float | None = None,
    ) -> None:
        from whichpic.chat.local.loading import adapter_id

        lora = "" if adapter is None else f"+lora:{adapter_id(adapter)}"
        self.id = f"local:{located.name}@{located.revision}{lora}:{precision}"
        self.describe = f"{located.name} ({located.family.name}, {precision}, {device}{', LoRA' if lora else ''})"
        self.can_see = located.family.look is not None
        self.can_see_several = self.can_see and located.family.several
        self.can_score = True
        self.concurrency = 1
        self.usage = Usage()
        self.precision, self.device = precision, device
        self._located, self._adapter, self._attention, self._deadline = located, adapter, attention, deadline
        self._lock = threading.Lock()
        self._loaded: tuple[Engine, Parts, frozenset[int]] | None = None
        self._loading: Future[None] | None = None
        self._loading_lock = threading.Lock()

    __call__ = answer

    def __repr__(self) -> str:
        return f"Local({self.id})"

    def load(self) -> None:
        """Load the weights now, and not at the first call: that may take longer than a turn's deadline."""
        with self._working(None):
            pass

    def _await_weights(self, until: float) -> None:
        """Wait for the weights, which another thread loads, until a moment. Raises ChatError."""
        with self._loading_lock:
            if self._loaded is not None:
                return
            if self._loading is None or self._loading.done():
                self._loading = Future()
                threading.Thread(target=self._load_beside, args=(self._loading,), daemon=True).start()
            loading = self._loading
        try:
            loading.result(max(until - perf_counter(), 0.0))
        except TimeoutError:
            raise ChatError("timeout", f"{self._located.name} is still being loaded") from None

    def _load_beside(self, loading: Future[None]) -> None:
        try:
            self.load()
        except BaseException as error:
            loading.set_exception(error)
        else:
            loading.set_result(None)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Schema | None = None,
        n: int = 1,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
    ) -> list[Reply]:
        """n replies; greedy ones are all the same. A schema is told in the prompt, and one repair is asked for."""
        from whichpic.chat.structured import validated, with_schema

        told = list(messages) if schema is None else with_schema(messages, schema)
        with self._held(deadline):
            first = self._drawn([told], n=n, decoding=decoding)

            def again(asked: Sequence[Message]) -> Reply:
                return self._drawn([asked], n=1, decoding=decoding)[0]

            return [validated(again, told, schema, first=reply) for reply in first]

    def complete_many(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schema | None = None,
        decoding: Decoding = Decoding(),
        deadline: float | None = None,
        batch: int = 8,
    ) -> list[Reply]:
        """One reply to each conversation, `batch` of them side by side: for captions of a folder, claims to be judged."""
        from whichpic.chat.structured import validated, with_schema

        told = [list(each) if schema is None else with_schema(each, schema) for each in conversations]
        out: list[Reply] = []
        with self._held(deadline):

            def again(asked: Sequence[Message]) -> Reply:
                return self._drawn([asked], n=1, decoding=decoding)[0]

            for start in range(0, len(told), max(batch, 1)):
                several = told[start : start + max(batch, 1)]
                for asked, reply in zip(several, self._drawn(several, n=1, decoding=decoding), strict=True):
                    out.append(validated(again, asked, schema, first=reply))
        return out

    def stream(
        self, messages: Sequence[Message], *, decoding: Decoding = Decoding(), deadline: float | None = None
    ) -> Iterator[str]:
        """The reply piece by piece. Nothing runs between two pieces: closing the iterator ends it at once."""
        from whichpic.chat.local.decoding import draws, settled
        from whichpic.chat.structured import printable_part

        until = self._moment(deadline)
        began = perf_counter()
        sent, tokens, prompt = "", 0, None
        try:
            with self._working(until):
                prompt = self._prompts([messages])[0]
                engine, parts, ends = self._open()
                growing = draws(
                    engine,
                    engine.prefill([prompt]),
                    [prompt.ids.tolist()],
                    self._checked(decoding, prompt),
                    n=1,
                    ends=ends,
                    decode=self._decoder(parts),
                )
            while True:
                with self._working(until):
                    rows = next(growing, None)
                if rows is None:
                    return
                tokens, text = len(rows[0].tokens), settled(rows[0], decoding.stop)
                if len(text) > len(sent):
                    piece, sent = printable_part(text[len(sent) :]), text
                    yield piece
        finally:
            taken = 0 if prompt is None else len(prompt)
            self.usage.add(tokens_in=taken, tokens_out=tokens, seconds=perf_counter() - began)

    def choose(
        self,
        prefix: Sequence[Message],
        questions: Sequence[str],
        choices: Sequence[str | tuple[str, ...]],
        *,
        deadline: float | None = None,
    ) -> Choices:
        """The mass of each choice, [questions, choices]: the prefix is read once, its pictures are encoded once."""
        import numpy as np

        from whichpic.chat.local import inputs, scoring

        if not questions or not choices:
            return Choices(np.zeros((len(questions), len(choices))))
        began = perf_counter()
        with self._held(deadline):
            engine, parts, _ = self._open()
            family = self._located.family
            seen = inputs.look(family, parts, prefix)
            prompts = [
                inputs.prompt_of(family, parts, [*prefix, Message("user", question)], seen) for question in questions
            ]
            for prompt in prompts:
                self._checked(Decoding(max_tokens=8), prompt)
            mass = scoring.masses(engine, prompts, choices, lambda text: inputs.tokens_of(parts, text))
            shared = scoring.common(prompts)
        read = shared + sum(len(prompt) - shared for prompt in prompts)
        self.usage.add(tokens_in=read, tokens_out=len(prompts), seconds=perf_counter() - began)
        return Choices(mass)

    def logprobs(
        self, prefix: Sequence[Message], replies: Sequence[str], *, deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Log-probability of every token of each reply to the prefix (what ends a reply is not counted)."""
        from whichpic.chat.local import inputs, scoring

        began = perf_counter()
        with self._held(deadline):
            engine, parts, _ = self._open()
            prompt = self._prompts([prefix])[0]
            tokens = [inputs.tokens_of(parts, reply) for reply in replies]
            self._checked(Decoding(max_tokens=max(map(len, tokens), default=0)), prompt)
            state = engine.prefill([prompt])
            out = scoring.logprobs(engine, state, tokens, words=int(state.logits.shape[-1]))
        read = len(prompt) + sum(map(len, tokens))
        self.usage.add(tokens_in=read, seconds=perf_counter() - began)
        return out

    def _drawn(self, conversations: Sequence[Sequence[Message]], *, n: int, decoding: Decoding) -> list[Reply]:
        """n replies to each conversation, side by side; the model is held already."""
        from whichpic.chat.local.decoding import beams, draws
        from whichpic.chat.structured import cleaned

        if n < 1 or decoding.max_tokens < 1:
            raise ChatError("asked wrongly", f"{n} replies of {decoding.max_tokens} tokens; expected 1 or more of each")
        began = perf_counter()
        engine, parts, ends = self._open()
        decode = self._decoder(parts)
        prompts = self._prompts(conversations)
        decoding = self._checked(decoding, max(prompts, key=len))
        found: list[Draw] = []
        if decoding.beams > 1:
            for prompt in prompts:
                found += beams(
                    engine, engine.prefill([prompt]), prompt.ids.tolist(), decoding, n=n, ends=ends, decode=decode
                )
        else:
            each = n if decoding.temperature > 0 else 1
            ids = [prompt.ids.tolist() for prompt in prompts]
            for rows in draws(engine, engine.prefill(prompts), ids, decoding, n=each, ends=ends, decode=decode):
                found = rows
            found = [draw for draw in found for _ in range(n // each)]
        seconds = perf_counter() - began
        tokens_out = sum(len(draw.tokens) for draw in found)
        self.usage.add(tokens_in=sum(map(len, prompts)), tokens_out=tokens_out, seconds=seconds)
        return [
            Reply(cleaned(draw.text), finish=draw.finish, tokens_in=len(prompts[place // n]), tokens_out=len(draw.tokens),
                  seconds=seconds / len(found))
            for place, draw in enumerate(found)
        ]  # fmt: skip

    def _prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        from whichpic.chat.local import inputs

        _, parts, _ = self._open()
        family = self._located.family
        return [inputs.prompt_of(family, parts, each, inputs.look(family, parts, each)) for each in conversations]

    def _checked(self, decoding: Decoding, prompt: Prompt) -> Decoding:
        """The decoding, if prompt and reply fit what the model can hold. Raises ChatError("too long")."""
        config = self._located.config
        most = (config.get("text_config") or config).get("max_position_embeddings") or config.get("n_positions")
        if isinstance(most, int) and len(prompt) + decoding.max_tokens > most:
            raise ChatError(
                "too long",
                f"{len(prompt)} tokens and a reply of {decoding.max_tokens} do not fit the {most} of {self._located.name}",
            )
        return decoding

    @staticmethod
    def _decoder(parts: Parts) -> Any:
        return lambda tokens: parts.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def _moment(self, deadline: float | None) -> float | None:
        seconds = self._deadline if deadline is None else deadline
        return None if seconds is None else perf_counter() + seconds

    @contextmanager
    def _held(self, deadline: float | None) -> Iterator[None]:
        with self._working(self._moment(deadline)):
            yield

    @contextmanager
    def _working(self, until: float | None) -> Iterator[None]:
        """Hold the model until a moment; whatever goes wrong meanwhile is a ChatError."""
        if until is not None and self._loaded is None:
            self._await_weights(until)
        left = -1.0 if until is None else max(until - perf_counter(), 0.0)
        if not self._lock.acquire(timeout=left):
            raise ChatError("timeout", f"{self._located.name} is busy and did not become free in time")
        try:
            engine, _, _ = self._open()
            with engine.until(until):
                yield
        except WhichpicError:
            raise
        except Exception as error:
            if "out of memory" in str(error).lower() or isinstance(error, MemoryError):
                raise ChatError(
                    "too long", f"there is not enough memory on {self.device} for this conversation; "
                    "fewer or smaller pictures, or --precision int8 or int4, take less"
                ) from error  # fmt: skip
            line = (str(error).strip().splitlines() or [""])[0][:200]
            raise ChatError("server", f"{self._located.name} failed: {type(error).__name__}: {line}") from error
        finally:
            self._lock.release()

    def _open(self) -> tuple[Engine, Parts, frozenset[int]]:
        """The loaded model; loads it at the first call, with the lock held."""
        if self._loaded is None:
            from whichpic.chat.local import loading
            from whichpic.chat.local import precision as precisions
            from whichpic.chat.local.running import Engine

            located = self._located
            parts = loading.parts_of(located)
            model = loading.load(located, precisions.options(self.precision), self.device, self._attention)  # type: ignore[arg-type]
            settings = model.generation_config
            if self._adapter is not None:
                model = loading.with_adapter(model, self._adapter, located.name)
            tokenizer = parts.tokenizer
            given = settings.eos_token_id if settings is not None else None
            known = tokenizer.get_vocab()
            ends = {*(given if isinstance(given, list) else [given]), tokenizer.eos_token_id}
            ends |= {known[token] for token in _ENDS if token in known}
            pad = tokenizer.pad_token_id
            engine = Engine(model, located.family, pad=0 if pad is None else pad)
            self._loaded = engine, parts, frozenset(each for each in ends if each is not None)
        return self._loaded


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"
