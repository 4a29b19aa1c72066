"""Jobs on this machine: one worker process a slot, replaced when it dies."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.connection import wait
from pathlib import Path

from tlsearch.execution.devices import gpus
from tlsearch.execution.events import Decision, Event, Failed, Finished
from tlsearch.execution.executor import Executor, Job
from tlsearch.execution.local.process import WorkerProcess

LOST = "worker_lost"


class LocalExecutor(Executor):
    """A fixed number of slots, each with a worker process that is started when first needed.

    With GPUs, slot i sees GPU i (modulo their number) and no other.
    """

    def __init__(
        self, workers: int | None, logs: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._slots: list[WorkerProcess | None] = [None] * (workers or max(1, len(gpus())))
        self._logs = logs
        self._environment = dict(environment or {})

    @property
    def capacity(self) -> int:
        return len(self._slots)

    @property
    def running(self) -> frozenset[int]:
        return frozenset(worker.job.trial for worker in self._workers() if worker.job)

    def submit(self, job: Job) -> None:
        slot = next(i for i, w in enumerate(self._slots) if w is None or w.job is None)
        worker = self._slots[slot] or self._start(slot)
        worker.start(job)

    def wait(self, timeout: float) -> list[Event]:
        workers = {worker.connection: worker for worker in self._workers()}
        ready = wait(list(workers), timeout)
        return [self._receive(workers[connection]) for connection in ready]  # type: ignore[index]

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

    def _start(self, slot: int) -> WorkerProcess:
        devices = gpus()
        device = {"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)].index} if devices else {}
        log = self._logs / f"worker-{slot}.log"
        worker = WorkerProcess(log, {**self._environment, **device})
        self._slots[slot] = worker
        return worker

    def _receive(self, worker: WorkerProcess) -> Event:
        try:
            event = worker.receive()
        except (EOFError, ConnectionResetError):
            return self._bury(worker)
        if isinstance(event, Finished | Failed):
            worker.job = None
        return event

    def _bury(self, worker: WorkerProcess) -> Event:
        """Take a dead worker's slot back; what it was doing has failed."""
        self._slots[self._slots.index(worker)] = None
        status = worker.end(grace=5)
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        trial = worker.job.trial if worker.job else -1
        return Failed(trial, LOST, f"the worker process ended ({how}); its log: {worker.log}")
