"""What each phase of a trial reads: stored activations where the prefix is frozen, else photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.config.configuration import Configuration
from tlsearch.training.activations import ActivationCache, Photos, carry_on, compute, size_of
from tlsearch.training.augment import augmentation

if TYPE_CHECKING:
    import keras

    from tlsearch.training.batches import Batches

VIEW_SEED = 1_000
"""Seeds of views start here and are the same in every trial, so that trials can share them."""


@dataclass(frozen=True)
class TrialData:
    """The photos and labels of a trial at its image size."""

    photos: Mapping[str, Photos]
    labels: Mapping[str, np.ndarray]
    digest: str
    views: int


class Inputs:
    """Makes the batches of a phase.

    Args:
        cache: where activations are kept between trials.
        seed: the trial's; it decides the order of photos and the augmentation of photos.
    """

    def __init__(
        self,
        data: TrialData,
        configuration: Configuration,
        batch_size: int,
        cache: ActivationCache,
        seed: int,
    ) -> None:
        self._data = data
        self._configuration = configuration
        self._batch_size = batch_size
        self._cache = cache
        self._seed = seed
        self._derived: dict[str, tuple[keras.Model, keras.Model]] = {}

    @property
    def photos(self) -> int:
        """How many photos an epoch sees."""
        return len(self._data.labels["train"])

    def storable(self, prefix: keras.Model) -> bool:
        """Whether this prefix' activations can be kept."""
        n = self.photos * self._views + len(self._data.labels["validation"])
        return self._cache.fits(size_of(prefix, n, 1))

    def derive(self, cut: str, below: keras.Model, step: keras.Model) -> None:
        """Let the activations at `cut` be computed from those of a shallower prefix.

        Args:
            below: the shallower prefix, whose activations will be needed anyway.
            step: from its output to `cut`.
        """
        self._derived[cut] = (below, step)

    def batches(self, split: str, prefix: keras.Model | None) -> Batches:
        """Batches of a split: activations of the prefix, or photos where there is none."""
        from tlsearch.training.batches import Batches, from_photos, from_views

        training = split == "train"
        photos = self._data.photos[split]
        if prefix is not None:
            rows = from_views(self._activations(split, prefix))
        else:
            strength = self._configuration.augment if training else "none"
            rows = from_photos(photos.pixels, photos.rows, augmentation(strength, self._seed))
        seed = self._seed if training else None
        return Batches(rows, self._data.labels[split], self._batch_size, seed=seed)

    @property
    def _views(self) -> int:
        return 1 if self._configuration.augment == "none" else self._data.views

    def _activations(self, split: str, prefix: keras.Model) -> np.ndarray:
        # The name of the operation at the cut: tensors are numbered anew in every network.
        cut = prefix.operations[-1].name
        strength = self._configuration.augment if split == "train" else "none"
        views = self._views if split == "train" else 1
        key = (
            self._configuration.backbone,
            prefix.input.shape,
            cut,
            self._configuration.pooling,
            self._data.digest,
            split,
            strength,
            views,
        )

        def make() -> np.ndarray:
            if cut in self._derived:
                below, step = self._derived[cut]
                return carry_on(step, self._activations(split, below))
            augments = [augmentation(strength, VIEW_SEED * (view + 1)) for view in range(views)]
            return compute(prefix, self._data.photos[split], augments)

        photos = len(self._data.labels[split])
        return self._cache.get(key, make, size_of(prefix, photos, views))
