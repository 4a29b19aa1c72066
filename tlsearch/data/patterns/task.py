"""The source task: classes of pattern and palette, and endless pictures of them.

A class is a pattern in a palette. As each pattern comes in each palette, neither form nor colour
alone tells a class: a network has to learn both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tlsearch.data.patterns.fractals import Fractal
from tlsearch.data.patterns.gratings import Grating
from tlsearch.data.patterns.palettes import PALETTES
from tlsearch.data.patterns.pattern import Pattern
from tlsearch.data.patterns.scenes import draw_scene
from tlsearch.data.patterns.shapes import Shape
from tlsearch.data.patterns.textures import Texture

FAMILIES: tuple[Callable[[np.random.Generator], Pattern], ...] = (
    Fractal.sample, Shape.sample, Texture.sample, Grating.sample)  # fmt: skip


@dataclass(frozen=True)
class PatternTask:
    """Pictures of `patterns` patterns, drawn evenly from the families, in every palette.

    The same seed has the same classes, and picture `number` of it is the same on every machine.
    """

    patterns: int
    size: int
    seed: int

    @property
    def factors(self) -> tuple[int, ...]:
        """How many classes each factor has: pattern, palette, ground."""
        return self.patterns, len(PALETTES), len(PALETTES)

    def draw(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Picture `number`, uint8 [size, size, 3] RGB, and its labels, int64 [factors]."""
        random = np.random.default_rng([self.seed, 1, number])
        labels = random.integers(self.factors)
        pattern, palette, ground = labels
        colours = list(PALETTES.values())
        picture = draw_scene(
            _rule(self.seed, int(pattern)), colours[palette], colours[ground], self.size, random
        )
        return picture, labels

    def draw_all(self, first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Pictures from `first` to before `end`: uint8 [n, size, size, 3], int64 [n, factors]."""
        drawn = [self.draw(number) for number in range(first, end)]
        return np.stack([picture for picture, _ in drawn]), np.stack([label for _, label in drawn])


@lru_cache(maxsize=4096)
def _rule(seed: int, number: int) -> Pattern:
    """Pattern `number` of a task; the families take turns."""
    sample = FAMILIES[number % len(FAMILIES)]
    return sample(np.random.default_rng([seed, 0, number]))
