"""What one trial is trained on and with: photos, labels, configuration, seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlsearch.augmentation.renderer import Renderer, renderer
from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Train
from tlsearch.training.draws import Draws
from tlsearch.training.network import count_outputs
from tlsearch.training.photos import Photos
from tlsearch.training.views import View, views


@dataclass(frozen=True, eq=False)
class Task:
    """One trial.

    photos and labels (int64) by split; views: how many of each photo are stored, None where every
    epoch makes renditions of its own; precision: the Keras dtype policy; seed: decides all that is
    random; parts: in how many parts a network is shown each batch.
    """

    photos: Mapping[str, Photos]
    labels: Mapping[str, np.ndarray]
    classes: int
    configuration: Configuration
    train: Train
    views: int | None
    precision: str
    seed: int
    parts: int = 1

    @cached_property
    def outputs(self) -> int:
        """How many numbers the network answers with."""
        return count_outputs(self.classes, self.train)

    @cached_property
    def renderer(self) -> Renderer | None:
        """What makes renditions of the photos; None where they are shown as they are."""
        return renderer(self.configuration.augment, self.configuration.augment_strength)

    @cached_property
    def shown(self) -> list[View]:
        """The views that epochs draw from where activations are stored."""
        return views(self.renderer, self.views or 1)

    @property
    def mixes(self) -> bool:
        """Whether photos are blended with each other."""
        return bool(self.configuration.mixup or self.configuration.cutmix)

    @property
    def needs_photos(self) -> bool:
        """Whether what an epoch shows cannot have been stored before."""
        return self.mixes or (self.renderer is not None and self.views is None)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.labels["train"]) // self.train.batch_size)

    def draws(self) -> Draws:
        return Draws(self.seed, len(self.labels["train"]), len(self.shown))
