"""A drawing surface with smooth edges: everything is drawn three times too large and scaled down at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]

INK: Colour = (38, 50, 62)
STEEL: Colour = (176, 186, 196)
DARK_STEEL: Colour = (96, 106, 118)
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Canvas:
    """A picture in the making. All coordinates are pixels of the finished picture, origin top left."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    scale: int

    @classmethod
    def blank(cls, width: int, height: int, colour: Colour, scale: int = 3) -> Canvas:
        """An empty picture of ``width`` by ``height`` pixels in one colour."""
        image = Image.new("RGB", (width * scale, height * scale), colour)
        return cls(image, ImageDraw.Draw(image), scale)

    def finish(self) -> Image.Image:
        """The finished picture at its own size."""
        size = (self.image.width // self.scale, self.image.height // self.scale)
        return self.image.resize(size, Image.Resampling.LANCZOS)

    def _up(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def _box(self, box: Box) -> tuple[int, int, int, int]:
        left, top, right, bottom = (round(value * self.scale) for value in box)
        return left, top, right, bottom

    def rect(
        self, box: Box, fill: Colour | None, outline: Colour | None = None, width: float = 1.5, radius: float = 0
    ) -> None:
        """A rectangle, with round corners where ``radius`` is given."""
        self.draw.rounded_rectangle(
            self._box(box), radius * self.scale, fill, outline, round(width * self.scale) if outline else 0
        )

    def circle(
        self, centre: Point, radius: float, fill: Colour | None, outline: Colour | None = None, width: float = 1.5
    ) -> None:
        """A circle around ``centre``."""
        x, y = centre
        box = self._box((x - radius, y - radius, x + radius, y + radius))
        self.draw.ellipse(box, fill, outline, round(width * self.scale) if outline else 0)

    def outline(self, box: Box, colour: Colour, width: float) -> None:
        """The line of an ellipse that touches the sides of ``box``."""
        self.draw.ellipse(self._box(box), None, colour, round(width * self.scale))

    def polygon(self, points: Sequence[Point], fill: Colour | None, outline: Colour | None = None) -> None:
        """A closed shape."""
        self.draw.polygon(self._up(points), fill, outline, self.scale if outline else 0)

    def line(self, points: Sequence[Point], colour: Colour, width: float = 1.5) -> None:
        """An open line with round joints and round ends."""
        large = self._up(points)
        thick = round(width * self.scale)
        self.draw.line(large, colour, thick, joint="curve")
        for x, y in (large[0], large[-1]):
            self.draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), colour)

    def text(
        self, at: Point, words: str, size: float, colour: Colour = INK, anchor: str = "lm", bold: float = 0
    ) -> None:
        """One line of text; ``anchor`` as in Pillow, ``bold`` thickens the strokes by that many pixels."""
        font = ImageFont.load_default(size * self.scale)
        x, y = at
        self.draw.text(
            (x * self.scale, y * self.scale), words, colour, font, anchor, stroke_width=round(bold * self.scale)
        )

    def label(self, words: str, at: Point, target: Point, anchor: str = "mm", size: float = 19) -> None:
        """A caption with a thin leader line that ends in a dot on the part it names."""
        half = len(words) * size * 0.25
        gap = size * 0.8 if target[1] > at[1] else -size * 0.8
        start = (at[0], at[1] + gap) if anchor == "mm" else (at[0] + (-8 if anchor == "lm" else 8), at[1])
        self.line([start, target], INK, 1.2)
        self.circle(target, 3.5, INK, WHITE, 1)
        if anchor == "mm":
            self.line([(at[0] - half, at[1] + gap), (at[0] + half, at[1] + gap)], INK, 1.2)
        self.text(at, words, size, INK, anchor)

    def cylinder(self, box: Box, colour: Colour, upright: bool = False, radius: float = 0) -> None:
        """A shaded round bar seen from the side: bright above its middle, dark at both edges."""
        left, top, right, bottom = self._box(box)
        across = (right - left) if upright else (bottom - top)
        position = np.linspace(0, 1, max(across, 1))
        light = 0.5 + 0.62 * np.exp(-(((position - 0.36) / 0.3) ** 2)) + 0.12 * position
        shade = np.clip(np.outer(light, colour), 0, 255).astype(np.uint8)
        strip = shade[None, :, :] if upright else shade[:, None, :]
        bar = Image.fromarray(np.broadcast_to(strip, (bottom - top, right - left, 3)).copy())
        mask = Image.new("L", bar.size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, bar.width - 1, bar.height - 1), radius * self.scale, 255)
        self.image.paste(bar, (left, top), mask)
        self.draw.rounded_rectangle((left, top, right, bottom), radius * self.scale, None, INK, self.scale)

    def ball(self, centre: Point, radius: float, colour: Colour) -> None:
        """A shaded sphere lit from the upper left."""
        steps = max(int(radius * self.scale / 2), 4)
        for step in range(steps):
            part = step / steps
            light = 0.5 + 0.75 * part
            shade = (
                min(int(colour[0] * light), 255),
                min(int(colour[1] * light), 255),
                min(int(colour[2] * light), 255),
            )
            shift = radius * 0.35 * part
            self.circle((centre[0] - shift, centre[1] - shift), radius * (1 - part), shade)
        self.circle(centre, radius, None, INK, 1)

    def hatch(self, box: Box, fill: Colour, stroke: Colour, step: float = 12) -> None:
        """A cut surface: slanting lines over a plain ground."""
        left, top, right, bottom = self._box(box)
        tile = Image.new("RGB", (right - left, bottom - top), fill)
        pen = ImageDraw.Draw(tile)
        for x in range(-tile.height, tile.width, round(step * self.scale)):
            pen.line((x, tile.height, x + tile.height, 0), stroke, self.scale)
        self.image.paste(tile, (left, top))
        self.draw.rectangle((left, top, right, bottom), None, INK, round(1.3 * self.scale))

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float = 0.8) -> None:
        """Light that spreads from a lamp, or a soft shadow where the colour is dark."""
        self.soft_ellipse(
            (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius),
            colour,
            radius * 0.35,
            strength,
        )

    def soft_ellipse(self, box: Box, colour: Colour, blur: float, strength: float = 1.0) -> None:
        """An ellipse with blurred edges, mixed into the picture by ``strength`` (0 to 1)."""
        mask = Image.new("L", (self.image.width // self.scale, self.image.height // self.scale), 0)
        ImageDraw.Draw(mask).ellipse(box, round(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(blur)).resize(self.image.size, Image.Resampling.BILINEAR)
        self.image.paste(Image.new("RGB", self.image.size, colour), (0, 0), mask)


def photograph(picture: Image.Image, seed: int, grain: float = 5.0, vignette: float = 0.35) -> Image.Image:
    """The picture as a camera would give it: slightly soft, grainy, darker towards the corners."""
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)), dtype=np.float32)
    height, width, _ = soft.shape
    noise = np.random.default_rng(seed).normal(0, grain, (height, width, 1))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    fall = 1 - vignette * np.clip((x**2 + y**2) / 2, 0, 1) ** 1.4
    return Image.fromarray(np.clip((soft + noise) * fall[..., None], 0, 255).astype(np.uint8))
