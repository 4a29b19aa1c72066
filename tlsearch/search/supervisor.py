"""The search loop: keeps the workers busy, answers their epochs, tells Optuna how trials end."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from optuna.trial import Trial, TrialState

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.disk import Floor
from tlsearch.errors import DataError, DiskError
from tlsearch.execution.events import (
    ASKING,
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
from tlsearch.execution.failures import NAN_LOSS, WORKER_LOST, classify, reason
from tlsearch.execution.notices import Notice, Notify
from tlsearch.execution.signals import StopRequest
from tlsearch.search.active import ATTEMPTS, MICRO_BATCH, PARTS, ActiveTrial
from tlsearch.search.breaker import Breaker
from tlsearch.search.claims import TrialTakenOver
from tlsearch.search.failures import Action, Batch, decide, explain_full_disk
from tlsearch.search.leaderboard import row
from tlsearch.search.study import SweepStudy

if TYPE_CHECKING:
    from tlsearch.search.recorder import Recorder
    from tlsearch.training.job import TrialResult

NO_FLOOR = Floor((), 0)
PAUSE = 2.0
"""Seconds between two looks for work that others may have left."""

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


class Supervisor:
    """Runs the trials of one sweep until its budget is spent or somebody asks it to stop."""

    def __init__(
        self,
        sweep: Sweep,
        study: SweepStudy,
        executor: Executor,
        make_job: Callable[[int, Configuration, int], Job],
        recorder: Recorder,
        notify: Notify,
    ) -> None:
        """
        Args:
            make_job: from a trial's number, its configuration, and in how many parts its network
                is shown each batch.
        """
        self._sweep = sweep
        self._study = study
        self._executor = executor
        self._make_job = make_job
        self._recorder = recorder
        self._notify = notify
        self._active: dict[int, ActiveTrial] = {}
        self._waiting: deque[Trial] = deque()
        self._breaker = Breaker(sweep.on_failure.max_consecutive)
        self._said: set[tuple[object, ...]] = set()
        self._asks_again = 0.0
        self._has_waited = False
        self._lacking: DiskError | None = None
        self._full: DiskError | None = None

    def search(self, stop: StopRequest, floor: Floor = NO_FLOOR) -> None:
        """Run trials until none is left.

        Args:
            floor: with less free space no trial is begun; those that run go on to their ends.

        Raises:
            NoResultError: `on_failure.max_consecutive` trials in a row have failed.
            DiskError: less space is free than the floor, and trials are left to run; or a worker
                found the disk full.
        """
        self._study.note_time()
        while True:
            if self._may_begin(stop, floor):
                self._fill()
            if not self._executor.running and not self._waits_for_others(stop):
                break
            for event in self._executor.wait(timeout=0.5):
                self._handle(event, stop)
        if self._full is not None:
            raise self._full
        if self._lacking is not None and not stop and not self._study.is_spent():
            raise self._lacking
        self._breaker.check()

    def _may_begin(self, stop: StopRequest, floor: Floor) -> bool:
        """Whether another trial may be begun now."""
        if stop or self._breaker.is_open or self._full:
            return False
        self._lacking = floor.lacking()
        return self._lacking is None

    def _fill(self) -> None:
        while len(self._executor.running) < self._executor.capacity and not self._breaker.is_open:
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
        if stop or self._breaker.is_open or self._lacking or self._full:
            return False
        others = self._study.elsewhere()
        if others and not self._has_waited:
            self._has_waited = True
            self._notify(Notice("waiting", {"what": "trials", "trials": others}))
        return bool(others)

    def _start(self, trial: Trial) -> None:
        configuration = self._study.configure(trial)
        attempt = int(trial.user_attrs.get(ATTEMPTS, 0)) + 1
        self._study.note(trial, "configuration", configuration.flat())
        self._recorder.start(trial.number, configuration, attempt)
        if attempt > self._sweep.on_failure.max_attempts:
            tried = f"gave up after {attempt - 1} attempts that came no epoch further"
            self._end_without_result(trial, Failed(trial.number, WORKER_LOST, tried))
            return
        batch = Batch(self._sweep.train.batch_size, int(trial.user_attrs.get(PARTS, 1)))
        try:
            job = self._make_job(trial.number, configuration, batch.parts)
        except DataError as error:
            failed = Failed(trial.number, classify(error), reason(error))
            self._end_without_result(trial, failed)
            return
        self._study.note(trial, ATTEMPTS, attempt)
        self._active[trial.number] = ActiveTrial(trial, configuration, attempt, batch)
        self._executor.submit(job)
        facts = {"trial": trial.number, "attempt": attempt, "configuration": configuration.flat()}
        self._notify(Notice("trial_started", facts))

    def _handle(self, event: Event, stop: StopRequest) -> None:
        active = self._active.get(event.trial)
        if active is None:
            # Its worker waits, and nobody wants the trial here.
            if isinstance(event, ASKING):
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
        else:
            self._fail(active, event)

    def _fail(self, active: ActiveTrial, event: Failed) -> None:
        settings = self._sweep.on_failure
        action = decide(event.kind, settings, active.attempt, active.batch)
        if action is Action.RETRY:
            self._retry(active, event)
        elif action is Action.HALVE:
            self._halve(active, event)
        elif action is Action.STOP:
            self._stop_for(active, event)
        else:
            self._end_without_result(active.trial, event)

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
        is_news = event.epoch > self._study.reached(active.trial)
        # The worker waits for the answer, so what does not change it comes afterwards.
        waits = self._study.may_prune(event.epoch)
        self._reply(active, {event.epoch: value} if waits else {}, stop)
        if not waits:
            self._study.report(active.trial, event.epoch, value)
        if is_news and active.attempt > 1:
            # What counts is how often it was started in a row and came no further.
            active.attempt = 1
            self._study.note(active.trial, ATTEMPTS, 1)
        self._recorder.epoch(event.trial, event.epoch, event.metrics, event.seconds)
        facts = {"trial": event.trial, "epoch": event.epoch, "metrics": dict(event.metrics)}
        self._notify(Notice("epoch", {**facts, "seconds": event.seconds}))

    def _catch_up(self, active: ActiveTrial, event: Resumed, stop: StopRequest) -> None:
        """Take in the epochs of an earlier start, of whose last one perhaps nobody was told."""
        metric = self._sweep.objective.metric
        values = [metrics[metric] for metrics in event.epochs]
        self._reply(active, dict(enumerate(values, start=1)), stop)
        done = zip(event.epochs, event.seconds, strict=True)
        for epoch, (metrics, seconds) in enumerate(done, start=1):
            self._recorder.epoch(event.trial, epoch, metrics, seconds)
        facts = {"trial": event.trial, "epoch": len(event.epochs)}
        self._notify(Notice("trial_resumed", facts))

    def _reply(self, active: ActiveTrial, values: Mapping[int, float], stop: StopRequest) -> None:
        """Report the objective of these epochs, and tell the worker, which waits, how to go on."""
        prune = False
        try:
            for epoch, value in values.items():
                prune = self._study.report(active.trial, epoch, value)
        except TrialTakenOver:
            self._executor.answer(active.trial.number, Decision.STOP)
            raise
        decision = Decision.PRUNE if prune else Decision.STOP if stop else Decision.CONTINUE
        self._executor.answer(active.trial.number, decision)

    def _finish(self, active: ActiveTrial, result: TrialResult) -> None:
        if result.state == "interrupted":
            self._set_down(active, result)
            return
        if not math.isfinite(result.value):
            failed = Failed(active.trial.number, NAN_LOSS, "the objective is not finite")
            self._end_without_result(active.trial, failed)
            return
        facts = {
            "best_epoch": result.best_epoch,
            "epochs": result.epochs,
            "seconds": round(result.seconds, 2),
            "photos_per_second": round(result.photos_per_second, 1),
            "best_value": result.value,
            "metrics": result.metrics,
        }
        self._breaker.close()
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
        facts = {"attempt": active.attempt + 1, "reason": event.reason, "log": event.log}
        self._notify(Notice("trial_retried", {"trial": event.trial, **facts}))

    def _halve(self, active: ActiveTrial, event: Failed) -> None:
        """Let the trial go on with a smaller batch at a time, which is not a start that failed."""
        trial, smaller = active.trial, active.batch.halve()
        del self._active[trial.number]
        self._study.note(trial, PARTS, smaller.parts)
        self._study.note(trial, ATTEMPTS, active.attempt - 1)
        tags = {"tlsearch.micro_batch": str(smaller.micro), "tlsearch.batch": str(smaller.size)}
        self._recorder.note(trial.number, {}, tags)
        self._waiting.appendleft(trial)
        facts = {"batch": smaller.size, MICRO_BATCH: smaller.micro, "parts": smaller.parts}
        told = {**facts, "reason": event.reason, "log": event.log}
        self._notify(Notice("batch_halved", {"trial": event.trial, **told}))

    def _stop_for(self, active: ActiveTrial, event: Failed) -> None:
        """Leave the trial to the next run, and begin no other: those that run may end."""
        self._full = explain_full_disk(event)
        del self._active[active.trial.number]
        self._study.set_down(active.trial, {ATTEMPTS: active.attempt - 1})
        self._recorder.set_down(active.trial.number, event.reason)

    def _lose(self, number: int) -> None:
        """Leave a trial to the supervisor that has taken it over, as this one seemed dead."""
        self._active.pop(number, None)
        self._recorder.leave(number)
        text = f"trial {number} was taken over by another supervisor: what it gave here is dropped"
        self._notify(Notice("warning", {"text": text}))

    def _end_without_result(self, trial: Trial, failed: Failed) -> None:
        self._breaker.note(failed)
        facts: dict[str, object] = {"failure": failed.kind, "reason": failed.reason}
        if failed.log:
            facts["log"] = failed.log
        self._tell(trial, TrialState.FAIL, None, facts)
        self._recorder.fail(trial.number, failed.kind, failed.reason)

    def _tell(
        self, trial: Trial, state: TrialState, value: float | None, facts: dict[str, object]
    ) -> None:
        active = self._active.pop(trial.number, None)
        self._study.note_time()
        self._asks_again = 0.0
        known = active.facts if active else {}
        frozen = self._study.tell(trial, state, value, {**known, **facts})
        self._notify(Notice("trial_ended", row(frozen)))
