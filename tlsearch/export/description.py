"""A bundle's contents in the words of its manifest."""

from __future__ import annotations

import importlib.metadata
from datetime import UTC, datetime

from tlsearch.data.photo import RESIZE_RULE
from tlsearch.export.calibration import calibration_error, cool
from tlsearch.export.contents import Contents, Model
from tlsearch.export.manifest import (
    Calibration,
    Manifest,
    Metrics,
    Run,
    Score,
    Sureness,
    Variant,
)
from tlsearch.report.evaluation import Evaluation

LIBRARIES = ("tlsearch", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime-gpu", "pillow")


def describe(contents: Contents) -> Manifest:
    """The bundle's manifest."""
    job, test = contents.job, contents.test
    return Manifest(
        name=job.sweep.export.register_as or job.sweep.name,
        labels=list(job.dataset.classes),
        image_size=job.configuration.image_size,
        resize=RESIZE_RULE,
        backbone=job.configuration.backbone.label,
        strategy=job.configuration.strategy,
        parameters=job.configuration.flat(),
        metrics=Metrics(
            validation=_score(contents.validation),
            test=None if test is None else _score(test),
        ),
        calibration=_calibration(contents),
        variants=[_variant(model, contents.validation) for model in contents.models],
        left_out=list(contents.left_out),
        max_accuracy_loss=job.sweep.export.max_accuracy_loss,
        run=Run(
            sweep=job.sweep.name,
            trial=job.trial,
            mlflow_run=job.mlflow_run,
            dataset=job.dataset.digest,
        ),
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        created=datetime.now(UTC),
    )


def _variant(model: Model, original: Evaluation) -> Variant:
    candidate, gain = model.candidate, model.gain
    accuracy = candidate.validation.accuracy
    return Variant(
        file=model.file,
        precision=candidate.precision,
        size_bytes=len(candidate.content),
        max_difference=model.max_difference,
        accuracy_validation=accuracy,
        accuracy_test=None if model.test is None else model.test.accuracy,
        accuracy_loss=None if gain is None else original.accuracy - accuracy,
        speedup=None if gain is None else gain.speedup,
        provider=None if gain is None else gain.provider,
        recipe=candidate.recipe,
        tolerance=model.tolerance,
    )


def _calibration(contents: Contents) -> Calibration | None:
    temperature, test = contents.temperature, contents.test
    if temperature is None:
        return None
    return Calibration(
        temperature=temperature.value,
        at_bound=temperature.at_bound,
        validation=_sureness(contents.validation, temperature.value),
        test=None if test is None else _sureness(test, temperature.value),
    )


def _sureness(after: Evaluation, temperature: float) -> Sureness:
    before = cool(after, temperature)
    return Sureness(
        log_loss_before=before.log_loss,
        log_loss_after=after.log_loss,
        calibration_error_before=calibration_error(before),
        calibration_error_after=calibration_error(after),
    )


def _score(evaluation: Evaluation) -> Score:
    others = evaluation.metrics()
    accuracy = others.pop("accuracy")
    return Score(
        photos=evaluation.photos, accuracy=accuracy, interval=evaluation.interval, others=others
    )
