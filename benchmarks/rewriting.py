"""Is a sentence that a small model rewrote worth more than what was said? On recorded dialogues over an album of captions.

    python -m benchmarks.rewriting DATA --out FOLDER [--model qwen2.5-coder-0.5b] [--chat URL] [--only-score]

DATA holds chatir/ (VisDial_v1.0_queries_val.json, ChatGPT_BLIP2.json). Documents are the human dialogues without their
captions; ChatGPT_BLIP2's are heard. The belief's constants are fitted on one half of the pictures and read on 200
dialogues of the other, at turns 5 and 10. `reconstruct` with each model against `join` and against the belief alone.
Every reply is kept in FOLDER/<model>.jsonl: what was interrupted goes on, and --only-score needs no model. Bundled
encoder only; a reply takes some 4 s (0.5B) to 8 s (1.5B) on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.album.datasets import read_dataset
from whichpic.chat import Decoding, Message, open_chat
from whichpic.chat.scripted import Scripted
from whichpic.dialogue import BeliefSettings
from whichpic.dialogue.belief import believe
from whichpic.dialogue.constants import read_belief
from whichpic.dialogue.events import Noted, Record, Said
from whichpic.dialogue.rewriting import Rewritten, cleaned, join, reconstruct
from whichpic.encoders import open_encoder
from whichpic.errors import ChatError, SessionError
from whichpic.evaluate.fitting import fitted
from whichpic.evaluate.intervals import percentiles, resampled_means
from whichpic.evaluate.ranks import count_ranks
from whichpic.evaluate.replaying import Heard, Remembering, halves, read_heard
from whichpic.search.captions import Words
from whichpic.search.gallery import Gallery

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.chat.base import Chat

    Doubles = NDArray[np.float64]

MODELS = ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
TURNS = (5, 10)
AT_ONCE = 4
"""Requests at a time: the server reads its weights once for all of them."""
LONGEST = 80
"""Tokens of a reply, at most."""
SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the rewritten sentence beside what was said; 1 is the published way: it replaces all that was said."""


def main() -> None:
    chosen = _options()
    documents = read_dataset(chosen.data / "chatir" / "VisDial_v1.0_queries_val.json", opening=False)
    gallery = Gallery.of_captions(documents, Remembering(open_encoder("names")), cache=chosen.out / "vectors")
    dialogues = read_heard(chosen.data / "chatir" / "ChatGPT_BLIP2.json", gallery)
    learn, rest = halves(dialogues, chosen.seed)
    order = np.random.default_rng(chosen.seed).permutation(len(rest))[: chosen.dialogues]
    read = [rest[at] for at in order]
    if not chosen.only_score:
        for model in chosen.model or MODELS:
            write(model, read, chosen.out, chat=chosen.chat, threads=chosen.threads)
    scored = Scored(gallery, documents.captions, constants(gallery, learn, chosen.out / "belief.json"), read)
    table = scored.table({model: kept_file(chosen.out, model) for model in chosen.model or MODELS})
    (chosen.out / "rewriting.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    show(table)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--model", action="append", help="a model or .gguf file; a server is started (twice: both)")
    options.add_argument("--chat", help="a server that runs already, as of `whichpic talk --chat`; with one --model")
    options.add_argument("--threads", type=int, default=2, help="of the server; 1 where others use the cores too")
    options.add_argument("--only-score", action="store_true")
    options.add_argument("--dialogues", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    return chosen


def said_until(dialogue: Heard, turn: int) -> list[Said]:
    """What was said up to a turn, the opening and the replies."""
    return [event for events in dialogue.turns[: turn + 1] for event in events if isinstance(event, Said)]


# --- writing ---------------------------------------------------------------------------------------------------------


def write(model: str, dialogues: Sequence[Heard], out: Path, *, chat: str | None = None, threads: int = 1) -> None:
    """Ask a model for what is not kept yet; a reply that fails is said, and asked for again the next time."""
    path = kept_file(out, model)
    kept = keeping(path, None)
    # One dialogue's turns one after the other: the later prompt begins as the earlier one, and the server keeps that.
    wanted = [said for each in dialogues
              if (said := [some for turn in TURNS if not _is_kept(some := said_until(each, turn), kept)])]  # fmt: skip
    if not wanted:
        return
    with opened(model, chat, threads) as talker, ThreadPoolExecutor(AT_ONCE) as pool:
        telling = keeping(path, talker)

        def one(turns: Sequence[Sequence[Said]]) -> None:
            for said in turns:
                try:
                    reconstruct(said, telling)
                except ChatError as error:
                    print(f"{model}: {error}", file=sys.stderr)

        for done, _ in enumerate(pool.map(one, wanted), start=1):
            if done % 10 == 0 or done == len(wanted):
                print(f"{model}: {done} of {len(wanted)} dialogues written", file=sys.stderr, flush=True)


def _is_kept(said: Sequence[Said], kept: Chat) -> bool:
    try:
        reconstruct(said, kept)
    except ChatError:
        return False
    return True


def kept_file(out: Path, model: str) -> Path:
    """Where the replies of a model are kept."""
    return out / f"{Path(model).stem if model.endswith('.gguf') else model}.jsonl"


@contextmanager
def opened(model: str, chat: str | None, threads: int) -> Iterator[Chat]:
    """The chat at an address, or that of a server which is started for a model."""
    from benchmarks.llama_server import serving

    if chat is not None:
        yield open_chat(chat)
        return
    with serving(model, context=1024 * AT_ONCE, slots=AT_ONCE, threads=threads) as address:
        yield open_chat(f"llamacpp:{address}")


def replies(path: Path) -> dict[str, tuple[str, float]]:
    """Replies that are kept, by what was asked; a torn last line is left out."""
    found: dict[str, tuple[str, float]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                plain = json.loads(line)
                found[plain["asked"]] = (plain["text"], plain["seconds"])
            except (ValueError, KeyError):
                continue
    return found


def keeping(path: Path, talker: Chat | None) -> Scripted:
    """A chat that says what is kept in a file, asks `talker` for the rest, and keeps that too."""
    have, adding = replies(path), Lock()

    def say(messages: Sequence[Message]) -> str:
        asked = key_of(messages)
        if asked not in have:
            if talker is None:
                raise ChatError("empty", f"{path} has no reply to this")
            began = perf_counter()
            text = talker.complete(messages, decoding=Decoding(max_tokens=LONGEST), deadline=600)[0].text
            have[asked] = (text, perf_counter() - began)
            with adding, path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"asked": asked, "text": text, "seconds": have[asked][1]}) + "\n")
        return have[asked][0]

    return Scripted(say, name=path.stem)


def key_of(messages: Sequence[Message]) -> str:
    """The sha256 of what was asked."""
    return hashlib.sha256(json.dumps([[each.role, each.text] for each in messages]).encode()).hexdigest()


# --- scoring ---------------------------------------------------------------------------------------------------------


def constants(gallery: Gallery, learn: Sequence[Heard], path: Path) -> BeliefSettings:
    """The belief's constants, fitted on dialogues that are not read; kept in a file, since fitting takes minutes."""
    try:
        return read_belief(path)
    except SessionError:
        settings = fitted(gallery, learn, BeliefSettings(), what="texts")
        path.write_text(json.dumps({"settings": settings.to_json()}), encoding="utf-8")
        return settings


class Scored:
    """The target's rank in every dialogue that is read, under sentences that replace or join what was said."""

    def __init__(
        self,
        gallery: Gallery,
        captions: Mapping[str, Sequence[str]],
        settings: BeliefSettings,
        read: Sequence[Heard],
    ) -> None:
        self.gallery, self.settings, self.read = gallery, settings, read
        spoken = [" ".join(captions.get(name, ())) for name in gallery.ids]
        self.words = Words([_ascii(text) for text in spoken], range(gallery.n), gallery.n)
        self.opening = np.array([self._rank(each, 0, None, 0.0) for each in read])

    def table(self, models: Mapping[str, Path]) -> dict[str, Any]:
        """Everything that was measured, as plain JSON values."""
        found: dict[str, Any] = {"dialogues": len(self.read), "pool": self.gallery.n, "turns": {}, "models": {}}
        for turn in TURNS:
            sentences: dict[str, list[str | None]] = {
                "join": [join([said.text for said in said_until(each, turn)]) for each in self.read]
            }
            for model, path in models.items():
                kept = rewritings(self.read, turn, path)
                found["models"].setdefault(model, {})[str(turn)] = told_of(kept)
                sentences[f"{model}, as it came"] = [None if each is None else each[0] for each in kept]
                sentences[f"{model}, checked"] = [None if each is None else each[1].text for each in kept]
            found["turns"][str(turn)] = self._rows(turn, sentences)
        return found

    def _rows(self, turn: int, sentences: Mapping[str, Sequence[str | None]]) -> list[dict[str, Any]]:
        """The figures of a turn: of the belief alone, of every sentence with every share, and of words alone."""
        alone = np.full(len(self.read), np.nan)
        ranks = {(what, share): alone.copy() for what in sentences for share in SHARES}
        by_words = {what: alone.copy() for what in sentences}
        for row, dialogue in enumerate(self.read):  # all of one dialogue together: its evidence is kept that long
            alone[row] = self._rank(dialogue, turn, None, 0.0)
            for what, texts in sentences.items():
                sentence = texts[row]
                if sentence is not None:
                    by_words[what][row] = self._by_words(dialogue, sentence)
                    for share in SHARES:
                        ranks[what, share][row] = self._rank(dialogue, turn, sentence, share)
        rows = [{"what": "the belief alone", "share": 0.0, **self._summary(alone)}]
        for (what, share), own in ranks.items():
            others = {"the belief": alone} if what == "join" else {"the belief": alone, "join": ranks["join", share]}
            rows.append({"what": what, "share": share, **self._summary(own, others)})
        for what, own in by_words.items():
            others = {} if what == "join" else {"join": by_words["join"]}
            rows.append({"what": f"{what}, by words", "share": 1.0, **self._summary(own, others)})
        return rows

    def _rank(self, dialogue: Heard, turn: int, sentence: str | None, share: float) -> float:
        """The target's rank after a turn; `sentence` stands beside what was said, with that share."""
        settings = replace(self.settings, rewriter="reconstruct", alphas={"reconstruct": share})
        records = [Record(n, event) for n, event in enumerate(said_until(dialogue, turn))]
        if sentence:
            records[-1] = replace(records[-1], noted=Noted(records[-1].n, rewritten=sentence))
        return self._mean_rank(believe(self.gallery, records, settings).log, dialogue)

    def _by_words(self, dialogue: Heard, sentence: str) -> float:
        """The target's rank by BM25 of the sentence alone, as the field's text proxy has it."""
        return self._mean_rank(self.words.scores(_ascii(sentence)), dialogue)

    def _mean_rank(self, scores: NDArray[np.floating], dialogue: Heard) -> float:
        better, ties = count_ranks(scores, self.gallery.positions[dialogue.target])
        return better + 1 + ties / 2

    def _summary(self, ranks: Doubles, against: Mapping[str, Doubles] | None = None) -> dict[str, Any]:
        """Figures of the dialogues that have a rank (NaN: none); differences are paired, with 95 % bootstrap intervals."""
        have = ~np.isnan(ranks)
        if not have.any():
            return {"n": 0}
        plain: dict[str, Any] = {
            "n": int(have.sum()),
            "recall@10": 100 * float((ranks[have] <= 10).mean()),
            "log_rank": float(np.log(ranks[have]).mean()),
            "worse_than_opening": 100 * float((ranks[have] > self.opening[have]).mean()),
        }
        for name, other in (against or {}).items():
            both = have & ~np.isnan(other)
            recall = 100.0 * ((ranks[both] <= 10).astype(np.float64) - (other[both] <= 10))
            logs = np.log(ranks[both]) - np.log(other[both])
            low, high = percentiles(resampled_means(np.stack([recall, logs], axis=1)))
            plain[f"against {name}"] = {
                "recall@10": [float(recall.mean()), float(low[0]), float(high[0])],
                "log_rank": [float(logs.mean()), float(low[1]), float(high[1])],
            }
        return plain


def _ascii(text: str) -> str:
    return re.sub("[^a-z0-9]+", " ", text.lower())


def rewritings(read: Sequence[Heard], turn: int, path: Path) -> list[tuple[str, Rewritten, float] | None]:
    """Each dialogue's sentence as the model wrote it, what the check made of it, and the seconds; None: not kept."""
    kept, have = keeping(path, None), replies(path)
    found: list[tuple[str, Rewritten, float] | None] = []
    for dialogue in read:
        try:
            made = reconstruct(said_until(dialogue, turn), kept)
        except ChatError:
            found.append(None)
            continue
        text, seconds = have[key_of(kept.asked[-1])]
        found.append((cleaned(text), made, seconds))
    return found


def told_of(kept: Sequence[tuple[str, Rewritten, float] | None]) -> dict[str, Any]:
    """How often the check let a sentence pass, mended it, or took `join` instead; of those that are kept."""
    have = [each for each in kept if each is not None]
    if not have:
        return {"n": 0}
    checked = [made.checked for _, made, _ in have]
    return {
        "n": len(have),
        "passed_%": 100 * sum(not made.repaired and not made.fell_back for _, made, _ in have) / len(have),
        "repaired_%": 100 * sum(made.repaired for _, made, _ in have) / len(have),
        "fell_back_%": 100 * sum(made.fell_back for _, made, _ in have) / len(have),
        "lost_something_%": 100 * sum(bool(each and each.lost) for each in checked) / len(have),
        "invented_something_%": 100 * sum(bool(each and each.invented) for each in checked) / len(have),
        "lost_each": sum(len(each.lost) for each in checked if each) / len(have),
        "invented_each": sum(len(each.invented) for each in checked if each) / len(have),
        "seconds_median": float(np.median([seconds for *_, seconds in have])),
        "words_median": float(np.median([len(text.split()) for text, *_ in have])),
    }


def show(table: Mapping[str, Any]) -> None:
    """The tables, as they stand in docs/language-models.md."""
    for model, turns in table["models"].items():
        for turn, told in turns.items():
            print(f"{model}, turn {turn}: " + ", ".join(f"{name} {value:.4g}" for name, value in told.items()))
    for turn, rows in table["turns"].items():
        print(f"\nturn {turn}, {table['dialogues']} dialogues, {table['pool']} pictures")
        print(
            "| sentence | share | n | Recall@10 | mean ln rank | worse than the opening | against the belief | join |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for row in (row for row in rows if row["n"]):
            against = [_interval(row.get(f"against {name}")) for name in ("the belief", "join")]
            print(f"| {row['what']} | {row['share']} | {row['n']} | {row['recall@10']:.1f} | {row['log_rank']:.3f} | "
                  f"{row['worse_than_opening']:.1f} % | {against[0]} | {against[1]} |")  # fmt: skip


def _interval(found: Mapping[str, Sequence[float]] | None) -> str:
    if found is None:
        return ""
    recall, logs = found["recall@10"], found["log_rank"]
    return f"{recall[0]:+.1f} [{recall[1]:+.1f}, {recall[2]:+.1f}]; ln {logs[0]:+.2f} [{logs[1]:+.2f}, {logs[2]:+.2f}]"


if __name__ == "__main__":
    main()
