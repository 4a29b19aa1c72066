"""Room for one more connection where all are taken: the one that has idled longest gives way."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable

FRESH_SECONDS = 1.0
"""Idle for less than that, a client is likely about to ask."""

_LOOK_SECONDS = 0.05
_CANDIDATES = 64


class Evictable(ABC):
    """A connection that may have to give way."""

    @property
    @abstractmethod
    def idle_since(self) -> float:
        """On the loop's clock; infinity while anything is being asked or answered."""

    @abstractmethod
    def expire(self) -> None:
        """Close it."""


class Eviction:
    """Chooses who gives way. A look at all connections is dear, so one serves for many."""

    def __init__(self) -> None:
        """Nobody has to go."""
        self._idlest: list[tuple[float, Evictable]] = []
        self._look_at = 0.0

    def make_room(self, connections: Iterable[Evictable], now: float) -> bool:
        """Close the connection that has idled longest, if one has for long enough.

        Args:
            now: on the loop's clock.

        Returns:
            Whether one was closed.
        """
        if self._evict():
            return True
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_SECONDS
        self._idlest = _find_idlest(connections, now - FRESH_SECONDS)
        return self._evict()

    def _evict(self) -> bool:
        """Close the first of those found that has idled ever since."""
        while self._idlest:
            since, connection = self._idlest.pop()
            if connection.idle_since == since:
                connection.expire()
                return True
        return False


def _find_idlest(connections: Iterable[Evictable], until: float) -> list[tuple[float, Evictable]]:
    """Those that have idled since before `until`, the one that has longest as the last."""
    idle = ((one.idle_since, one) for one in connections)
    known = [pair for pair in idle if pair[0] <= until]
    return heapq.nsmallest(_CANDIDATES, known, key=lambda pair: pair[0])[::-1]
