"""What the pixels alone tell of a picture: its main colours by name, how bright it is, whether it looks like night or
sky. Called by facts. Colours are judged in CIE L*a*b* (D65), where distances are about those that people see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from whichpic.types import Floats

COLOURS = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
"""The eleven basic colours of English and Chinese (Berlin and Kay 1969)."""
_SIDE = 96  # pixels of the longer side that are looked at
_MOST_COLOURS = 4
_COLOUR_TOLD = 0.2

# sRGB (IEC 61966-2-1) to XYZ under D65, each row divided by the white point.
_TO_XYZ = np.array(
    [
        [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
    ],
    dtype=np.float32,
)
_CODED = np.arange(256) / 255
_LINEAR = np.where(_CODED <= 0.04045, _CODED / 12.92, ((_CODED + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """What the pixels tell. Pairs are (name, probability); `night` and `sky` are from 0 to 1."""

    colours: tuple[tuple[str, float], ...]
    brightness: tuple[tuple[str, float], ...]
    night: float
    sky: float


def look_at(image: Image) -> Look:
    """Look at an RGB picture of any size, shrunk to 96 pixels."""
    from PIL.Image import Resampling

    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.convert("RGB").resize(size, Resampling.BOX, reducing_gap=2.0)
    lab = to_lab(np.asarray(small, dtype=np.uint8))
    names = name_pixels(lab)
    return Look(
        colours=_main_colours(lab, names),
        brightness=_brightness(lab[..., 0]),
        night=_night(lab[..., 0]),
        sky=_sky(lab, names),
    )


def to_lab(rgb: NDArray[np.uint8]) -> Floats:
    """CIE L*a*b* of sRGB pixels: float32 [..., 3], L* from 0 to 100 (CIE 15:2004, section 8.2.1)."""
    xyz = _LINEAR[rgb] @ _TO_XYZ.T
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lab: Floats = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    ).astype(np.float32)
    return lab


def name_pixels(lab: Floats) -> NDArray[np.int64]:
    """The position in COLOURS of the name that people give to each pixel, int64 [...].

    Cuts by lightness, chroma and hue angle, set so that the CSS colours of these names and their common shades fall
    where they should.
    """
    light, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    warm = (hue >= 20) & (hue < 95)
    # The first that holds decides.
    tests = [
        ("black", (light < 6) | ((light < 16) & (chroma < 28)) | ((light < 28) & (chroma < 12))),
        ("white", ((light > 84) & (chroma < 9)) | ((light > 90) & (chroma < 16))),
        ("grey", (chroma < 9) | ((chroma < 13) & ~warm & (light < 70))),
        ("brown", warm & (hue >= 46) & (hue < 76) & (light < 60) & (chroma < 72)),
        ("brown", warm & (hue >= 30) & (light < 35) & (chroma < 45)),
        ("brown", warm & (hue < 85) & (chroma < 34)),
        ("brown", (hue >= 76) & (hue < 96) & (light < 72) & (chroma < 45)),
        ("green", (hue >= 96) & (hue < 115) & ((light < 62) | ((light < 75) & (chroma < 45)))),
        ("pink", ((hue < 20) | (hue >= 335)) & (light >= 55)),
        ("pink", (hue < 42) & (light >= 68) & (chroma < 55)),
        ("red", (hue < 48) | (hue >= 350)),
        ("orange", hue < 76),
        ("yellow", hue < 108),
        ("green", hue < 188),
        ("blue", hue < 309),
        ("purple", hue < 340),
    ]
    codes = [COLOURS.index(name) for name, _ in tests]
    masks = [mask for _, mask in tests]
    named: NDArray[np.int64] = np.select(masks, codes, default=COLOURS.index("pink")).astype(np.int64)
    return named


def _main_colours(lab: Floats, names: NDArray[np.int64]) -> tuple[tuple[str, float], ...]:
    """The colours that stand out: the share of the picture, the middle and vivid pixels counting more."""
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    height, width = names.shape
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    weight = (0.6 + np.exp(-2 * (x**2 + y**2))) / (0.6 + np.exp(-2 * (x**2 + y**2))).sum()
    vivid = 0.7 + np.minimum(chroma, 80) / 40
    shares = np.bincount(names.ravel(), (weight * vivid).ravel(), minlength=len(COLOURS))
    # Shadows and grey walls fill pictures that nobody would call black or grey.
    shares = shares * np.array([{"black": 0.85, "grey": 0.7}.get(name, 1.0) for name in COLOURS])
    p = np.minimum(0.95, shares / 0.45)
    if np.quantile(chroma, 0.99) < 6:
        # A photograph without colour is called black and white, whatever its greys.
        p[[0, 1]] = np.maximum(p[[0, 1]], 0.8)
    order = np.argsort(-p, kind="stable")[:_MOST_COLOURS]
    return tuple((COLOURS[k], float(p[k])) for k in order if p[k] >= _COLOUR_TOLD)


def _brightness(light: Floats) -> tuple[tuple[str, float], ...]:
    """Bright or dark, where it is more one than the other; most photographs are neither."""
    mean = float(light.mean())
    bright = _rise(mean, 62, 5)
    dark = _rise(-mean, -32, 4)
    return tuple((name, p) for name, p in (("bright", bright), ("dark", dark)) if p >= 0.4)


def _night(light: Floats) -> float:
    """How much it looks like night: mostly very dark, and dark at the top, with or without lights."""
    top = light[: max(1, len(light) // 3)]
    return _rise(float((light < 25).mean()), 0.6, 0.07) * _rise(-float(np.median(top)), -25, 4)


def _sky(lab: Floats, names: NDArray[np.int64]) -> float:
    """How much of the top is sky-like: smooth, and blue or very bright over something darker."""
    rows = max(2, len(lab) // 5)
    top, top_names = lab[:rows], names[:rows]
    blue = (top_names == COLOURS.index("blue")) & (top[..., 0] > 45)
    pale = (top[..., 0] > 80) & (top[..., 2] < 4)
    steps = np.abs(np.diff(top[..., 0], axis=1)) if top.shape[1] > 1 else np.zeros((rows, 1))
    smooth = float((steps < 4).mean())
    share = float(blue.mean()) + 0.35 * float((pale & ~blue).mean())
    return share * smooth


def _rise(value: float, middle: float, width: float) -> float:
    return float(1 / (1 + np.exp(-(value - middle) / width)))
