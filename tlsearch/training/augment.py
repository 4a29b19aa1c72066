"""Augmentation: seeded random renditions of photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

Strength = Literal["none", "light", "strong"]
Augment = Callable[[np.ndarray], np.ndarray]


def augmentation(strength: Strength, seed: int) -> Augment | None:
    """A function from photos uint8 [n, s, s, 3] to fresh renditions of them, same type.

    light: left-right flip, rotation by up to 15 degrees, zoom and shift by up to 10 %.
    strong: flip, rotation by up to 30 degrees, zoom up to 25 %, shift up to 15 %, and
    brightness, contrast and saturation up to 25 %.
    None for "none". The same seed gives the same sequence of renditions.
    """
    if strength == "none":
        return None
    layers = _layers(strength, seed)

    def augment(photos: np.ndarray) -> np.ndarray:
        from keras import ops

        x: Any = photos.astype("float32")
        for layer in layers:
            x = layer(x, training=True)
        return np.clip(np.rint(ops.convert_to_numpy(x)), 0, 255).astype("uint8")

    return augment


def _layers(strength: Strength, seed: int) -> list[Any]:
    from keras import layers

    turn, move, colour = (15 / 360, 0.1, 0.0) if strength == "light" else (30 / 360, 0.15, 0.25)
    zoom = 0.1 if strength == "light" else 0.25
    geometry = [
        layers.RandomFlip("horizontal", seed=seed),
        layers.RandomRotation(turn, fill_mode="reflect", seed=seed + 1),
        layers.RandomZoom((-zoom, zoom), fill_mode="reflect", seed=seed + 2),
        layers.RandomTranslation(move, move, fill_mode="reflect", seed=seed + 3),
    ]
    if not colour:
        return geometry
    return [
        *geometry,
        layers.RandomBrightness(colour, value_range=(0, 255), seed=seed + 4),
        layers.RandomContrast(colour, value_range=(0, 255), seed=seed + 5),
        layers.RandomSaturation((0.5 - colour / 2, 0.5 + colour / 2), seed=seed + 6),
    ]
