"""Who is told what comes of a replay."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext

from tlsearch.tracking.tracker import EntryRefused, TrackingError


class Listener(ABC):
    """Is told what comes of a replay, on its thread."""

    def opening(self) -> AbstractContextManager[object]:
        """Is held while the sweep's run is looked for and, if need be, made: two processes that did
        so at once could make two."""
        return nullcontext()

    @abstractmethod
    def found_run(self, study: str, trial: int | None, run: str) -> None:
        """The tracker's run of a trial, or with None of the sweep.

        Args:
            study: the spool's, which may be one that was set aside since.
        """

    @abstractmethod
    def registered(self, name: str, version: str) -> None:
        """The champion became this version of a registered model."""

    @abstractmethod
    def refused(self, error: EntryRefused) -> None:
        """A record was left out."""

    @abstractmethod
    def lost(self, error: TrackingError) -> None:
        """The store does not answer any more; it is tried again."""

    @abstractmethod
    def came_back(self) -> None:
        """The store answers again."""
