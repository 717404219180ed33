"""Where the weights of a local model are, what they are, and opening them. Called by local (open_local, Local).

Safetensors alone, code of others never: the one exception is allow_code with a revision, and it is said loudly. Weights
with tensors missing, or adapters that do not fit, are refused: half a model answers too, and wrongly.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whichpic.chat.local import moved
from whichpic.chat.local.families import TEXT, Family, Parts, family_of, known_types
from whichpic.errors import ChatError, ExtraMissing

_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SAMPLE = 1 << 20
"""Bytes of each end of a weight file that its fingerprint is made of."""


@dataclass(frozen=True)
class Located:
    """Weights that are here. revision: the hub's commit, or a fingerprint of the files. code: theirs may run."""

    name: str
    folder: Path
    config: dict[str, Any]
    family: Family
    revision: str
    code: bool = False


def locate(name: str | Path, *, allow_code: str | None = None) -> Located:
    """The weights of a folder or a hub id, fetched where they are not here yet. Raises ChatError, ExtraMissing."""
    name = str(name) if Path(name).expanduser().exists() else moved.now(str(name))
    folder = Path(name).expanduser()
    if folder.suffix.lower() == ".gguf":
        raise ChatError(
            "unsupported",
            f"{folder.name} is a file of llama.cpp: start its server (llama-server -m {folder.name}) and say --chat llamacpp:",
        )
    if folder.is_dir():
        label, revision = folder.resolve().name, ""
    elif folder.exists() or not re.fullmatch(r"\w[\w.-]*/[\w.-]+", str(name)):
        raise ChatError("unsupported", f"there is no folder of weights '{name}', and it is no id of a hub (owner/name)")
    else:
        label = name
        moved.refuse_id(label)
        folder = fetch(label, allow_code)
        revision = folder.name
    config = read_json(folder / "config.json")
    moved.refuse(label, folder, config)
    if not config:
        raise ChatError("unsupported", f"{label} has no config.json; expected weights in the layout of the hub")
    _no_hidden_code(label, config)
    kind = str(config.get("model_type"))
    family = family_of(config)
    code = False
    if family is None:
        _allowed(label, folder, config, revision, allow_code)
        family, code = TEXT, True
    elif allow_code is not None:
        warnings.warn(f"{label} needs no code of its own: transformers has {kind}; none is run", stacklevel=2)
    pattern = "*.safetensors"
    if family.load is not None and not any(folder.glob(pattern)):
        pattern = "*.bin"
        folder = fetch(label, allow_code, also=(pattern,)) if revision else folder
    return Located(label, folder, config, family, revision or fingerprint(folder, pattern), code)


def fingerprint(folder: Path, pattern: str = "*.safetensors") -> str:
    """Names the weights of a folder: its config, and the size, head and tail of each file; 16 hex digits.

    A gigabyte is not hashed at every start; two trainings of one model differ in head and tail too.
    """
    digest = hashlib.sha256()
    for path in [*sorted(folder.glob("*config.json")), *sorted(folder.glob(pattern))]:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            file.seek(max(size - _SAMPLE, 0))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:16]


def code_revision(folder: Path) -> str:
    """Names the Python files of a folder: what --allow-code takes for code that is already on this machine."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:40]


def parts_of(located: Located) -> Parts:
    """Config, preprocessor, tokenizer and chat template. Raises ChatError."""
    folder = located.folder
    processor = read_json(folder / "processor_config.json")
    nested = processor.pop("image_processor", None)
    found = read_json(folder / "preprocessor_config.json") or (nested if isinstance(nested, dict) else {})
    with quiet():
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=located.code, local_files_only=True)
        except Exception as error:
            alone = (folder / "tokenizer.model").exists() and not (folder / "tokenizer.json").exists()
            hint = "; a tokenizer.model takes the packages sentencepiece and protobuf" if alone else ""
            what = "config.json" if type(error).__name__.startswith("StrictDataclass") else "tokenizer"
            raise ChatError(
                "unsupported", f"the {what} of {located.name} cannot be read: {_line(error)}{hint}"
            ) from None
    template = processor.get("chat_template") or read_json(folder / "chat_template.json").get("chat_template")
    parts = Parts(
        config=located.config,
        preprocessor={**located.family.defaults, **{key: value for key, value in found.items() if value is not None}},
        processor=processor,
        tokenizer=tokenizer,
        template=template if isinstance(template, str) else None,
    )
    return parts if located.family.adapt is None else located.family.adapt(folder, parts)


def load(located: Located, options: Mapping[str, Any], device: str, attention: str) -> Any:
    """The model, ready to be asked. options: of `precision.options`. Raises ChatError with what is wrong with it."""
    import transformers

    opener = getattr(transformers, located.family.auto)
    quantised = "quantization_config" in options
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it would say at every layer what it casts
    if located.family.load is None and not any(located.folder.glob("*.safetensors")):
        raise ChatError(
            "unsupported",
            f"{located.name} has no safetensors files, and pickles (.bin, .pt) are not opened; "
            "save it anew with transformers' save_pretrained, or take another revision",
        )
    common = {
        "use_safetensors": True,
        "local_files_only": True,
        "trust_remote_code": located.code,
        "device_map": {"": device} if quantised or device.startswith("cuda") else None,
        **options,
    }
    problem: Exception | None = None
    for way in _attentions(attention, device):
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of bitsandbytes, when it is imported
                if located.family.load is not None:
                    model = located.family.load(located.folder, opener, {**common, "attn_implementation": way})
                else:
                    model, said = opener.from_pretrained(
                        located.folder, attn_implementation=way, output_loading_info=True,
                        ignore_mismatched_sizes=True, **common,
                    )  # fmt: skip
                    _whole(located, said)
        except (ImportError, ValueError) as error:
            problem = problem or error  # a way of attention that this model or machine does not have
            continue
        except (OSError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise ChatError("unsupported", f"{located.name} cannot be loaded: {_line(error)}") from error
        return (model if quantised else model.to(device)).eval()
    raise ChatError("unsupported", f"{located.name} cannot be loaded: {_line(problem)}") from problem


def adapter_id(folder: Path) -> str:
    """The hash of a LoRA adapter, 16 hex digits. Raises ChatError for what is not one, or not a safe one."""
    config = read_json(folder / "adapter_config.json")
    weights = folder / "adapter_model.safetensors"
    if not weights.is_file():
        if (folder / "adapter_model.bin").exists():
            raise ChatError(
                "unsupported",
                f"the adapter {folder} is a pickle (adapter_model.bin), which can run code when it is opened; "
                "save it again with peft's save_pretrained(..., safe_serialization=True)",
            )
        raise ChatError("unsupported", f"there is no adapter in {folder}; expected adapter_model.safetensors of peft")
    if config.get("peft_type") != "LORA":
        raise ChatError("unsupported", f"the adapter {folder} is of type {config.get('peft_type')}; LORA is taken")
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    digest.update(weights.read_bytes())
    return digest.hexdigest()[:16]


def with_adapter(model: Any, folder: Path, name: str) -> Any:
    """The model with a LoRA adapter on it. Raises ChatError where a weight of the adapter finds no place, ExtraMissing."""
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError:
        raise ExtraMissing("a LoRA adapter (peft)", "local") from None
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", framework="np") as file:
        given = set(file.keys())
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft says what is missing in a warning; it is an error here
            adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    except Exception as error:
        raise ChatError("unsupported", f"the adapter {folder.name} does not fit {name}: {_line(error)}") from error
    odd = sorted(given ^ set(get_peft_model_state_dict(adapted)))
    if odd:
        raise ChatError(
            "unsupported",
            f"the adapter {folder.name} does not fit {name}: {len(odd)} tensors have no counterpart, e.g. {odd[0]}",
        )
    return adapted.eval()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is none. Raises ChatError for one that cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ChatError("unsupported", f"{path.name} cannot be read: {_line(error)}") from None
    return value if isinstance(value, dict) else {}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' advice and progress bars off the terminal."""
    try:
        from transformers.utils import logging as said
    except ImportError:
        raise ExtraMissing("a model in this process (transformers)", "local") from None

    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity_error()
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(level)
        if bars:
            said.enable_progress_bar()


def fetch(name: str, allow_code: str | None = None, *, also: tuple[str, ...] = ()) -> Path:
    """A snapshot of a hub's repository: weights and settings, and its code only with a revision that allows it.

    also: patterns of further files. Raises ChatError where it cannot be had.
    """
    from huggingface_hub import snapshot_download

    from whichpic.models import hub

    if allow_code is not None and not _COMMIT.fullmatch(allow_code):
        raise ChatError("asked wrongly", f"--allow-code takes a commit of {name} (40 hex digits), not '{allow_code}'")
    patterns = [*_FILES, *also, *(["*.py"] if allow_code else [])]
    try:
        folder = snapshot_download(
            name,
            revision=allow_code,
            allow_patterns=patterns,
            ignore_patterns=["consolidated*.safetensors"],  # the same weights again, for another library
            local_files_only=hub.offline(),
            endpoint=hub.endpoint(),
        )
    except Exception as error:  # errors of three libraries
        raise ChatError(
            "unreachable", f"the weights of {name} cannot be had: it is no folder here, and {_why(error)}"
        ) from error
    return Path(folder)


def _why(error: Exception) -> str:
    """Why the hub gives no weights."""
    from huggingface_hub import errors

    from whichpic.models import hub

    match error:
        case errors.GatedRepoError():
            return "on the hub its owner gives it out on request; ask for it there, and set HF_TOKEN"
        case errors.RepositoryNotFoundError():
            return "the hub has no such repository, or a private one (set HF_TOKEN)"
        case errors.RevisionNotFoundError():
            return "the hub has no such revision of it"
        case _ if hub.offline():
            return "it was not fetched before; WHICHPIC_OFFLINE or HF_HUB_OFFLINE is set"
        case errors.LocalEntryNotFoundError() | OSError():
            return "the hub does not answer; HF_ENDPOINT may name a mirror"
        case _:
            return _line(error)


def _allowed(label: str, folder: Path, config: Mapping[str, Any], revision: str, allow_code: str | None) -> None:
    """Refuse a model type that transformers' own code does not cover here, unless its own code is allowed."""
    kind, names = config.get("model_type"), ", ".join(known_types())
    if not config.get("auto_map"):
        raise ChatError("unsupported", f"{label} is of type {kind}, which is not known here; known are {names}")
    revision = revision or code_revision(folder)
    if allow_code is None:
        raise ChatError(
            "refused",
            f"{label} (type {kind}) brings Python code of its own, which is not run; known without are {names}. "
            f"If you have read its code and trust it: --allow-code {revision}",
        )
    if allow_code != revision:
        raise ChatError("refused", f"the code of {label} is {revision}, and --allow-code says {allow_code}; not run")
    _own_code_alone(label, folder)
    warnings.warn(
        f"RUNNING CODE OF OTHERS: {label} at {revision}, as --allow-code says; it can do all that you can", stacklevel=3
    )


def _own_code_alone(label: str, folder: Path) -> None:
    """A revision that allows code says nothing of the code of another repository, which "owner/name--module" names."""
    for path in sorted(folder.glob("*.json")):
        if path.name.endswith(".index.json") or path.name == "tokenizer.json":
            continue
        own = read_json(path).get("auto_map")
        named = own.values() if isinstance(own, dict) else [own]
        flat = [name for each in named for name in (each if isinstance(each, list | tuple) else [each])]
        if odd := next((str(name) for name in flat if "--" in str(name)), ""):
            raise ChatError(
                "refused",
                f"{label} takes code from elsewhere ({odd[:80]} in {path.name}), which --allow-code does not cover",
            )


def _no_hidden_code(label: str, config: Mapping[str, Any]) -> None:
    """A config that asks for code to be trusted, at any depth (CVE-2026-5241)."""
    open_ends: list[Any] = [config]
    while open_ends:
        value = open_ends.pop()
        if isinstance(value, dict):
            if value.get("trust_remote_code"):
                raise ChatError("refused", f"the config of {label} asks for its code to be trusted; it is not loaded")
            open_ends.extend(value.values())
        elif isinstance(value, list):
            open_ends.extend(value)


def _attentions(asked: str, device: str) -> list[str]:
    """The ways of attention to try: as asked, or the fastest that is installed first."""
    ways = {"flash": "flash_attention_2", "flash_attention_2": "flash_attention_2", "sdpa": "sdpa", "eager": "eager"}
    if asked != "auto":
        if asked not in ways:
            raise ChatError("asked wrongly", f"no attention is called '{asked}'; expected auto, {', '.join(ways)}")
        return [ways[asked]]
    from importlib.util import find_spec

    flash = device.startswith("cuda") and find_spec("flash_attn") is not None
    return [*(["flash_attention_2"] if flash else []), "sdpa", "eager"]


def _whole(located: Located, said: Mapping[str, Any]) -> None:
    missing = sorted(said.get("missing_keys", ()))
    wrong = sorted(str(each[0] if isinstance(each, tuple) else each) for each in said.get("mismatched_keys", ()))
    for what, names in (("are missing", missing), ("have another shape than its config.json says", wrong)):
        if names:
            raise ChatError(
                "unsupported",
                f"{located.name} is not a whole {located.config.get('model_type')}: {len(names)} tensors {what}, "
                f"e.g. {names[0]}",
            )


def _line(error: object) -> str:
    """The first line of whatever was raised, or the next where that only announces it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[lines[0].endswith(":") and len(lines) > 1].strip()[:300]
