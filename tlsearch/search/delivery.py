"""The champion's way out: exported, judged on the test split beside its rival, registered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset
from tlsearch.errors import BundleError, NoResultError
from tlsearch.execution.events import Failed
from tlsearch.execution.executor import Executor
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.execution.notices import Notice, Notify
from tlsearch.export.bundle import is_as_asked
from tlsearch.export.checksums import verify_checksums
from tlsearch.export.job import ExportJob, ExportResult
from tlsearch.export.judgement import JudgeJob
from tlsearch.export.manifest import Manifest
from tlsearch.export.trial_job import TrialJob
from tlsearch.paths import Paths
from tlsearch.search.alone import run_alone

if TYPE_CHECKING:
    from tlsearch.search.recorder import Recorder

TENSORFLOW = {"KERAS_BACKEND": "tensorflow"}
"""The conversion to ONNX reads a TensorFlow graph, whatever backend has trained."""

_TOLD = {"calibration", "variants", "left_out"}
"""What is told of a new bundle's manifest."""


class Delivery:
    """Makes bundles of a sweep's trials."""

    def __init__(self, sweep: Sweep, paths: Paths, dataset: Dataset, notify: Notify) -> None:
        self._sweep = sweep
        self._paths = paths
        self._dataset = dataset
        self._notify = notify

    @property
    def dataset(self) -> Dataset:
        """The photos that it judges on."""
        return self._dataset

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

        Raises:
            NoResultError: it failed.
            DiskError: the disk is full.
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
        facts = {
            "bundle": str(output),
            "test": result.test,
            "parity": result.parity.as_dict() if result.parity else None,
            **result.manifest.model_dump(mode="json", include=_TOLD),
        }
        self._notify(Notice("exported", {"trial": number, **facts}))
        return result

    def find(self, trial: int, bundle: Path, run: str | None) -> ExportResult | None:
        """The champion's bundle as an earlier start has made it, if that came so far.

        A bundle that is made again is another one, and would be registered once more.

        Args:
            run: the tracker's run of the trial, by which the bundle is known: after `--new` there
                is another trial of the same number.
        """
        try:
            verify_checksums(bundle)
            manifest = Manifest.read(bundle)
        except BundleError:
            return None
        made_of = (manifest.run.trial, manifest.run.mlflow_run, manifest.run.dataset)
        is_same = run is not None and made_of == (trial, run, self._dataset.digest)
        test = manifest.metrics.test
        if not is_same or test is None or not is_as_asked(manifest, self._sweep.export):
            return None
        metrics = {"accuracy": test.accuracy, **test.others}
        return ExportResult(bundle, parity=None, test=metrics, manifest=manifest)

    def judge(
        self, number: int, configuration: Configuration, executor: Executor
    ) -> dict[str, float]:
        """The metrics of a trial on the test split: for the champion's rival alone.

        Raises:
            NoResultError: its network cannot be loaded or gives no answers.
            DiskError: the disk is full.
        """
        self._notify(Notice("judging", {"trial": number}))
        job = JudgeJob(number, self._sweep, configuration, self._dataset, self._paths)
        return _wait_for(job, executor, "judged")

    def record_test(self, trial: int, metrics: Mapping[str, float], recorder: Recorder) -> None:
        """Have the test metrics of the rival told."""
        recorder.note(trial, of_test(metrics), {})

    def register(
        self, trial: int, result: ExportResult, recorder: Recorder, rival: int | None = None
    ) -> None:
        """Have the test metrics told, and the bundle registered with the alias `champion`.

        Args:
            rival: the trial that the champion was compared with.
        """
        recorder.note(trial, of_test(result.test or {}), {})
        recorder.bundle(trial, result.bundle, self._sweep.export.register_as)
        end_run(recorder, trial, result.test, rival)

    def _carry_out(self, job: ExportJob, executor: Executor | None) -> ExportResult:
        if executor is not None and os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            return _wait_for(job, executor, "exported")
        logs = self._paths.sweep(self._sweep.name).logs / "export"
        fresh = LocalExecutor(1, logs, TENSORFLOW)
        try:
            return _wait_for(job, fresh, "exported")
        finally:
            fresh.close()


def end_run(
    recorder: Recorder, trial: int, test: Mapping[str, float] | None, rival: int | None
) -> None:
    """Have it told that the sweep is complete, with this champion, its metrics on the test split,
    and the trial that it was compared with."""
    named = {"champion": trial} | ({} if rival is None else {"rival": rival})
    recorder.end("complete", of_test(test or {}), **named)


def of_test(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics of the test split under the names that a tracker has them by."""
    return {f"test_{name}": value for name, value in metrics.items()}


def _wait_for(job: TrialJob, executor: Executor, done: str) -> Any:
    ended = run_alone(job, executor)
    if isinstance(ended, Failed):
        raise NoResultError(f"trial {job.trial} could not be {done}", received=ended.reason)
    return ended.result
