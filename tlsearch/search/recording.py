"""Beginning and ending the telling of a sweep: its spool, the thread that replays it, reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from optuna.trial import TrialState as Ended

from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset
from tlsearch.errors import Interrupted, TlsearchError
from tlsearch.execution.notices import Notice, Notify
from tlsearch.paths import Paths
from tlsearch.redaction import redact, redact_values
from tlsearch.search.claims import OWNER
from tlsearch.search.reconciliation import Reconciliation
from tlsearch.search.recorder import Recorder
from tlsearch.search.reports import TrialReports
from tlsearch.search.study import SweepStudy
from tlsearch.search.tracking_listener import SweepListener
from tlsearch.tracking.location import TrackingStore, embedded, resolve_uri
from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.records import SweepOpened
from tlsearch.tracking.replayer import Replayer
from tlsearch.tracking.spool import (
    Spool,
    SpoolFile,
    hold,
    spools,
    spools_of,
    written_folders,
)
from tlsearch.tracking.syncing import Syncing
from tlsearch.tracking.tracker import DatasetSummary

FIRST_ANSWER = 20.0
"""Seconds for which a sweep waits for a server's first answer before it begins without it."""


class Recording:
    """What one supervisor tells of one sweep."""

    def __init__(
        self, sweep: Sweep, paths: Paths, study: SweepStudy, dataset: Dataset, notify: Notify
    ) -> None:
        self._sweep = sweep
        self._paths = paths
        self._folder = paths.sweep(sweep.name)
        self._study = study
        self._key = study.key
        self._dataset = dataset
        self._notify = notify
        self._store = resolve_uri(sweep.tracking.uri, None, paths)
        self._file = SpoolFile(self._folder.spool / f"{study.crew.name}.jsonl")

    @contextmanager
    def open(self) -> Iterator[Recorder]:
        """Record what the block tells; then wait for the tracker as long as it answers.

        Raises:
            TrackingError: the store can never be used, whether it answers or not.
        """
        with hold(self._file):
            opened = self._opened()
            spool = Spool(self._file.path, opened)
            try:
                with self._recorder(spool, opened.at) as recorder:
                    yield recorder
            finally:
                spool.close()
                self._end(spool.count)

    @contextmanager
    def _recorder(self, spool: Spool, began: float) -> Iterator[Recorder]:
        reports = TrialReports(self._sweep, self._paths, self._dataset, self._key)
        replayer = self._replayer(spool, began)
        recorder = Recorder(
            spool, replayer, self._sweep, reports, self._folder.folder, self._notify
        )
        replayer.start()
        try:
            replayer.wait_for_store(FIRST_ANSWER if self._store.is_server else None)
            self._catch_up(recorder, reports)
            yield recorder
        except TlsearchError as error:
            recorder.give_up_reports()
            self._tell_of(error, recorder)
            recorder.close()
            raise
        except BaseException:
            recorder.give_up_reports()
            recorder.close(wait=False)
            raise
        else:
            recorder.close()

    def _opened(self) -> SweepOpened:
        counts = self._dataset.counts().to_dict()
        source = redact(self._dataset.source)
        space = self._sweep.space.model_dump_json(exclude_none=True)
        parameters = self._sweep.model_dump(mode="json", exclude={"space"})
        is_embedded = self._store == embedded(self._paths)
        return SweepOpened(
            name=self._sweep.name,
            experiment=self._sweep.tracking.experiment or self._sweep.name,
            study=self._key,
            run=self._study.run_of(None),
            store=None if is_embedded else str(self._store),
            parameters=redact_values(parameters),
            tags={"tlsearch.space": space},
            dataset=DatasetSummary(self._sweep.name, self._dataset.digest, source, counts),
        )

    def _replayer(self, spool: Spool, began: float) -> Replayer:
        reconcile = Reconciliation(self._sweep, self._study, self._folder, spool, began)
        return Replayer(
            spool,
            str(self._store),
            lambda: MLflowTracker(self._store),
            self._folder.folder,
            SweepListener(self._note_run, self._notify, self._study.errands),
            reconcile,
        )

    def _note_run(self, study: str, number: int | None, run: str) -> None:
        # Each note is a transaction.
        if study == self._key and self._study.run_of(number) != run:
            self._study.note_run(number, run)

    def _catch_up(self, recorder: Recorder, reports: TrialReports) -> None:
        """Have the reports drawn that an earlier process was killed before."""
        runs, others = self._study.runs(), self._study.crew.others()
        written = written_folders(spools_of(self._folder.spool, self._key))
        for trial in self._study.finished():
            number = trial.number
            is_drawn = f"trials/{number:05d}/report" in written
            if is_drawn or trial.user_attrs.get(OWNER) in others:
                continue
            if trial.state is Ended.COMPLETE and reports.is_missing(number, runs.get(number)):
                recorder.report(number, self._study.configuration_of(trial))

    def _tell_of(self, error: TlsearchError, recorder: Recorder) -> None:
        """The sweep's run ends with its last supervisor."""
        if self._study.crew.others():
            return
        # A full disk may be what it ends of.
        with suppress(OSError):
            recorder.end("interrupted" if isinstance(error, Interrupted) else "failed")

    def _end(self, count: int) -> None:
        left = self._file.left(str(self._store))
        # One record says that the sweep was opened, and nothing has come of that.
        if left == 0 or count == 1:
            self._file.remove()
        else:
            self._notify(_left(left, self._store, self._sweep))


def tell_the_rest(sweep: Sweep, paths: Paths, notify: Notify) -> None:
    """Tell the tracker what earlier runs of a sweep that is over could not, if it answers now."""
    folder = paths.sweep(sweep.name)
    if not spools(folder.spool):
        return
    store = resolve_uri(sweep.tracking.uri, None, paths)
    synced = Syncing(lambda _: store, MLflowTracker).sync(folder)
    if synced.left:
        notify(_left(synced.left, store, sweep))


def _left(records: int, store: TrackingStore, sweep: Sweep) -> Notice:
    facts = {"records": records, "store": str(store), "name": sweep.name}
    return Notice("tracking_left", facts)
