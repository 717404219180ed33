from __future__ import annotations

from tests.album.conftest import home

__all__ = ["home"]
