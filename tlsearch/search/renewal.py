"""The thread that renews a supervisor's lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

EVERY = 5.0
"""Seconds between renewals."""

_log = logging.getLogger(__name__)


class Renewal:
    """Calls `renew` every few seconds, until `end`."""

    def __init__(self, renew: Callable[[], None]) -> None:
        self._renew = renew
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Stop, and wait until it has stopped."""
        self._over.set()
        with suppress(RuntimeError):  # It was never started.
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self._renew()
            # A database that is away for a moment must not cost the lease for good.
            except Exception as error:
                _log.warning("the lease was not renewed: %s", error)
