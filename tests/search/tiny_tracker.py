"""Trackers and reports of a few lines: lists of what they were told, and a store that is gone."""

from __future__ import annotations

import threading
from pathlib import Path

from tlsearch.search.reports import Reports
from tlsearch.tracking.tracker import Tracker, TrackingError


class ListTracker(Tracker):
    """Keeps what it is told."""

    def __init__(self):
        self.calls = []
        self.runs = {}
        self.points = []
        self.metrics = {}
        self.reasons = {}

    def open_sweep(self, name, experiment, run_id, parameters, tags, dataset):
        return "parent"

    def start_trial(self, parent, number, parameters, tags):
        self.calls.append(("start_trial", parent, number, dict(parameters), dict(tags)))
        self.runs[f"run-{number}"] = "running"
        return f"run-{number}"

    def log_epochs(self, run_id, points):
        self.calls.append(("log_epochs", run_id, [point.epoch for point in points]))
        for point in points:
            values = point.metrics.items()
            self.points += [(run_id, name, point.epoch, value) for name, value in values]

    def log_metrics(self, run_id, metrics):
        self.metrics.setdefault(run_id, {}).update(metrics)

    def log_tags(self, run_id, tags):
        self.calls.append(("log_tags", run_id, dict(tags)))

    def log_artifacts(self, run_id, folder, under=None):
        self.calls.append(("log_artifacts", run_id, folder, under))

    def finish_trial(self, run_id, state, reason=None, metrics=None, points=()):
        ListTracker.log_metrics(self, run_id, metrics or {})
        ListTracker.log_epochs(self, run_id, points)
        self.runs[run_id] = state
        self.reasons[run_id] = reason

    def close_stale(self, parent, keep=()):
        return 0

    def register(self, run_id, bundle, name, tags):
        return "1"

    def finish_sweep(self, parent, metrics, tags, state="complete"):
        self.calls.append(("finish_sweep", parent, state))

    def states(self):
        return dict(self.runs)

    def steps(self, run_id, metric):
        """What was logged for a metric, as (epoch, value)."""
        return [
            (step, value)
            for run, name, step, value in self.points
            if (run, name) == (run_id, metric)
        ]


class TinyReports(Reports):
    """Says where a report would lie, or fails."""

    def __init__(self, error=None):
        self.error = error
        self.tracked = []
        self.may_write = threading.Event()
        self.may_write.set()

    def write(self, number, configuration):
        self.may_write.wait(60)
        if self.error is not None:
            raise self.error
        return Path(f"report-{number}")

    def note_tracked(self, number, run):
        self.tracked.append((number, run))

    def close(self):
        pass


class LostTracker(ListTracker):
    """Its store is gone once so many calls were answered."""

    def __init__(self, answers=0):
        super().__init__()
        self.answers = answers
        self.asked = 0

    def _ask(self):
        self.asked += 1
        if self.asked > self.answers:
            raise TrackingError("the store does not answer", received="connection refused")

    def start_trial(self, *arguments):
        self._ask()
        return super().start_trial(*arguments)

    def log_epochs(self, *arguments):
        self._ask()
        super().log_epochs(*arguments)

    def log_metrics(self, *arguments):
        self._ask()
        super().log_metrics(*arguments)

    def finish_trial(self, *arguments):
        self._ask()
        super().finish_trial(*arguments)
