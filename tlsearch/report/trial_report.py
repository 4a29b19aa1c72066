"""The files that show how one trial went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tlsearch.report import style
from tlsearch.report.contact_sheet import collect_mistakes, draw_contact_sheet
from tlsearch.report.evaluation import Evaluation
from tlsearch.report.plots import plot_confusion_matrix, plot_learning_curves, plot_per_class

if TYPE_CHECKING:
    import pandas as pd


def write_trial_report(
    folder: Path,
    history: pd.DataFrame,
    evaluation: Evaluation,
    photos: npt.NDArray[np.uint8],
    *,
    objective: str = "val_accuracy",
    unfrozen_at: int | None = None,
) -> list[Path]:
    """Write the pictures and tables of one trial into `folder`, which is made if absent.

    Args:
        folder: where the files go; files of an earlier report are replaced.
        history: one row an epoch, see `plots.plot_learning_curves`.
        evaluation: the trial's answers on one split.
        photos: uint8 `[k, height, width, 3]`, the photos of `evaluation.worst(k)` in that order.
        objective: the column of `history` whose best epoch is marked.
        unfrozen_at: the first epoch in which blocks of the backbone learn too.

    Returns:
        The paths of the files, six of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    curves = plot_learning_curves(history, objective=objective, unfrozen_at=unfrozen_at)
    return [
        style.save(curves, folder / "learning_curves.png"),
        style.save(plot_confusion_matrix(evaluation), folder / "confusion_matrix.png"),
        _save_table(evaluation.confusion_table(), folder / "confusion_matrix.csv", index=True),
        _save_table(evaluation.per_class(), folder / "per_class.csv", index=False),
        style.save(plot_per_class(evaluation), folder / "per_class.png"),
        _save_sheet(evaluation, photos, folder / "worst_mistakes.jpg"),
    ]


def _save_table(table: pd.DataFrame, path: Path, *, index: bool) -> Path:
    table.to_csv(path, index=index, float_format="%.6g")
    return path


def _save_sheet(evaluation: Evaluation, photos: npt.NDArray[np.uint8], path: Path) -> Path:
    total = int((evaluation.predicted != evaluation.labels).sum())
    draw_contact_sheet(collect_mistakes(evaluation, photos), total=total).save(path, quality=90)
    return path
