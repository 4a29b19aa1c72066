"""Requests become batches: a bounded queue, and threads that run what waits in it."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from serving.curve import BatchCurve
from serving.engine import Images, Probabilities
from serving.problems import Problem, expired, failed, overloaded, unavailable

log = logging.getLogger(__name__)

GROUP_SECONDS = 0.010


class Outcome(NamedTuple):
    """How a request ended: with probabilities, or with a problem.

    Attributes:
        probabilities: float32 `[n, classes]`.
        queue_seconds: how long it waited.
        run_seconds: how long the run took that it was part of.
        batch: how many photos that run had.
    """

    probabilities: Probabilities | None
    problem: Problem | None
    queue_seconds: float = 0.0
    run_seconds: float = 0.0
    batch: int = 0


Done = Callable[[Outcome], None]
Predict = Callable[[Images], Probabilities]


@dataclass(frozen=True)
class BatchPlan:
    """How to batch.

    Attributes:
        chunk: the most photos of one run.
        group: about as many photos a worker takes at once.
        workers: threads that run the model.
        limit: the most photos that may wait.
        seconds: that one photo takes one worker.
    """

    chunk: int = 1
    group: int = 8
    workers: int = 1
    limit: int = 256
    seconds: float = 0.001

    @classmethod
    def of(cls, curve: BatchCurve, workers: int, limit: int = 256) -> BatchPlan:
        """The plan that suits a measured curve."""
        chunk = curve.best()
        chunks = max(1, int(GROUP_SECONDS / curve.seconds[chunk]))
        return cls(chunk, chunk * chunks, workers, limit, 1 / curve.rate(chunk))


@dataclass(slots=True, eq=False)
class _Piece:
    images: Images
    deadline: float
    done: Done
    arrived: float


class Batcher:
    """The queue of one model and its workers. Its methods belong to the event loop's thread."""

    def __init__(self, predict: Predict, plan: BatchPlan) -> None:
        """Nothing runs before the first request."""
        self.plan = plan
        self._predict = predict
        self._queue: SimpleQueue[_Piece | None] = SimpleQueue()
        self._turn = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open = 0
        self._closing = False
        self._empty = asyncio.Event()

    def submit(self, images: Images, deadline: float | None, done: Done) -> None:
        """Have uint8 `[n, size, size, 3]` photos predicted; `done` is called exactly once.

        Args:
            deadline: on the clock of `time.monotonic`.
            done: called on the loop's thread, perhaps before this returns.
        """
        if self._closing:
            done(Outcome(None, unavailable("this version of the model is about to go")))
            return
        if self._open and self._open + len(images) > self.plan.limit:
            done(Outcome(None, overloaded(self._open * self.plan.seconds / self.plan.workers)))
            return
        if not self._threads:
            self._start()
        self._open += len(images)
        due = math.inf if deadline is None else deadline
        self._queue.put(_Piece(images, due, done, time.monotonic()))

    async def predict(self, images: Images, deadline: float | None = None) -> Probabilities:
        """Probabilities, float32 `[n, classes]`.

        Raises:
            Problem: there are none.
        """
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        self.submit(images, deadline, done)
        outcome = await answer
        if outcome.problem is not None:
            raise outcome.problem
        assert outcome.probabilities is not None
        return outcome.probabilities

    async def drain(self) -> None:
        """Accept nothing more, answer what was accepted, end the workers."""
        self._closing = True
        while self._open:
            self._empty.clear()
            await self._empty.wait()
        threads, self._threads = self._threads, []
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        for number in range(self.plan.workers):
            thread = threading.Thread(target=self._work, name=f"model-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while group := self._take():
            answers = [(piece, self._answer(piece)) for piece in group]
            self._loop.call_soon_threadsafe(self._deliver, answers)

    def _take(self) -> list[_Piece]:
        with self._turn:
            piece = self._queue.get()
            if piece is None:
                return []
            group, photos = [piece], len(piece.images)
            share = math.ceil(self._queue.qsize() / (self.plan.workers + 1))
            while share > 0 and photos < self.plan.group:
                piece = self._queue.get()
                if piece is None:
                    self._queue.put(None)
                    break
                group.append(piece)
                photos += len(piece.images)
                share -= 1
            return group

    def _answer(self, piece: _Piece) -> Outcome:
        started = time.monotonic()
        if started > piece.deadline:
            return Outcome(None, expired(), started - piece.arrived)
        try:
            images, chunk = piece.images, self.plan.chunk
            parts = [
                self._predict(images[start : start + chunk])
                for start in range(0, len(images), chunk)
            ]
        except Exception:
            log.exception("a run of the model failed")
            return Outcome(None, failed(), started - piece.arrived)
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        took = time.monotonic() - started
        return Outcome(whole, None, started - piece.arrived, took, min(chunk, len(images)))

    def _deliver(self, answers: list[tuple[_Piece, Outcome]]) -> None:
        for piece, outcome in answers:
            self._open -= len(piece.images)
            try:
                piece.done(outcome)
            except Exception:
                log.exception("an answer could not be delivered")
        if not self._open:
            self._empty.set()
