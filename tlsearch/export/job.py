"""Exporting one trained trial in a worker: convert, compare, judge, write the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from tlsearch.execution.executor import Channel
from tlsearch.export.bundle import Contents, write_bundle
from tlsearch.export.parity import Parity, hold
from tlsearch.export.trial_job import TrialJob, ask_keras
from tlsearch.training.photos import Photos

if TYPE_CHECKING:
    import onnxruntime

GOLDEN = 8
"""How many photos of the validation split the bundle holds with their answers."""


@dataclass(frozen=True)
class ExportResult:
    """What came of an export. `test` is None where the test split was left alone."""

    bundle: Path
    parity: Parity
    test: dict[str, float] | None


@final
@dataclass(frozen=True)
class ExportJob(TrialJob):
    """Everything that a worker needs to make a trial's bundle in `output`.

    Attributes:
        judge: read the test split, once, through the ONNX model: for the champion alone.
    """

    output: Path
    judge: bool
    mlflow_run: str | None = None

    def run(self, channel: Channel) -> ExportResult:
        from tlsearch.backbones.convert import to_onnx

        model = self.load_model()
        converted = to_onnx(model).SerializeToString()
        session = open_session(converted)
        validation = self.photos("validation")
        received = answer(session, validation)
        parity = hold(ask_keras(model, validation), received, self.sweep.export.tolerance)
        test = answer(session, self.photos("test")) if self.judge else None
        contents = Contents(
            job=self,
            model=converted,
            parity=parity,
            validation=self.evaluate(received, "validation"),
            test=None if test is None else self.evaluate(test, "test"),
            golden_images=next(validation.batches(GOLDEN)),
            golden_probabilities=received[:GOLDEN],
        )
        write_bundle(contents, self.output)
        metrics = contents.test.metrics() if contents.test else None
        return ExportResult(self.output, parity, metrics)


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session on the CPU, where results do not depend on the machine's GPU."""
    import onnxruntime

    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def answer(session: onnxruntime.InferenceSession, photos: Photos) -> np.ndarray:
    """Probabilities float32 [n, classes] of the ONNX model for all photos."""
    parts = [session.run(None, {"images": batch})[0] for batch in photos.batches(32)]
    return np.concatenate(parts)
