"""Photos of a request: looked at before they are decoded, and decoded in a few threads."""

from __future__ import annotations

import asyncio
import io
import time
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from serving.cores import usable_cores
from serving.engine import Images
from serving.http.refusals import unreadable, unsupported
from serving.model import ServedModel
from serving.options import PhotoOptions
from serving.problems import Problem, expired, overloaded, unavailable
from tlsearch.data.photo import UnreadablePhoto, read_photo

_WAITING = 256
"""Photos that may wait for each decoder."""
_USUAL_SECONDS = 0.005


class Decoder:
    """Decodes photos as training did."""

    def __init__(self, options: PhotoOptions) -> None:
        """Threads start with the first photo."""
        self._options = options
        self._count = options.decoders or usable_cores()
        self._threads = ThreadPoolExecutor(self._count, "decode")
        self._open = 0

    async def decode(self, model: ServedModel, data: bytes, deadline: float | None) -> Images:
        """A photo's bytes to uint8 `[size, size, 3]`, as the model wants it.

        Args:
            deadline: after which it need not be decoded, on the clock of `time.monotonic`.

        Raises:
            Problem: 415 another format; 422 too many pixels, cut off, damaged; 503 too many photos
                wait; 504 its deadline passed.
        """
        if self._open >= _WAITING * self._count:
            raise overloaded(self._open * _USUAL_SECONDS / self._count)
        self._open += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._read, model, data, deadline)
        finally:
            self._open -= 1

    def _read(self, model: ServedModel, data: bytes, deadline: float | None) -> Images:
        started = time.monotonic()
        if deadline is not None and started > deadline:
            raise expired()
        check_photo(data, self._options)
        try:
            image = read_photo(data, model.image_size)
        except UnreadablePhoto as error:
            raise unreadable(error.reason) from error
        except MemoryError as error:
            raise unavailable("there is no memory for a photo of this size") from error
        model.observations.decoded(time.monotonic() - started)
        return image


def check_photo(data: bytes, options: PhotoOptions) -> None:
    """Look at a photo's header; nothing is decoded.

    Raises:
        Problem: 415 it is in no format that `options` allow; 422 too many pixels, or damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=options.formats) as image:
            width, height = image.size
    except Image.UnidentifiedImageError as error:
        formats = ", ".join(options.formats)
        raise unsupported(f"no picture in one of the formats {formats}") from error
    except Image.DecompressionBombError as error:
        raise _too_many(options.pixels) from error
    except Exception as error:  # Pillow's readers of headers raise nearly every built-in error
        raise unreadable(f"the header is damaged: {error}"[:200]) from error
    if width * height > options.pixels:
        raise _too_many(options.pixels)


def _too_many(limit: int) -> Problem:
    return unreadable(f"a photo may have {limit:,} pixels, and this one says that it has more")
