"""A picture of one pattern: before a background, under uneven light, through a lens."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from tlsearch.data.patterns.palettes import Palette
from tlsearch.data.patterns.pattern import Layer, Pattern


def draw_scene(
    pattern: Pattern, palette: Palette, ground: Palette, size: int, random: np.random.Generator
) -> np.ndarray:
    """A new picture of the pattern, uint8 [size, size, 3] RGB.

    Args:
        palette: the colours of the pattern; ground: those of what lies behind it.
    """
    layer = pattern.draw(size, random)
    alpha = layer.alpha * _window(layer, random)
    behind = _paint(ground.ramp(random), _clouds(size, random))
    before = _paint(palette.ramp(random), layer.shade)
    return _photograph(behind + alpha[..., None] * (before - behind), random)


def _paint(ramp: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Colours of the ramp [2, 3] by shade [size, size]: float32 [size, size, 3]."""
    return ramp[0] + shade[..., None] * (ramp[1] - ramp[0])


def _window(layer: Layer, random: np.random.Generator) -> np.ndarray:
    """Where a pattern that fills the picture is seen: all over, or within a smooth patch."""
    size = len(layer.alpha)
    if layer.alpha.min() < 1 or random.uniform() < 0.3:
        return np.ones((size, size), np.float32)
    return np.clip(_field(size, random, 3) * 6 + 2, 0, 1)


def _clouds(size: int, random: np.random.Generator) -> np.ndarray:
    """Noise of several octaves, from smooth to rough: float32 [size, size] from 0 to 1."""
    octaves = [2**number for number in range(1, 6)]
    weights = random.uniform(0.3, 1.1) ** np.arange(len(octaves), dtype=np.float32)
    weights *= random.uniform(0.1, 0.5) / np.sqrt((weights**2).sum())
    total = sum(w * _field(size, random, cells) for w, cells in zip(weights, octaves, strict=True))
    return np.clip(0.5 + total, 0, 1)


def _photograph(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Uneven light, a tint, a focus that may miss, and noise."""
    size = len(picture)
    light = np.float32(random.uniform(0.7, 1.2)) * (1 + 0.15 * _field(size, random, 2))
    lit = picture * light[..., None] * random.normal(1, 0.05, 3).astype(np.float32)
    image = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    blur = abs(random.normal(0, 0.6))
    if blur > 0.3:
        image = image.filter(ImageFilter.GaussianBlur(blur * size / 96))
    noise = random.standard_normal((size, size, 1), np.float32) * np.float32(random.uniform(0, 10))
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)


def _field(size: int, random: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise with as many cells across, float32 [size, size], deviation about 1."""
    coarse = Image.fromarray(random.standard_normal((cells + 1, cells + 1), np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
