"""`POST /v1/classify` with several photos as the files of a form, each with its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import numpy as np
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.http.answers import labelled
from serving.http.classify import Choice, Classifier, Query
from serving.problems import Problem, invalid
from serving.session import Images


class File(NamedTuple):
    """What a client sent, and what it calls it."""

    name: str
    data: bytes


class Forms:
    """Several photos to labels."""

    def __init__(self, classifier: Classifier, count: int) -> None:
        """Nothing runs before the first form.

        Args:
            classifier: what answers requests of one photo.
            count: the most files of a form.
        """
        self._classifier = classifier
        self._count = count

    async def classify(self, request: Request) -> Response:
        """Answer a request; what is wrong with one of several photos is its own answer."""
        query = Query(request.query_params.get("model"), request.query_params.get("top"))
        encoding = request.headers.get("content-encoding", "identity")
        choice = self._classifier.choose(query, encoding.encode("latin-1"))
        async with _files_of(request, self._count) as files:
            images = await asyncio.gather(*(self._try_to_read(file, choice) for file in files))
        whole = [image for image in images if not isinstance(image, Problem)]
        if not whole:
            assert isinstance(images[0], Problem)
            raise images[0]
        model, top, deadline = choice
        answers = iter(await model.batcher.predict(np.concatenate(whole), deadline))
        rows = [
            _error(image) if isinstance(image, Problem) else labelled(model, next(answers), top)
            for image in images
        ]
        named = [{"name": file.name, **row} for file, row in zip(files, rows, strict=True)]
        return JSONResponse({**model.about, "photos": named})

    async def _try_to_read(self, file: File, choice: Choice) -> Images | Problem:
        try:
            return await self._classifier.photos.read(file.data, choice.model, choice.deadline)
        except Problem as problem:
            choice.model.observations.count(problem.outcome)
            return problem


@asynccontextmanager
async def _files_of(request: Request, count: int) -> AsyncIterator[list[File]]:
    """The files of a form, in their order."""
    _check_charset(request.headers.get("content-type", ""))
    async with request.form(max_files=count, max_fields=count) as form:
        files = await _read(form)
        if not files:
            raise invalid("the form holds no file: send each photo as one")
        yield files


def _check_charset(content_type: str) -> None:
    """Names are decoded by it, which with others of Python's codecs fails, or gives no text."""
    _, given = parse_options_header(content_type)
    charset = given.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise invalid(f"the charset of a form is UTF-8 here, not {charset[:40]!r}; leave it out")


async def _read(form: FormData) -> list[File]:
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    return [File(file.filename or name, await file.read()) for name, file in files]


def _error(problem: Problem) -> dict[str, Any]:
    told = {"status": problem.status, "title": problem.title, "detail": problem.detail}
    return {"error": told}
