"""The interface behind which jobs run, whatever they run on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from tlsearch.execution.events import Decision, Event


class Channel(Protocol):
    """How a running job speaks to the supervisor."""

    def send(self, event: Event) -> None:
        """Say what happened."""

    def ask(self, event: Event) -> Decision:
        """Say what happened and wait to be told how to go on."""


class Job(Protocol):
    """A piece of work for a worker. It travels pickled, so it carries data and no models."""

    @property
    def trial(self) -> int:
        """The number of the trial that it belongs to."""

    def run(self, channel: Channel) -> Any:
        """Do it in the worker's process. What is returned comes back in `Finished`."""


class Executor(ABC):
    """Runs jobs, at most `capacity` at a time."""

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many jobs can run at once."""

    @property
    @abstractmethod
    def running(self) -> frozenset[int]:
        """The trials whose jobs run now."""

    @abstractmethod
    def warm_up(self, jobs: int) -> None:
        """Have as many workers as there are jobs to come, if not more than `capacity`, start and
        import Keras, so that the jobs need not wait for it."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Start a job on an idle worker."""

    @abstractmethod
    def wait(self, timeout: float) -> list[Event]:
        """What happened, oldest first; an empty list after `timeout` seconds of nothing."""

    @abstractmethod
    def answer(self, trial: int, decision: Decision) -> None:
        """Answer the epoch that the trial's worker waits on."""

    @abstractmethod
    def close(self) -> None:
        """End every worker, whatever it is doing."""
