"""The look that all pictures share: colours, a figure with panels, titles, grid lines, a key.

matplotlib is used through its object API with the Agg canvas: no display, no `pyplot`, no
state that outlives a picture. Panels stand where they are put, and `lettering` writes all words:
measuring everything before it is drawn, and an axis with its ticks, took longer than the drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import blended_transform_factory
from PIL import Image

from tlsearch.report.colours import GRID, INK, QUIET
from tlsearch.report.lettering import POINTS_PER_INCH, Hand, Lettering, width

DOTS_PER_INCH = 120
EDGE = 0.2
"""Inches between the edge of a picture and what is drawn."""
HEADER = 0.7
"""Inches above a panel, for a title and a note."""
LABEL_GAP = 4
"""Points between a panel and the labels of its axes."""
EFFORT = 1
"""Of the compression, 0 to 9: the default takes twice as long and saves a seventh."""
_SIZE = 9
_TITLE_SHIFT, _NOTE_SHIFT = 29, 11
"""Points above a panel."""
_SQUARE = 9 / POINTS_PER_INCH
"""Inches of a colour in a key."""


def new_figure(width: float, height: float) -> Figure:
    """A blank white figure of `width` by `height` inches that can be saved without a display."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def add_panel(figure: Figure, corner: tuple[float, float], size: tuple[float, float]) -> Axes:
    """An empty panel; its lower left corner and its size in inches."""
    across, up = figure.get_size_inches()
    place = (corner[0] / across, corner[1] / up, size[0] / across, size[1] / up)
    axes = figure.add_axes(place)
    axes.set_axis_off()
    return axes


def add_title(axes: Axes, title: str, note: str = "") -> None:
    """Above the panel a title and, below it in grey, what else one has to know."""
    Lettering(axes, [title], [(0, 1)], Hand(INK, 12, bold=True, shift=(0, _TITLE_SHIFT)))
    Lettering(axes, [note], [(0, 1)], Hand(QUIET, _SIZE, shift=(0, _NOTE_SHIFT)))


def title_width(title: str, note: str) -> float:
    """Inches that a title and its note take."""
    return max(width(title, 12, bold=True), width(note, _SIZE))


def add_key(axes: Axes, colours: Mapping[str, str]) -> None:
    """What each colour stands for, above the panel's right end."""
    unit = 1 / (axes.bbox.width / DOTS_PER_INCH), 1 / (axes.bbox.height / DOTS_PER_INCH)
    square = unit[0] * _SQUARE, unit[1] * _SQUARE
    middle = 1 + unit[1] * _NOTE_SHIFT / POINTS_PER_INCH
    starts: list[float] = []
    at = 1.0
    for word in reversed(list(colours)):
        at -= width(word, _SIZE) * unit[0]
        starts.insert(0, at)
        at -= 2.5 * square[0]
    for start, colour in zip(starts, colours.values(), strict=True):
        corner = (start - 1.5 * square[0], middle - square[1] / 2)
        look = Rectangle(corner, *square, color=colour, linewidth=0, clip_on=False)
        look.set_transform(axes.transAxes)
        axes.add_artist(look)
    hand = Hand(INK, _SIZE, shift=(0, _NOTE_SHIFT))
    Lettering(axes, list(colours), [(start, 1) for start in starts], hand)


def add_scale(
    axes: Axes, side: Literal["left", "below"], ticks: Sequence[float], labels: Sequence[str]
) -> None:
    """Labels at these places of an axis."""
    if side == "left":
        hand = Hand(INK, _SIZE, start="right", up="data", shift=(-LABEL_GAP, 0))
        Lettering(axes, labels, [(0, tick) for tick in ticks], hand)
    else:
        hand = Hand(INK, _SIZE, start="centre", across="data", shift=(0, -LABEL_GAP - 5))
        Lettering(axes, labels, [(tick, 0) for tick in ticks], hand)


def add_grid(axes: Axes, across: Literal["x", "y"], ticks: Sequence[float]) -> None:
    """Lines through the panel at these places of an axis, and along its left and lower end."""
    ends = LineCollection([((0, 1), (0, 0)), ((0, 0), (1, 0))])
    ends.set_transform(axes.transAxes)
    if across == "y":
        lines = LineCollection([((0.0, tick), (1.0, tick)) for tick in ticks])
        lines.set_transform(blended_transform_factory(axes.transAxes, axes.transData))
    else:
        lines = LineCollection([((tick, 0.0), (tick, 1.0)) for tick in ticks])
        lines.set_transform(blended_transform_factory(axes.transData, axes.transAxes))
    for some in (lines, ends):
        some.set(color=GRID, linewidth=0.8, zorder=0.5, clip_on=False)
        axes.add_artist(some)


def shorten(name: str, length: int = 32) -> str:
    """The name, or so much of it as leaves the picture its room."""
    return name if len(name) <= length else name[: length - 1] + "…"


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG and return its path.

    `Figure.savefig` would draw everything twice.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.save(path, compress_level=EFFORT, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return path
