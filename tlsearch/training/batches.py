"""Batches for a fit: photos or stored activations, shuffled anew in every epoch."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

Rows = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From the positions of a batch's photos to the network's input for them."""


class Batches(keras.utils.PyDataset):
    """Shuffled batches (inputs, labels) of one split.

    Args:
        rows: gives the inputs for positions int64 [batch] among the split's photos.
        labels: int64 [n], one for each photo of the split.
        seed: with the epoch it decides the order; None keeps the photos' own order.
    """

    def __init__(
        self, rows: Rows, labels: np.ndarray, batch_size: int, *, seed: int | None
    ) -> None:
        super().__init__()
        self._rows = rows
        self._labels = labels
        self._batch_size = batch_size
        # Apart, so that what is drawn for the rows leaves the order as it is.
        self._random, self._orders = np.random.default_rng(seed).spawn(2)
        self._shuffles = seed is not None
        self._order = self._draw()

    @property
    def num_batches(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self._batch_size
        positions = self._order[start : start + self._batch_size]
        return self._rows(positions, self._random), self._labels[positions]

    def on_epoch_end(self) -> None:
        self._order = self._draw()

    def _draw(self) -> np.ndarray:
        n = len(self._labels)
        return self._orders.permutation(n) if self._shuffles else np.arange(n)


def from_photos(
    pixels: np.ndarray, rows: np.ndarray, augment: Callable[[np.ndarray], np.ndarray] | None
) -> Rows:
    """Photos uint8 from the pixel store, augmented on the way.

    Args:
        pixels: the store, uint8 [rows, s, s, 3]; rows: int64 [n], where each photo stands.
    """

    def take(positions: np.ndarray, _: np.random.Generator) -> np.ndarray:
        photos = pixels[rows[positions]]
        return augment(photos) if augment else photos

    return take


def from_views(activations: np.ndarray) -> Rows:
    """Activations [views, n, ...]: for each photo one of its views, drawn anew each time.

    They are kept in half precision and given out in single precision.
    """

    def take(positions: np.ndarray, random: np.random.Generator) -> np.ndarray:
        views = random.integers(len(activations), size=len(positions))
        return activations[views, positions].astype("float32")

    return take
