"""What the jobs on a trained trial share: its network, the photos, the figures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.execution.executor import Channel
from tlsearch.paths import Paths
from tlsearch.report.evaluation import Evaluation
from tlsearch.training.job import pretrained_digest
from tlsearch.training.photos import Photos, photos
from tlsearch.training.trained import TrainedTrial

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrialJob(ABC):
    """A job for a worker about a trial whose weights lie on the disk.

    The photos must be in the pixel store at the configuration's size.
    """

    trial: int
    sweep: Sweep
    configuration: Configuration
    dataset: Dataset
    paths: Paths

    @abstractmethod
    def run(self, channel: Channel) -> Any:
        """Do it in the worker's process."""

    @final
    def load_model(self) -> keras.Model:
        """The trained network in float32, whatever precision it was trained in.

        What the trial learned is laid over the pretrained weights that it stood on.

        Raises:
            WeightsError: these are not at hand any more, or are others.
        """
        import keras

        from tlsearch.training.network import as_probabilities, build_network
        from tlsearch.training.weights import restore

        keras.backend.clear_session()
        keras.config.set_dtype_policy("float32")
        classes = len(self.dataset.classes)
        model = build_network(self.configuration, classes, self.sweep.train)
        trained = TrainedTrial(self.paths.sweep(self.sweep.name).trial(self.trial))
        restore(model, trained.weights(pretrained_digest(self.configuration)))
        return as_probabilities(model)

    @final
    def photos(self, split: str) -> Photos:
        """The photos of a split, at the size that the network takes."""
        return photos(self.dataset, split, pixel_store(self.paths, self.configuration.image_size))

    @final
    def evaluate(self, probabilities: np.ndarray, split: str) -> Evaluation:
        """Hold answers float32 [n, classes] against the labels of a split's n photos."""
        return Evaluation(probabilities, self.dataset.labels_of(split), self.dataset.classes)
