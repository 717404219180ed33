"""What a user may set once for all commands, by environment variables that begin with WHICHPIC_. Read by cli and models."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def user_data_dir() -> Path:
    """The folder where programs of this user keep their data, by the custom of the platform (XDG on Linux)."""
    import os

    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "whichpic"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "whichpic"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "whichpic"


class Settings(BaseSettings):
    """Settings of this process. Every field can be set as WHICHPIC_<NAME>, for example WHICHPIC_ENCODER=names."""

    model_config = SettingsConfigDict(env_prefix="WHICHPIC_", extra="ignore", env_ignore_empty=True)

    home: Path = Field(default_factory=user_data_dir)
    """Where weights, stores of read-only albums and sample albums are kept."""
    encoder: str = "auto"
    """Name of the encoder: auto, names, toy, or a model of `whichpic models list`."""
    language: str = "auto"
    """Language of questions: auto (that of what was said), en or zh."""
    belief: Path | None = None
    """Constants of the belief, a file of `whichpic fit`; None: those that come with whichpic."""
    chat: str = ""
    """The model to talk with, as --chat: a URL, preset:model, a folder of weights, a hub id; "": none."""
    chat_key: SecretStr | None = None
    """The key of the chat server; the usual OPENAI_API_KEY and DASHSCOPE_API_KEY are read by their presets."""
    deadline: float = 30.0
    """Seconds that a turn waits for models before it goes on without them."""
    prompts: Path | None = None
    """A folder with prompts of yours, en/NAME.txt and zh/NAME.txt, that go before those of whichpic."""
    max_pixels: int = 50_000_000
    """A picture that would have more pixels than this once decoded (large JPEGs are decoded smaller) is refused."""
    hub: str = "huggingface"
    """The hub: huggingface (HF_ENDPOINT is honoured) or modelscope."""
    offline: bool = False
    """True: never use the network."""
    threads: int = 0
    """Threads for encoders and decoding; 0: as many as there are cores."""

    @field_validator("home", mode="after")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
