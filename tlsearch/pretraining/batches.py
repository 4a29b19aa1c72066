"""Batches for a pretraining: what the network sees and what it has to say to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tlsearch.config.pretraining import Pretraining
from tlsearch.pretraining.pictures import Pictures
from tlsearch.pretraining.views import ViewMaker

Seed = tuple[int, ...]
Render = Callable[[np.ndarray, Seed], np.ndarray]
"""From pictures uint8 [n, s, s, 3] and a seed to the network's input."""

_TURNS = 8


class PretrainingBatches(keras.utils.PyDataset):
    """Whole batches of shuffled pictures, epoch after epoch.

    What a batch holds follows from the seed, its epoch and its place alone, so that a training
    which was interrupted sees what an undisturbed one would have seen.

    Args:
        recipe: with `supervised` batches hold the labels, one array for each factor; with SimCLR
            zeros, which its loss does not look at.
        size: pixels a side that the network sees.
        first_epoch: from 0; where an interrupted training goes on.
    """

    def __init__(
        self, recipe: Pretraining, pictures: Pictures, size: int, *, first_epoch: int = 0
    ) -> None:
        super().__init__()
        self._pictures = pictures
        self._batch_size = min(recipe.train.batch_size, pictures.count)
        self._passes = recipe.data.patterns.passes if recipe.is_drawn else 1
        self._labelled = recipe.method == "supervised"
        self._render = _rendering(recipe, size)
        self._seed = recipe.seed
        self._epoch = first_epoch
        self._epochs = recipe.train.epochs
        self._order = np.empty(0, np.int64)
        self._begin()

    @property
    def num_batches(self) -> int:
        """Batches in an epoch; what does not fill one is left out."""
        return self._passes * self._in_a_pass

    @property
    def pictures_per_epoch(self) -> int:
        """How many pictures an epoch shows, counted once for each time."""
        return self.num_batches * self._batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        inputs = self._render(self._pictures.take(rows), (self._seed, self._epoch, index))
        if not self._labelled:
            return inputs, np.zeros(len(inputs), np.int64)
        columns = tuple(self._pictures.labels[rows].T)
        return inputs, columns if len(columns) > 1 else columns[0]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        if self._epoch < self._epochs:
            self._begin()

    @property
    def _in_a_pass(self) -> int:
        return self._pictures.count // self._batch_size

    def _begin(self) -> None:
        """Fetch the epoch's pictures and draw their order in each pass."""
        self._pictures.start(self._epoch)
        random = np.random.default_rng([self._seed, self._epoch])
        whole = self._in_a_pass * self._batch_size
        orders = [random.permutation(self._pictures.count)[:whole] for _ in range(self._passes)]
        self._order = np.concatenate(orders)


def _rendering(recipe: Pretraining, size: int) -> Render:
    maker = ViewMaker(recipe.views, size)
    if recipe.method == "simclr":
        return maker.pairs
    return _turn if recipe.is_drawn else maker.singles


def _turn(pictures: np.ndarray, seed: Seed) -> np.ndarray:
    """The pictures of a batch in one of their eight positions: patterns have no right way up."""
    position = int(np.random.default_rng(seed).integers(_TURNS))
    turned = np.rot90(pictures, position % 4, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if position >= 4 else turned)
