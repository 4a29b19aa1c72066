"""The champion's way out: exported, judged on the test split, registered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset
from tlsearch.errors import NoResultError
from tlsearch.execution.events import Failed, Finished
from tlsearch.execution.executor import Executor, Job
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.export.job import ExportJob, ExportResult
from tlsearch.paths import Paths
from tlsearch.search.notices import Notice, Notify

if TYPE_CHECKING:
    from tlsearch.search.recorder import Recorder

TENSORFLOW = {"KERAS_BACKEND": "tensorflow"}
"""The conversion to ONNX reads a TensorFlow graph, whatever backend has trained."""


class Delivery:
    """Makes bundles of a sweep's trials."""

    def __init__(self, sweep: Sweep, paths: Paths, dataset: Dataset, notify: Notify) -> None:
        self._sweep = sweep
        self._paths = paths
        self._dataset = dataset
        self._notify = notify

    def export(
        self,
        number: int,
        configuration: Configuration,
        output: Path,
        *,
        executor: Executor | None = None,
        judge: bool = False,
        run: str | None = None,
    ) -> ExportResult:
        """Write the bundle of a trial.

        Args:
            executor: an idle one whose worker may be used, if it has the right backend.
            judge: evaluate on the test split: for the champion alone.
            run: the tracker's run of the trial.
        """
        self._notify(Notice("exporting", {"trial": number}))
        job = ExportJob(
            trial=number,
            sweep=self._sweep,
            configuration=configuration,
            dataset=self._dataset,
            paths=self._paths,
            output=output,
            judge=judge,
            mlflow_run=run,
        )
        result = self._carry_out(job, executor)
        facts = {"bundle": str(output), "test": result.test, "parity": result.parity.as_dict()}
        self._notify(Notice("exported", {"trial": number, **facts}))
        return result

    def register(self, run: str, result: ExportResult, recorder: Recorder) -> None:
        """Log the test metrics and the bundle, and move the alias `champion` to it."""
        name = self._sweep.export.register_as
        tags = {"tlsearch.sweep": self._sweep.name}

        def log(parent: str) -> None:
            metrics = {f"test_{key}": value for key, value in (result.test or {}).items()}
            recorder.tracker.log_metrics(run, metrics)
            if name is None:
                recorder.tracker.log_artifacts(run, result.bundle, "bundle")
            else:
                version = recorder.tracker.register(run, result.bundle, name, tags)
                self._notify(Notice("registered", {"name": name, "version": version}))
            recorder.tracker.finish_sweep(parent, metrics, {"tlsearch.champion": run})

        recorder.later(log)

    def _carry_out(self, job: ExportJob, executor: Executor | None) -> ExportResult:
        if executor is not None and os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            return _wait_for(job, executor)
        logs = self._paths.sweep(self._sweep.name).logs / "export"
        fresh = LocalExecutor(1, logs, TENSORFLOW)
        try:
            return _wait_for(job, fresh)
        finally:
            fresh.close()


def _wait_for(job: Job, executor: Executor) -> ExportResult:
    executor.submit(job)
    while True:
        for event in executor.wait(timeout=1.0):
            if isinstance(event, Finished):
                return event.result
            if isinstance(event, Failed):
                raise NoResultError(
                    f"trial {job.trial} could not be exported", received=event.reason
                )
