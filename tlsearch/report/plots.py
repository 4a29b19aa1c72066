"""The pictures of one trial: learning curves, confusion matrix, figures per class.

Each function returns a matplotlib figure; `style.save` writes it. Photos are shown in
`contact_sheet`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tlsearch.report import style
from tlsearch.report.colours import BLUE, INK, ORANGE, PALE_BLUE, PALE_GREY, QUIET
from tlsearch.report.evaluation import Evaluation
from tlsearch.report.lettering import POINTS_PER_INCH, Hand, Lettering, widest

if TYPE_CHECKING:
    import pandas as pd

PERCENT_UP_TO = 12
"""Up to so many classes a cell of the confusion matrix has room for a percentage too."""
_GAP = style.LABEL_GAP / POINTS_PER_INCH
_LINE = 14 / POINTS_PER_INCH
"""Inches from one line of words to the next."""
_MEASURES = {"F1": BLUE, "recall": PALE_BLUE, "precision": PALE_GREY}


def plot_learning_curves(
    history: pd.DataFrame, *, objective: str = "val_accuracy", unfrozen_at: int | None = None
) -> Figure:
    """Loss and accuracy by epoch, training and validation.

    Args:
        history: columns `epoch`, `loss`, `val_loss`, `accuracy`, `val_accuracy`; one row an epoch.
        objective: the column whose best epoch is marked in both panels.
        unfrozen_at: the first epoch in which blocks of the backbone learn too.
    """
    wide, high, left, below = 4.55, 3.0, 0.75, 0.55
    figure = style.new_figure(2 * (left + wide + style.EDGE), high + below + style.HEADER)
    best = best_epoch(history, objective)
    for place, name in enumerate(("loss", "accuracy")):
        corner = (left + place * (left + wide + style.EDGE), below)
        axes = style.add_panel(figure, corner, (wide, high))
        _draw_curves(axes, history, name)
        _mark_best(axes, history, f"val_{name}", best)
        _mark_unfreezing(axes, unfrozen_at)
        _add_scales(axes)
        style.add_key(axes, {"training": PALE_BLUE, "validation": BLUE})
    return figure


def best_epoch(history: pd.DataFrame, objective: str) -> int | None:
    """The epoch with the best objective; None if no epoch has a number there."""
    values = history[objective].dropna() if objective in history else history["epoch"][:0]
    if values.empty:
        return None
    row = values.idxmin() if objective.endswith("loss") else values.idxmax()
    return int(history["epoch"].loc[row])


def _draw_curves(axes: Axes, history: pd.DataFrame, name: str) -> None:
    dot = "o" if len(history) < 30 else None
    looks: dict[str, dict[str, Any]] = {name: {"color": PALE_BLUE}, f"val_{name}": {"color": BLUE}}
    for column, look in looks.items():
        if column in history:
            values = history[column].astype(float)
            axes.plot(history["epoch"], values, marker=dot, markersize=3.5, linewidth=2, **look)
    axes.margins(y=0.12)


def _mark_best(axes: Axes, history: pd.DataFrame, column: str, best: int | None) -> None:
    name = column.removeprefix("val_").capitalize()
    if best is None or column not in history:
        style.add_title(axes, name)
        return
    value = float(history.loc[history["epoch"] == best, column].iloc[-1])
    axes.plot([best], [value], marker="o", markersize=9, color=ORANGE, zorder=5)
    style.add_title(axes, name, f"best epoch {best}: {value:.4g} on validation")


def _mark_unfreezing(axes: Axes, epoch: int | None) -> None:
    if epoch is None:
        return
    between = epoch - 0.5
    axes.axvline(between, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    hand = Hand(QUIET, 8, across="data", shift=(4, -6))
    Lettering(axes, ["blocks unfrozen"], [(between, 1)], hand)


def _add_scales(axes: Axes) -> None:
    """Grid lines at round values, whole epochs below."""
    # What is drawn later is to leave the limits as the curves have made them.
    axes.autoscale_view()
    axes.set_autoscale_on(False)
    epochs = _ticks(axes.get_xlim(), MaxNLocator(12, integer=True, min_n_ticks=1))
    values = _ticks(axes.get_ylim(), MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    style.add_grid(axes, "y", values)
    style.add_scale(axes, "left", values, [f"{value:.4g}" for value in values])
    style.add_scale(axes, "below", epochs, [f"{epoch:.0f}" for epoch in epochs])
    hand = Hand(QUIET, start="centre", shift=(0, -26))
    Lettering(axes, ["epoch"], [(0.5, 0)], hand)


def _ticks(limits: tuple[float, float], locator: MaxNLocator) -> list[float]:
    low, high = limits
    return [tick for tick in locator.tick_values(low, high) if low <= tick <= high]


def plot_confusion_matrix(evaluation: Evaluation) -> Figure:
    """Counts, coloured by their share of the row: blue for right answers, orange for mistakes."""
    names = [style.shorten(name) for name in evaluation.classes]
    size = 10 if len(names) <= PERCENT_UP_TO else 8
    side, label = float(np.clip(len(names) * 0.62, 2.8, 14)), widest(names, size)
    is_slanted = label > side / len(names) - _GAP
    low, high = evaluation.interval
    accuracy = f"accuracy {evaluation.accuracy:.1%} ({low:.1%} to {high:.1%})"
    title = "Confusion matrix", f"{accuracy}, {evaluation.photos:,} photos"
    left = style.EDGE + _LINE + label + 2 * _GAP
    below = style.EDGE + _LINE + _LINE + (label * math.sqrt(0.5) if is_slanted else 0)
    wide = max(side, style.title_width(*title)) + style.EDGE
    figure = style.new_figure(left + wide, below + side + style.HEADER)
    axes = style.add_panel(figure, (left, below), (side, side))
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
    shares = evaluation.confusion / np.maximum(evaluation.support, 1)[:, None]
    axes.imshow(_tints(shares), aspect="auto")
    _write_cells(axes, evaluation.confusion, shares)
    _name_cells(axes, names, size, label, is_slanted)
    style.add_title(axes, *title)
    return figure


def _tints(shares: np.ndarray) -> np.ndarray:
    """A colour for each cell, from white at a share of 0 to a full one at 1; [classes, classes, 3].

    Small shares of mistakes are to be seen, so their colours start steeper.
    """
    right = np.eye(len(shares), dtype=bool)[..., None]
    full = np.where(right, to_rgb(BLUE), to_rgb(ORANGE))
    strength = np.where(right, shares[..., None], shares[..., None] ** 0.6)
    return 1 - strength * (1 - full)


def _write_cells(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    cells = [(int(row), int(column)) for row, column in np.argwhere(counts > 0)]
    places = [(column, row) for row, column in cells]
    colours = ["white" if shares[cell] > 0.55 else INK for cell in cells]
    has_percent = len(counts) <= PERCENT_UP_TO
    size = 10 if has_percent else float(np.clip(220 / len(counts), 6.5, 9))
    above = 7 if has_percent else 0
    hand = Hand(INK, size, start="centre", across="data", up="data", shift=(0, above))
    Lettering(axes, [f"{counts[cell]}" for cell in cells], places, hand, colours)
    if has_percent:
        below = Hand(INK, size, start="centre", across="data", up="data", shift=(0, -above))
        Lettering(axes, [f"{shares[cell]:.0%}" for cell in cells], places, below, colours)


def _name_cells(axes: Axes, names: list[str], size: float, label: float, slanted: bool) -> None:
    places = range(len(names))
    rows = Hand(INK, size, start="right", up="data", shift=(-style.LABEL_GAP, 0))
    Lettering(axes, names, [(0, place) for place in places], rows)
    columns = Hand(
        INK,
        size,
        start="right" if slanted else "centre",
        across="data",
        shift=(0, -style.LABEL_GAP - size / 2),
        turn=45 if slanted else 0,
    )
    Lettering(axes, names, [(place, 0) for place in places], columns)
    aside = -(label + 2 * _GAP) * POINTS_PER_INCH - 5
    down = -(label * math.sqrt(0.5) if slanted else 0) * POINTS_PER_INCH - 24
    Lettering(
        axes, ["true"], [(0, 0.5)], Hand(QUIET, 10, start="centre", shift=(aside, 0), turn=90)
    )
    Lettering(axes, ["predicted"], [(0.5, 0)], Hand(QUIET, 10, start="centre", shift=(0, down)))


def plot_per_class(evaluation: Evaluation) -> Figure:
    """Precision, recall and F1 of each class as bars, the weakest class at the top."""
    table = evaluation.per_class().sort_values(["f1", "class"], ascending=[False, False])
    pairs = zip(table["class"], table["photos"], strict=True)
    names = [f"{style.shorten(name)}  ({photos})" for name, photos in pairs]
    left, below = style.EDGE + widest(names, 9) + _GAP, style.EDGE + _LINE
    wide, high = 6.8, 0.55 * len(table) + 0.1
    figure = style.new_figure(left + wide + style.EDGE, below + high + style.HEADER)
    axes = style.add_panel(figure, (left, below), (wide, high))
    axes.set(xlim=(0, 1.06), ylim=(-0.6, len(table) - 0.4))
    ticks = [step / 5 for step in range(6)]
    style.add_grid(axes, "x", ticks)
    style.add_scale(axes, "below", ticks, [f"{tick:.1f}" for tick in ticks])
    style.add_scale(axes, "left", range(len(table)), names)
    _draw_bars(axes, table)
    style.add_title(axes, "Per class", "number of photos in brackets")
    style.add_key(axes, _MEASURES)
    return figure


def _draw_bars(axes: Axes, table: pd.DataFrame) -> None:
    """Three bars a class, the value of the first one behind it."""
    bars, colours = [], []
    for step, (name, colour) in enumerate(_MEASURES.items()):
        for place, value in enumerate(table[name.lower()]):
            low, high = place + (1 - step) * 0.26 - 0.12, place + (1 - step) * 0.26 + 0.12
            bars.append([(0, low), (value, low), (value, high), (0, high)])
            colours.append(colour)
    axes.add_collection(PolyCollection(bars, facecolors=colours, linewidths=0), autolim=False)
    hand = Hand(INK, 8, across="data", up="data", shift=(4, 0))
    places = [(value, place + 0.26) for place, value in enumerate(table["f1"])]
    Lettering(axes, [f"{value:.2f}" for value in table["f1"]], places, hand)
