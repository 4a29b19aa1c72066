"""The stages of a sweep: photos, search, champion, bundle, registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optuna.trial import TrialState as Ended

from tlsearch.config.configuration import Configuration
from tlsearch.config.loading import dump
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.errors import Interrupted, NoResultError, TlsearchError
from tlsearch.execution.executor import Executor
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.execution.notices import Notice, Notify
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.search.comparison import compare
from tlsearch.search.delivery import Delivery
from tlsearch.search.leaderboard import leaderboard, row
from tlsearch.search.photos import prepare_photos
from tlsearch.search.recorder import Recorder
from tlsearch.search.reports import TrialReports
from tlsearch.search.result import SweepResult
from tlsearch.search.screening import Screening, is_wanted
from tlsearch.search.screening_report import ScreeningReport
from tlsearch.search.study import SweepStudy
from tlsearch.search.supervisor import Supervisor
from tlsearch.search.weights import fetch_weights
from tlsearch.tracking.location import resolve_uri
from tlsearch.tracking.tracker import DatasetSummary, Tracker, TrialState
from tlsearch.training.job import TrainJob


class Stages:
    """Carries one sweep from its photos to its bundle."""

    def __init__(
        self, sweep: Sweep, paths: Paths, study: SweepStudy, notify: Notify, command: str
    ) -> None:
        self._sweep = sweep
        self._paths = paths
        self._folder = paths.sweep(sweep.name)
        self._study = study
        self._notify = notify
        self._command = command

    def carry_out(self, stop: StopRequest) -> SweepResult:
        """Do what is left to do."""
        self._say_what_is_left()
        if not self._is_over():
            self._folder.resolved.write_text(dump(self._sweep), encoding="utf-8")
            if not self._study.is_spent():
                fetch_weights(self._sweep.space)
            dataset = self._prepare_data()
            with self._recorder(dataset) as recorder, self._executor() as executor:
                self._screen(dataset, recorder, executor, stop)
                self._search(dataset, recorder, executor, stop)
                best = self._deliver(dataset, recorder, executor)
            # Only now is everything tracked, reports too.
            self._study.note_delivery(best)
        result = self._result()
        if result.comparison is not None:
            self._notify(Notice("compared", result.comparison.as_dict()))
        return result

    def _say_what_is_left(self) -> None:
        finished = len(self._study.finished())
        facts = {"name": self._sweep.name, "home": str(self._paths.home), "finished": finished}
        self._notify(Notice("sweep_opened", {**facts, "budget": self._sweep.budget.trials}))
        if self._study.is_spent():
            self._notify(Notice("budget_spent", {"finished": finished}))

    def _is_over(self) -> bool:
        if not self._study.is_spent() or self._study.leftovers():
            return False
        delivered = self._study.delivered()
        return delivered == self._study.champion().number and self._folder.bundle.is_dir()

    def _prepare_data(self) -> Dataset:
        dataset = prepare_photos(self._sweep, self._paths)
        self._study.hold_dataset(dataset.digest)
        facts = {
            "classes": list(dataset.classes),
            "photos": {split: len(rows) for split, rows in dataset.splits.items()},
            "unreadable": [[photo.path, photo.reason] for photo in dataset.unreadable],
            "warnings": list(dataset.warnings),
        }
        self._notify(Notice("data_ready", facts))
        return dataset

    @contextmanager
    def _recorder(self, dataset: Dataset) -> Iterator[Recorder]:
        from tlsearch.tracking.mlflow_tracker import MLflowTracker

        store = resolve_uri(self._sweep.tracking.uri, None, self._paths)
        tracker = MLflowTracker(store)
        reports = TrialReports(self._sweep, self._paths, dataset)
        recorder = Recorder(tracker, self._sweep, reports, self._notify)
        recorder.open(lambda: self._open_parent(tracker, dataset), self._note_run)
        self._catch_up(recorder, reports)
        try:
            yield recorder
        except BaseException as error:
            recorder.give_up_reports()
            if isinstance(error, TlsearchError):
                state: TrialState = "interrupted" if isinstance(error, Interrupted) else "failed"
                recorder.later(lambda parent: tracker.finish_sweep(parent, {}, {}, state))
            raise
        finally:
            recorder.close()

    def _catch_up(self, recorder: Recorder, reports: TrialReports) -> None:
        """Have the reports written that an earlier process was killed before."""
        runs = self._study.runs()
        for trial in self._study.finished():
            run = runs.get(trial.number)
            if trial.state is Ended.COMPLETE and run and reports.is_missing(trial.number, run):
                recorder.report(trial.number, self._study.configuration_of(trial), run)

    def _note_run(self, number: int, run: str) -> None:
        self._study.note_run(number, run)

    def _open_parent(self, tracker: Tracker, dataset: Dataset) -> str:
        """Open, or open again, the sweep's run; end what a killed supervisor left running."""
        counts = dataset.counts().to_dict()
        run = tracker.open_sweep(
            self._sweep.name,
            self._sweep.tracking.experiment or self._sweep.name,
            self._study.run_of(None),
            self._sweep.model_dump(mode="json", exclude={"space"}),
            {"tlsearch.space": self._sweep.space.model_dump_json(exclude_none=True)},
            DatasetSummary(self._sweep.name, dataset.digest, dataset.source, counts),
        )
        self._study.note_run(None, run)
        tracker.close_stale(run)
        return run

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        workers = self._sweep.execution.workers
        executor = LocalExecutor(None if workers == "auto" else workers, self._folder.logs)
        try:
            yield executor
        finally:
            executor.close()

    def _screen(
        self, dataset: Dataset, recorder: Recorder, executor: Executor, stop: StopRequest
    ) -> None:
        """Choose the backbones to search, once in the life of a study: Optuna lets no choice
        change afterwards."""
        known = self._study.screening
        if known is not None:
            facts = {"kept": known.kept, "screened": len(known.rows)}
            self._notify(Notice("screening_recalled", facts))
        elif is_wanted(self._sweep) and not self._study.trials():
            screening = Screening(self._sweep, self._paths, dataset, self._notify, self._command)
            known = screening.run(executor, stop)
            if known is None:
                text = "too few photos of each class to screen backbones: all are searched"
                self._notify(Notice("warning", {"text": text}))
                return
            self._study.note_screening(known)
            self._notify(Notice("screened", {**known.as_dict(), "kept": known.kept}))
        if known is not None:
            ScreeningReport(self._folder.folder).track(known, recorder)

    def _first_trials(self) -> list[dict[str, Any]]:
        """What the user wants to be tried first, then the backbones that were kept."""
        wanted, screened = self._sweep.search.enqueue, self._study.screening
        if screened is None:
            return wanted
        screened.check_enqueued(self._sweep)
        return [*wanted, *screened.first_trials(self._sweep)]

    def _search(
        self, dataset: Dataset, recorder: Recorder, executor: Executor, stop: StopRequest
    ) -> None:
        sweep = self._study.sweep
        decoded: set[int] = set()

        def make_job(number: int, configuration: Configuration) -> TrainJob:
            if configuration.image_size not in decoded:
                pixel_store(self._paths, configuration.image_size).add(dataset.files)
                decoded.add(configuration.image_size)
            return TrainJob(number, sweep, configuration, dataset, self._paths)

        supervisor = Supervisor(
            self._sweep, self._study, executor, make_job, recorder, self._notify
        )
        self._study.enqueue(self._first_trials())
        supervisor.search(stop)
        if stop.signal is not None:
            finished = len(self._study.finished())
            raise Interrupted(
                f"stopped after {finished} of {self._sweep.budget.trials} trials; "
                "what was running goes on after its last epoch next time",
                signal=stop.signal,
                hint=f"to continue: {self._command}",
            )

    def _deliver(self, dataset: Dataset, recorder: Recorder, executor: Executor) -> int:
        """Export, judge and register the champion; its number."""
        best = self._study.champion()
        self._notify(Notice("champion", row(best)))
        configuration = self._study.configuration_of(best)
        recorder.drain()
        run = self._study.run_of(best.number)
        delivery = Delivery(self._sweep, self._paths, dataset, self._notify)
        result = delivery.export(
            best.number,
            configuration,
            self._folder.bundle,
            executor=executor,
            judge=True,
            run=run,
        )
        if result.test is not None:
            self._study.note_test(best.number, result.test)
        rival = self._judge_rival(delivery, recorder, executor)
        if run is not None:
            delivery.register(run, result, recorder, rival)
        recorder.drain()
        return best.number

    def _judge_rival(
        self, delivery: Delivery, recorder: Recorder, executor: Executor
    ) -> str | None:
        """Judge the champion's rival too, unless that was done; its run in the tracker.

        The champion is delivered even where its rival cannot be judged.
        """
        rival = self._study.rival()
        if rival is None:
            return None
        number = rival.number
        try:
            if (metrics := self._study.test_of(number)) is None:
                configuration = self._study.configuration_of(rival)
                metrics = delivery.judge(number, configuration, executor)
                self._study.note_test(number, metrics)
        except NoResultError as error:
            self._notify(Notice("warning", {"text": f"nothing is compared: {error}"}))
            return None
        run = self._study.run_of(number)
        if run is not None:
            delivery.record_test(run, metrics, recorder)
        return run

    def _result(self) -> SweepResult:
        return SweepResult(
            sweep=self._sweep,
            trials=leaderboard(self._study.trials(), self._sweep.objective),
            best=row(self._study.champion()),
            bundle=self._folder.bundle,
            comparison=compare(self._study),
        )
