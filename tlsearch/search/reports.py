"""What people look at for one trial: curves, confusion, classes, the worst mistakes.

They are drawn by a process of its own: drawing takes as long as a short trial, and the supervisor's
answers to its workers would wait for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset
from tlsearch.errors import NoResultError
from tlsearch.execution.events import Failed
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.paths import Paths
from tlsearch.search.alone import run_alone
from tlsearch.search.report_job import ReportJob
from tlsearch.tracking.replay import marker
from tlsearch.training.phases import head_epochs
from tlsearch.training.trained import TrainedTrial

_REPORT = "report"


class Reports(ABC):
    """Writes reports of trials."""

    @abstractmethod
    def write(self, number: int, configuration: Configuration) -> Path:
        """Write the report of a complete trial; its folder.

        Raises:
            NoResultError: it could not be written.
            DiskError: the disk is full.
        """

    @abstractmethod
    def close(self) -> None:
        """Nothing more will be written."""


class TrialReports(Reports):
    """Reports on the validation split, each in the folder of its trial.

    study: stands for the study that the trials are of.
    """

    def __init__(self, sweep: Sweep, paths: Paths, dataset: Dataset, study: str = "") -> None:
        self._sweep = sweep
        self._paths = paths
        self._study = study
        self._folder = paths.sweep(sweep.name)
        self._classes = dataset.classes
        rows = dataset.splits["validation"]
        self._labels = dataset.labels[rows]
        self._contents = tuple(dataset.contents[i] for i in rows)
        self._executor = LocalExecutor(1, self._folder.logs / "reports")

    def write(self, number: int, configuration: Configuration) -> Path:
        ended = run_alone(self._job(number, configuration), self._executor)
        if isinstance(ended, Failed):
            what = f"the report of trial {number} could not be written"
            raise NoResultError(what, received=ended.reason)
        return ended.result

    def is_missing(self, number: int, run: str | None) -> bool:
        """Whether the trial's files are there, and no run has a report of them, or another one
        than this."""
        folder = self._folder.trial(number)
        if not TrainedTrial(folder, self._study).is_whole:
            return False
        has_it = marker(folder / _REPORT)
        if not has_it.is_file():
            return True
        return run is not None and has_it.read_text(encoding="utf-8") != run

    def close(self) -> None:
        self._executor.close()

    def _job(self, number: int, configuration: Configuration) -> ReportJob:
        folder = self._folder.trial(number)
        return ReportJob(
            trial=number,
            folder=folder,
            output=folder / _REPORT,
            paths=self._paths,
            classes=self._classes,
            labels=self._labels,
            contents=self._contents,
            image_size=configuration.image_size,
            objective=self._sweep.objective.metric,
            unfrozen_at=self._unfrozen_at(configuration),
        )

    def _unfrozen_at(self, configuration: Configuration) -> int | None:
        alone = head_epochs(self._sweep.train)
        return alone + 1 if configuration.strategy == "fine_tune" and alone else None
