"""What every side has to do: images, and the probabilities that the model gives for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from serving_peers.wire import Array
from tlsearch.errors import UsageError
from tlsearch.export.manifest import Manifest

_PIXELS = (500, 375)
_QUALITY = 92
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class Task:
    """One request, and what has to come back.

    Attributes:
        images: of one request, uint8 [n, size, size, 3].
        expected: float32 [n * classes]; of a photo, the largest first.
        provider: of onnxruntime: cpu or cuda.
        photo: a JPEG that is sent in the image's place.
    """

    bundle: Path
    model: Path
    precision: str
    images: Array
    expected: Array
    provider: str = "cpu"
    photo: Path | None = None

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.images.shape[1]


def make_task(
    bundle: Path, precision: str, photo: Path | None, count: int = 1, provider: str = "cpu"
) -> Task:
    """The task with this bundle's model of that precision, `count` images in a request.

    Raises:
        BundleError: the bundle has none.
    """
    manifest = Manifest.read(bundle)
    model = (bundle / manifest.variant(precision).file).absolute()
    images = _images(manifest.image_size, count, photo)
    quiet = ort.SessionOptions()
    quiet.log_severity_level = _ERRORS_ONLY
    session = ort.InferenceSession(str(model), quiet, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"images": images})[0].ravel()
    if photo is not None:
        expected = np.sort(expected)[::-1]
    return Task(bundle.absolute(), model, precision, images, expected, provider, photo)


def has_int8(bundle: Path) -> bool:
    """Whether the bundle has an int8 model."""
    return any(variant.precision == "int8" for variant in Manifest.read(bundle).variants)


def draw_photo(given: Path | None, file: Path) -> Path:
    """A JPEG of 500 x 375 pixels, drawn, unless one is given.

    Raises:
        UsageError: the given file is not there.
    """
    if given is not None:
        if not given.is_file():
            raise UsageError("no such photo", received=given, expected="a JPEG file")
        return given.absolute()
    from tlsearch.data.flowers import KINDS, draw

    draw(next(iter(KINDS)), max(_PIXELS), (0,)).resize(_PIXELS).save(file, quality=_QUALITY)
    return file


def _images(size: int, count: int, photo: Path | None) -> Array:
    if photo is None:
        return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    from tlsearch.data.photo import read_photo

    return read_photo(photo, size)[None]
