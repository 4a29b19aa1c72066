"""Mirroring, turning, shearing, zooming, shifting and cutting out, as one affine map a photo.

So each photo is sampled once, by Pillow, which releases the interpreter's lock while it does.
Maps are 3 x 3 matrices: they lead from a place in the rendition to the place in the photo that
is seen there. Places count from the centre, in sides of the photo, x to the right, y down.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from tlsearch.config.policy import Policy

DRAWS = 12
"""How many random numbers a map takes."""
# In these steps Pillow's arithmetic is exact in double precision: the same on every processor,
# and what is white stays white although Pillow rounds down.
_STEP = 2.0**-16


def draw_map(policy: Policy, draw: np.ndarray) -> np.ndarray:
    """A map within the policy's ranges.

    Args:
        draw: `DRAWS` numbers from [0, 1).
    """
    across, down, turn, lean, zoom = draw[:5]
    signed = 2 * draw - 1
    whole = _mirror(across < policy.flip, down < policy.vertical_flip)
    if policy.shear:
        whole = shear(math.tan(math.radians(policy.shear * (2 * lean - 1)))) @ whole
    if policy.rotation:
        whole = rotation(policy.rotation * (2 * turn - 1)) @ whole
    if policy.zoom:
        whole = _scaling(*(2 * [1 + policy.zoom * (2 * zoom - 1)])) @ whole
    if policy.shift:
        whole = shift(*(policy.shift * signed[5:7])) @ whole
    return _cut(policy, draw[7], signed[8:11]) @ whole if policy.crop < 1 else whole


def rotation(degrees: float) -> np.ndarray:
    """Turns the photo clockwise where positive."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def shear(across: float, down: float = 0.0) -> np.ndarray:
    """Moves rows by `across` sides for each side of distance, columns by `down`."""
    return np.array([[1, across, 0], [down, 1, 0], [0, 0, 1]])


def shift(across: float, down: float = 0.0) -> np.ndarray:
    """Moves the photo by so many sides to the left and up where positive."""
    return np.array([[1, 0, across], [0, 1, down], [0, 0, 1]])


def _mirror(across: bool, down: bool) -> np.ndarray:
    return _scaling(-1 if across else 1, -1 if down else 1)


def _scaling(across: float, down: float) -> np.ndarray:
    return np.diag([across, down, 1.0])


def _cut(policy: Policy, area: float, draw: np.ndarray) -> np.ndarray:
    """A part of the photo. The more it shows, the squarer it is: a longer one would not fit."""
    share = policy.crop + (1 - policy.crop) * area
    longest = min(math.log(policy.aspect), -math.log(share))
    aspect = math.exp(longest * draw[0])
    width, height = math.sqrt(share * aspect), math.sqrt(share / aspect)
    return shift(draw[1] * (1 - width) / 2, draw[2] * (1 - height) / 2) @ _scaling(width, height)


def warp(photo: np.ndarray, whole: np.ndarray) -> Image.Image:
    """The photo uint8 [s, s, 3] seen through a map; beyond its edges lies its reflection."""
    if _is_mirror(whole):
        down, across = int(whole[1, 1]), int(whole[0, 0])
        return Image.fromarray(np.ascontiguousarray(photo[::down, ::across]))
    size = len(photo)
    (a, b, x), (d, e, y) = _in_pixels(whole, size)
    left, right = _reach(a, b, x, size)
    top, bottom = _reach(d, e, y, size)
    part = photo[_reflect(top, bottom, size)].take(_reflect(left, right, size), axis=1)
    matrix = (a, b, x - left, d, e, y - top)
    return Image.fromarray(part).transform(
        (size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )


def _is_mirror(whole: np.ndarray) -> bool:
    """Whether no pixel has to be computed."""
    return np.array_equal(np.abs(whole), np.eye(3))


def _in_pixels(whole: np.ndarray, size: int) -> list[list[float]]:
    """The map's upper rows from pixel to pixel, counted from the upper left corner."""
    rows = whole[:2].copy()
    rows[:, 2] += 0.5
    rows[:, 2] -= rows[:, :2].sum(axis=1) / 2
    rows[:, 2] *= size
    return (np.rint(rows / _STEP) * _STEP).tolist()


def _reach(a: float, b: float, start: float, size: int) -> tuple[int, int]:
    """From which pixel to before which one a row of the map reaches, neighbours included."""
    ends = (0.5, size - 0.5)
    places = [start + a * x + b * y - 0.5 for x in ends for y in ends]
    return math.floor(min(places)), math.floor(max(places)) + 2


def _reflect(first: int, last: int, size: int) -> np.ndarray:
    """The pixels that are seen at `first` to before `last`; edges are not repeated."""
    period = max(1, 2 * (size - 1))
    places = np.arange(first, last) % period
    return np.where(places < size, places, period - places)
