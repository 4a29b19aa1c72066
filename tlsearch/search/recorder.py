"""Brings what happens in a sweep to the tracker, in order, on a thread of its own.

Training never waits for it: MLflow's first call alone takes seconds, and drawing a trial's
report takes as long as several of its epochs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.execution.notices import Notice, Notify
from tlsearch.tracking.entries import name_nested
from tlsearch.tracking.tracker import Tracker, TrackingError

if TYPE_CHECKING:
    from tlsearch.training.job import TrialResult

WriteReport = Callable[[int, Configuration], Path]
"""Writes a trial's report and returns its folder."""


class Recorder:
    """Tells the tracker about trials. Its methods return at once; `close` waits for the rest.

    A tracker that fails is reported once as a warning and does not stop the sweep.
    """

    def __init__(
        self, tracker: Tracker, sweep: Sweep, write_report: WriteReport, notify: Notify
    ) -> None:
        self.tracker = tracker
        self._sweep = sweep
        self._write_report = write_report
        self._notify = notify
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._runs: dict[int, str] = {}
        self._configurations: dict[int, Configuration] = {}
        self._parent = ""
        self._note: Callable[[int, str], None] = lambda number, run: None
        self._warned = False
        self._pending: list[Future[None]] = []

    def start(self, number: int, configuration: Configuration, attempt: int) -> None:
        self._configurations[number] = configuration
        settings = name_nested({"train": self._sweep.train.model_dump()})
        parameters = {**configuration.flat(), **settings}
        tags = {"tlsearch.attempt": str(attempt)}
        self._later(lambda: self._start(number, parameters, tags))

    def describe(self, number: int, counts: Mapping[str, int]) -> None:
        metrics = {name: float(count) for name, count in counts.items()}
        self._later(lambda: self.tracker.log_metrics(self._runs[number], metrics))

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float]) -> None:
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        at = time.time()
        self._later(lambda: self.tracker.log_epoch(self._runs[number], epoch, finite, at))

    def finish(self, number: int, result: TrialResult) -> None:
        self._later(lambda: self._finish(number, result))

    def fail(self, number: int, kind: str, reason: str) -> None:
        tags = f"{kind}: {reason}"
        self._later(lambda: self.tracker.finish_trial(self._runs[number], "failed", tags))

    def drain(self) -> None:
        """Wait until everything so far is recorded."""
        for future in self._pending:
            future.result()
        self._pending.clear()

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
        self.drain()
        self._thread.shutdown()

    def later(self, call: Callable[[str], None]) -> None:
        """Queue a call that is given the parent run."""
        self._later(lambda: call(self._parent))

    def _start(self, number: int, parameters: dict[str, Any], tags: dict[str, str]) -> None:
        run = self.tracker.start_trial(self._parent, number, parameters, tags)
        self._runs[number] = run
        self._note(number, run)

    def _finish(self, number: int, result: TrialResult) -> None:
        run = self._runs[number]
        metrics = {f"best_{name}": value for name, value in result.metrics.items()}
        seconds = {"seconds": result.seconds, "photos_per_second": result.photos_per_second}
        self.tracker.log_metrics(run, {**metrics, **seconds})
        if result.state == "complete":
            folder = self._write_report(number, self._configurations[number])
            self.tracker.log_artifacts(run, folder)
        self.tracker.finish_trial(run, result.state, None)

    def _later(self, call: Callable[[], None]) -> None:
        self._pending = [future for future in self._pending if not future.done()]
        self._pending.append(self._thread.submit(self._guarded, call))

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except (TrackingError, KeyError) as error:
            # KeyError: the trial's run could not be started, which was warned about.
            if not self._warned:
                self._warned = True
                self._notify(Notice("warning", {"text": f"not everything is tracked: {error}"}))
