"""The stages of a sweep: photos, search, champion, bundle, registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tlsearch.config.loading import dump
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset
from tlsearch.disk import Floor
from tlsearch.errors import Interrupted
from tlsearch.execution.executor import Executor
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.execution.notices import Notice, Notify
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.search.comparison import compare
from tlsearch.search.delivery import Delivery
from tlsearch.search.handover import ERRAND, Handover
from tlsearch.search.jobs import job_maker, will_want_keras
from tlsearch.search.leaderboard import leaderboard, row
from tlsearch.search.photos import prepare_photos
from tlsearch.search.recorder import Recorder
from tlsearch.search.recording import Recording, tell_the_rest
from tlsearch.search.result import SweepResult
from tlsearch.search.retention import Retention
from tlsearch.search.screened import ScreeningResult
from tlsearch.search.screening import Screening, is_wanted
from tlsearch.search.screening_report import ScreeningReport
from tlsearch.search.study import SweepStudy
from tlsearch.search.supervisor import Supervisor
from tlsearch.search.weights import fetch_weights


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
        self._retention = Retention(sweep, self._folder)
        self._handover = Handover(sweep, self._folder, study, notify)
        places = (paths.home, paths.store, self._folder.folder)
        self._floor = Floor(places, sweep.execution.min_free_gb)

    def carry_out(self, stop: StopRequest) -> SweepResult:
        """Do what is left to do."""
        self._say_what_is_left()
        if self._is_over():
            tell_the_rest(self._sweep, self._paths, self._notify)
        else:
            self._folder.folder.mkdir(parents=True, exist_ok=True)
            self._folder.resolved.write_text(dump(self._sweep), encoding="utf-8")
            with self._executor() as executor:
                if not self._study.is_spent():
                    fetch_weights(self._sweep.space)
                    self._warm_up(executor)
                dataset = self._prepare_data()
                self._carry_out(dataset, executor, stop)
        self._retention.after_delivery(self._study.finished())
        result = self.result()
        if result.comparison is not None:
            self._notify(Notice("compared", result.comparison.as_dict()))
        return result

    def _carry_out(self, dataset: Dataset, executor: Executor, stop: StopRequest) -> None:
        with ExitStack() as errand:
            # The workers end before anybody waits for the tracker.
            with self._recorder(dataset) as recorder, closing(executor):
                self._screen(dataset, recorder, executor, stop)
                self._search(dataset, recorder, executor, stop)
                mine = errand.enter_context(
                    self._errand(ERRAND, self._handover.is_done, stop, self._handover.is_for_me)
                )
                if mine:
                    best, rival = self._deliver(dataset, recorder, executor)
                else:
                    self._handover.end_run(recorder)
            # Only now is everything tracked, reports too.
            if mine:
                self._study.note_delivery(best, self._folder.bundle, rival)
            elif (place := self._study.delivery_place()) is not None:
                self._notify(Notice("delivered", asdict(place)))

    def _errand(
        self,
        what: str,
        is_done: Callable[[], bool],
        stop: StopRequest,
        is_for_me: Callable[[], bool] = lambda: True,
    ) -> AbstractContextManager[bool]:
        """What one supervisor does for all: see `Errands.run`."""
        said: list[str] = []

        def wait() -> None:
            if not said:
                said.append(what)
                self._notify(Notice("waiting", {"what": what}))
            if stop.signal is not None:
                raise self._interrupted(stop.signal)
            time.sleep(0.5)

        return self._study.errands.run(what, is_done, wait, is_for_me)

    def _say_what_is_left(self) -> None:
        finished = len(self._study.finished())
        facts = {"name": self._sweep.name, "home": str(self._paths.home), "finished": finished}
        self._notify(Notice("sweep_opened", {**facts, "budget": self._sweep.budget.trials}))
        if self._study.is_spent():
            self._notify(Notice("budget_spent", {"finished": finished}))

    def _is_over(self) -> bool:
        if not self._study.is_spent() or self._study.running():
            return False
        return self._handover.is_done()

    def _warm_up(self, executor: Executor) -> None:
        """Let workers start while the photos are read."""
        if will_want_keras(self._study.sweep, self._paths):
            executor.warm_up(self._sweep.budget.trials - len(self._study.finished()))

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

    def _recorder(self, dataset: Dataset) -> AbstractContextManager[Recorder]:
        recording = Recording(self._sweep, self._paths, self._study, dataset, self._notify)
        return recording.open()

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        workers = self._sweep.execution.workers
        crew, logs = self._study.crew, self._folder.logs
        logs = logs if crew.is_first_here else logs / crew.name
        timeout = self._sweep.execution.trial_timeout
        executor = LocalExecutor(None if workers == "auto" else workers, logs, timeout=timeout)
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
        if known is None and is_wanted(self._sweep):
            with self._errand("screening", self._is_screened, stop) as mine:
                if mine:
                    self._screen_now(dataset, executor, stop)
            known = self._study.screening
        elif known is not None:
            self._recall(known)
        if known is not None:
            report = ScreeningReport(self._folder.folder)
            report.track(known, recorder, self._study.run_of(None))

    def _is_screened(self) -> bool:
        return self._study.screening is not None or bool(self._study.trials())

    def _recall(self, known: ScreeningResult) -> None:
        facts = {"kept": known.kept, "screened": len(known.rows)}
        self._notify(Notice("screening_recalled", facts))

    def _screen_now(self, dataset: Dataset, executor: Executor, stop: StopRequest) -> None:
        screening = Screening(self._sweep, self._paths, dataset, self._notify, self._command)
        known = screening.run(executor, stop)
        if known is None:
            text = "too few photos of each class to screen backbones: all are searched"
            self._notify(Notice("warning", {"text": text}))
            return
        self._study.note_screening(known)
        self._notify(Notice("screened", {**known.as_dict(), "kept": known.kept}))

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
        supervisor = Supervisor(
            self._sweep,
            self._study,
            executor,
            job_maker(self._study, dataset, self._paths),
            recorder,
            self._watch,
        )
        self._study.enqueue(self._first_trials())
        supervisor.search(stop, self._floor)
        # A kill may have come before it was done for the last one.
        self._retention.after_trial(self._study.finished())
        if stop.signal is not None:
            raise self._interrupted(stop.signal)

    def _watch(self, notice: Notice) -> None:
        self._notify(notice)
        if notice.event == "trial_ended":
            self._retention.after_trial(self._study.finished())

    def _interrupted(self, signal: int) -> Interrupted:
        finished = len(self._study.finished())
        return Interrupted(
            f"stopped after {finished} of {self._sweep.budget.trials} trials; "
            "what was running goes on after its last epoch next time",
            signal=signal,
            hint=f"to continue: {self._command}",
        )

    def _deliver(
        self, dataset: Dataset, recorder: Recorder, executor: Executor
    ) -> tuple[int, int | None]:
        delivery = Delivery(self._sweep, self._paths, dataset, self._notify)
        make_job = job_maker(self._study, dataset, self._paths)
        return self._handover.carry_out(delivery, make_job, recorder, executor)

    def result(self) -> SweepResult:
        """What was found so far.

        Raises:
            NoResultError: no trial is complete.
        """
        elsewhere = self._handover.elsewhere()
        return SweepResult(
            sweep=self._sweep,
            trials=leaderboard(self._study.trials(), self._sweep.objective),
            best=row(self._study.champion()),
            bundle=Path(elsewhere.bundle) if elsewhere else self._folder.bundle,
            comparison=compare(self._study),
            host=elsewhere.host if elsewhere and not elsewhere.is_reachable else None,
        )
