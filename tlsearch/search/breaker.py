"""The circuit breaker: trials that fail one after the other have a cause that no trial mends."""

from __future__ import annotations

from tlsearch.errors import NoResultError
from tlsearch.execution.events import Failed


class Breaker:
    """Counts failures in a row."""

    def __init__(self, limit: int) -> None:
        """Closed, so that trials may begin.

        Args:
            limit: how many failures in a row open it.
        """
        self._limit = limit
        self._count = 0
        self._last = ""

    @property
    def is_open(self) -> bool:
        """Whether no other trial should begin."""
        return self._count >= self._limit

    def note(self, failed: Failed) -> None:
        """Count a trial that has failed."""
        self._count += 1
        self._last = f"{failed.kind}: {failed.reason}"

    def close(self) -> None:
        """A trial came to a result."""
        self._count = 0

    def check(self) -> None:
        """Raises NoResultError if it is open."""
        if self.is_open:
            raise NoResultError(
                f"the last {self._count} trials failed one after the other",
                received=self._last,
                expected="trials that train",
                hint="mend the cause and run the same command again; the log files are named above",
            )
