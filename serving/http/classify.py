"""`POST /v1/classify`: the bytes of a photo, or several as a form, to labels and probabilities."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.engine import Images, Probabilities
from serving.http.photos import Decoder
from serving.http.refusals import unsupported
from serving.model import ServedModel
from serving.models import Models
from serving.problems import Problem, invalid

if TYPE_CHECKING:
    from serving.options import ServeOptions

_DEFAULT_TOP = 5


class Photo(NamedTuple):
    """What a client sent, and what it calls it."""

    name: str
    data: bytes


class Classifier:
    """Photos to labels."""

    def __init__(self, models: Models, options: ServeOptions) -> None:
        """Nothing runs before the first photo."""
        self._models = models
        self._seconds = options.deadline
        self._count = options.photos.count
        self._decoder = Decoder(options.photos)

    async def classify(self, request: Request) -> Response:
        """Answer a request: one photo is the body, several are the files of a form.

        Of several each gets its own answer, which may be an error.
        """
        model = self._models.get(request.query_params.get("model") or self._models.names[0])
        top = _top(request.query_params.get("top"), len(model.labels))
        deadline = None if self._seconds is None else time.monotonic() + self._seconds
        about = {"model": model.name, "version": model.version}
        if request.headers.get("content-encoding", "identity") != "identity":
            raise unsupported("photos are compressed already: send them without Content-Encoding")
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            rows = await self._several(request, model, top, deadline)
            return JSONResponse({**about, "photos": rows})
        image = await self._decode(model, await request.body(), deadline)
        probabilities = await model.batcher.predict(image[None], deadline)
        return JSONResponse({**about, **_labelled(model, probabilities[0], top)})

    async def _several(
        self, request: Request, model: ServedModel, top: int, deadline: float | None
    ) -> list[dict[str, Any]]:
        async with _photos_of(request, self._count) as photos:
            work = [self._try_to_decode(model, photo.data, deadline) for photo in photos]
            images = await asyncio.gather(*work)
        whole = [image for image in images if not isinstance(image, Problem)]
        if not whole:
            assert isinstance(images[0], Problem)
            raise images[0]
        answers = iter(await model.batcher.predict(np.stack(whole), deadline))
        return [
            {"name": photo.name, **_row(model, image, answers, top)}
            for photo, image in zip(photos, images, strict=True)
        ]

    async def _try_to_decode(
        self, model: ServedModel, data: bytes, deadline: float | None
    ) -> Images | Problem:
        try:
            return await self._decode(model, data, deadline)
        except Problem as problem:
            return problem

    async def _decode(self, model: ServedModel, data: bytes, deadline: float | None) -> Images:
        if not data:
            raise invalid("the body is empty: send the bytes of a photo")
        try:
            return await self._decoder.decode(model, data, deadline)
        except Problem as problem:
            if problem.status < 500:
                model.observations.count("invalid")
            raise


@asynccontextmanager
async def _photos_of(request: Request, count: int) -> AsyncIterator[list[Photo]]:
    """The files of a form, in their order."""
    async with request.form(max_files=count, max_fields=count) as form:
        photos = await _files(form)
        if not photos:
            raise invalid("the form holds no file: send each photo as one")
        yield photos


async def _files(form: FormData) -> list[Photo]:
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    return [Photo(file.filename or name, await file.read()) for name, file in files]


def _top(given: str | None, classes: int) -> int:
    if given is None:
        return min(_DEFAULT_TOP, classes)
    if not (given.isascii() and given.isdigit() and 0 < len(given) < 10 and int(given)):
        raise invalid("top has to be the number of labels wanted, 1 or more")
    return min(int(given), classes)


def _row(model: ServedModel, image: Images | Problem, answers: Any, top: int) -> dict[str, Any]:
    if isinstance(image, Problem):
        return {"error": {"status": image.status, "title": image.title, "detail": image.detail}}
    return _labelled(model, next(answers), top)


def _labelled(model: ServedModel, row: Probabilities, top: int) -> dict[str, Any]:
    best = np.argsort(-row, kind="stable")[:top].tolist()
    labels = model.labels
    ranked = [{"label": labels[place], "probability": float(row[place])} for place in best]
    return {**ranked[0], "predictions": ranked}
