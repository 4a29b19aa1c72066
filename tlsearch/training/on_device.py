"""A training set that lives on the accelerator: a step is handed places and looks them up there.

What is stored below a cut is often a few gigabytes, and copying a batch of it takes an accelerator
longer than a step over two or three blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from tlsearch.backbones.graph import replay
from tlsearch.execution.devices import gpus

if TYPE_CHECKING:
    from tlsearch.store.rows import Rows

SHARE = 0.4
"""Of the accelerator's memory that activations may take; the rest is for training."""
_PIECE = 1024
"""Rows that are read at once."""


class Lookup(keras.layers.Layer):
    """From places int32 [batch] to the rows of a table that never changes."""

    def __init__(self, parts: list[Rows]) -> None:
        super().__init__(name="lookup", trainable=False, dtype="float32")
        self._starts = np.cumsum([0, *map(len, parts)])
        shape, dtype = (int(self._starts[-1]), *parts[0].shape[1:]), parts[0].dtype.name
        # Without `autocast` off, every step would widen all of it.
        self._table = self.add_weight(
            shape=shape, dtype=dtype, trainable=False, autocast=False, name="table"
        )
        self._table.assign(_read(parts, shape))

    def call(self, places: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.take(self._table, places, axis=0)

    def place(self, part: int | np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Where the rows at these positions of a part lie in the table."""
        return (self._starts[part] + positions).astype("int32")


def _read(parts: list[Rows], shape: tuple[int, ...]) -> np.ndarray:
    """All rows, one part after the other, once in memory."""
    table = np.empty(shape, parts[0].dtype)
    start = 0
    for part in parts:
        for first in range(0, len(part), _PIECE):
            positions = np.arange(first, min(first + _PIECE, len(part)))
            table[start + positions] = part.take(positions)
        start += len(part)
    return table


def fits(parts: list[Rows]) -> bool:
    """Whether there is an accelerator with room for them."""
    devices = gpus()
    return bool(devices) and sum(rows.nbytes for rows in parts) <= SHARE * devices[0].memory


def looked_up(model: keras.Model, lookup: Lookup) -> keras.Model:
    """The same model over places in the table, sharing its layers."""
    places = keras.Input((), dtype="int32", name="places")
    return keras.Model(places, replay(model, lookup(places)), name=model.name)
