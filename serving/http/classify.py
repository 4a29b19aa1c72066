"""`POST /v1/classify` with one photo as its body: to labels, on the short way of infer requests.

Leaves out several photos in one request: `forms.py`.
"""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import NamedTuple

import httptools

from serving.batching import Outcome
from serving.http.answers import Reply, refuse, write_labels
from serving.http.photos import Photos
from serving.http.refusals import unsupported
from serving.model import ServedModel
from serving.models import Models
from serving.problems import Problem, failed, invalid

PATH = "/v1/classify"
_DEFAULT_TOP = 5


class Query(NamedTuple):
    """What an address asks for, as it stands there.

    Attributes:
        model: its name; None: the server's first.
        top: how many labels.
    """

    model: str | None
    top: str | None


@lru_cache(maxsize=256)
def find_query(url: bytes) -> Query | None:
    """What a classify request's address asks for; None if it is another kind of address."""
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        return None
    if urllib.parse.unquote((parsed.path or b"").decode("latin-1")) != PATH:
        return None
    text = (parsed.query or b"").decode("latin-1")
    given = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
    return Query(given.get("model"), given.get("top"))


class Choice(NamedTuple):
    """What is asked of which model.

    Attributes:
        top: how many labels, no more than the model has.
        deadline: on the clock of `time.monotonic`; None: any time will do.
    """

    model: ServedModel
    top: int
    deadline: float | None


class Classifier:
    """Photos to labels.

    Attributes:
        photos: how they come to their model.
    """

    def __init__(self, models: Models, photos: Photos, seconds: float | None) -> None:
        """Nothing runs before the first photo.

        Args:
            seconds: the most time that a request has, waiting included.
        """
        self._models = models
        self.photos = photos
        self._seconds = seconds

    def start(self, query: Query, fields: Mapping[bytes, bytes], body: bytes, reply: Reply) -> None:
        """Answer a request; `reply` is called once, on the loop's thread, perhaps at once.

        Args:
            fields: the request's headers by their names in small letters.
        """
        try:
            choice = self.choose(query, fields.get(b"content-encoding", b"identity"))
            self._submit(choice, body, reply)
        except Exception as error:
            refuse(reply, error)

    def choose(self, query: Query, encoding: bytes) -> Choice:
        """What a request asks for, of which model.

        Args:
            encoding: of its body.

        Raises:
            Problem: 404 there is no such model; 400 `top` is no number; 415 a compressed body.
        """
        model = self._models.get(query.model or self._models.names[0])
        top = _top(query.top, len(model.labels))
        if encoding.lower() != b"identity":
            raise unsupported("photos are compressed already: send them without Content-Encoding")
        deadline = None if self._seconds is None else time.monotonic() + self._seconds
        return Choice(model, top, deadline)

    def _submit(self, choice: Choice, body: bytes, reply: Reply) -> None:
        model, top, deadline = choice
        try:
            self.photos.submit(body, model, deadline, partial(_finish, model, top, reply))
        except Problem as problem:
            model.observations.count(problem.outcome)
            raise


def _top(given: str | None, classes: int) -> int:
    if given is None:
        return min(_DEFAULT_TOP, classes)
    if not (given.isascii() and given.isdigit() and 0 < len(given) < 10 and int(given)):
        raise invalid("top has to be the number of labels wanted, 1 or more")
    return min(int(given), classes)


def _finish(model: ServedModel, top: int, reply: Reply, outcome: Outcome) -> None:
    if outcome.probabilities is None:
        refuse(reply, outcome.problem or failed())
        return
    try:
        content = write_labels(model, outcome.probabilities[0], top)
    except Exception as error:
        refuse(reply, error)
    else:
        reply(200, content)
