"""Drawing one trial's report in a process of its own, beside the search and not in its way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlsearch.data.dataset import pixel_store
from tlsearch.execution.executor import Channel
from tlsearch.paths import Paths
from tlsearch.report.evaluation import Evaluation
from tlsearch.training.trained import TrainedTrial

MISTAKES = 24
"""How many photos the contact sheet of mistakes shows."""

PATIENCE = 5
"""The process' niceness: training comes first where the cores are few."""


@dataclass(frozen=True)
class ReportJob:
    """Everything that the report of a trained trial on the validation split needs.

    Args:
        folder: the trial's.
        output: where the report goes.
        labels: int64 [n], of the validation split's n photos.
        contents: the n photos' keys in the pixel store.
        image_size: in pixels, of the photos that are shown.
        objective: the metric whose best epoch is marked.
        unfrozen_at: the first epoch in which blocks of the backbone learn too.
    """

    trial: int
    folder: Path
    output: Path
    paths: Paths
    classes: tuple[str, ...]
    labels: np.ndarray
    contents: tuple[str, ...]
    image_size: int
    objective: str
    unfrozen_at: int | None

    def run(self, channel: Channel) -> Path:
        """Write the report; its folder."""
        # Brings matplotlib, which the supervisor does without.
        from tlsearch.report.trial_report import write_trial_report

        os.setpriority(os.PRIO_PROCESS, 0, PATIENCE)
        trained = TrainedTrial(self.folder)
        evaluation = Evaluation(trained.validation(), self.labels, self.classes)
        store = pixel_store(self.paths, self.image_size)
        worst = [self.contents[i] for i in evaluation.worst(MISTAKES)]
        write_trial_report(
            self.output,
            trained.history(),
            evaluation,
            store.pixels[store.rows(worst)],
            objective=self.objective,
            unfrozen_at=self.unfrozen_at,
        )
        return self.output
