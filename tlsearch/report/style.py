"""The look that all pictures share: colours, a blank figure, axes without clutter.

matplotlib is used through its object API with the Agg canvas: no display, no `pyplot`, no
state that outlives a picture. It is imported when the first picture is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#22313f"
QUIET = "#7b8794"
GRID = "#e4e8ec"
BLUE = "#1f6fb4"
PALE_BLUE = "#a9cbe8"
ORANGE = "#d9662b"
GREEN = "#2f8f6b"

DOTS_PER_INCH = 150
PADDING = 1.2
"""Between the edge and what is drawn, in heights of a letter."""
EFFORT = 1
"""Of the compression, 0 to 9: the default takes twice as long and saves a seventh."""


def new_figure(width: float, height: float) -> Figure:
    """A blank white figure of `width` by `height` inches that can be saved without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import TightLayoutEngine

    # Without a rectangle it measures everything once, with one twice.
    layout = TightLayoutEngine(pad=PADDING, rect=None)  # type: ignore[arg-type]
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes, *, grid: str | None = "y") -> None:
    """Quiet spines and ticks; grid lines of the named axis behind the data."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=QUIET, labelcolor=INK, length=0, labelsize=9)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis="y" if grid == "y" else "x", color=GRID, linewidth=0.8)


def shorten(name: str, length: int = 32) -> str:
    """The name, or so much of it as leaves the picture its room."""
    return name if len(name) <= length else name[: length - 1] + "…"


def set_title(axes: Axes, title: str, note: str = "") -> None:
    """A left-aligned title and, behind it in grey, what else one has to know."""
    # With a height of its own, matplotlib does not measure all ticks to find one.
    axes.set_title(title, loc="left", y=1.0, fontsize=12, color=INK, fontweight="bold", pad=24)
    axes.annotate(
        note,
        xy=(0, 1),
        xytext=(0, 8),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9,
        color=QUIET,
    )


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG and return its path.

    `Figure.savefig` would draw everything twice.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(DOTS_PER_INCH)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.save(path, compress_level=EFFORT, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return path
