"""RandAugment's operations (Cubuk, Zoph, Shlens & Le 2020), each as far as a magnitude says.

Their ranges are those of AutoAugment (Cubuk et al. 2019, table 6), which RandAugment took over.
An operation that moves pixels becomes part of the one affine map that a photo is sampled by, so
all of these come before all that change colours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from tlsearch.augmentation import geometry

DRAWS = 2
"""How many random numbers an operation takes."""
MOST = 10.0
"""The highest magnitude."""
# In these steps the arithmetic of Pillow's blending is exact: the same on every processor.
_STEP = 2.0**-8

Move = Callable[[float], np.ndarray]
Change = Callable[[Image.Image, float], Image.Image]


@dataclass(frozen=True)
class Chosen:
    """An operation, and how far it goes: from -1 to 1."""

    name: str
    far: float


def _moved(move: Move, most: float) -> Move:
    return lambda far: move(far * most)


MOVES: dict[str, Move] = {
    "rotate": _moved(geometry.rotation, 30.0),
    "shear_x": _moved(geometry.shear, 0.3),
    "shear_y": _moved(lambda most: geometry.shear(0.0, most), 0.3),
    "translate_x": _moved(geometry.shift, 0.45),
    "translate_y": _moved(lambda most: geometry.shift(0.0, most), 0.45),
}


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Change:
    def enhance(image: Image.Image, far: float) -> Image.Image:
        return kind(image).enhance(1 + round(0.9 * far / _STEP) * _STEP)

    return enhance


def _posterize(image: Image.Image, far: float) -> Image.Image:
    return ImageOps.posterize(image, 8 - round(4 * abs(far)))


def _solarize(image: Image.Image, far: float) -> Image.Image:
    return ImageOps.solarize(image, round(256 * (1 - abs(far))))


CHANGES: dict[str, Change] = {
    "identity": lambda image, _: image,
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "posterize": _posterize,
    "solarize": _solarize,
    "colour": _enhanced(ImageEnhance.Color),
    "contrast": _enhanced(ImageEnhance.Contrast),
    "brightness": _enhanced(ImageEnhance.Brightness),
    "sharpness": _enhanced(ImageEnhance.Sharpness),
}
OPERATIONS = (*CHANGES, *MOVES)


def choose(magnitude: float, draw: np.ndarray) -> list[Chosen]:
    """As many operations as `draw`, numbers from [0, 1), has pairs; any may come twice."""
    return [
        Chosen(
            OPERATIONS[int(which * len(OPERATIONS))], (1 if sign < 0.5 else -1) * magnitude / MOST
        )
        for which, sign in draw.reshape(-1, DRAWS).tolist()
    ]


def move(whole: np.ndarray, chosen: list[Chosen]) -> np.ndarray:
    """The map with the chosen moves after it."""
    for one in chosen:
        if one.name in MOVES:
            whole = whole @ MOVES[one.name](one.far)
    return whole


def change(image: Image.Image, chosen: list[Chosen]) -> Image.Image:
    """The image after the chosen changes of its colours."""
    for one in chosen:
        if one.name in CHANGES:
            image = CHANGES[one.name](image, one.far)
    return image
