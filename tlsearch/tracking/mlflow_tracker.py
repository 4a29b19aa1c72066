"""Runs in MLflow: a parent run for the sweep, a nested run for each trial.

Everything goes through `MlflowClient`. The fluent API (`mlflow.start_run`) keeps an active run
for the whole process and ends it as FINISHED when the interpreter exits, whatever happened.
"""

from __future__ import annotations

import getpass
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from urllib.parse import quote

from tlsearch.tracking import entries
from tlsearch.tracking.connection import connect, translate_errors
from tlsearch.tracking.leaderboard import describe_leaderboard
from tlsearch.tracking.location import TrackingStore
from tlsearch.tracking.registry import register_bundle
from tlsearch.tracking.tracker import (
    DatasetSummary,
    EpochPoint,
    Tracker,
    TrackingError,
    TrialState,
)

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run

STATUS = {
    "complete": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}
"""A pruned trial is a result, so the UI shows it green; the tag `tlsearch.state` tells them apart.
"""

EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Without it the UI opens on the view for language models."""


NUMBER = "tlsearch.trial"
"""The tag that has a trial's number."""

EPOCH_METRIC = "loss"
"""A metric that every epoch has."""


@final
class MLflowTracker(Tracker):
    """A tracker on an MLflow server or database.

    Raises:
        TrackingError: the store does not answer.
    """

    def __init__(self, store: TrackingStore) -> None:
        self.store = store
        self._client = connect(store)
        self._epochs: dict[str, set[int]] = {}
        self._experiments: dict[str, str] = {}
        self._trials: dict[str, dict[str, str]] = {}

    @classmethod
    def open_early(cls, store: TrackingStore) -> Future[MLflowTracker]:
        """Open it on a thread, because that takes seconds; `.result()` waits and may raise."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="tracking")
        future = pool.submit(cls, store)
        pool.shutdown(wait=False)
        return future

    def open_sweep(
        self,
        name: str,
        experiment: str,
        run_id: str | None,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
        dataset: DatasetSummary | None,
    ) -> str:
        with translate_errors(self.store):
            found = self._find(run_id)
            labels = {**_who(), **entries.library_versions(), "tlsearch.kind": "sweep", **tags}
            run = found or self._client.create_run(self._experiment(experiment), run_name=name)
            self._epochs[run.info.run_id] = self._logged_epochs(found) if found else set()
            self._label_experiment(run, describe_leaderboard(parameters, tags))
            self._reopen(run, labels)
            self._log_parameters(run, entries.flatten(parameters))
            if dataset is not None:
                self._client.log_inputs(run.info.run_id, [entries.make_dataset(dataset)])
                self._log_tags(run.info.run_id, {"tlsearch.dataset": dataset.digest})
            return run.info.run_id

    def start_trial(
        self, parent: str, number: int, parameters: Mapping[str, Any], tags: Mapping[str, str]
    ) -> str:
        flat = entries.flatten(parameters)
        labels = {**_who(), "tlsearch.kind": "trial", NUMBER: str(number), **tags}
        with translate_errors(self.store):
            known = self._trial(parent, number)
            if known is None:
                return self._create_trial(parent, number, flat, labels)
            self._epochs[known.info.run_id] = self._logged_epochs(known)
            self._reopen(known, labels)
            self._log_parameters(known, flat)
            return known.info.run_id

    def log_epochs(self, run_id: str, points: Sequence[EpochPoint]) -> None:
        with translate_errors(self.store):
            self._client.log_batch(run_id, metrics=self._unlogged(run_id, points))
        self._epochs.setdefault(run_id, set()).update(point.epoch for point in points)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        with translate_errors(self.store):
            self._client.log_batch(run_id, metrics=entries.make_metrics(metrics))

    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        with translate_errors(self.store):
            self._log_tags(run_id, tags)

    def log_artifacts(self, run_id: str, folder: Path, under: str | None = None) -> None:
        with translate_errors(self.store):
            self._client.log_artifacts(run_id, str(folder), under)

    def finish_trial(
        self,
        run_id: str,
        state: TrialState,
        reason: str | None = None,
        metrics: Mapping[str, float] | None = None,
        points: Sequence[EpochPoint] = (),
    ) -> None:
        logged = self._unlogged(run_id, points) + entries.make_metrics(metrics or {})
        tags = {"tlsearch.reason": reason} if reason else {}
        with translate_errors(self.store):
            self._end(run_id, state, tags, logged)
        self._epochs.pop(run_id, None)

    def close_stale(self, parent: str, keep: Collection[str] = ()) -> int:
        reason = "the sweep started again and nobody trains this trial any more"
        with translate_errors(self.store):
            running = self._children(parent, " and attributes.status = 'RUNNING'")
            stale = [run.info.run_id for run in running if run.info.run_id not in keep]
            for run_id in stale:
                self._end(run_id, "interrupted", {"tlsearch.reason": reason})
            return len(stale)

    def register(self, run_id: str, bundle: Path, name: str, tags: Mapping[str, str]) -> str:
        with translate_errors(self.store):
            return register_bundle(self._client, run_id, bundle, name, tags)

    def finish_sweep(
        self,
        parent: str,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        state: TrialState = "complete",
    ) -> None:
        with translate_errors(self.store):
            self._end(parent, state, tags, entries.make_metrics(metrics))

    def experiment_of(self, run_id: str) -> str:
        """The id of the experiment that a run belongs to."""
        if run_id not in self._experiments:
            with translate_errors(self.store):
                run = self._client.get_run(run_id)
            self._experiments[run_id] = run.info.experiment_id
        return self._experiments[run_id]

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            root = self.store.artifact_root
            place = f"{root}/{quote(name, safe='')}" if root else None
            return self._client.create_experiment(name, place)
        if found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"the experiment '{name}' was deleted in MLflow at {self.store}",
                hint=f"bring it back: mlflow experiments restore -x {found.experiment_id}, "
                "or choose another name: tracking.experiment=...",
            )
        return found.experiment_id

    def _label_experiment(self, run: Run, tags: Mapping[str, str]) -> None:
        for key, value in {**EXPERIMENT_TAGS, **tags}.items():
            self._client.set_experiment_tag(run.info.experiment_id, key, value)

    def _find(self, run_id: str | None) -> Run | None:
        """The run, unless it was deleted or belongs to another store."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _trial(self, parent: str, number: int) -> Run | None:
        """The run of a trial that was started before, by this process or an earlier one."""
        if parent not in self._trials:
            runs = {run.data.tags.get(NUMBER): run.info.run_id for run in self._children(parent)}
            self._trials[parent] = {number: run for number, run in runs.items() if number}
        return self._find(self._trials[parent].get(str(number)))

    def _unlogged(self, run_id: str, points: Sequence[EpochPoint]) -> list[Metric]:
        logged = self._epochs.get(run_id, set())
        fresh = [point for point in points if point.epoch not in logged]
        made = [entries.make_metrics(p.metrics, p.epoch, p.timestamp) for p in fresh]
        return [metric for metrics in made for metric in metrics]

    def _logged_epochs(self, run: Run) -> set[int]:
        """The epochs that a run has, of a trial that starts again."""
        if EPOCH_METRIC not in run.data.metrics:
            return set()
        history = self._client.get_metric_history(run.info.run_id, EPOCH_METRIC)
        return {point.step for point in history}

    def _create_trial(
        self, parent: str, number: int, parameters: Mapping[str, str], labels: Mapping[str, str]
    ) -> str:
        words = [f"{number:03d}", parameters.get("backbone"), parameters.get("strategy")]
        name = " ".join(word for word in words if word)
        # Parent and number are set at once with the run: a crash leaves no orphan behind.
        tags = {**labels, "mlflow.parentRunId": parent, "tlsearch.state": "running"}
        run = self._client.create_run(self.experiment_of(parent), tags=tags, run_name=name)
        self._trials[parent][str(number)] = run.info.run_id
        self._log_parameters(run, parameters)
        return run.info.run_id

    def _children(self, parent: str, condition: str = "") -> list[Run]:
        query = f"tags.`mlflow.parentRunId` = '{parent}'{condition}"
        experiments = [self.experiment_of(parent)]
        found: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs(experiments, query, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _reopen(self, run: Run, tags: Mapping[str, str]) -> None:
        self._client.update_run(run.info.run_id, status="RUNNING")
        self._log_tags(run.info.run_id, {**tags, "tlsearch.state": "running"})

    def _end(
        self,
        run_id: str,
        state: TrialState,
        tags: Mapping[str, str],
        metrics: Sequence[Metric] = (),
    ) -> None:
        labels = entries.make_tags({**tags, "tlsearch.state": state})
        self._client.log_batch(run_id, metrics=metrics, tags=labels)
        self._client.set_terminated(run_id, STATUS[state])

    def _log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        for batch in entries.in_batches(tags):
            self._client.log_batch(run_id, tags=entries.make_tags(batch))

    def _log_parameters(self, run: Run, parameters: Mapping[str, str]) -> None:
        """Log what is new. MLflow lets no parameter change: a changed one becomes a tag."""
        known = run.data.params
        fresh = {key: value for key, value in parameters.items() if key not in known}
        for batch in entries.in_batches(fresh):
            self._client.log_batch(run.info.run_id, params=entries.make_params(batch))
        changed = {
            f"tlsearch.changed.{key}": value
            for key, value in parameters.items()
            if known.get(key, value) != value
        }
        self._log_tags(run.info.run_id, changed)


def _who() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "tlsearch", "mlflow.source.type": "LOCAL"}
