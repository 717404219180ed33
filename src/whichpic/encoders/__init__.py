"""Encoders: which there are, and how one is opened by name. Called by album, session and cli.

`open_encoder` is the one factory; it never fetches anything unless it is given the means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from whichpic.errors import EncoderError, ModelError

if TYPE_CHECKING:
    from whichpic.types import Encoder

__all__ = ["default_name", "open_encoder", "what_is_better"]

_BEST = "siglip2-base"
_UNDERSTANDS = {
    "siglip2-base": "many languages",
    "siglip-base": "English",
    "clip-base": "English",
    "clip-large": "English",
}


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
    """The encoder of a name: auto, names, toy, an encoder of `whichpic models list`, or onnx:FOLDER.

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
        case unknown:
            known_names = ", ".join(("auto", "names", "toy", *_UNDERSTANDS, "onnx:FOLDER"))
            raise EncoderError(f"no encoder is called '{unknown}'; known are: {known_names}")


def what_is_better(encoder: Encoder) -> str | None:
    """The one command that gets a better encoder than this one; None where it is the best of the table, or your own."""
    if encoder.id.startswith(("names", "toy", "siglip-base-", "clip-base-", "clip-large-")):
        return f"whichpic models get {_BEST}"
    return None


def _fetch_missing(name: str, fetch: Callable[[str], object] | None) -> None:
    from whichpic.models import expand, have

    missing = [one for one in expand(name) if not have(one)]
    if not missing:
        return
    if fetch is None:
        raise ModelError(f"the weights of '{name}' are not here; get them with: whichpic models get {name}")
    fetch(name)
