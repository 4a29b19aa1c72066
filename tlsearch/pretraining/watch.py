"""Watching a pretraining: losses, probes, checkpoints, and the word that it should stop."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tlsearch.backbones.build import Backbone, build
from tlsearch.data.dataset import Dataset
from tlsearch.data.pixels import PixelStore
from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.events import Decision, EpochEnded
from tlsearch.execution.executor import Channel
from tlsearch.pretraining.files import PretrainingFiles
from tlsearch.pretraining.network import feature_model
from tlsearch.training.photos import photos
from tlsearch.training.probe import fit_probe

_BATCH = 128


class Prober:
    """Fits a linear probe on the features that a backbone has at the moment.

    Args:
        size: pixels a side of the probe's photos, which `pixels` holds.
        dataset: its train split is fitted to, its validation split judges, its test split rests.
        every: epochs between two probes.
    """

    def __init__(
        self, backbone: Backbone, size: int, dataset: Dataset, pixels: PixelStore, every: int
    ) -> None:
        untrained = backbone.spec.model_copy(update={"weights": "random"})
        self._source = backbone
        self._copy = build(untrained, size)
        self._model = feature_model(self._copy)
        self._dataset = dataset
        self._pixels = pixels
        self.every = every

    def accuracy(self) -> float:
        """Of the validation split, from 0 to 1."""
        self._copy.model.set_weights(self._source.model.get_weights())
        probe = fit_probe(*self._examples("train"))
        return float(probe.score(*self._examples("validation")))

    def _examples(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        stored = photos(self._dataset, split, self._pixels)
        features = [self._model.predict_on_batch(batch) for batch in stored.batches(_BATCH)]
        labels = self._dataset.labels_of(split)
        return np.concatenate(features).astype(np.float32), labels


class Watch(keras.callbacks.Callback):
    """Keeps each epoch on disk, tells the supervisor about it, and stops when told to."""

    def __init__(
        self, files: PretrainingFiles, channel: Channel, prober: Prober | None, epochs: int
    ) -> None:
        super().__init__()
        self._files = files
        self._channel = channel
        self._prober = prober
        self._epochs = epochs
        self._logs: list[Mapping[str, Any]] = []
        self._started = 0.0
        self.decision = Decision.CONTINUE

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._started = time.perf_counter()
        self._logs = []

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        # Keras averages over the steps of an epoch; here each step counts for itself.
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._logs.append(dict(logs or {}))

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        seconds = time.perf_counter() - self._started
        means = {name: self._mean(name) for name in self._logs[0]}
        if not math.isfinite(means["loss"]):
            raise NonFiniteLossError(
                f"the loss is {means['loss']} in epoch {epoch + 1}",
                hint="lower train.learning_rate, and start over with --new",
            )
        losses = [float(step["loss"]) for step in self._logs]
        row = {"epoch": epoch + 1, **means, "seconds": seconds}
        # An epoch that is over has its probe: where one was cut short, both are made again.
        accuracy = self.probe(epoch + 1)
        self._files.end_epoch(self.model, row, losses)
        metrics = means if accuracy is None else {**means, "probe_accuracy": accuracy}
        self.decision = self._channel.ask(EpochEnded(0, epoch + 1, metrics, seconds))
        if self.decision is not Decision.CONTINUE:
            self.model.stop_training = True

    def probe(self, epoch: int) -> float | None:
        """The probe's accuracy after so many epochs, where one is due."""
        if self._prober is None or (epoch % self._prober.every and epoch != self._epochs):
            return None
        accuracy = self._prober.accuracy()
        self._files.add_probe(epoch, accuracy)
        return accuracy

    def _mean(self, name: str) -> float:
        return float(np.mean([float(step[name]) for step in self._logs]))
