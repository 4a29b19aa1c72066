"""Connections that ask one thing and then stay open for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tlsearch.errors import NoResultError

_PATH = "/v2/health/live"
_SECONDS = 10


@contextmanager
def idle_connections(address: str, count: int) -> Iterator[None]:
    """So many to the server at that address, which has to keep them while the block runs.

    Raises:
        NoResultError: it has closed one.
    """
    place = urlsplit(address)
    with ExitStack() as stack:
        idlers = [HTTPConnection(place.hostname or "", place.port, _SECONDS) for _ in range(count)]
        for idler in idlers:
            stack.enter_context(closing(idler))
            _ask(idler)
            idler.auto_open = 0
        yield
        for idler in idlers:
            _ask(idler)


def _ask(idler: HTTPConnection) -> None:
    try:
        idler.request("GET", _PATH)
        answer = idler.getresponse()
        answer.read()
    except (OSError, HTTPException) as error:
        raise NoResultError("an idle connection was closed", received=repr(error)) from error
    if answer.status != 200:
        raise NoResultError("an idle connection was refused", received=answer.status)
