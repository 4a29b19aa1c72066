"""Which metrics the runs of a store have: MLflow keeps a value twice that is sent twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tlsearch.tracking import entries
from tlsearch.tracking.tracker import EpochPoint

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric


@dataclass
class _Known:
    """Of one run: the steps of each metric, and the latest values; None where the store has to be
    asked first."""

    is_new: bool
    steps: dict[str, set[int]] = field(default_factory=dict)
    latest: dict[str, float] | None = None


class MetricMemory:
    """Says what a run lacks. The store is asked about runs that this process has not made, and
    again after a call that came back with an error: it may have been carried out."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self._runs: dict[str, _Known] = {}

    def begin(self, run_id: str) -> None:
        """A run was made, and has nothing yet."""
        self._runs[run_id] = _Known(True, latest={})

    def forget(self, run_id: str) -> None:
        self._runs.pop(run_id, None)

    def lacking_epochs(self, run_id: str, points: Sequence[EpochPoint]) -> list[Metric]:
        """The metrics of these epochs at steps that the run does not have."""
        made: list[Metric] = []
        for point in points:
            metrics = {
                name: value
                for name, value in point.metrics.items()
                if point.epoch not in self._steps(run_id, name)
            }
            made += entries.make_metrics(metrics, point.epoch, point.timestamp)
        return made

    def lacking_values(
        self, run_id: str, metrics: Mapping[str, float], at: float | None
    ) -> list[Metric]:
        """Those of the metrics of a whole run that it does not have, or with another value."""
        if not metrics:
            return []
        latest = self._latest(run_id)
        fresh = {name: value for name, value in metrics.items() if latest.get(name) != value}
        return entries.make_metrics(fresh, timestamp=at)

    @contextmanager
    def sending(self, run_id: str, metrics: Sequence[Metric]) -> Iterator[None]:
        """Remember that the run has these once the block has sent them."""
        try:
            yield
        except BaseException:
            self.forget(run_id)
            raise
        known = self._of(run_id)
        for metric in metrics:
            if metric.key in known.steps:
                known.steps[metric.key].add(metric.step)
            if known.latest is not None:
                known.latest[metric.key] = metric.value

    def _of(self, run_id: str) -> _Known:
        return self._runs.setdefault(run_id, _Known(False))

    def _steps(self, run_id: str, name: str) -> set[int]:
        known = self._of(run_id)
        if name not in known.steps:
            history = [] if known.is_new else self._client.get_metric_history(run_id, name)
            known.steps[name] = {point.step for point in history}
        return known.steps[name]

    def _latest(self, run_id: str) -> dict[str, float]:
        known = self._of(run_id)
        if known.latest is None:
            known.latest = dict(self._client.get_run(run_id).data.metrics)
        return known.latest
