"""Bringing the records of one spool to a tracker, in order and as often as need be.

A record counts as told once the tracker has answered; what it may have got before a process was
killed, or before a call came back with an error, is told again, and the tracker compares.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod
from pathlib import Path

from tlsearch.errors import BundleError
from tlsearch.export.checksums import CHECKSUMS_FILE
from tlsearch.tracking.listener import Listener
from tlsearch.tracking.records import (
    AnyRecord,
    BundleMade,
    EpochDone,
    FilesWritten,
    Noted,
    Record,
    SweepEnded,
    SweepOpened,
    TrialEnded,
    TrialStarted,
)
from tlsearch.tracking.spool import SpoolFile
from tlsearch.tracking.tracker import AT, STUDY, EntryRefused, EpochPoint, Tracker

PORTION = 200
"""How many records are told before it is noted that they are."""


@dataclass
class _Gathered:
    """What is known of a trial and goes to the tracker in one call. `at`: see Record."""

    points: list[EpochPoint] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    at: float | None = None


class Replay:
    """Tells a tracker what stands in a spool.

    Args:
        store: names the tracker's store: each has its own way through the spool.
        folder: the sweep's.
    """

    def __init__(
        self, spool: SpoolFile, tracker: Tracker, store: str, folder: Path, listener: Listener
    ) -> None:
        self._spool = spool
        self._tracker = tracker
        self._folder = folder
        self._listener = listener
        opened = spool.opened()
        self._study = opened.study if opened else ""
        self._told = spool.confirmed(store)
        self._gathered: defaultdict[int, _Gathered] = defaultdict(_Gathered)
        self._runs: dict[int, str] = {}

    @property
    def parent(self) -> str:
        """The sweep's run; "" before it is opened."""
        return self._told.parent

    @property
    def told(self) -> int:
        """How many records the tracker has confirmed."""
        return self._told.records

    def bring(self) -> bool:
        """Tell the next portion; whether there was anything to tell.

        Raises:
            TrackingError: the store fails; calling again goes on.
        """
        records, position, lines = self._spool.read(self._told.position, PORTION)
        if not lines:
            return False
        self._gathered.clear()
        for record in records:
            self._try(record)
        self._tell_gathered(*self._gathered)
        done = self._told.records + lines
        self._told = replace(self._told, position=position, records=done)
        self._spool.confirm(self._told)
        return True

    def _try(self, record: AnyRecord) -> None:
        try:
            self._tell(record)
        except EntryRefused as error:
            if isinstance(record, SweepOpened):
                # Everything else belongs to this run.
                raise
            self._listener.refused(error)

    @singledispatchmethod
    def _tell(self, record: Record) -> None:
        raise TypeError(f"a record of an unknown kind: {record!r}")

    @_tell.register
    def _(self, record: SweepOpened) -> None:
        tags = {**record.tags, STUDY: record.study, **_at(record)}
        with self._listener.opening():
            parent = self._tracker.open_sweep(
                record.name,
                record.experiment,
                record.run,
                record.parameters,
                tags,
                record.dataset,
            )
            self._listener.found_run(self._study, None, parent)
        self._told = replace(self._told, parent=parent)

    @_tell.register
    def _(self, record: TrialStarted) -> None:
        self._tell_gathered(record.trial)
        tags = {**record.tags, **_at(record)}
        run = self._tracker.start_trial(self.parent, record.trial, record.parameters, tags)
        self._runs[record.trial] = run
        self._listener.found_run(self._study, record.trial, run)

    @_tell.register
    def _(self, record: EpochDone) -> None:
        point = EpochPoint(record.epoch, record.metrics, record.at)
        self._gathered[record.trial].points.append(point)

    @_tell.register
    def _(self, record: TrialEnded) -> None:
        gathered = self._gathered.pop(record.trial, _Gathered())
        metrics = {**gathered.metrics, **record.metrics}
        run = self._run_of(record.trial)
        self._tracker.finish_trial(
            run, record.state, record.reason, metrics, gathered.points, _at(record)
        )

    @_tell.register
    def _(self, record: Noted) -> None:
        if record.trial is not None and not record.tags:
            gathered = self._gathered[record.trial]
            gathered.metrics.update(record.metrics)
            gathered.at = record.at
            return
        run = self._run_of(record.trial)
        self._tracker.log_metrics(run, record.metrics, record.at)
        self._tracker.log_tags(run, record.tags)

    @_tell.register
    def _(self, record: FilesWritten) -> None:
        folder = self._folder / record.folder
        if not folder.is_dir():
            raise EntryRefused("the files that were to be copied are gone", received=folder)
        run = self._run_of(record.trial)
        self._tracker.log_artifacts(run, folder, record.under)
        marker(folder).write_text(run, encoding="utf-8")

    @_tell.register
    def _(self, record: BundleMade) -> None:
        bundle = self._folder / record.folder
        if digest_of(bundle) != record.digest:
            # A later champion's took its place, and has a record of its own.
            return
        run = self._run_of(record.trial)
        if record.name is None:
            self._tracker.log_artifacts(run, bundle, record.folder)
            return
        try:
            version = self._tracker.register(run, bundle, record.name, record.tags)
        except BundleError as error:
            raise EntryRefused(error.what, received=error.received, hint=error.hint) from error
        self._listener.registered(record.name, version)

    @_tell.register
    def _(self, record: SweepEnded) -> None:
        self._tell_gathered(*self._gathered)
        runs = {name: self._run_of(trial) for name, trial in record.runs.items()}
        tags = {**runs, **_at(record)}
        self._tracker.finish_sweep(self.parent, record.metrics, tags, record.state)

    def _tell_gathered(self, *trials: int) -> None:
        for trial in trials:
            gathered = self._gathered.pop(trial, _Gathered())
            if not gathered.points and not gathered.metrics:
                continue
            try:
                run = self._run_of(trial)
                self._tracker.log_metrics(run, gathered.metrics, gathered.at)
                self._tracker.log_epochs(run, gathered.points)
            except EntryRefused as error:
                self._listener.refused(error)

    def _run_of(self, trial: int | None) -> str:
        """The run of a trial, or with None the sweep's.

        Raises:
            EntryRefused: somebody has deleted it.
        """
        if trial is None:
            return self.parent
        run = self._runs.get(trial) or self._tracker.find_trial(self.parent, trial)
        if run is None:
            raise EntryRefused(f"the tracker has no run of trial {trial}", received=self.parent)
        self._runs[trial] = run
        return run


def marker(folder: Path) -> Path:
    """The file that names the run which has a copy of the folder's files."""
    return folder.with_name(f"{folder.name}.tracked")


def digest_of(bundle: Path) -> str:
    """What tells a bundle from any other: the SHA-256 of its checksums; "" if there is none."""
    file = bundle / CHECKSUMS_FILE
    if not file.is_file():
        return ""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _at(record: Record) -> dict[str, str]:
    return {AT: str(round(record.at * 1000))}
