"""Augmentation: seeded random renditions of photos.

Turning, zooming, shifting and mirroring are one affine map a photo, so each photo is sampled
once, by Pillow, which releases the interpreter's lock while it does: a chain of Keras' random
layers samples it once for each and takes about six times as long on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

Strength = Literal["none", "light", "strong"]
Augment = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ranges:
    """How far a rendition may be from the photo.

    Degrees of rotation; zoom and shift as shares of the side; brightness, contrast and
    saturation as shares of their own. Every photo is mirrored half of the time.
    """

    rotation: float
    zoom: float
    shift: float
    colour: float

    def margin(self, size: int) -> int:
        """How many pixels beyond the photo's edges can come into view."""
        angle = math.radians(self.rotation)
        reach = (math.cos(angle) + math.sin(angle)) / 2 * (1 + self.zoom) + self.shift
        return math.ceil((reach - 0.5) * size) + 1


RANGES = {
    "light": Ranges(rotation=15, zoom=0.1, shift=0.1, colour=0.0),
    "strong": Ranges(rotation=30, zoom=0.25, shift=0.15, colour=0.25),
}


def augmentation(strength: Strength, seed: int) -> Augment | None:
    """A function from photos uint8 [n, s, s, 3] to fresh renditions of them, same type.

    None for "none". The same seed gives the same sequence of renditions.
    """
    if strength == "none":
        return None
    ranges = RANGES[strength]
    random = np.random.default_rng(seed)

    def augment(photos: np.ndarray) -> np.ndarray:
        draws = random.uniform(-1, 1, size=(len(photos), 8))
        with ThreadPoolExecutor() as threads:
            return np.stack(list(threads.map(_render, photos, draws, [ranges] * len(photos))))

    return augment


def _render(photo: np.ndarray, draw: np.ndarray, ranges: Ranges) -> np.ndarray:
    """One rendition; `draw` holds eight numbers from -1 to 1."""
    turned = _warp(photo, draw[:5], ranges)
    return _recolour(turned, draw[5:], ranges.colour) if ranges.colour else turned


def _warp(photo: np.ndarray, draw: np.ndarray, ranges: Ranges) -> np.ndarray:
    """Mirror, turn, zoom and shift about the centre; what comes into view is a reflection."""
    size = len(photo)
    margin = ranges.margin(size)
    # Much faster than np.pad, and the same.
    reflection = np.pad(np.arange(size), margin, mode="reflect")
    padded = photo[reflection].take(reflection, axis=1)
    angle, scale = math.radians(draw[1] * ranges.rotation), 1 + draw[2] * ranges.zoom
    mirror = -1 if draw[0] < 0 else 1
    a, b = mirror * scale * math.cos(angle), scale * math.sin(angle)
    d, e = -mirror * scale * math.sin(angle), scale * math.cos(angle)
    centre = (size - 1) / 2
    x = centre + margin + draw[3] * ranges.shift * size - (a + b) * centre
    y = centre + margin + draw[4] * ranges.shift * size - (d + e) * centre
    # Pillow samples at pixel centres: half a pixel in, half a pixel out.
    half = 0.5
    matrix = (a, b, x + half - half * (a + b), d, e, y + half - half * (d + e))
    warped = Image.fromarray(padded).transform(
        (size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    return np.asarray(warped)


def _recolour(photo: np.ndarray, draw: np.ndarray, share: float) -> np.ndarray:
    """Change brightness, contrast about the photo's mean, and saturation about its grey."""
    brightness, contrast, saturation = 1 + share * draw
    x = photo.astype("float32")
    grey = x @ np.array([0.299, 0.587, 0.114], "float32")
    x = grey[..., None] + saturation * (x - grey[..., None])
    mean = grey.mean()
    x = brightness * (mean + contrast * (x - mean))
    return np.clip(np.rint(x), 0, 255).astype("uint8")
