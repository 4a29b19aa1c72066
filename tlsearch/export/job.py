"""Exporting one trained trial in a worker: convert, compare, judge, write the bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.execution.executor import Channel
from tlsearch.export.bundle import Contents, write_bundle
from tlsearch.export.parity import Parity, hold
from tlsearch.paths import Paths
from tlsearch.report.evaluation import Evaluation
from tlsearch.training.activations import Photos
from tlsearch.training.job import photos
from tlsearch.training.trained import TrainedTrial

if TYPE_CHECKING:
    import keras
    import onnxruntime

GOLDEN = 8
"""How many photos of the validation split the bundle holds with their answers."""


@dataclass(frozen=True)
class ExportResult:
    """What came of an export. `test` is None where the test split was left alone."""

    bundle: Path
    parity: Parity
    test: dict[str, float] | None


@dataclass(frozen=True)
class ExportJob:
    """Everything that a worker needs to make a trial's bundle in `output`.

    Attributes:
        judge: read the test split, once, through the ONNX model: for the champion alone.
    """

    trial: int
    sweep: Sweep
    configuration: Configuration
    dataset: Dataset
    paths: Paths
    output: Path
    judge: bool
    mlflow_run: str | None = None

    def run(self, channel: Channel) -> ExportResult:
        from tlsearch.backbones.convert import to_onnx

        model = self.load_model()
        converted = to_onnx(model).SerializeToString()
        session = open_session(converted)
        pixels = pixel_store(self.paths, self.configuration.image_size)
        validation = photos(self.dataset, "validation", pixels)
        received = answer(session, validation)
        parity = hold(_ask_keras(model, validation), received, self.sweep.export.tolerance)
        test = answer(session, photos(self.dataset, "test", pixels)) if self.judge else None
        contents = Contents(
            job=self,
            model=converted,
            parity=parity,
            validation=self._evaluate(received, "validation"),
            test=None if test is None else self._evaluate(test, "test"),
            golden_images=next(validation.batches(GOLDEN)),
            golden_probabilities=received[:GOLDEN],
        )
        write_bundle(contents, self.output)
        metrics = contents.test.metrics() if contents.test else None
        return ExportResult(self.output, parity, metrics)

    def load_model(self) -> keras.Model:
        """The trained network in float32, whatever precision it was trained in."""
        import keras

        from tlsearch.training.network import as_probabilities, build_network

        keras.backend.clear_session()
        keras.config.set_dtype_policy("float32")
        classes = len(self.dataset.classes)
        network = build_network(self.configuration, classes, self.sweep.train, weights=False)
        folder = self.paths.sweep(self.sweep.name).trial(self.trial)
        network.model.load_weights(TrainedTrial(folder).weights)
        return as_probabilities(network.model)

    def _evaluate(self, probabilities: np.ndarray, split: str) -> Evaluation:
        labels = self.dataset.labels[self.dataset.splits[split]]
        return Evaluation(probabilities, labels, self.dataset.classes)


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session on the CPU, where results do not depend on the machine's GPU."""
    import onnxruntime

    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def answer(session: onnxruntime.InferenceSession, photos: Photos) -> np.ndarray:
    """Probabilities float32 [n, classes] of the ONNX model for all photos."""
    parts = [session.run(None, {"images": batch})[0] for batch in photos.batches(32)]
    return np.concatenate(parts)


def _ask_keras(model: keras.Model, photos: Photos) -> np.ndarray:
    return np.concatenate(list(_predictions(model, photos)))


def _predictions(model: keras.Model, photos: Photos) -> Iterator[Any]:
    for batch in photos.batches(32):
        yield model.predict_on_batch(batch)
