"""What one frozen backbone is worth on some photos: the answers of probes that did not see them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tlsearch.config.schema import BackboneChoice, Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.execution.executor import Channel
from tlsearch.paths import Paths
from tlsearch.store.store import ActivationStore
from tlsearch.training.photos import Photos

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Probed:
    """How a backbone did.

    right: which photos its probe classified right, bool [n]; below: the same for the features at
    lower cuts, from input to output; blocks: how many blocks lie above each of these; seconds: all
    that it took in the worker.
    """

    right: np.ndarray
    below: Mapping[str, np.ndarray] = field(default_factory=dict)
    blocks: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class ScreeningJob:
    """Probes one backbone at one size, at which its photos must be in the pixel store.

    trial: stands for the backbone, there is no trial yet; positions: int64, which photos of the
    train split.
    """

    trial: int
    backbone: BackboneChoice
    image_size: int
    positions: np.ndarray
    sweep: Sweep
    dataset: Dataset
    paths: Paths

    def run(self, channel: Channel) -> Probed:
        import keras  # noqa: F401  Its seconds are the worker's, not the first backbone's.

        from tlsearch.training.block_features import block_features, lower_cuts
        from tlsearch.training.frozen import frozen_backbone
        from tlsearch.training.head import POOLED
        from tlsearch.training.job import precision
        from tlsearch.training.probe import answer_unseen

        started = time.perf_counter()
        pooling = self.sweep.space.pooling.choices[0]
        policy = precision(self.sweep.train.precision)
        frozen = frozen_backbone(self.backbone, self.image_size, pooling, policy)
        cuts = lower_cuts(frozen.blocks)
        features = block_features(frozen, self._photos(), cuts, self._store())
        labels = self.dataset.labels[self._rows]
        answers = {name: answer_unseen(some, labels, FOLDS) for name, some in features.items()}
        return Probed(
            right=answers.pop(POOLED),
            below=answers,
            blocks={name: len(frozen.blocks) - 1 - frozen.blocks.index(name) for name in cuts},
            seconds=time.perf_counter() - started,
        )

    @property
    def _rows(self) -> np.ndarray:
        return self.dataset.splits["train"][self.positions]

    def _photos(self) -> Photos:
        pixels = pixel_store(self.paths, self.image_size)
        contents = tuple(self.dataset.contents[row] for row in self._rows)
        return Photos(pixels.pixels, pixels.rows(contents), contents)

    def _store(self) -> ActivationStore | None:
        from tlsearch.training.activations import open_store

        return None if self.sweep.store.use == "never" else open_store(self.sweep, self.paths)
