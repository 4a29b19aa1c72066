"""One request that goes the short way, where uvicorn would keep a request/response cycle.

Leaves out what is asked and answered: whoever stands at the `Desk` knows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from serving.http.answers import Reply, write_problem
from serving.problems import Problem

Start = Callable[[Mapping[bytes, bytes], bytes, Reply], None]
"""Takes a request's headers by their names in small letters, its body, and who gets the answer."""

_PIECES = 256
"""Chunks are joined when there are so many: a small one costs ten times its bytes."""


class Desk(ABC):
    """Whoever answers requests on the short way."""

    @abstractmethod
    def find(self, url: bytes, fields: Mapping[bytes, bytes]) -> Start | None:
        """What answers a POST to this address; None: it goes the long way."""


class Line(ABC):
    """The connection that an exchange answers on."""

    @abstractmethod
    def send(self, exchange: Exchange, status: int, content: bytes) -> None:
        """Write the answer; it is this exchange's turn."""

    @abstractmethod
    def invite(self) -> None:
        """Tell a client that waits for it to send the body."""


class _NoEvent:
    def set(self) -> None:
        """Nobody waits."""


class Exchange:
    """Collects a body, has it answered when its turn comes.

    Attributes:
        response_complete: the answer was written.
        disconnected: nobody is there to be answered.
        keep_alive: the connection stays open afterwards.
        message_event: uvicorn sets it when the connection is lost.
    """

    __slots__ = (
        "_body",
        "_complete",
        "_fields",
        "_line",
        "_pieces",
        "_problem",
        "_start",
        "_turn",
        "disconnected",
        "keep_alive",
        "response_complete",
        "response_started",
        "waits",
    )
    message_event = _NoEvent()

    def __init__(self, line: Line, start: Start, fields: Mapping[bytes, bytes]) -> None:
        """Nothing of the body is there yet.

        Args:
            start: what answers the request.
            fields: the request's headers by their names in small letters.
        """
        self._line = line
        self._start = start
        self._fields = fields
        self._body = bytearray()
        self._pieces: list[bytes] = []
        self._problem: Problem | None = None
        self._complete = False
        self._turn = False
        self.waits = False
        self.keep_alive = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    def refuse(self, problem: Problem) -> None:
        """Answer with this problem; the body is read to its end and forgotten."""
        self._problem = problem

    def add(self, piece: bytes) -> None:
        """Take the next part of the body."""
        if self._problem is None:
            self._pieces.append(piece)
            if len(self._pieces) > _PIECES:
                self._body += b"".join(self._pieces)
                self._pieces.clear()

    def end(self) -> None:
        """The body is whole."""
        self._complete = True
        if self._turn:
            self._answer()

    def take_turn(self) -> None:
        """All earlier requests on the connection are answered."""
        self._turn = True
        if self._complete:
            self._answer()
        elif self.waits:
            self._line.invite()

    def reply(self, status: int, content: bytes) -> None:
        """Write the answer, unless nobody is there any more."""
        if not self.disconnected:
            self._line.send(self, status, content)

    def _answer(self) -> None:
        if self._problem is not None:
            self.reply(self._problem.status, write_problem(self._problem))
        else:
            self._start(self._fields, self._whole(), self.reply)

    def _whole(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        if self._body:
            return bytes(self._body) + b"".join(pieces)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
