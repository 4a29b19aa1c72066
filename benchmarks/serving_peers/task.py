"""What every side has to do: one image, and the probabilities that the model gives for it."""

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


@dataclass(frozen=True)
class Task:
    """Attributes:
    image: uint8 [size, size, 3].
    expected: float32 [classes]; of a photo, the largest first.
    photo: a JPEG that is sent in the image's place.
    """

    bundle: Path
    model: Path
    precision: str
    image: Array
    expected: Array
    photo: Path | None = None

    @property
    def size(self) -> int:
        """Pixels a side."""
        return len(self.image)


def make_task(bundle: Path, precision: str, photo: Path | None) -> Task:
    """The task with this bundle's model of that precision.

    Raises:
        BundleError: the bundle has none.
    """
    manifest = Manifest.read(bundle)
    model = (bundle / manifest.variant(precision).file).absolute()
    image = _image(manifest.image_size, photo)
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"images": image[None]})[0][0]
    if photo is not None:
        expected = np.sort(expected)[::-1]
    return Task(bundle.absolute(), model, precision, image, expected, photo)


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


def _image(size: int, photo: Path | None) -> Array:
    if photo is None:
        return np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    from tlsearch.data.photo import read_photo

    return read_photo(photo, size)
