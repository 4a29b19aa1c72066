"""A connection with limits: uvicorn's, watched and closed as the options say.

Holds for every request, whatever is asked; which way it goes is `protocol.py`.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.http.answers import write_problem
from serving.http.eviction import Evictable
from serving.http.front import Front, Watched, is_probe
from serving.http.refusals import crowded, long_header, no_proxy, too_large, too_slow
from serving.problems import Problem, invalid

_LONGEST_PIPELINE = 64
_CHUNK_COST = 6
"""Bytes on the wire of a chunk of one byte, the most that a byte of a body may cost."""
_GIVE_UP_SECONDS = 2.0


class Connection(HttpToolsProtocol, Watched, Evictable):
    """What every connection has: deadlines, limits, an end that clients hear of.

    Attributes:
        deadline: on the loop's clock; by then the request, or the next one, has to be there.

    `_held` has the bytes of the body of each request that is not answered, in their order.
    """

    def __init__(self, front: Front, **given: Any) -> None:
        """Take what uvicorn gives its protocols, and what connections share."""
        super().__init__(**given)
        self.front = front
        self.limits = front.limits
        self.deadline = math.inf
        self._on_reserve = False
        self._leaving = False
        self._closing = False
        self._receiving = False
        self._in_head = False
        self._head_bytes = self._body_bytes = self._fed = self._block = 0
        self._held: deque[int] = deque()
        self._hears_until = 0.0
        self._last_words: Problem | None = None

    # The transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.front.watch(self)
        self._expect_within(min(self.limits.idle_seconds, self.limits.receive_seconds))
        beyond = len(self.connections) - self.limits.connections
        if beyond > 0 and not self._make_room():
            self._on_reserve = True
            if beyond > self.limits.reserve:
                self._dismiss(crowded())

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.forget(self)
        self._release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            silent_at = self.loop.time() + _GIVE_UP_SECONDS
            self.deadline = max(self.deadline, min(silent_at, self._hears_until))
            return
        self._block = len(data)
        self._fed += self._block
        offer = self._feed(data)
        if offer is not None:
            self._decline(offer, data)
        # `_head_bytes` counts what the parser has reported; a header without an end it has not.
        rest = self._fed - _CHUNK_COST * self._body_bytes
        if self._receiving and rest > self.limits.header_bytes:
            self._refuse(long_header(self.limits.header_bytes))

    def pause_writing(self) -> None:
        super().pause_writing()
        self.flow.pause_reading()
        self._expect_within(self.limits.receive_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._receiving:
            self._expect_within(self.limits.receive_seconds)
        elif self._busy:
            self.deadline = math.inf
        else:
            self._expect_within(self.limits.idle_seconds)
        self._read_on()

    def shutdown(self) -> None:
        """Answer what has begun, and what the client sends before it hears of the end."""
        self._leaving = True
        self._hears_until = 0.0
        if self._busy:
            self.cycle.keep_alive = False
        if self._receiving:
            self.deadline = min(self.deadline, self.loop.time() + self.front.ending_seconds)
        elif not self._busy:
            self._expect_within(self.limits.linger_seconds)

    def expire(self) -> None:
        """Too late: tell the client if it still sends, and close."""
        if self._closing or self.transport.is_closing() or self.flow.write_paused:
            self.transport.abort()
        elif self._receiving:
            self._refuse(too_slow(self.limits.receive_seconds))
        else:
            self.transport.close()
            self._expect_within(_GIVE_UP_SECONDS)

    @property
    def idle_since(self) -> float:
        if self._busy or self._receiving or self._closing or self.flow.write_paused:
            return math.inf
        if self.transport.is_closing():
            return math.inf
        limits = self.limits
        is_new = self.cycle is None
        given = min(limits.idle_seconds, limits.receive_seconds) if is_new else limits.idle_seconds
        return self.deadline - given

    # The parser

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._receiving = self._in_head = True
        self._head_bytes = self._body_bytes = 0
        self._fed = self._block
        if self.transport.is_closing():
            raise invalid("this connection is closed")
        if not self._busy:
            seconds = self.limits.receive_seconds
            self._expect_within(
                min(seconds, self.front.ending_seconds) if self._leaving else seconds
            )
        elif not self.cycle.keep_alive:
            raise invalid("this connection was about to be closed")

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._in_head:
            self.headers.append((name.lower(), value))

    # The answers

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._held:
            self.front.release(self._held.popleft())
        if self.transport.is_closing():
            self._expect_within(self.limits.receive_seconds)
        elif self.pipeline:
            waiting = self.pipeline.pop()
            if self._receiving and not self.pipeline:
                self._expect_within(self.limits.receive_seconds)
            self._read_on()
            self._start_asgi_task(*waiting)
        elif self._last_words is not None:
            self._dismiss(self._last_words)
        else:
            self._wait_for_more()

    def send_400_response(self, msg: str) -> None:
        self._refuse(invalid(msg))

    # The inside

    def _make_room(self) -> bool:
        others = cast("Iterable[Evictable]", self.connections)
        return self.front.eviction.make_room(others, self.loop.time())

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _check_head(self, length: int) -> None:
        if self._head_bytes > self.limits.header_bytes:
            raise long_header(self.limits.header_bytes)
        if length > self.limits.body_bytes:
            raise too_large(self.limits.body_bytes)
        if self._on_reserve and not is_probe(self.url):
            raise crowded()
        if len(self.pipeline) >= _LONGEST_PIPELINE:
            raise invalid(f"no more than {_LONGEST_PIPELINE} requests may wait on a connection")

    def _take_body(self, size: int) -> None:
        """Count a part of a body.

        Raises:
            Problem: 413 it is too large; 503 all bodies together are.
        """
        self._body_bytes += size
        if self._body_bytes > self.limits.body_bytes:
            raise too_large(self.limits.body_bytes)
        if not self.cycle.response_complete:
            self.front.hold(size)
            self._held[-1] += size

    def _check_offer(self) -> None:
        """Refuse CONNECT: of what the parser takes for a change of protocols, no mere offer."""
        if self.parser.get_method() == b"CONNECT":
            raise no_proxy()

    def _feed(self, *parts: bytes | memoryview) -> httptools.HttpParserUpgrade | None:
        """Let the parser read; the offer that it has stopped at, if any."""
        try:
            for part in parts:
                self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as offer:
            return offer
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Problem) else invalid("this is not HTTP"))
        return None

    def _decline(self, offer: httptools.HttpParserUpgrade | None, data: bytes) -> None:
        """Read on as if the client had not offered another protocol.

        After such a head the parser leaves the rest alone, so another one is told the head anew.
        """
        rest = memoryview(data)
        while offer is not None:
            rest = rest[offer.args[0] :]
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            offer = self._feed(head, rest)

    def _head_without_offer(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        fields = [b"%b: %b\r\n" % pair for pair in self.headers if pair[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(fields))

    def _begin_cycle(self) -> None:
        """Hand the request to uvicorn; its scope is made only now that it is needed."""
        url, headers, waits = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, waits
        self.headers.extend(headers)
        super().on_headers_complete()
        if self._leaving:
            self.cycle.keep_alive = False

    def _wait_for_more(self) -> None:
        if self._receiving:
            self._expect_within(self.limits.receive_seconds)
        elif self._leaving:
            self._expect_within(self.limits.linger_seconds)
        else:
            self._expect_within(self.limits.idle_seconds)
        self._read_on()

    def _refuse(self, problem: Problem) -> None:
        """Answer the request that is being received with a problem, in its turn, and close."""
        if self._closing or self.transport.is_closing():
            return
        waits = self._busy
        if self._receiving and not self._in_head:
            waits = self._give_up_cycle()
        if waits:
            self._last_words, self._closing = problem, True
            self.flow.pause_reading()
        elif self._receiving and not self._in_head and self.cycle.response_started:
            self._closing = True
            self._hear_out(self.cycle.response_complete)
        else:
            self._dismiss(problem)

    def _give_up_cycle(self) -> bool:
        """Forget the request whose body is being received; whether an earlier one is at work."""
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
            self.front.release(self._held.pop())
            return True
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return False

    def _dismiss(self, problem: Problem) -> None:
        """Say why, and close."""
        self._closing = True
        self._write_last(problem.status, write_problem(problem))
        self._hear_out()

    def _hear_out(self, is_answered: bool = True) -> None:
        """Close, but not before the client has said what it has to say, so that it reads.

        Who closes on bytes that were not read resets the connection, and a reset may overtake
        the answer. What still comes is thrown away, as long as the request may take to come.
        """
        self._release()
        if self._receiving and not self._leaving and self.deadline < math.inf:
            self._hears_until = self.deadline
        if is_answered and self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()
        linger = self.limits.linger_seconds
        self._expect_within(linger if self._leaving else _GIVE_UP_SECONDS)

    def _write_last(self, status: int, content: bytes) -> None:
        stamp = self.front.stamp(self.server_state.default_headers)
        self.transport.write(STATUS_LINE[status] + stamp + b"connection: close\r\n" + content)

    def _expect_within(self, seconds: float) -> None:
        self.deadline = self.loop.time() + seconds

    def _wait_for_answer(self) -> None:
        if not self.flow.write_paused:
            self.deadline = math.inf

    def _read_on(self) -> None:
        if not self.pipeline and not self.flow.write_paused:
            self.flow.resume_reading()

    def _release(self) -> None:
        self.front.release(sum(self._held))
        self._held.clear()
