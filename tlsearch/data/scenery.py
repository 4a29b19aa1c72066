"""What surrounds a drawn flower: canvas, meadow, grass before it, and the camera."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_GROUNDS = ((70, 105, 50), (45, 75, 40), (110, 130, 70), (120, 95, 65), (140, 165, 200),
            (85, 85, 80), (170, 165, 150), (60, 50, 45))  # fmt: skip
_BLURRED = ((240, 235, 225), (245, 200, 60), (230, 120, 60), (225, 120, 165), (190, 50, 60),
            (140, 90, 170), (90, 130, 60), (60, 95, 50))  # fmt: skip


class Canvas:
    """A picture with shapes drawn in float coordinates and colours."""

    def __init__(self, image: Image.Image, random: np.random.Generator) -> None:
        self.image = image
        self.random = random
        self.side = image.width
        self._draw = ImageDraw.Draw(image)

    def vary(self, colour: np.ndarray, spread: float) -> np.ndarray:
        """The colour, brighter or darker by about `spread` grey levels."""
        return colour + self.random.normal(0, spread) + self.random.normal(0, spread / 3, 3)

    def polygon(self, points: np.ndarray, colour: np.ndarray, *, edge: bool) -> None:
        """Fill an outline [points, 2]; `edge` draws a darker line around it."""
        outline = _tuple(colour * 0.72) if edge else None
        self._draw.polygon(points.ravel().tolist(), _tuple(colour), outline)

    def line(self, points: np.ndarray, colour: np.ndarray, width: float) -> None:
        """Join points [points, 2]; the width is in pixels."""
        self._draw.line(points.ravel().tolist(), _tuple(colour), round(width), "curve")

    def dot(self, centre: np.ndarray, colour: np.ndarray, radius: float) -> None:
        """A filled circle."""
        box = [*(centre - radius), *(centre + radius)]
        self._draw.ellipse(box, _tuple(colour))


def draw_background(side: int, random: np.random.Generator) -> Image.Image:
    """A ground of uneven colour, out-of-focus blossoms, and blades of grass or none."""
    small = side // 4
    ground = _field(small, random, 45) + np.array(_GROUNDS[random.integers(len(_GROUNDS))], float)
    canvas = Canvas(_to_image(ground), random)
    for _ in range(random.integers(0, 9)):
        colour = canvas.vary(np.array(_BLURRED[random.integers(len(_BLURRED))], float), 15)
        canvas.dot(random.uniform(0, small, 2), colour, small * random.uniform(0.04, 0.16))
    _draw_grass(canvas, int(random.integers(0, 40)), 1.0)
    blurred = canvas.image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 2.5)))
    return blurred.resize((side, side), Image.Resampling.BICUBIC)


def draw_foreground(canvas: Canvas) -> None:
    """In one picture of three, a few blades of grass before the flowers."""
    if canvas.random.uniform() < 1 / 3:
        _draw_grass(canvas, int(canvas.random.integers(1, 7)), canvas.side / 80)


def take_photo(image: Image.Image, size: int, random: np.random.Generator) -> Image.Image:
    """Light that falls unevenly, a focus that may miss, and the noise of a sensor."""
    small = image.resize((size, size), Image.Resampling.BOX)
    small = small.filter(ImageFilter.GaussianBlur(abs(random.normal(0, 0.7)) * size / 128))
    values = np.asarray(small, np.float64)
    gain, tint = random.uniform(0.65, 1.25), random.normal(1, 0.06, 3)
    shadow = 1 + _field(size, random, 0.18).mean(axis=2, keepdims=True)
    noise = random.normal(0, random.uniform(2, 12), (size, size, 1))
    return _to_image(values * gain * tint * shadow + noise)


def _draw_grass(canvas: Canvas, blades: int, width: float) -> None:
    random, side = canvas.random, canvas.side
    for _ in range(blades):
        foot = np.array([random.uniform(-0.1, 1.1), 1.05]) * side
        tip = foot + side * np.array([random.normal(0, 0.25), -random.uniform(0.25, 0.95)])
        knee = (foot + tip) / 2 + side * random.normal(0, 0.05, 2)
        green = np.array([80.0, 115.0, 50.0]) * random.uniform(0.5, 1.5)
        canvas.line(np.stack([foot, knee, tip]), canvas.vary(green, 12), max(1.0, width))


def _field(side: int, random: np.random.Generator, spread: float) -> np.ndarray:
    """Smooth random values around 0: [side, side, 3]."""
    cells = int(random.integers(2, 7))
    coarse = random.normal(0, spread, (cells, cells, 1)) + random.normal(
        0, spread / 3, (cells, cells, 3)
    )
    layers = [
        Image.fromarray(layer.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
        for layer in np.moveaxis(coarse, 2, 0)
    ]
    return np.stack([np.asarray(layer) for layer in layers], axis=2)


def _to_image(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _tuple(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = np.clip(colour, 0, 255).astype(int).tolist()
    return red, green, blue
