"""How long a frozen backbone takes for a photo: timed on a real batch, once in a process."""

from __future__ import annotations

import time
from collections.abc import Hashable

import numpy as np

from tlsearch.training.frozen import FrozenBackbone

_KNOWN: dict[Hashable, float] = {}


class Stopwatch:
    """Times one backbone.

    Everything is timed as Keras runs it, which is how a trial computes what is not stored. What is
    stored may be computed by onnxruntime, in about half of that.

    Args:
        batch: photos uint8 [n, s, s, 3].
    """

    def __init__(self, frozen: FrozenBackbone, batch: np.ndarray) -> None:
        self._frozen = frozen
        self._batch = batch

    def seconds(self, start: str | None, end: str, by: str | None = None) -> float:
        """Of one photo, from one cut, or with None from its pixels, to a later one.

        Args:
            by: a cut in between; the two stretches are timed, and others may want them too.
        """
        if by is not None:
            return self.seconds(start, by) + self.seconds(by, end)
        frozen = self._frozen
        name = (frozen.key(end, "").digest, start)
        if name not in _KNOWN:
            _KNOWN[name] = self._time(start, end)
        return _KNOWN[name]

    def _time(self, start: str | None, end: str) -> float:
        step, inputs = self._frozen.between(start, end), self._batch
        if start is not None:
            inputs = self._frozen.between(None, start).predict_on_batch(inputs)
        step.predict_on_batch(inputs)  # the first time it is traced
        started = time.perf_counter()
        step.predict_on_batch(inputs)
        return (time.perf_counter() - started) / len(inputs)
