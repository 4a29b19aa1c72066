"""What a tracker is to be told about a sweep: records that go to a spool as lines and come back.

Each says all that its telling needs, so that a later process can do it. Folders are named as seen
from the sweep's own, so that a home may move.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tlsearch.tracking.tracker import DatasetSummary, TrialState


class Record(BaseModel):
    """One thing that happened. `at`: when, in seconds since 1970."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    at: float = Field(default_factory=time.time)


class SweepOpened(Record):
    """A supervisor has begun to work on a sweep; the first record of every spool.

    Args:
        study: what tells the sweep's study from any other, of the same name too.
        run: the sweep's run, if it is known already.
        store: the address of the tracking store; None for the one in the home.
    """

    kind: Literal["sweep_opened"] = "sweep_opened"
    name: str
    experiment: str
    study: str
    run: str | None = None
    store: str | None = None
    parameters: dict[str, Any] = {}
    tags: dict[str, str] = {}
    dataset: DatasetSummary | None = None


class TrialStarted(Record):
    """A trial begins, or begins again."""

    kind: Literal["trial_started"] = "trial_started"
    trial: int
    parameters: dict[str, Any] = {}
    tags: dict[str, str] = {}


class EpochDone(Record):
    """One epoch of a trial is over."""

    kind: Literal["epoch"] = "epoch"
    trial: int
    epoch: int
    metrics: dict[str, float]


class TrialEnded(Record):
    """A trial has ended, for good or until it goes on. `metrics` are those of the whole trial."""

    kind: Literal["trial_ended"] = "trial_ended"
    trial: int
    state: TrialState
    reason: str | None = None
    metrics: dict[str, float] = {}


class Noted(Record):
    """Metrics and tags of a trial, or with None of the sweep."""

    kind: Literal["noted"] = "noted"
    trial: int | None = None
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}


class FilesWritten(Record):
    """A folder whose files belong to a trial, or with None to the sweep.

    Once they are copied, `FOLDER.tracked` beside it names the run that has them.
    """

    kind: Literal["files"] = "files"
    trial: int | None = None
    folder: str
    under: str | None = None


class BundleMade(Record):
    """The champion's bundle lies ready.

    Args:
        digest: SHA-256 of its SHA256SUMS: a later champion's bundle takes the same place.
        name: the model to register it as; None copies its files to the run and no more.
    """

    kind: Literal["bundle"] = "bundle"
    trial: int
    folder: str
    digest: str
    name: str | None = None
    tags: dict[str, str] = {}


class SweepEnded(Record):
    """A supervisor has done its work on the sweep.

    Args:
        metrics: the champion's on the test split.
        runs: by the name of a tag, the trial whose run it names.
    """

    kind: Literal["sweep_ended"] = "sweep_ended"
    state: TrialState
    metrics: dict[str, float] = {}
    runs: dict[str, int] = {}


AnyRecord = (
    SweepOpened
    | TrialStarted
    | EpochDone
    | TrialEnded
    | Noted
    | FilesWritten
    | BundleMade
    | SweepEnded
)

_READER: TypeAdapter[AnyRecord] = TypeAdapter(Annotated[AnyRecord, Field(discriminator="kind")])


def read_record(line: bytes) -> AnyRecord:
    """The record of a line.

    Raises:
        ValueError: the line is torn or damaged, or was written by a later version.
    """
    return _READER.validate_json(line)
