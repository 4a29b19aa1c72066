"""Trackers and reports of a few lines: lists of what they were told, and a store that is gone."""

from __future__ import annotations

import secrets
import threading

from tlsearch.search.recorder import Recorder
from tlsearch.search.reports import Reports
from tlsearch.search.tracking_listener import SweepListener
from tlsearch.tracking.records import SweepOpened
from tlsearch.tracking.replayer import Replayer
from tlsearch.tracking.spool import Spool
from tlsearch.tracking.tracker import StoreUnreachable, TrackedTrial, Tracker


def make_recorder(tracker, sweep, reports, notify, note_run=lambda *_: None):
    """A recorder whose spool lies in the folder of `reports`, and is replayed to the tracker."""
    folder = reports.folder
    opened = SweepOpened(name="s", experiment="e", study="1")
    spool = Spool(folder / "spool" / f"{secrets.token_hex(4)}.jsonl", opened)
    listener = SweepListener(lambda _, number, run: note_run(number, run), notify)
    replayer = Replayer(spool, "list", lambda: tracker, folder, listener, lambda *_: None)
    replayer.start()
    return Recorder(spool, replayer, sweep, reports, folder, notify)


class ListTracker(Tracker):
    """Keeps what it is told."""

    def __init__(self, parent="parent"):
        self.parent = parent
        self.calls = []
        self.runs = {}
        self.points = []
        self.metrics = {}
        self.reasons = {}

    def open_sweep(self, name, experiment, run_id, parameters, tags, dataset):
        return self.parent

    def start_trial(self, parent, number, parameters, tags):
        self.calls.append(("start_trial", parent, number, dict(parameters), dict(tags)))
        self.runs[f"run-{number}"] = "running"
        return f"run-{number}"

    def find_trial(self, parent, number):
        run = f"run-{number}"
        return run if run in self.runs else None

    def trials(self, parent):
        return {
            int(run.removeprefix("run-")): TrackedTrial(run, state, state == "running")
            for run, state in self.runs.items()
        }

    def log_epochs(self, run_id, points):
        self.calls.append(("log_epochs", run_id, [point.epoch for point in points]))
        for point in points:
            values = point.metrics.items()
            self.points += [(run_id, name, point.epoch, value) for name, value in values]

    def log_metrics(self, run_id, metrics, at=None):
        self.metrics.setdefault(run_id, {}).update(metrics)

    def log_tags(self, run_id, tags):
        if not tags:
            return
        self.calls.append(("log_tags", run_id, dict(tags)))

    def log_artifacts(self, run_id, folder, under=None):
        self.calls.append(("log_artifacts", run_id, folder, under))

    def finish_trial(self, run_id, state, reason=None, metrics=None, points=(), tags=None):
        ListTracker.log_metrics(self, run_id, metrics or {})
        ListTracker.log_epochs(self, run_id, points)
        self.runs[run_id] = state
        self.reasons[run_id] = reason

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
    """Writes a report of nothing, or fails."""

    def __init__(self, folder, error=None):
        self.folder = folder
        self.error = error
        self.may_write = threading.Event()
        self.may_write.set()

    def write(self, number, configuration):
        self.may_write.wait(60)
        if self.error is not None:
            raise self.error
        report = self.folder / f"report-{number}"
        report.mkdir()
        return report

    def tracked(self):
        """Which runs have which reports, by what is noted beside them."""
        found = self.folder.glob("report-*.tracked")
        return {int(one.stem.removeprefix("report-")): one.read_text() for one in found}

    def close(self):
        pass


class LostTracker(ListTracker):
    """Its store is gone after so many calls, until it is back."""

    def __init__(self, answers=0):
        super().__init__()
        self.answers = answers
        self.asked = 0
        self.is_back = threading.Event()

    def _ask(self):
        self.asked += 1
        if self.asked > self.answers and not self.is_back.is_set():
            raise StoreUnreachable("the store does not answer", received="connection refused")

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
