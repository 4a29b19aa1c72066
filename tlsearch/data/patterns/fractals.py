"""Fractals by iterated function systems.

The idea of learning from them is FractalDB's (Kataoka et al. 2020, "Pre-training without Natural
Images"); the systems are drawn by singular values, so that all of them contract (Anderson &
Farrell 2022, "Improving Fractal Pre-training").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlsearch.data.patterns.pattern import Layer, Pattern, pose, rotation

_CHAINS = 600
_STEPS = 16
_SETTLED = 8
"""Points are drawn by many chains side by side; each has reached the attractor after 8 steps."""


@dataclass(frozen=True)
class Fractal(Pattern):
    """An iterated function system: `maps` float64 [n, 2, 3], each an affine map of the plane."""

    maps: np.ndarray

    @classmethod
    def sample(cls, random: np.random.Generator) -> Fractal:
        n = int(random.integers(2, 6))
        total = random.uniform(0.5 * (5 + n), 0.5 * (6 + n))
        while True:
            values = np.sort(random.uniform(0, 1, (n, 2)), axis=1)[:, ::-1]
            values = values * total / (values @ [1.0, 2.0]).sum()
            if values.max() < 0.95:
                break
        linear = [
            rotation(a) @ np.diag(pair) @ rotation(b) @ np.diag(random.choice([-1.0, 1.0], 2))
            for pair, (a, b) in zip(values, random.uniform(0, 2 * np.pi, (n, 2)), strict=True)
        ]
        shifts = random.uniform(-1, 1, (n, 2, 1))
        return cls(np.concatenate([np.stack(linear), shifts], axis=2))

    def draw(self, size: int, random: np.random.Generator) -> Layer:
        maps = self.maps * random.uniform(0.9, 1.1, (len(self.maps), 1, 3))
        points, which = _play(maps, random)
        points = (points - points.mean(axis=0)) / (2 * points.std() + 1e-6)
        radius = size * random.uniform(0.18, 0.45)
        places = points @ pose(random).T * radius + random.uniform(0.3, 0.7, 2) * size
        return _rasterise(places, which / len(maps), size)


def _play(maps: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The chaos game: points [n, 2] of the attractor, and the map that each came by [n]."""
    areas = np.abs(np.linalg.det(maps[:, :, :2])) + 0.02
    choices = random.choice(len(maps), (_STEPS, _CHAINS), p=areas / areas.sum())
    x, y = random.uniform(-1, 1, (2, _CHAINS))
    kept = []
    for step, which in enumerate(choices):
        chosen = maps.reshape(-1, 6).T[:, which]
        x, y = (chosen[0] * x + chosen[1] * y + chosen[2],
                chosen[3] * x + chosen[4] * y + chosen[5])  # fmt: skip
        if step >= _SETTLED:
            kept.append(np.stack([x, y], axis=1))
    return np.concatenate(kept), choices[_SETTLED:].ravel()


def _rasterise(places: np.ndarray, shades: np.ndarray, size: int) -> Layer:
    """Count the points in each pixel: coverage by their number, shade by the mean of theirs."""
    pixels = np.floor(places).astype(int)
    inside = ((pixels >= 0) & (pixels < size)).all(axis=1)
    at = pixels[inside, 1] * size + pixels[inside, 0]
    counts = _spread(np.bincount(at, minlength=size * size).reshape(size, size))
    sums = _spread(np.bincount(at, shades[inside], size * size).reshape(size, size))
    alpha = 1 - np.exp(-1.2 * counts)
    return Layer(alpha.astype(np.float32), (sums / np.maximum(counts, 1e-6)).astype(np.float32))


def _spread(counts: np.ndarray) -> np.ndarray:
    """Let each point reach its neighbours, so that thin fractals are lines and not dust."""
    padded = np.pad(counts.astype(np.float64), 1)
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 8
