"""What a frozen prefix makes of the photos, computed once and kept while the worker lives.

Every epoch of a trial, and later trials with the same prefix, read the same numbers. They are
kept in this process' memory, least recently used first out, up to a limit; an entry that would
not fit is not made, and the trial runs the prefix in every step instead.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.execution.devices import gpus

if TYPE_CHECKING:
    import keras

WORTH_CONVERTING = 2_000
"""Photos from which on the conversion to onnxruntime pays."""

HALF = np.dtype("float16")
"""How activations are kept: half the room, and an error of a two-thousandth at most."""
LOWEST, HIGHEST = np.finfo(HALF).min, np.finfo(HALF).max

LIMIT = 3 * 1024**3
"""Bytes of activations that a worker keeps."""

Augment = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Photos:
    """Photos of one split in the pixel store.

    pixels: uint8 [rows, s, s, 3]; rows: int64 [n], where each photo stands.
    """

    pixels: np.ndarray
    rows: np.ndarray

    def batches(self, size: int) -> Iterator[np.ndarray]:
        for start in range(0, len(self.rows), size):
            yield self.pixels[self.rows[start : start + size]]


class ActivationCache:
    """Arrays float16 [views, n, ...] by key, at most `limit` bytes of them."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def fits(self, bytes_: int) -> bool:
        """Whether an entry of this size could be kept at all."""
        return bytes_ <= self._limit

    def get(self, key: Hashable, make: Callable[[], np.ndarray], bytes_: int = 0) -> np.ndarray:
        """The array of this key, made if it is not there.

        Args:
            bytes_: what it will take, so that others go before it is made and not after.
        """
        if key not in self._arrays:
            self._make_room(bytes_)
            array = make()
            self._make_room(array.nbytes)
            self._arrays[key] = array
        self._arrays.move_to_end(key)
        return self._arrays[key]

    def _make_room(self, bytes_: int) -> None:
        while self._arrays and self._held() + bytes_ > self._limit:
            self._arrays.popitem(last=False)

    def _held(self) -> int:
        return sum(array.nbytes for array in self._arrays.values())


def size_of(prefix: keras.Model, photos: int, views: int) -> int:
    """Bytes that the prefix' activations take for this many photos and views."""
    return math.prod(prefix.output.shape[1:]) * HALF.itemsize * photos * views


def fastest(model: keras.Model, photos: int) -> Callable[[np.ndarray], np.ndarray]:
    """How to run a frozen model over so many photos: a function from a batch to its outputs.

    On a CPU onnxruntime takes about half of TensorFlow's time, and a few seconds to convert to.
    """
    import keras

    floats = keras.config.dtype_policy().name == "float32"
    if gpus() or keras.backend.backend() != "tensorflow" or not floats or photos < WORTH_CONVERTING:
        return model.predict_on_batch
    return _in_onnxruntime(model)


def _in_onnxruntime(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    from tlsearch.backbones.convert import to_onnx

    converted = to_onnx(model, input_name="inputs", output_name="activations")
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(None, {"inputs": batch})[0]


def compute(
    prefix: keras.Model, photos: Photos, augments: list[Augment | None], batch_size: int = 64
) -> np.ndarray:
    """Run the prefix over all photos, once for each view.

    Args:
        augments: one for each view; None is the photo as it is.

    Returns:
        float16 [views, n, *prefix output shape].
    """
    run = fastest(prefix, len(augments) * len(photos.rows))
    activations = _room(prefix, len(augments), len(photos.rows))
    for view, augment in zip(activations, augments, strict=True):
        batches = photos.batches(batch_size)
        _fill(view, map(augment, batches) if augment else batches, run)
    return activations


def carry_on(step: keras.Model, activations: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Activations at a deeper cut from those at a shallower one.

    Args:
        step: the network between the two cuts.
        activations: float16 [views, n, *step input shape].

    Returns:
        float16 [views, n, *step output shape].
    """
    views, n = activations.shape[:2]
    run = fastest(step, views * n)
    deeper = _room(step, views, n)
    for view, source in zip(deeper, activations, strict=True):
        batches = (source[start : start + batch_size] for start in range(0, n, batch_size))
        _fill(view, batches, lambda x: run(x.astype("float32")))
    return deeper


def _room(model: keras.Model, views: int, photos: int) -> np.ndarray:
    return np.empty((views, photos, *model.output.shape[1:]), HALF)


def _fill(
    view: np.ndarray, batches: Iterable[np.ndarray], run: Callable[[np.ndarray], np.ndarray]
) -> None:
    start = 0
    for batch in batches:
        outputs = run(batch)
        # What is too large for half precision becomes its largest number, not infinity.
        view[start : start + len(batch)] = np.clip(outputs, LOWEST, HIGHEST)
        start += len(batch)
