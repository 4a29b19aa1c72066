"""Writes down what happens in a sweep, for the tracker to be told: in a spool on the disk.

Nothing here waits for the tracker or for the disk: MLflow's first call alone takes seconds. Reports
are drawn on a thread, so that what is told does not wait for pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.errors import TlsearchError
from tlsearch.execution.notices import Notice, Notify
from tlsearch.search.reports import Reports
from tlsearch.tracking.entries import name_nested
from tlsearch.tracking.records import (
    AnyRecord,
    BundleMade,
    EpochDone,
    FilesWritten,
    Noted,
    SweepEnded,
    TrialEnded,
    TrialStarted,
)
from tlsearch.tracking.replay import digest_of
from tlsearch.tracking.replayer import Replayer
from tlsearch.tracking.spool import Spool
from tlsearch.tracking.tracker import TrialState

if TYPE_CHECKING:
    from tlsearch.training.job import TrialResult


class Recorder:
    """Tells of trials. Its methods return at once, but for `drain` and `close`.

    Args:
        folder: the sweep's, from which folders with files are named.

    Each raises OSError where the disk takes no more.
    """

    def __init__(
        self,
        spool: Spool,
        replayer: Replayer,
        sweep: Sweep,
        reports: Reports,
        folder: Path,
        notify: Notify,
    ) -> None:
        self._spool = spool
        self._replayer = replayer
        self._sweep = sweep
        self._reports = reports
        self._folder = folder
        self._notify = notify
        self._drawing = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self._drawn: list[Future[None]] = []
        self._configurations: dict[int, Configuration] = {}

    def start(self, number: int, configuration: Configuration, attempt: int) -> None:
        self._configurations[number] = configuration
        settings = name_nested({"train": self._sweep.train.model_dump()})
        parameters = {**configuration.flat(), **settings}
        tags = {"tlsearch.attempt": str(attempt)}
        self.write(TrialStarted(trial=number, parameters=parameters, tags=tags))

    def describe(self, number: int, counts: Mapping[str, int]) -> None:
        """Note the counts of the network's parameters."""
        metrics = {name: float(count) for name, count in counts.items()}
        self.write(Noted(trial=number, metrics=metrics))

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        values = finite({**metrics, "epoch_seconds": seconds})
        self.write(EpochDone(trial=number, epoch=epoch, metrics=values))

    def finish(self, number: int, result: TrialResult) -> None:
        """A trial has ended, or is set down to be gone on with: then nothing of it is final."""
        metrics: dict[str, float] = {}
        if result.state != "interrupted":
            metrics = {f"best_{name}": value for name, value in result.metrics.items()}
            metrics["seconds"] = result.seconds
            metrics["photos_per_second"] = result.photos_per_second
        self._end(TrialEnded(trial=number, state=result.state, metrics=finite(metrics)))
        configuration = self._configurations.pop(number)
        if result.state == "complete":
            self.report(number, configuration)

    def fail(self, number: int, kind: str, reason: str) -> None:
        self._configurations.pop(number, None)
        self._end(TrialEnded(trial=number, state="failed", reason=f"{kind}: {reason}"))

    def set_down(self, number: int, reason: str) -> None:
        """A trial is left to be gone on with, through no fault of its own."""
        self._configurations.pop(number, None)
        self._end(TrialEnded(trial=number, state="interrupted", reason=reason))

    def leave(self, number: int) -> None:
        """Record no more of a trial that another supervisor has now."""
        self._configurations.pop(number, None)

    def report(self, number: int, configuration: Configuration) -> None:
        """Draw the report of a complete trial."""
        self._drawn = [one for one in self._drawn if not one.done() or _is_ours(one)]
        drawing = self._drawing.submit(self._guarded, lambda: self._draw(number, configuration))
        self._drawn.append(drawing)

    def files(self, trial: int | None, folder: Path, under: str | None = None) -> None:
        """Have the files of a folder copied to a trial's run, or with None to the sweep's."""
        self.write(FilesWritten(trial=trial, folder=self._name(folder), under=under))

    def note(
        self, trial: int | None, metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Note metrics and tags of a trial, or with None of the sweep."""
        self.write(Noted(trial=trial, metrics=finite(metrics), tags=dict(tags)))

    def bundle(self, trial: int, folder: Path, name: str | None) -> None:
        """Have the champion's bundle registered under a name, or with None copied to its run."""
        tags = {"tlsearch.sweep": self._sweep.name}
        place, digest = self._name(folder), digest_of(folder)
        self.write(BundleMade(trial=trial, folder=place, digest=digest, name=name, tags=tags))

    def end(
        self, state: TrialState, metrics: Mapping[str, float] | None = None, **runs: int
    ) -> None:
        """This supervisor has done its work.

        Args:
            metrics: the champion's on the test split.
            runs: trials whose runs become tags of the sweep's: `champion`, `rival`.
        """
        named = {f"tlsearch.{name}": trial for name, trial in runs.items()}
        ended = SweepEnded(state=state, metrics=finite(metrics or {}), runs=named)
        self._spool.append(ended, hurry=True)

    def write(self, record: AnyRecord) -> None:
        """Write down any other record."""
        self._spool.append(record)

    def drain(self) -> None:
        """Wait until the tracker has everything so far, if it answers; reports come later."""
        self._replayer.drain()
        self._raise_ours()

    def give_up_reports(self) -> None:
        """Leave the reports that are not begun to the next run."""
        self._drawing.shutdown(wait=False, cancel_futures=True)

    def close(self, *, wait: bool = True) -> None:
        """Wait for the reports, and unless told otherwise for the tracker as long as it answers."""
        if not wait:
            self._replayer.stop()
        self._drawing.shutdown()
        self._reports.close()
        if wait:
            self._replayer.close()
            self._raise_ours()

    def _end(self, ended: TrialEnded) -> None:
        self._spool.append(ended, hurry=True)

    def _draw(self, number: int, configuration: Configuration) -> None:
        self.files(number, self._reports.write(number, configuration))

    def _name(self, folder: Path) -> str:
        return folder.relative_to(self._folder).as_posix()

    def _raise_ours(self) -> None:
        """An error that is no TlsearchError is a fault of ours, and ends the sweep."""
        for drawing in self._drawn:
            if drawing.done() and not drawing.cancelled():
                drawing.result()

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except TlsearchError as error:
            self._notify(Notice("warning", {"text": f"a report is missing: {error}"}))


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those that are; no chart has a place for the others."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _is_ours(drawing: Future[None]) -> bool:
    return not drawing.cancelled() and drawing.exception() is not None
