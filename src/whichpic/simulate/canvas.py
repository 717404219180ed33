"""A square to draw on in fractions of its side, and the colours of the drawn world. Called by drawing and backdrop."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from whichpic.simulate.figures import FIGURES, Shape

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from whichpic.simulate.props import Box
    from whichpic.simulate.scenes import Scene

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (214, 48, 42), "orange": (243, 140, 36), "yellow": (249, 214, 54), "green": (56, 150, 70),
    "blue": (48, 106, 208), "purple": (128, 62, 168), "pink": (245, 150, 188), "brown": (138, 88, 48),
    "black": (44, 44, 48), "white": (250, 250, 248), "grey": (140, 141, 146),
}  # fmt: skip
"""sRGB of the colours that facts name."""
INK: Colour = (52, 46, 54)
MOONLIT: Colour = (176, 182, 206)
_OUTLINE = 0.0065  # of the picture's side
DIMMED: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0), "dusk": (0.92, 0.78, 0.76), "night": (0.42, 0.46, 0.62),
}  # fmt: skip


class Canvas:
    """A square to draw on in fractions of its side, dimmed as the light of the scene asks."""

    def __init__(self, image: Image, pen: ImageDraw, scene: Scene) -> None:
        self.image, self.pen, self.side, self.scene = image, pen, image.width, scene
        self.random = Random(f"whichpic drawing/{scene.seed}/{scene.k}")

    def colour(self, hexed: str, *, dimmed: bool = True) -> Colour:
        r, g, b = (int(hexed[k : k + 2], 16) for k in (1, 3, 5))
        tint = DIMMED[self.scene.light] if dimmed and not self.scene.indoors else (1.0, 1.0, 1.0)
        return (round(r * tint[0]), round(g * tint[1]), round(b * tint[2]))

    def px(self, *xy: float) -> list[float]:
        return [value * self.side for value in xy]

    def rect(self, hexed: str, *box: float, dimmed: bool = True) -> None:
        self.pen.rectangle(self.px(*box), fill=self.colour(hexed, dimmed=dimmed))

    def oval(self, hexed: str, *box: float, dimmed: bool = True) -> None:
        self.pen.ellipse(self.px(*box), fill=self.colour(hexed, dimmed=dimmed))

    def poly(self, hexed: str, *xy: float, dimmed: bool = True) -> None:
        self.pen.polygon(self.px(*xy), fill=self.colour(hexed, dimmed=dimmed))

    def line(self, hexed: str, width: float, *xy: float, dimmed: bool = True) -> None:
        ink = self.colour(hexed, dimmed=dimmed)
        self.pen.line(self.px(*xy), fill=ink, width=max(1, round(width * self.side)), joint="curve")

    def fade(self, top: Colour, bottom: Colour, box: Box) -> None:
        left, y0, right, y1 = self.px(*box)
        for y in range(round(y0), round(y1)):
            part = (y - y0) / max(y1 - y0, 1)
            shade = tuple(round(a + (b - a) * part) for a, b in zip(top, bottom, strict=True))
            self.pen.line((left, y, right, y), fill=shade)

    def shadow(self, box: Box) -> None:
        """A darker patch of ground under what stands."""
        half, middle = (box[2] - box[0]) * 0.5, (box[0] + box[2]) / 2
        spot = (round(middle * self.side), min(self.side - 1, round((box[3] + 0.012) * self.side)))
        ground: Colour = self.image.getpixel(spot)  # type: ignore[assignment]  # an RGB picture
        dark = mixed(ground, (0, 0, 0), 0.26)
        self.pen.ellipse(self.px(middle - half, box[3] - 0.018, middle + half, box[3] + 0.014), fill=dark)

    def figure(self, thing: str, main: Colour, box: Box, *, flip: bool = False) -> None:
        """A thing in its box: first everything a little larger in ink, which leaves an outline, then its colours."""
        shades = {"main": main, "dark": mixed(main, (20, 16, 24), 0.28), "light": mixed(main, (255, 255, 255), 0.45)}
        if sum(main) < 200:
            shades["dark"] = mixed(main, (255, 255, 255), 0.14)
            shades["light"] = mixed(main, (255, 255, 255), 0.30)
        elif sum(main) > 720:
            shades["light"] = (232, 226, 216)
        # A black thing in the dark would have no outline to be known by.
        outline = (
            MOONLIT if main == COLOURS["black"] and self.scene.light == "night" and not self.scene.indoors else INK
        )
        for outlined in (True, False):
            for shape in FIGURES[thing]:
                fill = outline if outlined else shades.get(shape.fill) or self.colour(shape.fill, dimmed=False)
                self._shape(shape, fill, box, flip, _OUTLINE * self.side if outlined else 0.0)

    def _shape(self, shape: Shape, fill: Colour, box: Box, flip: bool, more: float) -> None:
        left, top, right, bottom = self.px(*box)
        width, height = right - left, bottom - top
        unit = min(width, height)

        def at(x: float, y: float) -> tuple[float, float]:
            return left + (1 - x if flip else x) * width, top + y * height

        xy = shape.xy
        if shape.kind in ("disc", "ring"):
            (x, y), r = at(xy[0], xy[1]), xy[2] * unit
            inner = shape.width * unit / 2 if shape.kind == "ring" else 0.0
            edge = (x - r - inner - more, y - r - inner - more, x + r + inner + more, y + r + inner + more)
            if shape.kind == "ring":
                self.pen.ellipse(edge, outline=fill, width=round(2 * (inner + more)))
            else:
                self.pen.ellipse(edge, fill=fill)
        elif shape.kind in ("oval", "dome"):
            (x0, y0), (x1, y1) = at(xy[0], xy[1]), at(xy[2], xy[3])
            edge = (min(x0, x1) - more, y0 - more, max(x0, x1) + more, y1 + more)
            if shape.kind == "oval":
                self.pen.ellipse(edge, fill=fill)
            else:
                self.pen.pieslice(edge, 180, 360, fill=fill)
                middle = (y0 + y1) / 2
                self.pen.rectangle((edge[0], middle - 1, edge[2], middle + more), fill=fill)
        else:
            points = [at(x, y) for x, y in zip(xy[::2], xy[1::2], strict=True)]
            if shape.kind == "poly":
                self.pen.polygon(points, fill=fill)
            wide = round(shape.width * unit + 2 * more)
            if wide:
                ends = [*points, points[0], points[1]] if shape.kind == "poly" else points
                self.pen.line(ends, fill=fill, width=wide, joint="curve")
                for x, y in (points[0], points[-1]):
                    self.pen.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=fill)


def mixed(a: Colour, b: Colour, part: float) -> Colour:
    r, g, blue = (round(x + (y - x) * part) for x, y in zip(a, b, strict=True))
    return (r, g, blue)
