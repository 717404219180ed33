"""The colours of the pages: every pair that is used has the contrast that WCAG 2.2 AA asks for, light and dark."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

Colour = tuple[float, float, float]

STATIC = Path(str(files("whichpic"))) / "web" / "static"
TEXT = [
    *((text, paper) for text in ("ink", "soft", "link") for paper in ("paper", "raised", "tint")),
    ("bad", "paper"), ("good", "paper"), ("warn", "paper"),
    ("on-link", "link"), ("paper", "ink"),
    ("warn", "warn-paper"), ("bad", "bad-paper"), ("good", "good-paper"),
]  # fmt: skip
SIGNS = [("edge", "paper"), ("link", "paper"), ("good", "paper"), ("bad", "paper"), ("link", "rule")]
"""Borders of fields, outlines, bars: what is no text needs 3 to 1."""
THEMES = ("light", "dark")


def style() -> str:
    return re.sub(r"/\*.*?\*/", "", (STATIC / "whichpic.css").read_text(encoding="utf-8"), flags=re.S)


@cache
def tokens() -> dict[str, dict[str, str]]:
    """The colour of every token, by theme."""
    found: dict[str, dict[str, str]] = {theme: {} for theme in THEMES}
    colour = r"(#[0-9a-f]{6}|rgb\([^)]*\))"
    for name, light, dark in re.findall(rf"--([\w-]+): light-dark\({colour}, {colour}\);", style()):
        found["light"][name], found["dark"][name] = light, dark
    for name, both in re.findall(rf"--([\w-]+): {colour};", style()):
        found["light"][name] = found["dark"][name] = both
    return found


def rgb(text: str) -> Colour:
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "paper"), TEXT)
def test_text_can_be_read(theme: str, text: str, paper: str) -> None:
    colours = tokens()[theme]
    assert contrast(rgb(colours[text]), rgb(colours[paper])) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("sign", "paper"), SIGNS)
def test_signs_can_be_seen(theme: str, sign: str, paper: str) -> None:
    colours = tokens()[theme]
    assert contrast(rgb(colours[sign]), rgb(colours[paper])) >= 3


@pytest.mark.parametrize("behind", [(255.0, 255.0, 255.0), (0.0, 0.0, 0.0), (255.0, 255.0, 0.0)])
def test_what_lies_on_a_picture_can_be_read_on_any(behind: Colour) -> None:
    red, green, blue, opacity = (float(part) for part in re.findall(r"[\d.]+", tokens()["light"]["veil"]))
    veil = [over * opacity + under * (1 - opacity) for over, under in zip((red, green, blue), behind, strict=True)]
    assert contrast(rgb(tokens()["light"]["on-veil"]), (veil[0], veil[1], veil[2])) >= 4.5
    assert contrast(rgb(tokens()["light"]["on-veil-link"]), rgb(tokens()["light"]["on-veil"])) >= 4.5


def test_colours_are_tokens() -> None:
    """A colour that is said in a rule would not follow the theme."""
    for line in style().splitlines():
        assert re.match(r"\s*--[\w-]+:", line) or not re.search(r"#[0-9a-f]{3,8}\b", line), line


def test_no_class_of_ours_is_one_that_the_library_forces() -> None:
    """Quasar's utilities are !important, and in a layer: no rule of ours could win."""
    nicegui = pytest.importorskip("nicegui", reason="needs the extra web")
    forced = (Path(nicegui.__path__[0]) / "static" / "quasar.important.css").read_text(encoding="utf-8")
    ours = set(re.findall(r"\.([a-zA-Z][\w-]*)", re.sub(r"url\([^)]*\)", "", style())))
    assert not ours & set(re.findall(r"\.([a-zA-Z][\w-]*)", forced))


def test_every_sign_has_a_picture() -> None:
    named = re.findall(r'url\("([^"]+)"\)', style())
    assert named
    assert all((STATIC / name).is_file() for name in named)
