"""Brightness, contrast, saturation and hue, as one 3 x 4 matrix over a photo's colours."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tlsearch.config.policy import Policy

DRAWS = 4
"""How many random numbers a change of colours takes."""
LUMA = np.array([0.299, 0.587, 0.114])
"""What each channel gives to a pixel's grey (ITU-R BT.601)."""
# In these steps Pillow's arithmetic is exact in single precision: the same on every processor.
_STEP = 2.0**-10


def recolour(image: Image.Image, policy: Policy, draw: np.ndarray) -> Image.Image:
    """The image in other colours, within the policy's ranges.

    Hues are turned about the grey axis, saturation goes about a pixel's grey, contrast about the
    image's mean.

    Args:
        draw: `DRAWS` numbers from [0, 1).
    """
    limits = (policy.brightness, policy.contrast, policy.saturation, policy.hue)
    if not any(limits):
        return image
    changes = np.array(limits) * (2 * draw - 1)
    brightness, contrast, saturation = (1 + changes[:3]).tolist()
    matrix = saturation * turn_hue(changes[3]) + (1 - saturation) * LUMA
    mean = (matrix @ _means(image)).mean() if policy.contrast else 0.0
    factor, offset = brightness * contrast, brightness * (1 - contrast) * mean
    return image.convert("RGB", _rounded(factor * matrix, factor, float(offset)))


def turn_hue(turns: float) -> np.ndarray:
    """The matrix that turns RGB about its grey axis (Rodrigues' formula): float64 [3, 3]."""
    cos, sin = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns) / np.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return cos * np.eye(3) + sin * cross + (1 - cos) / 3


def _means(image: Image.Image) -> np.ndarray:
    """Of each channel: float64 [3]."""
    counts = np.array(image.histogram()).reshape(3, 256)
    return counts @ np.arange(256) / (image.width * image.height)


def _rounded(matrix: np.ndarray, total: float, offset: float) -> tuple[float, ...]:
    """Twelve numbers for Pillow, in steps; the diagonal makes up for it, so that grey stays grey.

    Args:
        total: what each of the matrix' rows adds up to.
    """
    steps = np.rint(matrix / _STEP)
    steps[np.diag_indices(3)] += round(total / _STEP) - steps.sum(axis=1)
    rows = np.column_stack([steps, np.full(3, round(offset / _STEP))])
    return tuple((rows * _STEP).flatten().tolist())
