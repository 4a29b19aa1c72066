"""What people look at for one trial: curves, confusion, classes, the worst mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.paths import Paths
from tlsearch.report.evaluation import Evaluation
from tlsearch.report.trial_report import write_trial_report
from tlsearch.training.phases import head_epochs
from tlsearch.training.trained import TrainedTrial

MISTAKES = 24
"""How many photos the contact sheet of mistakes shows."""


class TrialReports:
    """Writes the report of a trained trial on the validation split."""

    def __init__(self, sweep: Sweep, paths: Paths, dataset: Dataset) -> None:
        self._sweep = sweep
        self._paths = paths
        self._dataset = dataset

    def write(self, number: int, configuration: Configuration) -> Path:
        """Write it into the trial's folder; the folder of the report."""
        folder = self._paths.sweep(self._sweep.name).trial(number)
        trained = TrainedTrial(folder)
        evaluation = self.evaluate(trained.validation(), "validation")
        write_trial_report(
            folder / "report",
            trained.history(),
            evaluation,
            self._worst(evaluation, "validation", configuration.image_size),
            objective=self._sweep.objective.metric,
            unfrozen_at=self._unfrozen_at(configuration),
        )
        return folder / "report"

    def evaluate(self, probabilities: np.ndarray, split: str) -> Evaluation:
        labels = self._dataset.labels[self._dataset.splits[split]]
        return Evaluation(probabilities, labels, self._dataset.classes)

    def _worst(self, evaluation: Evaluation, split: str, size: int) -> np.ndarray:
        rows = self._dataset.splits[split][evaluation.worst(MISTAKES)]
        store = pixel_store(self._paths, size)
        return store.pixels[store.rows([self._dataset.contents[i] for i in rows])]

    def _unfrozen_at(self, configuration: Configuration) -> int | None:
        alone = head_epochs(self._sweep.train)
        return alone + 1 if configuration.strategy == "fine_tune" and alone else None
