"""Further families: InternVL, Gemma 3, LLaVA-OneVision and MiniCPM-V 4.6. Called by local.families (families)."""

from __future__ import annotations

from whichpic.chat.local.families import Family

MORE: tuple[Family, ...] = ()
