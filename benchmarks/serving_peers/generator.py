"""A small load generator: each connection sends its next request when the answer is there.

    python generator.py URL HEADERS.json-text BODY-FILE CONNECTIONS SECONDS

One JSON object on stdout. Answers that are under way at the end are waited for and counted;
one that does not come is an error.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

_OK = 200
_LAST_ANSWERS = 30


class Tally:
    """What all connections have seen."""

    def __init__(self, connections: int, seconds: float) -> None:
        self.times: list[float] = []
        self.errors = 0
        self.started = time.perf_counter()
        self.end = self.started + seconds
        self.done = asyncio.get_running_loop().create_future()
        self.open = connections

    def close(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by its type.
        self._transport = cast(asyncio.WriteTransport, transport)
        self._is_done = False
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_done:
            self._tally.errors += 1
            self._tally.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        if self._parser.get_status_code() == _OK:
            self._tally.times.append(now - self._sent)
        else:
            self._tally.errors += 1
        if now < self._tally.end:
            self._send()
        else:
            self._is_done = True
            self._transport.close()
            self._tally.close()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sent = time.perf_counter()
        self._transport.write(self._request)


async def run(address: str, headers: str, body: Path, connections: int, seconds: float) -> None:
    place = urlsplit(address)
    host, port = place.hostname or "127.0.0.1", place.port or 80
    request = _request(address, json.loads(headers), body.read_bytes())
    loop = asyncio.get_running_loop()
    tally = Tally(connections, seconds)
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(request, tally), host, port)
    await asyncio.wait([tally.done], timeout=seconds + _LAST_ANSWERS)
    tally.errors += tally.open
    print(json.dumps(_summary(tally)))


def _request(address: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    place = urlsplit(address)
    first = [("host", place.netloc), ("content-length", str(len(body)))]
    lines = [f"{name}: {value}\r\n" for name, value in [*first, *headers]]
    return f"POST {place.path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body


def _summary(tally: Tally) -> dict[str, float]:
    times = sorted(tally.times)
    return {
        "requests": len(times),
        "seconds": time.perf_counter() - tally.started,
        "p50": _share(times, 0.5),
        "p99": _share(times, 0.99),
        "errors": tally.errors,
    }


def _share(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] if times else 0.0


if __name__ == "__main__":
    url, told, file, count, length = sys.argv[1:]
    uvloop.run(run(url, told, Path(file), int(count), float(length)))
