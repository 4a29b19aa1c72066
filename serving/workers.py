"""Who runs the model on what waits in a queue: threads, or the event loop itself.

onnxruntime lets go of the interpreter while it computes, so threads work beside the event loop.
Each way back to the loop wakes it, which costs more than an answer does; hence a worker takes a
group of pieces at once and brings all their answers back together. On a single core there is
nothing to work beside: there the loop runs short models itself, and nobody wakes anybody.
"""

from __future__ import annotations

import asyncio
import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, final

from serving.pieces import Piece
from serving.runner import Deliver, Predict, Runner

if TYPE_CHECKING:
    from serving.batching import BatchPlan


class Crew(ABC):
    """Whoever runs what is put before him."""

    @abstractmethod
    def start(self) -> None:
        """Begin, for the event loop that is running."""

    @property
    @abstractmethod
    def started(self) -> bool:
        """Whether it began."""

    @abstractmethod
    def put(self, piece: Piece) -> None:
        """Take a piece; on the loop's thread."""

    @abstractmethod
    def end(self) -> None:
        """Run what waits, then end; blocks until then, and not in the loop's thread."""


@final
class Inline(Crew):
    """The event loop itself, a chunk at a time: between two it hears what came."""

    def __init__(self, predict: Predict, plan: BatchPlan, deliver: Deliver) -> None:
        """Nothing runs yet.

        Args:
            predict: called on the loop's thread, with at most `plan.chunk` photos.
            deliver: called with the answers of a chunk and its runs.
        """
        self._runner = Runner(predict, plan.chunk)
        self._chunk = plan.chunk
        self._deliver = deliver
        self._waiting: deque[Piece] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    @property
    def started(self) -> bool:
        return self._loop is not None

    def put(self, piece: Piece) -> None:
        assert self._loop is not None
        if not self._waiting:
            self._loop.call_soon(self._turn)
        self._waiting.append(piece)

    def end(self) -> None:
        """Nothing waits: whoever ends it has waited for all answers."""

    def _turn(self) -> None:
        assert self._loop is not None
        group = [self._waiting.popleft()]
        photos = len(group[0].images)
        while self._waiting and photos + len(self._waiting[0].images) <= self._chunk:
            group.append(self._waiting.popleft())
            photos += len(group[-1].images)
        if self._waiting:
            self._loop.call_soon(self._turn)
        for portion in self._runner.run(group):
            self._deliver(*portion)


@final
class Workers(Crew):
    """The threads of one model."""

    def __init__(self, predict: Predict, plan: BatchPlan, deliver: Deliver) -> None:
        """Nothing runs yet.

        Args:
            predict: called by several threads at once, with at most `plan.chunk` photos.
            deliver: called on the loop's thread with the answers of a group and its runs.
        """
        self._runner = Runner(predict, plan.chunk)
        self._plan = plan
        self._deliver = deliver
        self._queue: SimpleQueue[Piece | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self._plan.workers):
            thread = threading.Thread(
                target=self._work, args=(loop,), name=f"model-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    @property
    def started(self) -> bool:
        return bool(self._threads)

    def put(self, piece: Piece) -> None:
        self._queue.put(piece)

    def end(self) -> None:
        self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while group := self._take():
            try:
                for portion in self._runner.run(group):
                    loop.call_soon_threadsafe(self._deliver, *portion)
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
