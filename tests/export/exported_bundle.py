"""A bundle as the export writes it, with a model of each precision; TensorFlow is not needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice, Sweep
from tlsearch.data.dataset import Dataset
from tlsearch.export.bundle import write_bundle
from tlsearch.export.contents import Candidate, Contents, Gain, Model
from tlsearch.export.golden import Golden
from tlsearch.export.job import ExportJob
from tlsearch.export.reduced import RECIPES
from tlsearch.export.runtime import CPU, answer, open_session
from tlsearch.export.samples import choose_samples, tolerance_of
from tlsearch.paths import Paths
from tlsearch.report.evaluation import Evaluation
from tlsearch.training.photos import Photos

CLASSES = ("red", "green", "blue")
_GAIN = Gain(1.5, CPU)
"""What is measured elsewhere: here no model is left out for being slow."""


def export_bundle(network, train: Photos, validation: Photos, folder: Path) -> Path:
    """Write the bundle of an ONNX network that is right about every photo."""
    content = network.SerializeToString()
    labels = answer(open_session(content), validation).argmax(axis=1)

    def judged(precision: str, content: bytes) -> Candidate:
        answers = answer(open_session(content), validation)
        return Candidate(precision, content, Evaluation(answers, labels, CLASSES))

    recipes = {precision: ways[0] for precision, ways in RECIPES.items()}
    candidates = [judged("fp32", content)] + [
        judged(precision, recipe.make(network, train)) for precision, recipe in recipes.items()
    ]
    golden = _golden(candidates, validation)
    models = tuple(_model(candidate, golden) for candidate in candidates)
    write_bundle(Contents(_job(labels, network, folder), models, (), None, golden), folder)
    return folder


def _golden(candidates: list[Candidate], validation: Photos) -> Golden:
    answers = [candidate.validation.probabilities for candidate in candidates]
    samples = choose_samples(answers)
    first, *others = (rows[samples] for rows in answers)
    names = [candidate.precision for candidate in candidates[1:]]
    return Golden(validation.take(samples), first, dict(zip(names, others, strict=True)))


def _model(candidate: Candidate, golden: Golden) -> Model:
    gain = None if candidate.precision == "fp32" else _GAIN
    tolerance = tolerance_of(candidate.precision, candidate.content, golden.images)
    return Model(candidate, gain, None, 0.0, tolerance)


def _job(labels: np.ndarray, network, folder: Path) -> ExportJob:
    size = network.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    backbone = BackboneChoice(name="MobileNetV2")
    photos = tuple(str(number) for number in range(len(labels)))
    dataset = Dataset(
        CLASSES,
        photos,
        photos,
        labels,
        {"train": np.arange(0), "validation": np.arange(len(labels)), "test": np.arange(0)},
        (),
        (),
        "0" * 64,
        "drawn",
    )
    sweep = Sweep.model_validate(
        {
            "version": 1,
            "name": "colours",
            "data": {"source": "drawn"},
            "space": {"backbone": "MobileNetV2"},
        }
    )
    configuration = Configuration(backbone=backbone, image_size=size)
    return ExportJob(0, sweep, configuration, dataset, Paths(folder.parent), folder, False)
