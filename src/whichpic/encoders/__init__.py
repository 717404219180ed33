"""Encoders: which there are, and how one is opened by name. Called by album, session and cli.

`open_encoder` is the one factory; it never fetches anything unless it is given the means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from whichpic.errors import EncoderError, ModelError, WhichpicError

if TYPE_CHECKING:
    from whichpic.types import Encoder

__all__ = ["default_name", "name_of", "of_id", "open_encoder", "what_is_better"]

_BEST = "siglip2-base"
_UNDERSTANDS = {
    "siglip2-base": "many languages",
    "siglip-base": "English",
    "clip-base": "English",
    "clip-large": "English",
}
_BLIP = {"chatir": "whole dialogues in English, as ChatIR trained it", "blip-coco": "English captions of COCO"}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def default_name() -> str:
    """What "auto" means here and now: siglip2-base where its weights are or the hub answers (2 s), else names.

    WHICHPIC_ENCODER, where it is set to a name, decides alone.
    """
    from whichpic.models import have
    from whichpic.models.hub import answers
    from whichpic.models.table import MODELS, Hub
    from whichpic.settings import settings

    chosen = settings().encoder.strip()
    if chosen and chosen != "auto":
        return chosen
    if have(_BEST):
        return _BEST
    source = MODELS[_BEST].sources[0]
    return _BEST if isinstance(source, Hub) and answers(source) else "names"


def open_encoder(name: str = "auto", *, fetch: Callable[[str], object] | None = None) -> Encoder:
    """The encoder of a name: auto, names, toy, an encoder of `whichpic models list`, onnx:FOLDER, or by transformers:
    chatir (chatir_weights.ckpt in WHICHPIC_HOME/models/chatir), blip-coco, torch:FOLDER, torch:CHECKPOINT, torch:HUB/ID.

    What runs by transformers takes a precision: torch:FOLDER@fp32 (or bf16, fp16); see encoders.torch.Torch.
    Weights that are not here raise ModelError with the command that gets them; with `fetch` (for example
    `functools.partial(whichpic.models.get, on_progress=...)`) it is called with the model's or set's name first.
    EncoderError for a name that is not known, or a folder that is not what it should be.
    """
    match default_name() if name == "auto" else name:
        case "toy":
            from whichpic.encoders.toy import Toy

            return Toy()
        case "names":
            _fetch_missing("bundled", fetch)
            from whichpic.encoders.names import Names

            return Names.load()
        case known if known in _UNDERSTANDS:
            from whichpic.encoders.onnx import Onnx
            from whichpic.models import locate

            _fetch_missing(known, fetch)
            return Onnx(locate(known), name=known, understands=f"understands {_UNDERSTANDS[known]}")
        case local if local.startswith("onnx:"):
            from whichpic.encoders.onnx import Onnx

            return Onnx(local.removeprefix("onnx:"))
        case other if other.partition("@")[0] in _BLIP or other.startswith("torch:"):
            return _by_transformers(other, fetch)
        case unknown:
            known_names = ", ".join(
                ("auto", "names", "toy", *_UNDERSTANDS, *_BLIP, "onnx:FOLDER", "torch:FOLDER_OR_ID")
            )
            raise EncoderError(f"no encoder is called '{unknown}'; known are: {known_names}")


def of_id(encoder_id: str) -> Encoder | None:
    """The encoder of an id (that stands beside vectors, as in `whichpic show`) where it is on this machine, else None."""
    name = name_of(encoder_id)
    if not name:
        return None
    try:
        found = open_encoder(name)
    except WhichpicError:
        return None
    return found if found.id == encoder_id else None


def name_of(encoder_id: str) -> str:
    """The name that opens the encoder of an id, "" where it has none here. What runs by transformers is another encoder in
    another number format, so that the name says which."""
    for name in sorted(("toy", "names", *_UNDERSTANDS, *_BLIP), key=len, reverse=True):
        if encoder_id == name or encoder_id.startswith(f"{name}-"):
            return f"{name}@{encoder_id.rpartition('-')[2]}" if name in _BLIP else name
    return ""


def what_is_better(encoder: Encoder) -> str | None:
    """The one command that gets a better encoder than this one; None where it is the best of the table, or your own."""
    if encoder.id.startswith(("names", "toy", "siglip-base-", "clip-base-", "clip-large-")):
        return f"whichpic models get {_BEST}"
    return None


def _by_transformers(name: str, fetch: Callable[[str], object] | None) -> Encoder:
    from whichpic.encoders.torch import PRECISIONS, Precision, Torch

    name, at, wanted = name.rpartition("@") if name.rpartition("@")[2] in PRECISIONS else (name, "", "")
    precision = cast("Precision", wanted if at else "auto")
    if name == "chatir":
        weights, words = _chatir()
        understands = f"understands {_BLIP[name]}"
        return Torch(weights, name=name, precision=precision, side=224, tokenizer=words, understands=understands)
    if name == "blip-coco":
        folder = _snapshot("Salesforce/blip-itm-base-coco", fetch=fetch is not None)
        return Torch(folder, name=name, precision=precision, understands=f"understands {_BLIP[name]}")
    source = Path(name.removeprefix("torch:")).expanduser()
    if source.exists() or not _HUB_ID.fullmatch(name.removeprefix("torch:")):
        return Torch(source, precision=precision)
    repo = name.removeprefix("torch:")
    return Torch(_snapshot(repo, fetch=fetch is not None), name=repo.replace("/", "-"), precision=precision)


def _chatir() -> tuple[Path, Path]:
    """The checkpoint of ChatIR, which its authors give out by hand, and the folder of a tokenizer that fits it."""
    from whichpic.models.store import root

    folder = root() / "chatir"
    found = sorted(folder.glob("*.ckpt"))
    if not found:
        raise ModelError(f"the weights of 'chatir' are not here: put chatir_weights.ckpt of ChatIR into {folder}")
    # all-MiniLM-L6-v2 kept the WordPiece vocabulary of bert-base-uncased, which BLIP uses.
    for words in (folder, root() / "minilm"):
        if (words / "tokenizer.json").is_file() or (words / "vocab.txt").is_file():
            return found[0], words
    raise ModelError(f"'chatir' needs vocab.txt of bert-base-uncased in {folder}, or: whichpic models get minilm")


def _snapshot(repo: str, *, fetch: bool) -> Path:
    """The folder of a repository of the hub on this machine, fetched where `fetch` says so. ModelError if it is not."""
    from huggingface_hub import snapshot_download

    from whichpic.models.hub import endpoint, offline

    wanted = ["*.json", "vocab.txt", "*.safetensors"]
    ways = (True, False) if fetch and not offline() else (True,)
    for local in ways:
        try:
            folder = Path(snapshot_download(repo, allow_patterns=wanted, local_files_only=local, endpoint=endpoint()))
            if local is ways[-1] or _is_whole(folder):
                return folder
        except Exception as error:  # the hub's errors share no public root
            why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    raise ModelError(f"'{repo}' is neither a folder nor on this machine, and the hub does not give it ({why})")


def _is_whole(folder: Path) -> bool:
    """Whether a snapshot has what an encoder is made of: a fetch that was stopped leaves a folder with less."""
    has = {path.name for path in folder.iterdir()}
    words = {"tokenizer.json", "vocab.txt"} & has
    return {"config.json", "preprocessor_config.json"} <= has and bool(words) and any(folder.glob("*.safetensors"))


def _fetch_missing(name: str, fetch: Callable[[str], object] | None) -> None:
    from whichpic.models import expand, have

    missing = [one for one in expand(name) if not have(one)]
    if not missing:
        return
    if fetch is None:
        raise ModelError(f"the weights of '{name}' are not here; get them with: whichpic models get {name}")
    fetch(name)
