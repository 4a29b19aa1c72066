"""Closed outlines: polygons, stars, blobs and rosettes, by the superformula (Gielis 2003)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from tlsearch.data.patterns.pattern import Layer, Pattern, pose

_ANGLES = np.linspace(0, 2 * np.pi, 97)[:-1]
_FINER = 2


@dataclass(frozen=True)
class Shape(Pattern):
    """An outline and how it is filled.

    Attributes:
        symmetry: how often the outline repeats in a turn.
        exponents: the superformula's n1, n2, n3.
        rings: sizes of the outlines inside each other, the largest 1.
        shades: the shade of each ring.
        twist: by how many radians each ring is turned against the one around it.
    """

    symmetry: int
    exponents: tuple[float, float, float]
    rings: tuple[float, ...]
    shades: tuple[float, ...]
    twist: float

    @classmethod
    def sample(cls, random: np.random.Generator) -> Shape:
        count = int(random.integers(1, 4))
        exponents = np.exp(random.uniform(np.log([0.3, 0.5, 0.5]), np.log([6, 8, 8])))
        return cls(
            symmetry=int(random.integers(1, 13)),
            exponents=(float(exponents[0]), float(exponents[1]), float(exponents[2])),
            rings=(1.0, *np.sort(random.uniform(0.2, 0.85, count - 1))[::-1].tolist()),
            shades=tuple(random.permutation(np.linspace(0, 1, 4))[:count].tolist()),
            twist=float(random.uniform(0, np.pi)),
        )

    def draw(self, size: int, random: np.random.Generator) -> Layer:
        side = size * _FINER
        alpha, shade = Image.new("L", (side, side)), Image.new("L", (side, side))
        outline = self._outline(random)
        for _ in range(random.choice([1, 1, 2, 3, 5])):
            matrix = pose(random) * side * random.uniform(0.12, 0.4)
            centre = random.uniform(0.15, 0.85, 2) * side
            self._draw_one(outline @ matrix.T, centre, alpha, shade)
        small = (size, size)
        return Layer(*(_values(one.resize(small, Image.Resampling.BOX)) for one in (alpha, shade)))

    def _outline(self, random: np.random.Generator) -> np.ndarray:
        """The outline [points, 2] of an instance, inside the unit circle."""
        n1, n2, n3 = self.exponents * random.uniform(0.92, 1.08, 3)
        quarter = self.symmetry * _ANGLES / 4
        radius = (np.abs(np.cos(quarter)) ** n2 + np.abs(np.sin(quarter)) ** n3) ** (-1 / n1)
        radius = np.minimum(radius / np.quantile(radius, 0.95), 1.2)
        return radius[:, None] * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)

    def _draw_one(
        self, points: np.ndarray, centre: np.ndarray, alpha: Image.Image, shade: Image.Image
    ) -> None:
        for number, (scale, colour) in enumerate(zip(self.rings, self.shades, strict=True)):
            turned = np.roll(points, round(number * self.twist / (2 * np.pi) * len(points)), axis=0)
            outline = (turned * scale + centre).ravel().tolist()
            ImageDraw.Draw(alpha).polygon(outline, 255)
            ImageDraw.Draw(shade).polygon(outline, round(255 * colour))


def _values(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32) / 255
