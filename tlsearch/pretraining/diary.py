"""A pretraining's run in MLflow. A tracker that fails is reported once and stops nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tlsearch.config.pretraining import Pretraining
from tlsearch.execution.notices import Notice, Notify
from tlsearch.paths import Paths
from tlsearch.pretraining.files import PretrainingFiles
from tlsearch.redaction import redact_values
from tlsearch.tracking.location import resolve_uri
from tlsearch.tracking.tracker import Tracker, TrackingError, TrialState

TAGS = {"tlsearch.kind": "pretraining"}


class Diary:
    """Brings the epochs of a pretraining to the tracker."""

    def __init__(self, recipe: Pretraining, paths: Paths, notify: Notify) -> None:
        self._recipe = recipe
        self._paths = paths
        self._files = PretrainingFiles(paths.pretraining(recipe.name))
        self._notify = notify
        self._tracker: Tracker | None = None
        self._run = ""

    def open(self) -> None:
        """Open the run, or the one of an earlier start, and tell it what it does not know yet."""
        self._guarded(self._open)
        for row in self._files.history().to_dict(orient="records"):
            epoch, seconds = int(row.pop("epoch")), row.pop("seconds")
            self.epoch(epoch, {str(name): value for name, value in row.items()}, seconds)

    def epoch(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        values = {**metrics, "epoch_seconds": seconds}
        self._guarded(lambda: self._opened().log_epoch(self._run, epoch, values, time.time()))

    def finish(self, metrics: Mapping[str, float], artifacts: Path) -> None:
        """End the run with its weights and tables."""

        def end() -> None:
            self._opened().log_artifacts(self._run, artifacts)
            self._opened().finish_sweep(self._run, metrics, {})

        self._guarded(end)

    def abandon(self, state: TrialState, reason: str) -> None:
        """End the run of a pretraining that has failed or was interrupted."""
        self._guarded(lambda: self._opened().finish_trial(self._run, state, reason))

    def _open(self) -> None:
        from tlsearch.tracking.mlflow_tracker import MLflowTracker

        tracking = self._recipe.tracking
        self._tracker = MLflowTracker(resolve_uri(tracking.uri, None, self._paths))
        self._run = self._tracker.open_sweep(
            self._recipe.name,
            tracking.experiment or self._recipe.name,
            self._files.run_id(),
            redact_values(self._recipe.model_dump(mode="json")),
            TAGS,
            None,
        )
        self._files.note_run(self._run)

    def _opened(self) -> Tracker:
        if self._tracker is None:
            raise TrackingError("the run could not be opened")
        return self._tracker

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except TrackingError as error:
            self._notify(Notice("warning", {"text": f"not everything is tracked: {error}"}))
            self._notify = _stay_silent


def _stay_silent(_: Notice) -> None:
    """A store that is gone is reported once."""
