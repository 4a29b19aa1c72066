"""What all connections of a server share: limits, the token, bodies held, and a watch on time."""

from __future__ import annotations

import asyncio
import hmac
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from serving.http.eviction import Eviction
from serving.http.exchange import Desk
from serving.http.refusals import unauthorized
from serving.problems import unavailable

_LOOK_SECONDS = 0.2
PROBES = ("/v2/health/live", "/v2/health/ready")
"""Answered without a token, and when there is room for nothing else."""


@dataclass(frozen=True)
class Limits:
    """What a client may ask of a connection.

    Attributes:
        header_bytes: of the request line and headers, and of all else in a request but its body.
        body_bytes: of one body, as it comes and after decompression.
        json_bytes: of tensors in JSON, which keep everybody waiting while they are parsed.
        held_bytes: of the bodies of all connections together.
        receive_seconds: from the first byte of a request to its last.
        idle_seconds: between two requests; more than the 60 s of most load balancers, so that it
            is they who close a connection that they may be about to use.
        linger_seconds: that a connection stays open for what its client sent before it knew that
            the server closes it.
        connections: at once.
        reserve: connections beyond them that may ask for the health.
    """

    header_bytes: int = 16 * 1024
    body_bytes: int = 32 * 1024**2
    json_bytes: int = 4 * 1024**2
    held_bytes: int = 512 * 1024**2
    receive_seconds: float = 30.0
    idle_seconds: float = 75.0
    linger_seconds: float = 0.5
    connections: int = 1000
    reserve: int = 24


@dataclass(frozen=True)
class Guard:
    """Who may ask.

    Attributes:
        token: has to come with a request; None: everybody may.
        open_paths: need no token.
    """

    token: str | None = None
    open_paths: tuple[str, ...] = PROBES

    def check(self, authorization: bytes | None) -> None:
        """Compare in a time that says nothing about the token.

        Raises:
            Problem: 401 it lacks, or is another one.
        """
        if self.token is None:
            return
        scheme, _, given = (authorization or b"").partition(b" ")
        same = hmac.compare_digest(given.strip(), self.token.encode())
        if not same or scheme.lower() != b"bearer":
            raise unauthorized()


class Watched(ABC):
    """A connection with a deadline, on the loop's clock."""

    deadline: float

    @abstractmethod
    def expire(self) -> None:
        """The deadline is over."""


class Front:
    """The shared part of a server's connections. All of it belongs to the loop's thread."""

    def __init__(
        self, limits: Limits, guard: Guard, desk: Desk, ending_seconds: float = 15.0
    ) -> None:
        """Nothing runs before the first connection.

        Args:
            ending_seconds: that a request may still come for once the server is about to end.
        """
        self.ending_seconds = ending_seconds
        self.limits = limits
        self.guard = guard
        self.desk = desk
        self.held = 0
        self.eviction = Eviction()
        self._watched: set[Watched] = set()
        self._looking = False
        self._stamped: object = None
        self._stamp = b""

    def stamp(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Uvicorn's default headers (the date) as they are written; it renews them every second."""
        if headers is not self._stamped:
            self._stamped = headers
            self._stamp = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        return self._stamp

    def hold(self, size: int) -> None:
        """Make room for a part of a body.

        Raises:
            Problem: 503 all bodies together take as much as they may.
        """
        if self.held + size > self.limits.held_bytes:
            raise unavailable("there is no room for so many large bodies at once")
        self.held += size

    def release(self, size: int) -> None:
        """Give the room back."""
        self.held -= size

    def watch(self, connection: Watched) -> None:
        """Expire the connection at its deadline, give or take a look's interval.

        One look at all connections every now and then costs less than a timer for each request.
        """
        self._watched.add(connection)
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def forget(self, connection: Watched) -> None:
        """Expire it no more."""
        self._watched.discard(connection)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [one for one in self._watched if one.deadline < now]:
            connection.expire()
        self._looking = bool(self._watched)
        if self._looking:
            loop.call_later(_LOOK_SECONDS, self._look)


def is_probe(url: bytes) -> bool:
    """Whether this asks for the health."""
    return url.split(b"?")[0].decode("latin-1") in PROBES


def fields_of(headers: list[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """Headers by their names in small letters; of several of one name the last counts."""
    return dict(headers)
