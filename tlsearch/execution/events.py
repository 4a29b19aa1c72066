"""What a worker tells the supervisor while a job runs, and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Decision(Enum):
    """The supervisor's answer to an epoch."""

    CONTINUE = "continue"
    PRUNE = "prune"
    STOP = "stop"


@dataclass(frozen=True)
class Started:
    """The network of a trial is built and its training begins."""

    trial: int
    total_parameters: int
    trainable_parameters: int


@dataclass(frozen=True)
class PrefixJudged:
    """Whether the outputs of a frozen prefix at a cut are stored for a trial, and why.

    bytes_: that are to be written for it.
    """

    trial: int
    backbone: str
    image_size: int
    cut: str
    stores: bool
    bytes_: int
    why: str


@dataclass(frozen=True)
class Resumed:
    """A trial goes on where an earlier start of it ended. The worker waits for a `Decision`.

    epochs: the metrics of those that are done, the first one first; seconds: of each. The
    supervisor may not have been told of the last one.
    """

    trial: int
    epochs: Sequence[Mapping[str, float]]
    seconds: Sequence[float]


@dataclass(frozen=True)
class Warned:
    """Something that does not keep a trial from training, and that its user wants to know."""

    trial: int
    text: str


@dataclass(frozen=True)
class EpochEnded:
    """One epoch (counted from 1) is over. The worker waits for a `Decision`."""

    trial: int
    epoch: int
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Beat:
    """The worker has gone on: `work` pieces so far. The executor keeps it to itself."""

    work: int


@dataclass(frozen=True)
class Finished:
    """The job is done. `result` is whatever the job returns."""

    trial: int
    result: Any


@dataclass(frozen=True)
class Failed:
    """The job ended with an error.

    kind: the class of failure (see `execution.failures`), for tables and policies; details: the
    traceback; log: the file that the worker wrote to.
    """

    trial: int
    kind: str
    reason: str
    details: str = ""
    log: str = ""


Event = Started | PrefixJudged | Resumed | Warned | EpochEnded | Finished | Failed

ASKING = Resumed | EpochEnded
"""The worker that said so waits for a `Decision`."""
