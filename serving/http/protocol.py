"""Requests on a connection: a short way for some, uvicorn's for the others.

Leaves out what is asked and answered: that is with the front's desk, and for all that goes the long
way with the ASGI application.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.http.connection import Connection
from serving.http.exchange import Exchange, Line
from serving.http.front import Front, fields_of
from serving.problems import Problem


class InferProtocol(Connection, Line):
    """One connection.

    Attributes:
        exchange: what goes the short way of the requests, if it is the one that comes in.
    """

    def __init__(self, front: Front, **given: Any) -> None:
        """Take what uvicorn gives its protocols, and what connections share."""
        super().__init__(front, **given)
        self.exchange: Exchange | None = None

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._check_offer()
            return
        fields = fields_of(self.headers)
        self._check_head(int(fields.get(b"content-length", b"0")))
        self._held.append(0)
        self.expect_100_continue = fields.get(b"expect", b"").lower() == b"100-continue"
        start = self.front.desk.find(self.url, fields)
        if start is None or self.parser.get_method() != b"POST":
            self.exchange = None
            self._begin_cycle()
            self._in_head = False
            return
        self.exchange = exchange = Exchange(self, start, fields)
        exchange.waits = self.expect_100_continue
        exchange.keep_alive = not self._leaving and self._stays_open()
        try:
            self.front.guard.check(fields.get(b"authorization"))
        except Problem as problem:
            exchange.refuse(problem)
        self._begin_exchange(exchange)
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        self._take_body(len(body))
        if self.cycle.response_complete:
            return
        if self.exchange is not None:
            self.exchange.add(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():  # only its head is: see `_decline`
            return
        self._receiving = False
        self._block = 0
        if not self._busy:
            self._expect_within(self.limits.idle_seconds)
            return
        self._wait_for_answer()
        if self.exchange is not None:
            self.exchange.end()
        else:
            super().on_message_complete()

    def send(self, exchange: Exchange, status: int, content: bytes) -> None:
        """Write an exchange's answer and turn to the next request."""
        exchange.response_started = exchange.response_complete = True
        if exchange.keep_alive:
            stamp = self.front.stamp(self.server_state.default_headers)
            self.transport.write(STATUS_LINE[status] + stamp + content)
        else:
            self._write_last(status, content)
            self.transport.close()
        self.on_response_complete()

    def invite(self) -> None:
        """Tell a client that waits for it to send the body."""
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if isinstance(cycle, Exchange):
            cycle.take_turn()
        else:
            super()._start_asgi_task(cycle, app)

    def _stays_open(self) -> bool:
        return self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"

    def _begin_exchange(self, exchange: Exchange) -> None:
        busy, self.cycle = self._busy, exchange  # type: ignore[assignment]
        if busy:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]
        else:
            exchange.take_turn()
