"""An infer request on its way to the model and back: no framework, no task, no coroutine."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.parse
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import NamedTuple

import httptools

from serving.batching import Outcome
from serving.http.answers import Reply, refuse, write_answer
from serving.http.encoding import decompress
from serving.http.tensors import Wish, read_request
from serving.model import ServedModel
from serving.models import Models
from serving.problems import Problem, failed, invalid

_PATH = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")


class Target(NamedTuple):
    """Which model a request is for; no version: the current one."""

    name: str
    version: str | None


@lru_cache(maxsize=256)
def find_target(url: bytes) -> Target | None:
    """The model that an infer request's address names; None if it is another kind of address."""
    try:
        path = httptools.parse_url(url).path or b""
    except httptools.HttpParserInvalidURLError:
        return None
    found = _PATH.fullmatch(path.decode("latin-1"))
    if found is None:
        return None
    name, version = found.groups()
    return Target(urllib.parse.unquote(name), version and urllib.parse.unquote(version))


class Inference:
    """Reads requests, hands them to the model's queue, writes what comes back."""

    def __init__(
        self, models: Models, seconds: float | None, largest_body: int, largest_json: int
    ) -> None:
        """Take the limits.

        Args:
            seconds: the most time that a request has, waiting included.
            largest_body: bytes of a compressed body after decompression.
            largest_json: bytes of JSON that are parsed.
        """
        self._models = models
        self._seconds = seconds
        self._largest_body = largest_body
        self._largest_json = largest_json

    def start(
        self, target: Target, fields: Mapping[bytes, bytes], body: bytes, reply: Reply
    ) -> None:
        """Answer a request; `reply` is called once, on the loop's thread, perhaps at once.

        Args:
            fields: the request's headers by their names in small letters.
        """
        try:
            encoding = fields.get(b"content-encoding", b"identity").lower()
            if encoding != b"identity":
                self._start_compressed(target, fields, (body, encoding), reply)
            else:
                self._submit(target, fields, body, reply)
        except Exception as error:
            refuse(reply, error)

    def _submit(
        self, target: Target, fields: Mapping[bytes, bytes], body: bytes, reply: Reply
    ) -> None:
        model = self._models.get(*target)
        length = _length(fields.get(b"inference-header-content-length"))
        try:
            images, header = read_request(body, length, model.image_size, self._largest_json)
        except Problem:
            model.observations.count("invalid")
            raise
        done = partial(_finish, model, header.wish, reply)
        model.batcher.submit(images, self._deadline(header.timeout), done)

    def _deadline(self, wanted: float | None) -> float | None:
        given = [seconds for seconds in (wanted, self._seconds) if seconds is not None]
        return time.monotonic() + min(given) if given else None

    def _start_compressed(
        self,
        target: Target,
        fields: Mapping[bytes, bytes],
        packed: tuple[bytes, bytes],
        reply: Reply,
    ) -> None:
        """Decompress in another thread, then go on as ever."""
        work = asyncio.get_running_loop().run_in_executor(
            None, decompress, *packed, self._largest_body
        )

        def go_on(work: asyncio.Future[bytes]) -> None:
            try:
                self._submit(target, fields, work.result(), reply)
            except Exception as error:
                refuse(reply, error)

        work.add_done_callback(go_on)


def _finish(model: ServedModel, wish: Wish, reply: Reply, outcome: Outcome) -> None:
    if outcome.probabilities is None:
        refuse(reply, outcome.problem or failed())
        return
    try:
        content = write_answer(model, outcome.probabilities, wish)
    except Exception as error:
        refuse(reply, error)
    else:
        reply(200, content)


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 12:
        raise invalid("Inference-Header-Content-Length has to be a number of bytes")
    return int(value)
