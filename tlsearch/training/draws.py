"""What an epoch shows: the order of the photos, the view of each, and the seed of its rendition.

Everything follows from the trial's seed and the epoch's number, so that an epoch is the same
whatever came before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Draw:
    """One epoch.

    order: int64 [n], the photos' places in the split as they are shown; views: int64 [n] and
    seeds: uint64 [n] belong to the photos by their places in the split.
    """

    order: np.ndarray
    views: np.ndarray
    seeds: np.ndarray
    random: np.random.Generator

    def batches(self, size: int) -> list[np.ndarray]:
        """The order in portions of `size`."""
        return [self.order[start : start + size] for start in range(0, len(self.order), size)]


@dataclass(frozen=True)
class Draws:
    """The epochs of one trial, of so many photos in so many views each."""

    seed: int
    photos: int
    views: int = 1

    def epoch(self, number: int) -> Draw:
        """Epoch `number`, from 1."""
        # Apart, so that more views leave the order as it is.
        orders, views, seeds, rest = np.random.default_rng([self.seed, number]).spawn(4)
        return Draw(
            orders.permutation(self.photos),
            views.integers(self.views, size=self.photos),
            seeds.integers(2**64, size=self.photos, dtype=np.uint64),
            rest,
        )
