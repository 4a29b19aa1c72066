"""The problems that only HTTP has: bodies too large, requests too slow, photos that are none."""

from __future__ import annotations

import logging

from serving.problems import Problem, failed

log = logging.getLogger(__name__)


def problem_of(error: BaseException) -> Problem:
    """The problem that an error is; 500, and the error in the log, if it is none."""
    if isinstance(error, Problem):
        return error
    log.error("a request could not be answered", exc_info=error)
    return failed("the server's log says why")


def unauthorized() -> Problem:
    """401: the token lacks or is another one."""
    return Problem(401, "Unauthorized", "send the header `Authorization: Bearer TOKEN`")


def switched_off(what: str) -> Problem:
    """403: this server was told not to do it."""
    return Problem(403, "Switched off", f"{what} is switched off on this server")


def no_proxy() -> Problem:
    """405: CONNECT, which only a proxy answers."""
    return Problem(405, "Wrong method", "this is no proxy: ask for an address of this server")


def too_slow(seconds: float) -> Problem:
    """408: the request was not complete in time."""
    detail = f"the whole request has to arrive within {seconds:g} s of its first byte"
    return Problem(408, "Too slow", detail)


def too_large(limit: int, what: str = "a body") -> Problem:
    """413: more bytes than are taken."""
    return Problem(413, "Too large", f"{what} of at most {limit:,} bytes is taken here")


def unsupported(detail: str) -> Problem:
    """415: a content of a kind that is not read here."""
    return Problem(415, "Unsupported content", detail)


def unreadable(detail: str) -> Problem:
    """422: it has the right kind, and still is no whole photo of a fair size."""
    return Problem(422, "Unreadable photo", detail)


def long_header(limit: int) -> Problem:
    """431: the head of the request is too long."""
    return Problem(431, "Long header", f"address and headers of at most {limit:,} bytes are taken")


def crowded() -> Problem:
    """503: there are as many connections as there may be."""
    return Problem(503, "Crowded", "too many connections; try again later", retry_after=1)
