"""What every drawn pattern is: a rule, fixed for a class, that draws a new instance each time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layer:
    """One drawing, both [size, size] from 0 to 1.

    `alpha` (float32, of gratings float64) is how much of a pixel it covers, `shade` (float32) where
    on a palette the pixel's colour lies.
    """

    alpha: np.ndarray
    shade: np.ndarray


class Pattern(ABC):
    """A rule that draws. Its own numbers belong to the class, `random` to the instance."""

    @abstractmethod
    def draw(self, size: int, random: np.random.Generator) -> Layer:
        """A new instance on a canvas of `size` pixels a side."""


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates x and y of the pixels' centres, float32 [size, size], from -1 to 1."""
    line = ((np.arange(size, dtype=np.float32) + 0.5) / size) * 2 - 1
    return np.broadcast_to(line, (size, size)), np.broadcast_to(line[:, None], (size, size))


def rotation(angle: float) -> np.ndarray:
    """The 2 x 2 matrix that turns by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def pose(random: np.random.Generator) -> np.ndarray:
    """A 2 x 2 matrix that turns any way, mirrors half of the time and foreshortens a little."""
    tilt = np.diag([1.0, random.uniform(0.6, 1.0)])
    mirror = np.diag([random.choice([-1.0, 1.0]), 1.0])
    return rotation(random.uniform(0, 2 * np.pi)) @ tilt @ rotation(random.uniform(0, 7)) @ mirror
