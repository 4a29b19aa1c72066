"""The end of a process that was told to end and does not: a run of the model may hang.

SIGTERM reaches Python code only when the main thread runs Python code. Where that one is stuck in
a library, the system still writes the signal's number into a pipe, and another thread reads it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import NoReturn

FAILED = 1
_ENDS = (signal.SIGTERM, signal.SIGINT)
log = logging.getLogger(__name__)


class Watchdog:
    """Ends the process some time after SIGTERM or SIGINT, if it is still there."""

    def __init__(self, seconds: float, find_reason: Callable[[], str]) -> None:
        """Nothing is watched yet.

        Args:
            seconds: from the signal to the end.
            find_reason: what is not finished, in words; called by another thread.
        """
        self._seconds = seconds
        self._find_reason = find_reason
        self._stopped = threading.Event()

    def watch(self) -> None:
        """Begin; in the main thread, when the event loop runs there. In another one: do nothing.

        The loop is then no longer woken by signals: their handlers run when it wakes next, which
        uvicorn's does ten times a second.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._wait, args=(reader,), name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """The process has come to its end by itself, or lives on without the server."""
        self._stopped.set()

    def end(self) -> NoReturn:
        """Say what is not finished, and leave it.

        Threads that hang in a library cannot be ended: Python would wait for some, and others
        would run on while the library is taken down.
        """
        log.error("the grace period of %g s is over: %s", self._seconds, self._find_reason())
        logging.shutdown()
        os._exit(FAILED)

    def _wait(self, reader: int) -> None:
        while not any(number in _ENDS for number in os.read(reader, 64)):
            pass
        if not self._stopped.wait(self._seconds):
            self.end()
