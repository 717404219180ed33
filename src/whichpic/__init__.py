"""whichpic: find the picture in your head by talking about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whichpic.errors import WhichpicError

if TYPE_CHECKING:
    from whichpic.api import Album
    from whichpic.dialogue import Session

__version__ = "0.1.0"
__all__ = ["Album", "Session", "WhichpicError", "__version__"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import whichpic` must not cost what numpy costs.
    if name == "Album":
        from whichpic.api import Album

        return Album
    if name == "Session":
        from whichpic.dialogue import Session

        return Session
    raise AttributeError(f"module 'whichpic' has no attribute '{name}'")
