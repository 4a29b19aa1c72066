"""Batches that are shown to a network in parts, where memory does not hold a whole one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import final

import keras
import numpy as np

from tlsearch.execution.pulse import beat

FETCHING = 2
"""Threads that read the next batches while a step runs."""
Shown = tuple[np.ndarray, np.ndarray]
"""Inputs and targets."""


@final
class Parts(keras.utils.PyDataset):
    """Each batch in as many parts as every other, the short last one too: no step, which ends with
    a batch's last part, then learns from two batches.

    Args:
        batches: places of photos, int64.
        make: makes a batch, the same one as is shown at once.
        parts: 2 or more.
    """

    def __init__(
        self, batches: list[np.ndarray], make: Callable[[np.ndarray], Shown], parts: int
    ) -> None:
        # With threads, Keras on JAX loses its first look at a batch and shows that one last: each
        # step would then learn from parts of two batches.
        super().__init__(workers=FETCHING if keras.backend.backend() == "tensorflow" else 1)
        self._count = len(batches) * parts
        self._parts = parts
        self._make = lru_cache(FETCHING + 1)(lambda number: make(batches[number]))

    @property
    def num_batches(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        number, part = divmod(index, self._parts)
        beat()
        return cut(self._make(number), part, self._parts)


def cut(batch: Shown, part: int, parts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One of the parts of a batch, with weights float32 for its photos.

    Keras averages the losses of a part, then the gradients of the parts. With these weights that is
    the mean over the batch, though its parts be of unequal sizes; the loss that Keras tells of an
    epoch is then a little off. A part for which no photo is left shows the first one again, at
    weight 0.
    """
    inputs, targets = batch
    total = len(targets)
    start, stop = total * part // parts, total * (part + 1) // parts
    weight = parts * (stop - start) / total
    rows = slice(start, stop) if stop > start else slice(0, 1)
    weights = np.full(len(targets[rows]), weight, "float32")
    return inputs[rows], targets[rows], weights
