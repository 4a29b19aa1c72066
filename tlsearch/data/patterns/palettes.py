"""Palettes: the colours of a class, in ranges that an instance draws from."""

from __future__ import annotations

from colorsys import hsv_to_rgb
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Palette:
    """Ranges of hue (in turns, may pass 1), saturation and value, all from 0 to 1."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]

    def ramp(self, random: np.random.Generator) -> np.ndarray:
        """Colours from shade 0 to shade 1, float32 [2, 3], RGB 0..255.

        One end is the palette's own colour, the other is clearly brighter or darker and of a
        neighbouring hue.
        """
        ranges = np.array([self.hue, self.saturation, self.value])
        own = random.uniform(ranges[:, 0], ranges[:, 1])
        other = own + random.uniform([-0.06, -0.3, 0.2], [0.06, 0.1, 0.55])
        if own[2] > random.uniform(0.3, 0.7):
            other[2] = 2 * own[2] - other[2]
        return to_rgb(np.stack([own, other] if random.uniform() < 0.5 else [other, own]))


PALETTES = {
    "red": Palette((0.96, 1.02), (0.65, 1.0), (0.45, 1.0)),
    "orange": Palette((0.04, 0.1), (0.65, 1.0), (0.6, 1.0)),
    "yellow": Palette((0.12, 0.18), (0.6, 1.0), (0.7, 1.0)),
    "green": Palette((0.22, 0.42), (0.3, 0.9), (0.25, 0.85)),
    "blue": Palette((0.5, 0.68), (0.35, 0.9), (0.4, 1.0)),
    "violet": Palette((0.7, 0.82), (0.3, 0.9), (0.4, 1.0)),
    "pink": Palette((0.86, 0.96), (0.25, 0.7), (0.7, 1.0)),
    "white": Palette((0.0, 1.0), (0.0, 0.1), (0.8, 1.0)),
    "brown": Palette((0.02, 0.12), (0.2, 0.65), (0.12, 0.45)),
}


def to_rgb(hsv: np.ndarray) -> np.ndarray:
    """Hue, saturation, value [n, 3] from 0 to 1 (hue wraps, the others clip) to RGB 0..255."""
    colours = [
        hsv_to_rgb(hue, min(max(saturation, 0), 1), min(max(value, 0), 1))
        for hue, saturation, value in hsv.tolist()
    ]
    return np.array(colours, np.float32) * 255
