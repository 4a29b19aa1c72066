"""A request on its way through the queue: cut into pieces that fit a run, and joined again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from serving.problems import Problem
from serving.session import Images, Probabilities


class Outcome(NamedTuple):
    """How a request ended: with probabilities, or with a problem.

    Attributes:
        probabilities: float32 `[n, classes]`.
        queue_seconds: how long it waited for its first run.
        run_seconds: what its runs took, one after the other.
        batch: how many photos its largest run had, its own and others.
    """

    probabilities: Probabilities | None
    problem: Problem | None
    queue_seconds: float = 0.0
    run_seconds: float = 0.0
    batch: int = 0


Done = Callable[[Outcome], None]


class Unread(ABC):
    """A photo that is read only when its turn comes, by whoever runs the model."""

    def __len__(self) -> int:
        """It is one."""
        return 1

    @abstractmethod
    def read(self) -> Images:
        """As uint8 `[1, size, size, 3]`; called once, in any thread.

        Raises:
            Problem: it cannot be read.
        """


@dataclass(slots=True, eq=False)
class Piece:
    """Photos of one request that run together.

    Attributes:
        images: uint8 `[n, size, size, 3]`, or what becomes `[1, size, size, 3]`.
        deadline: when there is no point any more, on the clock of `time.monotonic`.
        done: called once, on the event loop's thread.
        arrived: on the same clock.
    """

    images: Images | Unread
    deadline: float
    done: Done
    arrived: float


def cut(request: Piece, most: int) -> Iterator[Piece]:
    """The request in pieces of at most `most` photos, whose answers become one."""
    images = request.images
    assert not isinstance(images, Unread)  # one photo is not cut
    starts = range(0, len(images), most)
    joint = _Joint(len(starts), request.done)
    for number, start in enumerate(starts):
        done = partial(joint.answer, number)
        yield Piece(images[start : start + most], request.deadline, done, request.arrived)


class _Joint:
    """Waits for the answers of all pieces. The first problem is the answer for the whole."""

    def __init__(self, pieces: int, done: Done) -> None:
        self._outcomes: dict[int, Outcome] = {}
        self._pieces = pieces
        self._done: Done | None = done

    def answer(self, number: int, outcome: Outcome) -> None:
        """Take the answer of one piece."""
        self._outcomes[number] = outcome
        if outcome.problem is not None:
            self._finish(outcome)
        elif len(self._outcomes) == self._pieces:
            self._finish(_join([self._outcomes[number] for number in range(self._pieces)]))

    def _finish(self, outcome: Outcome) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)


def _join(outcomes: list[Outcome]) -> Outcome:
    parts = [one.probabilities for one in outcomes if one.probabilities is not None]
    return Outcome(
        np.concatenate(parts),
        None,
        min(one.queue_seconds for one in outcomes),
        sum(one.run_seconds for one in outcomes),
        max(one.batch for one in outcomes),
    )
