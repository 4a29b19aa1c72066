"""What a sweep tells a tracking system: the interface, and the data it passes.

`mlflow_tracker` implements it. Every method may be called again with the same arguments.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tlsearch.errors import SetupError

TrialState = Literal["complete", "pruned", "failed", "interrupted"]


AT = "tlsearch.at"
"""The tag with the moment that a run's state is of, in milliseconds since 1970.

A change of the state whose tags have an earlier moment is passed over: what a killed process has
left to tell may be told after its successor's.
"""

STUDY = "tlsearch.study"
"""The tag of a sweep's run by which it is found again."""


class TrackingError(SetupError):
    """The tracking store cannot be used. A sweep does not begin with a store like that."""


class StoreUnreachable(TrackingError):
    """It does not answer now. A sweep carries on, and what it has to tell is kept."""


class EntryRefused(TrackingError):
    """It answers, and refuses what it was sent; sending that again is of no use."""


@dataclass(frozen=True)
class DatasetSummary:
    """What the store keeps about the photos.

    Args:
        name: a short name, such as the sweep's.
        digest: a hash of the photos and the split.
        source: the folder or address that they came from.
        counts: photos by split and class, such as `{"train": {"daisy": 506}}`.
    """

    name: str
    digest: str
    source: str
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class EpochPoint:
    """One epoch's metrics, and when it ended in seconds since 1970."""

    epoch: int
    metrics: Mapping[str, float]
    timestamp: float


@dataclass(frozen=True)
class TrackedTrial:
    """A trial's run as the store has it. `state` is `running` until it ends."""

    run: str
    state: str
    is_running: bool


class Tracker(ABC):
    """Where a sweep's runs are logged. Each method raises TrackingError if the store fails."""

    @abstractmethod
    def open_sweep(
        self,
        name: str,
        experiment: str,
        run_id: str | None,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
        dataset: DatasetSummary | None,
    ) -> str:
        """Open the sweep's own run, the parent of its trials, or a pretraining's; its id.

        Args:
            name: the sweep's name; the run is called after it.
            experiment: the experiment's name; it is made if absent.
            run_id: the run of an earlier start. Without it, or if it is gone, a run with the same
                tag STUDY is looked for, and a new one made if there is none.
            parameters: what the sweep file says, nested or flat.
            tags: what else describes the sweep; AT and STUDY among them, or not.
            dataset: the photos, logged as the run's input.
        """

    @abstractmethod
    def start_trial(
        self, parent: str, number: int, parameters: Mapping[str, Any], tags: Mapping[str, str]
    ) -> str:
        """Open a trial's run below `parent` and return its id; a second call reopens it.

        Args:
            tags: what describes it; AT among them, or not.
        """

    @abstractmethod
    def find_trial(self, parent: str, number: int) -> str | None:
        """The run of a trial below `parent`, if it was started."""

    @abstractmethod
    def log_epochs(self, run_id: str, points: Sequence[EpochPoint]) -> None:
        """Log the metrics of some epochs, in one call if the store can.

        An epoch that the run has already, of a trial that is trained again, is left as it is.
        """

    def log_epoch(
        self, run_id: str, epoch: int, metrics: Mapping[str, float], timestamp: float
    ) -> None:
        """Log one epoch's metrics."""
        self.log_epochs(run_id, [EpochPoint(epoch, metrics, timestamp)])

    @abstractmethod
    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], at: float | None = None
    ) -> None:
        """Log metrics that belong to the run as a whole; one that has this value is left as it is.

        Args:
            at: seconds since 1970; now if it is left out.
        """

    @abstractmethod
    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Log tags that describe the run."""

    @abstractmethod
    def log_artifacts(self, run_id: str, folder: Path, under: str | None = None) -> None:
        """Copy the files of a folder to the run, below the folder `under` if it is given."""

    @abstractmethod
    def finish_trial(
        self,
        run_id: str,
        state: TrialState,
        reason: str | None = None,
        metrics: Mapping[str, float] | None = None,
        points: Sequence[EpochPoint] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log what is left to log of a trial and end its run.

        Args:
            reason: why it did not complete.
            metrics: those that belong to the run as a whole.
            points: its last epochs, see `log_epochs`.
            tags: what else is known; AT among them, or not.
        """

    @abstractmethod
    def trials(self, parent: str) -> dict[int, TrackedTrial]:
        """The trials below `parent` by their numbers, as the store has them now."""

    @abstractmethod
    def register(self, run_id: str, bundle: Path, name: str, tags: Mapping[str, str]) -> str:
        """Register the bundle's `model.onnx` as the champion of `name`; the new version.

        The bundle's files become artifacts of the run too. The alias `champion` moves last.
        """

    @abstractmethod
    def finish_sweep(
        self,
        parent: str,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        state: TrialState = "complete",
    ) -> None:
        """Log the champion's metrics and end the sweep's run.

        Args:
            tags: what else is known; AT among them, or not.
        """
