"""The queue of one model: requests come in, each is answered exactly once.

How they are run is `workers.py`; how one with many photos is cut and joined, `pieces.py`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from functools import partial

from serving.curve import BatchCurve
from serving.observations import Observations, Run
from serving.pieces import Done, Outcome, Piece, Unread, cut
from serving.problems import Problem, overloaded, too_many, unavailable
from serving.runner import GROUP_SECONDS, Answers, Predict
from serving.session import Images, Probabilities
from serving.workers import Crew, Inline, Workers

__all__ = ["BatchPlan", "Batcher", "Done", "Outcome"]

log = logging.getLogger(__name__)

LIMIT = 256
"""Photos that may wait where nobody says otherwise."""

_NEWEST = 0.1


@dataclass(frozen=True)
class BatchPlan:
    """How to batch.

    Attributes:
        chunk: the most photos of one run.
        group: about the most photos that a worker takes at once, to run them chunk by chunk.
        workers: threads that run the model; 0: the event loop runs it itself.
        limit: the most photos that may be accepted and not yet answered.
        seconds: what a photo takes a worker, as far as is known before work begins.
    """

    chunk: int = 1
    group: int = 8
    workers: int = 1
    limit: int = LIMIT
    seconds: float = 0.001

    @classmethod
    def of(cls, curve: BatchCurve, workers: int, limit: int = LIMIT) -> BatchPlan:
        """The plan that suits a measured curve."""
        chunk = min(curve.best(), limit)
        chunks = max(1, int(GROUP_SECONDS / curve.seconds[chunk]))
        return cls(chunk, chunk * chunks, workers, limit, 1 / curve.rate(chunk))


class Batcher:
    """The queue of one model and its workers. Its methods belong to the event loop's thread."""

    def __init__(
        self, predict: Predict, plan: BatchPlan, observe: Observations | None = None
    ) -> None:
        """Threads start with the first request.

        Args:
            predict: uint8 `[n, size, size, 3]` to float32 `[n, classes]`; called in the workers'
                threads, several at once, or on the loop's.
            observe: what records the requests and runs.
        """
        self.plan = plan
        self._observe = observe
        crew: type[Inline] | type[Workers] = Workers if plan.workers else Inline
        self._workers: Crew = crew(predict, plan, self._deliver)
        self._photo_seconds = plan.seconds
        self._open = 0
        self._closing = False
        self._successor: Batcher | None = None
        self._idle = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Photos that were accepted and are not yet answered."""
        return self._open

    def submit(self, images: Images | Unread, deadline: float | None, done: Done) -> None:
        """Have photos predicted.

        Args:
            images: uint8 `[n, size, size, 3]`, n at least 1, or a photo that has to be read first.
            deadline: after which they need not be run, on the clock of `time.monotonic`.
            done: called exactly once, on the loop's thread, perhaps before this returns.
        """
        photos = len(images)
        refusal = self._refusal(photos)
        if refusal is not None:
            if self._successor is not None:
                self._successor.submit(images, deadline, done)
            else:
                self._finish(done, Outcome(None, refusal))
            return
        self._open += photos
        due = math.inf if deadline is None else deadline
        request = Piece(images, due, partial(self._finish, done), time.monotonic())
        if photos <= self.plan.chunk:
            self._workers.put(request)
        else:
            for piece in cut(request, self.plan.chunk):
                self._workers.put(piece)

    async def predict(
        self, images: Images | Unread, deadline: float | None = None
    ) -> Probabilities:
        """Probabilities, float32 `[n, classes]`, of what `submit` takes.

        Raises:
            Problem: there are none.
        """
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not answer.done():  # whoever waited may have been cancelled
                answer.set_result(outcome)

        self.submit(images, deadline, done)
        probabilities, problem, *_ = await answer
        if probabilities is None:
            assert problem is not None
            raise problem
        return probabilities

    async def drain(self, successor: Batcher | None = None) -> None:
        """Accept nothing more, answer what was accepted, end the threads.

        Args:
            successor: takes what still comes; default: that is refused.
        """
        self._successor = successor
        self._closing = True
        while self._open:
            self._idle.clear()
            await self._idle.wait()
        await asyncio.to_thread(self._workers.end)

    def _refusal(self, photos: int) -> Problem | None:
        """Why these photos cannot wait here, if so; makes sure that there are workers."""
        limit = self.plan.limit
        if self._closing:
            return unavailable("this version of the model is being put aside; try again")
        if photos > limit:
            return too_many(photos, limit)
        if self._open + photos > limit:
            return overloaded(self._open * self._photo_seconds / max(1, self.plan.workers))
        if not self._workers.started:
            self._workers.start()
        return None

    def _deliver(self, answers: Answers, runs: list[Run]) -> None:
        for piece, outcome in answers:
            self._open -= len(piece.images)
            piece.done(outcome)
        if not self._open:
            self._idle.set()
        if runs:
            spent = sum(run.reading + run.seconds for run in runs)
            newest = spent / sum(len(run.probabilities) for run in runs)
            self._photo_seconds += _NEWEST * (newest - self._photo_seconds)
            if self._observe is not None:
                self._observe.record(runs)

    def _finish(self, done: Done, outcome: Outcome) -> None:
        """Answer a request. What goes wrong with one answer does not keep the others back."""
        if self._observe is not None:
            self._observe.count("ok" if outcome.problem is None else outcome.problem.outcome)
        try:
            done(outcome)
        except Exception:
            log.exception("an answer could not be given")
