"""Runs in MLflow: a parent run for the sweep, a nested run for each trial.

Everything goes through `MlflowClient`. The fluent API (`mlflow.start_run`) keeps an active run
for the whole process and ends it as FINISHED when the interpreter exits, whatever happened.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from urllib.parse import quote

from tlsearch.tracking import entries
from tlsearch.tracking.connection import connect, translate_errors
from tlsearch.tracking.leaderboard import describe_leaderboard
from tlsearch.tracking.location import TrackingStore
from tlsearch.tracking.metric_memory import MetricMemory
from tlsearch.tracking.registry import register_bundle
from tlsearch.tracking.tracker import (
    AT,
    STUDY,
    DatasetSummary,
    EntryRefused,
    EpochPoint,
    TrackedTrial,
    Tracker,
    TrialState,
)
from tlsearch.tracking.trial_runs import NUMBER, TrialRuns

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run, RunTag

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

STATE = "tlsearch.state"
"""The tag with how a run ended, or `running`."""


@final
class MLflowTracker(Tracker):
    """A tracker on an MLflow server or database.

    Raises:
        TrackingError: the store does not answer.
    """

    def __init__(self, store: TrackingStore) -> None:
        self.store = store
        self._client = connect(store)
        self._memory = MetricMemory(self._client)
        self._trials = TrialRuns(self._client)
        self._changed: dict[str, int] = {}

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
        labels = {**_who(), **entries.library_versions(), "tlsearch.kind": "sweep", **tags}
        with translate_errors(self.store):
            place = self._experiment(experiment)
            run = self._find(run_id) or self._find_study(place, tags)
            if run is None:
                made = self._client.create_run(place, _moment(tags), labels, name)
                self._memory.begin(made.info.run_id)
                # Another process may have made one too: both then take the same.
                run = self._find_study(place, tags) or made
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
            known = self._find(self._trials.find(parent, number))
            if known is None:
                return self._create_trial(parent, number, flat, labels)
            self._memory.forget(known.info.run_id)
            self._reopen(known, labels)
            self._log_parameters(known, flat)
            return known.info.run_id

    def find_trial(self, parent: str, number: int) -> str | None:
        with translate_errors(self.store):
            return self._trials.find(parent, number)

    def trials(self, parent: str) -> dict[int, TrackedTrial]:
        with translate_errors(self.store):
            runs = self._trials.all(parent)
        return {
            number: TrackedTrial(
                run.info.run_id,
                run.data.tags.get(STATE, "running"),
                run.info.status == "RUNNING",
            )
            for number, run in runs.items()
        }

    def log_epochs(self, run_id: str, points: Sequence[EpochPoint]) -> None:
        with translate_errors(self.store):
            self._log(run_id, self._memory.lacking_epochs(run_id, points))

    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], at: float | None = None
    ) -> None:
        with translate_errors(self.store):
            self._log(run_id, self._memory.lacking_values(run_id, metrics, at))

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
        tags: Mapping[str, str] | None = None,
    ) -> None:
        labels = {**(tags or {}), **({"tlsearch.reason": reason} if reason else {})}
        with translate_errors(self.store):
            lacking = self._memory.lacking_epochs(run_id, points)
            lacking += self._memory.lacking_values(run_id, metrics or {}, _seconds(labels))
            self._end(run_id, state, labels, lacking)

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
            # Looking at all of them leaves each trial one run.
            self._trials.all(parent)
            lacking = self._memory.lacking_values(parent, metrics, _seconds(tags))
            self._end(parent, state, tags, lacking)

    def experiment_of(self, run_id: str) -> str:
        """The id of the experiment that a run belongs to."""
        with translate_errors(self.store):
            return self._trials.experiment_of(run_id)

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            root = self.store.artifact_root
            place = f"{root}/{quote(name, safe='')}" if root else None
            return self._client.create_experiment(name, place)
        if found.lifecycle_stage == "deleted":
            raise EntryRefused(
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

    def _find_study(self, experiment: str, tags: Mapping[str, str]) -> Run | None:
        """The first run of the same study, whose id nobody was told."""
        if STUDY not in tags:
            return None
        query = f"tags.`{STUDY}` = '{tags[STUDY]}' and tags.`tlsearch.kind` = 'sweep'"
        found = self._client.search_runs([experiment], query)
        return min(found, key=lambda run: (run.info.start_time, run.info.run_id), default=None)

    def _log(self, run_id: str, metrics: Sequence[Metric], tags: Sequence[RunTag] = ()) -> None:
        """Send metrics in portions that one call may carry, tags with the last of them."""
        with self._memory.sending(run_id, metrics):
            *whole, last = entries.portions(metrics)
            for portion in whole:
                self._client.log_batch(run_id, metrics=portion)
            if last or tags:
                self._client.log_batch(run_id, metrics=last, tags=tags)

    def _create_trial(
        self, parent: str, number: int, parameters: Mapping[str, str], labels: Mapping[str, str]
    ) -> str:
        words = [f"{number:03d}", parameters.get("backbone"), parameters.get("strategy")]
        name = " ".join(word for word in words if word)
        # Parent and number are set at once with the run: a crash leaves no orphan behind.
        tags = {**labels, "mlflow.parentRunId": parent, STATE: "running"}
        experiment = self._trials.experiment_of(parent)
        try:
            run = self._client.create_run(experiment, _moment(tags), tags, name)
        except BaseException:
            self._trials.forget(parent)
            raise
        self._trials.note(parent, number, run.info.run_id)
        self._memory.begin(run.info.run_id)
        self._note_change(run.info.run_id, tags)
        self._log_parameters(run, parameters)
        return run.info.run_id

    def _reopen(self, run: Run, tags: Mapping[str, str]) -> None:
        if _is_past(run, tags):
            return
        self._client.update_run(run.info.run_id, status="RUNNING")
        self._log_tags(run.info.run_id, {**tags, STATE: "running"})
        self._note_change(run.info.run_id, tags)

    def _end(
        self,
        run_id: str,
        state: TrialState,
        tags: Mapping[str, str],
        metrics: Sequence[Metric],
    ) -> None:
        if self._is_changed_since(run_id, tags):
            self._log(run_id, metrics)
            return
        self._log(run_id, metrics, entries.make_tags({**tags, STATE: state}))
        self._client.set_terminated(run_id, STATUS[state], _moment(tags))
        # Another process may open it again, so the store is asked next time.
        self._changed.pop(run_id, None)

    def _note_change(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._changed[run_id] = int(tags.get(AT, 0))

    def _is_changed_since(self, run_id: str, tags: Mapping[str, str]) -> bool:
        """Whether the run's state is of a later moment than these tags."""
        if run_id in self._changed:
            return AT in tags and self._changed[run_id] > int(tags[AT])
        return AT in tags and _is_past(self._client.get_run(run_id), tags)

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


def _moment(tags: Mapping[str, str]) -> int | None:
    """The moment of a change of state, in milliseconds since 1970; None is now."""
    return int(tags[AT]) if AT in tags else None


def _seconds(tags: Mapping[str, str]) -> float | None:
    moment = _moment(tags)
    return None if moment is None else moment / 1000


def _is_past(run: Run, tags: Mapping[str, str]) -> bool:
    """Whether the run's state is of a later moment than these tags."""
    return AT in tags and int(run.data.tags.get(AT, 0)) > int(tags[AT])
