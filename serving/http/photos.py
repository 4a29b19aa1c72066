"""Photos of requests: opened once, looked at before they are decoded, decoded as training did.

Small ones are read by whoever then runs the model, where as many threads do that as there are
cores: another thread would only cost the way to it. Large ones, which would keep others waiting,
have threads of their own.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import final

from PIL import Image

from serving.http.refusals import problem_of, unreadable, unsupported
from serving.model import ServedModel
from serving.options import PhotoOptions
from serving.pieces import Done, Outcome, Unread
from serving.problems import Problem, expired, invalid, overloaded, unavailable
from serving.session import Images
from tlsearch.cores import usable_cores
from tlsearch.data.photo import (
    TooManyPixels,
    UnknownFormat,
    UnreadablePhoto,
    open_photo,
    read_opened,
)

_SMALL_BYTES = 128 * 1024
"""A header is looked at on the event loop if no more comes with it: some take Pillow long."""
_RUN_PIXELS = 1_000_000
"""Of all photos of one run together: they are decoded in about 10 ms."""
_WAITING = 256
"""Photos that may wait for each decoder."""
_WAITING_BYTES = 256 * 1024**2
_USUAL_SECONDS = 0.02
_NEWEST = 0.1


@final
class SentPhoto(Unread):
    """The bytes of a photo for a model. Its methods may be called in any thread."""

    def __init__(self, data: bytes, model: ServedModel, options: PhotoOptions) -> None:
        """Nothing is looked at yet."""
        self._data = data
        self._model = model
        self._options = options
        self._image: Image.Image | None = None

    def open(self) -> Image.Image:
        """Look at the header, unless that was done; nothing is decoded.

        Raises:
            Problem: 415 it is in no format that the options allow; 422 too many pixels, or
                damaged.
        """
        if self._image is None:
            formats, pixels = self._options.formats, self._options.pixels
            try:
                self._image = open_photo(self._data, formats, pixels)
            except UnknownFormat as error:
                kinds = ", ".join(formats)
                raise unsupported(f"no picture in one of the formats {kinds}") from error
            except TooManyPixels as error:
                detail = f"a photo may have {pixels:,} pixels, and this one says that it has more"
                raise unreadable(detail) from error
            except UnreadablePhoto as error:
                raise unreadable(f"the header is damaged: {error.reason}"[:200]) from error
            except MemoryError as error:
                raise _no_memory() from error
        return self._image

    def read(self) -> Images:
        """Decode it, to uint8 `[1, size, size, 3]` as the model wants it.

        Raises:
            Problem: as `open`, and 422 cut off or damaged.
        """
        started = time.monotonic()
        image = self.open()
        try:
            pixels = read_opened(image, self._model.image_size)
        except UnreadablePhoto as error:
            raise unreadable(error.reason) from error
        except MemoryError as error:
            raise _no_memory() from error
        self._model.observations.decoded(time.monotonic() - started)
        return pixels[None]


class Photos:
    """The way of photos to their model. Its methods belong to the event loop's thread."""

    def __init__(self, options: PhotoOptions) -> None:
        """Threads start with the first photo that needs them."""
        self._options = options
        self._decoder = Decoder(options.decoders or usable_cores())

    def submit(self, data: bytes, model: ServedModel, deadline: float | None, done: Done) -> None:
        """Have one photo predicted; as `Batcher.submit`.

        Args:
            deadline: after which it need not be decoded nor run, on the clock of `time.monotonic`.

        Raises:
            Problem: 400, 415, 422 it is none, which was found at once; 503 too many wait.
        """
        photo = self._take(data, model)
        if len(data) <= _SMALL_BYTES and self._is_read_by(model):
            width, height = photo.open().size
            if width * height * model.batcher.plan.chunk <= _RUN_PIXELS:
                model.batcher.submit(photo, deadline, done)
                return
        work = self._decoder.decode(photo, len(data), deadline)
        work.add_done_callback(partial(_go_on, model, deadline, done))

    async def read(self, data: bytes, model: ServedModel, deadline: float | None) -> Images:
        """A photo as the model wants it, uint8 `[1, size, size, 3]`.

        Raises:
            Problem: 400, 415, 422 it is none; 503 too many wait; 504 its deadline passed.
        """
        return await self._decoder.decode(self._take(data, model), len(data), deadline)

    def close(self) -> None:
        """Decode no more of what waits; nobody is there any more to be answered."""
        self._decoder.close()

    def _take(self, data: bytes, model: ServedModel) -> SentPhoto:
        if not data:
            raise invalid("the body is empty: send the bytes of a photo")
        return SentPhoto(data, model, self._options)

    def _is_read_by(self, model: ServedModel) -> bool:
        """Whether the model's threads are as many as may decode."""
        return max(1, model.batcher.plan.workers) >= self._decoder.count


class Decoder:
    """Threads that read photos. Its methods belong to the event loop's thread."""

    def __init__(self, count: int) -> None:
        """They start with the first photo.

        Args:
            count: of threads.
        """
        self.count = count
        self._threads = ThreadPoolExecutor(count, "decode")
        self._open = self._bytes = 0
        self._seconds = _USUAL_SECONDS

    def decode(self, photo: SentPhoto, size: int, deadline: float | None) -> asyncio.Future[Images]:
        """Read a photo when its turn comes.

        Args:
            size: its bytes.

        Raises:
            Problem: 503 too many wait. All others are in the future.
        """
        is_full = self._open >= _WAITING * self.count
        if is_full or (self._open and self._bytes + size > _WAITING_BYTES):
            raise overloaded(self._open * self._seconds / self.count)
        self._open += 1
        self._bytes += size
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._read, photo, deadline)
        work.add_done_callback(partial(self._count_out, size))
        return work

    def close(self) -> None:
        """Read no more of what waits; the threads end after what they read now."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _count_out(self, size: int, work: asyncio.Future[Images]) -> None:
        self._open -= 1
        self._bytes -= size

    def _read(self, photo: SentPhoto, deadline: float | None) -> Images:
        started = time.monotonic()
        if deadline is not None and started > deadline:
            raise expired()
        images = photo.read()
        # If another thread's update is lost in this one, that does no harm.
        self._seconds += _NEWEST * (time.monotonic() - started - self._seconds)
        return images


def _go_on(
    model: ServedModel, deadline: float | None, done: Done, work: asyncio.Future[Images]
) -> None:
    """A photo is read, or not: on with it to the model."""
    error = work.exception() if not work.cancelled() else unavailable("the server stops")
    if error is None:
        model.batcher.submit(work.result(), deadline, done)
        return
    problem = problem_of(error)
    model.observations.count(problem.outcome)
    done(Outcome(None, problem))


def _no_memory() -> Problem:
    return unavailable("there is no memory for a photo of this size")
