"""Gratings: waves along a line, a ring, a ray or a spiral, alone or crossed with another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlsearch.data.patterns.pattern import Layer, Pattern, grid, rotation


@dataclass(frozen=True)
class Grating(Pattern):
    """A periodic pattern.

    Attributes:
        geometry: what the waves run along.
        frequency: waves across the picture; for rays, around the centre.
        wave: the form of one wave.
        crossed: a second grating at a right angle: `no`, `product` (checks) or `maximum` (plaid).
        bend: how far the waves are bent, in parts of the picture.
    """

    geometry: str
    frequency: float
    wave: str
    crossed: str
    bend: float

    @classmethod
    def sample(cls, random: np.random.Generator) -> Grating:
        return cls(
            geometry=str(random.choice(["line", "line", "ring", "ray", "spiral"])),
            frequency=float(np.exp(random.uniform(np.log(3), np.log(16)))),
            wave=str(random.choice(["sine", "square", "saw"])),
            crossed=str(random.choice(["no", "no", "product", "maximum"])),
            bend=float(random.choice([0.0, 0.0, 0.1, 0.25])),
        )

    def draw(self, size: int, random: np.random.Generator) -> Layer:
        x, y = self._coordinates(size, random)
        frequency = self.frequency * random.uniform(0.88, 1.12)
        along, across = self._phases(x, y, frequency)
        values = self._wave(along + random.uniform(0, 1))
        if self.crossed != "no":
            other = self._wave(across + random.uniform(0, 1))
            join = np.multiply if self.crossed == "product" else np.maximum
            values = join(values, other)
        return Layer(np.ones_like(values), values.astype(np.float32))

    def _coordinates(self, size: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Turned, moved and bent coordinates of the pixels."""
        x, y = grid(size)
        turn = rotation(random.uniform(0, 2 * np.pi))
        dx, dy = random.uniform(-0.4, 0.4, 2)
        u = turn[0, 0] * x + turn[0, 1] * y - dx
        v = turn[1, 0] * x + turn[1, 1] * y - dy
        if not self.bend:
            return u, v
        phase = random.uniform(0, 2 * np.pi, 2)
        return (u + self.bend * np.sin(np.pi * v + phase[0]),
                v + self.bend * np.sin(np.pi * u + phase[1]))  # fmt: skip

    def _phases(self, x: np.ndarray, y: np.ndarray, frequency: float) -> tuple[np.ndarray, ...]:
        """In waves: along the geometry, and across it."""
        if self.geometry == "line":
            return x * frequency / 2, y * frequency / 2
        radius, angle = np.hypot(x, y), np.arctan2(y, x) / (2 * np.pi)
        rays = round(frequency)
        if self.geometry == "ring":
            return radius * frequency / 2, angle * rays
        if self.geometry == "ray":
            return angle * rays, radius * frequency / 2
        arms = max(1, rays // 3)
        return radius * frequency / 3 + angle * arms, radius * frequency / 3 - angle * arms

    def _wave(self, phase: np.ndarray) -> np.ndarray:
        if self.wave == "saw":
            return phase - np.floor(phase)
        sine = np.sin(2 * np.pi * phase)
        return 0.5 + 0.5 * sine if self.wave == "sine" else np.clip(0.5 + 3 * sine, 0, 1)
