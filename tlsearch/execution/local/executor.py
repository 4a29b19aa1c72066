"""Jobs on this machine: one worker process a slot, replaced when it dies or does nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

from tlsearch.execution.devices import gpus
from tlsearch.execution.events import ASKING, Beat, Decision, Event, Failed, Finished
from tlsearch.execution.executor import Executor, Job
from tlsearch.execution.failures import OUT_OF_MEMORY, TIMEOUT
from tlsearch.execution.local.process import WorkerProcess

_LOOK = 1.0
"""Seconds for which it listens before it looks for silent workers again."""


class LocalExecutor(Executor):
    """A fixed number of slots, each with a worker process that is started when first needed.

    With GPUs, slot i sees GPU i (modulo their number) and no other.

    Args:
        timeout: seconds without progress after which a worker is replaced; None waits for ever.
    """

    def __init__(
        self,
        workers: int | None,
        logs: Path,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        self._slots: list[WorkerProcess | None] = [None] * (workers or max(1, len(gpus())))
        self._logs = logs
        self._environment = dict(environment or {})
        self._timeout = timeout

    @property
    def capacity(self) -> int:
        return len(self._slots)

    @property
    def running(self) -> frozenset[int]:
        return frozenset(worker.job.trial for worker in self._workers() if worker.job)

    def warm_up(self, jobs: int) -> None:
        for slot, worker in enumerate(self._slots[:jobs]):
            if worker is None:
                self._start(slot, imports=("keras",))

    def submit(self, job: Job) -> None:
        slot = next(i for i, w in enumerate(self._slots) if w is None or w.job is None)
        worker = self._slots[slot]
        if worker is None or not worker.is_alive:
            worker = self._start(slot)
        worker.start(job)

    def wait(self, timeout: float) -> list[Event]:
        end = time.monotonic() + timeout
        while True:
            events = self._listen(min(max(0.0, end - time.monotonic()), _LOOK))
            if events or time.monotonic() >= end:
                return events

    def answer(self, trial: int, decision: Decision) -> None:
        for worker in self._workers():
            if worker.job and worker.job.trial == trial:
                worker.answer(decision)

    def close(self) -> None:
        for worker in self._workers():
            worker.end(grace=0 if worker.job else 2)
        self._slots = [None] * len(self._slots)

    def _workers(self) -> list[WorkerProcess]:
        return [worker for worker in self._slots if worker is not None]

    def _start(self, slot: int, imports: Sequence[str] = ()) -> WorkerProcess:
        devices = gpus()
        device = {"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)].index} if devices else {}
        if (dead := self._slots[slot]) is not None:
            dead.end()
        # Two supervisors may share the folder.
        log = self._logs / f"worker-{os.getpid()}-{slot}.log"
        worker = WorkerProcess(log, {**self._environment, **device}, imports)
        self._slots[slot] = worker
        return worker

    def _listen(self, seconds: float) -> list[Event]:
        """What the workers say within so many seconds, and which of them say nothing."""
        workers = {worker.connection: worker for worker in self._workers()}
        before = time.monotonic()
        ready = wait(list(workers), seconds)
        # Only listening counts, and no more than was meant: while the supervisor was busy or
        # stopped, its workers may have been so too.
        listened = min(time.monotonic() - before, seconds)
        heard = [self._receive(workers[connection]) for connection in ready]  # type: ignore[index]
        others = [worker for connection, worker in workers.items() if connection not in ready]
        silent = [self._wait_on(worker, listened) for worker in others]
        return [event for event in (*heard, *silent) if event is not None]

    def _receive(self, worker: WorkerProcess) -> Event | None:
        try:
            event = worker.receive()
        except (EOFError, ConnectionResetError):
            return self._bury(worker)
        if isinstance(event, Beat):
            return None
        worker.is_asking = isinstance(event, ASKING)
        if isinstance(event, Finished | Failed):
            worker.job = None
        if isinstance(event, Failed):
            if event.kind == OUT_OF_MEMORY:
                self._retire(worker)
            return replace(event, log=str(worker.log))
        return event

    def _wait_on(self, worker: WorkerProcess, seconds: float) -> Failed | None:
        """Count the seconds in which a worker has said nothing; replace it if they are too many."""
        if self._timeout is None or worker.job is None or worker.is_asking:
            return None
        worker.silence += seconds
        if worker.silence < self._timeout:
            return None
        self._retire(worker)
        reason = f"no progress for {self._timeout:g} seconds; its worker process was killed"
        return Failed(worker.job.trial, TIMEOUT, reason, log=str(worker.log))

    def _bury(self, worker: WorkerProcess) -> Failed | None:
        """Take a dead worker's slot back; what it was doing, if anything, has failed."""
        self._free(worker)
        kind, reason = worker.explain_death()
        return Failed(worker.job.trial, kind, reason, log=str(worker.log)) if worker.job else None

    def _retire(self, worker: WorkerProcess) -> None:
        """End a worker; the next job gets a new one."""
        self._free(worker)
        worker.end()

    def _free(self, worker: WorkerProcess) -> None:
        self._slots[self._slots.index(worker)] = None
