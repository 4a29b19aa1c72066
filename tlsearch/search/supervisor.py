"""The search loop: keeps the workers busy, answers their epochs, tells Optuna how trials end."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.trial import Trial, TrialState

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.disk import Floor
from tlsearch.errors import DiskError, NoResultError
from tlsearch.execution.events import (
    Decision,
    EpochEnded,
    Event,
    Failed,
    Finished,
    PrefixJudged,
    Resumed,
    Started,
    Warned,
)
from tlsearch.execution.executor import Executor, Job
from tlsearch.execution.failures import WORKER_LOST
from tlsearch.execution.notices import Notice, Notify
from tlsearch.execution.signals import StopRequest
from tlsearch.search.claims import TrialTakenOver
from tlsearch.search.leaderboard import row
from tlsearch.search.study import SweepStudy

if TYPE_CHECKING:
    from tlsearch.search.recorder import Recorder
    from tlsearch.training.job import TrialResult

ATTEMPTS = "attempts"
NO_FLOOR = Floor((), 0)
PAUSE = 2.0
"""Seconds between two looks for work that others may have left."""

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


@dataclass(frozen=True)
class ActiveTrial:
    """A trial whose job runs now."""

    trial: Trial
    configuration: Configuration
    attempt: int
    counts: dict[str, int] = field(default_factory=dict)
    """Of its network's parameters, once that is built."""


class Supervisor:
    """Runs the trials of one sweep until its budget is spent or somebody asks it to stop."""

    def __init__(
        self,
        sweep: Sweep,
        study: SweepStudy,
        executor: Executor,
        make_job: Callable[[int, Configuration], Job],
        recorder: Recorder,
        notify: Notify,
    ) -> None:
        self._sweep = sweep
        self._study = study
        self._executor = executor
        self._make_job = make_job
        self._recorder = recorder
        self._notify = notify
        self._active: dict[int, ActiveTrial] = {}
        self._waiting: deque[Trial] = deque()
        self._failures = 0
        self._last_failure = ""
        self._said: set[tuple[object, ...]] = set()
        self._asks_again = 0.0
        self._has_waited = False
        self._lacking: DiskError | None = None

    def search(self, stop: StopRequest, floor: Floor = NO_FLOOR) -> None:
        """Run trials until none is left.

        Args:
            floor: with less free space no trial is begun; those that run go on to their ends.

        Raises:
            NoResultError: `on_failure.max_consecutive` trials in a row have failed.
            DiskError: less space is free than the floor, and trials are left to run.
        """
        self._study.note_time()
        while True:
            if self._may_begin(stop, floor):
                self._fill()
            if not self._executor.running and not self._waits_for_others(stop):
                break
            for event in self._executor.wait(timeout=0.5):
                self._handle(event, stop)
        if self._lacking is not None and not stop and not self._study.is_spent():
            raise self._lacking
        if self._is_broken():
            raise NoResultError(
                f"the last {self._failures} trials failed one after the other",
                received=self._last_failure,
                expected="trials that train",
                hint="mend the cause and run the same command again; the log files are named above",
            )

    def _may_begin(self, stop: StopRequest, floor: Floor) -> bool:
        """Whether another trial may be begun now."""
        if stop or self._is_broken():
            return False
        self._lacking = floor.lacking()
        return self._lacking is None

    def _is_broken(self) -> bool:
        return self._failures >= self._sweep.on_failure.max_consecutive

    def _fill(self) -> None:
        while len(self._executor.running) < self._executor.capacity:
            trial = self._next()
            if trial is None:
                return
            try:
                self._start(trial)
            except TrialTakenOver:
                self._lose(trial.number)

    def _next(self) -> Trial | None:
        if self._waiting:
            return self._waiting.popleft()
        if time.monotonic() < self._asks_again:
            return None
        trial = self._study.claim()
        if trial is None:
            self._asks_again = time.monotonic() + PAUSE
        return trial

    def _waits_for_others(self, stop: StopRequest) -> bool:
        """Whether trials run elsewhere, whose owners may die and leave them to this one."""
        if stop or self._is_broken() or self._lacking:
            return False
        others = self._study.elsewhere()
        if others and not self._has_waited:
            self._has_waited = True
            self._notify(Notice("waiting", {"for": "trials", "trials": others}))
        return bool(others)

    def _start(self, trial: Trial) -> None:
        configuration = self._study.configure(trial)
        attempt = int(trial.user_attrs.get(ATTEMPTS, 0)) + 1
        self._study.note(trial, "configuration", configuration.flat())
        self._recorder.start(trial.number, configuration, attempt)
        if attempt > self._sweep.on_failure.max_attempts:
            self._end_without_result(trial, WORKER_LOST, f"gave up after {attempt - 1} attempts")
            return
        self._study.note(trial, ATTEMPTS, attempt)
        self._active[trial.number] = ActiveTrial(trial, configuration, attempt)
        self._executor.submit(self._make_job(trial.number, configuration))
        facts = {"trial": trial.number, "attempt": attempt, "configuration": configuration.flat()}
        self._notify(Notice("trial_started", facts))

    def _handle(self, event: Event, stop: StopRequest) -> None:
        active = self._active.get(event.trial)
        if active is None:
            # Its worker waits, and nobody wants the trial here.
            if isinstance(event, EpochEnded | Resumed):
                self._executor.answer(event.trial, Decision.STOP)
            return
        try:
            self._act_on(active, event, stop)
        except TrialTakenOver:
            self._lose(event.trial)

    def _act_on(self, active: ActiveTrial, event: Event, stop: StopRequest) -> None:
        if isinstance(event, Started):
            self._built(active, event)
        elif isinstance(event, PrefixJudged):
            self._say_once(event)
        elif isinstance(event, Warned):
            text = f"trial {event.trial}: {event.text}"
            self._notify(Notice("warning", {"text": text}))
        elif isinstance(event, Resumed):
            self._catch_up(active, event, stop)
        elif isinstance(event, EpochEnded):
            self._answer(active, event, stop)
        elif isinstance(event, Finished):
            self._finish(active, event.result)
        elif event.kind == WORKER_LOST and active.attempt < self._sweep.on_failure.max_attempts:
            self._retry(active, event)
        else:
            self._end_without_result(active.trial, event.kind, event.reason)

    def _built(self, active: ActiveTrial, event: Started) -> None:
        active.counts["total_parameters"] = event.total_parameters
        active.counts["trainable_parameters"] = event.trainable_parameters
        self._recorder.describe(event.trial, active.counts)
        self._notify(Notice("network_built", {"trial": event.trial, **active.counts}))

    def _say_once(self, event: PrefixJudged) -> None:
        """Whether a cut is stored, for the first trial that reads it, and where the answer is
        another one."""
        what = (event.backbone, event.image_size, event.cut, event.stores)
        if what in self._said:
            return
        self._said.add(what)
        names = ("backbone", "image_size", "cut", "stores")
        facts = dict(zip(names, what, strict=True))
        self._notify(Notice("storing", {**facts, "bytes": event.bytes_, "why": event.why}))

    def _answer(self, active: ActiveTrial, event: EpochEnded, stop: StopRequest) -> None:
        value = event.metrics[self._sweep.objective.metric]
        # The worker waits for the answer, so what does not change it comes afterwards.
        waits = self._study.may_prune(event.epoch)
        try:
            prune = waits and self._study.report(active.trial, event.epoch, value)
        except TrialTakenOver:
            self._executor.answer(event.trial, Decision.STOP)
            raise
        decision = Decision.PRUNE if prune else Decision.STOP if stop else Decision.CONTINUE
        self._executor.answer(event.trial, decision)
        if not waits:
            self._study.report(active.trial, event.epoch, value)
        self._recorder.epoch(event.trial, event.epoch, event.metrics, event.seconds)
        facts = {"trial": event.trial, "epoch": event.epoch, "metrics": dict(event.metrics)}
        self._notify(Notice("epoch", {**facts, "seconds": event.seconds}))

    def _catch_up(self, active: ActiveTrial, event: Resumed, stop: StopRequest) -> None:
        """Take in the epochs of an earlier start, of whose last one perhaps nobody was told."""
        metric = self._sweep.objective.metric
        prune = False
        try:
            for epoch, metrics in enumerate(event.epochs, start=1):
                prune = self._study.report(active.trial, epoch, metrics[metric])
        except TrialTakenOver:
            self._executor.answer(event.trial, Decision.STOP)
            raise
        decision = Decision.PRUNE if prune else Decision.STOP if stop else Decision.CONTINUE
        self._executor.answer(event.trial, decision)
        done = zip(event.epochs, event.seconds, strict=True)
        for epoch, (metrics, seconds) in enumerate(done, start=1):
            self._recorder.epoch(event.trial, epoch, metrics, seconds)
        facts = {"trial": event.trial, "epoch": len(event.epochs)}
        self._notify(Notice("trial_resumed", facts))

    def _finish(self, active: ActiveTrial, result: TrialResult) -> None:
        if result.state == "interrupted":
            self._set_down(active, result)
            return
        if not math.isfinite(result.value):
            self._end_without_result(active.trial, "nan_loss", "the objective is not finite")
            return
        facts = {
            "best_epoch": result.best_epoch,
            "epochs": result.epochs,
            "seconds": round(result.seconds, 2),
            "photos_per_second": round(result.photos_per_second, 1),
            "best_value": result.value,
            "metrics": result.metrics,
        }
        self._failures = 0
        self._tell(active.trial, STATES[result.state], result.value, facts)
        self._recorder.finish(active.trial.number, result)

    def _set_down(self, active: ActiveTrial, result: TrialResult) -> None:
        """Leave an interrupted trial to the next run; the start that was cut short is not held
        against it."""
        del self._active[active.trial.number]
        self._study.set_down(active.trial, {ATTEMPTS: active.attempt - 1})
        self._recorder.finish(active.trial.number, result)

    def _retry(self, active: ActiveTrial, event: Failed) -> None:
        del self._active[active.trial.number]
        self._recorder.fail(active.trial.number, event.kind, event.reason)
        self._waiting.appendleft(active.trial)
        facts = {"trial": event.trial, "attempt": active.attempt + 1, "reason": event.reason}
        self._notify(Notice("trial_retried", facts))

    def _lose(self, number: int) -> None:
        """Leave a trial to the supervisor that has taken it over, as this one seemed dead."""
        self._active.pop(number, None)
        self._recorder.leave(number)
        text = f"trial {number} was taken over by another supervisor: what it gave here is dropped"
        self._notify(Notice("warning", {"text": text}))

    def _end_without_result(self, trial: Trial, kind: str, reason: str) -> None:
        self._failures += 1
        self._last_failure = reason
        self._tell(trial, TrialState.FAIL, None, {"failure": kind, "reason": reason})
        self._recorder.fail(trial.number, kind, reason)

    def _tell(
        self, trial: Trial, state: TrialState, value: float | None, facts: dict[str, object]
    ) -> None:
        active = self._active.pop(trial.number, None)
        self._study.note_time()
        self._asks_again = 0.0
        counts = active.counts if active else {}
        frozen = self._study.tell(trial, state, value, {**counts, **facts})
        self._notify(Notice("trial_ended", row(frozen)))
