"""Sky, land and rooms of the drawn world: what lies behind everything that is counted. Called by drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whichpic.simulate.props import FLOOR, HORIZON, Box

if TYPE_CHECKING:
    from whichpic.simulate.canvas import Canvas, Colour

_SKIES: dict[tuple[str, bool], tuple[Colour, Colour]] = {
    ("day", True): ((92, 172, 232), (206, 234, 248)), ("day", False): ((150, 164, 178), (204, 211, 216)),
    ("dusk", True): ((104, 78, 140), (250, 160, 96)), ("dusk", False): ((108, 92, 120), (214, 158, 136)),
    ("night", True): ((14, 20, 52), (44, 54, 102)), ("night", False): ((28, 30, 44), (58, 60, 76)),
}  # fmt: skip


def sky(canvas: Canvas, box: Box) -> None:
    """The sky in a box, with stars on a clear night; the sun, the moon and clouds are furniture."""
    scene = canvas.scene
    top, bottom = _SKIES[scene.light, scene.weather == "clear"]
    canvas.fade(top, bottom, (box[0], box[1], box[2], min(box[3], HORIZON + 0.1)))
    if scene.light == "night" and scene.weather == "clear":
        for _ in range(10 if scene.indoors else 45):
            x = box[0] + canvas.random.random() * (box[2] - box[0])
            y = box[1] + canvas.random.random() * (min(box[3], 0.40) - box[1])
            r = 0.0012 + 0.0022 * canvas.random.random()
            canvas.oval("#fff7d8", x - r, y - r, x + r, y + r, dimmed=False)


def falling(canvas: Canvas, box: Box = (0.0, 0.0, 1.0, 1.0)) -> None:
    """Rain or snow in a box."""
    scene, random = canvas.scene, canvas.random
    count = round(150 * (box[2] - box[0]) * (box[3] - box[1]) ** 0.5)
    for _ in range(count if scene.weather in ("rainy", "snowy") else 0):
        x = box[0] + random.random() * (box[2] - box[0])
        y = box[1] + random.random() * (box[3] - box[1])
        if scene.weather == "rainy":
            x1, y1 = max(box[0], x - 0.008), min(box[3], y + 0.035)
            canvas.line("#cfe2f2", 0.003, x, y, x1, y1, dimmed=False)
        else:
            r = 0.003 + 0.005 * random.random()
            canvas.oval("#ffffff", x - r, y - r, x + r, y + r, dimmed=False)


def land(canvas: Canvas) -> None:
    """The ground of a place out of doors."""
    {
        "beach": _beach, "harbor": _harbor, "field": _field, "park": _park, "forest": _forest, "mountain": _mountain,
        "desert": _desert, "snow": _snow, "street": _street,
    }[canvas.scene.place](canvas)  # fmt: skip


def _water(canvas: Canvas, top: float, bottom: float) -> None:
    canvas.rect("#3f8fc4", 0, top, 1, bottom)
    canvas.rect("#5aa7d6", 0, top + 0.6 * (bottom - top), 1, bottom)
    for _ in range(22):
        x, y = canvas.random.random(), top + 0.01 + canvas.random.random() * (bottom - top - 0.02)
        canvas.line("#a9d8ee", 0.005, x, y, x + 0.03 + 0.04 * canvas.random.random(), y)


def _speckles(canvas: Canvas, hexed: str, top: float, count: int, size: float = 0.003) -> None:
    for _ in range(count):
        x, y = canvas.random.random(), top + canvas.random.random() * (1 - top)
        r = size * (0.5 + y)
        canvas.oval(hexed, x - r, y - r * 0.6, x + r, y + r * 0.6)


def _blades(canvas: Canvas, hexed: str, top: float, count: int) -> None:
    for _ in range(count):
        x, y = canvas.random.random(), top + 0.02 + canvas.random.random() * (1 - top)
        h = 0.012 + 0.02 * (y - top)
        canvas.line(hexed, 0.004, x - 0.006, y - h, x, y, x + 0.006, y - h)


def _beach(canvas: Canvas) -> None:
    _water(canvas, HORIZON - 0.06, 0.56)
    canvas.rect("#ecd9a6", 0, 0.56, 1, 1)
    canvas.poly("#f7f5ea", 0, 0.545, 0.2, 0.565, 0.45, 0.548, 0.7, 0.57, 1, 0.55, 1, 0.575, 0.7, 0.592, 0.45, 0.57,
                0.2, 0.588, 0, 0.57)  # fmt: skip
    _speckles(canvas, "#d3bb82", 0.60, 90)


def _harbor(canvas: Canvas) -> None:
    _water(canvas, HORIZON - 0.08, 0.58)
    canvas.rect("#8d8f98", 0, 0.58, 1, 0.615)
    canvas.rect("#b5b4b0", 0, 0.60, 1, 1)
    for row in range(5):
        y = 0.60 + 0.08 * row
        canvas.line("#9d9b97", 0.004, 0, y, 1, y)
        for column in range(7):
            x = column / 6 + (0.08 if row % 2 else 0.0)
            canvas.line("#9d9b97", 0.004, x, y, x, y + 0.08)


def _hills(canvas: Canvas, hexed: str, top: float, height: float) -> None:
    for x, scale in ((0.1, 0.9), (0.5, 0.6), (0.9, 1.0)):
        canvas.oval(hexed, x - 0.36, top - height * scale, x + 0.36, top + height * scale)


def _field(canvas: Canvas) -> None:
    _hills(canvas, "#8cb55c", HORIZON + 0.01, 0.07)
    canvas.rect("#d9bd55", 0, HORIZON, 1, 1)
    for k in range(-9, 10):
        canvas.poly("#c4a53f", 0.5 + 0.05 * k, HORIZON, 0.5 + 0.05 * k + 0.014, HORIZON, 0.5 + 0.19 * k + 0.07, 1,
                    0.5 + 0.19 * k, 1)  # fmt: skip
    _blades(canvas, "#e8d27c", HORIZON, 120)


def _park(canvas: Canvas) -> None:
    _hills(canvas, "#5f9f52", HORIZON + 0.01, 0.06)
    canvas.rect("#78b95d", 0, HORIZON, 1, 1)
    canvas.poly("#e3cfa4", 0.47, HORIZON, 0.53, HORIZON, 0.86, 1, 0.30, 1)
    _blades(canvas, "#5d9c47", HORIZON, 60)


def _forest(canvas: Canvas) -> None:
    canvas.rect("#3f6e46", 0, 0.30, 1, HORIZON + 0.04)
    canvas.rect("#5c8748", 0, HORIZON + 0.02, 1, 1)
    _speckles(canvas, "#4a7039", HORIZON + 0.04, 70, 0.006)
    _blades(canvas, "#86ad5d", HORIZON + 0.04, 70)


def _mountain(canvas: Canvas) -> None:
    for x, y, half in ((0.18, 0.24, 0.34), (0.82, 0.20, 0.36), (0.50, 0.15, 0.40)):
        rise = HORIZON + 0.02 - y
        canvas.poly("#7d8798", x - half, HORIZON + 0.02, x, y, x + half, HORIZON + 0.02)
        canvas.poly("#69727f", x, y, x + half, HORIZON + 0.02, x + 0.3 * half, HORIZON + 0.02)
        canvas.poly("#f6f9fc", x - 0.3 * half, y + 0.3 * rise, x, y, x + 0.3 * half, y + 0.3 * rise, x + 0.12 * half,
                    y + 0.23 * rise, x, y + 0.33 * rise, x - 0.14 * half, y + 0.23 * rise)  # fmt: skip
    canvas.rect("#86aa62", 0, HORIZON, 1, 1)
    _speckles(canvas, "#a3a39a", HORIZON + 0.03, 26, 0.010)
    _blades(canvas, "#6a9049", HORIZON, 70)


def _desert(canvas: Canvas) -> None:
    _hills(canvas, "#d99a55", HORIZON + 0.02, 0.10)
    canvas.rect("#e6b06a", 0, HORIZON, 1, 1)
    for k in range(7):
        y = HORIZON + 0.05 + 0.08 * k
        shift = 0.1 * (k % 3)
        points = [value for j in range(11) for value in (j / 10, y + 0.016 * ((j + k) % 2) + 0.02 * shift)]
        canvas.line("#d39c56", 0.006, *points)


def _snow(canvas: Canvas) -> None:
    _hills(canvas, "#dbe6f0", HORIZON + 0.02, 0.09)
    canvas.rect("#eef3f8", 0, HORIZON, 1, 1)
    for x, y, w in ((0.15, 0.60, 0.22), (0.62, 0.70, 0.26), (0.30, 0.86, 0.30), (0.85, 0.92, 0.22)):
        canvas.oval("#dfe8f1", x - w / 2, y - 0.012, x + w / 2, y + 0.012)


def _street(canvas: Canvas) -> None:
    canvas.rect("#bdb9b4", 0, HORIZON, 1, 0.54)
    canvas.line("#98948f", 0.008, 0, 0.54, 1, 0.54)
    canvas.rect("#6d6f78", 0, 0.545, 1, 0.90)
    for k in range(6):
        canvas.rect("#e9e6da", 0.02 + 0.18 * k, 0.715, 0.12 + 0.18 * k, 0.73)
    canvas.line("#98948f", 0.008, 0, 0.90, 1, 0.90)
    canvas.rect("#c7c3bd", 0, 0.905, 1, 1)


def room(canvas: Canvas) -> None:
    """Wall and floor of a room; by night the wall is darker, for the lamps are low."""
    place = canvas.scene.place
    wall, stripe = {"kitchen": ("#dcebe6", "#c6dcd5"), "living room": ("#f3e2c4", "#ead3ac")}.get(
        place, ("#dfdcf0", "#cfcae6")
    )
    canvas.rect(wall, 0, 0, 1, FLOOR)
    if place == "kitchen":
        for k in range(1, 13):
            canvas.line(stripe, 0.004, k / 12, 0, k / 12, FLOOR)
        for k in range(1, 7):
            canvas.line(stripe, 0.004, 0, k / 12, 1, k / 12)
        for row in range(6):
            for column in range(10):
                y0, y1 = FLOOR + 0.46 * (row / 6) ** 1.3, FLOOR + 0.46 * ((row + 1) / 6) ** 1.3
                x0, x1 = 0.5 + (column - 5) * (0.10 + 0.1 * y0), 0.5 + (column - 4) * (0.10 + 0.1 * y0)
                canvas.rect("#c9b79c" if (row + column) % 2 else "#efe4d0", x0, y0, x1, y1)
        canvas.rect("#8a6c4f", 0, 0.335, 1, 0.355)
        canvas.rect("#b98d62", 0, 0.355, 1, FLOOR - 0.01)
        canvas.rect("#5f4a37", 0, FLOOR - 0.01, 1, FLOOR + 0.003)
        for k in range(8):
            canvas.rect("#c99e72", 0.012 + 0.125 * k, 0.37, 0.113 + 0.125 * k, FLOOR - 0.025)
            canvas.oval("#5f4a37", 0.095 + 0.125 * k, 0.38, 0.107 + 0.125 * k, 0.392)
        return
    for k in range(10):
        canvas.rect(stripe, 0.03 + 0.1 * k, 0, 0.07 + 0.1 * k, FLOOR)
    floor, seam = ("#b98a5c", "#a57a4f") if place == "living room" else ("#a9c1c9", "#9bb4bd")
    canvas.rect(floor, 0, FLOOR, 1, 1)
    canvas.rect("#fbf8f0", 0, FLOOR - 0.02, 1, FLOOR)
    for k in range(7):
        y = FLOOR + 0.46 * (k / 7) ** 1.3
        canvas.line(seam, 0.005, 0, y, 1, y)
