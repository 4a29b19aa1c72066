"""Threads that run the model on what waits in a queue.

onnxruntime lets go of the interpreter while it computes, so they work beside the event loop. Each
way back to the loop wakes it, which costs more than an answer does; hence a worker takes a group
of pieces at once and brings all their answers back together.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from serving.observations import Run, sample_values
from serving.pieces import Outcome, Piece
from serving.problems import expired, failed
from serving.session import Images, Probabilities

if TYPE_CHECKING:
    from serving.batching import BatchPlan

log = logging.getLogger(__name__)

Predict = Callable[[Images], Probabilities]
Answers = list[tuple[Piece, Outcome]]
Deliver = Callable[[Answers, list[Run]], None]


class Workers:
    """The threads of one model."""

    def __init__(self, predict: Predict, plan: BatchPlan, deliver: Deliver) -> None:
        """Nothing runs yet.

        Args:
            predict: called by several threads at once, with at most `plan.chunk` photos.
            deliver: called on the loop's thread with the answers of a group and its runs.
        """
        self._predict = predict
        self._plan = plan
        self._deliver = deliver
        self._queue: SimpleQueue[Piece | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.put = self._queue.put

    def start(self) -> None:
        """Begin, for the event loop that is running."""
        loop = asyncio.get_running_loop()
        for number in range(self._plan.workers):
            thread = threading.Thread(
                target=self._work, args=(loop,), name=f"model-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    @property
    def started(self) -> bool:
        """Whether there are threads."""
        return bool(self._threads)

    def end(self) -> None:
        """Run what waits, then end; blocks until then."""
        self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while group := self._take():
            answers: Answers = []
            runs: list[Run] = []
            for pieces in _chunks(group, self._plan.chunk):
                self._answer(pieces, answers, runs)
            try:
                loop.call_soon_threadsafe(self._deliver, answers, runs)
            except RuntimeError:  # the loop is closed: nobody waits for an answer
                self._queue.put(None)
                return

    def _take(self) -> list[Piece]:
        """The worker's share of what waits, in whole chunks; none when it is time to end.

        It leaves some for the others and for its own next turn: while those run, the loop answers
        these, and clients send their next ones.
        """
        plan, queue = self._plan, self._queue
        group: list[Piece] = []
        photos, piece = 0, queue.get()
        share = math.ceil((queue.qsize() + 1) / (plan.workers + 1))
        while piece is not None:
            group.append(piece)
            photos += len(piece.images)
            if photos >= plan.group or (len(group) >= share and photos % plan.chunk == 0):
                return group
            try:
                piece = queue.get_nowait()
            except Empty:
                return group
        queue.put(None)
        return group

    def _answer(self, pieces: list[Piece], answers: Answers, runs: list[Run]) -> None:
        started = time.monotonic()
        late = [piece for piece in pieces if piece.deadline < started]
        if late:
            answers += [(one, Outcome(None, expired(), started - one.arrived)) for one in late]
            pieces = [piece for piece in pieces if piece.deadline >= started]
        if pieces:
            run = self._run(pieces, started)
            answers += _refused(pieces, started) if run is None else _shared(pieces, run)
            runs += [run] if run else []

    def _run(self, pieces: list[Piece], started: float) -> Run | None:
        """One call of the model; nothing if it fails."""
        images = pieces[0].images
        if len(pieces) > 1:
            images = np.concatenate([piece.images for piece in pieces])
        try:
            sample = sample_values(images)
            probabilities = self._predict(images)
        except Exception:
            log.exception("the model failed on a batch of %d", len(images))
            return None
        waited = [started - piece.arrived for piece in pieces]
        return Run(sample, probabilities, waited, time.monotonic() - started)


def _chunks(group: list[Piece], most: int) -> Iterator[list[Piece]]:
    """Neighbours that fit into one run together."""
    chunk: list[Piece] = []
    photos = 0
    for piece in group:
        if chunk and photos + len(piece.images) > most:
            yield chunk
            chunk, photos = [], 0
        chunk.append(piece)
        photos += len(piece.images)
    if chunk:
        yield chunk


def _refused(pieces: list[Piece], started: float) -> Answers:
    return [(piece, Outcome(None, failed(), started - piece.arrived)) for piece in pieces]


def _shared(pieces: list[Piece], run: Run) -> Answers:
    """To each piece its rows."""
    rows = run.probabilities
    size = len(rows)
    if len(pieces) == 1:
        return [(pieces[0], Outcome(rows, None, run.waited[0], run.seconds, size))]
    answers, start = [], 0
    for piece, waited in zip(pieces, run.waited, strict=True):
        end = start + len(piece.images)
        answers.append((piece, Outcome(rows[start:end], None, waited, run.seconds, size)))
        start = end
    return answers
