"""Brings what happens in a sweep to the tracker, in order, on a thread of its own.

Training never waits for it: MLflow's first call alone takes seconds. Reports are drawn on another
thread, so that metrics do not wait for pictures.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.errors import TlsearchError
from tlsearch.execution.notices import Notice, Notify
from tlsearch.search.reports import Reports
from tlsearch.tracking.entries import name_nested
from tlsearch.tracking.tracker import EpochPoint, Tracker, TrackingError, TrialState

if TYPE_CHECKING:
    from tlsearch.training.job import TrialResult

QUICK = 1.0
"""Epochs of fewer seconds are gathered for so long, and logged together."""


@dataclass
class _Run:
    """A trial's run, and what is known of the trial and not logged yet."""

    configuration: Configuration
    id: str = ""
    counts: dict[str, float] = field(default_factory=dict)
    points: list[EpochPoint] = field(default_factory=list)
    logged_at: float = field(default_factory=time.monotonic)

    def take(self) -> tuple[dict[str, float], list[EpochPoint]]:
        """Counts and epochs that are to be logged now."""
        taken = self.counts, self.points
        self.counts, self.points = {}, []
        self.logged_at = time.monotonic()
        return taken

    @property
    def started(self) -> str:
        """Its id. Raises TrackingError if it could not be started, which was warned about."""
        if not self.id:
            raise TrackingError("the run of a trial could not be started")
        return self.id


class Recorder:
    """Tells the tracker about trials. Its methods return at once; `close` waits for the rest.

    A tracker that fails is reported once as a warning and does not stop the sweep.
    """

    def __init__(self, tracker: Tracker, sweep: Sweep, reports: Reports, notify: Notify) -> None:
        self.tracker = tracker
        self._sweep = sweep
        self._reports = reports
        self._notify = notify
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._drawing = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self._runs: dict[int, _Run] = {}
        self._parent = ""
        self._note: Callable[[int, str], None] = lambda number, run: None
        self._warned = False
        self._pending: list[Future[None]] = []

    def start(self, number: int, configuration: Configuration, attempt: int) -> None:
        run = self._runs[number] = _Run(configuration)
        settings = name_nested({"train": self._sweep.train.model_dump()})
        parameters = {**configuration.flat(), **settings}
        tags = {"tlsearch.attempt": str(attempt)}
        self._later(lambda: self._start(number, run, parameters, tags))

    def describe(self, number: int, counts: Mapping[str, int]) -> None:
        """Keep the counts of the network's parameters; they are logged with the first epoch."""
        self._runs[number].counts = {name: float(count) for name, count in counts.items()}

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        run = self._runs[number]
        values = {**metrics, "epoch_seconds": seconds}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        run.points.append(EpochPoint(epoch, finite, time.time()))
        if seconds >= QUICK or time.monotonic() - run.logged_at >= QUICK:
            counts, points = run.take()
            self._later(lambda: self._log(run, counts, points))

    def finish(self, number: int, result: TrialResult) -> None:
        run = self._runs.pop(number)
        best = {f"best_{name}": value for name, value in result.metrics.items()}
        cost = {"seconds": result.seconds, "photos_per_second": result.photos_per_second}
        self._end(run, result.state, None, {**best, **cost})
        if result.state == "complete":
            self._submit(self._drawing, lambda: self._report(number, run))

    def fail(self, number: int, kind: str, reason: str) -> None:
        self._end(self._runs.pop(number), "failed", f"{kind}: {reason}", {})

    def report(self, number: int, configuration: Configuration, run: str) -> None:
        """Write the report that an earlier process owes to a complete trial's run."""
        owed = _Run(configuration, run)
        self._submit(self._drawing, lambda: self._report(number, owed))

    def drain(self) -> None:
        """Wait until everything so far is recorded; reports come later."""
        self._thread.submit(lambda: None).result()
        self._raise_ours()

    def give_up_reports(self) -> None:
        """Leave the reports that are not begun to the next run."""
        self._drawing.shutdown(wait=False, cancel_futures=True)

    def open(self, open_sweep: Callable[[], str], note: Callable[[int, str], None]) -> None:
        """Open the sweep's parent run, in the background like everything else.

        Args:
            note: told the number and the run of each trial.
        """
        self._note = note

        def opened() -> None:
            self._parent = open_sweep()

        self._later(opened)

    def close(self) -> None:
        """Wait for everything, reports too."""
        self._drawing.shutdown()
        self._reports.close()
        self._thread.shutdown()
        self._raise_ours()

    def later(self, call: Callable[[str], None]) -> None:
        """Queue a call that is given the parent run."""
        self._later(lambda: call(self._parent))

    def _start(
        self, number: int, run: _Run, parameters: dict[str, Any], tags: dict[str, str]
    ) -> None:
        run.id = self.tracker.start_trial(self._parent, number, parameters, tags)
        self._note(number, run.id)

    def _log(self, run: _Run, counts: dict[str, float], points: list[EpochPoint]) -> None:
        if counts:
            self.tracker.log_metrics(run.started, counts)
        self.tracker.log_epochs(run.started, points)

    def _end(
        self, run: _Run, state: TrialState, reason: str | None, metrics: Mapping[str, float]
    ) -> None:
        counts, points = run.take()
        known = {**counts, **metrics}
        self._later(lambda: self.tracker.finish_trial(run.started, state, reason, known, points))

    def _report(self, number: int, run: _Run) -> None:
        folder = self._reports.write(number, run.configuration)

        def log() -> None:
            self.tracker.log_artifacts(run.started, folder)
            self._reports.note_tracked(number, run.started)

        self._thread.submit(log).result()

    def _later(self, call: Callable[[], None]) -> None:
        self._submit(self._thread, call)

    def _submit(self, thread: ThreadPoolExecutor, call: Callable[[], None]) -> None:
        self._pending = [one for one in self._pending if not one.done() or _failed(one)]
        self._pending.append(thread.submit(self._guarded, call))

    def _raise_ours(self) -> None:
        """An error that is no TlsearchError is a fault of ours, and ends the sweep."""
        for future in self._pending:
            if future.done() and not future.cancelled():
                future.result()

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except TlsearchError as error:
            if not self._warned:
                self._warned = True
                self._notify(Notice("warning", {"text": f"not everything is tracked: {error}"}))


def _failed(future: Future[None]) -> bool:
    return not future.cancelled() and future.exception() is not None
