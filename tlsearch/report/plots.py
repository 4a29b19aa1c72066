"""The pictures of one trial: learning curves, confusion matrix, figures per class.

Each function returns a matplotlib figure; `style.save` writes it. Photos are shown in
`contact_sheet`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tlsearch.report import style
from tlsearch.report.evaluation import Evaluation

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENT_UP_TO = 12
"""Up to so many classes a cell of the confusion matrix has room for a percentage too."""


def plot_learning_curves(
    history: pd.DataFrame, *, objective: str = "val_accuracy", unfrozen_at: int | None = None
) -> Figure:
    """Loss and accuracy by epoch, training and validation.

    Args:
        history: columns `epoch`, `loss`, `val_loss`, `accuracy`, `val_accuracy`; one row an epoch.
        objective: the column whose best epoch is marked in both panels.
        unfrozen_at: the first epoch in which blocks of the backbone learn too.
    """
    figure = style.new_figure(11, 4.4)
    best = best_epoch(history, objective)
    panels = figure.subplots(1, 2)
    for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
        _draw_curves(axes, history, name)
        _mark_best(axes, history, f"val_{name}", best)
        _mark_unfreezing(axes, unfrozen_at)
        corner = "upper right" if name == "loss" else "lower right"
        axes.legend(frameon=False, fontsize=9, labelcolor=style.INK, loc=corner)
    return figure


def best_epoch(history: pd.DataFrame, objective: str) -> int | None:
    """The epoch with the best objective; None if no epoch has a number there."""
    values = history[objective].dropna() if objective in history else history["epoch"][:0]
    if values.empty:
        return None
    row = values.idxmin() if objective.endswith("loss") else values.idxmax()
    return int(history["epoch"].loc[row])


def _draw_curves(axes: Axes, history: pd.DataFrame, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    style.tidy(axes)
    dot = "o" if len(history) < 30 else None
    looks: dict[str, dict[str, Any]] = {
        name: {"color": style.PALE_BLUE, "label": "training"},
        f"val_{name}": {"color": style.BLUE, "label": "validation"},
    }
    for column, look in looks.items():
        if column in history:
            values = history[column].astype(float)
            axes.plot(history["epoch"], values, marker=dot, markersize=3.5, linewidth=2, **look)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch", color=style.QUIET, fontsize=9)
    axes.margins(y=0.12)


def _mark_best(axes: Axes, history: pd.DataFrame, column: str, best: int | None) -> None:
    name = column.removeprefix("val_").capitalize()
    if best is None or column not in history:
        style.set_title(axes, name)
        return
    value = float(history.loc[history["epoch"] == best, column].iloc[-1])
    axes.plot([best], [value], marker="o", markersize=9, color=style.ORANGE, zorder=5)
    style.set_title(axes, name, f"best epoch {best}: {value:.4g} on validation")


def _mark_unfreezing(axes: Axes, epoch: int | None) -> None:
    if epoch is None:
        return
    axes.axvline(epoch - 0.5, color=style.QUIET, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        "blocks unfrozen",
        xy=(epoch - 0.5, 1),
        xytext=(4, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=style.QUIET,
    )


def plot_confusion_matrix(evaluation: Evaluation) -> Figure:
    """Counts, coloured by their share of the row: blue for right answers, orange for mistakes."""
    classes = len(evaluation.classes)
    side = float(np.clip(classes * 0.62, 2.8, 14))
    longest = max(map(len, _names(evaluation)))
    figure = style.new_figure(side + 1.2 + longest * 0.07, side + 1.4 + longest * 0.05)
    axes = figure.subplots()
    shares = evaluation.confusion / np.maximum(evaluation.support, 1)[:, None]
    _draw_cells(axes, shares)
    _write_cells(axes, evaluation.confusion, shares)
    _name_cells(axes, evaluation)
    return figure


def _draw_cells(axes: Axes, shares: np.ndarray) -> None:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    right = np.eye(len(shares), dtype=bool)
    looks = ((~right, style.BLUE, 1.0), (right, style.ORANGE, 0.6))
    for hidden, colour, gamma in looks:
        tints = LinearSegmentedColormap.from_list("tints", ["#ffffff", colour])
        cells = np.ma.masked_array(shares, mask=hidden)
        axes.imshow(cells, cmap=tints, norm=PowerNorm(gamma, vmin=0, vmax=1))


def _write_cells(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    percentages = len(counts) <= PERCENT_UP_TO
    size = 10 if percentages else float(np.clip(220 / len(counts), 6.5, 9))
    for row, column in np.argwhere(counts > 0):
        share = shares[row, column]
        text = f"{counts[row, column]}" + (f"\n{share:.0%}" if percentages else "")
        colour = "white" if share > 0.55 else style.INK
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _name_cells(axes: Axes, evaluation: Evaluation) -> None:
    ticks = range(len(evaluation.classes))
    style.tidy(axes, grid=None)
    slanted = len(evaluation.classes) > 6 or max(map(len, evaluation.classes)) > 10
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    names = _names(evaluation)
    axes.set_xticks(ticks, names, parse_math=False, **(turn if slanted else {}))
    axes.set_yticks(ticks, names, parse_math=False)
    axes.tick_params(labelsize=10 if len(evaluation.classes) <= PERCENT_UP_TO else 8)
    axes.set_xlabel("predicted", color=style.QUIET, fontsize=10)
    axes.set_ylabel("true", color=style.QUIET, fontsize=10)
    low, high = evaluation.interval
    note = f"accuracy {evaluation.accuracy:.1%} ({low:.1%} to {high:.1%}), {evaluation.photos:,}"
    style.set_title(axes, "Confusion matrix", f"{note} photos")


def _names(evaluation: Evaluation) -> list[str]:
    return [style.shorten(name) for name in evaluation.classes]


def plot_per_class(evaluation: Evaluation) -> Figure:
    """Precision, recall and F1 of each class as bars, the weakest class at the top."""
    table = evaluation.per_class().sort_values(["f1", "class"], ascending=[False, False])
    figure = style.new_figure(8.5, 1.6 + 0.55 * len(table))
    axes = figure.subplots()
    style.tidy(axes, grid="x")
    places = np.arange(len(table))
    looks = {"f1": style.BLUE, "recall": style.PALE_BLUE, "precision": "#c9d3dc"}
    for step, (column, colour) in enumerate(looks.items()):
        where = places + (1 - step) * 0.26
        axes.barh(where, table[column], height=0.24, color=colour, label=_label(column))
    for place, value in zip(places, table["f1"], strict=True):
        axes.text(value + 0.008, place + 0.26, f"{value:.2f}", va="center", fontsize=8)
    _name_bars(axes, table)
    return figure


def _label(column: str) -> str:
    return "F1" if column == "f1" else column


def _name_bars(axes: Axes, table: pd.DataFrame) -> None:
    pairs = zip(table["class"], table["photos"], strict=True)
    names = [f"{style.shorten(name)}  ({photos})" for name, photos in pairs]
    axes.set_yticks(range(len(table)), names, parse_math=False)
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set_xlim(0, 1.06)
    axes.legend(
        frameon=False,
        fontsize=9,
        ncols=3,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderpad=0,
    )
    style.set_title(axes, "Per class", "number of photos in brackets")
