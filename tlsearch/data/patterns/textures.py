"""Textures: noise with a spectrum of its own, plain, cut at a level, or folded into ridges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlsearch.data.patterns.pattern import Layer, Pattern, rotation


@dataclass(frozen=True)
class Texture(Pattern):
    """Noise around a frequency.

    Attributes:
        frequency: waves across the picture, where the spectrum is highest.
        bandwidth: its width in octaves; wide ones look like clouds, narrow ones like spots.
        stretch: how much longer the grain is in one direction than across it.
        form: `plain`, `spots` (cut at a level) or `ridges` (folded).
        level: where spots are cut, in standard deviations.
    """

    frequency: float
    bandwidth: float
    stretch: float
    form: str
    level: float

    @classmethod
    def sample(cls, random: np.random.Generator) -> Texture:
        return cls(
            frequency=float(np.exp(random.uniform(np.log(3), np.log(20)))),
            bandwidth=float(random.uniform(0.15, 1.2)),
            stretch=float(random.choice([1.0, 1.0, 2.0, 4.0])),
            form=str(random.choice(["plain", "spots", "ridges"])),
            level=float(random.uniform(-0.7, 1.0)),
        )

    def draw(self, size: int, random: np.random.Generator) -> Layer:
        noise = random.standard_normal((size, size), np.float32)
        field = np.fft.irfft2(np.fft.rfft2(noise) * self._spectrum(size, random), s=(size, size))
        field = (field / (field.std() + 1e-9)).astype(np.float32)
        return Layer(np.ones_like(field), self._formed(field))

    def _spectrum(self, size: int, random: np.random.Generator) -> np.ndarray:
        """The filter of an instance, float64 [size, size // 2 + 1]."""
        turn = rotation(random.uniform(0, np.pi))
        across, down = np.fft.rfftfreq(size, 1 / size), np.fft.fftfreq(size, 1 / size)
        u = turn[0, 0] * across + turn[0, 1] * down[:, None]
        v = turn[1, 0] * across + turn[1, 1] * down[:, None]
        radius = np.hypot(u * self.stretch, v / self.stretch) + 1e-3
        centre = self.frequency * random.uniform(0.85, 1.15)
        return np.exp(-0.5 * (np.log2(radius / centre) / self.bandwidth) ** 2)

    def _formed(self, field: np.ndarray) -> np.ndarray:
        if self.form == "spots":
            return np.clip((field - self.level) * 3 + 0.5, 0, 1)
        if self.form == "ridges":
            return np.clip(1 - np.abs(field) * 1.2, 0, 1)
        return np.clip(field / 4 + 0.5, 0, 1)
