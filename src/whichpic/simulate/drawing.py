"""Draws a scene of the drawn world with Pillow alone, the same on every machine. Called by scenes.write_album and reports.

The background comes first, then what belongs to it, then the things from the farthest to the nearest. A thing keeps its
colour at night: what is said of it has to be seen in it.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING

from whichpic.simulate.backdrop import falling, land, room, sky
from whichpic.simulate.canvas import COLOURS, DIMMED, Canvas
from whichpic.simulate.props import GROUND, THINGS, Box

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.simulate.scenes import Scene

_ABOVE = ("sun", "moon", "cloud")
_BELOW = ("window", "building", "tree", "oven", "couch", "bed", "poster")
_FINE = 3  # pixels drawn for each one kept, across and down


def draw(scene: Scene, side: int = 320) -> Image:
    """The picture of a scene, RGB, side x side pixels; the same scene always gives the same pixels."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (side * _FINE, side * _FINE))
    canvas = Canvas(image, ImageDraw.Draw(image), scene)
    if scene.indoors:
        room(canvas)
    else:
        sky(canvas, (0.0, 0.0, 1.0, 1.0))
        _furniture(canvas, _ABOVE)
        land(canvas)
    _furniture(canvas, _BELOW)
    pieces = [(box, item) for item in scene.items for box in item.boxes]
    flips = {item.thing: canvas.random.random() < 0.5 for item in scene.items}
    for box, item in sorted(pieces, key=lambda piece: piece[0][3]):
        if THINGS[item.thing].levels == GROUND:
            canvas.shadow(box)
        canvas.figure(item.thing, COLOURS[item.colour], box, flip=flips[item.thing])
    if not scene.indoors:
        falling(canvas)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _furniture(canvas: Canvas, names: tuple[str, ...]) -> None:
    """Those of these names that belong to the background and are counted, in this order."""
    scene = canvas.scene
    there = dict(scene.furniture)
    for name, boxes in ((name, there.get(name, ())) for name in names):
        for number, box in enumerate(boxes):
            if name == "tree":
                green = (70, 128, 74) if number % 2 else (56, 112, 66)
                tint = DIMMED[scene.light]
                r, g, b = (round(value * part) for value, part in zip(green, tint, strict=True))
                canvas.figure("tree", (r, g, b), box)
            elif name == "building":
                _building(canvas, box, number)
            elif name == "window":
                _window(canvas, box)
            elif name in ("sun", "moon"):
                _light(canvas, name, box)
            elif name == "cloud":
                _cloud(canvas, box)
            elif name == "poster":
                _poster(canvas, box)
            else:
                {"oven": _oven, "couch": _couch, "bed": _bed}[name](canvas, box)


def _light(canvas: Canvas, name: str, box: Box) -> None:
    left, top, right, bottom = box
    if name == "moon":
        canvas.oval("#f7efcf", *box, dimmed=False)
        r = (right - left) / 2
        for x, y, size in ((0.35, 0.4, 0.16), (0.6, 0.62, 0.12), (0.62, 0.3, 0.09)):
            cx, cy, s = left + 2 * r * x, top + 2 * r * y, r * size * 1.4
            canvas.oval("#e2d8b2", cx - s, cy - s, cx + s, cy + s, dimmed=False)
        return
    core = "#ffd84a" if canvas.scene.light == "day" else "#ffb347"
    if not canvas.scene.indoors:
        x, y, r = (left + right) / 2, (top + bottom) / 2, (right - left) / 2
        for k in range(12):
            a = 2 * pi * k / 12
            canvas.line(
                core,
                0.009,
                x + 1.2 * r * cos(a),
                y + 1.2 * r * sin(a),
                x + 1.5 * r * cos(a),
                y + 1.5 * r * sin(a),
                dimmed=False,
            )
    canvas.oval(core, *box, dimmed=False)


def _cloud(canvas: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    w, h = right - left, bottom - top
    shade, edge = {"day": ("#ffffff", "#dfe5ea"), "dusk": ("#f3d9cf", "#d9b7b4"), "night": ("#8a8fa6", "#6f748c")}[
        canvas.scene.light
    ]
    for hexed, dy in ((edge, 0.0), (shade, -0.07 * h)):
        for x, y, r in ((0.2, 0.66, 0.34), (0.42, 0.42, 0.42), (0.64, 0.5, 0.38), (0.82, 0.7, 0.3)):
            canvas.oval(
                hexed,
                left + w * (x - r * 0.6),
                top + h * (y - r) + dy,
                left + w * (x + r * 0.6),
                top + h * (y + r) + dy,
                dimmed=False,
            )


def _building(canvas: Canvas, box: Box, number: int) -> None:
    left, top, right, bottom = box
    canvas.rect(("#b9a08c", "#9fa9b5", "#c4b09a", "#a5a3b3", "#b5a78f")[number % 5], *box)
    canvas.rect("#7d7672", left, top, right, top + 0.012)
    lit = canvas.scene.light != "day"
    across = max(2, round((right - left) / 0.055))
    for row in range(int((bottom - top - 0.07) / 0.065)):
        for column in range(across):
            x = left + (column + 0.5) * (right - left) / across
            y = top + 0.04 + 0.065 * row
            on = lit and canvas.random.random() < 0.5
            canvas.rect("#ffe28a" if on else "#6f8596", x - 0.013, y, x + 0.013, y + 0.035, dimmed=not on)


def _window(canvas: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    canvas.rect("#fdfbf5", left - 0.012, top - 0.012, right + 0.012, bottom + 0.012)
    sky(canvas, box)
    falling(canvas, box)
    there = dict(canvas.scene.furniture)
    for name in ("sun", "moon", "cloud"):
        for spot in there.get(name, ()):
            _cloud(canvas, spot) if name == "cloud" else _light(canvas, name, spot)
    middle = (left + right) / 2
    canvas.rect("#fdfbf5", middle - 0.005, top, middle + 0.005, bottom)
    canvas.rect("#fdfbf5", left, (top + bottom) / 2 - 0.005, right, (top + bottom) / 2 + 0.005)
    canvas.rect("#e5dfd0", left - 0.025, bottom + 0.01, right + 0.025, bottom + 0.03)


def _oven(canvas: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    canvas.rect("#4b4f58", left, top - 0.015, right, bottom)
    canvas.rect("#dfe3e8", left, top, right, bottom)
    canvas.rect("#2f333b", left + 0.025, top + 0.075, right - 0.025, bottom - 0.03)
    canvas.line("#8b93a1", 0.009, left + 0.02, top + 0.06, right - 0.02, top + 0.06)
    for k in range(4):
        x = left + 0.03 + 0.047 * k
        canvas.oval("#4b4f58", x - 0.012, top + 0.016, x + 0.012, top + 0.04)


def _couch(canvas: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    middle = (left + right) / 2
    canvas.pen.rounded_rectangle(
        canvas.px(left + 0.02, top, right - 0.02, bottom - 0.02), canvas.side * 0.03, fill=(118, 108, 122)
    )
    for x0, x1 in ((left + 0.045, middle - 0.003), (middle + 0.003, right - 0.045)):
        canvas.pen.rounded_rectangle(
            canvas.px(x0, bottom - 0.115, x1, bottom - 0.045), canvas.side * 0.015, fill=(142, 132, 146)
        )
    for x0, x1 in ((left, left + 0.05), (right - 0.05, right)):
        canvas.pen.rounded_rectangle(
            canvas.px(x0, top + 0.07, x1, bottom - 0.015), canvas.side * 0.02, fill=(101, 92, 106)
        )
    canvas.rect("#5f4a37", left + 0.02, bottom - 0.02, left + 0.04, bottom)
    canvas.rect("#5f4a37", right - 0.04, bottom - 0.02, right - 0.02, bottom)


def _bed(canvas: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    canvas.rect("#7a5232", left, top, left + 0.022, bottom)
    canvas.rect("#7a5232", right - 0.022, top + 0.09, right, bottom)
    canvas.rect("#8d6340", left, bottom - 0.07, right, bottom - 0.03)
    canvas.pen.rounded_rectangle(
        canvas.px(left + 0.02, top + 0.09, right - 0.02, bottom - 0.06), canvas.side * 0.02, fill=(250, 248, 242)
    )
    canvas.pen.rounded_rectangle(
        canvas.px(left + 0.115, top + 0.085, right - 0.018, bottom - 0.055), canvas.side * 0.02, fill=(150, 160, 196)
    )
    canvas.pen.rounded_rectangle(
        canvas.px(left + 0.028, top + 0.06, left + 0.11, top + 0.115), canvas.side * 0.02, fill=(255, 255, 255)
    )


def _poster(canvas: Canvas, box: Box) -> None:
    """A white board with one word; out of doors it stands on a post."""
    from PIL import ImageFont

    left, top, right, bottom = box
    if not canvas.scene.indoors:
        canvas.rect("#6b5544", (left + right) / 2 - 0.012, top, (left + right) / 2 + 0.012, bottom)
        bottom = top + 0.17
    canvas.rect("#3c3f4a", left, top, right, bottom, dimmed=False)
    canvas.rect("#fffdf4", left + 0.01, top + 0.01, right - 0.01, bottom - 0.01, dimmed=False)
    word = canvas.scene.text
    font = ImageFont.load_default(size=100.0)
    wide = font.getlength(word)
    font = ImageFont.load_default(size=min(100 * (right - left - 0.05) * canvas.side / wide, 0.075 * canvas.side))
    middle = canvas.px((left + right) / 2, (top + bottom) / 2)
    canvas.pen.text(
        (middle[0], middle[1]),
        word,
        fill=(35, 38, 60),
        font=font,
        anchor="mm",
        stroke_width=canvas.side // 400,
        stroke_fill=(35, 38, 60),
    )
