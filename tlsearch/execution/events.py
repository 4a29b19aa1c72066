"""What a worker tells the supervisor while a job runs, and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping
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
class EpochEnded:
    """One epoch (counted from 1) is over. The worker waits for a `Decision`."""

    trial: int
    epoch: int
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Finished:
    """The job is done. `result` is whatever the job returns."""

    trial: int
    result: Any


@dataclass(frozen=True)
class Failed:
    """The job ended with an error. `kind` is the class of failure, for tables and policies."""

    trial: int
    kind: str
    reason: str
    details: str = ""


Event = Started | PrefixJudged | EpochEnded | Finished | Failed
