"""What a running sweep makes of the replay of its spool: notes in the study, and notices."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import final

from tlsearch.execution.notices import Notice, Notify
from tlsearch.search.errands import Errands
from tlsearch.tracking.listener import Listener
from tlsearch.tracking.tracker import EntryRefused, TrackingError


@final
class SweepListener(Listener):
    """Says once when the tracker is lost and once when it is back.

    Args:
        note_run: keeps, for the study of this key, the run of a trial, or of None, the sweep.
        errands: of the study, whose supervisors open the sweep's run one after the other.
    """

    def __init__(
        self,
        note_run: Callable[[str, int | None, str], None],
        notify: Notify,
        errands: Errands | None = None,
    ) -> None:
        self._note_run = note_run
        self._notify = notify
        self._errands = errands
        self._was_refused = False

    def opening(self) -> AbstractContextManager[object]:
        if self._errands is None:
            return nullcontext()
        return self._errands.run("opening", lambda: False, lambda: time.sleep(0.2))

    def found_run(self, study: str, trial: int | None, run: str) -> None:
        self._note_run(study, trial, run)

    def registered(self, name: str, version: str) -> None:
        self._notify(Notice("registered", {"name": name, "version": version}))

    def refused(self, error: EntryRefused) -> None:
        if not self._was_refused:
            self._was_refused = True
            self._warn(f"not everything is tracked: {error}")

    def lost(self, error: TrackingError) -> None:
        self._warn(f"tracking is lost for now; training goes on, and all is kept: {error}")

    def came_back(self) -> None:
        self._notify(Notice("tracking_back", {}))

    def _warn(self, text: str) -> None:
        self._notify(Notice("warning", {"text": text}))
