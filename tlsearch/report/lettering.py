"""Many words as one artist of matplotlib's.

A `Text` is laid out, and each of its letters rendered, whenever it is drawn: some 2 ms for a short
label, and most of a report's time. Here a word's outline is made once in a process and all words of
a kind are filled as one collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import (
    Affine2D,
    IdentityTransform,
    Transform,
    blended_transform_factory,
)

POINTS_PER_INCH = 72
Scale = Literal["data", "panel"]
"""What a place is counted in: the axis' own numbers, or 0 to 1 along the panel."""
_START = {"left": 0.0, "centre": 0.5, "right": 1.0}
_HALF_A_CAPITAL = 0.36
"""Of a font's size: from the baseline to the middle of a capital or a digit."""


@dataclass(frozen=True)
class Hand:
    """How words are written.

    Args:
        size: in points.
        start: which end of the word its place is.
        across: what the place's first number is counted in; up: its second.
        shift: points to the right and upwards from the place.
        turn: degrees to the left, around the word's place.
    """

    colour: str
    size: float = 9
    bold: bool = False
    start: Literal["left", "centre", "right"] = "left"
    across: Scale = "panel"
    up: Scale = "panel"
    shift: tuple[float, float] = (0, 0)
    turn: float = 0


class Lettering(PathCollection):
    """Words at places of a panel, each half a capital above and below its place.

    Args:
        words: the texts; none is read as a formula.
        places: [n, 2].
        colours: of each word, where the hand's is not for all of them.
    """

    def __init__(
        self,
        axes: Axes,
        words: Sequence[str],
        places: Sequence[tuple[float, float]],
        hand: Hand,
        colours: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            [_write(word, hand) for word in words],
            sizes=(1.0,),
            offsets=np.reshape(np.asarray(places, float), (-1, 2)),
            transform=IdentityTransform(),
            offset_transform=_scales(axes, hand),
            facecolors=colours or hand.colour,
            linewidths=0,
            clip_on=False,
            zorder=6,
        )
        self.words = tuple(words)
        axes.add_artist(self)


def width(word: str, size: float, *, bold: bool = False) -> float:
    """Inches from a word's start to its end."""
    return _outline(word, bold)[1] * size / POINTS_PER_INCH


def widest(words: Sequence[str], size: float) -> float:
    """Inches of the longest of some words; 0 if there are none."""
    return max((width(word, size) for word in words), default=0.0)


def _write(word: str, hand: Hand) -> Path:
    """A word's outline in points around its place."""
    outline, length = _outline(word, hand.bold)
    placed = Affine2D().translate(-_START[hand.start] * length, -_HALF_A_CAPITAL)
    placed.scale(hand.size).rotate_deg(hand.turn).translate(*hand.shift)
    return placed.transform_path(outline)


@lru_cache(maxsize=4096)
def _outline(word: str, bold: bool) -> tuple[Path, float]:
    """A word's outline from its baseline's start, and its length, for a font of size 1."""
    font = FontProperties(weight="bold" if bold else "normal")
    corners, codes = text_to_path.get_text_path(font, word, ismath=False)
    length, _, _ = text_to_path.get_text_width_height_descent(word, font, ismath=False)
    scale = text_to_path.FONT_SCALE
    corners = np.reshape(np.asarray(corners, float), (-1, 2))
    return Path(corners / scale, codes or None), length / font.get_size_in_points()


def _scales(axes: Axes, hand: Hand) -> Transform:
    known = {"data": axes.transData, "panel": axes.transAxes}
    return blended_transform_factory(known[hand.across], known[hand.up])
