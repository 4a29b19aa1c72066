"""The thread that brings a running supervisor's spool to the tracker, and those of dead ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tlsearch.tracking.listener import Listener
from tlsearch.tracking.replay import Replay
from tlsearch.tracking.spool import Spool, SpoolFile, hold, spools
from tlsearch.tracking.tracker import EntryRefused, StoreUnreachable, Tracker, TrackingError

GATHERED = 1.0
"""Seconds for which records are gathered before they are told together."""

PAUSES = (0.5, 30.0)
"""The first and the longest pause, in seconds, before a store that has failed is tried again."""

LOOK_AROUND = 10.0
"""Seconds between looks at the spools of others."""

PATIENCE = 60.0
"""Seconds for which the end of a sweep waits for a store that answers, after its last answer."""

FAREWELL = 10.0
"""Seconds for which it waits for one that does not."""


class Replayer:
    """Tells the tracker what stands in the spool as it is written. Nothing waits for it.

    Args:
        spool: this supervisor's own; the folder that it lies in has those of others.
        store: names the tracker's store.
        connect: makes the tracker, on the thread.
        folder: the sweep's.
        opened: called on the thread once the sweep's run is open, with the tracker and the run.
    """

    def __init__(
        self,
        spool: Spool,
        store: str,
        connect: Callable[[], Tracker],
        folder: Path,
        listener: Listener,
        opened: Callable[[Tracker, str], None],
    ) -> None:
        self._spool = spool
        self._own = SpoolFile(spool.file)
        self._store = store
        self._connect = connect
        self._folder = folder
        self._listener = listener
        self._opened: Callable[[Tracker, str], None] | None = opened
        self._tracker: Tracker | None = None
        self._replay: Replay | None = None
        self._state = threading.Condition()
        self._told = 0
        self._is_lost = self._is_closing = self._is_stopped = False
        self._was_tried = self._hurry = False
        self._wanted = 0
        self._last_answer = self._looked = -LOOK_AROUND
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="replayer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_for_store(self, timeout: float | None) -> None:
        """Wait for the store's first answer, or that it does not answer.

        Raises:
            TrackingError: it is no store that can be used, now or later.
        """
        with self._state:
            self._state.wait_for(lambda: self._was_tried or self._fault, timeout)
        self._raise_fault()

    def drain(self, timeout: float = PATIENCE) -> bool:
        """Wait until all that was appended so far is told; whether it is.

        A store that is lost is not waited for.
        """
        return self._wait(lambda: self._is_lost, timeout)

    def close(self) -> None:
        """Wait for the rest, for as long as the store answers and a little longer."""
        started = time.monotonic()
        with self._state:
            self._is_closing = self._hurry = True

        def is_enough() -> bool:
            now = time.monotonic()
            patience = FAREWELL if self._is_lost else PATIENCE
            return now - max(started, self._last_answer) > patience

        try:
            self._wait(is_enough, None)
        finally:
            self.stop()

    def stop(self) -> None:
        """Tell nothing more, but what is on its way; this call does not wait for that."""
        with self._state:
            self._is_stopped = self._hurry = True
            self._state.notify_all()

    def _wait(self, is_enough: Callable[[], bool], timeout: float | None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        with self._state:
            wanted = self._wanted = self._spool.count
            self._state.notify_all()
            while self._told < wanted and self._fault is None and not is_enough():
                if end is not None and time.monotonic() > end:
                    break
                self._state.wait(0.2)
            is_told = self._told >= wanted
        self._raise_fault()
        return is_told

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _work(self) -> None:
        pause = PAUSES[0]
        try:
            while self._has_work():
                try:
                    self._bring()
                except TrackingError as error:
                    self._note_loss(error)
                    self._rest(pause)
                    pause = min(2 * pause, PAUSES[1])
                else:
                    pause = PAUSES[0]
                    self._rest(GATHERED)
        except BaseException as error:
            with self._state:
                self._fault = error
                self._state.notify_all()

    def _has_work(self) -> bool:
        """Whether there is something to tell, or may yet be."""
        is_all = self._is_closing and self._told >= self._spool.count
        return not is_all and not self._is_stopped

    def _rest(self, seconds: float) -> None:
        """Let records gather, unless somebody waits for what is not told yet."""
        with self._state:
            if self._is_closing:
                seconds = min(seconds, PAUSES[0])
            self._state.wait_for(self._is_wanted, seconds)
            self._hurry = False

    def _is_wanted(self) -> bool:
        return self._hurry or (self._wanted > self._told and not self._is_lost)

    def _bring(self) -> None:
        """Tell everything that there is to tell."""
        if self._tracker is None:
            self._tracker = self._connect()
            self._note_answer()
        self._bring_orphans(self._tracker)
        if self._replay is None:
            self._replay = self._of(self._own, self._tracker)
        was_news = True
        while was_news and not self._is_stopped:
            was_news = self._replay.bring()
            # What is written down now comes before what those write who wait for what is told.
            was_news |= self._say_opened(self._tracker, self._replay.parent)
            self._told = self._replay.told
            if was_news:
                self._note_answer()

    def _say_opened(self, tracker: Tracker, run: str) -> bool:
        """Call `opened` once, as soon as there is a run; whether that was now."""
        if self._opened is None or not run:
            return False
        self._opened(tracker, run)
        self._opened = None
        return True

    def _bring_orphans(self, tracker: Tracker) -> None:
        """Tell what supervisors that are gone have left."""
        if time.monotonic() - self._looked < LOOK_AROUND:
            return
        for spool in spools(self._own.path.parent):
            if spool == self._own or self._is_stopped:
                continue
            try:
                finish(spool, tracker, self._store, self._folder, self._listener)
            except EntryRefused as error:
                self._listener.refused(error)
        self._looked = time.monotonic()

    def _of(self, spool: SpoolFile, tracker: Tracker) -> Replay:
        return Replay(spool, tracker, self._store, self._folder, self._listener)

    def _note_answer(self) -> None:
        with self._state:
            was_lost, self._is_lost, self._was_tried = self._is_lost, False, True
            self._last_answer = time.monotonic()
            self._state.notify_all()
        if was_lost:
            self._listener.came_back()

    def _note_loss(self, error: TrackingError) -> None:
        if not self._was_tried and not isinstance(error, StoreUnreachable):
            raise error
        with self._state:
            was_lost, self._is_lost, self._was_tried = self._is_lost, True, True
            self._state.notify_all()
        if not was_lost:
            self._listener.lost(error)


def finish(
    spool: SpoolFile, tracker: Tracker, store: str, folder: Path, listener: Listener
) -> bool:
    """Tell all of a spool that nobody writes to, and remove it; whether it was free.

    Raises:
        TrackingError: the store fails; calling again goes on.
    """
    with hold(spool) as is_free:
        if is_free:
            tell_all(spool, tracker, store, folder, listener)
    return is_free


def tell_all(
    spool: SpoolFile, tracker: Tracker, store: str, folder: Path, listener: Listener
) -> None:
    """Tell all of a spool that this process holds, and remove it.

    Raises:
        TrackingError: the store fails; calling again goes on.
    """
    if spool.opened() is not None:
        replay = Replay(spool, tracker, store, folder, listener)
        while replay.bring():
            pass
    # Where another process was faster, what is left is the lock that was made just now.
    spool.remove()
