"""Telling the tracker what sweeps that are over, or were killed, have left in their spools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tlsearch.paths import SweepPaths
from tlsearch.tracking.listener import Listener
from tlsearch.tracking.location import TrackingStore
from tlsearch.tracking.replayer import tell_all
from tlsearch.tracking.spool import SpoolFile, hold, spools
from tlsearch.tracking.tracker import EntryRefused, Tracker, TrackingError

Resolve = Callable[[str | None], TrackingStore]
"""From the address in a spool, None for the store in the home, to the store it goes to."""


@dataclass(frozen=True)
class Synced:
    """What came of one sweep's spools, in records.

    Args:
        told: those that the tracker has got now.
        left: those that it could not be told.
        running: those of supervisors that still run, who tell them themselves.
        refused: those that the tracker will not have; they are given up.
        error: why some are left.
    """

    sweep: str
    told: int = 0
    left: int = 0
    running: int = 0
    refused: int = 0
    error: TrackingError | None = None


class Syncing:
    """Replays spools, with one tracker for each store.

    Args:
        connect: makes the tracker on a store.
    """

    def __init__(self, resolve: Resolve, connect: Callable[[TrackingStore], Tracker]) -> None:
        self._resolve = resolve
        self._connect = connect
        self._trackers: dict[str, Tracker] = {}
        self._lost: dict[str, TrackingError] = {}

    def sync(self, folder: SweepPaths) -> Synced:
        """Tell all that the spools of a sweep hold; a store that fails is asked no second time."""
        found = Synced(folder.folder.name)
        for spool in spools(folder.spool):
            found = self._sync(spool, folder.folder, found)
        return found

    def _sync(self, spool: SpoolFile, folder: Path, found: Synced) -> Synced:
        with hold(spool) as is_free:
            opened = spool.opened()
            if opened is None:
                if is_free:
                    spool.remove()
                return found
            store = self._resolve(opened.store)
            before = spool.left(str(store))
            if not is_free:
                return _more(found, running=before)
            heard = _Counting()
            error = self._tell(spool, store, folder, heard)
            left = spool.left(str(store))
        counts = {"told": before - left - heard.refusals, "left": left, "refused": heard.refusals}
        return _more(found, error=error, **counts)

    def _tell(
        self, spool: SpoolFile, store: TrackingStore, folder: Path, heard: Listener
    ) -> TrackingError | None:
        name = str(store)
        if name in self._lost:
            return self._lost[name]
        try:
            if name not in self._trackers:
                self._trackers[name] = self._connect(store)
            tell_all(spool, self._trackers[name], name, folder, heard)
        except TrackingError as error:
            self._lost[name] = error
            return error
        return None


class _Counting(Listener):
    """Counts what was refused."""

    def __init__(self) -> None:
        self.refusals = 0

    def found_run(self, study: str, trial: int | None, run: str) -> None:
        """The run is found again by its tags."""

    def registered(self, name: str, version: str) -> None:
        """The registry shows it."""

    def refused(self, error: EntryRefused) -> None:
        self.refusals += 1

    def lost(self, error: TrackingError) -> None:
        """Comes back as an error."""

    def came_back(self) -> None:
        """Nobody waits."""


def _more(
    found: Synced,
    *,
    told: int = 0,
    left: int = 0,
    running: int = 0,
    refused: int = 0,
    error: TrackingError | None = None,
) -> Synced:
    return Synced(
        found.sweep,
        found.told + told,
        found.left + left,
        found.running + running,
        found.refused + refused,
        error or found.error,
    )
