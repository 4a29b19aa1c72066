"""What is done about each class of failure. The supervisor asks here and carries it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from tlsearch.config.schema import OnFailure
from tlsearch.disk import disk_is_full
from tlsearch.errors import DiskError
from tlsearch.execution.events import Failed
from tlsearch.execution.failures import (
    DISK_FULL,
    ERROR,
    NAN_LOSS,
    OUT_OF_MEMORY,
    SETUP,
    TIMEOUT,
    UNREADABLE_DATA,
    WORKER_LOST,
)


class Action(Enum):
    """What becomes of a trial that has failed."""

    RETRY = "it is started again, `on_failure.max_attempts` times in a row at most"
    HALVE = "it goes on with half the photos at a time"
    FAIL = "it has failed"
    STOP = "it waits for the sweep's next run, and no other trial is begun"


_ACTIONS = {
    OUT_OF_MEMORY: Action.HALVE,
    NAN_LOSS: Action.FAIL,
    UNREADABLE_DATA: Action.FAIL,
    WORKER_LOST: Action.RETRY,
    TIMEOUT: Action.RETRY,
    SETUP: Action.FAIL,
    DISK_FULL: Action.STOP,
    ERROR: Action.FAIL,
}


@dataclass(frozen=True)
class Batch:
    """How a network is shown a batch of `size` photos: at once, or in parts one after the other,
    whose gradients are averaged before the weights change."""

    size: int
    parts: int = 1

    @property
    def micro(self) -> int:
        """Photos in the largest part."""
        return -(-self.size // self.parts)

    def halve(self) -> Batch:
        """The same batch in twice as many parts, or, where that is fewer, in one for each photo."""
        return replace(self, parts=min(2 * self.parts, self.size))


def decide(kind: str, settings: OnFailure, attempt: int, batch: Batch) -> Action:
    """What is to be done about a failure.

    Args:
        kind: its class.
        attempt: the trial's, from 1 since it last came an epoch further; starts with a smaller
            batch are not counted.
        batch: as the trial was shown it.
    """
    action = _ACTIONS[kind]
    if action is Action.RETRY and attempt >= settings.max_attempts:
        return Action.FAIL
    if action is Action.HALVE and (settings.out_of_memory == "fail" or batch.micro == 1):
        return Action.FAIL
    return action


def explain_full_disk(failed: Failed) -> DiskError:
    """What to say where a worker found the disk full."""
    return disk_is_full(f"{failed.reason} (trial {failed.trial}; its log: {failed.log})")
