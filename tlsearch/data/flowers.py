"""Drawing a flower of one of five kinds, as if photographed.

The kind decides the shape alone: how many petals, how long, how blunt, in how many rings, around
what. Colours, pose, number, place, background, light, focus and noise are drawn from the same
ranges for every kind, so that counting colours does not tell the kinds apart. What surrounds the
flowers is in scenery.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tlsearch.data.scenery import Canvas, draw_background, draw_foreground, take_photo

VERSION = 1
"""To be raised when a change makes other pictures from the same seed."""

_OVERSAMPLING = 2
_PETALS = ((245, 242, 235), (250, 205, 40), (240, 140, 40), (235, 110, 160), (205, 35, 50),
           (150, 80, 180), (250, 225, 150), (245, 190, 200))  # fmt: skip
_DISCS = ((235, 180, 30), (120, 75, 35), (70, 45, 25), (190, 190, 70), (225, 140, 30))
_STEMS = ((70, 120, 50), (95, 140, 60), (60, 95, 55))


@dataclass(frozen=True)
class Ring:
    """Petals around a centre, all lengths in radii of the flower.

    `inner` is where a petal begins, `outer` where it ends, `width` how wide it is; `bulge` and
    `point` are the exponents of its outline: a larger `point` makes a sharper tip.
    """

    petals: int
    inner: float
    outer: float
    width: float
    bulge: float
    point: float


@dataclass(frozen=True)
class Pose:
    """Where a flower is, in pixels, and the 2 x 2 matrix that turns, tilts and sizes it."""

    centre: np.ndarray
    matrix: np.ndarray

    def place(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 2] of a flower of radius 1, in pixels of the canvas."""
        return points @ self.matrix.T + self.centre


def draw(kind: str, size: int, seed: tuple[int, ...]) -> Image.Image:
    """One photo: an RGB picture of `size` pixels a side, the same for the same arguments."""
    random = np.random.default_rng([*(part % 2**32 for part in seed), list(KINDS).index(kind)])
    side = size * _OVERSAMPLING
    canvas = Canvas(draw_background(side, random), random)
    heads = int(random.choice([1, 1, 1, 2, 3]))
    for _ in range(heads):
        _draw_flower(kind, canvas, 1.0 if heads == 1 else 0.7)
    draw_foreground(canvas)
    return take_photo(canvas.image, size, random)


def _draw_flower(kind: str, canvas: Canvas, scale: float) -> None:
    random, side = canvas.random, canvas.side
    radius = side * scale * random.uniform(0.2, 0.42)
    centre = side * random.uniform(0.28, 0.72, 2)
    lean = random.normal(0, 0.25)
    _draw_stem(canvas, centre, radius, lean)
    if kind == "tulip":
        matrix = radius * _rotation(lean)
    else:
        tilt = np.diag([1.0, random.uniform(0.55, 1.0)])
        matrix = radius * _rotation(random.normal(0, 0.5)) @ tilt
    KINDS[kind](canvas, Pose(centre, matrix))


def _rotation(angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _draw_stem(canvas: Canvas, centre: np.ndarray, radius: float, lean: float) -> None:
    """A bent stem from the flower to the lower edge, with up to three leaves."""
    random = canvas.random
    colour = canvas.vary(_pick(_STEMS, random), 20)
    length = canvas.side * 1.1 - centre[1]
    t = np.linspace(0, 1, 12)
    bend = random.normal(0, 0.12) * canvas.side * t**2
    stem = np.stack([centre[0] - np.tan(lean) * length * t + bend, centre[1] + length * t], axis=1)
    canvas.line(stem, colour, max(2.0, radius * random.uniform(0.06, 0.12)))
    for _ in range(random.integers(0, 4)):
        outline = _petal(Ring(1, 0, 1, random.uniform(0.15, 0.4), 0.6, 0.8))
        turned = outline @ _rotation(random.uniform(-2.8, -0.3)).T
        at = stem[random.integers(3, 12)]
        canvas.polygon(
            at + turned * radius * random.uniform(0.7, 1.8), canvas.vary(colour, 15), edge=True
        )


def _pick(colours: tuple[tuple[int, int, int], ...], random: np.random.Generator) -> np.ndarray:
    return np.array(colours[random.integers(len(colours))], float)


def _petal(ring: Ring) -> np.ndarray:
    """The outline of a petal that points along x: [points, 2]."""
    t = np.linspace(0, 1, 11)
    half = t**ring.bulge * (1 - t) ** ring.point
    half *= ring.width / 2 / half.max()
    x = ring.inner + (ring.outer - ring.inner) * t
    return np.stack([np.r_[x, x[-2:0:-1]], np.r_[half, -half[-2:0:-1]]], axis=1)


def _draw_ring(canvas: Canvas, pose: Pose, ring: Ring, colour: np.ndarray, ragged: float) -> None:
    """Draw the petals in random order; `ragged` is how much they differ in angle and length."""
    random = canvas.random
    start = random.uniform(0, 2 * np.pi)
    outline = _petal(ring)
    for number in random.permutation(ring.petals):
        angle = start + 2 * np.pi * (number + random.normal(0, ragged)) / ring.petals
        stretch = np.array([random.normal(1, ragged * 0.35), random.normal(1, ragged * 0.35)])
        points = (outline * stretch) @ _rotation(angle).T
        canvas.polygon(pose.place(points), canvas.vary(colour, 14), edge=ring.width > 0.1)
        if ring.width > 0.2:
            vein = np.array([[ring.inner, 0], [ring.outer * 0.8, 0]]) @ _rotation(angle).T
            canvas.line(pose.place(vein), colour * 0.88, 1.0)


def _draw_disc(canvas: Canvas, pose: Pose, radius: float, dots: int) -> None:
    """The centre of a flower: a round patch with dots on a spiral."""
    random = canvas.random
    colour = canvas.vary(_pick(_DISCS, random), 15)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    canvas.polygon(pose.place(circle), colour, edge=True)
    golden = np.pi * (3 - np.sqrt(5)) * np.arange(dots)
    spread = radius * 0.95 * np.sqrt(np.arange(dots) / dots)
    spots = np.stack([spread * np.cos(golden), spread * np.sin(golden)], axis=1)
    for spot in pose.place(spots):
        canvas.dot(spot, canvas.vary(colour * random.choice([0.7, 1.25]), 10), 1.6)


def _draw_daisy(canvas: Canvas, pose: Pose) -> None:
    """One ring of narrow blunt petals with gaps between them, around a small disc."""
    random = canvas.random
    ring = Ring(int(random.integers(11, 20)), 0.15, 1.0, random.uniform(0.2, 0.3), 0.5, 0.22)
    _draw_ring(canvas, pose, ring, _pick(_PETALS, random), 0.2)
    _draw_disc(canvas, pose, random.uniform(0.2, 0.32), 24)


def _draw_dandelion(canvas: Canvas, pose: Pose) -> None:
    """A dense tuft of thin rays in rings of falling length, without a disc."""
    random = canvas.random
    colour = _pick(_PETALS, random)
    for number, outer in enumerate(np.linspace(1.0, 0.3, 5)):
        petals = int(random.integers(34, 46)) - 6 * number
        ring = Ring(petals, 0.0, outer, random.uniform(0.05, 0.09), 0.5, 0.15)
        _draw_ring(canvas, pose, ring, colour * (0.86 + 0.05 * number), 0.6)


def _draw_rose(canvas: Canvas, pose: Pose) -> None:
    """Rings of few, broad, overlapping petals that close around the centre."""
    random = canvas.random
    colour = _pick(_PETALS, random)
    for outer in np.linspace(1.0, 0.28, random.integers(4, 6)):
        ring = Ring(
            int(random.integers(4, 7)), 0.0, outer, outer * random.uniform(1.0, 1.25), 0.7, 0.3
        )
        _draw_ring(canvas, pose, ring, colour * (0.62 + 0.38 * outer), 0.25)
    t = np.linspace(0.5, random.uniform(9, 13), 40)
    spiral = 0.02 * t[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1)
    canvas.line(pose.place(spiral), colour * 0.5, 2.0)


def _draw_sunflower(canvas: Canvas, pose: Pose) -> None:
    """Two rings of short pointed petals around a large disc full of seeds."""
    random = canvas.random
    colour = _pick(_PETALS, random)
    for shade in (0.82, 1.0):
        ring = Ring(int(random.integers(15, 24)), 0.35, 1.0, random.uniform(0.2, 0.3), 0.5, 0.8)
        _draw_ring(canvas, pose, ring, colour * shade, 0.3)
    _draw_disc(canvas, pose, random.uniform(0.46, 0.58), 90)


def _draw_tulip(canvas: Canvas, pose: Pose) -> None:
    """A cup seen from the side: upright petals, the outer ones behind the middle one."""
    random = canvas.random
    colour = _pick(_PETALS, random)
    opening = random.uniform(0.15, 0.45)
    base = np.array([0.0, 0.8])
    for lean in (-0.6, 0.6, -1.0, 1.0, 0.0):
        ring = Ring(1, 0.0, random.uniform(1.5, 1.75), random.uniform(0.75, 0.95), 0.45, 0.6)
        upright = _petal(ring) @ _rotation(-np.pi / 2 + lean * opening).T + base
        shade = 1.0 if lean == 0 else 0.92 - 0.12 * (abs(lean) < 1)
        canvas.polygon(pose.place(upright), canvas.vary(colour * shade, 10), edge=True)


KINDS: dict[str, Callable[[Canvas, Pose], None]] = {
    "daisy": _draw_daisy,
    "dandelion": _draw_dandelion,
    "rose": _draw_rose,
    "sunflower": _draw_sunflower,
    "tulip": _draw_tulip,
}
