"""What a server answers when it cannot answer: problem details (RFC 9457), each with its status.

Leaves out how they travel: HTTP writes `Problem.body` with the content type `PROBLEM_JSON`.
"""

from __future__ import annotations

import json
import math

from tlsearch.errors import TlsearchError

PROBLEM_JSON = "application/problem+json"


class Problem(TlsearchError):
    """A request that gets no predictions, and why.

    Attributes:
        status: of HTTP.
        title: the same for all problems of its kind.
        detail: what is wrong this time, and what to do about it.
        retry_after: whole seconds after which trying again makes sense.
    """

    def __init__(
        self, status: int, title: str, detail: str, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after = retry_after

    @property
    def outcome(self) -> str:
        """A word for metrics, such as `too_large`; `invalid` for all else that clients do wrong."""
        if self.status < 500 and self.status != 413:
            return "invalid"
        return self.title.lower().replace(" ", "_")

    @property
    def body(self) -> bytes:
        """As JSON, with the key `error` that clients of the Open Inference Protocol read."""
        members = {"title": self.title, "status": self.status, "detail": self.detail}
        return json.dumps({**members, "error": str(self)}).encode()


def invalid(detail: str) -> Problem:
    """400: the request does not say what it has to."""
    return Problem(400, "Invalid", detail)


def not_found(detail: str) -> Problem:
    """404: there is no such model, version or page."""
    return Problem(404, "Not found", detail)


def too_many(photos: int, limit: int) -> Problem:
    """413: more photos in one request than may wait at all."""
    detail = f"{photos} photos in one request, where at most {limit} may wait; send fewer at a time"
    return Problem(413, "Too large", detail)


def failed(detail: str = "the model could not compute this; the server's log says why") -> Problem:
    """500: the fault is the server's."""
    return Problem(500, "Failed", detail)


def overloaded(seconds: float) -> Problem:
    """503: the queue is full, and will be empty in about so many seconds."""
    detail = "more requests are waiting than may wait; try again later"
    return Problem(503, "Overloaded", detail, max(1, math.ceil(seconds)))


def unavailable(detail: str, retry_after: int = 1) -> Problem:
    """503: not now: a model is still loading, or the server is about to stop."""
    return Problem(503, "Unavailable", detail, retry_after)


def expired() -> Problem:
    """504: the request's time was over before its turn came, so it was not run."""
    return Problem(504, "Expired", "its deadline passed while it waited; allow more time")
